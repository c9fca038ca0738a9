"""A signature that travels alone: made from a review pack, put into the kit later (FORMAT 14.3)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import CheckedAnother, check_same_root
from kit.container.output import new_file, partial_of
from kit.errors import OutputExists, show
from kit.review.errors import DetachedMalformed, DetachedTooLarge, DetachedUnreadable
from kit.review.head import Head, load_head
from kit.signing import KitSigner, SecretsHandler, load_signer
from runner.packing.head import write_parts
from verifier.core.envelope import pae
from verifier.core.errors import FormatNewer, KitError
from verifier.core.jsonstrict import NotStrict, compact, parse_base64, parse_compact
from verifier.core.manifest import HEX256
from verifier.core.model import KitId
from verifier.core.pipeline import Job, Opened
from verifier.core.signature import KEYID
from verifier.core.trust import Root
from verifier.run import default_workers, prove_file
from verifier.source import FileSource

SIGNATURE_TYPE = "offline-kit-signature/1"
MAX_FILE = 16 * 1024  # bytes; the largest signature a page takes has 8,192 (FORMAT 4.2)
_MEMBERS = {"keyid", "kitId", "sig", "type"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SHORT = 8  # digits that tell the keys of one signer apart in a file name


@dataclass(frozen=True)
class Detached:
    """One signature over one kit."""

    kit_id: KitId
    keyid: str
    signature: bytes


@dataclass(frozen=True)
class SignedAway:
    """What a signer has made far from the kit.

    Attributes:
        files: The files, in the order of the keys.
        signers: Whose they are.
        read: ``pack``: all but the contents; ``members``: the whole kit; ``page``: nothing, since
            the signer has named a kitId that was verified before.
        reviewed: Whether the signer named this kitId.
    """

    head: Head
    files: tuple[Path, ...]
    signers: tuple[str, ...]
    read: str
    reviewed: bool


def encode_detached(detached: Detached) -> bytes:
    """Return the bytes of a file of a detached signature."""
    value = {
        "keyid": detached.keyid,
        "kitId": detached.kit_id,
        "sig": base64.b64encode(detached.signature).decode("ascii"),
        "type": SIGNATURE_TYPE,
    }
    return compact(value) + b"\n"


def parse_detached(data: bytes, where: str) -> Detached:
    """Return the signature in a file; the white space around it does not matter.

    Raises:
        DetachedMalformed: It is not one.
        FormatNewer: It is one of a later version.
    """
    try:
        value = parse_compact(data.strip(b" \t\r\n"))
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            raise NotStrict("not a JSON object with a type")
        kind = value["type"]
        if kind != SIGNATURE_TYPE and kind.startswith(SIGNATURE_TYPE.rpartition("/")[0] + "/"):
            raise FormatNewer(f"the type is {kind[:64]!r}, not {SIGNATURE_TYPE!r}", where=where)
        if kind != SIGNATURE_TYPE or set(value) != _MEMBERS:
            raise NotStrict(f"not exactly {', '.join(sorted(_MEMBERS))}, or of another type")
        return Detached(
            KitId(_text(value, "kitId", HEX256)), _text(value, "keyid", KEYID), _signature(value)
        )
    except NotStrict as reason:
        raise DetachedMalformed(str(reason), where=where) from None


def _text(value: dict[str, object], name: str, pattern: re.Pattern[str]) -> str:
    text = value[name]
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise NotStrict(f"{name} is not of the form it should have")
    return text


def _signature(value: dict[str, object]) -> bytes:
    data = parse_base64(value["sig"], "sig")
    if not 1 <= len(data) <= 8192:
        raise NotStrict("sig is empty or too long")
    return data


def load_detached(path: Path) -> Detached:
    """Return the signature in a file.

    Raises:
        DetachedUnreadable: It cannot be read.
        DetachedTooLarge: It is no such file; nothing of it was read.
        DetachedMalformed: It is no such file.
    """
    try:
        source = FileSource(os.fspath(path))
    except KitError as error:
        raise DetachedUnreadable(error.message, where=show(path)) from None
    try:
        size = source.size or 0
        if size > MAX_FILE:
            raise DetachedTooLarge(f"has {size} bytes, and may have {MAX_FILE}", where=show(path))
        data = bytearray(size)
        source.read_into(0, [memoryview(data)])
    except DetachedTooLarge:
        raise
    except KitError as error:
        raise DetachedUnreadable(error.message, where=show(path)) from None
    finally:
        source.close()
    return parse_detached(bytes(data), show(path))


def detached_name(head: Head, signer: KitSigner) -> str:
    """Return ``NAME-VERSION.SIGNER.sig``, which every host can write.

    The key is told apart by some digits where a name would not do: a signer with several keys, or
    one whose name has other characters than ``A-Z a-z 0-9 _ -``.
    """
    info, keys = head.manifest.kit, head.root.targets.keys.values()
    label = signer.signer
    short = hashlib.sha256(signer.keyid.encode("utf-8")).hexdigest()[:_SHORT]
    if not _NAME.fullmatch(label):
        label = re.sub(r"[^A-Za-z0-9_-]", "_", label) + f"-{short}"
    elif sum(key.signer == signer.signer for key in keys) > 1:
        label += f"-{short}"
    return f"{info.name}-{info.version}.{label}.sig"


def sign_detached(
    path: Path,
    keys: Sequence[str],
    *,
    out: Path | None = None,
    root: Root | None = None,
    checked: str = "",
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
    secrets: SecretsHandler | None = None,
) -> SignedAway:
    """Sign a kit without touching it, from its review pack or from the kit itself.

    A pack is checked first, as `review` does, and what is signed is the page that was checked, not
    one read again.  A kit is verified first, as `sign` does.

    Args:
        path: A review pack, or a kit.
        keys: ``SIGNER=URI`` or a key file, under the root the kit was built with.
        out: The directory for the files; the one that ``path`` is in if not given.
        root: The root the signer expects; None takes the kit's.
        checked: kitId that this signer has reviewed or verified; of a kit nothing more is read.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        CheckedAnother: ``checked`` is not the kitId of this one.
        OutputExists: One of the files is there and is not the same.
        KitError: The pack, the kit, a key or the disk is at fault; nothing was written.
    """
    head, read = _first_check(path, checked, workers, progress)
    check_same_root(head.root, root)
    signers = [load_signer(key, head.root.targets.keys, secrets=secrets) for key in keys]
    signers = list({signer.keyid: signer for signer in signers}.values())
    directory = _beside(path) if out is None else out
    made = {
        directory / detached_name(head, signer): Detached(
            head.kit_id, signer.keyid, signer.sign(pae(head.envelope.payload))
        )
        for signer in signers
    }
    for file, detached in made.items():
        _write(file, encode_detached(detached))
    names = tuple(sorted({signer.signer for signer in signers}))
    return SignedAway(head, tuple(made), names, read, bool(checked))


def _beside(path: Path) -> Path:
    """Return the directory that a path is in; that of ``.`` or ``..`` is not in their text."""
    return path.parent if path.name not in ("", "..") else path.absolute().resolve().parent


def _first_check(
    path: Path, checked: str, workers: int, progress: Callable[[int, int], None] | None
) -> tuple[Head, str]:
    """Check what can be checked before anything is signed; say how far that was."""
    head = load_head(path)[0]
    read = "pack" if path.is_dir() else "page" if checked else "members"
    if checked and checked != head.kit_id:
        raise CheckedAnother(f"this kit is {head.kit_id}", where=show(path))
    if read == "members":
        job = Job(kit_id=head.kit_id, workers=workers or default_workers(), progress=progress)
        prove_file(os.fspath(path), job, Opened())
    return head, read


def _write(path: Path, data: bytes) -> None:
    """Write a new file; one with the same bytes is as good."""
    try:
        with new_file(path) as descriptor:
            write_parts(descriptor, [data], 0)
    except OutputExists:
        if not _has(path, data):
            raise
        with contextlib.suppress(OSError):
            partial_of(path).unlink()  # a run was killed between giving the name and ending


def _has(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False
