"""A disk that is full: a clear code, exit status 3, nothing half, and the next run works.

A small file system is mounted where this host permits it; everywhere, a limit on the size of files
stops the same writes in the same places.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.build import Options, build
from kit.seal import seal
from kit.sign import sign
from kit.signing import load_sums_signer
from tests.support.killing import ended, fork
from tests.support.making import Made, key, make_kit, make_sources, noise, pinned, read_tree
from verifier.core.errors import DiskFull, ExitStatus, KitError
from verifier.core.limits import KIB, MIB
from verifier.core.pipeline import Job
from verifier.run import run

NAME = "demo-1.0.tar.zst"
FILES = {"a/noise": noise(2 * MIB), "a/more": noise(300_000, 1), "b/small": b"small\n"}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit that alice has signed."""
    return make_kit(tmp_path_factory.mktemp("full"), FILES, signers=("alice",))


Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return what mounts an empty file system with the options given."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk {len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", os.fspath(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("not run: this host does not permit mounting")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path, *, leave: int) -> Path:
    """Fill a file system but for some bytes."""
    filler = place / "filler"
    free = shutil.disk_usage(place).free
    with open(filler, "wb") as stream:
        stream.write(bytes(max(0, free - leave)))
    return filler


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def refused(work: Callable[[], object]) -> KitError:
    with pytest.raises(KitError) as error:
        work()
    assert error.value.status is ExitStatus.UNDECIDED
    assert error.value.fix
    return error.value


def verdict(path: Path) -> str:
    report = run(os.fspath(path), Job(root=pinned(), workers=2))
    return report.error.code if report.error else "verified"


# --- with a real small disk ------------------------------------------------------------------


@pytest.mark.parametrize("size", [64 * KIB, 200 * KIB, MIB, 2 * MIB, 2_600 * KIB])
def test_build_on_a_disk_that_is_too_small(disk: Disk, tmp_path: Path, size: int) -> None:
    """The payload is written first and the head last: each size stops at another place."""
    spec = make_sources(tmp_path, FILES)
    place = disk(f"size={size}")
    error = refused(lambda: build(spec, [pinned()], place, Options(workers=2)))
    assert error.code == "build-disk-full"
    assert names(place) == []


@pytest.mark.parametrize("leave", [0, 4 * KIB, 40 * KIB])
def test_sign_on_a_full_disk(disk: Disk, kit: Made, leave: int) -> None:
    place = disk(f"size={8 * MIB}")
    path = Path(shutil.copy(kit.path, place))
    before = path.read_bytes()
    filler = fill(place, leave=leave)
    error = refused(lambda: sign(path, [key("bob")]))
    assert error.code == "build-disk-full"
    assert path.read_bytes() == before
    assert names(place) == [NAME, "filler"]
    filler.unlink()
    assert sign(path, [key("bob")]).signers == ("alice", "bob")
    assert verdict(path) == "verified"


@pytest.mark.parametrize("leave", [0, 20 * KIB, 150 * KIB, 260 * KIB])
def test_seal_on_a_full_disk(disk: Disk, kit: Made, leave: int) -> None:
    place = disk(f"size={8 * MIB}")
    path = Path(shutil.copy(kit.path, place))
    sign(path, [key("bob")])
    filler = fill(place, leave=leave)
    error = refused(lambda: seal(path))
    assert error.code == "build-disk-full"
    assert not [name for name in names(place) if name.startswith(".") or "sealed" in name]
    filler.unlink()
    sealed = seal(path)
    assert set(sealed.outputs) < set(names(place))


def test_extract_to_a_disk_that_is_too_small_is_known_before(
    disk: Disk, kit: Made, tmp_path: Path
) -> None:
    """The message says how much is needed and how much there is."""
    path = tmp_path / NAME
    shutil.copy(kit.path, path)
    sign(path, [key("bob")])
    place = disk(f"size={MIB}")
    report = run(os.fspath(path), Job(root=pinned()), extract=os.fspath(place / "out"))
    assert isinstance(report.error, DiskFull)
    assert f"and {shutil.disk_usage(place).free} are free" in report.error.message
    assert names(place) == []


