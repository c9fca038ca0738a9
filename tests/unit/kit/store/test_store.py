"""The store: a file has its name when it is that file, whoever else is at work."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from kit.store import Artifact, Store, default_root
from verifier.core.errors import KitError


def artifact(data: bytes) -> Artifact:
    return Artifact(hashlib.sha256(data).hexdigest(), len(data))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_is_added_is_there_and_read_only(store: Store) -> None:
    made = store.add(b"hello")
    assert made == artifact(b"hello")
    assert store.has(made)
    assert store.read(made, 10) == b"hello"
    assert store.path(made.sha256).stat().st_mode & 0o777 == 0o444


def test_an_empty_file_is_a_file(store: Store) -> None:
    assert store.has(store.add(b""))


@pytest.mark.parametrize("wrong", [artifact(b"other"), Artifact(artifact(b"data").sha256, 5)])
def test_nothing_gets_the_name_of_another(wrong: Artifact, store: Store) -> None:
    with store.receive(wrong.sha256) as partial:
        partial.write(b"data")
        with pytest.raises(KitError) as caught:
            partial.commit(wrong)
    assert caught.value.code == "artifact-differs"
    assert not store.has(wrong)
    assert list((store.root / "partial").iterdir()) == []


def test_a_file_that_was_changed_is_not_read_as_itself(store: Store) -> None:
    made = store.add(b"hello")
    path = store.path(made.sha256)
    path.chmod(0o644)
    path.write_bytes(b"jello")
    with pytest.raises(KitError) as caught:
        store.read(made, 10)
    assert caught.value.code == "artifact-differs"


def test_a_file_that_is_cut_is_not_there(store: Store) -> None:
    made = store.add(b"hello")
    path = store.path(made.sha256)
    path.chmod(0o644)
    path.write_bytes(b"")  # what a power cut leaves
    assert not store.has(made)


def test_a_link_in_its_place_is_not_there(store: Store, tmp_path: Path) -> None:
    made = store.add(b"hello")
    (tmp_path / "other").write_bytes(b"jello")
    store.path(made.sha256).unlink()
    store.path(made.sha256).symlink_to(tmp_path / "other")
    assert not store.has(made)
    with pytest.raises(KitError):
        store.read(made, 10)


def test_what_was_received_stays_for_the_next_run(store: Store) -> None:
    wanted = artifact(b"hello world")
    with store.receive(wanted.sha256) as partial:
        partial.write(b"hello ")
    with store.receive(wanted.sha256) as partial:
        assert partial.size == 6
        partial.write(b"world")
        partial.commit(wanted)
    assert store.read(wanted, 100) == b"hello world"


def test_verify_names_and_removes_what_is_damaged(store: Store) -> None:
    good, bad = store.add(b"good"), store.add(b"bad")
    path = store.path(bad.sha256)
    path.chmod(0o644)
    path.write_bytes(b"sad")
    found = store.verify()
    assert (found.checked, found.size, found.damaged) == (2, 7, (bad.sha256,))
    assert store.has(good)
    assert not store.has(bad)


def test_garbage_by_age(store: Store) -> None:
    old, new = store.add(b"old"), store.add(b"new")
    os.utime(store.path(old.sha256), (time.time() - 100, time.time() - 100))
    removed = store.collect_garbage(older_than_seconds=50, keep_bytes=None)
    assert (removed.files, removed.size) == (1, 3)
    assert not store.has(old)
    assert store.has(new)


def test_garbage_by_size_takes_the_oldest_first(store: Store) -> None:
    made = [store.add(bytes([number]) * 10) for number in range(4)]
    for age, one in enumerate(reversed(made)):
        os.utime(store.path(one.sha256), (time.time() - age * 10, time.time() - age * 10))
    store.collect_garbage(older_than_seconds=None, keep_bytes=20)
    assert [store.has(one) for one in made] == [False, False, True, True]


def test_what_is_needed_is_as_new(store: Store) -> None:
    made = store.add(b"old")
    os.utime(store.path(made.sha256), (1, 1))
    with store.hold([made]):
        pass
    assert store.collect_garbage(older_than_seconds=50, keep_bytes=None).files == 0


def test_a_running_process_keeps_what_it_holds(store: Store) -> None:
    held, free = store.add(b"held"), store.add(b"free")
    absent = artifact(b"absent")
    with store.hold([held, absent]) as missing:
        assert missing == (absent,)
        removed = store.collect_garbage(older_than_seconds=None, keep_bytes=0)
        assert (removed.files, removed.held) == (1, 1)
        assert store.has(held)
        assert not store.has(free)
    assert store.collect_garbage(older_than_seconds=None, keep_bytes=0).files == 1


def _hold_and_die(root: Path, held: Artifact, ready: str) -> None:
    with Store(root).hold([held]):
        os.mkdir(ready)
        time.sleep(60)


def test_a_dead_process_holds_nothing(store: Store, tmp_path: Path) -> None:
    held = store.add(b"held")
    ready = tmp_path / "ready"
    process = multiprocessing.get_context("fork").Process(
        target=_hold_and_die, args=(store.root, held, os.fspath(ready))
    )
    process.start()
    while not ready.exists():
        time.sleep(0.01)
    assert store.collect_garbage(older_than_seconds=None, keep_bytes=0).held == 1
    process.kill()
    process.join()
    assert store.collect_garbage(older_than_seconds=None, keep_bytes=0).files == 1
    assert list((store.root / "holds").iterdir()) == []


def _add_many(root: Path, seed: int) -> None:
    store = Store(root)
    for number in range(40):
        data = f"file {(number + seed) % 40}".encode() * 200
        made = store.add(data)
        assert store.read(made, 1 << 20) == data


def test_several_processes_at_once(store: Store) -> None:
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=_add_many, args=(store.root, seed)) for seed in (0, 1, 20, 39)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0] * 4
    assert store.verify().checked == 40
    assert list((store.root / "partial").iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_store_that_others_may_write_to_is_refused(mode: int, store: Store) -> None:
    store.root.mkdir()
    store.root.chmod(mode)
    with pytest.raises(KitError) as caught:
        store.add(b"data")
    assert caught.value.code == "store-unusable"


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "directory"])
def test_a_planted_partial_is_not_written_to(kind: str, store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    wanted = artifact(b"data")
    store.add(b"so that the directories are there")
    name = store.root / "partial" / wanted.sha256
    if kind == "link":
        name.symlink_to(victim)
    elif kind == "hard link":
        name.hardlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(name)
    else:
        name.mkdir()
    with pytest.raises(KitError) as caught:
        store.add(b"data")
    assert caught.value.code == "store-unusable"
    assert victim.read_bytes() == b"precious"


def test_where_the_store_is() -> None:
    assert default_root({"XDG_CACHE_HOME": "/c"}) == Path("/c/offline-kit/store")
    assert default_root({"XDG_CACHE_HOME": "c", "HOME": "/h"}) == Path(
        "/h/.cache/offline-kit/store"
    )
