"""Hosts that wheels are carried for: which files pip would take there, and which markers hold.

A target is a Python and a platform tag, ``3.11`` on ``manylinux_2_28_x86_64``: not this host, whose
own tags and markers must decide nothing (PEP 425, 508, 600, 656).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

_MANYLINUX = re.compile(r"manylinux_2_([0-9]{1,2})_([a-z0-9_]+)")
_MUSLLINUX = re.compile(r"musllinux_1_([0-9]{1,2})_([a-z0-9_]+)")
_MACOS = re.compile(r"macosx_([0-9]{1,2})_([0-9]{1,2})_(x86_64|arm64)")
_WINDOWS = {"win_amd64": "AMD64", "win_arm64": "ARM64", "win32": "x86"}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 600
_MICROS = ("0", "99")  # of a Python: a marker may divide a minor version, and a site has any of it


@dataclass(frozen=True)
class Target:
    """A Python on a platform.

    Attributes:
        python: ``3.11``.
        platform: A platform tag: ``manylinux_2_28_x86_64``, ``musllinux_1_2_aarch64``,
            ``macosx_11_0_arm64``, ``win_amd64``.
    """

    python: str
    platform: str

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform}"

    def tags(self) -> list[Tag]:
        """Return the tags of wheels that pip takes there, the best first."""
        version = tuple(map(int, self.python.split(".")))
        platforms = list(_platforms(self.platform))
        own = cpython_tags(python_version=version, platforms=platforms)
        interpreter = f"cp{version[0]}{version[1]}"
        any_ = compatible_tags(version, interpreter=interpreter, platforms=platforms)
        return [*own, *any_]

    def wants(self, marker: Marker | None) -> bool:
        """Whether a requirement with a marker is needed there, for any micro version."""
        if marker is None:
            return True
        return any(marker.evaluate(environment) for environment in self._environments())

    def is_within(self, versions: SpecifierSet | None) -> bool:
        """Whether some micro version of its Python is among ``versions``."""
        return versions is None or any(f"{self.python}.{micro}" in versions for micro in _MICROS)

    def _environments(self) -> Iterator[dict[str, str]]:
        system = _system(self.platform)
        for micro in _MICROS:
            full = f"{self.python}.{micro}"
            yield {
                "implementation_name": "cpython",
                "implementation_version": full,
                "os_name": "nt" if system == "Windows" else "posix",
                "platform_machine": _machine(self.platform),
                "platform_python_implementation": "CPython",
                "platform_release": "",
                "platform_system": system,
                "platform_version": "",
                "python_full_version": full,
                "python_version": self.python,
                "sys_platform": {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}[system],
                "extra": "",
            }


def targets_of(pythons: Sequence[str], platforms: Sequence[str]) -> list[Target]:
    """Return every Python on every platform."""
    return [Target(python, platform) for platform in platforms for python in pythons]


def _platforms(tag: str) -> Iterator[str]:
    """Yield the platform tags that a platform takes, the best first."""
    match = _MANYLINUX.fullmatch(tag)
    if match:
        oldest = 5 if match[2] in {"x86_64", "i686"} else 17
        for minor in range(int(match[1]), oldest - 1, -1):
            yield f"manylinux_2_{minor}_{match[2]}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{match[2]}"
        yield f"linux_{match[2]}"
        return
    match = _MUSLLINUX.fullmatch(tag)
    if match:
        yield from (f"musllinux_1_{minor}_{match[2]}" for minor in range(int(match[1]), -1, -1))
        yield f"linux_{match[2]}"
        return
    match = _MACOS.fullmatch(tag)
    if match:
        yield from mac_platforms((int(match[1]), int(match[2])), match[3])
        return
    yield tag


def _system(tag: str) -> str:
    if tag in _WINDOWS:
        return "Windows"
    return "Darwin" if tag.startswith("macosx") else "Linux"


def _machine(tag: str) -> str:
    if tag in _WINDOWS:
        return _WINDOWS[tag]
    match = _MANYLINUX.fullmatch(tag) or _MUSLLINUX.fullmatch(tag)
    return match[2] if match else tag.partition("_")[2].split("_", 2)[2]
