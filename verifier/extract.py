"""Writes a kit's members while they are being checked; nothing shows before all of it is proved.

Everything goes into a staging directory beside the target, which is renamed at the very end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterator

from verifier import _compat
from verifier.core.errors import DiskFull, KitError, TargetBusy, TargetExists, TargetUnwritable
from verifier.core.lists import Index
from verifier.core.names import HEAD
from verifier.core.pipeline import Opened

_SUFFIX = ".offline-kit-partial"


def staging_of(target: str) -> str:
    """Return the staging directory of a target: always the same, so that a later run cleans up."""
    directory, name = os.path.split(os.path.abspath(target))
    return os.path.join(directory, f".{name}{_SUFFIX}")


def _failed(error: OSError, path: str) -> KitError:
    where = repr(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("there is no space left", where=where)
    return TargetUnwritable(error.strerror or str(error), where=where)


class Extraction:
    """A staging directory that becomes the target, or goes away.

    Whoever makes one calls `abort` at the end: without `finish` it removes what was written.
    """

    def __init__(self, target: str) -> None:
        """Make the staging directory; one that an earlier run left behind is removed first.

        Raises:
            TargetExists: The target is there already.
            TargetBusy: Another run is writing it.
            TargetUnwritable: The host refuses.
        """
        self.target = _compat.long_path(os.path.abspath(target))
        self.staging = _compat.long_path(staging_of(target))
        if os.path.lexists(self.target):
            raise TargetExists("is there already", where=repr(target))
        self._lock: int | None = None
        try:
            self._lock = _compat.take_lock(self._lock_file)
            if self._lock is None:
                raise TargetBusy("is being written by another run", where=repr(target))
            if os.path.lexists(self.staging):
                shutil.rmtree(self.staging)
            os.mkdir(self.staging, 0o700)
        except OSError as error:
            self._unlock()
            raise _failed(error, self.staging) from None
        self._members: _Members | None = None

    @property
    def _lock_file(self) -> str:
        return self.staging + ".lock"

    def sink(self, opened: Opened, wanted: list[range] | None) -> _Members:
        """Return where members go; called when the index is known and before any is read.

        Raises:
            DiskFull: The members do not fit.
        """
        index = opened.index
        assert index is not None
        assert opened.manifest is not None
        ranges = [range(len(index))] if wanted is None else wanted
        need = sum(index.sizes[i] + 4096 for run in ranges for i in run)
        free = _compat.free_bytes(self.staging)
        if free is not None and free < need:
            raise DiskFull(f"{need} bytes are needed and {free} are free", where=repr(self.target))
        self._members = _Members(self.staging, index, opened.manifest.kit.mtime, wanted)
        return self._members

    def finish(self, opened: Opened) -> None:
        """Add the head members, make all of it durable and rename it to the target.

        Raises:
            TargetExists: The target has appeared meanwhile.
            TargetUnwritable: The host refuses.
        """
        assert self._members is not None
        try:
            for name, pieces in _head(opened):
                self._members.whole(name, pieces)
            self._members.close()
            os.chmod(self.staging, 0o755)
            _compat.sync_all()
            if os.path.lexists(self.target):
                raise TargetExists("has appeared meanwhile", where=repr(self.target))
            os.rename(self.staging, self.target)
            _compat.sync_directory(os.path.dirname(self.target))
        except OSError as error:
            raise _failed(error, self.target) from None
        self._members = None
        self._unlock()

    def abort(self) -> None:
        """Remove whatever was written."""
        if self._lock is not None:
            if self._members is not None:
                self._members.close()
            shutil.rmtree(self.staging, ignore_errors=True)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            _compat.drop_lock(self._lock, self._lock_file)
            self._lock = None


def _head(opened: Opened) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    assert opened.index is not None
    assert opened.table is not None
    yield HEAD[0].encode(), iter([opened.page[512:]])
    yield HEAD[1].encode(), iter([opened.roots[512:]])
    yield HEAD[2].encode(), opened.index.text()
    yield HEAD[3].encode(), opened.table.text()


class _Members:
    """Writes the wanted members below a directory; several threads at once."""

    def __init__(self, root: str, index: Index, mtime: int, wanted: list[range] | None) -> None:
        self._root = root
        self._index = index
        self._mtime = mtime
        self._wanted = wanted
        self._directories = {root}
        self._open: dict[int, tuple[int, str]] = {}
        self._written: dict[int, int] = {}
        self._change = threading.Lock()

    def _is_wanted(self, member: int) -> bool:
        return self._wanted is None or any(member in run for run in self._wanted)

    def _create(self, path: bytes) -> tuple[int, str]:
        full = os.path.join(self._root, *path.decode("utf-8").split("/"))
        self._make_directory(os.path.dirname(full))
        return os.open(full, _compat.OPEN_NEW, 0o600), full

    def _make_directory(self, path: str) -> None:
        """Make a directory and those above it, each with mode 0755 whatever the umask is."""
        if path in self._directories:
            return
        self._make_directory(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):  # another thread made it
            os.mkdir(path, 0o755)
        os.chmod(path, 0o755)
        self._directories.add(path)

    def _close(self, descriptor: int, path: str, executable: bool) -> None:
        _compat.set_executable(descriptor, path, executable)
        _compat.set_times(descriptor, path, self._mtime)
        _compat.sync_file(descriptor)
        os.close(descriptor)

    def small(self, member: int, data: memoryview) -> None:
        """Write a whole member; see `verifier.core.members.Sink`."""
        if not self._is_wanted(member):
            return
        path = self._index.paths(member, member + 1)[0]
        try:
            descriptor, full = self._create(path)
            _compat.write_at(descriptor, data, 0)
            self._close(descriptor, full, self._index.executable[member] == 1)
        except OSError as error:
            raise _failed(error, path.decode("utf-8")) from None

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Write a part of a member; see `verifier.core.members.Sink`."""
        if not self._is_wanted(member):
            return
        path = self._index.paths(member, member + 1)[0]
        try:
            with self._change:
                if member not in self._open:
                    self._open[member] = self._create(path)
                descriptor, full = self._open[member]
            _compat.write_at(descriptor, data, offset)
            with self._change:
                done = self._written.get(member, 0) + len(data)
                self._written[member] = done
                if done == self._index.sizes[member]:
                    del self._open[member], self._written[member]
                    self._close(descriptor, full, self._index.executable[member] == 1)
        except OSError as error:
            raise _failed(error, path.decode("utf-8")) from None

    def whole(self, path: bytes, pieces: Iterator[bytes]) -> None:
        """Write a member that is not in the index."""
        descriptor, full = self._create(path)
        at = 0
        for piece in pieces:
            _compat.write_at(descriptor, memoryview(piece), at)
            at += len(piece)
        self._close(descriptor, full, False)

    def close(self) -> None:
        """Close what is open."""
        for member, (descriptor, full) in self._open.items():
            self._close(descriptor, full, self._index.executable[member] == 1)
        self._open.clear()
