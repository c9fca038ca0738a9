"""Reads a kit from a file or a pipe; the medium's faults become errors of ours."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Sequence

from verifier import _compat
from verifier.core.errors import KitChanged, KitTruncated, KitUnreadable
from verifier.typed import BinaryIO


def _left(views: Sequence[memoryview], done: int) -> list[memoryview]:
    """Return what of ``views`` is behind the first ``done`` bytes."""
    left = []
    for view in views:
        if done < len(view):
            left.append(view[done:])
        done = max(0, done - len(view))
    return left


def _not_regular(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a directory"
    return "is not a regular file; to read a pipe or a device, redirect it and give '-'"


class FileSource:
    """A regular file, opened once: every byte comes from this descriptor."""

    sequential = False

    def __init__(self, path: str) -> None:
        """Open ``path``.

        Raises:
            KitUnreadable: It cannot be opened, or is not a regular file.
        """
        try:
            self._descriptor = os.open(_compat.long_path(path), _compat.OPEN_READ)
            self._stat = os.fstat(self._descriptor)
        except OSError as error:
            raise KitUnreadable(error.strerror or str(error), where=repr(path)) from None
        if not stat.S_ISREG(self._stat.st_mode):
            os.close(self._descriptor)
            raise KitUnreadable(_not_regular(self._stat.st_mode), where=repr(path))
        self.size: int | None = self._stat.st_size
        self._where = repr(path)
        self._seeking = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _read(self, views: Sequence[memoryview], offset: int) -> int:
        if _compat.HAS_POSITIONED_READ:
            return _compat.read_at(self._descriptor, views, offset)
        with self._seeking:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            data = os.read(self._descriptor, len(views[0]))
        views[0][: len(data)] = data
        return len(data)

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views`` from ``offset`` on; see `verifier.core.container.Source`."""
        left, want = list(filter(len, views)), sum(map(len, views))
        while want:
            try:
                done = self._read(left, offset)
            except OSError as error:
                raise KitUnreadable(
                    f"reading failed at byte {offset}: {error.strerror}", where=self._where
                ) from None
            if not done:
                raise KitTruncated(f"the file ends at byte {offset}", where=self._where)
            want, offset = want - done, offset + done
            if want:  # usually all of it came at once
                left = _left(left, done)

    def ends_at(self, offset: int) -> bool:
        """Whether there is no byte at ``offset``."""
        try:
            return self._read([memoryview(bytearray(1))], offset) == 0
        except OSError as error:
            raise KitUnreadable(
                f"reading failed at byte {offset}: {error.strerror}", where=self._where
            ) from None

    def check_unchanged(self) -> None:
        """Compare size and times with what they were when the file was opened."""
        now = os.fstat(self._descriptor)
        if (now.st_size, now.st_mtime_ns) != (self._stat.st_size, self._stat.st_mtime_ns):
            raise KitChanged("was written to while it was read", where=self._where)


_NO_WAIT = "has nothing to read yet, and was made not to wait (O_NONBLOCK)"


class StreamSource:
    """A pipe, read once and in order; what is not asked for is read and thrown away."""

    sequential = True
    size: int | None = None

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def _fill(self, view: memoryview) -> None:
        while view:
            try:
                done = self._stream.readinto(view)  # type: ignore[attr-defined]
            except OSError as error:
                raise KitUnreadable(f"reading failed: {error.strerror}", where="the pipe") from None
            if done is None:
                raise KitUnreadable(_NO_WAIT, where="the pipe")
            if not done:
                raise KitTruncated(f"the pipe ends at byte {self._position}", where="the pipe")
            self._position += done
            view = view[done:]

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views`` from ``offset`` on; see `verifier.core.container.Source`."""
        if offset < self._position:
            raise ValueError("a pipe cannot be read backwards")
        skipped = memoryview(bytearray(min(1 << 20, offset - self._position)))
        while self._position < offset:
            self._fill(skipped[: offset - self._position])
        for view in views:
            self._fill(view)

    def ends_at(self, offset: int) -> bool:
        """Whether the pipe has ended; ``offset`` is where it has been read to."""
        del offset
        try:
            more = self._stream.read(1)
        except OSError as error:
            raise KitUnreadable(f"reading failed: {error.strerror}", where="the pipe") from None
        if more is None:
            raise KitUnreadable(_NO_WAIT, where="the pipe")
        return not more

    def check_unchanged(self) -> None:
        """Nothing: a pipe gives each byte once."""

    def close(self) -> None:
        """Nothing: the stream belongs to the caller."""


def kit_in(path: str) -> str:
    """Return the kit in the directory of a release, or the path itself if it is no directory.

    Raises:
        KitUnreadable: There is none in it, or more than one.
    """
    if not os.path.isdir(path):
        return path
    try:
        found = [name for name in sorted(os.listdir(path)) if name.endswith((".tar.zst", ".tar"))]
    except OSError as error:
        raise KitUnreadable(error.strerror or str(error), where=repr(path)) from None
    if len(found) != 1:
        raise KitUnreadable(
            f"is a directory with {len(found)} kits in it",
            where=repr(path),
            fix="Name the kit itself, a file that ends in .tar.zst.",
        )
    return os.path.join(path, found[0])


def open_source(path: str) -> FileSource | StreamSource:
    """Return the source for a path, or for standard input when it is ``-``.

    Raises:
        KitUnreadable: It cannot be opened.
    """
    if path != "-":
        return FileSource(path)
    if sys.stdin is None:
        raise KitUnreadable("is closed", where="standard input")
    return StreamSource(getattr(sys.stdin.buffer, "raw", sys.stdin.buffer))
