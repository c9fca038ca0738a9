"""A small file of this host, read whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from kit.errors import show
from verifier.core.errors import KitError


def read_small(path: Path, limit: int, refusal: type[KitError], where: str) -> bytes:
    """Return the contents of a file; a FIFO in its place is not waited for.

    Args:
        limit: Bytes that it may have.
        refusal: What is raised, with the file's name, where it cannot be read or is larger.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise refusal(f"{show(path)}: {why}", where=where) from None
    if len(data) > limit:
        raise refusal(f"{path.name} has more than {limit} bytes", where=where)
    return data
