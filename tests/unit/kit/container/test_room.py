"""Room for a kit is asked for before its first byte: on the disk, and for one file."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from kit.build import Options, build
from kit.errors import KitError
from kit.spec import KitSpec
from tests.support.making import make_sources, noise, pinned, text
from verifier.core.errors import ExitStatus
from verifier.core.limits import MIB

PACKED, STORED = 6 * MIB, 3 * MIB


@pytest.fixture
def spec(tmp_path: Path) -> KitSpec:
    """Return the spec of a kit of 6 MiB, and of 12 MiB if nothing is compressed."""
    return make_sources(tmp_path / "in", {"a/text": text(PACKED), "a/noise": noise(STORED)})


def build_it(spec: KitSpec, out: Path, *, store: bool = False) -> int:
    return build(spec, [pinned()], out, Options(workers=1, store=store)).size


def refused(spec: KitSpec, out: Path, *, store: bool = False) -> str:
    with pytest.raises(KitError) as error:
        build_it(spec, out, store=store)
    assert error.value.status is ExitStatus.UNDECIDED
    assert os.listdir(out) == []
    return error.value.code


def free(monkeypatch: pytest.MonkeyPatch, blocks: int, **more: int) -> None:
    """Have every disk say that so many bytes are free."""
    real = os.statvfs

    def told(descriptor: Any) -> os.statvfs_result:
        facts = list(real(descriptor))
        facts[1], facts[4] = 1, blocks
        facts[5], facts[7] = 1000, more.get("inodes", 1000)
        return os.statvfs_result(facts)

    monkeypatch.setattr(os, "statvfs", told)


def no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where anything is written."""

    def written(*_: Any) -> int:
        raise AssertionError("a byte was written")

    monkeypatch.setattr(os, "pwritev", written)


def test_a_disk_without_room_is_named_before_the_first_byte(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_byte(monkeypatch)
    free(monkeypatch, 2 * MIB)
    assert refused(spec, tmp_path / "out") == "build-disk-full"
    free(monkeypatch, 5 * MIB)
    assert refused(spec, tmp_path / "out", store=True) == "build-disk-full"


def test_what_fits_when_it_is_compressed_is_built(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 8 * MIB)
    assert build_it(spec, tmp_path / "out") < 8 * MIB


def test_a_disk_that_does_not_count_is_believed_to_have_room(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 0)
    assert build_it(spec, tmp_path / "out") > 0


@pytest.mark.parametrize(
    ("limit", "store", "fits"), [(8, False, True), (8, True, False), (2, False, False)]
)
def test_the_limit_of_the_shell(
    spec: KitSpec, tmp_path: Path, limit: int, store: bool, fits: bool
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit * MIB, before[1]))
    try:
        if fits:
            assert build_it(spec, tmp_path / "out", store=store) < limit * MIB
        else:
            assert refused(spec, tmp_path / "out", store=store) == "build-disk-full"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_fat_has_no_files_of_four_gibibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_sources(tmp_path / "in", {"a/file": b""})
    os.truncate(spec.base / "src/a/file", 5 << 30)  # takes no room
    seek = os.lseek

    def as_fat(descriptor: int, position: int, how: int) -> int:
        if position >= 1 << 32:
            raise OSError(errno.EINVAL, "Invalid argument")
        return seek(descriptor, position, how)

    no_byte(monkeypatch)
    monkeypatch.setattr(os, "lseek", as_fat)
    free(monkeypatch, 1 << 40)
    assert refused(spec, tmp_path / "out", store=True) == "build-disk-full"


def test_a_disk_without_inodes_says_so(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def none_left(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", none_left)
    free(monkeypatch, 1 << 30, inodes=0)
    with pytest.raises(KitError, match="no inode left") as error:
        build_it(spec, tmp_path / "out")
    assert error.value.code == "build-disk-full"
