"""The checks of a sealed kit, each as a site or a stock tool would do it.

Programs run in a child with an empty environment; what is shipped runs without a network where the
host permits that, and says so where it does not.
"""

from __future__ import annotations

import base64
import functools
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.build import Options
from kit.container.head import read_head
from kit.errors import SourceUnreadable
from kit.note.note import release_note
from kit.pipeline import digests
from kit.pipeline.children import bound_to_us
from kit.pipeline.elsewhere import copy_sources
from kit.pipeline.numbers import numbered
from kit.pipeline.report import FAILED, NOT_RUN, PASSED, Check
from kit.rebuild import rebuild
from kit.sources.taken import take
from kit.spec import load_spec
from kit.stock.keys import is_signed, pem_of_text
from kit.stock.outputs import PAGE_BUNDLE, SUMS, SUMS_BUNDLE, SUMS_KEY, SUMS_SIG, TRUSTED_ROOT_FILE
from kit.store import Store
from verifier.core.envelope import evaluate, parse_page
from verifier.core.errors import KitError
from verifier.core.manifest import parse_manifest
from verifier.core.model import KIT_PREDICATE
from verifier.core.signature import P256
from verifier.core.trust import Root

VERIFIER = "kit-verify.pyz"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAST = 300  # characters of what a program said


@dataclass(frozen=True)
class Ground:
    """What the checks are about, and what they may use.

    Attributes:
        kit: The sealed kit, in the directory of its release.
        root: The root that it is held to.
        scratch: An empty directory; it is removed afterwards.
        python: The interpreter of a site.
    """

    kit: Path
    root: Root
    scratch: Path
    python: str
    spec: Path
    settings: Mapping[str, str | int]
    epoch: str | None
    store: Store
    workers: int = 0

    def beside(self, name: str) -> Path:
        """Return a file that travels with the kit."""
        return self.kit.with_name(name)


# --- what was sealed -------------------------------------------------------------------------


def check_seal(ground: Ground) -> Check:
    """Prove the kit under its root, and compare all that travels with it with what was sealed."""
    name = "the kit and all beside it are as sealed"
    try:
        note = release_note(ground.kit, workers=ground.workers)
    except KitError as error:
        return Check(name, FAILED, _words(error))
    return Check(name, PASSED, f"signed by {', '.join(note.signers)} (threshold {note.threshold})")


# --- the shipped verifier --------------------------------------------------------------------


