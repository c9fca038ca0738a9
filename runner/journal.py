"""The journal of a run as a file: one line a record, durable before anything goes on (ADR 41).

It is opened by one runner at a time (flock), written at its end only, and synced a line.  A file
beside it keeps room in reserve: with a full disk there is still room to say that the disk is full.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from runner.chain import MAX_LINE, Read, Record, digest_of, line_of, read_chain
from runner.errors import JournalDamaged, JournalUnwritable, RunBusy, RunMissing, RunUnsafe
from verifier import _compat
from verifier.folder import Folder

NAME, RESERVE = b"journal", b"reserve"
MAX_JOURNAL = 1 << 30  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class JournalFile:
    """The open journal of a run; `runner.work.Journal` for the engine.

    Attributes:
        records: What it held when it was opened.
        torn: Bytes of a line that a power failure cut; they are gone.
        full: Whether the disk was full: the reserve has been given up, and the run must stop.
    """

    def __init__(self, folder: Folder) -> None:
        """Open the journal in the directory of a run, for this runner alone.

        Raises:
            RunMissing: There is none.
            RunBusy: Another runner has it.
            RunUnsafe: It is a link, or somebody else may change it.
            JournalDamaged: It is not what was written.
            JournalUnwritable: The host refuses.
        """
        self._folder, self._where = folder, repr(os.fsdecode(os.path.join(folder.path, NAME)))
        self._descriptor = _open(folder, self._where)
        try:
            if not _lock(self._descriptor):
                raise RunBusy("another runner works on it", where=self._where)
            read = read_chain(_read(self._descriptor, self._where))
            self.records, self.torn, self.full = read.records, read.torn, False
            self._size, self._head, self._count = read.size, read.head, len(read.records)
            if read.torn:
                self._cut()
            self._keep_room()
        except BaseException:
            os.close(self._descriptor)
            raise

    @classmethod
    def create(cls, folder: Folder, first: Record) -> JournalFile:
        """Make the journal of a new run, with its first record; a killed one leaves none or all.

        Raises:
            JournalUnwritable: The host refuses.
        """
        line, beside = line_of(0, read_chain(b"").head, first), b".journal.new"
        try:
            folder.discard(beside)
            descriptor = folder.create(beside)
            try:
                _write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            folder.give(beside, NAME)
            folder.sync()
        except OSError as error:
            raise _unwritable(error, repr(os.fsdecode(folder.path))) from None
        return cls(folder)

    def close(self) -> None:
        """Let another runner in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def append(self, what: Record) -> None:
        """Write a record; it is on the disk when this returns.

        Raises:
            JournalUnwritable: The host refuses; nothing of the record counts.
        """
        line = line_of(self._count, self._head, what)
        try:
            try:
                self._put(line)
            except OSError as error:
                if error.errno not in _FULL or self.full:
                    raise
                self.full = True
                self._folder.unlink(RESERVE)
                self._put(line)
        except OSError as error:
            raise _unwritable(error, self._where) from None
        self._size, self._head = self._size + len(line), digest_of(line)
        self._count += 1

    def _put(self, line: bytes) -> None:
        try:
            _write(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError:
            self._cut()
            raise

    def _cut(self) -> None:
        """Remove what is behind the last whole line."""
        os.ftruncate(self._descriptor, self._size)
        os.fsync(self._descriptor)

    def _keep_room(self) -> None:
        """Have the reserve be there; without it the journal still works while there is room."""
        status = self._folder.look(RESERVE)
        if status is not None and status.st_size == MAX_LINE:
            return
        try:
            self._folder.discard(RESERVE)
            descriptor = self._folder.create(RESERVE)
            try:
                _write(descriptor, os.urandom(MAX_LINE))  # else a file system keeps a hole of it
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in _FULL:
                raise _unwritable(error, self._where) from None
            self._folder.discard(RESERVE)


def read_journal(folder: Folder) -> Read:
    """Return what a journal holds, without a lock: to look at a run that somebody works on.

    Raises:
        KitError: It is missing, unsafe or damaged.
    """
    where = repr(os.fsdecode(os.path.join(folder.path, NAME)))
    descriptor = _open(folder, where)
    try:
        return read_chain(_read(descriptor, where))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(folder: Folder) -> Iterator[bytes]:
    """Give the bytes of a journal, and let no runner at it meanwhile; nothing is changed.

    Raises:
        KitError: It is missing or unsafe, or another runner has it.
    """
    where = repr(os.fsdecode(os.path.join(folder.path, NAME)))
    descriptor = _open(folder, where)
    try:
        if not _lock(descriptor):
            raise RunBusy("another runner works on it", where=where)
        yield _read(descriptor, where)
    finally:
        os.close(descriptor)


def _open(folder: Folder, where: str) -> int:
    try:
        descriptor = os.open(NAME, _FLAGS, dir_fd=folder.descriptor)
    except FileNotFoundError:
        fix = "Name the directory that `run` printed. If `run` was killed, give its command again."
        raise RunMissing("there is no journal", where=where, fix=fix) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RunUnsafe("is a link", where=where) from None
        raise _unwritable(error, where) from None
    status = os.fstat(descriptor)
    who = _compat.whoever_else_writes(status)
    if who or not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise RunUnsafe(f"can be changed by {who}" if who else "is no file", where=where)
    return descriptor


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unwritable(error, "the journal (its file system has no locks)") from None
    return True


def _read(descriptor: int, where: str) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > MAX_JOURNAL:
        raise JournalDamaged(f"has more than {MAX_JOURNAL} bytes", where=where)
    parts, at = [], 0
    while at < size:
        part = os.pread(descriptor, min(1 << 20, size - at), at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _unwritable(error: OSError, where: str) -> JournalUnwritable:
    full = " (the disk is full)" if error.errno in _FULL else ""
    return JournalUnwritable(f"{error.strerror or error}{full}", where=where)
