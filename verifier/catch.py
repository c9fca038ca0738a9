"""Keeps members that somebody wants to judge, in the one pass that proves the kit.

A judge says which members it wants when the index is proved, and gets their bytes when all of the
kit is: nothing unproved is ever looked into.  What is kept is bounded.  What a judge says comes
after the verdict of the core, and can only lower it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from verifier.core.errors import KitError
from verifier.core.limits import MIB
from verifier.core.members import Sink
from verifier.core.pipeline import Job, Opened
from verifier.typed import Protocol, record

MEMBER = 4 * MIB  # bytes of one member
KIT = 64 * MIB  # bytes of all that one judge wants

TOO_LARGE = "it has more than {} bytes"
TOO_MUCH = "with it there would be more than {} bytes to look into"
NOT_DECODED = "its frames were not decoded (--quick)"


@record(frozen=True)
class Caught:
    """Members that a judge wanted.

    Attributes:
        data: From path to contents, as they were proved.
        missed: From path to the reason why there is nothing to look into.
    """

    data: Mapping[str, bytes]
    missed: Mapping[str, str]


class Judge(Protocol):
    """Somebody who looks into members when they are proved.

    Attributes:
        member: The most bytes of one member that are kept for it; see `MEMBER`.
        kit: The most bytes that are kept for it; see `KIT`.
    """

    @property
    def member(self) -> int: ...

    @property
    def kit(self) -> int: ...

    def choose(self, opened: Opened) -> Iterable[int]:
        """Return the numbers of the members it wants, what it needs most first.

        Envelope and index are proved by now.
        """

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Return what stands against the kit; all of it is proved by now."""


class Catching:
    """Has a job keep what judges want; made before the job runs.

    Args:
        job: What proves the kit; how it writes members stays as it is.
        judges: Who wants to look.
    """

    def __init__(self, job: Job, judges: Sequence[Judge]) -> None:
        self._judges = judges
        self._wanted: list[tuple[list[int], dict[int, str]]] = []
        self._kept: dict[int, bytearray] = {}
        self._inner: Sink | None = None
        self._make_inner = job.make_sink
        self._change = threading.Lock()
        job.also, job.make_sink = self._choose, self._sink

    def _choose(self, opened: Opened) -> list[int]:
        """Return the members that are kept, after the limits of each judge."""
        assert opened.index is not None
        sizes = opened.index.sizes
        self._wanted = []
        for judge in self._judges:
            total, take = 0, list[int]()
            missed: dict[int, str] = {}
            for member in dict.fromkeys(judge.choose(opened)):
                size = sizes[member]
                if size > judge.member:
                    missed[member] = TOO_LARGE.format(judge.member)
                elif total + size > judge.kit:
                    missed[member] = TOO_MUCH.format(judge.kit)
                else:
                    total += size
                    take.append(member)
            self._wanted.append((take, missed))
        self._kept = {member: bytearray() for take, _ in self._wanted for member in take}
        self._sizes = sizes
        return sorted(self._kept)

    def _sink(self, opened: Opened, wanted: list[range] | None) -> Sink:
        if self._make_inner is not None:
            self._inner = self._make_inner(opened, wanted)
        return self

    def small(self, member: int, data: memoryview) -> None:
        """Keep a whole member; see `verifier.core.members.Sink`."""
        if member in self._kept:
            self._kept[member] = bytearray(data)
        if self._inner is not None:
            self._inner.small(member, data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Keep a part of a member; see `verifier.core.members.Sink`."""
        if member in self._kept:
            with self._change:
                buffer = self._kept[member]
                if not buffer:
                    buffer.extend(bytes(self._sizes[member]))
            buffer[offset : offset + len(data)] = data
        if self._inner is not None:
            self._inner.piece(member, offset, data)

    def judge(self, opened: Opened) -> list[KitError]:
        """Return what the judges have against a kit that is proved; what was kept is let go."""
        assert opened.index is not None
        index, sizes, faults = opened.index, self._sizes, list[KitError]()
        for judge, (take, missed) in zip(self._judges, self._wanted):
            got = [member for member in take if len(self._kept[member]) == sizes[member]]
            unread = dict.fromkeys(set(take) - set(got), NOT_DECODED)
            why = {index.path(member): text for member, text in {**missed, **unread}.items()}
            data = {index.path(member): bytes(self._kept[member]) for member in got}
            faults += judge.judge(opened, Caught(data, why))
        self._kept = {}
        return faults
