"""Merkle trees of logs: from an entry up to the root (RFC 6962 2.1; RFC 9162 2.1.3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

MAX_HASHES = 64  # a tree of 2^63 entries needs 63


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof leads to; None if it is too short, too long or out of the tree.

    Args:
        leaf: The hash of the entry.
        index: Its place, from 0.
        size: Entries of the tree.
        path: Hashes of the other side, from below.
    """
    if not 0 <= index < size:
        return None
    at, last, value = index, size - 1, leaf
    for other in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            value = _node(other, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = _node(value, other)
        at, last = at >> 1, last >> 1
    return value if last == 0 else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
