"""Signs a kit in place, after proving that it is what its page says."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import CheckedAnother, KitSealed, check_same_root, read_head, sealed_marker
from kit.container.page import locked, replace_page, sign_page
from kit.errors import show
from kit.signing import SecretsHandler, load_signer
from verifier.core.envelope import evaluate, parse_page
from verifier.core.model import KitId, KitInfo
from verifier.core.pipeline import Job, Opened, kit_id_of
from verifier.core.trust import Role, Root
from verifier.run import default_workers, prove_file


@dataclass(frozen=True)
class SignedKit:
    """What a kit has now.

    Attributes:
        added: Signers whose signature was written by this run.
        already: Signers who had signed before; nothing was written for them.
        signers: All signers now, each once.
        role: The kit signers of the kit's root.
        written: Bytes changed in the file.
    """

    kit: KitInfo
    kit_id: KitId
    added: tuple[str, ...]
    already: tuple[str, ...]
    signers: tuple[str, ...]
    role: Role
    written: int

    @property
    def threshold(self) -> int:
        """How many signers the kit's root wants."""
        return self.role.threshold


def sign(
    path: Path,
    keys: Sequence[str],
    *,
    root: Root | None = None,
    checked: str = "",
    reopen: bool = False,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
    secrets: SecretsHandler | None = None,
) -> SignedKit:
    """Add signers to a kit in place.

    Unless ``checked`` names this very kit, every frame and member is verified first: who signs
    says that the kit decodes to its index.

    Args:
        keys: ``SIGNER=URI`` or a key file, under the root the kit was built with.
        root: The root the signer expects; None takes the kit's.
        checked: kitId of a kit that this signer has verified already.
        reopen: Sign although the kit is sealed; the seal is removed.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        KitError: The kit, a key or the disk is at fault; the kit is as it was.
    """
    marker = sealed_marker(path)
    with locked(path) as descriptor:
        if marker.exists() and not reopen:
            raise KitSealed(f"{show(marker)} is there", where=show(path))
        page, kit_root = read_head(path)
        check_same_root(kit_root, root)
        envelope = parse_page(page)
        kit_id = kit_id_of(envelope)
        signers = [load_signer(key, kit_root.targets.keys, secrets=secrets) for key in keys]
        if checked and checked != kit_id:
            raise CheckedAnother(f"this kit is {kit_id}", where=show(path))
        job = Job(
            kit_id=kit_id,
            workers=workers or default_workers(),
            progress=progress,
            stop_after="page" if checked else "members",
        )
        opened = Opened()
        prove_file(os.fspath(path), job, opened)
        assert opened.manifest is not None
        valid = evaluate(envelope, kit_root.targets).valid
        new = [signer for signer in signers if signer.keyid not in valid]
        written = 0
        if new:
            page = sign_page(envelope.payload, envelope.signatures, new, len(page))
            marker.unlink(missing_ok=True)
            written = replace_page(descriptor, path, page)
        now = evaluate(parse_page(page), kit_root.targets)
    return SignedKit(
        kit=opened.manifest.kit,
        kit_id=kit_id,
        added=tuple(sorted({signer.signer for signer in new})),
        already=tuple(sorted({s.signer for s in signers if s.keyid in valid})),
        signers=tuple(now.signers),
        role=kit_root.targets,
        written=written,
    )
