"""A kit that is written to while it is read: never verified, nothing kept."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.assembler import OWN, Draft, assemble, boundaries
from tests.support.hooks import flip
from tests.support.judging import pinned
from tests.support.naive import MIB, Entry
from verifier.core.errors import KitChanged, KitTruncated, KitUnreadable, TrailingBytes
from verifier.core.pipeline import Job, Opened, prove
from verifier.run import Into, prove_file
from verifier.source import StreamSource

GROUPS = [Entry(b"tools/%02d" % i, bytes(MIB - 512)) for i in range(16)]  # four frames
Change = Callable[[Path], None]


def grow(kit: Path) -> None:
    with kit.open("ab") as stream:
        stream.write(b"more")


def shrink(kit: Path) -> None:
    os.truncate(kit, kit.stat().st_size // 2)


def flip_the_end(kit: Path) -> None:
    rewrite(kit, flip(-30)(kit.read_bytes()))


def flip_what_was_read(kit: Path) -> None:
    rewrite(kit, flip(40)(kit.read_bytes()))


def rewrite(kit: Path, data: bytes) -> None:
    descriptor = os.open(kit, os.O_WRONLY)
    os.write(descriptor, data)
    os.close(descriptor)
    facts = kit.stat()
    os.utime(kit, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))  # clocks are coarse


@functools.cache
def of_four_frames(level: int) -> bytes:
    return assemble(Draft((*OWN, *GROUPS), level=level))


@pytest.mark.parametrize("change", [grow, shrink, flip_the_end, flip_what_was_read])
@pytest.mark.parametrize(
    ("level", "frame"),
    [(level, frame) for level in (0, 3) for frame in (0, 1, 3)],
    ids=[f"{level}-{frame}" for level in (0, 3) for frame in ("first", "second", "late")],
)
def test_kit_that_changes_while_it_is_read(
    tmp_path: Path, change: Change, level: int, frame: int
) -> None:
    """Whatever was found wrong then is no verdict on the kit: it may be whole a moment later."""
    kit = tmp_path / "kit.tar.zst"
    kit.write_bytes(of_four_frames(level))
    calls: list[int] = []

    def progress(done: int, total: int) -> None:
        if len(calls) == frame:
            change(kit)
        calls.append(done)

    job = Job(root=pinned(), workers=2, progress=progress)
    with pytest.raises(KitChanged):
        prove_file(os.fspath(kit), job, Opened(), Into(os.fspath(tmp_path / "out")))
    assert len(calls) > frame, "it was changed"
    assert calls[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["kit.tar.zst"]


def test_kit_that_is_bad_and_stays_as_it_is_is_rejected(tmp_path: Path) -> None:
    for name, data in (("long", assemble() + b"more"), ("short", assemble()[:-9])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises((TrailingBytes, KitTruncated)):
            prove_file(os.fspath(tmp_path / name), Job(root=pinned()), Opened())


def test_what_was_read_before_it_changed_is_undecided(tmp_path: Path) -> None:
    kit = tmp_path / "kit.tar.zst"
    kit.write_bytes(of_four_frames(0))
    job = Job(root=pinned(), progress=lambda done, total: flip_what_was_read(kit))
    with pytest.raises(KitChanged):
        prove_file(os.fspath(kit), job, Opened())


def test_kit_that_is_still_being_copied(tmp_path: Path) -> None:
    kit = tmp_path / "kit.tar.zst"
    data = of_four_frames(0)
    for frame in (0, 1, 4, 6):
        kit.write_bytes(data[: boundaries(data)[frame][0]])
        with pytest.raises(KitTruncated):
            prove_file(os.fspath(kit), Job(root=pinned()), Opened())


def test_pipe_that_breaks_off_and_pipe_that_goes_on() -> None:
    data = assemble()
    for sent, error in ((data[:-1], KitTruncated), (data + b"\0", TrailingBytes)):
        reading, writing = os.pipe()

        def send(target: int = writing, kit: bytes = sent) -> None:
            with os.fdopen(target, "wb") as stream:
                stream.write(kit)

        thread = threading.Thread(target=send)
        thread.start()
        with os.fdopen(reading, "rb", buffering=0) as stream, pytest.raises(error):
            prove_stream(stream)
        thread.join()


def prove_stream(stream: object) -> None:
    prove(StreamSource(stream), Job(root=pinned()), Opened())  # type: ignore[arg-type]


class Failing:
    """A medium whose sectors from some place on cannot be read; for `StreamSource`."""

    def __init__(self, data: bytes, good: int) -> None:
        self._data = data[:good]
        self._at = 0

    def readinto(self, view: memoryview) -> int:
        piece = self._data[self._at : self._at + len(view)]
        if not piece:
            raise OSError(5, "Input/output error")
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def read(self, size: int) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("good", [0, 100, 66_000, 70_000, 78_000, 78_528])
def test_medium_that_fails_is_undecided(good: int) -> None:
    data = assemble()
    assert len(data) == 78_528
    with pytest.raises(KitUnreadable, match="Input/output error"):
        prove_stream(Failing(data, good))
