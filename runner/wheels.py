"""Wheels of a kit for its own programs, and for `install-wheels`: chosen by their tags, unpacked.

No pip: `python3-minimal` has none, and a wheel is a zip (PEP 427).  Scripts are not made.
"""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Sequence
from email.parser import BytesParser

from runner.errors import PreflightFailed
from verifier.core.errors import MemberPathUnsafe
from verifier.core.names import parse_member_path
from verifier.typed import record

_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[A-Za-z0-9._+!]+)(-\d[^-]*)?"
    r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*(\d+(?:\.\d+)*)(\.\*)?\s*")
MAX_UNPACKED = 4 << 30  # bytes of all files of one wheel


@record(frozen=True)
class Host:
    """What a wheel must fit: a Python, its processor and its C library.

    Attributes:
        machine: As `os.uname` says it: ``x86_64``.
        glibc: Its version; ``(0, 0)`` for another C library.
    """

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int]


def this_host() -> Host:
    """Return what wheels must fit here."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        text = ""
    found = re.fullmatch(r"glibc (\d+)\.(\d+)", text)
    glibc = (int(found[1]), int(found[2])) if found else (0, 0)
    return Host(sys.version_info[:2], os.uname().machine, glibc)


def fits(name: str, host: Host) -> bool:
    """Whether a file name is that of a wheel that a host can use (PEP 425, PEP 600)."""
    found = _NAME.fullmatch(name)
    if not found:
        return False
    return (
        any(_python_fits(tag, found["abi"], host) for tag in found["python"].split("."))
        and any(_abi_fits(tag, host) for tag in found["abi"].split("."))
        and any(_platform_fits(tag, host) for tag in found["platform"].split("."))
    )


def _python_fits(tag: str, abi: str, host: Host) -> bool:
    major, minor = host.python
    if tag in (f"py{major}", f"cp{major}", f"py{major}{minor}", f"cp{major}{minor}"):
        return True
    older = re.fullmatch(r"(py|cp)3(\d+)", tag)
    return bool(older) and int(older[2]) <= minor and (older[1] == "py" or "abi3" in abi)  # type: ignore[index]


def _abi_fits(tag: str, host: Host) -> bool:
    return tag in ("none", "abi3", f"cp{host.python[0]}{host.python[1]}")


def _platform_fits(tag: str, host: Host) -> bool:
    if tag == "any":
        return True
    old = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    found = re.fullmatch(r"(manylinux1|manylinux2010|manylinux2014|linux)_(\w+)", tag)
    if found:
        return found[2] == host.machine and host.glibc >= old.get(found[1], (0, 1))
    found = re.fullmatch(r"manylinux_(\d+)_(\d+)_(\w+)", tag)
    if not found or found[3] != host.machine:
        return False
    return host.glibc >= (int(found[1]), int(found[2]))


def python_allowed(requires: str, python: tuple[int, int]) -> bool:
    """Whether a ``Requires-Python`` lets a Python in; what cannot be read does not."""
    for clause in filter(str.strip, requires.split(",")):
        found = _CLAUSE.fullmatch(clause)
        if not found:
            return False
        wanted = tuple(map(int, found[2].split(".")))[:2]
        wanted += (0,) * (2 - len(wanted))
        same = python == wanted if found[2].count(".") or not found[3] else python[0] == wanted[0]
        good = {
            ">=": python >= wanted,
            "<=": python <= wanted,
            ">": python > wanted,
            "<": python < wanted,
            "==": same,
            "!=": not same or found[2].count(".") > 1,
            "~=": python >= wanted and python[0] == wanted[0],
        }[found[1]]
        if not good:
            return False
    return True


def choose(paths: Sequence[str], host: Host) -> list[str]:
    """Return of wheels, by their paths, the one of each project that fits best: the newest.

    Raises:
        PreflightFailed: There are wheels of a project, and none fits.
        OSError: One cannot be read.
        zipfile.BadZipFile: One is no wheel.
    """
    projects: dict[str, list[str]] = {}
    for path in sorted(paths):
        found = _NAME.fullmatch(os.path.basename(path))
        if found:
            name = re.sub(r"[-_.]+", "-", found["name"]).lower()
            projects.setdefault(name, []).append(path)
    chosen = []
    for name, candidates in sorted(projects.items()):
        good = [path for path in candidates if fits(os.path.basename(path), host)]
        good = [path for path in good if python_allowed(_requires(path), host.python)]
        if not good:
            number = ".".join(map(str, host.python))
            raise PreflightFailed(f"no wheel of {name!r} fits Python {number} on {host.machine}")
        chosen.append(max(good, key=_rank))
    return chosen


def _rank(path: str) -> tuple[object, ...]:
    found = _NAME.fullmatch(os.path.basename(path))
    assert found is not None
    numbers = tuple(int(n) for n in re.findall(r"\d+", found["version"]))
    return numbers, found["platform"] != "any", path


def _requires(path: str) -> str:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                message = BytesParser().parsebytes(archive.read(name), headersonly=True)
                return str(message.get("Requires-Python") or "")
    return ""


def unpack(path: str, target: str) -> None:
    """Unpack a wheel into a directory; what would lie outside of it is refused.

    Raises:
        PreflightFailed: It is no wheel that can be unpacked.
        OSError: The host refuses.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED:
            raise PreflightFailed(f"has more than {MAX_UNPACKED} bytes", where=repr(path))
        for info in archive.infolist():
            place = _place_of(info.filename)
            if info.is_dir() or not place:
                continue
            try:
                parse_member_path(place)
            except MemberPathUnsafe as error:
                raise PreflightFailed(f"{place!r}: {error.message}", where=repr(path)) from None
            full = os.path.join(target, *place.split("/"))
            os.makedirs(os.path.dirname(full), mode=0o755, exist_ok=True)
            with archive.open(info) as source, open(full, "xb") as file:
                while True:
                    data = source.read(1 << 20)
                    if not data:
                        break
                    file.write(data)


def _place_of(name: str) -> str:
    """Return where a file of a wheel goes; empty for scripts and the like (PEP 427)."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    kind, _, rest = rest.partition("/")
    return rest if kind in ("purelib", "platlib") else ""
