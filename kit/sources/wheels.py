"""Python packages as wheels: resolved once by uv, chosen for each target by `packaging`.

pip resolves only for the Python that it runs on.  uv resolves for all at once, with markers; which
files a target takes is then a question of tags.  One ``requirements.txt`` with markers and with the
hashes of what is carried goes with them, so that at the site pip needs no index and trusts no name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from kit.net.download import Wanted
from kit.sources.errors import ResolveFailed, ToolMissing, WheelAbsent
from kit.sources.fetched import Means, Part, Resolved
from kit.sources.lockfile import LockedArtifact, LockedRequirement
from kit.sources.targets import Target, targets_of
from verifier.core.limits import MIB
from verifier.core.manifest import HEX256

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REQUIREMENTS = "requirements.txt"
_MAX_PYLOCK = 64 * MIB
_SECONDS = 1800.0
_HEAD = "# Of this directory: pip install --no-index {links} DIR --require-hashes -r DIR/{name}\n"


@dataclass(frozen=True)
class _Wheel:
    """A file that a resolution names."""

    name: str
    url: str
    sha256: str
    size: int | None


@dataclass(frozen=True)
class _Package:
    """A package of a resolution (PEP 751)."""

    name: str
    version: str
    marker: str
    wheels: tuple[_Wheel, ...]


class PythonWheels:
    """Sources with ``wheels``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Resolve the requirements of each source, and have what its targets take."""
        resolved = Resolved()
        chosen: dict[str, tuple[_Package, _Wheel]] = {}
        with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
            uv = _Uv(Path(scratch))
            for where, source in part.sources:
                targets = targets_of(source.pythons, source.platforms)
                packages = uv.resolve(source.wheels, min(source.pythons, key=_as_numbers), where)
                for package, wheel in _choose(packages, targets, where):
                    chosen[wheel.name] = package, wheel
            resolved.tools["uv"] = uv.version()
        resolved.requirements += _requirements(part, [package for package, _ in chosen.values()])
        got = means.downloads.fetch_all([_wanted(part, wheel) for _, wheel in chosen.values()])
        for (package, wheel), artifact in zip(chosen.values(), got, strict=True):
            resolved.artifacts.append(
                LockedArtifact(
                    component=part.component,
                    path=f"{part.path}/{wheel.name}",
                    purl=f"pkg:pypi/{package.name}@{package.version}",
                    size=artifact.size,
                    sha256=artifact.sha256,
                )
            )
        resolved.artifacts.append(_own_file(resolved, part, means))
        return resolved

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Ask where the wheels that are missing are now, and fetch them by digest."""
        _own_file(locked, part, means)
        files = [item for item in locked.artifacts if item.sha256 in missing and item.purl]
        if not files:
            return
        pythons = [python for _, source in part.sources for python in source.pythons]
        lines = [_line(item) for item in locked.requirements]
        with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
            uv = _Uv(Path(scratch))
            packages = uv.resolve(lines, min(pythons, key=_as_numbers), part.path, deps=False)
        there = {wheel.sha256: wheel for package in packages for wheel in package.wheels}
        gone = [item for item in files if item.sha256 not in there]
        if gone:
            raise WheelAbsent(_gone(gone, packages), where=part.path)
        means.downloads.fetch_all([_wanted(part, there[item.sha256]) for item in files])


