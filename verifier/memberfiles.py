"""Members as files: made below a directory that is held open, written, closed, and asked for again.

A write that a host took is not yet on the disk.  Thin volumes, sticks that claim more room than
they have and failing disks take everything and lose it later; the host says so only to who asks.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence

from verifier import _compat
from verifier.core.errors import DiskFull, FileTooLarge, KitError, TargetUnwritable, WritesLost
from verifier.core.lists import Index
from verifier.core.names import HEAD
from verifier.core.pipeline import Opened
from verifier.folder import Folder, Folders, split

_BLOCK = 4096  # bytes; what a file system keeps a hole of, mostly
_SPARSE_FROM = 64 * 1024  # bytes; below that a hole saves nothing worth a look
_ASKING = 8  # threads that ask for write-back: each mostly waits for the disk
_AT_ONCE = 256  # members a thread asks for before it looks for more


def failed(error: OSError, path: str) -> KitError:
    """Return our error for what the host says about writing ``path``."""
    where = repr(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("there is no space left", where=where)
    if error.errno == errno.EFBIG:
        return FileTooLarge("the host takes no file that large", where=where)
    return TargetUnwritable(error.strerror or str(error), where=where)


class MemberFiles:
    """Writes the wanted members below a directory; several threads at once.

    Attributes:
        refused: Whether a mode or a time could not be set.
    """

    def __init__(self, root: Folder, opened: Opened, wanted: list[range] | None) -> None:
        assert opened.index is not None
        assert opened.manifest is not None
        self._root = root
        self._index: Index = opened.index
        self._mtime = opened.manifest.kit.mtime
        self._wanted = wanted
        self._folders = Folders(root, make=True)
        self._latest: tuple[bytes, Folder] = (b"", root)
        self._begin = _compat.WriteBack()
        self._modes_stay = False  # whether a file has the mode that it is made with
        self._open: dict[int, tuple[int, bytes]] = {}
        self._written: dict[int, int] = {}
        self._change = threading.Lock()
        self._refused = False

    @property
    def refused(self) -> bool:
        """Whether a mode or a time could not be set."""
        return self._refused or self._folders.refused_modes

    @property
    def runs(self) -> Sequence[range]:
        """The numbers of the members that are written."""
        return [range(len(self._index))] if self._wanted is None else self._wanted

    def check_room(self, target: str) -> None:
        """See before the first byte that the file system can hold what comes.

        Raises:
            DiskFull: It has too few bytes, or too few files, left.
            FileTooLarge: A member is larger than any file there can be.
            OSError: The host refuses.
        """
        sizes, where = self._index.sizes, repr(target)
        room = _compat.Room(self._root.descriptor, self._root.path)
        need = sum(sizes[member] + 4096 for run in self.runs for member in run)
        if room.bytes is not None and room.bytes < need:
            raise DiskFull(f"{need} bytes are needed and {room.bytes} are free", where=where)
        files = sum(map(len, self.runs)) + len(HEAD)
        if room.files is not None and room.files < files:
            raise DiskFull(
                f"{files} files are needed, and the file system has room for {room.files} more,"
                " however small (no inodes are left)",
                where=where,
            )
        largest = max((sizes[member] for run in self.runs for member in run), default=0)
        why = self._try_files(largest)
        if why:
            raise FileTooLarge(f"a member has {largest} bytes, and {why}", where=where)

    def _try_files(self, largest: int) -> str:
        """Make a file of each mode, and see whether it has it; what made them has no other names.

        A umask may take bits from a mode, and a file system may have modes of its own.

        Returns:
            Why no file can have ``largest`` bytes; empty if one can.
        """
        name, why, stay = b".offline-kit-size", "", True
        for mode in (0o644, 0o755):
            descriptor = self._root.create(name, mode)
            try:
                stay &= stat.S_IMODE(os.fstat(descriptor).st_mode) == mode
                why = _compat.too_large(descriptor, largest)
            finally:
                os.close(descriptor)
                self._root.unlink(name)
        self._modes_stay = stay
        return why

    # --- writing -------------------------------------------------------------------------------

    def _is_wanted(self, member: int) -> bool:
        return self._wanted is None or any(member in run for run in self._wanted)

    def _create(self, path: bytes, mode: int) -> tuple[int, bytes]:
        """Return a new file, and what calls that want its path want; `_change` must be held."""
        directory, name = split(path)
        if directory != self._latest[0]:
            self._latest = directory, self._folders(directory)
        folder = self._latest[1]
        return folder.create(name, mode if self._modes_stay else 0o600), folder.name(name)

    def _mode(self, member: int) -> int:
        return 0o755 if self._index.executable[member] else 0o644

    def _close(self, descriptor: int, name: bytes, mode: int) -> None:
        try:
            kept = self._modes_stay or _compat.set_mode(descriptor, name, mode)
            kept &= _compat.set_times(descriptor, name, self._mtime)
            if not kept:
                self._refused = True
            if not _compat.HAS_FOLDERS:
                _compat.sync_file(descriptor)  # such a host cannot be asked later
        finally:
            os.close(descriptor)

    def _failed(self, error: OSError, path: bytes) -> KitError:
        if (
            error.errno == errno.ENOSPC
            and _compat.Room(self._root.descriptor, self._root.path).files == 0
        ):
            return DiskFull(
                "the file system has no room for one more file (no inodes are left)",
                where=repr(path.decode("utf-8")),
            )
        return failed(error, path.decode("utf-8"))

    def small(self, member: int, data: memoryview) -> None:
        """Write a whole member; see `verifier.core.members.Sink`."""
        if not self._is_wanted(member):
            return
        path, mode = self._index.paths(member, member + 1)[0], self._mode(member)
        try:
            with self._change:
                descriptor, name = self._create(path, mode)
            try:
                _write(descriptor, data, 0)
                _end(descriptor, data, len(data))
            except OSError:
                os.close(descriptor)
                raise
            self._close(descriptor, name, mode)
        except OSError as error:
            raise self._failed(error, path) from None

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Write a part of a member; see `verifier.core.members.Sink`."""
        if not self._is_wanted(member):
            return
        path, mode = self._index.paths(member, member + 1)[0], self._mode(member)
        try:
            with self._change:
                if member not in self._open:
                    self._open[member] = self._create(path, mode)
                descriptor, name = self._open[member]
            _write(descriptor, data, offset)
            self._begin(descriptor, offset, len(data))
            size = self._index.sizes[member]
            if offset + len(data) == size:
                _end(descriptor, data, size)
            with self._change:
                done = self._written.get(member, 0) + len(data)
                self._written[member] = done
                if done == size:
                    del self._open[member], self._written[member]
                    self._close(descriptor, name, mode)
        except OSError as error:
            raise self._failed(error, path) from None

    def whole(self, path: bytes, pieces: Iterator[bytes]) -> None:
        """Write a member that is not in the index."""
        with self._change:
            descriptor, name = self._create(path, 0o644)
        at = 0
        try:
            for piece in pieces:
                _compat.write_at(descriptor, memoryview(piece), at)
                at += len(piece)
        except BaseException:
            os.close(descriptor)
            raise
        self._close(descriptor, name, 0o644)

    def close(self) -> None:
        """Close what is open."""
        for descriptor, _ in self._open.values():
            os.close(descriptor)
        self._open.clear()
        self._folders.close()

    # --- asking --------------------------------------------------------------------------------

    def paths(self) -> Iterator[list[bytes]]:
        """Yield the paths of all that was written, some at a time."""
        yield [name.encode() for name in HEAD]
        for run in self.runs:
            for first in range(run.start, run.stop, _AT_ONCE):
                yield self._index.paths(first, min(run.stop, first + _AT_ONCE))


