"""Reads and replaces the small files of the host; the only module of this room that writes.

A file is read only when nobody else can have written it, and replaced as a whole or not at all:
written beside its place, made durable, and renamed.  Each of these opens the directory first, looks
who may change it, and stays in that one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from verifier import _compat
from verifier.core.errors import KitError, TargetExposed
from verifier.folder import Folder
from verifier.host.errors import TrustBusy, TrustMissing, TrustUnsafe

_LOCK = ".lock"
_LOCK_MODE = 0o600  # who could open it could lock everybody out


def check_directory(directory: str) -> None:
    """Hold a trust directory to its owner and mode.

    Raises:
        TrustMissing: It is not there.
        TrustUnsafe: Somebody else may change it, or it is a link.
    """
    _open(directory).close()


def _open(directory: str, *, anywhere: bool = False) -> Folder:
    """Open a trust directory and hold it to its owner and mode; or any directory, as it is.

    Whatever is done in it after that is done in this one, whoever renames it meanwhile.
    """
    if anywhere:
        return Folder.open(directory)
    where = repr(directory)
    try:
        if not stat.S_ISDIR(os.lstat(directory).st_mode):
            raise TrustUnsafe("is a link, or no directory", where=where)
        folder = Folder.open(directory, follow=False)
    except OSError as error:
        raise TrustMissing(error.strerror or str(error), where=where) from None
    try:
        _check_owner(folder.status(), where)
    except BaseException:
        folder.close()
        raise
    return folder


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
    directory, name = os.path.split(path)
    where = repr(path)
    with _open(directory) as folder:
        try:
            descriptor = folder.read(os.fsencode(name))
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


def prepare(path: str, data: bytes, mode: int, *, anywhere: bool = False) -> str:
    """Write what a file will hold beside it, durably; return where, for `commit`.

    Args:
        path: A file of the trust directory.
        data: Its contents.
        mode: Its mode; a file system without modes gives it its own.
        anywhere: Whether the file may be in any other directory.

    Raises:
        OSError: The host refuses, the disk is full or did not keep it; nothing is left.
    """
    directory, name = os.path.split(path)
    beside = os.fsencode(f".{name}.new")
    with _open(directory, anywhere=anywhere) as folder:
        with contextlib.suppress(FileNotFoundError):  # of a run that was killed
            folder.unlink(beside)
        descriptor = folder.create(beside)
        try:
            try:
                _compat.write_at(descriptor, memoryview(data), 0)
                _compat.set_mode(descriptor, folder.name(beside), mode)
                _compat.sync_file(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            folder.discard(beside)
            raise
    return os.path.join(directory, os.fsdecode(beside))


def commit(beside: str, path: str, *, anywhere: bool = False) -> None:
    """Give what `prepare` wrote its name, durably."""
    directory, name = os.path.split(path)
    with _open(directory, anywhere=anywhere) as folder:
        folder.replace(os.fsencode(os.path.basename(beside)), os.fsencode(name))
        folder.sync()


def discard(beside: str) -> None:
    """Remove what `prepare` wrote in the trust directory, if it is there."""
    directory, name = os.path.split(beside)
    with contextlib.suppress(OSError, KitError), _open(directory) as folder:
        folder.discard(os.fsencode(name))


def replace(path: str, data: bytes, mode: int, *, anywhere: bool = False) -> None:
    """Replace a file as a whole, or change nothing; the arguments are those of `prepare`.

    Raises:
        OSError: The host refuses, or the disk is full.
    """
    commit(prepare(path, data, mode, anywhere=anywhere), path, anywhere=anywhere)


def create(path: str, data: bytes, mode: int) -> None:
    """Write a new file in any directory, as a whole; what is there already is never replaced.

    Raises:
        FileExistsError: Something has the name.
        OSError: The host refuses, or the disk is full; nothing is left.
    """
    beside = prepare(path, data, mode, anywhere=True)
    directory, name = os.path.split(path)
    with _open(directory, anywhere=True) as folder:
        try:
            folder.give(os.fsencode(os.path.basename(beside)), os.fsencode(name))
        except OSError:
            folder.discard(os.fsencode(os.path.basename(beside)))
            raise
        folder.sync()


def make_directory(directory: str, *, shared: bool = False) -> None:
    """Make a trust directory, and those above it, each with mode 0755 whatever the umask is.

    Args:
        directory: Its path.
        shared: Whether others may rename what is in the first directory that is there.

    Raises:
        TargetExposed: They may.
        OSError: The host refuses.
    """
    if os.path.isdir(directory):
        return
    above, missing = os.path.split(directory)
    names = [missing]
    while not os.path.isdir(above) and os.path.dirname(above) != above:
        above, missing = os.path.split(above)
        names.append(missing)
    folder = Folder.open(above)
    try:
        who = _compat.whoever_else_renames(folder.status())
        if who and not shared:
            raise TargetExposed(f"can be changed by {who}", where=repr(above))
        for name in reversed(names):
            below = _make(folder, os.fsencode(name))
            folder.close()
            folder = below
    finally:
        folder.close()


def _make(above: Folder, name: bytes) -> Folder:
    try:
        made = above.make(name, 0o755)
    except FileExistsError:  # another run made it
        return above.sub(name)
    above.sync()
    return made


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
    with _open(directory) as folder:
        try:
            descriptor = folder.open_lock(_LOCK.encode())
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise TrustUnsafe("is a symbolic link", where=repr(path)) from None
            raise
    try:
        status = os.fstat(descriptor)
        _check_owner(status, repr(path))
        if _LOCK_MODE & ~status.st_mode:
            _compat.set_mode(descriptor, path, _LOCK_MODE)  # the umask took away our own right
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: str) -> None:
    where = repr(directory)
    try:
        if not _compat.lock(descriptor, wait=True):
            raise TrustBusy("no lock is to be had", where=where)
    except _compat.LocksMissing:
        raise TrustBusy("is on a file system that has no locks", where=where) from None
