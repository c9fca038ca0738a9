"""Wheels of the kit in a directory, or a virtual environment, of their own."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping

from runner import wheels
from runner.brought import environment
from runner.brought.action import ALONE, DONE, TO_DO, Action, Around, NotPossible
from runner.brought.placing import flag_of, is_there, make_readable, name_of, put, take_away
from runner.errors import PreflightFailed

_MARK = ".offline-kit-wheels"  # the names of the wheels, so that a check needs no digest


class InstallWheels(Action):
    """The wheels below ``from`` that fit this Python, unpacked into ``to/name``.

    With ``venv = yes`` the place is a virtual environment of the Python of the run, with the
    scripts that the wheels name.
    """

    def __init__(self, arguments: Mapping[str, str], around: Around = ALONE) -> None:
        super().__init__(arguments, around)
        self._to, self._name = arguments["to"], name_of(arguments, "name")
        self._place = os.path.join(self._to, self._name)
        self._venv = flag_of(arguments, "venv")

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
        names = "".join(f"{os.path.basename(path)}\n" for path in self._chosen())
        return names + ("a virtual environment\n" if self._venv else "")

    def _make(self, beside: str) -> None:
        target = environment.make(beside) if self._venv else beside
        try:
            for path in self._chosen():
                wheels.unpack(path, target)
            if self._venv:
                environment.write_scripts(beside, target, self._place)
        except (PreflightFailed, zipfile.BadZipFile) as error:
            raise NotPossible(str(error.args[0])) from None
        with open(os.path.join(beside, _MARK), "w", encoding="utf-8") as file:
            file.write(self._text())
        make_readable(beside)

    def _is_there(self) -> bool:
        return is_there(self._place, self._is_same)

    def _is_same(self) -> bool:
        """Whether the same wheels were unpacked there."""
        try:
            with open(os.path.join(self._place, _MARK), encoding="utf-8") as file:
                return file.read() == self._text()
        except (OSError, UnicodeDecodeError):
            return False

    def check(self) -> int:
        """Say whether they are there."""
        return DONE if self._is_there() else TO_DO

    def apply(self) -> None:
        """Unpack them."""
        if not self._is_there():
            put(self._to, self._name, self._make)

    def undo_check(self) -> int:
        """Say whether they are gone."""
        return TO_DO if self._is_there() else DONE

    def undo(self) -> None:
        """Remove them, or what is left of them; what is something else stays."""
        self._is_there()
        take_away(self._to, self._name)