def _write(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all but the blocks of zeros: where nothing was written a file has zeros."""
    if len(data) < _SPARSE_FROM:
        _compat.write_at(descriptor, data, offset)
        return
    for first, last in _without_holes(data):
        _compat.write_at(descriptor, data[first:last], offset + first)


def _without_holes(data: memoryview) -> Iterator[tuple[int, int]]:
    """Yield the parts that are not whole blocks of zeros, counted from the start of the data."""
    whole = len(data) - len(data) % _BLOCK
    starts = data[:whole].cast("Q")[:: _BLOCK // 8].tolist()  # eight bytes tell for nearly all
    begin, zeros = 0, bytes(_BLOCK)
    if 0 in starts:
        for number, start in enumerate(starts):
            at = number * _BLOCK
            if start or data[at : at + _BLOCK].tobytes() != zeros:
                continue
            if begin < at:
                yield begin, at
            begin = at + _BLOCK
    if begin < len(data):
        yield begin, len(data)


def _end(descriptor: int, data: memoryview, size: int) -> None:
    """Give a file its size if its end is a hole: ``data`` is what ends it."""
    if len(data) >= _SPARSE_FROM and not any(data[-(len(data) % _BLOCK or _BLOCK) :]):
        os.ftruncate(descriptor, size)


def sync_all(parent: Folder, staging: Folder, members: MemberFiles) -> bool:
    """Have all that was written reach the disk, and ask for each file whether it did.

    The file system is written as a whole first, which is fast, and nobody else's is waited for;
    asking for each file then finds it written.

    Args:
        parent: A directory that was opened before anything was written: of what was lost since
            then the host tells it.
        staging: Where the members are.
        members: What was written.

    Returns:
        Whether the host could be asked.

    Raises:
        WritesLost: Something was lost.
    """
    if parent.descriptor is None:
        return True  # each file was synced when it was closed
    try:
        together = _compat.sync_file_system(parent.descriptor)
    except OSError as error:
        raise WritesLost(_lost(error), where=repr(os.fsdecode(staging.path))) from None
    asking = _Asking(staging, members.paths(), directories=not together)
    if not _compat.is_in_memory(parent.descriptor):
        asking.run()
    try:
        staging.sync()
    except OSError as error:
        raise WritesLost(_lost(error), where=repr(os.fsdecode(staging.path))) from None
    return asking.answered


def _lost(error: OSError) -> str:
    return f"what was written did not stay on the disk: {error.strerror or error}"


class _Asking:
    """Asks for each file whether it is on the disk, by several threads that wait for the disk."""

    def __init__(self, root: Folder, paths: Iterator[list[bytes]], *, directories: bool) -> None:
        self._root = root
        self._paths = paths
        self._directories = directories
        self._turn = threading.Lock()
        self._error: KitError | None = None
        self.answered = True

    def run(self) -> None:
        """Ask for all.

        Raises:
            WritesLost: The first that a thread met.
        """
        threads = [threading.Thread(target=self._work) for _ in range(_ASKING - 1)]
        started = list(filter(_started, threads))
        self._work()
        for thread in started:
            thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        folders = Folders(self._root, make=False, sync=self._directories)
        path = b""
        try:
            while self._error is None:
                with self._turn:
                    paths = next(self._paths, None)
                if paths is None:
                    return
                for path in paths:
                    self._ask(folders, path)
        except OSError as error:
            self._error = WritesLost(_lost(error), where=f"member {path.decode('utf-8')!r}")
        finally:
            folders.close()

    def _ask(self, folders: Folders, path: bytes) -> None:
        directory, name = split(path)
        descriptor = folders(directory).read(name)
        try:
            if not _compat.sync_file(descriptor):
                self.answered = False
        finally:
            os.close(descriptor)


def _started(thread: threading.Thread) -> bool:
    """Start a thread, if the host has one to spare."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