@pytest.mark.parametrize("inodes", [4, 5, 6, 9, 20])
def test_extract_to_a_disk_that_fills_up_on_the_way(
    disk: Disk, kit: Made, tmp_path: Path, inodes: int
) -> None:
    """There are bytes enough, and then no place for one more file."""
    path = tmp_path / NAME
    shutil.copy(kit.path, path)
    sign(path, [key("bob")])
    place = disk(f"size={32 * MIB},nr_inodes={inodes}")
    report = run(os.fspath(path), Job(root=pinned()), extract=os.fspath(place / "out"))
    assert isinstance(report.error, DiskFull)
    assert report.status is ExitStatus.UNDECIDED
    assert names(place) == []


# --- with a limit on the size of files ---------------------------------------------------------


def limited(size: int, work: Callable[[], object]) -> int:
    """Do the work in a child that may not write files above a size; return its exit status."""

    def child() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        work()

    return ended(fork(child))


def says(code: str, work: Callable[[], object]) -> Callable[[], None]:
    """Return work that must be refused with a code."""

    def checked() -> None:
        error = refused(work)
        assert error.code == code, error

    return checked


@pytest.mark.parametrize("size", [1, 100 * KIB, MIB, 2_000_000])
def test_build_stops_at_a_limit(tmp_path: Path, size: int) -> None:
    spec = make_sources(tmp_path, FILES)
    out = tmp_path / "out"
    out.mkdir()
    sums = load_sums_signer(key("sums"))
    work = says(
        "build-disk-full", lambda: build(spec, [pinned()], out, Options(workers=2), sums=sums)
    )
    assert limited(size, work) == 0
    assert names(out) == []
    build(spec, [pinned()], out, Options(workers=2))


@pytest.mark.parametrize("size", [0, 1, 40 * KIB])
def test_sign_stops_at_a_limit(kit: Made, tmp_path: Path, size: int) -> None:
    """The old page cannot be kept, so the new one is not written."""
    path = Path(shutil.copy(kit.path, tmp_path))
    before = path.read_bytes()
    assert limited(size, says("build-disk-full", lambda: sign(path, [key("bob")]))) == 0
    assert path.read_bytes() == before
    assert names(tmp_path) == [NAME]
    assert sign(path, [key("bob")]).signers == ("alice", "bob")


@pytest.mark.parametrize("size", [0, 1, 100 * KIB])
def test_seal_stops_at_a_limit(kit: Made, tmp_path: Path, size: int) -> None:
    path = Path(shutil.copy(kit.path, tmp_path))
    sign(path, [key("bob")])
    assert limited(size, says("build-disk-full", lambda: seal(path))) == 0
    assert not [name for name in names(tmp_path) if name.startswith(".") or "sealed" in name]
    assert seal(path).signers == ("alice", "bob")


@pytest.mark.parametrize("size", [0, 1000, MIB])
def test_extract_stops_at_a_limit(kit: Made, tmp_path: Path, size: int) -> None:
    """It is known before the first byte is written."""
    path = Path(shutil.copy(kit.path, tmp_path))
    sign(path, [key("bob")])

    def work() -> None:
        report = run(os.fspath(path), Job(root=pinned()), extract=os.fspath(tmp_path / "out"))
        assert report.error is not None
        assert report.error.code == "file-too-large"
        assert report.status is ExitStatus.UNDECIDED

    assert limited(size, work) == 0
    assert names(tmp_path) == [NAME]
    report = run(os.fspath(path), Job(root=pinned()), extract=os.fspath(tmp_path / "out"))
    assert report.error is None
    assert read_tree(tmp_path / "out")["a/noise"][1] == FILES["a/noise"]
