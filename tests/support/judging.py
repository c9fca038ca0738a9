"""Asks the verifier about a kit that is nowhere but in memory, as a file or as a pipe."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.people import ROOT_FILE
from verifier.core.errors import ExitStatus, KitError, KitTruncated
from verifier.core.members import Decoder
from verifier.core.pipeline import Job, Opened, prove
from verifier.core.trust import Root, parse_root
from verifier.decoders import find_decoder
from verifier.show.report import Report, make_report


class MemorySource:
    """Bytes in memory; see `verifier.core.container.Source`.

    Args:
        data: The kit.
        sequential: Whether to be a pipe: in order, each byte once, of unknown length.
    """

    def __init__(self, data: bytes, *, sequential: bool = False) -> None:
        self._data = memoryview(data)
        self._position = 0
        self.sequential = sequential
        self.size: int | None = None if sequential else len(data)

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views``; see `verifier.core.container.Source`."""
        if self.sequential and offset < self._position:
            raise ValueError("a pipe cannot be read backwards")
        for view in views:
            end = offset + len(view)
            if end > len(self._data):
                raise KitTruncated(f"the bytes end at {len(self._data)}", where="memory")
            view[:] = self._data[offset:end]
            offset = end
        self._position = offset

    def ends_at(self, offset: int) -> bool:
        """Whether there is no byte at ``offset``."""
        return offset >= len(self._data)

    def check_unchanged(self) -> None:
        """Nothing: memory does not change."""


@dataclass(frozen=True)
class Verdict:
    """What came of a kit.

    Attributes:
        code: Of the error; empty if there was none.
    """

    status: int
    code: str
    error: KitError | None
    opened: Opened
    report: Report

    @property
    def fault(self) -> tuple[str, str, str]:
        """Code, place and message of the error."""
        if self.error is None:
            return "", "", ""
        return self.code, self.error.where, self.error.message


@functools.cache
def pinned() -> Root:
    """Return the test root: two of alice, bob and carol."""
    return parse_root(ROOT_FILE.read_bytes())


@functools.cache
def decoder() -> Callable[[], Decoder]:
    """Return what makes a zstd decoder on this host."""
    found = find_decoder()
    assert found is not None, "these tests need a zstd decoder: libzstd1 or the zstd program"
    return found[1]


def judge(
    kit: bytes, *, root: Root | None = None, pin: bool = True, pipe: bool = False, **job: Any
) -> Verdict:
    """Have the verifier prove a kit; only errors of its own kind become a verdict.

    Args:
        root: The pinned root; by default that of the test keys.
        pin: Whether to pin a root at all.
        pipe: Whether the kit comes through a pipe.
        job: Fields of `verifier.core.pipeline.Job`.
    """
    if pin:
        job["root"] = root or pinned()
    task = Job(**{"make_decoder": decoder(), **job})
    opened = Opened()
    error: KitError | None = None
    try:
        prove(MemorySource(kit, sequential=pipe), task, opened)
    except KitError as caught:
        error = caught
    status = ExitStatus.VERIFIED if error is None else error.status
    report = make_report(task, opened, error)
    return Verdict(int(status), error.code if error else "", error, opened, report)
