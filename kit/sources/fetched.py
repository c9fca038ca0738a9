"""What sources that are fetched have in common: one small interface, and the parts they land in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kit.sources.lockfile import (
    Lock,
    LockedArtifact,
    LockedImage,
    LockedRequirement,
    LockedSources,
    contents_of,
    digest_of,
)
from kit.spec import KitSpec, Source
from kit.store import Store

if TYPE_CHECKING:  # slow to load, and a build uses no network
    from kit.net.client import Client
    from kit.net.download import Downloads
    from kit.net.logins import Logins


@dataclass(frozen=True)
class Means:
    """What a source is fetched with."""

    client: Client
    store: Store
    downloads: Downloads
    logins: Logins


@dataclass(frozen=True)
class Part:
    """A component or a directory of evidence, with the sources of it that are fetched.

    Attributes:
        component: Its id; None for evidence.
        path: Its directory in the kit.
        base: The directory of the spec.
        sources: Each with the place in the spec, for messages.
    """

    component: str | None
    path: str
    base: Path
    sources: tuple[tuple[str, Source], ...]

    def digest(self) -> str:
        """Return the digest of the sources as the spec has them, and of files that they name."""
        tables: list[Any] = []
        for _, source in self.sources:
            tables.append(source.model_dump(by_alias=True, exclude_defaults=True))
            tables += [_sha256(self.base / name) for name in named_files(source)]
        return digest_of(tables)

    def locked(self, found: Resolved) -> LockedSources:
        """Return what the lock says of the sources, when all else that it says is ``found``."""
        return LockedSources(path=self.path, digest=self.digest(), contents=found.contents())

    def of(self, lock: Lock) -> Resolved:
        """Return what a lock says of this part."""
        return Resolved(
            [item for item in lock.artifacts if self._has(item)],
            [image for image in lock.images if image.path == self.path],
            [entry for entry in lock.requirements if entry.path == self.path],
            {name: lock.tools[name] for name in self.tools() if name in lock.tools},
        )

    def _has(self, item: LockedArtifact) -> bool:
        if self.component is not None:
            return item.component == self.component
        return item.component is None and item.path.startswith(f"{self.path}/")

    def tools(self) -> Sequence[str]:
        """Return the programs whose versions decide what its sources are."""
        kinds = {source.fetched for _, source in self.sources}
        return [tool for kind, tool in DECIDES.items() if kind in kinds]

    def only(self, kind: str) -> Part:
        """Return the part with those of its sources that are of one kind."""
        mine = tuple(pair for pair in self.sources if pair[1].fetched == kind)
        return Part(self.component, self.path, self.base, mine)


@dataclass
class Resolved:
    """What the sources of a part are."""

    artifacts: list[LockedArtifact] = field(default_factory=list)
    images: list[LockedImage] = field(default_factory=list)
    requirements: list[LockedRequirement] = field(default_factory=list)
    tools: dict[str, str] = field(default_factory=dict)

    def contents(self) -> str:
        """Return the digest of it, but for the versions of programs."""
        return contents_of([*self.images, *self.requirements, *self.artifacts])


class Kind(Protocol):
    """A kind of source that is fetched."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Find out what the sources of a part are, and have all of it in the store.

        Raises:
            KitError: It cannot be had, or is not what the spec says.
        """
        ...

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Have in the store what it lacks of a part that is locked.

        Args:
            missing: SHA-256 of what it lacks.

        Raises:
            KitError: Something cannot be had any more, or is another file now.
        """
        ...


NPM_FILES = ("package.json", "package-lock.json")
DECIDES = {"wheels": "uv", "debs": "apt", "git": "git"}


def named_files(source: Source) -> list[str]:
    """Return the files that a source names and that decide what it is, relative to the spec."""
    files = [f"{source.npm}/{name}" for name in NPM_FILES if source.npm]
    files += [name for name in (source.repositories, source.wheels_from) if name]
    if source.wheels_from and Path(source.wheels_from).name == "uv.lock":
        files.append(os.fspath(Path(source.wheels_from).with_name("pyproject.toml")))
    return files


def _sha256(path: Path) -> str:
    """Return the digest of a file; empty if it is not there, which its kind of source names."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def parts(spec: KitSpec) -> Iterator[Part]:
    """Yield the parts of a spec that have something to fetch."""
    for number, component in enumerate(spec.components):
        found = _fetched(spec, ("component", number), component.sources)
        if found:
            yield Part(component.id, component.path, spec.base, found)
    for number, evidence in enumerate(spec.evidence):
        found = _fetched(spec, ("evidence", number), evidence.sources)
        if found:
            yield Part(None, f"evidence/{evidence.path}", spec.base, found)


def _fetched(
    spec: KitSpec, place: tuple[str | int, ...], sources: Sequence[Source]
) -> tuple[tuple[str, Source], ...]:
    return tuple(
        (spec.where(*place, "source", number), source)
        for number, source in enumerate(sources)
        if source.fetched is not None
    )


def stale_parts(spec: KitSpec, lock: Lock) -> list[str]:
    """Return what is different between a spec and its lock, in words; nothing if it fits."""
    known = list(parts(spec))
    now = {part.path: part.digest() for part in known}
    then = {entry.path: entry.digest for entry in lock.sources}
    changed = [path for path in now if path in then and then[path] != now[path]]
    return [
        *(f"the sources of {path!r} changed" for path in changed),
        *(f"{path!r} is not locked" for path in now if path not in then),
        *(f"{path!r} is locked and no longer fetched" for path in then if path not in now),
        *(f"no source brings {path!r}" for path in _foreign(known, lock)),
    ]


def edited_parts(known: Iterable[Part], lock: Lock) -> list[str]:
    """Return the paths of parts of which a lock says something else than was written there."""
    then = {entry.path: entry.contents for entry in lock.sources}
    return [
        part.path
        for part in known
        if part.path in then and part.of(lock).contents() != then[part.path]
    ]


def _foreign(known: Sequence[Part], lock: Lock) -> list[str]:
    """Return paths that are in no part: somebody else than `lock` has written them there."""
    places: dict[str | None, list[str]] = {}
    for part in known:
        own = f"evidence/oci/{part.component or 'evidence'}/"
        places.setdefault(part.component, []).extend([f"{part.path}/", own])
    return [
        item.path
        for item in lock.artifacts
        if not item.path.startswith(tuple(places.get(item.component, ())))
    ][:20]
