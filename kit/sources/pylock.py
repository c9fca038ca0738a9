"""What a resolution of Python packages says: a pylock.toml, read as hostile (PEP 751)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.pylock import Package as PylockPackage
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

from kit.sources.errors import ResolveFailed
from kit.sources.smallfile import read_small
from kit.sources.targets import Target
from verifier.core.limits import MIB
from verifier.core.manifest import HEX256

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MAX_PYLOCK = 64 * MIB
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
_OF_LOCKS = re.compile(r"\b(extras|dependency_groups)\b")


@dataclass(frozen=True)
class Wheel:
    """A file that a resolution names."""

    name: str
    url: str
    sha256: str
    size: int | None


@dataclass(frozen=True)
class Package:
    """A package of a resolution, with the wheels that it has."""

    name: str
    version: str
    marker: Marker | None
    wheels: tuple[Wheel, ...]


def load_pylock(path: Path, targets: Sequence[Target], where: str) -> list[Package]:
    """Return the packages of a resolution that was made for these targets, or for more.

    Raises:
        ResolveFailed: It is none, or was made for other targets.
    """
    raw = read_small(path, _MAX_PYLOCK, ResolveFailed, where)
    try:
        lock = Pylock.from_dict(tomllib.loads(raw.decode("utf-8")))
    except (ValueError, RecursionError, PylockValidationError) as error:
        why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ResolveFailed(f"{path.name} is no pylock.toml: {why[:300]!r}", where=where) from None
    except PylockUnsupportedVersionError as error:
        raise ResolveFailed(f"{path.name}: {str(error)[:300]!r}", where=where) from None
    for target in targets:
        versions = lock.requires_python
        markers: Sequence[Marker | None] = lock.environments or [None]
        if not target.is_within(versions) or not any(map(target.wants, markers)):
            raise ResolveFailed(f"{path.name} was not made for {target}", where=where)
    return [_package(item, path, where) for item in lock.packages]


def _package(item: PylockPackage, path: Path, where: str) -> Package:
    if item.marker is not None and _OF_LOCKS.search(str(item.marker)):
        why = f"{item.name} hangs on extras or groups, which no requirements.txt can say"
        raise ResolveFailed(f"{path.name}: {why}; lock it without them", where=where)
    wheels = tuple(_wheels(item, path, where))
    return Package(item.name, str(item.version or ""), item.marker, wheels)


def _wheels(item: PylockPackage, path: Path, where: str) -> Iterator[Wheel]:
    for one in item.wheels or ():
        url = one.url or (path.parent / str(one.path)).absolute().as_uri()
        name = one.name or unquote(urlsplit(url).path.rpartition("/")[2])
        sha256 = one.hashes.get("sha256", "")
        if not _NAME.fullmatch(name) or not HEX256.fullmatch(sha256):
            what = f"a wheel of {item.name} has the name {name!r:.200} or no SHA-256"
            raise ResolveFailed(f"{path.name}: {what}", where=where)
        if not item.version:
            raise ResolveFailed(f"{path.name}: {item.name} has no version", where=where)
        yield Wheel(name, url, sha256, one.size)
