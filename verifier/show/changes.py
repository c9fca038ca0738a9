"""Which members two kits do not have in common, found by reading both indexes side by side.

Both are sorted, so the work is linear, and the memory does not grow with the members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from verifier.core.lists import CLASSES, INDEX_HEAD, Index
from verifier.core.model import Component

_RANK = {name: rank for rank, name in enumerate(CLASSES)}

Side = tuple[bytes, bytes, bytes]
"""Digest, size and mode of a member."""


def lines_of(index: Index) -> Iterator[list[bytes]]:
    """Yield the lines of an index, some thousands at once, as `changed_members` takes them."""
    yield [INDEX_HEAD[:-1]]
    for rank, first, last in index.runs():
        yield index.lines(rank, first, last).split(b"\n")[:-1]


def changed_members(
    old: Iterable[list[bytes]], new: Iterable[list[bytes]]
) -> Iterator[tuple[bytes, bytes, Side | None, Side | None]]:
    """Yield class, path, old and new side of each member that is not the same in two indexes.

    Args:
        old: Lines of an index in its order, without LF, in lists of any length.
        new: The same.
    """
    before, after = _members(old), _members(new)
    one, other = next(before, None), next(after, None)
    while one is not None or other is not None:
        if one == other:
            one, other = next(before, None), next(after, None)
            continue
        key_one, key_other = _key(one), _key(other)
        if key_one == key_other:
            assert one is not None
            assert other is not None
            yield key_one[1], key_one[2], _side(one), _side(other)
            one, other = next(before, None), next(after, None)
        elif key_one < key_other:
            assert one is not None
            yield key_one[1], key_one[2], _side(one), None
            one = next(before, None)
        else:
            assert other is not None
            yield key_other[1], key_other[2], None, _side(other)
            other = next(after, None)


def _members(lines: Iterable[list[bytes]]) -> Iterator[bytes]:
    members = chain.from_iterable(lines)
    next(members, None)  # the version of the list
    return members


def _key(line: bytes | None) -> tuple[int, bytes, bytes]:
    """Return the place of a line in any index; the end is behind every line."""
    if line is None:
        return len(CLASSES), b"", b""
    _, _, kind, _, path = line.split(b" ", 4)
    return _RANK[kind], kind, path


def _side(line: bytes) -> Side:
    digest, size, _, mode, _ = line.split(b" ", 4)
    return digest, size, mode


def owners(components: Iterable[Component]) -> dict[bytes, str]:
    """Return the component of each path that a manifest names."""
    return {path.encode("utf-8"): item.id for item in components for path in item.paths}


def owner_of(path: bytes, known: dict[bytes, str]) -> str:
    """Return the component that a member lies at or below; empty if there is none.

    No two of them nest (FORMAT 9.5).
    """
    while path:
        if path in known:
            return known[path]
        path = path.rpartition(b"/")[0]
    return ""
