"""Reads and replaces the small files of the host; the only module of this room that writes.

A file is read only when nobody else can have written it, and replaced as a whole or not at all:
written beside its place, made durable, and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from verifier import _compat
from verifier.host.errors import TrustBusy, TrustMissing, TrustUnsafe

_LOCK = ".lock"
_LOCK_MODE = 0o600  # who could open it could lock everybody out


def check_directory(directory: str) -> None:
    """Hold a trust directory to its owner and mode.

    Raises:
        TrustMissing: It is not there.
        TrustUnsafe: Somebody else may change it, or it is a link.
    """
    where = repr(directory)
    try:
        status = os.lstat(directory)
    except OSError as error:
        raise TrustMissing(error.strerror or str(error), where=where) from None
    if not stat.S_ISDIR(status.st_mode):
        raise TrustUnsafe("is a link, or no directory", where=where)
    _check_owner(status, where)


def _check_owner(status: os.stat_result, where: str) -> None:
    who = _compat.whoever_else_writes(status)
    if who:
        raise TrustUnsafe(f"can be changed by {who}", where=where)


def read(path: str, most: int) -> bytes | None:
    """Return the contents of a file of the trust directory; None if it is not there.

    Raises:
        TrustUnsafe: Somebody else may change it, or it is no regular file.
        PermissionError: This user may not read it.
        OSError: Reading failed.
    """
    where = repr(path)
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise TrustUnsafe("is a symbolic link", where=where)
        descriptor = os.open(path, _compat.OPEN_TRUSTED)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise TrustUnsafe("is a symbolic link", where=where) from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise TrustUnsafe("is not a regular file", where=where)
        _check_owner(status, where)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(most + 1)
    finally:
        os.close(descriptor)


def prepare(path: str, data: bytes, mode: int) -> str:
    """Write what a file will hold beside it, durably; return where, for `commit`.

    Raises:
        OSError: The host refuses, or the disk is full; nothing is left.
    """
    directory, name = os.path.split(path)
    beside = os.path.join(directory, f".{name}.new")
    with contextlib.suppress(FileNotFoundError):  # of a run that was killed
        os.unlink(beside)
    descriptor = os.open(beside, _compat.OPEN_NEW, 0o600)
    try:
        try:
            _compat.write_at(descriptor, memoryview(data), 0)
            _compat.set_mode(descriptor, beside, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        discard(beside)
        raise
    return beside


def commit(beside: str, path: str) -> None:
    """Give what `prepare` wrote its name, durably."""
    os.replace(beside, path)
    _compat.sync_directory(os.path.dirname(path))


def discard(beside: str) -> None:
    """Remove what `prepare` wrote, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(beside)


def replace(path: str, data: bytes, mode: int) -> None:
    """Replace a file as a whole, or change nothing.

    Raises:
        OSError: The host refuses, or the disk is full.
    """
    commit(prepare(path, data, mode), path)


def make_directory(directory: str) -> None:
    """Make a trust directory, and those above it, each with mode 0755 whatever the umask is."""
    if os.path.isdir(directory):
        return
    make_directory(os.path.dirname(directory))
    with contextlib.suppress(FileExistsError):  # another run made it
        os.mkdir(directory, 0o755)
        os.chmod(directory, 0o755)
        _compat.sync_directory(os.path.dirname(directory))


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Be the only run that changes a trust directory; waits for another one to end.

    The lock file stays: whoever removes a lock file lets in a third run.

    Raises:
        TrustBusy: There is no lock to be had.
        TrustUnsafe: The lock file is not what it should be.
        OSError: The lock file cannot be made.
    """
    path = os.path.join(directory, _LOCK)
    try:
        descriptor = _compat.open_lock(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise TrustUnsafe("is a symbolic link", where=repr(path)) from None
        raise
    try:
        status = os.fstat(descriptor)
        _check_owner(status, repr(path))
        if _LOCK_MODE & ~status.st_mode:
            _compat.set_mode(descriptor, path, _LOCK_MODE)  # the umask took away our own right
        if not _compat.lock(descriptor, wait=True):
            raise TrustBusy("no lock is to be had", where=repr(directory))
        yield
    finally:
        os.close(descriptor)
