"""Makes calls of this host answer as those of odd file systems do."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

Fault = Callable[[pytest.MonkeyPatch], None]


def saying(name: str, number: int, when: Callable[..., bool] = lambda *_: True) -> Fault:
    """Return a fault: a call of `os` ends with an error, when its arguments are such."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **more: Any) -> Any:
            if when(*arguments):
                raise OSError(number, os.strerror(number))
            return real(*arguments, **more)

        monkeypatch.setattr(os, name, call)

    return plant


def is_directory(descriptor: int, *_: Any) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def is_file(descriptor: int, *_: Any) -> bool:
    return not is_directory(descriptor)


def without_locks(number: int) -> Fault:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        def flock(descriptor: int, how: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    return plant


def room(**fields: int) -> Fault:
    """Return a fault: the host says this about what is free."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.statvfs

        def statvfs(path: Any) -> Any:
            said = real(path)
            names = ("f_blocks", "f_bavail", "f_frsize", "f_files", "f_favail")
            return SimpleNamespace(**{name: getattr(said, name) for name in names} | fields)

        monkeypatch.setattr(os, "statvfs", statvfs)

    return plant


def numbers_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give another inode number at each look, as sshfs and mergerfs may."""
    turn = iter(range(10**6, 10**9))

    def moving(real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def call(*arguments: Any, **more: Any) -> os.stat_result:
            said = real(*arguments, **more)
            exact = {name: getattr(said, name) for name in dir(said) if name.startswith("st_")}
            return os.stat_result((said[0], next(turn), *said[2:]), {**exact})

        return call

    for name in ("fstat", "stat", "lstat"):
        monkeypatch.setattr(os, name, moving(getattr(os, name)))
