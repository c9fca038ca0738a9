"""Keeps members that somebody wants to judge, in the one pass that proves the kit.

A judge says which members it wants when the index is proved, and gets their bytes when all of the
kit is: nothing unproved is ever looked into.  What is kept is bounded.  What a judge says comes
after the verdict of the core, and can only lower it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence

from verifier.core.errors import KitError
from verifier.core.limits import MIB
from verifier.core.members import Sink
from verifier.core.pipeline import Job, Opened
from verifier.typed import Protocol, field, record

MEMBER = 4 * MIB  # bytes of one member
KIT = 64 * MIB  # bytes of all that one judge wants

TOO_LARGE = "it has more than {} bytes"
TOO_MUCH = "with it there would be more than {} bytes to look into"
NOT_DECODED = "its frames were not decoded (--quick)"


@record(frozen=True)
class Beginning:
    """A wish for the first bytes of a member, whatever its size."""

    member: int
    size: int


@record(frozen=True)
class Sha512:
    """A wish for the SHA-512 of a member, whatever its size: the index has the SHA-256."""

    member: int


@record(frozen=True)
class Caught:
    """Members that a judge wanted.

    Attributes:
        data: From path to contents, or to their beginning, as they were proved.
        missed: From path to the reason why there is nothing to look into.
        sha512: From path to hexadecimal digits.
    """

    data: Mapping[str, bytes]
    missed: Mapping[str, str]
    sha512: Mapping[str, str] = field(default_factory=dict)


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

    def choose(self, opened: Opened) -> Iterable[int | Beginning | Sha512]:
        """Return the numbers of the members it wants, what it needs most first.

        Envelope and index are proved by now.
        """

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Return what stands against the kit; all of it is proved by now."""


class _Wishes:
    """What one judge gets: bytes of each member, SHA-512 of others, and what it does not get."""

    def __init__(self, judge: Judge, opened: Opened) -> None:
        assert opened.index is not None
        self.sizes: dict[int, int] = {}
        self.hashed: list[int] = []
        self.missed: dict[int, str] = {}
        total = 0
        for wish in dict.fromkeys(judge.choose(opened)):
            if isinstance(wish, Sha512):
                self.hashed.append(wish.member)
                continue
            if isinstance(wish, Beginning):
                member = wish.member
                size = kept = min(wish.size, opened.index.sizes[member])
            else:
                member = wish
                size = opened.index.sizes[member]
                kept = min(size, judge.member)
            if size > kept:
                self.missed[member] = TOO_LARGE.format(judge.member)
                continue
            more = kept - self.sizes.get(member, 0)  # a longer beginning takes a shorter one in
            if total + more <= judge.kit:
                total += more
                self.sizes[member] = kept
            elif member not in self.sizes:
                self.missed[member] = TOO_MUCH.format(judge.kit)


class _Chain:
    """The SHA-512 of a member whose parts come from several threads, nearly in order."""

    def __init__(self) -> None:
        self.hashed = hashlib.sha512()
        self.done = 0
        self._early: dict[int, bytes] = {}

    def add(self, offset: int, data: memoryview) -> None:
        """Take a part; one that comes early waits, and the walk bounds how early it can be."""
        if offset != self.done:
            self._early[offset] = bytes(data)
            return
        part: bytes | memoryview | None = data
        while part is not None:
            self.hashed.update(part)
            self.done += len(part)
            part = self._early.pop(self.done, None)


class Catching:
    """Has a job keep what judges want; made before the job runs.

    Args:
        job: What proves the kit; how it writes members stays as it is.
        judges: Who wants to look.
    """

    def __init__(self, job: Job, judges: Sequence[Judge]) -> None:
        self._judges = judges
        self._wishes: list[_Wishes] = []
        self._sizes: dict[int, int] = {}
        self._kept: dict[int, bytearray] = {}
        self._chains: dict[int, _Chain] = {}
        self._inner: Sink | None = None
        self._make_inner = job.make_sink
        self._change = threading.Lock()
        job.also, job.make_sink = self._choose, self._sink

    def _choose(self, opened: Opened) -> list[int]:
        """Return the members that are kept, after the limits of each judge."""
        self._wishes = [_Wishes(judge, opened) for judge in self._judges]
        for wishes in self._wishes:
            for member, size in wishes.sizes.items():
                self._sizes[member] = max(size, self._sizes.get(member, 0))
            for member in wishes.hashed:
                self._chains[member] = _Chain()
        return sorted({*self._sizes, *self._chains})

    def _sink(self, opened: Opened, wanted: list[range] | None) -> Sink:
        if self._make_inner is not None:
            self._inner = self._make_inner(opened, wanted)
        return self

    def small(self, member: int, data: memoryview) -> None:
        """Keep a whole member; see `verifier.core.members.Sink`."""
        if member in self._sizes:
            self._kept[member] = bytearray(data[: self._sizes[member]])
        if member in self._chains:
            self._chains[member].add(0, data)
        if self._inner is not None:
            self._inner.small(member, data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Keep a part of a member; see `verifier.core.members.Sink`."""
        size = self._sizes.get(member, 0)
        if offset < size:
            with self._change:
                if member not in self._kept:
                    self._kept[member] = bytearray(size)
            end = min(size, offset + len(data))
            self._kept[member][offset:end] = data[: end - offset]
        if member in self._chains:
            with self._change:
                self._chains[member].add(offset, data)
        if self._inner is not None:
            self._inner.piece(member, offset, data)

    def judge(self, opened: Opened) -> list[KitError]:
        """Return what the judges have against a kit that is proved; what was kept is let go."""
        assert opened.index is not None
        index, faults = opened.index, list[KitError]()
        for judge, wishes in zip(self._judges, self._wishes):
            data, missed = {}, {index.path(at): why for at, why in wishes.missed.items()}
            for member, size in wishes.sizes.items():
                kept = self._kept.get(member)
                if kept is not None:
                    data[index.path(member)] = bytes(kept[:size])
                elif size:
                    missed[index.path(member)] = NOT_DECODED
                else:
                    data[index.path(member)] = b""
            sha512 = {
                index.path(member): self._chains[member].hashed.hexdigest()
                for member in wishes.hashed
                if self._chains[member].done == index.sizes[member]
            }
            faults += judge.judge(opened, Caught(data, missed, sha512))
        self._kept = {}
        return faults
