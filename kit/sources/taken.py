"""What a build takes out of the store, by the lock: files with a place in the kit and a digest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.errors import show
from kit.sources.errors import LockEdited, LockMissing, LockStale
from kit.sources.fetched import Part, edited_parts, parts, stale_parts
from kit.sources.lockfile import NAME, Lock, LockedArtifact, load_lock
from kit.spec import KitSpec
from kit.store import Store
from kit.store.errors import ArtifactAbsent, ArtifactDiffers
from verifier.core.lists import Index

_EVIDENCE = b"evidence/"


def lock_path(spec: KitSpec) -> Path:
    """Return where the lock of a spec is."""
    return spec.file.with_name(NAME)


@dataclass(frozen=True)
class Taken:
    """The files of a lock, which are in the store and stay there while the build lasts.

    Attributes:
        file: The lock itself; it travels as evidence.
        lacking: What the store does not have yet, where that may still come.
    """

    lock: Lock
    file: Path
    store: Store
    lacking: tuple[LockedArtifact, ...] = ()

    @property
    def top(self) -> bytes:
        """The directory of the store that its files are in; links lead to it, none goes on."""
        return os.fsencode((self.store.root / "sha256").absolute())

    def evidence(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield kit path and file of what lands below ``evidence/``, but for the lock itself."""
        return ((path, file) for _, path, file in self._all() if path.startswith(_EVIDENCE))

    def components(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """Return kit path and file of all else, by the id of the component."""
        found: dict[str, list[tuple[bytes, bytes]]] = {}
        for component, path, file in self._all():
            if component is not None and not path.startswith(_EVIDENCE):
                found.setdefault(component, []).append((path, file))
        return found

    def executables(self) -> Iterator[bytes]:
        """Yield the kit paths of programs; in the store nothing is executable."""
        return (item.path.encode() for item in self.lock.artifacts if item.executable)

    def check(self, index: Index, *, data_only: bool = False) -> None:
        """Hold what was built in to what is locked.

        Args:
            data_only: Whether the index has no digests of evidence.

        Raises:
            ArtifactDiffers: A file of the store is no longer what its name says.
        """
        for item in self.lock.artifacts:
            if data_only and item.path.encode().startswith(_EVIDENCE):
                continue
            at = index.find(item.path.encode())
            if at is None or index.digest(at).hex() != item.sha256:
                why = "the file in the store is not what the lock names"
                raise ArtifactDiffers(why, where=item.path)

    def check_beside(self, spec: KitSpec) -> None:
        """Hold what is locked to what should stand beside images.

        Raises:
            CompanionAbsent: It is not locked, or speaks of another image.
        """
        if any(source.beside for part in parts(spec) for _, source in part.sources):
            from kit.sources.companions import check_companions  # slow to load

            check_companions(spec, self.lock, self.store)

    def _all(self) -> Iterator[tuple[str | None, bytes, bytes]]:
        for item in self.lock.artifacts:
            file = self.top + f"/{item.sha256[:2]}/{item.sha256}".encode()
            yield item.component, item.path.encode(), file


@contextlib.contextmanager
def take(spec: KitSpec, store: Store, *, whole: bool = True) -> Iterator[Taken | None]:
    """Give what a build takes out of the store, and keep it there meanwhile; None: nothing.

    Args:
        whole: Whether all of it must be there already; otherwise the caller sees to the rest.

    Raises:
        LockMissing: The spec has sources that are fetched, and there is no lock.
        LockStale: The lock was made for other sources.
        LockEdited: The lock was changed by hand.
        ArtifactAbsent: The store lacks a file.
        CompanionAbsent: What should stand beside an image is not locked.
    """
    if not any(parts(spec)):
        yield None
        return
    path = lock_path(spec)
    lock = check_fits(spec, load_lock(path), path)
    with store.hold(item.artifact for item in lock.artifacts) as missing:
        digests = {item.sha256 for item in missing}
        if missing and whole:
            raise absent(lock, digests, store)
        lacking = tuple(item for item in lock.artifacts if item.sha256 in digests)
        taken = Taken(lock, path, store, lacking)
        if not lacking:
            taken.check_beside(spec)
        yield taken


def check_fits(spec: KitSpec, old: Lock | None, path: Path) -> Lock:
    """Return the lock if it was made for the sources that the spec has.

    Raises:
        LockMissing: There is none.
        LockStale: It was not.
        LockEdited: It was, and says something else now.
    """
    if old is None:
        raise LockMissing(
            "is not there, and the spec has sources that are fetched", where=show(path)
        )
    stale = stale_parts(spec, old)
    if stale:
        raise LockStale("; ".join(stale), where=show(path))
    check_unedited(parts(spec), old, path)
    return old


def check_unedited(known: Iterable[Part], lock: Lock, path: Path) -> None:
    """Hold what a lock says of parts to what `offline-kit lock` wrote of them.

    Raises:
        LockEdited: Somebody else wrote something there.
    """
    edited = edited_parts(known, lock)
    if edited:
        named = ", ".join(map(repr, edited[:20]))
        raise LockEdited(
            f"what it says of {named} is not what `offline-kit lock` wrote there", where=show(path)
        )


def absent(lock: Lock, missing: set[str], store: Store) -> ArtifactAbsent:
    """Return the error that names what the store lacks."""
    names = [item.path for item in lock.artifacts if item.sha256 in missing]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ArtifactAbsent(
        f"the store lacks {', '.join(map(repr, names[:20]))}{more}", where=show(store.root)
    )
