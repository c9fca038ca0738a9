"""Killed at any moment: nothing half under a name that counts, nothing lost, the next run works.

Every call that changes the disk is made the last one, by a SIGKILL before it or in the middle of
it; then the same at random moments, and with whole programs.  OFFLINE_KIT_KILLS=N asks for more.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from kit.build import Options, build
from kit.cli import main
from kit.review.attach import attach
from kit.review.detached import sign_detached
from kit.review.pack import make_pack
from kit.seal import seal
from kit.sign import sign
from kit.signing import load_signer, load_sums_signer
from kit.spec import KitSpec
from tests.support.killing import (
    A_FEW_OR_ALL,
    Point,
    ended,
    fork,
    killed_after,
    killed_at,
    points,
    spread,
)
from tests.support.making import (
    REPOSITORY,
    ROOT_FILE,
    Made,
    key,
    make_kit,
    make_sources,
    noise,
    pinned,
    read_tree,
    text,
)
from verifier.core.limits import MIB
from verifier.core.pipeline import Job
from verifier.run import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="not run: this host has no fork"),
]

KILLS = int(os.environ.get("OFFLINE_KIT_KILLS", "12"))  # random moments, and as many points
NAME = "demo-1.0.tar.zst"
FILES = {
    "a/run": b"#!/bin/sh\n",
    "a/deep/er/text": text(3000),
    "b/stored": noise(MIB + MIB // 2),
    "b/packed": text(5 * MIB),
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit that alice has signed."""
    return make_kit(tmp_path_factory.mktemp("kill"), FILES, ("a/run",), signers=("alice",))


