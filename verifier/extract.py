"""Writes a kit's members while they are being checked; nothing shows before all of it is proved.

Everything goes into a staging directory beside the target, which is renamed at the very end.  Both
are held open all the time (`verifier.folder`): whoever may write beside them can disturb a run, and
cannot have it write elsewhere, or pass off another directory as what was written.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from verifier import _compat
from verifier.core.errors import (
    TargetBusy,
    TargetExchanged,
    TargetExists,
    TargetExposed,
    TargetUnwritable,
)
from verifier.core.names import HEAD
from verifier.core.pipeline import Opened
from verifier.folder import Folder
from verifier.memberfiles import MemberFiles, failed, sync_all

_SUFFIX = ".offline-kit-partial"
_NO_LOCKS = "this file system has no locks: two runs into one place keep apart by names alone"
_NO_MODES = "modes and times were not set: the file system of the target does not take them"
_NOT_ASKED = "that the disk has kept all that was written: its file system cannot be asked"


def staging_of(target: str) -> str:
    """Return the staging directory of a target: always the same, so that a later run cleans up."""
    directory, name = os.path.split(os.path.abspath(target))
    return os.path.join(directory, f".{name}{_SUFFIX}")


class Extraction:
    """A staging directory that becomes the target, or goes away.

    Whoever makes one calls `abort` at the end: without `finish` it removes what was written.

    Attributes:
        noted: Sentences about what this host could not do.
    """

    def __init__(self, target: str, *, shared: bool = False) -> None:
        """Make the staging directory; one that an earlier run left behind is removed first.

        Args:
            target: The directory to make.
            shared: Whether others may write the directory above it.

        Raises:
            TargetExists: The target is there already.
            TargetExposed: Others may write the directory above it.
            TargetBusy: Another run is writing it.
            TargetUnwritable: The host refuses.
        """
        self._shown = repr(target)
        self._lock: int | None = None
        self._staging: Folder | None = None
        self._members: MemberFiles | None = None
        self.noted: list[str] = []
        try:
            self.target = _compat.long_path(os.path.abspath(target))
            above, name = os.path.split(self.target)
            if not name:
                raise TargetExists("is there already", where=self._shown)
            self._name = os.fsencode(name)
            self._hidden = b"." + self._name + _SUFFIX.encode()
            self._written = self._hidden  # the name of what was written, as long as it can fail
            self._parent = Folder.open(above)
        except OSError as error:
            raise failed(error, target) from None
        try:
            self._begin(shared)
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                raise failed(error, target) from None
            raise

    def _begin(self, shared: bool) -> None:
        who = _compat.whoever_else_renames(self._parent.status())
        if self._parent.look(self._name) is not None:
            raise TargetExists("is there already", where=self._shown)
        if who and not shared:
            where = repr(os.fsdecode(self._parent.path))
            raise TargetExposed(f"can be changed by {who}", where=where)
        try:
            self._lock = self._parent.take_lock(self._lock_name)
            if self._lock is None:
                raise TargetBusy("is being written by another run", where=self._shown)
        except _compat.LocksMissing:
            self.noted.append(_NO_LOCKS)
        self._clear_away(who)
        self._staging = self._parent.make(self._hidden, 0o700)

    def _clear_away(self, who: str) -> None:
        """Remove what a killed run left; what may be somebody else's stays, and stops us."""
        status = self._parent.look(self._hidden)
        if status is None:
            return
        where = repr(os.fsdecode(self._hidden))
        if self._lock is None:
            raise TargetBusy(
                "is there: another run is writing, or was killed and this file system has no locks"
                " to tell; if none is, remove it",
                where=where,
            )
        if who or _compat.own_user() not in (None, status.st_uid):
            raise TargetUnwritable("is there, and may be somebody else's: remove it", where=where)
        self._parent.remove(self._hidden)

    @property
    def _lock_name(self) -> bytes:
        return self._hidden + b".lock"

    def sink(self, opened: Opened, wanted: list[range] | None) -> MemberFiles:
        """Return where members go; called when the index is known and before any is read.

        Raises:
            DiskFull: The members do not fit.
            FileTooLarge: One of them does not.
        """
        assert self._staging is not None
        self._members = MemberFiles(self._staging, opened, wanted)
        try:
            self._members.check_room(self.target)
        except OSError as error:
            raise failed(error, self.target) from None
        return self._members

    def finish(self, opened: Opened) -> None:
        """Add the head members, make all of it durable and rename it to the target.

        Raises:
            TargetExists: The target has appeared meanwhile.
            TargetExchanged: Somebody exchanged what was written for something else.
            WritesLost: The disk did not keep what was written.
            TargetUnwritable: The host refuses.
        """
        assert self._members is not None
        assert self._staging is not None
        try:
            for name, pieces in _head(opened):
                self._members.whole(name, pieces)
            self._members.close()
            refused = not self._staging.set_mode(0o755)
            if not sync_all(self._parent, self._staging, self._members):
                self.noted.append(_NOT_ASKED)
            if refused or self._members.refused:
                self.noted.append(_NO_MODES)
            self._publish(self._staging)
        except OSError as error:
            raise failed(error, self.target) from None
        opened.noted += self.noted
        self._staging.close()
        self._staging = self._members = None

    def _publish(self, staging: Folder) -> None:
        if self._parent.look(self._name) is not None:
            raise TargetExists("has appeared meanwhile", where=repr(self.target))
        self._check(staging, self._parent.look(self._hidden))
        self._parent.rename(self._hidden, self._name)
        self._written = self._name
        self._check(staging, self._parent.look(self._name))
        self._check(staging, _look(self.target))
        self._parent.sync()

    def _check(self, staging: Folder, found: os.stat_result | None) -> None:
        if not staging.is_at(found):
            raise TargetExchanged(
                "somebody put something else in the place of what was written",
                where=repr(self.target),
            )

    def abort(self) -> None:
        """Remove whatever was written and is not finished, and let others in."""
        if self._members is not None:
            self._members.close()
        if self._staging is not None:
            with contextlib.suppress(OSError):  # the next run tries again
                self._parent.remove(self._written, self._staging)
            self._staging.close()
            self._staging = None
        if self._lock is not None:
            self._parent.drop_lock(self._lock, self._lock_name)
            self._lock = None
        self._parent.close()


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _head(opened: Opened) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    assert opened.index is not None
    assert opened.table is not None
    yield HEAD[0].encode(), iter([opened.page[512:]])
    yield HEAD[1].encode(), iter([opened.roots[512:]])
    yield HEAD[2].encode(), opened.index.text()
    yield HEAD[3].encode(), opened.table.text()
