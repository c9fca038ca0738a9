"""One side of a difference: a kit, its review pack, or the directory of a release."""

from __future__ import annotations

import os
from pathlib import Path

from kit.review.head import load_head
from verifier.core.errors import KitError
from verifier.core.names import HEAD, quoted
from verifier.show.diff import Compared
from verifier.source import kit_in


def load_compared(path: Path) -> Compared:
    """Prove the lists of a kit; of the kit only the head is read, and nobody vouches for it.

    Raises:
        KitError: It cannot be read, or is not as it must be; the message says which of the two.
    """
    called = quoted(os.fspath(path))
    try:
        is_pack = path.is_dir() and (path / HEAD[2]).exists()
        place = path if is_pack else Path(kit_in(os.fspath(path)))
        head, index, _ = load_head(place)
    except KitError as error:
        if called not in error.where:
            error.where = f"{called}: {error.where}" if error.where else called
        raise
    return Compared(head.manifest, index, head.kit_id, head.root)
