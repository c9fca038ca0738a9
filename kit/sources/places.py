"""Opens what a source holds one step after the other: no link is followed on the way.

A path that was looked at may mean another file by the time it is opened.  So directories are held
by their descriptors and everything is reached from the one that it is in; and what is opened later
must have the facts that were noted when it was found.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from kit.errors import SourceChanged, show
from kit.sources.packed import Packed
from kit.spec.patterns import Exclude

_STEP = getattr(os, "O_PATH", os.O_RDONLY)  # Linux: to pass through takes no right to list
_TOP = _STEP | os.O_DIRECTORY | os.O_CLOEXEC
_INTO = _TOP | os.O_NOFOLLOW
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NAMES = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # as os.fsencode, for many
_KEPT = 64  # directories that stay open


KINDS = {  # all that POSIX has
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True)
class Base:
    """Where files come from: ``directory`` on this host is ``prefix`` in the kit.

    For a single file both are the file itself.

    Attributes:
        top: The directory above, whose own path may have links in it; below it none may be.
        inside: Where it begins, relative to its source, with a final / unless empty.
        keys: Patterns of private keys that are meant to be carried.
        named: Whether the spec names this very file.
        packed: The archive that a tree becomes, if this is one.
    """

    directory: bytes
    prefix: bytes
    top: bytes
    inside: bytes = b""
    keys: tuple[str, ...] = ()
    named: bool = False
    packed: Packed | None = None

    def source(self, path: bytes) -> bytes:
        """Return where kit path ``path`` comes from."""
        return self.directory + path[len(self.prefix) :]

    def may_be_secret(self, path: bytes) -> bool:
        """Whether the spec says of kit path ``path`` that it is carried though it is secret."""
        if self.named or not self.keys:
            return self.named
        below = self.inside + path[len(self.prefix) :].lstrip(b"/")
        return Exclude(self.keys)(below.decode("utf-8", "surrogateescape"), directory=False)


class Directories:
    """Directories of this host, by their descriptors; the last ones used stay open.

    Several threads may use it.  Paths are absolute, begin with their top, and are taken apart at
    each ``/``; ``..`` is what the host says it is.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, int] = {}  # the one used last is the last
        self._tops: dict[bytes, int] = {}
        self._latest: tuple[bytes | None, int] = (None, -1)
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for descriptor in (*self._open.values(), *self._tops.values()):
            os.close(descriptor)

    def open_file(self, top: bytes, path: bytes) -> int:
        """Open a file for reading; what else it is, is for the caller to see.

        Raises:
            OSError: The host refuses, or there is a link.
        """
        directory, _, name = path.rpartition(b"/")
        with self._lock:
            return os.open(name, _FILE, dir_fd=self._at(top, directory))

    def look(self, top: bytes, directory: bytes, name: bytes) -> os.stat_result:
        """Return what the host says about a name in a directory; of a link, about itself."""
        with self._lock:
            return os.stat(name, dir_fd=self._at(top, directory), follow_symlinks=False)

    def link(self, top: bytes, directory: bytes, name: bytes) -> bytes:
        """Return what a link says.

        Raises:
            SourceChanged: It is none any more.
            OSError: The host refuses.
        """
        try:
            with self._lock:
                return os.readlink(name, dir_fd=self._at(top, directory))
        except OSError as error:
            if error.errno != errno.EINVAL:  # readlink(2): no link
                raise
            where = show(os.path.join(directory, name))
            raise SourceChanged("has been exchanged", where=where) from None

    def entries(self, top: bytes, directory: bytes) -> Iterator[tuple[os.DirEntry[str], bytes]]:
        """Yield what is in a directory by its names in bytes, which are different."""
        with self._lock:
            descriptor = os.open(b".", _LIST, dir_fd=self._at(top, directory))
        try:
            with os.scandir(descriptor) as entries:
                found = {entry.name.encode(*_NAMES): entry for entry in entries}
            for name in sorted(found):
                yield found[name], name
        finally:
            os.close(descriptor)

    def _at(self, top: bytes, directory: bytes) -> int:
        """Return the descriptor of a directory; it is good until the lock is given back."""
        if directory == self._latest[0]:
            return self._latest[1]
        descriptor = self._open.pop(directory, -1)
        if descriptor < 0:
            descriptor = self._into(top, directory or b"/")
        self._keep(directory, descriptor)
        self._latest = (directory, descriptor)
        return descriptor

    def _into(self, top: bytes, directory: bytes) -> int:
        """Open a directory from the nearest one that is open, one step after the other."""
        at, steps = directory, []
        while at != top and at not in self._open:
            at, _, name = at.rpartition(b"/")
            at = at or b"/"
            steps.append(name)
        if not steps:
            return os.open(b".", _TOP, dir_fd=self._top(top))
        above = self._open[at] if at in self._open else self._top(top)
        for name in reversed(steps[1:]):
            at = at.rstrip(b"/") + b"/" + name
            above = os.open(name, _INTO, dir_fd=above)
            self._keep(at, above)
        return os.open(steps[0], _INTO, dir_fd=above)

    def _top(self, top: bytes) -> int:
        """Return the descriptor of a top: never closed before the end, nor looked up again."""
        if top not in self._tops:
            self._tops[top] = os.open(top, _TOP)
        return self._tops[top]

    def _keep(self, path: bytes, descriptor: int) -> None:
        self._open[path] = descriptor
        if len(self._open) > _KEPT:
            os.close(self._open.pop(next(iter(self._open))))
            self._latest = (None, -1)
