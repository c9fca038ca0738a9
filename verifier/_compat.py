"""The only file that names what some hosts lack (Windows, macOS, old kernels)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

OPEN_READ = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO named by mistake must not hang the open
    | getattr(os, "O_BINARY", 0)
)
OPEN_NEW = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
OPEN_LOCK = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
HAS_POSITIONED_READ = hasattr(os, "pread")
_HAS_PREADV = hasattr(os, "preadv")
_SEEKING = threading.Lock()  # two threads may write parts of one member
_IOV_MAX = 1024  # POSIX's usual limit; a frame needs 66


def read_at(descriptor: int, views: Sequence[memoryview], offset: int) -> int:
    """Read into ``views`` from ``offset`` on without moving the file's position.

    Returns:
        Bytes read, 0 at the end of the file; may be fewer than there is room for.
    """
    if _HAS_PREADV:
        return os.preadv(descriptor, list(views[:_IOV_MAX]), offset)
    done = 0
    for view in views:
        data = os.pread(descriptor, len(view), offset + done)
        view[: len(data)] = data
        done += len(data)
        if len(data) < len(view):
            break
    return done


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset`` without moving the file's position, where possible."""
    while data:
        if hasattr(os, "pwrite"):
            done = os.pwrite(descriptor, data, offset)
        else:
            with _SEEKING:
                os.lseek(descriptor, offset, os.SEEK_SET)
                done = os.write(descriptor, data)
        data, offset = data[done:], offset + done


def set_times(descriptor: int, path: str, seconds: int) -> None:
    """Set access and modification time of an open file."""
    target: int | str = descriptor if os.utime in os.supports_fd else path
    os.utime(target, (seconds, seconds))


def set_executable(descriptor: int, path: str, executable: bool) -> None:
    """Give a new file mode 0755 or 0644, whatever the umask is."""
    mode = 0o755 if executable else 0o644
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)
    else:
        os.chmod(path, mode)


def lock(descriptor: int) -> bool:
    """Take an exclusive lock that ends with the process; False if another process has it."""
    try:
        import fcntl
    except ImportError:
        return True  # Windows refuses to remove what is open, which is what the lock is for
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def free_bytes(path: str) -> int | None:
    """Return the bytes that a user may still write at ``path``; None if the host cannot say."""
    import shutil

    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def sync_directory(path: str) -> None:
    """Make a rename in a directory survive a power cut, where the host can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all() -> None:
    """Write all that is buffered to the disks, where the host can."""
    if hasattr(os, "sync"):
        os.sync()


def silence(descriptor: int) -> None:
    """Send what is still to be written to a descriptor nowhere: its reader has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def long_path(path: str) -> str:
    """Return a path that may have more than 260 characters on Windows; elsewhere as it is."""
    if sys.platform != "win32":
        return path
    absolute = os.path.abspath(path)
    return absolute if absolute.startswith("\\\\?\\") else "\\\\?\\" + absolute
