"""One side of a difference: a kit, its review pack, or the directory of a release."""

from __future__ import annotations

import os
from pathlib import Path

from kit.review.head import load_head
from verifier.core.errors import KitError
from verifier.core.names import quoted
from verifier.pack import is_pack
from verifier.show.diff import Compared
from verifier.source import kit_in


def sided(path: Path) -> tuple[str, Compared]:
    """Return the kit or review pack that a path means, and what its lists say.

    Of the kit only the head is read, and nobody vouches for it.

    Raises:
        KitError: It cannot be read, or is not as it must be; the message says which of the two.
    """
    called = quoted(os.fspath(path))
    try:
        place = path if is_pack(os.fspath(path)) else Path(kit_in(os.fspath(path)))
        made = compared(place)
    except KitError as error:
        if called not in error.where:
            error.where = f"{called}: {error.where}" if error.where else called
        raise
    return os.fspath(place), made


def compared(path: Path) -> Compared:
    """Prove the lists of a kit or of a review pack.

    Raises:
        KitError: It cannot be read, or is not as it must be.
    """
    head, index, _ = load_head(path)
    return Compared(head.manifest, index, head.kit_id, head.root)
