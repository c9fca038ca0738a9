"""Directories that are held open, so that nobody can exchange them under a run.

A path is looked up anew by every call, and whoever may write one of the directories in it decides
what it means.  A `Folder` is looked up once; what is in it has a name of one component, looked up
from the open directory and never through a link.  Where a host lacks such calls (Windows), each
name is looked up by its path: there only the access list keeps others out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from verifier import _compat

_DEEPEST = 128  # what a run leaves behind is at most 65 deep (FORMAT 6.3)


class Folder:
    """A directory that is held open until `close`.

    Attributes:
        path: Where it was when it was opened, for messages and for hosts without such calls.
        descriptor: It, open; None on such hosts.
    """

    def __init__(self, path: bytes, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor
        self.identity = self._identity()

    @classmethod
    def open(cls, path: str | bytes, *, follow: bool = True) -> Folder:
        """Open a directory by its path.

        Args:
            path: The directory.
            follow: Whether it may be a link; those before its last component may always be.

        Raises:
            OSError: It is not there, no directory, a link, or not to be read.
        """
        name = os.fsencode(path)
        if _compat.HAS_FOLDERS:
            flags = _compat.OPEN_FOLDER if follow else _compat.OPEN_FOLDER_HERE
            return cls(name, os.open(name, flags))
        return cls._by_path(name, follow)

    @classmethod
    def _by_path(cls, name: bytes, follow: bool) -> Folder:
        status = os.stat(name, follow_symlinks=follow)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return cls(name, None)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; its names cannot be looked up any more."""
        if self.descriptor is not None and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    # --- itself --------------------------------------------------------------------------------

    def status(self) -> os.stat_result:
        """Return what the host says about it."""
        if self.descriptor is None:
            return os.lstat(self.path)
        return os.fstat(self.descriptor)

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells it from others; None where that is another at each look (some FUSE)."""
        first, second = (
            (status.st_dev, status.st_ino) for status in (self.status(), self.status())
        )
        return first if first == second else None

    def is_at(self, status: os.stat_result | None) -> bool:
        """Whether that is what the host says about it, as far as the host can tell."""
        if status is None or not stat.S_ISDIR(status.st_mode):
            return False
        return self.identity is None or self.identity == (status.st_dev, status.st_ino)

    def set_mode(self, mode: int) -> bool:
        """Give it a mode; False if its file system refuses."""
        return _compat.set_mode(-1 if self.descriptor is None else self.descriptor, self.path, mode)

    def sync(self) -> None:
        """Make names in it survive a power cut, where the host can.

        Raises:
            OSError: The host says that something was lost.
        """
        if self.descriptor is not None:
            _compat.sync_folder(self.descriptor)

    # --- what is in it -------------------------------------------------------------------------

    def name(self, name: bytes) -> bytes:
        """Return what calls of `os` want beside ``dir_fd``."""
        return os.path.join(self.path, name) if self.descriptor is None else name

    def names(self) -> list[bytes]:
        """Return the names in it, in order."""
        where = self.path if self.descriptor is None else self.descriptor
        return sorted(map(os.fsencode, os.listdir(where)))

    def look(self, name: bytes) -> os.stat_result | None:
        """Return what the host says about what has a name, a link itself; None if nothing has."""
        try:
            return os.stat(self.name(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def sub(self, name: bytes) -> Folder:
        """Open a directory in it; a link is refused.

        Raises:
            OSError: There is none, or something else has the name.
        """
        path = os.path.join(self.path, name)
        if self.descriptor is None:
            return Folder._by_path(path, follow=False)
        flags = _compat.OPEN_FOLDER_HERE
        return Folder(path, os.open(name, flags, dir_fd=self.descriptor))

    def make(self, name: bytes, mode: int) -> Folder:
        """Make a directory in it, with that mode whatever the umask is, and open it.

        Raises:
            OSError: The name is taken, the host refuses, or something else has the name by now.
        """
        os.mkdir(self.name(name), mode, dir_fd=self.descriptor)
        made = self.sub(name)
        try:
            made.check_new()
            made.set_mode(mode)
        except BaseException:
            with contextlib.suppress(OSError):
                if made.is_at(self.look(name)):
                    os.rmdir(self.name(name), dir_fd=self.descriptor)
            made.close()
            raise
        return made

    def check_new(self) -> None:
        """See that this is the directory that was made a moment ago, and no one else's.

        Raises:
            OSError: It has another owner than what we make in it, or holds something.
        """
        if self.names():
            raise FileExistsError(errno.EEXIST, "was exchanged for another directory", self.path)
        if _compat.own_user() in (None, self.status().st_uid):
            return
        name = b".offline-kit-owner"  # NFS and FAT may call us by the number of somebody else
        descriptor = self.create(name)
        try:
            owner = os.fstat(descriptor).st_uid
        finally:
            os.close(descriptor)
            self.unlink(name)
        if self.status().st_uid != owner:
            raise PermissionError(errno.EPERM, "belongs to somebody else", self.path)

    def create(self, name: bytes, mode: int = 0o600) -> int:
        """Return a new file in it, open for writing, that only this user can open unless told so.

        Raises:
            OSError: The name is taken, or the host refuses.
        """
        return os.open(self.name(name), _compat.OPEN_NEW, mode, dir_fd=self.descriptor)

    def read(self, name: bytes) -> int:
        """Return a file in it, open for reading; a link is refused.

        Raises:
            OSError: There is none, it is a link, or the host refuses.
        """
        self._refuse_link(name)
        return os.open(self.name(name), _compat.OPEN_TRUSTED, dir_fd=self.descriptor)

    def _refuse_link(self, name: bytes) -> None:
        """Refuse a link where an open cannot do so by itself."""
        status = self.look(name) if _compat.OPENS_LINKS else None
        if status is not None and stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)

    def rename(self, old: bytes, new: bytes) -> None:
        """Rename something in it to a name that nothing should have."""
        here = self.descriptor
        os.rename(self.name(old), self.name(new), src_dir_fd=here, dst_dir_fd=here)

    def replace(self, old: bytes, new: bytes) -> None:
        """Rename a file in it; what has the new name is replaced."""
        here = self.descriptor
        os.replace(self.name(old), self.name(new), src_dir_fd=here, dst_dir_fd=here)

    def link_target(self, name: bytes) -> bytes | None:
        """Return what a link in it names; None if nothing has the name."""
        try:
            return os.readlink(self.name(name), dir_fd=self.descriptor)
        except FileNotFoundError:
            return None

    def put_link(self, name: bytes, target: bytes) -> None:
        """Make a name in it a link, by one rename: it names the old or the new at every moment."""
        beside = b"." + name + b".new"
        self.discard(beside)  # of a run that was killed
        os.symlink(target, self.name(beside), dir_fd=self.descriptor)
        self.replace(beside, name)

    def give(self, old: bytes, new: bytes) -> None:
        """Rename a file in it to a name that nothing has; what has it is never replaced.

        Raises:
            FileExistsError: Something has the name.
            OSError: The host refuses.
        """
        here = self.descriptor
        try:
            os.link(self.name(old), self.name(new), src_dir_fd=here, dst_dir_fd=here)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # a file system without hard links, such as FAT
            if self.look(new) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
            self.rename(old, new)
        else:
            self.unlink(old)

    def unlink(self, name: bytes) -> None:
        """Remove a file or link from it."""
        os.unlink(self.name(name), dir_fd=self.descriptor)

    def discard(self, name: bytes) -> None:
        """Remove a file or link from it, if that can be done."""
        with contextlib.suppress(OSError):
            self.unlink(name)

    def remove(self, name: bytes, folder: Folder | None = None) -> None:
        """Remove a directory with all that is in it, never through a link.

        Args:
            name: Its name.
            folder: It, if it is open; then nothing else of that name is removed.

        Raises:
            OSError: It cannot be removed, or is no directory.
        """
        if folder is None:
            with self.sub(name) as opened:
                opened.clear()
        else:
            folder.clear()
            if not folder.is_at(self.look(name)):
                return
        os.rmdir(self.name(name), dir_fd=self.descriptor)

    def clear(self, depth: int = 0) -> None:
        """Remove all that is in it, never through a link.

        Raises:
            OSError: Something cannot be removed.
        """
        if depth > _DEEPEST:
            raise OSError(errno.ELOOP, "too many directories in each other", self.path)
        for name in self.names():
            status = self.look(name)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                with self.sub(name) as below:
                    below.clear(depth + 1)
                os.rmdir(self.name(name), dir_fd=self.descriptor)
            else:
                self.unlink(name)

    # --- locks ---------------------------------------------------------------------------------

    def open_lock(self, name: bytes) -> int:
        """Open a lock file in it, made if it is not there; a link in its place is refused."""
        self._refuse_link(name)
        return os.open(self.name(name), _compat.OPEN_LOCK, 0o600, dir_fd=self.descriptor)

    def take_lock(self, name: bytes) -> int | None:
        """Return an open lock file, made if it is not there; None if another run has it.

        `drop_lock` gives it back.

        Raises:
            LocksMissing: The file system has no locks; no file is left.
            OSError: The lock file cannot be opened.
        """
        while True:
            descriptor = self.open_lock(name)
            try:
                if not _compat.lock(descriptor):
                    os.close(descriptor)
                    return None
            except _compat.LocksMissing:
                self.drop_lock(descriptor, name)
                raise
            if _compat.KEEPS_OPEN_NAMES or self.names_file(descriptor, name):
                return descriptor
            os.close(descriptor)  # another run removed it between our open and our lock

    def names_file(self, descriptor: int, name: bytes) -> bool:
        """Whether an open file is what has a name, as far as the host can tell."""
        named, first, second = self.look(name), os.fstat(descriptor), os.fstat(descriptor)
        if named is None or not stat.S_ISREG(named.st_mode):
            return False
        return not os.path.samestat(first, second) or os.path.samestat(first, named)

    def drop_lock(self, descriptor: int, name: bytes) -> None:
        """Remove a lock file and end its lock."""
        try:
            self.unlink(name)  # before the lock ends: what is removed is ours
        except OSError:
            os.close(descriptor)  # Windows: not while it is open
            self.discard(name)  # another run may have it open already, and will remove it
        else:
            os.close(descriptor)


class Folders:
    """The directories below one, some of them held open: the last that were asked for.

    Not for several threads at once.
    """

    _KEPT = 8

    def __init__(self, root: Folder, *, make: bool, sync: bool = False) -> None:
        """Begin at a directory.

        Args:
            root: The directory; it stays open.
            make: Whether what is not there is made, with mode 0755.
            sync: Whether each is synced when it is opened.
        """
        self._root = root
        self._make = make
        self._sync = sync
        self._open: dict[bytes, Folder] = {}
        self.refused_modes = False

    def __call__(self, path: bytes) -> Folder:
        """Return the directory at a path of components between ``/``; empty for the first.

        It stays open until others were asked for.

        Raises:
            OSError: It is not there, or cannot be made.
        """
        if not path:
            return self._root
        found = self._open.pop(path, None)
        if found is None:
            above, _, name = path.rpartition(b"/")
            found = self._enter(self(above), name)
            if len(self._open) >= self._KEPT:
                self._open.pop(next(iter(self._open))).close()
        self._open[path] = found
        return found

    def _enter(self, above: Folder, name: bytes) -> Folder:
        if self._make:
            try:
                os.mkdir(above.name(name), 0o755, dir_fd=above.descriptor)
            except FileExistsError:
                return above.sub(name)
            made = above.sub(name)
            if not made.set_mode(0o755):
                self.refused_modes = True
            return made
        found = above.sub(name)
        if self._sync:
            found.sync()
        return found

    def close(self) -> None:
        """Close all of them but the first."""
        for folder in self._open.values():
            folder.close()
        self._open.clear()


def split(path: bytes) -> tuple[bytes, bytes]:
    """Return the directory and the name of a member."""
    directory, _, name = path.rpartition(b"/")
    return directory, name
