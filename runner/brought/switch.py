"""A directory of the kit beside the old one, and a link that names it."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping

from runner.brought.action import ALONE, DONE, TO_DO, Action, Around, NotPossible
from runner.brought.placing import is_there, make_readable, name_of, put, take_away
from verifier.core.manifest import NAME
from verifier.folder import Folder

_MOST = 1000  # old versions that can be kept


class Switch(Action):
    """The directory ``from`` copied to ``to/name``, and the link ``to/link`` that names it.

    ``to/.LINK.before.NAME`` keeps what the link named before, for the way back without the medium.
    ``to/.LINK.versions`` lists what this step has placed, oldest first.  With ``keep`` only so many
    old ones of that list stay; what others have placed there is never removed.
    """

    def __init__(self, arguments: Mapping[str, str], around: Around = ALONE) -> None:
        super().__init__(arguments, around)
        self._to, self._name = arguments["to"], name_of(arguments, "name")
        self._place = os.path.join(self._to, self._name)
        self._link = name_of(arguments, "link", "current")
        keep = arguments.get("keep", str(_MOST))
        if not keep.isdecimal() or not 1 <= int(keep) <= _MOST:
            raise NotPossible(f"keep is {keep!r}, and not a number from 1 to {_MOST}")
        self._keep = int(keep)
        self._list = f".{self._link}.versions".encode()

    def _before(self, name: str) -> bytes:
        return f".{self._link}.before.{name}".encode()

    def _make(self, beside: str) -> None:
        shutil.copytree(self.arguments["from"], beside, dirs_exist_ok=True)
        make_readable(beside)

    def _is_there(self) -> bool:
        return is_there(self._place, lambda: _same(self.arguments["from"], self._place))

    def _named(self, folder: Folder) -> bytes:
        try:
            return folder.link_target(self._link.encode()) or b""
        except OSError:
            raise NotPossible(f"{self._link!r} in {self._to!r} is no link") from None

    # --- versions that this step has placed ------------------------------------------------------

    def _versions(self, folder: Folder) -> list[str]:
        if folder.look(self._list) is None:
            return []
        with os.fdopen(folder.read(self._list), "rb") as file:
            names = file.read(1 << 20).decode("ascii", "replace").split("\n")
        return [name for name in names if NAME.fullmatch(name)]

    def _write_versions(self, folder: Folder, names: list[str]) -> None:
        beside = self._list + b".new"
        folder.discard(beside)
        descriptor = folder.create(beside)
        with os.fdopen(descriptor, "wb") as file:
            file.write("".join(f"{name}\n" for name in names).encode())
            file.flush()
            os.fsync(descriptor)
        folder.replace(beside, self._list)
        folder.sync()

    def _too_old(self, folder: Folder) -> list[str]:
        """Return versions that are to go: of this step, not in use, and not the way back."""
        before = folder.link_target(self._before(self._name)) or b""
        used = {self._name, os.fsdecode(self._named(folder)), os.fsdecode(before)}
        names = self._versions(folder)
        old = [name for name in names if name != self._name]
        return [name for name in old[: -self._keep] if name not in used]

    def _forget(self, folder: Folder) -> None:
        for name in self._too_old(folder):
            take_away(self._to, name)
            folder.discard(self._before(name))
            self._write_versions(folder, [one for one in self._versions(folder) if one != name])

    # --- what the runner asks for ----------------------------------------------------------------

    def check(self) -> int:
        """Say whether the link names the copy, the copy is whole, and no version is too old."""
        with Folder.open(self._to) as folder:
            if self._named(folder) != self._name.encode() or not self._is_there():
                return TO_DO
            return TO_DO if self._too_old(folder) else DONE

    def apply(self) -> None:
        """Copy, note what the link names, have it name the copy, and then let old ones go."""
        if not self._is_there():
            put(self._to, self._name, self._make)
            with Folder.open(self._to) as folder:  # after it: what is not listed is never removed
                names = [one for one in self._versions(folder) if one != self._name]
                self._write_versions(folder, [*names, self._name])
        with Folder.open(self._to) as folder:
            now = self._named(folder)
            if now != self._name.encode():
                folder.put_link(self._before(self._name), now or b".")
                folder.put_link(self._link.encode(), self._name.encode())
                folder.sync()
            self._forget(folder)

    def undo_check(self) -> int:
        """Say whether the link names something else than the copy."""
        with Folder.open(self._to) as folder:
            return TO_DO if self._named(folder) == self._name.encode() else DONE

    def undo(self) -> None:
        """Have the link name what it named before; the copy stays, for whoever wants to look."""
        with Folder.open(self._to) as folder:
            if self._named(folder) != self._name.encode():
                return
            before = folder.link_target(self._before(self._name))
            if before is None:
                raise NotPossible("it is not known what the link named before")
            if before == b".":
                folder.unlink(self._link.encode())
            else:
                folder.put_link(self._link.encode(), before)
            folder.sync()


def _same(one: str, other: str) -> bool:
    """Whether two trees have the same names and contents."""
    names = sorted(os.listdir(one))
    if names != sorted(os.listdir(other)):
        return False
    for name in names:
        first, second = os.path.join(one, name), os.path.join(other, name)
        if os.path.isdir(first) != os.path.isdir(second):
            return False
        if os.path.isdir(first):
            if not _same(first, second):
                return False
        elif not filecmp.cmp(first, second, shallow=False):
            return False
    return True
