"""Releases in a directory: of this host, a disk that travels, or a file server that is mounted."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from pathlib import Path

from kit.container.output import new_file, partial_of, refused, sweep
from kit.errors import OutputExists, OutputUnwritable, show
from kit.net.download import Wanted
from kit.places.errors import (
    NoConditionalWrite,
    PlaceDiffers,
    PlaceInvalid,
    PlaceUnauthorized,
    PlaceUnreachable,
)
from kit.places.model import PART, Measured, Progress, entry_key, object_key
from kit.releases.record import MAX_ENTRY, File, Record
from verifier.core.errors import KitError

_OLD = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_PATIENCE_SECONDS = 60.0  # another run creates an entry within milliseconds, if its disk does


class DirectoryPlace:
    """A place below one directory.

    Args:
        path: It is made when it is first written to.
    """

    alone = False

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self.where = show(path)
        self._progress = progress or (lambda name, done, total: None)

    def entry(self, line: str, n: int) -> bytes | None:
        """Return an entry as it lies there; None if there is none.

        Raises:
            PlaceInvalid: There is no such directory, or something else has the name.
            PlaceUnreachable: The disk does not answer.
        """
        path = self.path / entry_key(line, n)
        try:
            with open(os.open(path, _OLD), "rb") as stream:
                return stream.read(MAX_ENTRY + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(error, path) from None

    def wanted(self, line: str, n: int, file: File) -> Wanted:
        """Return how a file of an entry is fetched: it is copied."""
        del line, n
        url = (self.path.absolute() / object_key(file)).as_uri()
        return Wanted(file.name, (url,), file.sha256, file.size)

    def probe(self) -> None:
        """See whether the directory can be written.

        Raises:
            KitError: It cannot.
        """
        self._make(self.path)
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PlaceUnauthorized("this user may not write there", where=self.where)

    def rights(self) -> tuple[str, ...]:
        """See whether files can be made there, and names taken exclusively.

        Raises:
            KitError: They cannot.
        """
        self.probe()
        self._check_links(self.path)
        return ("create", "create once")

    def put(self, measured: Measured) -> bool:
        """Copy a file under its digest; return False if it was there.

        Raises:
            PlaceDiffers: The file changed since it was measured.
            KitError: The host refuses.
        """
        path = self.path / object_key(measured.file)
        if os.path.lexists(path):  # looked at once: another run may give it its name at any moment
            if _has(path, measured.file):
                if os.path.lexists(partial_of(path)):  # a run was killed just after it had its name
                    sweep(path.parent)
                return False
            # no run of ours leaves half a file under this name
            raise PlaceDiffers(f"is no file of {measured.file.size} bytes", where=show(path))
        self._make(path.parent)
        try:
            with new_file(path) as descriptor:
                self._copy(measured, descriptor, path)
        except OutputExists:
            if not _has(path, measured.file):  # another run is at it
                self._wait(path, measured.file)
            return False
        return True

    def _copy(self, measured: Measured, descriptor: int, path: Path) -> None:
        digest, done = hashlib.sha256(), 0
        try:
            with (
                measured.open() as source,
                open(descriptor, "wb", closefd=False) as stream,
            ):
                while data := source.read(PART):
                    digest.update(data)
                    stream.write(data)
                    done += len(data)
                    self._progress(measured.file.name, done, measured.file.size)
        except OSError as error:
            raise refused(error, path) from None
        if (done, digest.hexdigest()) != (measured.file.size, measured.file.sha256):
            raise PlaceDiffers("has changed since it was read", where=show(measured.path))

    def _wait(self, path: Path, file: File) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            if _has(path, file):
                return
            time.sleep(0.02)
        raise PlaceUnreachable("another run has been writing it for too long", where=show(path))

    def begin(self, file: File) -> None:
        """Nothing is taken before it is known."""

    def create(self, record: Record, data: bytes) -> bool:
        """Create an entry by a link, which fails if there is one; return False then.

        Raises:
            NoConditionalWrite: The file system has no links.
            KitError: The host refuses.
        """
        path = self.path / entry_key(record.line, record.n)
        self._make(path.parent)
        self._check_links(path.parent)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                with new_file(path) as descriptor, open(descriptor, "wb", closefd=False) as stream:
                    stream.write(data)
                return True
            except OutputExists:
                if os.path.lexists(path):
                    return False
                time.sleep(0.02)  # another run is at it, and may yet fail
            except OutputUnwritable:
                if os.path.lexists(path):
                    return False
                raise
        raise PlaceUnreachable("another run has been writing it for too long", where=show(path))

    def _check_links(self, directory: Path) -> None:
        """See that the file system has hard links: without them a name is not taken exclusively."""
        one, two = directory / ".offline-kit-probe", directory / f".offline-kit-probe-{os.getpid()}"
        try:
            os.close(os.open(one, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644))
            os.link(one, two, follow_symlinks=False)
            os.unlink(two)
        except (FileExistsError, FileNotFoundError):
            pass  # another run is trying the same
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise NoConditionalWrite(
                    "this file system has no hard links",
                    where=show(directory),
                    fix="Publish to a directory on another file system, and mirror from there.",
                ) from None
            raise _failed(error, directory) from None

    def _make(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failed(error, directory) from None


def _has(path: Path, file: File) -> bool:
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size == file.size


def _failed(error: OSError, path: Path) -> KitError:
    where, why = show(path), error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PlaceUnauthorized(why, where=where)
    if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO):
        return PlaceInvalid(why, where=where)
    return PlaceUnreachable(why, where=where)
