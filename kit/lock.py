"""From the sources of a spec to kit.lock and a store that has what it names.

The only order that uses a network.  With a lock that fits the spec nothing is resolved again; what
the store lacks is fetched by digest.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.output import replace_file
from kit.errors import SourcesCollide
from kit.net.client import Client
from kit.net.download import Downloads, Progress
from kit.net.logins import Logins
from kit.sources.errors import LockMissing, NothingToUpdate
from kit.sources.fetched import Kind, Means, Part, Resolved, parts
from kit.sources.lockfile import Lock, load_lock, render
from kit.sources.taken import absent, check_fits, check_unedited, lock_path
from kit.spec import KitSpec
from kit.store import Store

_KINDS = ("url", "oci", "git", "wheels", "npm", "debs")


def _kind(name: str) -> Kind:
    """Return what knows one kind of source; others are not even loaded, which takes its time."""
    if name == "url":
        from kit.sources.url import UrlFiles

        return UrlFiles()
    if name == "oci":
        from kit.sources.oci import OciImages

        return OciImages()
    if name == "git":
        from kit.sources.repository import GitCommits

        return GitCommits()
    if name == "wheels":
        from kit.sources.wheels import PythonWheels

        return PythonWheels()
    if name == "npm":
        from kit.sources.npm import NpmPackages

        return NpmPackages()
    from kit.sources.debs import DebPackages

    return DebPackages()


@dataclass(frozen=True)
class LockOptions:
    """How to lock.

    Attributes:
        update: Ids of components, or paths of evidence, that are resolved anew.
        check: Whether to say that the lock fits and the store is full, or not, and do nothing.
        offline: Whether to use no network.
    """

    update: frozenset[str] = frozenset()
    check: bool = False
    offline: bool = False


@dataclass(frozen=True)
class Locked:
    """What locking did.

    Attributes:
        path: The lock.
        changed: Whether it was written.
        resolved: Paths of the parts that were resolved.
        fetched: Files that a lock that fitted named and the store lacked.
    """

    path: Path
    lock: Lock
    changed: bool
    resolved: tuple[str, ...]
    fetched: int


def lock(
    spec: KitSpec,
    store: Store,
    client: Client,
    logins: Logins,
    options: LockOptions,
    progress: Progress | None = None,
) -> Locked:
    """Bring lock and store in line with a spec.

    Raises:
        LockStale: With ``check`` or ``offline``: the lock does not fit the spec.
        LockEdited: The lock was changed by hand, in a part that ``update`` does not name.
        ArtifactAbsent: With ``check`` or ``offline``: the store lacks a file.
        NothingToUpdate: ``update`` names nothing that is fetched.
        KitError: A source cannot be had, or is not what it should be; the lock is as it was.
    """
    path = lock_path(spec)
    known = list(parts(spec))
    _check_names(known, options.update)
    old = _old(path)
    if known and (options.check or options.offline):
        check_fits(spec, old, path)
    means = Means(client, store, Downloads(client, store, progress), logins)
    kept = {} if old is None else _still_true(known, old, options.update, path)
    resolved = {part.path: _resolve(part, means) for part in known if part.path not in kept}
    new = _lock(known, {**kept, **resolved})
    fetched = 0
    with store.hold(item.artifact for item in new.artifacts) as missing:
        if missing and (options.check or options.offline):
            raise absent(new, {item.sha256 for item in missing}, store)
        if missing:
            fetched = len(missing)
            _fetch(known, kept, {item.sha256 for item in missing}, means)
    changed = bool(known) and (old is None or old != new)
    if changed:
        replace_file(path, render(new))
    return Locked(path, new, changed, tuple(resolved), fetched)


def _old(path: Path) -> Lock | None:
    try:
        return load_lock(path)
    except LockMissing:
        return None


def _check_names(known: Sequence[Part], update: frozenset[str]) -> None:
    names = {name for part in known for name in (part.component, part.path) if name}
    unknown = sorted(update - names)
    if unknown:
        there = ", ".join(sorted(repr(part.component or part.path) for part in known)) or "none"
        raise NothingToUpdate(
            f"--update {', '.join(map(repr, unknown))}: no such part is fetched; there is {there}"
        )


def _still_true(
    known: Sequence[Part], old: Lock, update: frozenset[str], path: Path
) -> dict[str, Resolved]:
    """Return what the old lock says of parts whose sources are as they were.

    Raises:
        LockEdited: It says something else than was written there.
    """
    then = {entry.path: entry.digest for entry in old.sources}
    true = [
        part
        for part in known
        if then.get(part.path) == part.digest() and not update & {part.component, part.path}
    ]
    check_unedited(true, old, path)
    return {part.path: part.of(old) for part in true}


def _resolve(part: Part, means: Means) -> Resolved:
    both = Resolved()
    for name in _KINDS:
        only = part.only(name)
        if only.sources:
            found = _kind(name).resolve(only, means)
            both.artifacts += found.artifacts
            both.images += found.images
            both.requirements += found.requirements
            both.tools |= found.tools
    return both


def _fetch(
    known: Sequence[Part], kept: Mapping[str, Resolved], missing: set[str], means: Means
) -> None:
    for part in known:
        if part.path not in kept or not any(
            item.sha256 in missing for item in kept[part.path].artifacts
        ):
            continue
        for name in _KINDS:
            only = part.only(name)
            if only.sources:
                _kind(name).fetch(only, kept[part.path], missing, means)


def _lock(known: Sequence[Part], found: Mapping[str, Resolved]) -> Lock:
    """Return the lock of what was found, sorted as it is written.

    Raises:
        SourcesCollide: Two sources would land in one place.
    """
    ordered = sorted(known, key=lambda part: part.path)
    artifacts = [item for one in found.values() for item in one.artifacts]
    for one, other in itertools.pairwise(sorted(artifacts, key=lambda item: item.path)):
        if one.path == other.path:
            path = one.path.encode()
            raise SourcesCollide((path, path), (path, path), "they would be one file")
    images = (image for one in found.values() for image in one.images)
    needed = (entry for one in found.values() for entry in one.requirements)
    return Lock(
        version=1,
        tools={name: text for one in found.values() for name, text in one.tools.items()},
        source=tuple(part.locked(found[part.path]) for part in ordered),
        image=tuple(sorted(images, key=lambda item: (item.path, item.name))),
        requirement=tuple(
            sorted(needed, key=lambda item: (item.path, item.name, item.version, item.marker or ""))
        ),
        artifact=tuple(sorted(artifacts, key=lambda item: (item.component or "", item.path))),
    )
