"""What a build says of its sources beside what it carries: nothing is left out or lost unsaid."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kit.errors import show

_SHOWN = 5  # names in one note; the rest is counted
_SPECIAL = stat.S_ISUID | stat.S_ISGID


@dataclass
class Notes:
    """Gathered while sources are looked at and read; paths are as the spec names them.

    Attributes:
        devices: For each file system, whether its inode numbers and times are the same at each
            look.
        made_up: A file on each of those where they are not.
        left_out: For each source with `exclude`, what it left out, relative to it.
        histories: Directories called ``.git``.
        dropped: Empty directories that the spec says may be dropped, in the kit.
        private: Files that not everybody may read here, and may at the site.
        special: Files whose set-user-ID or set-group-ID bit does not arrive.
        leading_out: Links of packed trees that lead out of them.
        capable: Files whose capabilities do not arrive.
        without_locks: Whether the file system of the output has no locks.
    """

    devices: dict[int, bool] = field(default_factory=dict)
    made_up: list[bytes] = field(default_factory=list)
    left_out: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    histories: list[bytes] = field(default_factory=list)
    dropped: list[bytes] = field(default_factory=list)
    private: list[bytes] = field(default_factory=list)
    special: list[bytes] = field(default_factory=list)
    leading_out: list[bytes] = field(default_factory=list)
    capable: list[bytes] = field(default_factory=list)
    without_locks: bool = False

    def sentences(self) -> Iterator[str]:
        """Yield what there is to say, for people."""
        for source, paths in sorted(self.left_out):
            yield f"left out of {show(source)}: {_listed(paths)}"
        if self.histories:
            yield f"the kit carries the history of a repository: {_listed(self.histories)}"
        if self.dropped:
            yield f"empty, and does not arrive: {_listed(self.dropped)}"
        if self.private:
            yield (
                "not readable by everybody here, and readable by everybody at the site: "
                f"{_listed(self.private)}"
            )
        if self.special:
            yield f"the set-user-ID or set-group-ID bit does not arrive: {_listed(self.special)}"
        if self.leading_out:
            yield f"links that lead out of their packed tree: {_listed(self.leading_out)}"
        if self.capable:
            yield f"capabilities do not arrive: {_listed(self.capable)}"
        if self.without_locks:
            yield "the disk of the output has no locks: two builds keep apart by names alone"
        if self.made_up:
            yield (
                "the file system makes up inode numbers or times at each look, so only size and "
                f"time of change told whether a file stayed the same: {_listed(self.made_up)}"
            )


def is_odd(mode: int) -> bool:
    """Whether a mode says more than whether a file may be executed (FORMAT 6.1)."""
    return mode & 0o004 == 0 or mode & _SPECIAL != 0


def note_mode(notes: Notes, mode: int, path: bytes) -> None:
    """Note what of a mode does not arrive."""
    if mode & 0o004 == 0:
        notes.private.append(path)
    if mode & _SPECIAL:
        notes.special.append(path)


def has_capabilities(descriptor: int) -> bool:
    """Whether an executable file has capabilities, where the host knows such."""
    try:
        return bool(os.getxattr(descriptor, "security.capability"))
    except (AttributeError, OSError):
        return False


def _listed(paths: Sequence[bytes]) -> str:
    shown = ", ".join(map(show, sorted(paths)[:_SHOWN]))
    more = len(paths) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
