"""Python packages as wheels: resolved once by uv, chosen for each target by `packaging`.

pip resolves only for the Python that it runs on.  uv resolves for all at once, with markers; which
files a target takes is then a question of tags.  One ``requirements.txt`` with markers and with the
hashes of what is carried goes with them, so that at the site pip needs no index and trusts no name.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from kit.net.download import Wanted
from kit.sources.errors import ResolveFailed, WheelAbsent
from kit.sources.fetched import Means, Part, Resolved
from kit.sources.lockfile import LockedArtifact, LockedRequirement
from kit.sources.pylock import Package, Wheel, load_pylock
from kit.sources.requirementsfile import load_requirements
from kit.sources.targets import Target, targets_of
from kit.sources.uv import Uv
from kit.spec import Source

REQUIREMENTS = "requirements.txt"
_HEAD = "# Of this directory: pip install --no-index {links} DIR --require-hashes -r DIR/{name}\n"
_MAX_OFFERS = 20  # files that are named with what would take their place
_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")  # PEP 751, "File Name"


class PythonWheels:
    """Sources with ``wheels``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Resolve the requirements of each source, and have what its targets take."""
        resolved = Resolved()
        chosen: dict[str, tuple[Package, Wheel]] = {}
        with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
            asked = _Asked(Uv(Path(scratch)), part.base)
            for where, source in part.sources:
                targets = targets_of(source.pythons, source.platforms)
                for package, wheel in _choose(asked.packages(source, where), targets, where):
                    chosen[wheel.name] = package, wheel
            resolved.tools |= asked.tools()
        resolved.requirements += _requirements(part, [package for package, _ in chosen.values()])
        got = means.downloads.fetch_all([_wanted(part, wheel) for _, wheel in chosen.values()])
        for (package, wheel), artifact in zip(chosen.values(), got, strict=True):
            resolved.artifacts.append(
                LockedArtifact(
                    component=part.component,
                    path=f"{part.path}/{wheel.name}",
                    purl=_purl(package.name, package.version),
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
        there: dict[str, Wheel] = {}
        with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
            asked = _Asked(Uv(Path(scratch)), part.base)
            for where, source in part.sources:
                if _is_lock(source):
                    there |= _by_digest(asked.packages(source, where))
            left = {item.purl for item in files if item.sha256 not in there}
            lines = [_line(one) for one in locked.requirements if _purl_of(one) in left]
            packages = asked.exactly(part, lines)
            there |= _by_digest(packages)
            gone = [item for item in files if item.sha256 not in there]
            if gone:
                names = sorted({name for name, _ in map(_name_and_version, gone)})
                raise WheelAbsent(
                    _gone(gone, [*packages, *asked.now(part, names)]), where=part.path
                )
        means.downloads.fetch_all([_wanted(part, there[item.sha256]) for item in files])


@dataclass
class _Asked:
    """Finds out what sources mean: of uv, or of a lock that somebody else has made."""

    uv: Uv
    base: Path
    used: bool = False

    def packages(self, source: Source, where: str) -> list[Package]:
        """Return all packages that a source means, for every target."""
        targets = targets_of(source.pythons, source.platforms)
        path = self.base / (source.wheels_from or "")
        if source.wheels_from and _PYLOCK.fullmatch(path.name):
            return load_pylock(path, targets, where)
        self.used = True
        if source.wheels_from and path.name == "uv.lock":
            return load_pylock(self.uv.export(path.parent, where), targets, where)
        lines, allowed = source.wheels, dict[str, frozenset[str]]()
        if source.wheels_from:
            wanted = load_requirements(path, where)
            lines, allowed = wanted.lines, dict(wanted.allowed)
        answer = self.uv.resolve(lines, min(source.pythons, key=_as_numbers), where)
        return [_held(one, allowed) for one in load_pylock(answer, targets, where)]

    def exactly(self, part: Part, lines: Sequence[str]) -> list[Package]:
        """Return packages at given versions, without what they need; none if one is gone."""
        pythons = [python for _, source in part.sources for python in source.pythons]
        lowest = min(pythons, key=_as_numbers)
        try:
            answer = self.uv.resolve(lines, lowest, part.path, deps=False) if lines else None
        except ResolveFailed:
            return self._one_by_one(part, lines) if len(lines) > 1 else []
        return load_pylock(answer, [], part.path) if answer else []

    def _one_by_one(self, part: Part, lines: Sequence[str]) -> list[Package]:
        return [package for line in lines for package in self.exactly(part, [line])]

    def now(self, part: Part, names: Sequence[str]) -> list[Package]:
        """Return what packages an index has under names, in the versions that it would give now."""
        return self.exactly(part, names[:_MAX_OFFERS])

    def tools(self) -> dict[str, str]:
        """Return the version of uv, if it decided something."""
        return {"uv": self.uv.version()} if self.used else {}


def _is_lock(source: Source) -> bool:
    name = Path(source.wheels_from or "").name
    return name == "uv.lock" or _PYLOCK.fullmatch(name) is not None


def _held(package: Package, allowed: Mapping[str, frozenset[str]]) -> Package:
    """Return a package with those wheels alone whose digests its requirements allow."""
    digests = allowed.get(canonicalize_name(package.name))
    if digests is None:
        return package
    return replace(package, wheels=tuple(w for w in package.wheels if w.sha256 in digests))


def _by_digest(packages: Sequence[Package]) -> dict[str, Wheel]:
    return {wheel.sha256: wheel for package in packages for wheel in package.wheels}


def _choose(
    packages: Sequence[Package], targets: Sequence[Target], where: str
) -> Iterator[tuple[Package, Wheel]]:
    """Yield the best wheel of each package for each target that needs it, each once.

    Raises:
        WheelAbsent: A target needs a package that has no wheel for it.
    """
    tags = {target: {tag: rank for rank, tag in enumerate(target.tags())} for target in targets}
    chosen: dict[str, tuple[Package, Wheel]] = {}
    lacking: dict[str, list[str]] = {}
    for package in packages:
        for target in targets:
            if not target.wants(package.marker):
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


def _best(package: Package, ranks: Mapping[Any, int]) -> Wheel | None:
    """Return the wheel that pip would take: the one with the best tag, then by name."""
    found: list[tuple[int, str, Wheel]] = []
    for wheel in package.wheels:
        try:
            _, _, _, tags = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename:
            continue  # pip takes no such file either
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=-1)
        if rank >= 0:
            found.append((rank, wheel.name, wheel))
    return min(found, default=(0, "", None), key=lambda item: item[:2])[2]


def _requirements(part: Part, packages: Sequence[Package]) -> list[LockedRequirement]:
    return [
        LockedRequirement(path=part.path, name=name, version=version, marker=marker or None)
        for name, version, marker in sorted(
            {(p.name, p.version, str(p.marker) if p.marker else "") for p in packages}
        )
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
        known = sorted(hashes.get(_purl_of(entry), []))
        tail = "".join(f" \\\n    --hash=sha256:{digest}" for digest in known)
        lines.append(f"{_line(entry)}{tail}\n")
    return "".join(lines)


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _purl_of(entry: LockedRequirement) -> str:
    return _purl(entry.name, entry.version)


def _line(entry: LockedRequirement) -> str:
    marker = f" ; {entry.marker}" if entry.marker else ""
    return f"{entry.name}=={entry.version}{marker}"


def _wanted(part: Part, wheel: Wheel) -> Wanted:
    return Wanted(f"{part.path}/{wheel.name}", (wheel.url,), wheel.sha256, wheel.size)


def _gone(gone: Sequence[LockedArtifact], packages: Sequence[Package]) -> str:
    """Say which files an index no longer has, and what would take their place."""
    now = {wheel.name for package in packages for wheel in package.wheels}
    said = []
    for item in gone[:_MAX_OFFERS]:
        file, (name, version) = item.path.rpartition("/")[2], _name_and_version(item)
        others = {one.version for one in packages if one.name == name and one.version != version}
        if file in now:
            said.append(f"{file}, which is another file now")
        elif others:
            said.append(f"{file}; it has {name} {', '.join(sorted(others))}")
        else:
            said.append(f"{file}, nor any other of {name} for these targets")
    return f"the index no longer has {'; '.join(said)}"


def _name_and_version(item: LockedArtifact) -> tuple[str, str]:
    name, _, version = (item.purl or "").removeprefix("pkg:pypi/").rpartition("@")
    return name, version


def _as_numbers(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))
