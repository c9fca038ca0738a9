"""The only file that names what some hosts lack (Windows, macOS, old kernels)."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Mapping, Sequence

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
OPEN_TRUSTED = OPEN_READ | getattr(os, "O_NOFOLLOW", 0)
SYSTEM_TRUST = (
    r"C:\ProgramData\offline-kit\trust" if sys.platform == "win32" else "/etc/offline-kit/trust"
)
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
    set_mode(descriptor, path, 0o755 if executable else 0o644)


def set_mode(descriptor: int, path: str, mode: int) -> None:
    """Give a new file a mode, whatever the umask is."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)
    else:
        os.chmod(path, mode)


def whoever_else_writes(status: os.stat_result) -> str:
    """Return who but this user and the administrator may change a file; empty if nobody.

    Windows has no such modes: there the access list is the administrator's affair.
    """
    if not hasattr(os, "geteuid"):
        return ""
    if status.st_uid not in (0, os.geteuid()):
        return f"user {status.st_uid}, who owns it"
    return {0o020: "its group", 0o002: "everybody", 0o022: "everybody"}.get(
        status.st_mode & 0o022, ""
    )


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take an exclusive lock that ends with the descriptor; False if another process has it.

    Args:
        descriptor: An open file.
        wait: Whether to wait until the other process is done; on Windows for ten seconds.
    """
    try:
        import fcntl
    except ImportError:
        return _lock_byte(descriptor, wait)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _lock_byte(descriptor: int, wait: bool) -> bool:
    """Lock as Windows does; where there is neither (WebAssembly), there is one process only."""
    try:
        import msvcrt
    except ImportError:
        return True
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        how = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined]
        msvcrt.locking(descriptor, how, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True


def open_lock(path: str) -> int:
    """Open a lock file, made if it is not there; a link in its place is refused."""
    if not hasattr(os, "O_NOFOLLOW") and os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return os.open(path, OPEN_LOCK, 0o600)


def take_lock(path: str) -> int | None:
    """Return the open lock file at ``path``, made if it is not there; None if another has it.

    `drop_lock` gives it back.
    """
    while True:
        descriptor = open_lock(path)
        if not lock(descriptor):
            os.close(descriptor)
            return None
        try:
            named = os.stat(path)
        except FileNotFoundError:
            named = None
        if sys.platform == "win32" or (named and os.path.samestat(named, os.fstat(descriptor))):
            return descriptor  # Windows removes nothing that is open: it is the file of that name
        os.close(descriptor)  # another run removed it between our open and our lock


def drop_lock(descriptor: int, path: str) -> None:
    """Remove a lock file and end its lock."""
    try:
        os.unlink(path)  # before the lock ends: what is removed is ours
    except OSError:
        import contextlib  # here: it takes long to load

        os.close(descriptor)  # Windows: not while it is open
        with contextlib.suppress(OSError):  # another run has it open already, and will remove it
            os.unlink(path)
    else:
        os.close(descriptor)


def free_bytes(path: str) -> int | None:
    """Return the bytes that a user may still write at ``path``; None if the host cannot say."""
    import shutil

    try:
        return shutil.disk_usage(path).free
    except (AttributeError, OSError):  # shutil has it where the host can say
        return None


class PrivateFiles:
    """Files with these names and contents that no other user can reach, for the time of a ``with``.

    The directory is one of the system's: what the environment names may be somebody else's.
    """

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self._directory = ""

    def __enter__(self) -> list[str]:
        """Write them and return their paths."""
        import tempfile  # here, and shutil below: hardly any run needs them

        places = [place for place in ("/tmp", "/var/tmp") if os.access(place, os.W_OK | os.X_OK)]
        place = None if sys.platform == "win32" else (places or ["/tmp"])[0]
        self._directory = tempfile.mkdtemp(prefix="kit-verify-", dir=place)
        try:
            return [self._write(name, data) for name, data in self._contents.items()]
        except OSError:
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        """Remove them."""
        import shutil

        shutil.rmtree(self._directory, ignore_errors=True)

    def _write(self, name: str, data: bytes) -> str:
        path = os.path.join(self._directory, name)
        descriptor = os.open(path, OPEN_NEW, 0o600)
        try:
            write_at(descriptor, memoryview(data), 0)
        finally:
            os.close(descriptor)
        return path


def sync_directory(path: str) -> None:
    """Make a rename in a directory survive a power cut, where the host can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(descriptor: int) -> None:
    """Write one file to the disk where `sync_all` cannot write all of them."""
    if not hasattr(os, "sync"):
        os.fsync(descriptor)


def sync_all() -> None:
    """Write all that is buffered to the disks, where the host can."""
    if hasattr(os, "sync"):
        os.sync()


def silence(descriptor: int) -> None:
    """Send what is still to be written to a descriptor nowhere: its reader has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def occupy_standard_descriptors() -> None:
    """Open what is closed of descriptors 0 to 2, nowhere: no file of ours shall get their number.

    Whatever writes to standard error without asking would write into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest free number is the one that a new descriptor gets
            os.open(os.devnull, os.O_RDWR)


def stands_somewhere() -> bool:
    """Whether the working directory is still there."""
    try:
        os.path.abspath(".")
    except OSError:
        return False
    return True


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def long_path(path: str) -> str:
    """Return a path that may have more than 260 characters on Windows; elsewhere as it is."""
    return extended_path(os.path.abspath(path)) if sys.platform == "win32" else path


def extended_path(absolute: str) -> str:
    r"""Return an absolute path of Windows in the form that has no limit of 260 characters.

    ``\\?\`` turns off every repair that Windows makes of names, so the path must be normalised:
    backslashes, no ``.`` and no ``..``, as ``os.path.abspath`` gives it.  Paths of devices and
    those that are extended already stay as they are.
    """
    if absolute.startswith(("\\\\?\\", "\\\\.\\")):
        return absolute
    if absolute.startswith("\\\\"):  # a share: \\server\share\...
        return "\\\\?\\UNC\\" + absolute[2:]
    return "\\\\?\\" + absolute
