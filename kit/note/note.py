"""The two numbers of first contact, and what a release note says beside them.

A number on paper is believed for years, so none is given of a kit that is not sealed, does not
verify, or does not lie there with the files that were sealed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.container.head import check_same_root, read_head, sealed_marker
from kit.container.pyz import verifier_tool
from kit.errors import show
from kit.sources.walk import LOCK_PATH
from verifier.core import limits
from verifier.core.errors import KitError, KitUnreadable, Rejected, RootInvalid, Usage
from verifier.core.model import KitInfo
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root, parse_chain, parse_root
from verifier.run import default_workers, prove_file
from verifier.source import FileSource

VERIFIER = "kit-verify.pyz"
ROOT = "root.json"
_DIGEST = re.compile("[0-9a-f]{64}")
MAX_MARKER = 1024 * 1024  # bytes of NAME-VERSION.sealed.json; it has a line for each output


class KitNotSealed(Usage):
    """The kit is not sealed, so its signatures and its file digest may still change."""

    code = "kit-not-sealed"
    fix = "Run `offline-kit seal KIT` first; it writes NAME-VERSION.sealed.json beside the kit."


class ReleaseDiffers(Rejected):
    """The kit, or a file beside it, is not what was sealed.

    It was changed, replaced or removed after `seal` had written NAME-VERSION.sealed.json.
    """

    code = "release-differs"
    fix = "Copy the release again from where it was sealed, or seal the kit again."


class ReleaseRootMissing(Usage):
    """There is no root.json beside the kit, and none was given.

    The second number of first contact is that of the file which a new site pins, so the file has
    to be there.
    """

    code = "release-root-missing"
    fix = "Run `offline-kit seal KIT` again: it puts root.json beside the kit."


@dataclass(frozen=True)
class ReleaseNote:
    """What a publisher tells its sites about a release.

    Attributes:
        verifier: SHA-256 of ``kit-verify.pyz``: the first number.
        root: SHA-256 of the file ``root.json`` that a new site pins: the second number.
        root_version: The version of that root: the newest of the kit's chain.
        held: That root itself.
        lock: SHA-256 of the ``kit.lock`` that the kit carries; empty if it was built of none.
        file_digest: SHA-256 of the kit; for transport only.
    """

    kit: KitInfo
    kit_id: str
    content_id: str
    file_name: str
    file_size: int
    file_digest: str
    verifier: str
    root: str
    root_version: int
    held: Root
    signers: tuple[str, ...]
    threshold: int
    lock: str = ""

    @property
    def sums(self) -> str:
        """The two numbers as ``sha256sum`` writes them, and ``sha256sum -c`` reads them."""
        return f"{self.verifier}  {VERIFIER}\n{self.root}  {ROOT}\n"


def sealed_digest(path: Path) -> str:
    """Return the SHA-256 of a kit as its seal states it; nobody has compared it yet.

    Raises:
        KitNotSealed: The kit is not sealed.
        ReleaseDiffers: The seal is not what `seal` writes.
    """
    if not os.path.lexists(path):
        raise KitUnreadable("is not there", where=show(path), fix="Check the path.")
    digest: str = _read_marker(sealed_marker(path))["file"]["sha256"]
    return digest


def release_note(
    path: Path,
    *,
    root_file: Path | None = None,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
    hashed: bool = True,
) -> ReleaseNote:
    """Prove a sealed kit in full, compare everything that was sealed with it, and note it.

    Args:
        root_file: The ``root.json`` that sites pin; the one beside the kit if not given.
        hashed: False: the caller holds the file itself to `file_digest`, as it was sealed.

    Raises:
        KitNotSealed: The kit is not sealed.
        ReleaseDiffers: It, or a file beside it, is not what was sealed.
        NoTwoRoots: The root is not the newest of the kit's chain.
        KitError: The kit does not verify, or a file cannot be read.
    """
    if not os.path.lexists(path):
        raise KitUnreadable("is not there", where=show(path), fix="Check the path.")
    marker = _read_marker(sealed_marker(path))
    data, root = _read_root(root_file, path)
    if root_file is not None:
        check_same_root(read_head(path)[1], root)
    opened = Opened()
    job = Job(root=root, workers=workers or default_workers(), progress=progress)
    prove_file(os.fspath(path), job, opened)
    assert opened.manifest is not None
    assert opened.index is not None
    assert opened.signing is not None
    check_same_root(parse_chain(opened.roots[512:])[-1], root)
    file = _file_digest(path) if hashed else marker["file"]["sha256"]
    outputs = marker["outputs"]
    verifier = opened.index.digest(verifier_tool(opened.index)).hex()
    lock = opened.index.find(LOCK_PATH)
    _compare(path, marker["kitId"], str(opened.kit_id), "kitId")
    _compare(path, marker["file"]["sha256"], file, "SHA-256")
    _compare(path, outputs.get(VERIFIER), verifier, f"SHA-256 of {VERIFIER}")
    for name, digest in sorted(outputs.items()):
        beside = path.with_name(name)
        _compare(beside, digest, _file_digest(beside), "SHA-256")
    return ReleaseNote(
        kit=opened.manifest.kit,
        kit_id=str(opened.kit_id),
        content_id=str(opened.content_id),
        file_name=path.name,
        file_size=path.stat().st_size,
        file_digest=file,
        verifier=verifier,
        root=hashlib.sha256(data).hexdigest(),
        root_version=root.version,
        held=root,
        signers=tuple(opened.signing.signers),
        threshold=root.targets.threshold,
        lock=opened.index.digest(lock).hex() if lock is not None else "",
    )


def _read_marker(path: Path) -> Mapping[str, Any]:
    """Return what was sealed; only the parts that are compared are looked at."""
    if not os.path.lexists(path):
        raise KitNotSealed(f"{show(path)} is not there")
    try:
        value = json.loads(_read(path, MAX_MARKER))
        good = (
            isinstance(value["kitId"], str)
            and isinstance(value["file"]["sha256"], str)
            and _DIGEST.fullmatch(value["file"]["sha256"])
            and all(isinstance(digest, str) for digest in value["outputs"].values())
            and all(name == os.path.basename(name) and name for name in value["outputs"])
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        good = False
    if not good:
        raise ReleaseDiffers("is not what `seal` writes", where=show(path))
    marked: Mapping[str, Any] = value
    return marked


def _read_root(root_file: Path | None, kit: Path) -> tuple[bytes, Root]:
    """Return the file that sites pin and the root in it, of one reading."""
    path = root_file if root_file is not None else kit.with_name(ROOT)
    if root_file is None and not os.path.lexists(path):
        raise ReleaseRootMissing(f"{show(path)} is not there")
    try:
        data = _read(path, limits.MAX_ROOT)
        return data, parse_root(data)
    except KitError as error:
        raise RootInvalid(error.message, where=show(path)) from None


def _read(path: Path, most: int) -> bytes:
    source = FileSource(os.fspath(path))
    try:
        data = bytearray(min(source.size or 0, most + 1))
        source.read_into(0, [memoryview(data)])
        return bytes(data)
    finally:
        source.close()


def _file_digest(path: Path) -> str:
    if not os.path.lexists(path):
        raise ReleaseDiffers("is not there", where=show(path))
    source = FileSource(os.fspath(path))
    try:
        state, size, at = hashlib.sha256(), source.size or 0, 0
        buffer = memoryview(bytearray(limits.MIB))
        while at < size:
            piece = buffer[: min(len(buffer), size - at)]
            source.read_into(at, [piece])
            state.update(piece)
            at += len(piece)
        source.check_unchanged()
        return state.hexdigest()
    finally:
        source.close()


def _compare(path: Path, sealed: str | None, now: str, what: str) -> None:
    if sealed != now:
        raise ReleaseDiffers(f"its {what} is {now}, and {sealed!r} was sealed", where=show(path))
