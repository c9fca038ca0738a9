"""One side of a difference: a kit, its review pack, or the directory of a release."""

from __future__ import annotations

import os
from pathlib import Path

from kit.review.head import Head, index_lines, load_head
from verifier.core.errors import KitError
from verifier.core.lists import Index
from verifier.core.names import quoted
from verifier.pack import is_pack
from verifier.show.diff import Compared
from verifier.source import kit_in


def sided(path: Path) -> tuple[str, Compared]:
    """Return the kit or review pack that a path means, and what its lists say.

    Raises:
        KitError: See `looked_at`.
    """
    head, _ = looked_at(path)
    return os.fspath(head.path), as_compared(head)


def looked_at(path: Path) -> tuple[Head, Index]:
    """Return the head and the index of the kit or review pack that a path means.

    Of the kit only the head is read, and nobody vouches for it.

    Raises:
        KitError: It cannot be read, or is not as it must be; the message says which path it is.
    """
    called = quoted(os.fspath(path))
    try:
        place = path if is_pack(os.fspath(path)) else Path(kit_in(os.fspath(path)))
        head, index, _ = load_head(place)
    except KitError as error:
        if called not in error.where:
            error.where = f"{called}: {error.where}" if error.where else called
        raise
    return head, index


def compared(path: Path) -> Compared:
    """Prove the lists of a kit or of a review pack.

    Raises:
        KitError: It cannot be read, or is not as it must be.
    """
    return as_compared(load_head(path)[0])


def as_compared(head: Head) -> Compared:
    """Return a head as one side; its index is read again, and not held."""
    return Compared(head.manifest, lambda: index_lines(head), head.kit_id, head.chain)
