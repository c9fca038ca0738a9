"""The only file that names what some hosts lack (Windows, macOS, old kernels)."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from collections.abc import Mapping, Sequence

from verifier.typed import Any

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
OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
OPEN_FOLDER_HERE = OPEN_FOLDER | getattr(os, "O_NOFOLLOW", 0)
HAS_FOLDERS = (  # whether names can be looked up from an open directory
    hasattr(os, "O_DIRECTORY")
    and hasattr(os, "O_NOFOLLOW")
    and {os.open, os.mkdir, os.stat, os.rename, os.unlink, os.rmdir} <= os.supports_dir_fd
    and {os.scandir, os.utime} <= os.supports_fd
)
SYSTEM_TRUST = (
    r"C:\ProgramData\offline-kit\trust" if sys.platform == "win32" else "/etc/offline-kit/trust"
)
OPENS_LINKS = not hasattr(os, "O_NOFOLLOW")  # whether an open cannot refuse a link by itself
KEEPS_OPEN_NAMES = sys.platform == "win32"  # it removes and renames nothing that is open
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


_TIMES_BY_DESCRIPTOR = os.utime in os.supports_fd
_NOT_OFFERED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_REFUSED = (errno.EPERM, errno.EACCES, *_NOT_OFFERED)  # by FAT, NTFS or SMB mounted for everybody


def set_times(descriptor: int, path: str | bytes, seconds: int) -> bool:
    """Set access and modification time of an open file; False if its file system refuses."""
    target: int | str | bytes = descriptor if _TIMES_BY_DESCRIPTOR else path
    try:
        os.utime(target, (seconds, seconds))
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return True


def set_mode(descriptor: int, path: str | bytes, mode: int) -> bool:
    """Give what is new a mode, whatever the umask is; False if its file system refuses."""
    try:
        if hasattr(os, "fchmod") and descriptor >= 0:
            os.fchmod(descriptor, mode)
        else:
            os.chmod(path, mode)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        status = os.fstat(descriptor) if descriptor >= 0 else os.stat(path)
        return stat.S_IMODE(status.st_mode) == mode  # it may have had that from the start
    return True


def own_user() -> int | None:
    """Return the number of this user; None where users have none."""
    return os.geteuid() if hasattr(os, "geteuid") else None


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


def others_read(status: os.stat_result) -> bool:
    """Whether the mode of a file lets others read it; never where there are no such modes."""
    return hasattr(os, "geteuid") and bool(status.st_mode & 0o077)


def whoever_else_renames(status: os.stat_result) -> str:
    """Return who but this user and the administrator may rename what others have in a directory.

    Empty if nobody may: also where it is sticky (POSIX: only the owner of an entry renames it), and
    where its group is its owner's private one, by the custom of giving both one number.
    """
    if not hasattr(os, "geteuid"):
        return ""
    if status.st_uid not in (0, os.geteuid()):
        return f"user {status.st_uid}, who owns it"
    open_to = status.st_mode & (0o002 if status.st_gid == status.st_uid else 0o022)
    if not open_to or status.st_mode & stat.S_ISVTX:
        return ""
    return "everybody" if open_to & 0o002 else "its group"


class LocksMissing(OSError):
    """The file system has no locks (NFS without its daemon, Lustre, some FUSE)."""


_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take an exclusive lock that ends with the descriptor; False if another process has it.

    Args:
        descriptor: An open file.
        wait: Whether to wait until the other process is done; on Windows for ten seconds.

    Raises:
        LocksMissing: Nobody can have a lock there.
    """
    try:
        import fcntl
    except ImportError:
        return _lock_byte(descriptor, wait)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise LocksMissing(error.errno, error.strerror) from None
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


class Room:
    """What a file system has left; None where it does not say, which 0 of anything may mean too.

    Attributes:
        bytes: That this user may still write.
        files: That this user may still make.
    """

    def __init__(self, descriptor: int | None, path: str | bytes) -> None:
        self.bytes: int | None = None
        self.files: int | None = None
        try:
            if hasattr(os, "statvfs"):
                said = os.statvfs(path if descriptor is None else descriptor)
                self.bytes = said.f_bavail * said.f_frsize or None
                self.files = said.f_favail if said.f_files else None
            else:
                import shutil

                self.bytes = shutil.disk_usage(path).free or None
        except (AttributeError, OSError):  # shutil has it where the host can say
            pass


