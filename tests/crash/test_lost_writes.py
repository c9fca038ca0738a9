"""A disk that takes every write and loses it when it is written back: thin volumes, full images.

The disk is real: a file system in an image of 96 MiB behind a loop device, on a tmpfs that has room
for a part of it only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hosting import Site
from tests.support.making import Made, make_kit, noise, pinned
from verifier.core.errors import ExitStatus
from verifier.core.pipeline import Job
from verifier.host.state import State
from verifier.run import run

TOOLS = ("mount", "umount", "losetup", "mkfs.ext2", "mkfs.ext4")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, TOOLS)) or not hasattr(os, "geteuid") or os.geteuid() != 0,
        reason=f"not run: only the administrator makes such a disk, with {', '.join(TOOLS)}",
    ),
]
MIB = 1 << 20
OPTIONS = {
    "ext2": ["mkfs.ext2", "-q", "-E", "nodiscard"],
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit that is larger than what the disk really has."""
    files = {f"a/{number:02}": noise(MIB // 2 - 7, number) for number in range(56)}
    return make_kit(tmp_path_factory.mktemp("lost"), {**files, "b/big": noise(9 * MIB)})


def _did(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(params=list(OPTIONS))
def thin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Return where a disk of 96 MiB is mounted that has room for 24."""
    back, place = tmp_path / "back", tmp_path / "disk"
    back.mkdir()
    place.mkdir()
    if not _did("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", back):
        pytest.skip("not run: this host does not permit mounting")
    image = back / "image"
    try:
        with image.open("wb") as stream:
            stream.truncate(96 * MIB)
        assert _did(*OPTIONS[request.param], image)
        if not _did("mount", "-o", "loop", image, place):
            pytest.skip("not run: this host has no loop devices")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    finally:
        subprocess.run(["umount", "-l", back], check=True)


def test_members_that_did_not_stay_are_not_verified(thin: Path, kit: Made) -> None:
    report = run(os.fspath(kit.path), Job(root=pinned()), extract=os.fspath(thin / "out"))
    assert report.error is not None, "what reads back as zeros is called verified"
    assert report.error.code in {"writes-lost", "target-unwritable"}
    assert report.status is ExitStatus.UNDECIDED
    assert report.extracted == ""


def test_kit_whose_members_did_not_stay_is_not_accepted(
    thin: Path, kit: Made, tmp_path: Path
) -> None:
    site = Site(tmp_path)
    site.pin()
    report = site.accept(kit.path, extract=thin / "out")
    assert report.status is ExitStatus.UNDECIDED
    memory = site.directory.load().memory
    assert isinstance(memory, State)
    assert memory.lines == {}
