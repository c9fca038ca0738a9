"""What a build takes out of the store, by the lock: files with a place in the kit and a digest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.sources.lockfile import Lock, LockedArtifact
from kit.store import Store
from kit.store.errors import ArtifactDiffers
from verifier.core.lists import Index

LOCK_PATH = b"evidence/kit.lock"


@dataclass(frozen=True)
class Taken:
    """The files of a lock, which are in the store and stay there while the build lasts.

    Attributes:
        file: The lock itself; it travels as evidence.
    """

    lock: Lock
    file: Path
    store: Store

    def evidence(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield kit path and file of what lands below ``evidence/``, the lock included."""
        yield LOCK_PATH, os.fsencode(self.file.absolute())
        for _, path, file in self._all():
            if path.startswith(b"evidence/"):
                yield path, file

    def data(self, component: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield kit path and file of what lands in a component."""
        for item, path, file in self._all():
            if item.component == component and not path.startswith(b"evidence/"):
                yield path, file

    def executables(self) -> Iterator[bytes]:
        """Yield the kit paths of programs; in the store nothing is executable."""
        return (item.path.encode() for item in self.lock.artifacts if item.executable)

    def check(self, index: Index) -> None:
        """Hold what was built in to what is locked.

        Raises:
            ArtifactDiffers: A file of the store is no longer what its name says.
        """
        for item in self.lock.artifacts:
            at = index.find(item.path.encode())
            if at is None or index.digest(at).hex() != item.sha256:
                why = "the file in the store is not what the lock names"
                raise ArtifactDiffers(why, where=item.path)

    def _all(self) -> Iterator[tuple[LockedArtifact, bytes, bytes]]:
        for item in self.lock.artifacts:
            file = self.store.path(item.sha256).absolute()
            yield item, item.path.encode(), os.fsencode(file)