@functools.cache
def isolation() -> tuple[str, ...]:
    """Return what runs a command without a network; empty if this host does not permit it."""
    for way in (("unshare", "--net"), ("unshare", "--net", "--map-root-user")):
        program = shutil.which(way[0])
        if program is None:
            return ()
        done = subprocess.run([program, *way[1:], "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return (program, *way[1:])
    return ()


def check_shipped(ground: Ground) -> list[Check]:
    """Have the verifier that travels with the kit prove it, and unpack what it proved."""
    name, apart = f"{VERIFIER} proves and unpacks it, alone", "and without a network"
    pin = ground.scratch / "root.json"
    pin.write_bytes(ground.root.line)
    words = ["--root", os.fspath(pin), "--extract", os.fspath(ground.scratch / "unpacked")]
    status, said = _verify(ground, words)
    if status:
        return [Check(name, FAILED, said), Check(apart, NOT_RUN, "it did not prove it")]
    found = Check(apart, PASSED, "in a network namespace of its own")
    if not isolation():  # nothing of it asks for one; but nobody has seen that
        found = Check(apart, NOT_RUN, "this host takes the network away from no program")
    return [Check(name, PASSED, "environment empty, no installed packages"), found]


def check_site(ground: Ground, site: str, trust: Path) -> Check:
    """Ask the policy of a site, by a copy of its trust directory; its state stays as it is."""
    name = f"site {site} takes it"
    if not trust.is_dir():
        return Check(name, FAILED, "its trust directory is not there")
    status, said = _verify(ground, ["--trust", os.fspath(trust.absolute())])
    return Check(name, PASSED if status == 0 else FAILED, said)


def _verify(ground: Ground, words: Sequence[str]) -> tuple[int, str]:
    """Run the shipped verifier; return its status and the verdict or the finding."""
    program = [ground.python, "-I", "-S", os.fspath(ground.beside(VERIFIER).absolute()), "verify"]
    kit = os.fspath(ground.kit.absolute())
    done = _run([*isolation(), *program, *words, "--", kit], ground.scratch)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    finding = next((line for line in done.stderr.splitlines() if line.startswith("error[")), "")
    return done.returncode, (finding or (lines[0] if lines else _last(done)))[:_LAST]


# --- stock tools -----------------------------------------------------------------------------


def check_sums(ground: Ground) -> list[Check]:
    """Compare every unpacked file with SHA256SUMS: here, and by sha256sum."""
    unpacked, sums = ground.scratch / "unpacked", ground.beside(SUMS).absolute()
    ours, stock = "SHA256SUMS fits the unpacked kit", "sha256sum --check"
    if not unpacked.is_dir():
        return [Check(each, FAILED, "nothing was unpacked") for each in (ours, stock)]
    wrong, count = [], 0
    for line in sums.read_bytes().splitlines():
        digest, _, path = line.partition(b"  ")
        count += 1
        if _sha256(unpacked / os.fsdecode(path)) != digest.decode("ascii", "replace"):
            wrong.append(os.fsdecode(path))
    detail = f"{len(wrong)} of {count} differ: {wrong[0]!r}" if wrong else "every file of the list"
    found = [Check(ours, FAILED if wrong else PASSED, detail)]
    program = shutil.which("sha256sum")
    if program is None:
        return [*found, Check(stock, NOT_RUN, "sha256sum is not installed")]
    done = _run([program, "--check", "--strict", "--quiet", os.fspath(sums)], unpacked)
    state = FAILED if done.returncode else PASSED
    return [
        *found,
        Check(stock, state, _last(done) if done.returncode else "every file of the list"),
    ]


def check_blobs(ground: Ground) -> list[Check]:
    """Check the signatures for stock tools: here, and by cosign where it is."""
    ours, stock = f"{SUMS_SIG} is by the key that the kit names", "cosign verify-blob"
    page, root = read_head(ground.kit)
    envelope = parse_page(page)
    key = parse_manifest(envelope.payload).sums_key
    cosign = shutil.which("cosign")
    if not key:
        why = "the kit was built without a key of SHA256SUMS"
        found = [Check(ours, NOT_RUN, why), Check(stock, NOT_RUN, why)]
    else:
        found = [_our_blob(ground, ours, key), _cosign(ground, stock, cosign, _BLOB)]
    if ground.beside(PAGE_BUNDLE).exists():
        signed = evaluate(envelope, root.targets).valid
        keys = [root.targets.keys[one] for one in sorted(signed, key=lambda one: signed[one])]
        p256 = next(one for one in keys if one.scheme == P256)
        (ground.scratch / "signer.pub").write_text(p256.public)
        found.append(_cosign(ground, "cosign verify-blob-attestation", cosign, _STATEMENT))
    return found


def _our_blob(ground: Ground, name: str, key: str) -> Check:
    sums, line = ground.beside(SUMS).read_bytes(), ground.beside(SUMS_SIG).read_bytes()
    try:
        signature = base64.b64decode(line, validate=True)
    except ValueError:
        signature = b""
    if ground.beside(SUMS_KEY).read_bytes() != pem_of_text(key).encode("ascii"):
        return Check(name, FAILED, f"{SUMS_KEY} is another key")
    good = is_signed(key, sums, signature)
    return Check(name, PASSED if good else FAILED, "ECDSA P-256" if good else "it is not valid")


_BLOB = ("verify-blob", "--key", SUMS_KEY, "--bundle", SUMS_BUNDLE)
_STATEMENT = (
    *("verify-blob-attestation", "--key", "{scratch}/signer.pub", "--bundle", PAGE_BUNDLE),
    *("--type", KIT_PREDICATE),
)
_OFFLINE = ("--new-bundle-format", "--trusted-root", TRUSTED_ROOT_FILE)


def _cosign(ground: Ground, name: str, cosign: str | None, words: Sequence[str]) -> Check:
    if cosign is None:
        return Check(name, NOT_RUN, "cosign is not installed")
    filled = [word.replace("{scratch}", os.fspath(ground.scratch)) for word in words]
    command = [cosign, *filled, *_OFFLINE, "--insecure-ignore-tlog=true", SUMS]
    done = _run(command, ground.kit.parent.absolute(), HOME=os.fspath(ground.scratch))
    good = done.returncode == 0 and "Verified OK" in done.stderr
    return Check(name, PASSED if good else FAILED, "Verified OK" if good else _last(done))


# --- again -----------------------------------------------------------------------------------


def check_again(ground: Ground) -> Check:
    """Build again from a copy of the sources in another directory, and compare every byte."""
    name, where = "the same sources give the same bytes", "in another directory"
    try:
        spec = numbered(load_spec(ground.spec, ground.settings), ground.settings)
        copy = copy_sources(spec, ground.scratch / "elsewhere")
        if copy is None:
            where = "where they lie: they are not below the spec"
        else:
            spec = numbered(load_spec(copy, ground.settings), ground.settings)
        with take(spec, ground.store) as taken:
            options = Options(workers=ground.workers, epoch=ground.epoch, taken=taken)
            done = rebuild(ground.kit, spec, options, root=ground.root)
    except KitError as error:
        return Check(name, FAILED, _words(error))
    except OSError as error:
        return Check(name, FAILED, error.strerror or str(error))
    return Check(name, PASSED, f"{done.size} bytes, built {where}")


# --- programs --------------------------------------------------------------------------------


def _run(
    command: Sequence[str], directory: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            list(command),
            cwd=directory,
            env={"PATH": _PATH, **environment} if environment else {},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
            preexec_fn=bound_to_us(),
        )
    except OSError as error:
        why = error.strerror or str(error)
        return subprocess.CompletedProcess(list(command), 127, "", f"cannot be run: {why}")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return (lines[-1] if lines else f"status {done.returncode}")[-_LAST:]


def _words(error: KitError) -> str:
    where = f"{error.where}: " if error.where else ""
    return f"{error.code}: {where}{error.message}".replace("\n", " ")[:_LAST]


def _sha256(path: Path) -> str:
    try:
        return digests.of_file(path)
    except SourceUnreadable:
        return ""
