"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from kit.errors import BuildDiskFull, KitError, OutputExists, OutputUnwritable, show

_SUFFIX = ".offline-kit-partial"


def refused(error: OSError, path: Path) -> KitError:
    """Return our error for what the host says about writing ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BuildDiskFull(error.strerror or "the disk is full", where=show(path))
    return OutputUnwritable(error.strerror or str(error), where=show(path))


def partial_of(path: Path) -> Path:
    """Return the unfinished file of ``path``: always the same; a later run takes it over."""
    return path.with_name(f".{path.name}{_SUFFIX}")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[int]:
    """Give a descriptor of an unfinished file that becomes ``path`` when the block ends well.

    The file is synced, then renamed.  Whatever ends the block early, the unfinished file goes.

    Raises:
        OutputExists: ``path`` is there already, or another run is writing it.
        OutputUnwritable: The host refuses.
        BuildDiskFull: The disk is full.
    """
    partial = partial_of(path)
    try:
        descriptor = _open_partial(partial, path)
    except OSError as error:
        raise refused(error, path) from None
    try:
        try:
            os.ftruncate(descriptor, 0)  # what a killed run left
            os.fchmod(descriptor, 0o644)
            yield descriptor
            os.fsync(descriptor)
            publish(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise
    except OSError as error:
        raise refused(error, path) from None
    finally:
        os.close(descriptor)


def _open_partial(partial: Path, path: Path) -> int:
    """Open and lock an unfinished file that nobody else has and that is no finished kit.

    A run killed between the two steps of `publish` left its kit under both names, and a run that
    ends while we wait for its lock leaves us its finished kit: neither may be cut to nothing.
    """
    while True:
        if os.path.lexists(path):
            raise OutputExists("is there already", where=show(path))
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise OutputExists("is being written by another run", where=show(path)) from None
        facts = os.fstat(descriptor)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(partial), facts):
                if facts.st_nlink <= 1:  # some file systems do not count
                    return descriptor
                os.unlink(partial)
        os.close(descriptor)


def publish(partial: Path, path: Path) -> None:
    """Rename to a name that must not exist, and make the rename durable.

    Raises:
        OutputExists: It exists by now.
        OSError: The host refuses.
    """
    try:
        os.link(partial, path)  # unlike a rename, never replaces
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
    """Make what was renamed in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file, replacing one that is there.

    Raises:
        OutputUnwritable: The host refuses.
        BuildDiskFull: The disk is full.
    """
    partial = partial_of(path)
    try:
        descriptor = os.open(
            partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644
        )
        try:
            os.fchmod(descriptor, 0o644)
            with open(descriptor, "wb", closefd=False) as stream:
                stream.write(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial, path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise refused(error, path) from None