class _Uv:
    """uv as a program, with this user's settings for indexes and credentials."""

    def __init__(self, scratch: Path) -> None:
        here = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
        self._program = shutil.which("uv", path=here)
        self._scratch, self._count = scratch, 0
        if self._program is None:
            raise ToolMissing("uv is not installed: pip install 'offline-kit[wheels]'")

    def version(self) -> str:
        """Return the version of uv: another one may resolve to something else."""
        return self._run("--version").split()[1]

    def resolve(
        self, lines: Sequence[str], python: str, where: str, *, deps: bool = True
    ) -> list[_Package]:
        """Return the packages that requirement lines mean, for every platform (PEP 751).

        Raises:
            ResolveFailed: uv finds no answer, or gives none that we can read.
        """
        self._count += 1
        wanted = self._scratch / f"{self._count}.in"
        answer = self._scratch / f"pylock.a{self._count}.toml"
        wanted.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        self._run(
            *("pip", "compile", "--quiet", "--universal", "--python-version", python),
            *("--only-binary", ":all:", "--generate-hashes", "--format", "pylock.toml"),
            *(() if deps else ("--no-deps",)),
            *("--output-file", os.fspath(answer), os.fspath(wanted)),
            where=where,
        )
        return list(_packages(answer, where))

    def _run(self, *arguments: str, where: str = "") -> str:
        assert self._program is not None
        try:
            done = subprocess.run(
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                cwd=self._scratch,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ResolveFailed(f"uv: {type(error).__name__}", where=where) from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").split("\n")
            text = " ".join(line.strip() for line in said if line.strip())
            raise ResolveFailed(f"uv says {text[:600]!r}", where=where)
        return done.stdout.decode("utf-8", "replace")


def _packages(path: Path, where: str) -> Iterator[_Package]:
    try:
        with open(path, "rb") as file:
            raw = file.read(_MAX_PYLOCK + 1)
        if len(raw) > _MAX_PYLOCK:
            raise ResolveFailed(f"the answer has more than {_MAX_PYLOCK} bytes", where=where)
        for item in tomllib.loads(raw.decode("utf-8")).get("packages", []):
            yield _package(item, where)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"the answer is none that we can read ({type(error).__name__})"
        raise ResolveFailed(why, where=where) from None


def _package(item: Mapping[str, Any], where: str) -> _Package:
    wheels = []
    for one in item.get("wheels", []):
        name = one.get("name") or unquote(urlsplit(one["url"]).path.rpartition("/")[2])
        sha256, size = one["hashes"]["sha256"], one.get("size")
        if "/" in name or not HEX256.fullmatch(sha256):
            raise ResolveFailed(f"a wheel has the name {name!r} or no SHA-256", where=where)
        wheels.append(_Wheel(name, one["url"], sha256, size if type(size) is int else None))
    name = canonicalize_name(item["name"], validate=True)
    return _Package(name, str(item["version"]), str(item.get("marker", "")), tuple(wheels))


def _choose(
    packages: Sequence[_Package], targets: Sequence[Target], where: str
) -> Iterator[tuple[_Package, _Wheel]]:
    """Yield the best wheel of each package for each target that needs it, each once.

    Raises:
        WheelAbsent: A target needs a package that has no wheel for it.
    """
    tags = {target: {tag: rank for rank, tag in enumerate(target.tags())} for target in targets}
    chosen: dict[str, tuple[_Package, _Wheel]] = {}
    lacking: dict[str, list[str]] = {}
    for package in packages:
        marker = _marker(package, where)
        for target in targets:
            if not target.wants(marker):
                continue
            best = _best(package, tags[target])
            if best is None:
                lacking.setdefault(f"{package.name} {package.version}", []).append(str(target))
            else:
                chosen[best.name] = package, best
    if lacking:
        listed = "; ".join(f"{name}: {', '.join(all_)}" for name, all_ in lacking.items())
        raise WheelAbsent(f"exists as no wheel for a target: {listed[:2000]}", where=where)
    yield from chosen.values()


def _marker(package: _Package, where: str) -> Marker | None:
    try:
        return Marker(package.marker) if package.marker else None
    except InvalidMarker as error:
        raise ResolveFailed(f"{package.name} has no marker: {error}", where=where) from None


def _best(package: _Package, ranks: Mapping[Any, int]) -> _Wheel | None:
    """Return the wheel that pip would take: the one with the best tag, then by name."""
    found: list[tuple[int, str, _Wheel]] = []
    for wheel in package.wheels:
        try:
            _, _, _, tags = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename:
            continue  # pip takes no such file either
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=-1)
        if rank >= 0:
            found.append((rank, wheel.name, wheel))
    return min(found, default=(0, "", None), key=lambda item: item[:2])[2]


def _requirements(part: Part, packages: Sequence[_Package]) -> list[LockedRequirement]:
    return [
        LockedRequirement(path=part.path, name=name, version=version, marker=marker or None)
        for name, version, marker in sorted({(p.name, p.version, p.marker) for p in packages})
    ]


def _own_file(found: Resolved, part: Part, means: Means) -> LockedArtifact:
    """Put requirements.txt into the store: a function of what is locked."""
    artifact = means.store.add(requirements_text(found, part.path).encode())
    return LockedArtifact(
        component=part.component,
        path=f"{part.path}/{REQUIREMENTS}",
        size=artifact.size,
        sha256=artifact.sha256,
    )


def requirements_text(found: Resolved, path: str) -> str:
    """Return the file that pip installs from, with the hashes of what is carried alone."""
    hashes: dict[str, list[str]] = {}
    for item in found.artifacts:
        if item.purl:
            hashes.setdefault(item.purl, []).append(item.sha256)
    lines = [_HEAD.format(links="--find" + "-links", name=REQUIREMENTS)]
    for entry in found.requirements:
        if entry.path != path:
            continue
        known = sorted(hashes.get(f"pkg:pypi/{entry.name}@{entry.version}", []))
        tail = "".join(f" \\\n    --hash=sha256:{digest}" for digest in known)
        lines.append(f"{_line(entry)}{tail}\n")
    return "".join(lines)


def _line(entry: LockedRequirement) -> str:
    marker = f" ; {entry.marker}" if entry.marker else ""
    return f"{entry.name}=={entry.version}{marker}"


def _wanted(part: Part, wheel: _Wheel) -> Wanted:
    return Wanted(f"{part.path}/{wheel.name}", (wheel.url,), wheel.sha256, wheel.size)


def _gone(gone: Sequence[LockedArtifact], packages: Sequence[_Package]) -> str:
    now = {wheel.name: wheel.sha256 for package in packages for wheel in package.wheels}
    said = []
    for item in gone[:20]:
        name = item.path.rpartition("/")[2]
        there = f", which is another file now (sha256:{now[name]})" if name in now else ""
        said.append(f"{name}{there}")
    return f"the index no longer has {'; '.join(said)}"


def _as_numbers(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))
