"""File systems that refuse, cannot say, or say something else than ext4: each was met by somebody.

A call is made to answer as theirs does.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kit.build import Options, build
from kit.seal import seal
from kit.sign import sign
from kit.signing import load_sums_signer
from tests.support.hosting import Site, code
from tests.support.making import Made, key, make_kit, make_sources, noise, pinned, read_tree, text
from tests.support.oddities import (
    Fault,
    is_directory,
    is_file,
    numbers_change,
    room,
    saying,
    without_locks,
)
from verifier import _compat
from verifier.core.errors import ExitStatus
from verifier.core.limits import MIB
from verifier.core.pipeline import Job
from verifier.extract import staging_of
from verifier.run import run
from verifier.show.report import Report, render_text

FILES = {
    "a/run": b"#!/bin/sh\n",
    "a/text": text(5000),
    "b/big": noise(MIB) + bytes(3 * MIB) + noise(MIB + 77),
    "b/zeros": bytes(2 * MIB),
    "b/small zeros": bytes(100_000),
}


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the tests run, it is a disk that is meant."""
    monkeypatch.setattr(_compat, "is_in_memory", lambda descriptor: False)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with big and small members, one of them to be run."""
    return make_kit(tmp_path_factory.mktemp("odd"), FILES, ("a/run",))


def extract(kit: Made, target: Path) -> Report:
    return run(os.fspath(kit.path), Job(root=pinned(), workers=2), extract=os.fspath(target))


def contents(directory: Path) -> dict[str, bytes]:
    return {path: data for path, (_, data) in read_tree(directory).items() if path in FILES}


def left_over(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


NOTED: dict[str, tuple[Fault, str]] = {
    **{
        f"{name} is refused, {errno.errorcode[number]}": (saying(name, number), "modes and times")
        for name in ("fchmod", "utime")
        for number in (errno.EPERM, errno.EACCES, errno.ENOTSUP)
    },
    **{
        f"no locks, {errno.errorcode[number]}": (without_locks(number), "no locks")
        for number in (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)
    },
    "no file can be asked": (saying("fsync", errno.EINVAL, is_file), "cannot be asked"),
    **{
        f"a directory cannot be synced, {errno.errorcode[number]}": (
            saying("fsync", number, is_directory),
            "",
        )
        for number in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
    },
    "0 of 0 bytes are free": (room(f_blocks=0, f_bavail=0), ""),
    "0 bytes are free": (room(f_bavail=0), ""),
    "inodes are not counted": (room(f_files=0, f_favail=0), ""),
    "inode numbers change": (numbers_change, ""),
}


# what a walk over sources does with such numbers is tested with the walk
OF_THE_BUILDER = {name: fault for name, (fault, _) in NOTED.items() if "inode numbers" not in name}


@pytest.mark.parametrize("fault", OF_THE_BUILDER.values(), ids=OF_THE_BUILDER.keys())
def test_build_sign_and_seal_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    spec = make_sources(tmp_path, {"a/run": FILES["a/run"], "a/text": FILES["a/text"]})
    out = tmp_path / "out"
    out.mkdir()
    with monkeypatch.context() as patched:
        fault(patched)
        made = build(spec, [pinned()], out, Options(workers=2), sums=load_sums_signer(key("sums")))
        sign(made.path, [key("alice"), key("bob")])
        seal(made.path)
    locks_missing = any("no locks" in note for note in made.notes)
    assert locks_missing is fault.__qualname__.startswith("without_locks")
    assert run(os.fspath(made.path), Job(root=pinned())).error is None
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(("fault", "noted"), NOTED.values(), ids=NOTED.keys())
def test_extraction_goes_on_and_says_what_it_could_not_do(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, noted: str
) -> None:
    with monkeypatch.context() as patched:
        fault(patched)
        report = extract(kit, tmp_path / "out")
    assert report.error is None, report.error
    assert contents(tmp_path / "out") == FILES
    assert left_over(tmp_path) == ["out"]
    if noted:
        assert any(noted in sentence for sentence in report.opened.noted)
        assert noted in render_text(report)
    else:
        assert report.opened.noted == []


def test_files_of_a_disk_that_has_modes_of_its_own_get_theirs(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FAT does: what is made has one mode, whatever was asked for."""
    real = os.open

    def made(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = real(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT:
            os.fchmod(descriptor, 0o755)
        return descriptor

    monkeypatch.setattr(os, "open", made)
    assert extract(kit, tmp_path / "out").error is None
    modes = {path: mode for path, (mode, _) in read_tree(tmp_path / "out").items()}
    assert (modes["a/run"], modes["a/text"]) == (0o755, 0o644)


REFUSED: dict[str, tuple[Fault, str, str]] = {
    "a write-back failed": (saying("fsync", errno.EIO, is_file), "writes-lost", "did not stay"),
    "a thin volume is full": (
        saying("fsync", errno.ENOSPC, is_file),
        "writes-lost",
        "did not stay",
    ),
    "a directory is lost": (saying("fsync", errno.EIO, is_directory), "writes-lost", "not stay"),
    "no inodes are left": (room(f_files=99, f_favail=3), "disk-full", "no inodes"),
    "a disk that fails": (saying("fchmod", errno.EIO), "target-unwritable", ""),
    "no file as large": (
        saying("lseek", errno.EINVAL, lambda _, at, *rest: at > MIB),
        "file-too-large",
        "as FAT",
    ),
}


@pytest.mark.parametrize(("fault", "expected", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_extraction_ends_undecided_and_leaves_nothing(
    kit: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    expected: str,
    words: str,
) -> None:
    with monkeypatch.context() as patched:
        fault(patched)
        report = extract(kit, tmp_path / "out")
    assert report.error is not None
    assert (report.error.code, report.status) == (expected, ExitStatus.UNDECIDED)
    assert words in report.error.message
    assert left_over(tmp_path) == []


def test_file_system_that_lost_something_is_heard(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(descriptor: int) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(_compat, "sync_file_system", lost)
    report = extract(kit, tmp_path / "out")
    assert report.error is not None
    assert report.error.code == "writes-lost"
    assert left_over(tmp_path) == []


def test_without_syncfs_each_directory_is_synced_too(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(_compat, "sync_file_system", lambda descriptor: False)
    monkeypatch.setattr(os, "fsync", noting)
    assert extract(kit, tmp_path / "out").error is None
    assert {"a", "b", "run", "text", "big", "kit.index", "SHA256SUMS"} < set(synced)


def test_memory_is_not_asked_whether_the_disk_has_it(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written back from tmpfs; what it takes it has, and fsync says nothing there."""
    monkeypatch.setattr(_compat, "is_in_memory", lambda descriptor: True)
    saying("fsync", errno.EIO, is_file)(monkeypatch)
    assert extract(kit, tmp_path / "out").error is None
    assert contents(tmp_path / "out") == FILES


def test_only_the_file_system_of_the_target_is_written_out(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that is gone or a dying disk elsewhere on the host must not hold up a run."""

    def everything() -> None:
        raise AssertionError("waits for every disk of the host")

    monkeypatch.setattr(os, "sync", everything)
    assert extract(kit, tmp_path / "out").error is None


def test_what_a_killed_run_left_is_not_touched_without_locks(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell whether that run has ended."""
    staging = Path(staging_of(os.fspath(tmp_path / "out")))
    staging.mkdir()
    without_locks(errno.ENOLCK)(monkeypatch)
    report = extract(kit, tmp_path / "out")
    assert report.error is not None
    assert (report.error.code, report.status) == ("target-busy", ExitStatus.USAGE)
    assert "no locks" in report.error.message
    assert left_over(tmp_path) == [staging.name]


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_these_two_mean_busy(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    without_locks(number)(monkeypatch)
    report = extract(kit, tmp_path / "out")
    assert report.error is not None
    assert report.error.code == "target-busy"
    assert "another run" in report.error.message


# --- holes -------------------------------------------------------------------------------------


def test_holes_stay_holes(kit: Made, tmp_path: Path) -> None:
    assert extract(kit, tmp_path / "out").error is None
    probe = tmp_path / "probe"
    with probe.open("wb") as stream:
        stream.truncate(MIB)
    if probe.stat().st_blocks:
        pytest.skip("not run: this file system has no holes")
    stored = {name: (tmp_path / "out" / name).stat().st_blocks * 512 for name in FILES}
    assert contents(tmp_path / "out") == FILES
    assert stored["b/zeros"] < 64 * 1024
    assert stored["b/small zeros"] < 64 * 1024
    assert 2 * MIB <= stored["b/big"] < 3 * MIB


# --- the trust directory -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_trust_directory_on_such_a_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    saying("fsync", number, is_directory)(monkeypatch)
    site = Site(tmp_path)
    site.pin()
    assert code(site.accept(site.kit())) == ""
    assert site.sequence() == 1


def test_trust_directory_without_locks_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs at once could forget a kit: exclusive creation is not enough there."""
    site = Site(tmp_path)
    site.pin()
    without_locks(errno.ENOLCK)(monkeypatch)
    report = site.accept(site.kit())
    assert (code(report), int(report.status)) == ("trust-busy", 3)
    assert report.error is not None
    assert "has no locks" in report.error.message


def test_state_that_the_disk_did_not_keep_accepts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    site.pin()
    saying("fsync", errno.EIO, is_file)(monkeypatch)
    report = site.accept(site.kit())
    assert (code(report), int(report.status)) == ("state-unwritable", 3)
    assert sorted(site.files()) == [".lock", "root.json", "state.json"]
