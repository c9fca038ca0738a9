"""An SSH signature over SHA256SUMS of a kit, left beside it for ``seal`` to take over.

Signing and keeping are two steps: whoever signs proves the kit in between, and a signature of a kit
that turns out to be damaged never reaches a disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import sealed_marker
from kit.container.output import replace_file
from kit.errors import OutputExists, show
from kit.stock import sshsig
from kit.stock.beside import read_beside
from kit.stock.outputs import SUMS_SSHSIG
from verifier.core.container import Container
from verifier.core.envelope import parse_page
from verifier.core.errors import DigestMismatch
from verifier.core.model import KitId
from verifier.core.pipeline import Job, Opened, kit_id_of
from verifier.run import prove_file
from verifier.source import FileSource


@dataclass(frozen=True)
class SshSums:
    """An SSH signature that nobody has kept yet.

    Attributes:
        kit_id: The kit whose SHA256SUMS it is over.
        fingerprint: What ``ssh-keygen -l`` calls the key.
    """

    kit_id: KitId
    signature: bytes
    fingerprint: str


def sign_sums(kit: Path, key: Path) -> SshSums:
    """Sign SHA256SUMS, as the kit's own page and index give it; writes nothing.

    Raises:
        KitError: The kit does not begin as a kit does, or ssh-keygen refuses the key.
        OutputExists: Another signature lies beside the kit.
    """
    source = FileSource(os.fspath(kit))
    try:
        kit_id = kit_id_of(parse_page(Container(source).read_page()[512:]))
    finally:
        source.close()
    opened = Opened()
    prove_file(os.fspath(kit), Job(kit_id=kit_id, stop_after="index"), opened)
    assert opened.index is not None
    sums = b"".join(opened.index.sums())
    signature = sshsig.sign(key, sums)
    _check_free(kit, signature)
    return SshSums(kit_id, signature, sshsig.fingerprint(sshsig.check(signature, sums)))


def keep_sums(kit: Path, made: SshSums, proved: KitId) -> Path:
    """Write the signature beside the kit that has been proved since; return where.

    A seal goes: it does not name this file.

    Raises:
        DigestMismatch: Another kit was proved: the file was replaced meanwhile.
        OutputExists: Another signature lies there.
        OutputUnwritable: The host refuses.
    """
    if made.kit_id != proved:
        raise DigestMismatch("is not the kit that --ssh-key has signed", where=show(kit))
    _check_free(kit, made.signature)
    path = kit.with_name(SUMS_SSHSIG)
    sealed_marker(kit).unlink(missing_ok=True)
    replace_file(path, made.signature)
    return path


def _check_free(kit: Path, signature: bytes) -> None:
    path = kit.with_name(SUMS_SSHSIG)
    if os.path.lexists(path) and read_beside(kit, SUMS_SSHSIG) != signature:
        raise OutputExists("is there already, by another key or of another kit", where=show(path))
