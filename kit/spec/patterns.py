"""Patterns of a spec: which files of a tree are meant, and which are left out.

`*` is any run of characters, `?` one, `[abc]`, `[a-z]` and `[!a]` one of a set; nothing is special
about a leading dot, and case always counts: the same pattern means the same files on every host.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

_WILD = re.compile(r"[*?\[]")
_ANY = "**"  # as a whole component: any number of directories, none included

Match = Callable[[str], object]


def _compiled(pattern: str) -> Match:
    return re.compile(fnmatch.translate(pattern)).match


class Exclude:
    """The `exclude` of a source.

    Each pattern is held against the path relative to the source (there `*` matches `/` too) and
    against the last name alone.  One that ends in `/` leaves out directories only, with all below
    them; any other leaves out files and directories.  What is left out is not looked at, so a link
    or an unreadable directory can be excluded.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._any = [_compiled(pattern) for pattern in patterns if not pattern.endswith("/")]
        self._directories = [
            _compiled(pattern.rstrip("/")) for pattern in patterns if pattern.endswith("/")
        ]

    def __bool__(self) -> bool:
        return bool(self._any or self._directories)

    def __call__(self, path: str, *, directory: bool) -> bool:
        """Whether ``path``, relative to the source, is left out."""
        name = path.rpartition("/")[2]
        matches = self._any + self._directories if directory else self._any
        return any(match(path) or match(name) for match in matches)


class Glob:
    """The `glob` of a source: a fixed directory and what is meant below it.

    Wildcards match within one component; a component `**` stands for any number of directories,
    and as the last one for everything below.

    Attributes:
        fixed: The components before the first one with a wildcard; files land relative to it.

    Raises:
        ValueError: The pattern has no wildcard, or has `**`, `.` or `..` where it means nothing.
    """

    def __init__(self, pattern: str) -> None:
        parts = [part for part in pattern.split("/") if part not in {"", "."}]
        wild = [index for index, part in enumerate(parts) if _WILD.search(part)]
        if not wild:
            raise ValueError("has no wildcard: such a source is a `file` or a `dir`")
        self.fixed, parts = parts[: wild[0]], parts[wild[0] :]
        if ".." in parts:
            raise ValueError("has a '..' behind a wildcard")
        if any(_ANY in part and part != _ANY for part in parts):
            raise ValueError("has ** inside a component: only a whole component can be **")
        self._parts: list[Match | None] = [
            None if part == _ANY else _compiled(part) for part in parts
        ]

    def start(self) -> frozenset[int]:
        """Return the state at the fixed directory: the parts that may match next."""
        return self._close({0})

    def enter(self, state: frozenset[int], name: str) -> frozenset[int]:
        """Return the state inside directory ``name``; empty if nothing below it can match."""
        return self._close(self._step(state, name))

    def takes(self, state: frozenset[int], name: str) -> bool:
        """Whether a file ``name`` in a directory with ``state`` is meant."""
        last = len(self._parts) - 1
        return any(
            index == last and (match is None or match(name) is not None)
            for index, match in ((index, self._parts[index]) for index in state)
        )

    def _step(self, state: frozenset[int], name: str) -> set[int]:
        after = set()
        for index in state:
            match = self._parts[index]
            if match is None:
                after.add(index)
            elif match(name):
                after.add(index + 1)
        return after

    def _close(self, state: set[int]) -> frozenset[int]:
        """Add what `**` reaches by standing for no directory; drop what is past the pattern."""
        closed = set()
        for index in state:
            while index < len(self._parts):
                closed.add(index)
                if self._parts[index] is not None:
                    break
                index += 1
        return frozenset(closed)
