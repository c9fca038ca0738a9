"""Files that we make: created by us alone, whatever somebody has put under their names before."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.container.output import new_file, partial_of, replace_file
from kit.errors import KitError
from verifier import _compat


def make(path: Path) -> None:
    with new_file(path) as descriptor:
        os.write(descriptor, b"ours")


def replace(path: Path) -> None:
    replace_file(path, b"ours")


WAYS = [make, replace]
Way = Callable[[Path], None]


def refused(way: Way, path: Path) -> str:
    with pytest.raises(KitError) as error:
        way(path)
    return error.value.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the name of a file to be made, in a directory of its own."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "file"


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_somebody_keeps_open_does_not_become_ours(way: Way, path: Path) -> None:
    """Whoever has it open could write to what was signed, long after."""
    with open(partial_of(path), "w+b") as planted:
        way(path)
        planted.write(b"theirs")
        planted.flush()
        assert not os.path.samestat(os.fstat(planted.fileno()), path.stat())
    assert path.read_bytes() == b"ours"


@pytest.mark.parametrize("way", WAYS)
def test_a_second_name_of_another_file_is_not_written_to(
    way: Way, path: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    os.link(precious, partial_of(path))
    way(path)
    assert (precious.read_bytes(), path.read_bytes()) == (b"precious", b"ours")
    assert precious.stat().st_nlink == path.stat().st_nlink == 1


PLANTED: dict[str, Callable[[Path], object]] = {
    "a link": lambda place: place.symlink_to("/dev/zero"),
    "a directory": lambda place: place.mkdir(),
    "a FIFO": os.mkfifo,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_no_file_is_refused(way: Way, plant: Callable[[Path], object], path: Path) -> None:
    plant(partial_of(path))
    before = partial_of(path).lstat()
    assert refused(way, path) == "output-foreign"
    assert partial_of(path).lstat() == before
    assert not path.exists()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_exchanged_while_it_is_written_is_not_passed_off_as_ours(
    way: Way, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def exchange(descriptor: int) -> None:
        sync(descriptor)
        if partial_of(path).exists():
            partial_of(path).unlink()
            partial_of(path).write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", exchange)
    assert refused(way, path) == "output-foreign"
    assert not path.exists()


def test_dead_runs_leave_nothing_behind_for_ever(path: Path) -> None:
    """What a killed build of another version left goes; what a living one holds stays."""
    dead, alive = partial_of(path.with_name("old")), partial_of(path.with_name("alive"))
    dead.write_bytes(b"half")
    alive.write_bytes(b"half")
    path.with_name("mine.offline-kit-partial").mkdir()
    with open(alive, "rb") as run:
        fcntl.flock(run, fcntl.LOCK_EX)
        make(path)
        assert {p.name for p in path.parent.iterdir()} == {
            path.name,
            alive.name,
            "mine.offline-kit-partial",
        }


@pytest.mark.parametrize("way", WAYS)
def test_inode_numbers_that_change_at_each_look(
    way: Way, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sshfs and some other file systems have them; nothing can be told from them there."""
    look = os.fstat
    numbers = iter(range(1 << 40, 1 << 41))

    def made_up(descriptor: int) -> os.stat_result:
        facts = list(look(descriptor))
        facts[1] = next(numbers)
        return os.stat_result(facts)

    monkeypatch.setattr(os, "fstat", made_up)
    way(path)
    assert path.read_bytes() == b"ours"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_moment_of_creation_leaves_nothing(
    way: Way, path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened = os.open

    def struck(*arguments: Any, **more: Any) -> int:
        descriptor = opened(*arguments, **more)
        if partial_of(path).exists():
            os.kill(os.getpid(), number)
        return descriptor

    monkeypatch.setattr(os, "open", struck)
    with _compat.Interruptible(), pytest.raises(KeyboardInterrupt):
        way(path)
    assert list(path.parent.iterdir()) == []


def test_a_small_file_waits_for_its_turn_and_not_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    monkeypatch.setattr("kit.container.output._PAUSES", 3)
    with pytest.raises(KitError) as caught:
        replace(path)
    assert caught.value.code == "output-exists"
    assert "Wait until the other run has ended" in caught.value.fix
    monkeypatch.setattr("kit.container.output._PAUSES", 500)
    ending = threading.Timer(0.1, os.close, [held])
    ending.start()
    replace(path)
    ending.join()
    assert path.read_bytes() == b"ours"