def too_large(descriptor: int, size: int) -> str:
    """Return why no file of that size can be written where an empty file is open; empty if it can.

    Nothing is written: a position beyond what a file system can address cannot be reached.
    """
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and size > limit:
            return f"the limit of this shell is {limit} bytes a file (ulimit -f)"
    except ImportError:
        pass
    try:
        os.lseek(descriptor, size, os.SEEK_SET)
    except OSError:
        return "the file system takes no file that large, as FAT takes none of 4 GiB"
    return ""


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
    descriptor = os.open(path, OPEN_FOLDER)
    try:
        sync_folder(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(descriptor: int) -> None:
    """Do what `sync_directory` does for one that is open.

    Some file systems have nothing to do then and call it a mistake (CIFS, vboxsf, some FUSE).

    Raises:
        OSError: The host says that something was lost.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (*_NOT_OFFERED, errno.EBADF):
            raise


def sync_file(descriptor: int) -> bool:
    """Write one file to the disk; False if its file system cannot be asked.

    Raises:
        OSError: What was written to it is lost.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        return False
    return True


def sync_file_system(descriptor: int) -> bool:
    """Write all that is buffered for the file system of a descriptor; False where that is missing.

    Unlike sync(2) it does not wait for other disks, and from Linux 5.8 on it says when anything
    was lost on this one after the descriptor was opened.

    Raises:
        OSError: Something was lost.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, AttributeError, OSError):
        return False
    if call(descriptor) == 0:
        return True
    number = ctypes.get_errno()
    if number in _REFUSED:
        return False
    raise OSError(number, os.strerror(number))


_WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)


class WriteBack:
    """Has what was written to a file begin its way to the disk, and does not wait for it.

    A file system that is told nothing begins when half of the memory is full, or at the end, when
    somebody waits.  Nothing depends on this: only Linux has the call, and its answer is not asked.

    Attributes:
        call: sync_file_range(2); None where there is none.
    """

    def __init__(self) -> None:
        self.call: Any = None
        if not sys.platform.startswith("linux"):
            return
        try:
            import ctypes

            self.call = ctypes.CDLL(None).sync_file_range
            offset = ctypes.c_int64
            self.call.argtypes = [ctypes.c_int, offset, offset, ctypes.c_uint]
        except (ImportError, AttributeError, OSError):
            self.call = None

    def __call__(self, descriptor: int, offset: int, size: int) -> None:
        """Begin with some bytes of an open file."""
        if self.call is not None:
            self.call(descriptor, offset, size, _WRITE)


_IN_MEMORY = (0x01021994, 0x858458F6)  # tmpfs and ramfs; statfs(2)


def is_in_memory(descriptor: int) -> bool:
    """Whether the file system of a descriptor is this host's memory: nothing has to reach a disk.

    Only Linux says so, in the first word of what statfs(2) fills.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        said = (ctypes.c_long * 64)()  # more than any architecture's struct statfs
        if ctypes.CDLL(None, use_errno=True).fstatfs(descriptor, said):
            return False
    except (ImportError, AttributeError, OSError):
        return False
    return said[0] & 0xFFFFFFFF in _IN_MEMORY


class Interruptible:
    """Within it SIGTERM and SIGHUP do what Ctrl-C does: the program itself cleans up and ends.

    Who ignores them, as nohup does, is left alone; and only the main thread can be asked.
    """

    def __init__(self) -> None:
        import signal

        self._signal = signal
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        """Take over what would end the program without a word."""
        usual = (self._signal.SIG_DFL, self._signal.default_int_handler)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(self._signal, name, None)
            if number is None or self._signal.getsignal(number) not in usual:
                continue
            try:
                self._before.append((number, self._signal.signal(number, Uninterrupted.handle)))
            except ValueError:  # not the main thread
                return

    def __exit__(self, *error: object) -> None:
        """Give them back."""
        for number, before in self._before:
            self._signal.signal(number, before)


class Uninterrupted:
    """Within it an interrupt waits: what is made is also noted, so that it can be removed."""

    _depth = 0
    _came = False

    @classmethod
    def handle(cls, *arguments: object) -> None:
        """Stand for the handler of a signal."""
        if not cls._depth:
            raise KeyboardInterrupt
        cls._came = True

    def __enter__(self) -> None:
        """Begin."""
        Uninterrupted._depth += 1

    def __exit__(self, *error: object) -> None:
        """End, and have happen what waited."""
        Uninterrupted._depth -= 1
        if Uninterrupted._came and not Uninterrupted._depth:
            Uninterrupted._came = False
            raise KeyboardInterrupt


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