def some(all_points: Iterable[Point], at_most: int) -> list[Point]:
    """Return all points, or as many of them as the run has time for, spread evenly."""
    found = list(all_points)
    step = max(1, len(found) // at_most)
    return found if len(found) <= at_most else found[random.Random(0).randrange(step) :: step]


def moments(longest: float) -> list[float]:
    seeds = range(KILLS)
    return [random.Random(seed).uniform(0, longest) for seed in seeds]


def verdict(path: Path) -> str:
    report = run(os.fspath(path), Job(root=pinned(), workers=2))
    return report.error.code if report.error else "verified"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def duration(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


# --- build -----------------------------------------------------------------------------------


class Building:
    """One directory in which a kit is built, again and again."""

    def __init__(self, directory: Path) -> None:
        self.spec: KitSpec = make_sources(directory, FILES, ("a/run",))
        self.out = directory / "out"
        self.aside = directory / "aside"
        self.reference = b""
        self.out.mkdir()
        self.aside.mkdir()

    def work(self) -> None:
        """Build and sign."""
        root = pinned()
        signers = [load_signer(key(name), root.targets.keys) for name in ("alice", "bob")]
        sums = load_sums_signer(key("sums"))
        build(self.spec, [root], self.out, Options(workers=2), signers=signers, sums=sums)

    def clear(self) -> None:
        """Have an empty directory again, and know what a build makes."""
        if not self.reference:
            self.reference = (self.out / NAME).read_bytes()
        for path in [*self.out.iterdir(), *self.aside.iterdir()]:
            path.unlink()

    def check(self) -> None:
        """See that a kit is whole or not there, and that building again works."""
        assert set(names(self.out)) <= {NAME, f".{NAME}.offline-kit-partial"}
        if (self.out / NAME).exists():
            assert (self.out / NAME).read_bytes() == self.reference
            (self.out / NAME).rename(self.aside / NAME)
        self.work()
        assert names(self.out) == [NAME], "the next run does not clean up"
        assert (self.out / NAME).read_bytes() == self.reference
        if (self.aside / NAME).exists():  # it was finished: the next run must not touch it
            assert not os.path.samefile(self.aside / NAME, self.out / NAME)
            assert (self.aside / NAME).read_bytes() == self.reference
        self.clear()


@pytest.fixture
def building(tmp_path: Path) -> Building:
    """Return a directory to build in, and what is built there."""
    made = Building(tmp_path)
    made.work()
    assert verdict(made.out / NAME) == "verified"
    made.clear()
    return made


@pytest.mark.long
def test_build_is_killed_at_any_call(building: Building) -> None:
    found = list(points(building.work))
    building.clear()
    chosen = [*some(found[:-16], 2 * KILLS), *found[-16:]]  # the end is where names change
    killed = 0
    for point in chosen:
        killed += killed_at(point, building.work)
        building.check()
    assert killed > len(chosen) // 2


@pytest.mark.long
def test_build_is_killed_at_any_moment(building: Building) -> None:
    longest = duration(building.work)
    building.clear()
    killed = 0
    for seconds in moments(longest):
        killed += killed_after(seconds, building.work)
        building.check()
    assert killed


# --- sign ------------------------------------------------------------------------------------


@pytest.mark.long
def test_sign_is_killed_at_any_call(kit: Made, tmp_path: Path) -> None:
    """Before the next run the kit is the old one, the new one, or refused; then all is well."""
    path = tmp_path / NAME
    old = kit.path.read_bytes()

    def work() -> None:
        sign(path, [key("bob")], workers=2)

    path.write_bytes(old)
    found = list(points(work))
    new = path.read_bytes()
    assert (verdict(path), len(found) >= 8) == ("verified", True)
    seen = set()
    for point in found:
        path.write_bytes(old)
        assert killed_at(point, work)
        there = path.read_bytes()
        assert there[70_000:] == old[70_000:], "more than the page was touched"
        seen.add("old" if there == old else "new" if there == new else verdict(path))
        assert "verified" not in seen, "a page that is neither is accepted"
        sign(path, [key("carol")], workers=2)
        signers = sign(path, [key("bob")], workers=2).signers
        assert signers == ("alice", "bob", "carol"), "a signature was lost"
        assert names(tmp_path) == [NAME]
    assert {"old", "new"} < seen, "no write was cut in the middle"


@pytest.mark.long
def test_sign_is_killed_at_any_moment(kit: Made, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(kit.path.read_bytes())

    def work() -> None:
        sign(path, [key("bob")], workers=2)

    longest = duration(work)
    new = path.read_bytes()
    for seconds in moments(longest):
        path.write_bytes(kit.path.read_bytes())
        killed_after(seconds, work)
        work()
        assert path.read_bytes() == new
        assert names(tmp_path) == [NAME]


# --- attach, and the pack that signers get -----------------------------------------------------


@pytest.mark.long
def test_attach_is_killed_at_any_call(kit: Made, tmp_path: Path) -> None:
    """The same page is written as by `sign`, with two signatures at once, and all or none stay."""
    path, away = tmp_path / NAME, tmp_path.parent / "away"
    away.mkdir()
    old = kit.path.read_bytes()
    files = sign_detached(kit.path, [key("bob"), key("carol")], out=away).files

    def work() -> None:
        attach(path, files)

    path.write_bytes(old)
    found = list(points(work))
    new = path.read_bytes()
    assert (verdict(path), len(found) >= 8) == ("verified", True)
    seen = set()
    for point in found:
        path.write_bytes(old)
        assert killed_at(point, work)
        there = path.read_bytes()
        assert there[70_000:] == old[70_000:], "more than the page was touched"
        seen.add("old" if there == old else "new" if there == new else verdict(path))
        assert "verified" not in seen, "a page that is neither is accepted"
        work()
        assert path.read_bytes() == new
        assert names(tmp_path) == [NAME]
        assert verdict(path) == "verified"
    assert {"old", "new"} < seen, "no write was cut in the middle"


@pytest.mark.long
def test_review_pack_is_killed_at_any_call(kit: Made, tmp_path: Path) -> None:
    """A pack is whole or not there, and the next run clears up."""

    def work() -> None:
        make_pack(kit.path, tmp_path)

    found = list(points(work))
    whole = read_tree(tmp_path)
    assert {path.split("/")[0] for path in whole} == {"demo-1.0.review"}
    for point in found:
        for directory in tmp_path.iterdir():
            shutil.rmtree(directory)
        assert killed_at(point, work)
        if (tmp_path / "demo-1.0.review").exists():
            assert read_tree(tmp_path) == whole
            continue
        work()
        assert read_tree(tmp_path) == whole


@pytest.mark.long
def test_detached_signature_is_killed_at_any_call(kit: Made, tmp_path: Path) -> None:
    def work() -> None:
        sign_detached(kit.path, [key("bob")], out=tmp_path, checked=kit.built.kit_id)

    found = list(points(work))
    whole = read_tree(tmp_path)
    for point in found:
        for path in tmp_path.iterdir():
            path.unlink()
        assert killed_at(point, work)
        there = {name: data for name, data in read_tree(tmp_path).items() if name in whole}
        assert there in ({}, whole)
        work()
        assert read_tree(tmp_path) == whole


# --- seal ------------------------------------------------------------------------------------


@pytest.mark.long
def test_seal_is_killed_at_any_call(kit: Made, tmp_path: Path) -> None:
    """The marker comes last: where it lies, all outputs lie; the next run completes them."""
    path = tmp_path / NAME
    shutil.copy(kit.path, path)
    sign(path, [key("bob")])
    before = path.read_bytes()

    def work() -> None:
        seal(path, workers=2)

    found = list(points(work))
    whole = read_tree(tmp_path)
    for point in found:
        for name in set(names(tmp_path)) - {NAME}:
            (tmp_path / name).unlink()
        assert killed_at(point, work)
        assert path.read_bytes() == before
        tree = read_tree(tmp_path)
        for name, (mode, data) in tree.items():
            if not name.endswith(".offline-kit-partial"):
                assert (mode, data) == whole[name], f"{name} is half"
        assert "demo-1.0.sealed.json" not in tree or whole.items() <= tree.items()
        work()
        assert read_tree(tmp_path) == whole


# --- extract ---------------------------------------------------------------------------------


class Extracting:
    """One target into which a kit is extracted, again and again."""

    def __init__(self, kit: Path, directory: Path) -> None:
        self._kit = kit
        self.target = directory / "target"
        self.whole: dict[str, tuple[int, bytes]] = {}

    def work(self) -> None:
        """Extract."""
        job = Job(root=pinned(), workers=2)
        report = run(os.fspath(self._kit), job, extract=os.fspath(self.target))
        assert report.error is None, report.error

    def clear(self) -> None:
        """Have no target again, and know what is in one."""
        self.whole = self.whole or read_tree(self.target)
        shutil.rmtree(self.target)

    def check(self) -> None:
        """See that the target is whole or not there, and that extracting again works."""
        directory = self.target.parent
        if self.target.exists():
            assert read_tree(self.target) == self.whole
            shutil.rmtree(self.target)
        for name in names(directory):
            staging = directory / name
            assert name.startswith(".target.offline-kit-partial"), name
            if staging.is_dir():  # of each member there is a part or nothing, never anything else
                for path, (_, data) in read_tree(staging).items():
                    if path == ".offline-kit-size":  # asks for the largest size, before members
                        continue
                    assert len(data) <= len(self.whole[path][1]), path
        self.work()
        assert names(directory) == ["target"], "the next run does not clean up"
        assert read_tree(self.target) == self.whole
        self.clear()


@pytest.fixture
def extracting(kit: Made, tmp_path: Path) -> Extracting:
    """Return a target, and what a kit with two signers gives."""
    (tmp_path / "in").mkdir()
    path = Path(shutil.copy(kit.path, tmp_path / "in"))
    sign(path, [key("bob")])
    (tmp_path / "to").mkdir()
    made = Extracting(path, tmp_path / "to")
    made.work()
    made.clear()
    return made


@pytest.mark.parametrize("most", A_FEW_OR_ALL)
def test_extract_is_killed_at_any_call(extracting: Extracting, most: int) -> None:
    found = list(points(extracting.work))
    extracting.clear()
    few = most // 2  # and as many where names change
    chosen = [*some(found[:-12], min(2 * KILLS, few)), *spread(found[-12:], few)]
    killed = 0
    for point in chosen:
        killed += killed_at(point, extracting.work)
        extracting.check()
    assert killed > len(chosen) // 2


@pytest.mark.long
def test_extract_is_killed_at_any_moment(extracting: Extracting) -> None:
    longest = duration(extracting.work)
    extracting.clear()
    for seconds in moments(longest):
        killed_after(seconds, extracting.work)
        extracting.check()


# --- whole programs --------------------------------------------------------------------------


@pytest.mark.long
def test_whole_programs_are_killed(tmp_path: Path) -> None:
    """The same through the command lines, so that no handler there makes it worse."""
    make_sources(tmp_path, FILES, ("a/run",))
    out = tmp_path / "out" / "demo-1.0"
    offline_kit = [sys.executable, "-m", "kit.cli"]
    keys = ["--key", key("alice"), "--key", key("bob"), "--sums-key", key("sums")]
    pinning = ["--root", os.fspath(ROOT_FILE)]
    building = [*offline_kit, "build", "kit.toml", "--out", "out", *pinning, *keys]
    extracting = [sys.executable, "-I", f"{out}/kit-verify.pyz", f"{out}/{NAME}", *pinning]
    extracting += ["--extract", "target"]
    generator = random.Random(1)
    for _ in range(max(3, KILLS // 4)):
        _killed(building, tmp_path, generator.uniform(0.2, 0.9))
        if (out / NAME).exists():
            assert verdict(out / NAME) == "verified"
            shutil.rmtree(out)
        _finished(building, tmp_path)
        assert verdict(out / NAME) == "verified"
        assert not [name for name in names(out) if name.startswith(".")]
        _killed(extracting, tmp_path, generator.uniform(0.1, 0.4))
        shutil.rmtree(tmp_path / "target", ignore_errors=True)
        _finished(extracting, tmp_path)
        assert (tmp_path / "target/b/packed").read_bytes() == FILES["b/packed"]
        assert names(tmp_path) == ["kit.toml", "out", "src", "target"]
        shutil.rmtree(tmp_path / "target")
        shutil.rmtree(out)


def _started(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.fspath(REPOSITORY)}
    return subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _killed(command: list[str], directory: Path, seconds: float) -> None:
    with _started(command, directory) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def _finished(command: list[str], directory: Path) -> None:
    with _started(command, directory) as process:
        said = process.communicate()[0]
    assert process.returncode == 0, said.decode()


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def _stopped(words: list[str], directory: Path, partial: Path, number: int) -> str:
    """Send a signal to a program when its unfinished file is there; return what it said."""

    def work() -> None:
        read = os.preadv

        def slow(*arguments: Any) -> int:
            time.sleep(0.2)  # it cannot be done before it is stopped, however busy the host
            return read(*arguments)

        os.preadv = slow
        for caught in SIGNALS[1:]:
            signal.signal(caught, signal.SIG_DFL)
        os.chdir(directory)
        with open("said", "wb") as said:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
        sys.stdout = sys.stderr = open(1, "w", 1, encoding="utf-8")  # noqa: SIM115  # to the end
        sys.argv = ["offline-kit", *words]
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 3

    child = fork(work)
    deadline = time.monotonic() + 120
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child, number)
    status = ended(child)
    said = (directory / "said").read_text("utf-8")
    (directory / "said").unlink()
    assert status == 0, said
    return said


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_leaves_nothing_either(tmp_path: Path, number: int) -> None:
    """Ctrl-C is no kill, nor is the end of a job or of a line: the program itself cleans up."""
    make_sources(tmp_path, {"a/much": noise(20 * MIB)})
    words = ["build", "kit.toml", "--out", "out", "--root", os.fspath(ROOT_FILE), "--jobs", "1"]
    partial = tmp_path / "out" / "demo-1.0" / f".{NAME}.offline-kit-partial"
    assert "interrupted" in _stopped(words, tmp_path, partial, number)
    assert names(tmp_path) == ["kit.toml", "src"]


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_extraction_leaves_nothing_either(
    kit: Made, tmp_path: Path, number: int
) -> None:
    path = Path(shutil.copy(kit.path, tmp_path))
    sign(path, [key("bob")])
    words = ["verify", path.name, "--root", os.fspath(ROOT_FILE), "--extract", "there"]
    partial = tmp_path / ".there.offline-kit-partial"
    assert "interrupted" in _stopped(words, tmp_path, partial, number)
    assert names(tmp_path) == [path.name]
