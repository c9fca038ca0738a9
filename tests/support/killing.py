"""Runs work in a process of its own and kills it, at a chosen call or at a chosen moment.

The child is a fork: it has everything imported, so a whole build costs some hundredths of a second
and every single call that changes a disk can be the last one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

# how many of the moments a test tries: a few each time, all of them in the long runs
A_FEW_OR_ALL = [
    pytest.param(8, id="a few"),
    pytest.param(1 << 30, id="all", marks=pytest.mark.long),
]
CHANGING = """open mkdir rmdir unlink rename replace link ftruncate chmod fchmod utime fsync sync
write pwrite pwritev""".split()
WRITING = ("write", "pwrite", "pwritev")


@dataclass(frozen=True)
class Point:
    """A moment to kill at: before the call with this number, or in the middle of a write."""

    number: int
    half: bool


def _half(name: str, data: Any) -> Any:
    """Return what a write would have written when it was cut short."""
    if name != "pwritev":
        return memoryview(data)[: len(data) // 2]
    views: list[Any] = []
    left = sum(map(len, data)) // 2
    for view in data:
        views.append(view[:left])
        left -= len(views[-1])
    return views


class _Counter:
    """Stands before the calls of `os` that change a disk, counts them and strikes at one."""

    def __init__(self, point: Point | None) -> None:
        self._point = point
        self._lock = threading.Lock()
        self.seen: list[str] = []
        for name in CHANGING:
            setattr(os, name, self._counting(name, getattr(os, name)))

    def _counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **more: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return call(*arguments, **more)
            with self._lock:
                number = len(self.seen)
                self.seen.append(name)
                if self._point is not None and number == self._point.number:
                    if self._point.half and name in WRITING:
                        call(arguments[0], _half(name, arguments[1]), *arguments[2:])
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **more)

        return counted


def fork(work: Callable[[], object], report: int = -1, point: Point | None = None) -> int:
    """Start a child that does the work and ends with 0, or with 1 if it raised anything."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        if report >= 0 or point is not None:
            counter = _Counter(point)
        work()
        if report >= 0:
            os.write(report, " ".join(counter.seen).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """Wait for a child; return its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def points(work: Callable[[], object]) -> Iterator[Point]:
    """Do the work once in a child and yield every moment at which it could be killed."""
    reading, writing = os.pipe()
    child = fork(work, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        seen = pipe.read().decode().split()
    assert ended(child) == 0, "the work does not even end when nobody kills it"
    for number, name in enumerate(seen):
        yield Point(number, half=False)
        if name in WRITING:
            yield Point(number, half=True)


def spread(found: Sequence[Point], most: int) -> list[Point]:
    """Return so many of them: the first, the last, and between them at even distances."""
    if len(found) <= most:
        return list(found)
    return [found[number * (len(found) - 1) // (most - 1)] for number in range(most)]


def killed_at(point: Point, work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed at a point; return whether it was.

    Threads take turns, so that a point in one run may be behind the end of another.
    """
    status = ended(fork(work, point=point))
    assert status in (0, -signal.SIGKILL), f"the work failed by itself: {status}"
    return status != 0


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed after a while; return whether it was."""
    child = fork(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    status = ended(child)
    assert status in (0, -signal.SIGKILL), f"the work failed by itself: {status}"
    return status != 0
