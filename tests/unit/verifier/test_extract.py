"""Extraction: a new directory with all of the kit, or nothing at all, on every host."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.assembler import OWN, Draft, assemble, component
from tests.support.compiled import compiled
from tests.support.making import (
    REPOSITORY,
    ROOT_FILE,
    Made,
    make_kit,
    noise,
    pinned,
    read_tree,
    run_verifier,
    text,
)
from tests.support.naive import Entry
from tests.support.warm import warm
from verifier import _compat
from verifier.core.errors import ExitStatus
from verifier.core.limits import MIB
from verifier.core.names import HEAD
from verifier.core.pipeline import Job, Opened
from verifier.extract import staging_of
from verifier.run import run
from verifier.show.report import Report

FILES = {
    "tools/bin/run": b"#!/bin/sh\n",
    "tools/deep/er/and/deeper/file": b"deep\n",
    "tools/empty": b"",
    "data/big": text(9 * MIB + 77),
    "data/small/1": text(100),
    "last/noise": noise(3 * MIB),
}
CREATED = 1795478400  # 2026-11-24T00:00:00Z


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit of three components."""
    return make_kit(tmp_path_factory.mktemp("extract"), FILES, ("tools/bin/run",))


def extract(
    kit: Made, target: Path, *only: str, workers: int = 2, path: Path | None = None
) -> Report:
    job = Job(root=pinned(), only=only, workers=workers)
    return run(os.fspath(path or kit.path), job, extract=os.fspath(target))


def code_of(report: Report) -> str:
    assert report.error is not None
    return report.error.code


