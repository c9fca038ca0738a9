"""Judges that are not us: stock tools check the signatures of a kit without knowing what a kit is.

Each says yes to the real thing and no to a copy with one change, so that a judge that says yes to
everything is noticed.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # no __all__ there

from tests.conftest import Judge
from tests.support.making import KEYS, ROOT_FILE, Made, make_kit, run_verifier
from tests.support.people import person
from tests.support.stock import (
    Change,
    append_to,
    copy_site,
    lines_of,
    make_site,
    run_line,
    swap_keys,
)
from verifier.core.model import KIT_PREDICATE


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit signed by alice (Ed25519) and bob (P-256), and unpacked."""
    made = make_kit(tmp_path_factory.mktemp("stock"))
    unpacked = run_verifier(made, made.path, "--extract", made.directory / "unpacked")
    assert unpacked.returncode == 0, unpacked.stdout
    return made


def envelope_of(kit: Made) -> dict[str, Any]:
    value = json.loads((kit.directory / "kit.dsse.json").read_bytes())
    assert isinstance(value, dict)
    return value


def signers_of(root: Root) -> list[Any]:
    return [root.keys[keyid] for keyid in root.roles["targets"].keyids]


@pytest.fixture
def root() -> Root:
    """Return the pinned root as python-tuf reads it."""
    return Metadata[Root].from_bytes(ROOT_FILE.read_bytes()).signed


def test_what_seal_wrote_is_what_the_kit_carries(kit: Made) -> None:
    names = ["kit.dsse.json", "SHA256SUMS", "SHA256SUMS.sig", "kit-verify.pyz"]
    for name in names:
        beside, inside = kit.directory / name, kit.directory / "unpacked" / name
        assert beside.read_bytes() == inside.read_bytes(), name


# --- the lines of docs/howto/stock-tools.md ------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, judge: Judge) -> Path:
    """Return what a site has of a kit."""
    return make_site(tmp_path_factory.mktemp("site"), judge)


def other_der(site: Path) -> None:
    """Put a good signature over something else in the place of the signature."""
    (site / "SHA256SUMS.sig").write_bytes(base64.b64encode(person("sums").sign(b"else")))


LIST_CHANGED: dict[str, Change] = {
    "one byte more in the list": append_to("SHA256SUMS"),
    "another key": swap_keys,
    "a signature of something else": other_der,
}


def test_openssl_checks_the_list(site: Path, tmp_path: Path, judge: Judge) -> None:
    (line,) = lines_of("openssl")
    done = run_line(line, copy_site(site, tmp_path), openssl=judge("openssl"))
    assert (done.returncode, done.stdout) == (0, "Verified OK\n"), done.stderr


@pytest.mark.parametrize("change", LIST_CHANGED.values(), ids=LIST_CHANGED.keys())
def test_openssl_refuses_another_list(
    site: Path, tmp_path: Path, judge: Judge, change: Change
) -> None:
    (line,) = lines_of("openssl")
    done = run_line(line, copy_site(site, tmp_path, change), openssl=judge("openssl"))
    assert (done.returncode != 0, "Verified OK" in done.stdout) == (True, False)


def test_openssl_decodes_the_signature_as_the_page_says(site: Path, judge: Judge) -> None:
    """One line of base64 without a line end: ``openssl base64 -d -A`` is what reads that."""
    sig = site / "SHA256SUMS.sig"
    command: list[str | Path] = [judge("openssl"), "base64", "-d", "-A", "-in", sig]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == base64.b64decode(sig.read_bytes(), validate=True)


def test_key_of_a_signer_comes_out_of_the_root(site: Path, tmp_path: Path) -> None:
    copy = copy_site(site, tmp_path, lambda place: (place / "signer.pub").unlink())
    line = lines_of("Before you check: whose key")[-1]
    done = run_line(line, copy, python3=Path(sys.executable))
    assert done.returncode == 0, done.stderr
    assert (copy / "signer.pub").read_bytes() == (KEYS / "bob.pub").read_bytes()


def test_key_beside_the_kit_is_the_one_that_the_manifest_names(kit: Made) -> None:
    statement = json.loads(base64.b64decode(envelope_of(kit)["payload"]))
    pem = (kit.directory / "cosign.pub").read_text()
    assert pem == (KEYS / "sums.pub").read_text()
    assert "".join(pem.splitlines()[1:-1]) == statement["predicate"]["sumsKey"]


FILES_CHANGED: dict[str, tuple[Change, bool]] = {
    "as they are": (lambda site: None, True),
    "a changed file": (append_to("tools/bin/run"), False),
    "a missing file": (lambda site: (site / "tools" / "bin" / "run").unlink(), False),
    "a file too many, which the page warns of": (
        lambda site: (site / "verifier" / "json.py").write_bytes(b""),
        True,
    ),
}


@pytest.mark.parametrize(("change", "good"), FILES_CHANGED.values(), ids=FILES_CHANGED.keys())
@pytest.mark.parametrize("program", ["sha256sum", "busybox"])
def test_sha256sum_compares_the_files_that_the_list_names(
    kit: Made, tmp_path: Path, judge: Judge, change: Change, good: bool, program: str
) -> None:
    """The one of BusyBox knows no option but -c."""
    (line,) = lines_of("Then: the files")
    unpacked = copy_site(kit.directory / "unpacked", tmp_path, change)
    command = judge("sha256sum")
    if program == "busybox":
        command = tmp_path / "sha256sum"
        command.symlink_to(judge("busybox"))
    done = run_line(line, unpacked, sha256sum=command)
    assert (done.returncode == 0) == good, done.stderr


# --- libraries -----------------------------------------------------------------------------------


def test_securesystemslib_counts_the_same_signers(kit: Made, root: Root) -> None:
    accepted = Envelope.from_dict(envelope_of(kit)).verify(signers_of(root), 2)
    names = {key.unrecognized_fields["x-offline-kit-signer"] for key in accepted.values()}
    assert names == {"alice", "bob"}


def test_securesystemslib_refuses_a_third_signer_that_is_not_there(kit: Made, root: Root) -> None:
    with pytest.raises(VerificationError):
        Envelope.from_dict(envelope_of(kit)).verify(signers_of(root), 3)


def test_securesystemslib_refuses_another_payload(kit: Made, root: Root) -> None:
    value = envelope_of(kit)
    payload = base64.b64decode(value["payload"])
    value["payload"] = base64.b64encode(payload.replace(b'"demo"', b'"dema"')).decode()
    with pytest.raises(VerificationError):
        Envelope.from_dict(value).verify(signers_of(root), 1)


def test_python_tuf_reads_the_root_that_the_kit_carries(kit: Made) -> None:
    chain = (kit.directory / "unpacked" / "kit.roots.json").read_bytes()
    line, rest = chain.split(b"\n", 1)
    assert rest == b" " * len(rest)
    carried, pinned = (
        Metadata[Root].from_bytes(line),
        Metadata[Root].from_bytes(ROOT_FILE.read_bytes()),
    )
    assert carried.signed == pinned.signed
    carried.signed.verify_delegate("root", carried.signed_bytes, carried.signatures)


def test_the_page_is_an_in_toto_statement_about_the_sums(kit: Made) -> None:
    statement = json.loads(base64.b64decode(envelope_of(kit)["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == KIT_PREDICATE
    digests = {item["name"]: item["digest"] for item in statement["subject"]}
    digest = subprocess.run(
        ["sha256sum", kit.directory / "SHA256SUMS"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert digests["SHA256SUMS"] == {"sha256": digest}
