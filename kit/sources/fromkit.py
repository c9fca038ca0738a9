"""Files that the store lacks, out of a kit that has them: nobody else may have them any more.

They are gathered while the kit is proved, and get into the store only when all of it was; each is
compared with the digest that the lock names once more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO

from kit.sources.lockfile import LockedArtifact
from kit.sources.taken import Taken, absent
from verifier.core.lists import Index

_STEP = 1 << 20


class Gathered:
    """Members of a kit that a lock names, as they pass (`verifier.core.members.Sink`).

    Args:
        scratch: A file for all of them, one behind the other.
        wanted: What the store lacks.

    Raises:
        ArtifactAbsent: The kit does not have one of them either.
    """

    def __init__(self, index: Index, wanted: Taken, scratch: IO[bytes]) -> None:
        self._scratch, self._taken = scratch, wanted
        self._places: dict[int, tuple[int, LockedArtifact]] = {}
        lacking, at = set(), 0
        for item in wanted.lacking:
            member = index.find(item.path.encode())
            same = member is not None and index.digest(member).hex() == item.sha256
            if member is None or not same or index.sizes[member] != item.size:
                lacking.add(item.sha256)
                continue
            self._places[member] = at, item
            at += item.size
        if lacking:
            raise absent(wanted.lock, lacking, wanted.store)

    def small(self, member: int, data: memoryview) -> None:
        """Take a whole member."""
        self.piece(member, 0, data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Take a part of a member; several threads do."""
        if member not in self._places:
            return
        at = self._places[member][0] + offset
        while data:
            done = os.pwrite(self._scratch.fileno(), data, at)
            data, at = data[done:], at + done

    def store(self) -> Sequence[str]:
        """Put what was gathered into the store; return the paths in the kit, sorted.

        Raises:
            StoreFull: The disk is full.
        """
        for at, item in self._places.values():
            if self._taken.store.has(item.artifact):
                continue  # at another path too
            self._scratch.seek(at)
            left = item.size
            with self._taken.store.receive(item.sha256, fresh=True) as partial:
                while left:
                    data = self._scratch.read(min(_STEP, left))
                    partial.write(data)
                    left -= len(data)
                partial.commit(item.artifact)
        return sorted(item.path for _, item in self._places.values())