def left_over(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_it_makes_one_directory_with_the_whole_kit(kit: Made, tmp_path: Path) -> None:
    report = extract(kit, tmp_path / "out")
    assert report.error is None
    assert report.extracted == os.fspath(tmp_path / "out")
    assert left_over(tmp_path) == ["out"]
    tree = read_tree(tmp_path / "out")
    own = {path for path in tree if path.split("/")[0] not in {"tools", "data", "last"}}
    heads = {"kit.dsse.json", "kit.roots.json", "kit.index", "kit.frames"}
    assert heads | {"SHA256SUMS", "SHA256SUMS.sig", "README.txt", "kit-verify.pyz"} <= own
    assert {path: data for path, (_, data) in tree.items() if path not in own} == FILES
    assert {path for path, (mode, _) in tree.items() if mode == 0o755} == {"tools/bin/run"}


def test_every_file_has_the_time_of_the_kit(kit: Made, tmp_path: Path) -> None:
    assert extract(kit, tmp_path / "out").error is None
    times = {path.stat().st_mtime for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert times == {CREATED}


@pytest.fixture(params=[0o000, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run under a umask."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_no_umask_changes_a_mode(kit: Made, tmp_path: Path) -> None:
    """Under 000 nothing is writable for everybody, under 077 nothing is closed to anybody."""
    assert extract(kit, tmp_path / "out").error is None
    modes = {Path(f).relative_to(tmp_path): Path(f).stat() for f, _, _ in os.walk(tmp_path / "out")}
    assert {path: oct(s.st_mode & 0o7777) for path, s in modes.items()} == dict.fromkeys(
        modes, "0o755"
    )
    assert {mode for mode, _ in read_tree(tmp_path / "out").values()} == {0o644, 0o755}


ONLY: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "a component": (("tools",), {path for path in FILES if path.startswith("tools/")}),
    "a directory": (("tools/deep",), {"tools/deep/er/and/deeper/file"}),
    "a directory with a slash": (("tools/deep/",), {"tools/deep/er/and/deeper/file"}),
    "a file of many frames": (("data/big",), {"data/big"}),
    "an empty file": (("tools/empty",), {"tools/empty"}),
    "several, one twice": (
        ("last", "tools/empty", "last/noise", "last"),
        {"tools/empty", "last/noise"},
    ),
    "a part of a group": (("data/small/1",), {"data/small/1"}),
    "one of ours": (("README.txt",), set()),
    "overlapping": (
        ("tools", "tools/deep", "tools/bin/run", "tools/"),
        {path for path in FILES if path.startswith("tools/")},
    ),
}


@pytest.mark.parametrize(("only", "wanted"), ONLY.values(), ids=ONLY.keys())
def test_a_part_arrives_with_the_head_and_nothing_else(
    kit: Made, tmp_path: Path, only: tuple[str, ...], wanted: set[str]
) -> None:
    report = extract(kit, tmp_path / "out", *only)
    assert report.error is None
    assert report.proof == "partial"
    tree = read_tree(tmp_path / "out")
    heads = {"kit.dsse.json", "kit.roots.json", "kit.index", "kit.frames"}
    extra = {"README.txt"} & set(only)
    assert set(tree) == wanted | heads | extra
    assert {path: tree[path][1] for path in wanted} == {path: FILES[path] for path in wanted}


@pytest.mark.parametrize(
    ("only", "runs"),
    [
        (("tools", "tools/deep", "tools"), 1),
        (("tools/deep", "tools"), 1),
        (("tools/bin", "tools/deep"), 1),
        (("tools/bin", "tools/empty"), 2),
        (("data/big", "data/small", "data"), 1),
    ],
)
def test_names_that_overlap_count_each_member_once(
    kit: Made, only: tuple[str, ...], runs: int
) -> None:
    opened = Opened()
    report = run(os.fspath(kit.path), Job(root=pinned(), only=only), opened=opened)
    count = sum(any(f"{path}/".startswith(f"{name}/") for name in only) for path in FILES)
    assert opened.wanted is not None
    assert opened.index is not None
    assert (len(opened.wanted), sum(map(len, opened.wanted))) == (runs, count)
    assert f"contents of {count} of {len(opened.index)} members: SHA-256, every byte" in (
        report.checked
    )


@pytest.mark.parametrize("name", ["soon", "later/for/now", "later/for/now/"])
def test_empty_placeholder_is_proved_to_be_empty(tmp_path: Path, name: str) -> None:
    parts = [component("c", "tools"), component("soon", "later/for/now", placeholder="no contract")]
    path = tmp_path / "kit.tar.zst"
    path.write_bytes(assemble(Draft((*OWN, Entry(b"tools/a", b"x")), components=parts)))
    job = Job(root=pinned(), only=(name,))
    report = run(os.fspath(path), job, extract=os.fspath(tmp_path / "out"))
    assert report.error is None
    assert report.proof == "partial"
    assert "that nothing is there: what was asked for is an empty placeholder" in report.checked
    assert set(read_tree(tmp_path / "out")) == {*HEAD}
    assert code_of(run(os.fspath(path), Job(root=pinned(), only=("later",)))) == "no-such-member"


@pytest.mark.parametrize(
    "only", ["tool", "tools/bin/run/x", "../x", "/tools", "", "kit.index", "\udcff"]
)
def test_a_part_that_is_not_there_is_a_usage_error(kit: Made, tmp_path: Path, only: str) -> None:
    report = extract(kit, tmp_path / "out", only)
    assert (code_of(report), report.status) == ("no-such-member", ExitStatus.USAGE)
    assert left_over(tmp_path) == []


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "a directory": lambda path: path.mkdir(),
    "a file": lambda path: path.write_bytes(b"mine"),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to a directory": lambda path: path.symlink_to("."),
}


@pytest.mark.parametrize("plant", IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_what_is_there_is_not_touched(
    kit: Made, tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    target = tmp_path / "out"
    plant(target)
    before = target.lstat()
    report = extract(kit, target)
    assert (code_of(report), report.status) == ("target-exists", ExitStatus.USAGE)
    assert target.lstat() == before
    assert left_over(tmp_path) == ["out"]


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_place_that_cannot_be_written_is_undecided(
    kit: Made, tmp_path: Path, parent: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    report = extract(kit, tmp_path / parent / "out")
    assert (code_of(report), report.status) == ("target-unwritable", ExitStatus.UNDECIDED)
    assert left_over(tmp_path) == ["file"]


def test_a_target_is_relative_to_the_working_directory(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = extract(kit, Path("out"))
    assert report.error is None
    assert left_over(tmp_path) == ["out"]


# --- other runs ------------------------------------------------------------------------------


def test_two_runs_at_once_do_not_mix(kit: Made, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="not run: this host has no locks of files")
    target = tmp_path / "out"
    with open(staging_of(os.fspath(target)) + ".lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        report = extract(kit, target)
        assert (code_of(report), report.status) == ("target-busy", ExitStatus.USAGE)
    assert extract(kit, target).error is None
    assert left_over(tmp_path) == ["out"]


def test_what_a_killed_run_left_is_cleared_away(kit: Made, tmp_path: Path) -> None:
    target = tmp_path / "out"
    staging = Path(staging_of(os.fspath(target)))
    (staging / "evil").mkdir(parents=True)
    (staging / "evil" / "file").write_bytes(b"from another kit")
    Path(f"{staging}.lock").write_bytes(b"")
    assert extract(kit, target).error is None
    assert left_over(tmp_path) == ["out"]
    assert not (target / "evil").exists()


def test_a_link_in_place_of_the_staging_directory_is_not_followed(
    kit: Made, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_bytes(b"theirs")
    target = tmp_path / "sub" / "out"
    target.parent.mkdir()
    staging = Path(staging_of(os.fspath(target)))
    staging.symlink_to(tmp_path / "theirs")
    report = extract(kit, target)
    assert code_of(report) == "target-unwritable"
    assert left_over(tmp_path / "theirs") == ["file"]
    assert not target.exists()


def test_a_link_in_place_of_the_lock_is_not_followed(kit: Made, tmp_path: Path) -> None:
    """Else whoever may write beside the target chooses a file for us to create."""
    target = tmp_path / "out"
    Path(staging_of(os.fspath(target)) + ".lock").symlink_to(tmp_path / "created")
    report = extract(kit, target)
    assert code_of(report) == "target-unwritable"
    assert not (tmp_path / "created").exists()
    assert not target.exists()


# --- a kit that is not good ------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("where", ["head", "middle", "last member", "seek table"])
def test_a_fault_anywhere_leaves_nothing(
    kit: Made, tmp_path: Path, where: str, workers: int
) -> None:
    data = bytearray(kit.path.read_bytes())
    at = {"head": 3000, "middle": 400_000, "last member": -5000, "seek table": -20}[where]
    data[at] ^= 0x40
    bad = tmp_path / "bad.tar.zst"
    bad.write_bytes(data)
    report = extract(kit, tmp_path / "out", workers=workers, path=bad)
    assert report.status is ExitStatus.REJECTED
    assert left_over(tmp_path) == ["bad.tar.zst"]


@pytest.mark.parametrize("at", [3000, 400_000, -5000, -20])
def test_a_fault_in_a_pipe_leaves_nothing(kit: Made, tmp_path: Path, at: int) -> None:
    data = bytearray(kit.path.read_bytes())
    data[at] ^= 0x40
    program = warm(compiled(kit.pyz.read_bytes()))
    for piped in (bytes(data), kit.path.read_bytes()[:at]):
        words: list[str | Path] = ["-", "--root", ROOT_FILE, "--extract", tmp_path / "out"]
        done = program.run(words, piped=piped)
        assert done.returncode == ExitStatus.REJECTED, done.stdout
        assert left_over(tmp_path) == []


def test_a_kit_that_changes_while_it_is_read_leaves_nothing(kit: Made, tmp_path: Path) -> None:
    """What was read may be of two kits; who writes the file may not be done yet."""
    path = tmp_path / "kit"
    path.write_bytes(kit.path.read_bytes())

    def touch(done: int, total: int) -> None:
        os.utime(path, ns=(1, 1))

    job = Job(root=pinned(), workers=2, progress=touch)
    report = run(os.fspath(path), job, extract=os.fspath(tmp_path / "out"))
    assert (code_of(report), report.status) == ("kit-changed", ExitStatus.UNDECIDED)
    assert left_over(tmp_path) == ["kit"]


def test_a_fault_outside_of_the_part_that_is_asked_for_is_not_looked_at(
    kit: Made, tmp_path: Path
) -> None:
    """And the report says that nobody looked."""
    data = bytearray(kit.path.read_bytes())
    data[-5000] ^= 0x40  # in last/noise
    bad = tmp_path / "bad.tar.zst"
    bad.write_bytes(data)
    report = extract(kit, tmp_path / "out", "tools", path=bad)
    assert report.error is None
    assert any("member" in sentence for sentence in report.not_checked)
    assert read_tree(tmp_path / "out")["tools/bin/run"] == (0o755, FILES["tools/bin/run"])


def test_without_a_root_nothing_is_written(kit: Made, tmp_path: Path) -> None:
    report = run(os.fspath(kit.path), Job(), extract=os.fspath(tmp_path / "out"))
    assert code_of(report) == "no-root"
    assert left_over(tmp_path) == []


# --- hosts that lack something ---------------------------------------------------------------

LESS = """
import sys
sys.path.append(sys.argv.pop(1))
from tests.hosts.lesser import Lesser
Lesser().take_away()
sys.path.insert(0, sys.argv.pop(1))
from verifier.cli import main
sys.exit(main())
"""


def test_a_host_without_what_windows_lacks_extracts_the_same(kit: Made, tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-I", "-c", LESS, REPOSITORY, kit.pyz]
    done = subprocess.run(
        [*command, kit.path, "--root", ROOT_FILE, "--extract", tmp_path / "out", "--jobs", "4"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tree = read_tree(tmp_path / "out")
    assert {path: tree[path][1] for path in FILES} == FILES
    assert tree["tools/bin/run"][0] == 0o755


def test_without_positioned_writes_threads_do_not_move_each_others_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pwrite", raising=False)
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)

    size, rounds = 1 << 16, 300  # long writes, so that the others wait in line behind them

    def write(lane: int) -> None:
        for number in range(rounds):
            data = memoryview(bytes([lane]) * size)
            _compat.write_at(descriptor, data, size * (4 * number + lane))

    threads = [threading.Thread(target=write, args=(lane,)) for lane in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(descriptor)
    expected = b"".join(bytes([lane]) * size for lane in range(4)) * rounds
    assert (tmp_path / "file").read_bytes() == expected


def test_the_target_has_no_time_of_its_own_to_hide(kit: Made, tmp_path: Path) -> None:
    """Directories keep the time at which they were made: a kit says nothing about them."""
    before = time.time() - 2
    assert run_verifier(kit, kit.path, "--extract", tmp_path / "out").returncode == 0
    assert (tmp_path / "out").stat().st_mtime >= before
