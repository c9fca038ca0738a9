"""Files that appear whole or not at all.

One discipline for every file that we make: it is created, never opened; no link is followed; what
lies under its name is removed unless a living run holds it; and before and after it gets its final
name it is looked at again, so that nobody else's file is ever written to or passed off as ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from kit.errors import (
    BuildDiskFull,
    KitError,
    OutputExists,
    OutputForeign,
    OutputUnwritable,
    show,
)
from verifier import _compat

_SUFFIX = ".offline-kit-partial"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_LEFT = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
Handler = Callable[[int, FrameType | None], Any]
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WAIT = "Wait until the other run has ended, then run again."
_PAUSE_SECONDS = 0.02
_PAUSES = 500  # until a small file, which is written in milliseconds, is not waited for any more
_TRIES = 200  # another run may be clearing up: it holds its lock for microseconds


def refused(error: OSError, path: Path) -> KitError:
    """Return our error for what the host says about writing ``path``."""
    if error.errno == errno.EFBIG:
        why = "the host takes no file that large: FAT none of 4 GiB, a shell none above `ulimit -f`"
        return BuildDiskFull(why, where=show(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        none = _compat.Room(None, os.fspath(path.parent)).files == 0
        why = "there is no inode left" if none else error.strerror or "the disk is full"
        return BuildDiskFull(why, where=show(path))
    return OutputUnwritable(error.strerror or str(error), where=show(path))


def partial_of(path: Path) -> Path:
    """Return the unfinished file of ``path``: always the same, so that two runs meet."""
    return path.with_name(f".{path.name}{_SUFFIX}")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[int]:
    """Give a descriptor of an unfinished file that becomes ``path`` when the block ends well.

    The file is synced, then renamed.  Whatever ends the block early, the unfinished file goes.
    So do unfinished files of other names in the directory that a dead run left.

    Raises:
        OutputExists: ``path`` is there already, or another run is writing it.
        OutputForeign: Something that is not ours has the name of the unfinished file.
        OutputUnwritable: The host refuses.
        BuildDiskFull: The disk is full.
    """
    try:
        if os.path.lexists(path):
            raise OutputExists("is there already", where=show(path))
        sweep(path.parent)
        with _unfinished(path) as (descriptor, partial):
            yield descriptor
            _compat.sync_file(descriptor)
            _check_still(partial, descriptor)
            publish(partial, path)
            _check_still(path, descriptor)
    except OSError as error:
        raise refused(error, path) from None


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[tuple[int, Path]]:
    """Give a new, empty, locked file beside ``path``; unless the block ends well, it goes."""
    partial = partial_of(path)
    held = _Held()  # from before the file is there until it is certain to be removed
    try:
        descriptor = _create(partial, path)
        try:
            try:
                held.release()
                _compat.set_mode(descriptor, os.fspath(partial), 0o644)
                yield descriptor, partial
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(partial)
                raise
        finally:
            os.close(descriptor)
    finally:
        held.release()


class _Held:
    """Has interrupts wait; Python runs their handlers in the main thread, whoever they came to."""

    def __init__(self) -> None:
        self._came: list[tuple[int, FrameType | None]] = []
        self._before: dict[int, Handler] = {}
        with contextlib.suppress(ValueError):  # not the main thread: none comes
            for number in _INTERRUPTS:
                before = signal.getsignal(number)
                if callable(before):
                    signal.signal(number, lambda *what: self._came.append(what))
                    self._before[number] = before

    def release(self) -> None:
        """Give back the handlers, and what came meanwhile to the first of them."""
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)
        if self._came:
            number, frame = self._came.pop()
            handler = signal.getsignal(number)
            if callable(handler):
                handler(number, frame)


def _create(partial: Path, path: Path) -> int:
    """Create and lock an unfinished file; what a dead run left under its name is removed.

    It is never taken over: whoever made it may still write to it, or it may have a second name.
    A run killed between the two steps of `publish` left its finished kit under both names.
    """
    for _ in range(_TRIES):
        if not _clear(partial):
            continue
        try:
            descriptor = os.open(partial, _NEW, 0o644)
        except FileExistsError:
            continue
        if lock(descriptor) is not False and is_still(partial, descriptor):
            return descriptor
        os.close(descriptor)  # another run cleared up between our two calls
    raise OutputExists("is being written by another run", where=show(path), fix=_WAIT)


def lock(descriptor: int) -> bool | None:
    """Lock a file; False if another run holds it, None where the file system has no locks."""
    try:
        return _compat.lock(descriptor)
    except _compat.LocksMissing:
        return None


def _clear(partial: Path) -> bool:
    """Remove an unfinished file that no living run holds; False if one may hold it.

    Raises:
        OutputForeign: It cannot be removed, or is nothing that a run of ours leaves.
    """
    try:
        facts = os.lstat(partial)
        if not stat.S_ISREG(facts.st_mode):
            raise OutputForeign(f"is {_kind(facts)}, not an unfinished file", where=show(partial))
        descriptor = os.open(partial, _LEFT)
    except FileNotFoundError:
        return True
    except PermissionError:
        raise OutputForeign("belongs to somebody else", where=show(partial)) from None
    try:
        if lock(descriptor) is not True or not is_still(partial, descriptor):
            return False
        os.unlink(partial)  # a second name of it stays what it is
    except FileNotFoundError:
        pass
    except PermissionError:
        raise OutputForeign("belongs to somebody else", where=show(partial)) from None
    finally:
        os.close(descriptor)
    return True


def sweep(directory: Path) -> None:
    """Remove unfinished files that dead runs left, whatever they were to become."""
    with os.scandir(directory) as entries:
        left = sorted(entry.name for entry in entries if entry.name.endswith(_SUFFIX))
    for name in left:
        # what is not ours to remove is in nobody's way under this name
        with contextlib.suppress(OSError, OutputForeign):
            _clear(directory / name)


def _kind(facts: os.stat_result) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO"}
    return kinds.get(stat.S_IFMT(facts.st_mode), "a device or a socket")


def open_left(path: Path) -> int | None:
    """Open a file that an earlier run of ours may have left; None if there is none.

    Raises:
        OutputForeign: It is a link, a device, a FIFO, or a file with a second name.
        OSError: The host refuses.
    """
    try:
        facts = os.lstat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise OutputForeign(f"is {_kind(facts)}", where=show(path))
        descriptor = os.open(path, _LEFT)
    except FileNotFoundError:
        return None
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink <= 1:  # some file systems do not count
        return descriptor
    os.close(descriptor)
    raise OutputForeign("has a second name", where=show(path))


def is_still(path: Path, descriptor: int) -> bool:
    """Whether ``path`` names the open file.

    Some file systems make up an inode number at each look; there, the rest must be the same.
    """
    try:
        named = os.lstat(path)
    except FileNotFoundError:
        return False
    one, again = os.fstat(descriptor), os.fstat(descriptor)
    if one.st_ino == again.st_ino:
        return os.path.samestat(named, one)
    kept = (stat.S_IFMT(one.st_mode), one.st_dev, one.st_size)
    return kept == (stat.S_IFMT(named.st_mode), named.st_dev, named.st_size)


def _check_still(path: Path, descriptor: int) -> None:
    if not is_still(path, descriptor):
        raise OutputForeign("was exchanged while it was written", where=show(path))


def publish(partial: Path, path: Path) -> None:
    """Rename to a name that must not exist, and make the rename durable.

    Raises:
        OutputExists: It exists by now.
        OSError: The host refuses.
    """
    try:
        os.link(partial, path, follow_symlinks=False)  # unlike a rename, never replaces
    except FileExistsError:
        raise OutputExists("has appeared meanwhile", where=show(path)) from None
    except OSError:  # a file system without hard links, such as FAT
        if os.path.lexists(path):
            raise OutputExists("has appeared meanwhile", where=show(path)) from None
        os.rename(partial, path)
    else:
        os.unlink(partial)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make what was renamed in a directory survive a power cut, where its file system can."""
    _compat.sync_directory(os.fspath(directory))


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file, replacing one that is there; runs that do so take turns.

    Raises:
        OutputExists: Another run has been writing in the directory for too long.
        OutputForeign: Something that is not ours has the name of the unfinished file.
        OutputUnwritable: The host refuses.
        BuildDiskFull: The disk is full.
    """
    try:
        with _turn(path), _unfinished(path) as (descriptor, partial):
            with open(descriptor, "wb", closefd=False) as stream:
                stream.write(data)
            _compat.sync_file(descriptor)
            _check_still(partial, descriptor)
            os.replace(partial, path)
            _check_still(path, descriptor)
            sync_directory(path.parent)
    except OSError as error:
        raise refused(error, path) from None


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Have the directory of a small file for oneself: whoever has it writes for milliseconds."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _ in range(_PAUSES):  # and not for ever: whoever may read the directory can hold it
            if lock(directory) is not False:
                break
            threading.Event().wait(_PAUSE_SECONDS)
        else:
            raise OutputExists("is being written by another run", where=show(path), fix=_WAIT)
        yield
    finally:
        os.close(directory)
