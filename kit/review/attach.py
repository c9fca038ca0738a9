"""Puts detached signatures into a kit: all of them or none, and each only if it is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import KitSealed, check_same_root, read_head, sealed_marker
from kit.container.page import locked, replace_page
from kit.errors import show
from kit.review.detached import Detached, load_detached
from kit.review.errors import (
    DetachedForeign,
    DetachedInvalid,
    DetachedKeyUnknown,
    DetachedTwice,
    PageFull,
)
from verifier.core.envelope import Envelope, check_threshold, encode_page, evaluate, parse_page
from verifier.core.model import KitId
from verifier.core.pipeline import kit_id_of
from verifier.core.trust import Root


@dataclass(frozen=True)
class Attached:
    """What a kit has got.

    Attributes:
        added: Signers of the signatures that were written.
        already: Signers who had signed with the same key before; nothing was written for them.
        written: Bytes changed in the file.
    """

    kit_id: KitId
    added: tuple[str, ...]
    already: tuple[str, ...]
    written: int


def attach(
    path: Path, files: Sequence[Path], *, root: Root | None = None, reopen: bool = False
) -> Attached:
    """Write the signatures in ``files`` into the page of a kit, if all of them are good.

    They must be enough, with those that the page has, for the threshold of the kit's root: this is
    the step before sealing.  Doing it again changes nothing.  The contents of the kit are not
    read; `kit.seal.seal` does that.

    Args:
        root: The root the releaser expects; None takes the kit's.
        reopen: Attach although the kit is sealed; the seal is removed.

    Raises:
        DetachedTwice: Two files are by one key.
        DetachedForeign: One is over another kit.
        DetachedKeyUnknown: One is by a key that the kit's root does not name.
        DetachedInvalid: One is wrong.
        ThresholdNotMet: There would still be too few.
        KitSealed: The kit is sealed, and one would be added.
        KitError: A file, the kit or the disk is at fault; the kit is as it was.
    """
    found = [(file, load_detached(file)) for file in files]
    marker = sealed_marker(path)
    with locked(path) as descriptor:
        page, kit_root = read_head(path)
        check_same_root(kit_root, root)
        envelope = parse_page(page)
        _check(found, envelope, kit_root)
        before = evaluate(envelope, kit_root.targets)
        new = {d.keyid: d.signature for _, d in found if d.keyid not in before.valid}
        together = Envelope(envelope.payload, {**envelope.signatures, **new})
        after = evaluate(together, kit_root.targets)
        check_threshold(after, kit_root.targets)
        written = 0
        if new:
            if marker.exists() and not reopen:
                raise KitSealed(f"{show(marker)} is there", where=show(path))
            page = _page(together, len(page))
            marker.unlink(missing_ok=True)
            written = replace_page(descriptor, path, page)
    signer_of = {d.keyid: after.valid[d.keyid] for _, d in found}
    return Attached(
        kit_id_of(envelope),
        tuple(sorted({signer_of[keyid] for keyid in new})),
        tuple(sorted({name for keyid, name in signer_of.items() if keyid not in new})),
        written,
    )


def _check(found: Sequence[tuple[Path, Detached]], envelope: Envelope, root: Root) -> None:
    """Hold each signature to the kit before anything is changed."""
    kit_id, by_key = kit_id_of(envelope), dict[str, Path]()
    for path, detached in found:
        where = show(path)
        if detached.kit_id != kit_id:
            raise DetachedForeign(f"it is over {detached.kit_id}, not {kit_id}", where=where)
        if detached.keyid not in root.targets.keys:
            raise DetachedKeyUnknown(
                f"the key {detached.keyid!r} is not in root version {root.version}", where=where
            )
        alone = Envelope(envelope.payload, {detached.keyid: detached.signature})
        judged = evaluate(alone, root.targets)
        if scheme := judged.not_evaluated.get(detached.keyid):
            raise DetachedInvalid(f"the scheme {scheme!r} cannot be checked here", where=where)
        if detached.keyid not in judged.valid:
            signer = root.targets.keys[detached.keyid].signer
            raise DetachedInvalid(f"it is not valid under the key of {signer!r}", where=where)
        if other := by_key.get(detached.keyid):
            raise DetachedTwice(f"and {show(other)} are by one key", where=where)
        by_key[detached.keyid] = path


def _page(envelope: Envelope, size: int) -> bytes:
    try:
        return encode_page(envelope, size)
    except ValueError as reason:
        raise PageFull(str(reason), where="kit.dsse.json") from None
