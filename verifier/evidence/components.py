"""The digest of a component, by which a Statement can name it (FORMAT 11.2).

It is over lines of the proved index, so nothing of the component is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from verifier.core.lists import DATA, Index
from verifier.core.model import Component

COMPONENT_HEAD = b"offline-kit-component/1\n"
_RUN = 8192  # members written at once


def component_list(index: Index, component: Component) -> Iterator[bytes]:
    """Yield the text that the digest of a component is over, in pieces.

    Args:
        index: The proved index of the kit.
        component: One of its manifest.
    """
    yield COMPONENT_HEAD
    runs, base = _members(index, component)
    for run in runs:
        for first in range(run.start, run.stop, _RUN):
            last = min(first + _RUN, run.stop)
            yield index.lines(DATA, first, last, without=len(base))


def component_digest(index: Index, component: Component) -> str:
    """Return the SHA-256 of `component_list`, in hexadecimal digits."""
    state = hashlib.sha256()
    for text in component_list(index, component):
        state.update(text)
    return state.hexdigest()


def members_of(index: Index, component: Component) -> list[range]:
    """Return the members of a component, in the order of the index."""
    return _members(index, component)[0]


def base_of(index: Index, component: Component) -> bytes:
    """Return what the paths of a component are relative to: empty, or a directory with its /."""
    return _members(index, component)[1]


def _members(index: Index, component: Component) -> tuple[list[range], bytes]:
    """Return the members of a component, and what all its places have in common, with a /."""
    found: list[range] = []
    common: list[bytes] | None = None
    for path in (text.encode("utf-8") for text in component.paths):
        runs = index.below(path)
        found += runs
        parts = path.split(b"/")
        if any(index.paths(run.start, run.start + 1) == [path] for run in runs):
            parts.pop()  # a member counts with the directory that it is in
        if common is None:
            common = parts
        same = [one == other for one, other in zip(common, parts)] + [False]
        del common[same.index(False) :]
    base = b"".join(part + b"/" for part in common or ())
    return sorted(found, key=lambda run: run.start), base
