"""The journal as a file: chained, durable a line, for one runner, and mended where it was torn."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from runner.chain import FIRST, MAX_LINE, Record, digest_of, line_of, read_chain
from runner.errors import JournalDamaged, JournalUnwritable, RunBusy, RunMissing, RunUnsafe
from runner.journal import JournalFile, read_journal
from runner.state import fold
from tests.support.killing import ended, fork, killed_at, points
from verifier.folder import Folder

BEGIN: Record = {"type": "begin", "steps": ["a"]}
LINES: list[Record] = [
    {"type": "start", "epoch": 1},
    {"type": "intent", "step": "a", "what": "apply", "attempt": 1},
    {"type": "outcome", "step": "a", "what": "apply", "attempt": 1, "result": "done"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    tmp_path.chmod(0o700)
    with Folder.open(str(tmp_path)) as opened:
        yield opened


def chain(count: int) -> bytes:
    """Return a journal of so many lines."""
    data, head = b"", FIRST
    for number, what in enumerate([BEGIN, *LINES][:count]):
        line = line_of(number, head, what)
        data, head = data + line, digest_of(line)
    return data


def write(folder: Folder, data: bytes) -> Path:
    path = Path(os.fsdecode(folder.path), "journal")
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_what_is_appended_is_read_again(folder: Folder) -> None:
    journal = JournalFile.create(folder, BEGIN)
    for what in LINES:
        journal.append(what)
    journal.close()
    assert [*JournalFile(folder).records] == [BEGIN, *LINES]
    assert read_journal(folder).records == (BEGIN, *LINES)
    assert Path(os.fsdecode(folder.path), "journal").read_bytes() == chain(4)
    assert fold(read_journal(folder).records).steps["a"].status == "done"


def test_one_runner_at_a_time(folder: Folder) -> None:
    first = JournalFile.create(folder, BEGIN)
    with pytest.raises(RunBusy):
        JournalFile(folder)
    assert read_journal(folder).records == (BEGIN,)  # looking takes no lock
    first.close()
    JournalFile(folder).close()


def test_a_second_run_does_not_begin_in_its_place(folder: Folder) -> None:
    JournalFile.create(folder, BEGIN).close()
    with pytest.raises(JournalUnwritable, match="exists"):
        JournalFile.create(folder, BEGIN)


@pytest.mark.parametrize("kind", ["cut", "zeros", "half zeros", "zero head", "random"])
def test_a_torn_tail_is_dropped_at_every_length(folder: Folder, kind: str) -> None:
    whole, last = chain(3), chain(4)[len(chain(3)) :]
    random, count = Random(kind), 0
    for cut in range(len(last)):
        tail = {
            "cut": last[:cut],
            "zeros": bytes(cut),
            "half zeros": last[:cut] + bytes(len(last) - cut),
            "zero head": bytes(cut + 1) + last[cut + 1 :],
            "random": bytes(random.choice([0, b]) for b in last[:cut]),
        }[kind]
        if tail == last:
            continue
        path = write(folder, whole + tail)
        journal = JournalFile(folder)
        assert (journal.torn, len(journal.records)) == (len(tail), 3)
        journal.append(LINES[2])
        journal.close()
        assert path.read_bytes() == chain(4)
        count += 1
    assert count >= len(last) - 1


def test_a_change_before_the_last_line_is_damage() -> None:
    data, count = chain(4), 0
    end = len(chain(3))
    for at in range(end):
        for flip in (1, 0x20, 0x80):
            bad = bytearray(data)
            bad[at] ^= flip
            with pytest.raises(JournalDamaged):
                fold(read_chain(bytes(bad)).records)
            count += 1
    assert count == 3 * end


def test_lines_that_are_gone_moved_or_doubled_are_damage() -> None:
    lines = chain(4).splitlines(keepends=True)
    for bad in (
        lines[1:],
        lines[:1] + lines[2:],
        [lines[0], lines[2], lines[1]],
        lines[:2] + lines[1:],
    ):
        with pytest.raises(JournalDamaged):
            read_chain(b"".join(bad))


def test_a_link_and_what_others_may_write_are_refused(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(RunMissing):
        JournalFile(folder)
    path = write(folder, chain(2))
    path.chmod(0o666)
    with pytest.raises(RunUnsafe, match="can be changed by everybody"):
        JournalFile(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunUnsafe, match="link"):
        JournalFile(folder)


def test_a_record_has_a_largest_size() -> None:
    line_of(1, FIRST, {"type": "note", "text": "x" * (MAX_LINE - 200)})
    with pytest.raises(ValueError, match="more than a line"):
        line_of(1, FIRST, {"type": "note", "text": "x" * MAX_LINE})


def test_a_kill_at_every_call_that_writes_loses_no_whole_line(tmp_path: Path) -> None:
    """Whatever is on the disk is a beginning of what was written, and goes on from there."""
    count = 0

    def work(place: Path) -> None:
        with Folder.open(str(place)) as folder:
            try:
                journal = JournalFile(folder)
            except RunMissing:
                journal = JournalFile.create(folder, BEGIN)
            for what in LINES[len(journal.records) - 1 :]:
                journal.append(what)
            journal.close()

    sample = tmp_path / "sample"
    sample.mkdir(mode=0o700)
    for number, point in enumerate(points(lambda: work(sample))):
        place = tmp_path / str(number)
        place.mkdir(mode=0o700)
        killed_at(point, lambda place=place: work(place))  # type: ignore[misc]
        if (place / "journal").exists():
            with Folder.open(str(place)) as folder:
                records = read_journal(folder).records
            assert list(records) == [BEGIN, *LINES][: len(records)]
            assert records
        work(place)
        assert (place / "journal").read_bytes() == chain(4)
        count += 1
    assert count >= 15


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))


def append_all(journal: JournalFile, lines: list[Record]) -> None:
    for what in lines:
        journal.append(what)


def test_a_full_disk_leaves_room_to_say_so(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("not run: this host does not permit mounting")
    try:
        with Folder.open(str(place)) as folder:
            journal = JournalFile.create(folder, BEGIN)
            journal.append(LINES[0])
            fill(place / "other")
            note = {"type": "note", "text": "x" * 3000}
            while not journal.full:
                journal.append(note)
            for _ in range(10):  # the reserve holds more than the last words
                journal.append(note)
            with pytest.raises(JournalUnwritable, match="disk is full"):
                append_all(journal, [note] * 100)
            journal.close()
            before = len(read_journal(folder).records)
            (place / "other").unlink()
            again = JournalFile(folder)
            assert (again.torn, len(again.records)) == (0, before)
            assert (place / "reserve").stat().st_size == MAX_LINE
            again.close()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_writer_that_is_killed_gives_the_lock_back(folder: Folder) -> None:
    JournalFile.create(folder, BEGIN).close()

    def work() -> None:
        JournalFile(folder)
        os.kill(os.getpid(), 9)

    assert ended(fork(work)) == -9
    JournalFile(folder).close()


def test_ten_thousand_steps_are_read_in_little_time(folder: Folder) -> None:
    """Under a second on a host that has nothing else to do; the limit here is for one that has."""
    names = [f"step-{number}" for number in range(10_000)]
    data, head = [line_of(0, FIRST, {"type": "begin", "steps": names})], ""
    head = digest_of(data[0])
    for name in names:
        common = {"step": name, "what": "apply", "attempt": 1}
        output = {"sha256": "0" * 64, "size": 100}
        for what in (
            {"type": "intent", **common},
            {"type": "outcome", **common, "result": "done", "why": "exited 0", "output": output},
        ):
            data.append(line_of(len(data), head, what))
            head = digest_of(data[-1])
    path = write(folder, b"".join(data))
    began = time.process_time()
    state = fold(read_journal(folder).records)
    assert time.process_time() - began < 2
    assert all(step.status == "done" for step in state.steps.values())
    assert path.stat().st_size > 4_000_000
