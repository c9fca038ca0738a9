"""A version beside the old one: wheels unpacked, directories copied, and a link that names one.

What is made is made under another name and renamed at the end, so that it is whole or not there;
what was there before is never removed, and a directory of another origin is refused.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import zipfile
from collections.abc import Mapping

from runner import wheels
from runner.brought.action import DONE, TO_DO, Action, NotPossible
from runner.errors import PreflightFailed
from verifier.core.manifest import NAME
from verifier.folder import Folder


def _name(arguments: Mapping[str, str], key: str, default: str = "") -> str:
    name = arguments.get(key, default)
    if not NAME.fullmatch(name):
        raise NotPossible(f"{key} {name!r} is no name")
    return name


class _Placed(Action):
    """Something that becomes the directory ``to/name``."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        super().__init__(arguments)
        self.to, self.name = arguments["to"], _name(arguments, "name")
        self.place = os.path.join(self.to, self.name)

    def make(self, beside: str) -> None:
        """Write into a new directory what the place shall be."""
        raise NotImplementedError

    def is_there(self) -> bool:
        """Whether the place is what it shall be.

        Raises:
            NotPossible: Something else is there.
        """
        raise NotImplementedError

    def put(self) -> None:
        """Make the place, whole or not at all."""
        if self.is_there():
            return
        beside = os.path.join(self.to, f".{self.name}.new")
        shutil.rmtree(beside, ignore_errors=True)  # of an attempt that was killed
        os.mkdir(beside, 0o755)
        self.make(beside)
        with Folder.open(self.to) as folder:
            folder.rename(os.path.basename(beside).encode(), self.name.encode())
            folder.sync()


class InstallWheels(_Placed):
    """The wheels below ``from`` that fit this Python, unpacked into ``to/name``."""

    _MARK = ".offline-kit-wheels"  # the names of the wheels, so that a check needs no digest

    def _chosen(self) -> list[str]:
        found = []
        for here, folders, names in os.walk(self.arguments["from"]):
            folders.sort()
            found += [os.path.join(here, name) for name in sorted(names) if name.endswith(".whl")]
        if not found:
            raise NotPossible("there is no wheel")
        try:
            return wheels.choose(found, wheels.this_host())
        except (PreflightFailed, zipfile.BadZipFile) as error:
            raise NotPossible(str(error.args[0])) from None

    def _text(self) -> str:
        return "".join(f"{os.path.basename(path)}\n" for path in self._chosen())

    def make(self, beside: str) -> None:
        """Unpack them."""
        for path in self._chosen():
            try:
                wheels.unpack(path, beside)
            except (PreflightFailed, zipfile.BadZipFile) as error:
                raise NotPossible(str(error.args[0])) from None
        with open(os.path.join(beside, self._MARK), "w", encoding="utf-8") as file:
            file.write(self._text())

    def is_there(self) -> bool:
        """Whether the same wheels were unpacked there."""
        if not os.path.lexists(self.place):
            return False
        try:
            with open(os.path.join(self.place, self._MARK), encoding="utf-8") as file:
                same = file.read() == self._text()
        except (OSError, UnicodeDecodeError):
            same = False
        if not same:
            raise NotPossible(f"{self.place!r} is there, and is something else")
        return True

    def check(self) -> int:
        """Say whether they are there."""
        return DONE if self.is_there() else TO_DO

    def apply(self) -> None:
        """Unpack them."""
        self.put()

    def undo_check(self) -> int:
        """Say whether they are gone."""
        return TO_DO if self.is_there() else DONE

    def undo(self) -> None:
        """Remove them; only what is_there knows for its own is removed."""
        if self.is_there():
            gone = os.path.join(self.to, f".{self.name}.old")
            os.rename(self.place, gone)
            shutil.rmtree(gone)


class Switch(_Placed):
    """The directory ``from`` copied to ``to/name``, and the link ``to/link`` that names it.

    ``to/.LINK.before`` keeps what the link named before, for the way back without the medium.
    """

    def __init__(self, arguments: Mapping[str, str]) -> None:
        super().__init__(arguments)
        self.link = _name(arguments, "link", "current")
        self._before = f".{self.link}.before.{self.name}".encode()

    def make(self, beside: str) -> None:
        """Copy it."""
        shutil.copytree(self.arguments["from"], beside, dirs_exist_ok=True)
        for here, _, names in os.walk(beside):  # the umask of a run is 077
            os.chmod(here, 0o755)
            for name in names:
                path = os.path.join(here, name)
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)

    def is_there(self) -> bool:
        """Whether the copy is there, file by file."""
        if not os.path.lexists(self.place):
            return False
        if not _same(self.arguments["from"], self.place):
            raise NotPossible(f"{self.place!r} is there, and is something else")
        return True

    def _named(self, folder: Folder) -> bytes:
        try:
            return folder.link_target(self.link.encode()) or b""
        except OSError:
            raise NotPossible(f"{self.link!r} in {self.to!r} is no link") from None

    def check(self) -> int:
        """Say whether the link names the copy, and the copy is whole."""
        with Folder.open(self.to) as folder:
            return DONE if self._named(folder) == self.name.encode() and self.is_there() else TO_DO

    def apply(self) -> None:
        """Copy, note what the link names, and then have it name the copy."""
        self.put()
        with Folder.open(self.to) as folder:
            now = self._named(folder)
            if now != self.name.encode():
                folder.put_link(self._before, now or b".")
                folder.put_link(self.link.encode(), self.name.encode())
                folder.sync()

    def undo_check(self) -> int:
        """Say whether the link names something else than the copy."""
        with Folder.open(self.to) as folder:
            return TO_DO if self._named(folder) == self.name.encode() else DONE

    def undo(self) -> None:
        """Have the link name what it named before; the copy stays, for whoever wants to look."""
        with Folder.open(self.to) as folder:
            if self._named(folder) != self.name.encode():
                return
            before = folder.link_target(self._before)
            if before is None:
                raise NotPossible("it is not known what the link named before")
            if before == b".":
                folder.unlink(self.link.encode())
            else:
                folder.put_link(self.link.encode(), before)
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
