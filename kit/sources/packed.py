"""A tree of this host as one member: a tar archive with its links, modes and empty directories.

The archive is nowhere on the disk.  What is where in it follows from names and sizes, so any part
of it can be made when it is needed.  Its bytes depend on names, contents, modes and link texts, and
on `created`; on no owner, time, listing order or host.
"""

from __future__ import annotations

import errno
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kit.errors import (
    SourceChanged,
    SourceSecret,
    SourceUnreadable,
    show,
)
from kit.sources.secrets import MAX_KEY, private_key_in
from verifier.core.header import member_headers

FILE, LINK, DIRECTORY = b"0", b"2", b"5"
_BLOCK = 512
_END = 1024  # two blocks of zeros
EXCHANGED = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ESPIPE)

_Open = Callable[[bytes], int]


@dataclass(frozen=True)
class Entry:
    """A member of the archive.

    Attributes:
        name: Relative to the tree.
        kind: `FILE`, `LINK` or `DIRECTORY`.
        mode: Twelve bits.
        link: What a link says.
        facts: Of a file: device, inode, size, times; what is made up at each look is 0.
        may_be_secret: Whether the spec says of a private key that it is carried.
    """

    name: bytes
    kind: bytes
    mode: int
    size: int = 0
    link: bytes = b""
    facts: tuple[int, ...] = ()
    may_be_secret: bool = False

    def headers(self, mtime: int) -> bytes:
        """Return all blocks before the contents."""
        return member_headers(
            self.name, self.size, mode=self.mode, mtime=mtime, kind=self.kind, link=self.link
        )


def facts_of(facts: os.stat_result, *, stable: bool) -> tuple[int, ...]:
    """Return what must be the same whenever a file is looked at."""
    held = (facts.st_dev, facts.st_size, facts.st_mtime_ns)
    return (*held, facts.st_ino, facts.st_ctime_ns) if stable else (*held, 0, 0)


@dataclass
class Packed:
    """The archive of one tree.

    Attributes:
        directory: The tree on this host.
        size: Bytes of the archive.
    """

    directory: bytes
    entries: list[Entry] = field(default_factory=list)
    offsets: array[int] = field(default_factory=lambda: array("Q", [0]))

    @property
    def size(self) -> int:
        """Bytes of the archive."""
        return self.offsets[-1] + _END

    def add(self, entry: Entry) -> None:
        """Put an entry behind the last one."""
        size = len(entry.headers(0)) + entry.size
        self.offsets.append(self.offsets[-1] + size + -size % _BLOCK)
        self.entries.append(entry)

    def read(self, offset: int, view: memoryview, mtime: int, opened: _Open) -> None:
        """Fill ``view`` from ``offset`` on.

        Args:
            mtime: The time of every member, in seconds.
            opened: Opens a file by its path.

        Raises:
            SourceChanged: A file is not what it was when it was found.
            SourceUnreadable: The host refuses.
            SourceSecret: A file is a private key, and the spec does not name it.
        """
        view[:] = bytes(len(view))
        number = bisect_right(self.offsets, offset) - 1
        while number < len(self.entries) and self.offsets[number] < offset + len(view):
            entry, start = self.entries[number], self.offsets[number] - offset
            headers = entry.headers(mtime)
            _put(view, start, headers)
            start += len(headers)
            first, last = max(0, -start), min(entry.size, len(view) - start)
            if first < last:
                self._read_file(entry, first, view[start + first : start + last], opened)
            number += 1

    def _read_file(self, entry: Entry, first: int, view: memoryview, opened: _Open) -> None:
        path = self.directory + b"/" + entry.name
        try:
            descriptor = opened(path)
            try:
                done = 0
                while done < len(view):
                    more = os.preadv(descriptor, [view[done:]], first + done)
                    if not more:
                        break
                    done += more
                if first == 0 and not entry.may_be_secret:
                    kind = private_key_in(os.pread(descriptor, min(entry.size, MAX_KEY), 0))
                    if kind:
                        raise SourceSecret([(path, f"holds {kind}")])
                facts = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if isinstance(error, FileNotFoundError) or error.errno in EXCHANGED:
                raise SourceChanged("is gone or was exchanged", where=show(path)) from None
            raise SourceUnreadable([(path, error.strerror or str(error))]) from None
        now = facts_of(facts, stable=entry.facts[-1] != 0)
        if done != len(view) or now != entry.facts:
            raise SourceChanged("was written to while the kit was built", where=show(path))


class Rendered(Packed):
    """A file that is made from one of this host, whole in memory."""

    def __init__(self, source: bytes, data: bytes) -> None:
        super().__init__(source)
        self._data = data

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self._data)

    def read(self, offset: int, view: memoryview, mtime: int, opened: _Open) -> None:
        """Fill ``view`` from ``offset`` on; see `Packed.read`."""
        del mtime, opened
        view[:] = self._data[offset : offset + len(view)]

    def write(self, path: Path) -> None:
        """Write the file as it will be carried."""
        path.write_bytes(self._data)


def _put(view: memoryview, start: int, data: bytes) -> None:
    """Copy the part of ``data``, which is to be at ``start``, that falls into ``view``."""
    first, last = max(0, -start), min(len(data), len(view) - start)
    if first < last:
        view[start + first : start + last] = data[first:last]
