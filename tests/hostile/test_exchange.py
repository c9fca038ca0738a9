"""Somebody who may write the directory above exchanges what we write, at every moment there is.

Right is: the members and only they, below the directory that was named; or a refusal.  Nobody
else's file gets another mode, and nothing is written outside.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosting import policy
from tests.support.making import ROOT_FILE, Made, make_kit, pinned, read_tree, text
from tests.support.people import chain, root_line
from tests.support.together import together
from verifier import _compat
from verifier.core.errors import ExitStatus, KitError
from verifier.core.pipeline import Job
from verifier.core.trust import parse_chain
from verifier.extract import staging_of
from verifier.host.directory import TrustDirectory
from verifier.run import run
from verifier.show.report import Report

FILES = {**{f"a/{number:03}": text(5000, number) for number in range(60)}, "b/big": text(1 << 20)}
DIGEST = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
STRANGER = 23456

pytestmark = pytest.mark.skipif(
    not _compat.HAS_FOLDERS, reason="not run: this host looks names up by paths only"
)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit of many files."""
    return make_kit(tmp_path_factory.mktemp("exchange"), FILES)


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    """Return a directory that everybody may write."""
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    return place


def extract(kit: Made, target: Path, *, shared: bool = True, **more: Any) -> Report:
    job = Job(root=pinned(), workers=2, **more)
    return run(os.fspath(kit.path), job, extract=os.fspath(target), shared=shared)


def members(directory: Path) -> dict[str, bytes]:
    return {path: data for path, (_, data) in read_tree(directory).items() if path in FILES}


def code_of(report: Report) -> str:
    return report.error.code if report.error else ""


# --- where it is refused from the start --------------------------------------------------------

PARENTS = [
    (0o755, 0, 0, ""),
    (0o700, 0, 5, ""),
    (0o1777, 0, 0, ""),
    (0o777, 0, 0, "everybody"),
    (0o775, 0, 5, "its group"),
    (0o2775, 0, 5, "its group"),
    (0o775, 0, 0, ""),  # a group of one: by custom it has the number of its user
    (0o1775, 0, 5, ""),
    (0o755, STRANGER, 5, f"user {STRANGER}, who owns it"),
    (0o1777, STRANGER, 5, f"user {STRANGER}, who owns it"),
]


@together(("mode", "owner", "group", "who"), PARENTS)
def test_who_may_rename_what_lies_in_a_directory(
    mode: int, owner: int, group: int, who: str
) -> None:
    status = os.stat_result((stat.S_IFDIR | mode, 0, 0, 2, owner, group, 0, 0, 0, 0))
    assert _compat.whoever_else_renames(status) == who


def test_target_where_others_rename_is_refused_unless_told(kit: Made, open_to_all: Path) -> None:
    report = extract(kit, open_to_all / "out", shared=False)
    assert (code_of(report), report.status) == ("target-exposed", ExitStatus.USAGE)
    assert list(open_to_all.iterdir()) == []
    assert code_of(extract(kit, open_to_all / "out")) == ""
    open_to_all.chmod(0o1777)
    assert code_of(extract(kit, open_to_all / "sticky", shared=False)) == ""


def test_trust_directory_where_others_rename_is_refused_unless_told(open_to_all: Path) -> None:
    place = TrustDirectory(os.fspath(open_to_all / "etc" / "trust"))
    with pytest.raises(KitError) as refused:
        place.make(ROOT_FILE.read_bytes(), DIGEST, None)
    assert refused.value.code == "target-exposed"
    assert list(open_to_all.iterdir()) == []
    assert place.make(ROOT_FILE.read_bytes(), DIGEST, None, shared=True).root.version == 1


def test_what_lies_in_the_way_there_is_not_cleared_away(kit: Made, open_to_all: Path) -> None:
    """It may be a directory of ours that somebody renamed."""
    staging = Path(staging_of(os.fspath(open_to_all / "out")))
    (staging / "precious").mkdir(parents=True)
    report = extract(kit, open_to_all / "out")
    assert code_of(report) == "target-unwritable"
    assert (staging / "precious").is_dir()
    assert [path.name for path in open_to_all.iterdir()] == [staging.name]


# --- at each moment ----------------------------------------------------------------------------


class Exchanger:
    """Puts something else in the place of the staging directory or of the target."""

    def __init__(self, parent: Path, private: Path, how: str) -> None:
        self.parent, self.private, self.how = parent, private, how
        self.aside: list[Path] = []

    def __call__(self, name: str) -> None:
        """Do it once."""
        place = self.parent / name
        aside = self.parent / f"aside-{len(self.aside)}"
        try:
            place.rename(aside)
        except OSError:
            return
        self.aside.append(aside)
        if self.how == "link":
            place.symlink_to(self.private)
        elif self.how == "directory":
            place.mkdir()
            (place / "planted").write_bytes(b"planted")


MOMENTS = ["after mkdir", "first member", "last member", "before the rename", "after the rename"]


@pytest.mark.parametrize("how", ["link", "directory", "nothing"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_exchange_at_a_moment(
    kit: Made, open_to_all: Path, tmp_path: Path, monkeypatch: Any, moment: str, how: str
) -> None:
    private = tmp_path / "private"
    private.mkdir(0o700)
    (private / "mine").write_bytes(b"mine")
    exchange = Exchanger(open_to_all, private, how)
    target = open_to_all / "out"
    hidden = os.path.basename(staging_of(os.fspath(target)))
    mkdir, rename = os.mkdir, os.rename

    def making(path: Any, *rest: Any, **more: Any) -> None:
        mkdir(path, *rest, **more)
        if moment == "after mkdir" and os.fsdecode(path) == hidden:
            exchange(hidden)

    def renaming(old: Any, new: Any, **more: Any) -> None:
        if moment == "before the rename" and os.fsdecode(new) == "out":
            exchange(hidden)
        rename(old, new, **more)
        if moment == "after the rename" and os.fsdecode(new) == "out":
            exchange("out")

    def progress(done: int, total: int) -> None:
        if (moment == "first member" and not done) or (moment == "last member" and done == total):
            exchange(hidden)

    monkeypatch.setattr(os, "mkdir", making)
    monkeypatch.setattr(os, "rename", renaming)
    report = extract(kit, target, progress=progress)
    monkeypatch.undo()
    assert len(exchange.aside) == 1, "it was exchanged"
    assert report.status is ExitStatus.UNDECIDED, "exit 0 with what somebody else put there"
    assert read_tree(private) == {"mine": ((private / "mine").stat().st_mode & 0o777, b"mine")}
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    if how == "directory":
        planted = [path for path in open_to_all.iterdir() if (path / "planted").exists()]
        assert [list(path.iterdir()) for path in planted] == [[planted[0] / "planted"]]
    assert members(exchange.aside[0]) == {}, "what was written is removed, wherever it is now"


@pytest.mark.parametrize("times", [2, pytest.param(12, marks=pytest.mark.long)])
def test_only_members_with_their_bytes_or_a_refusal_in_a_real_race(
    kit: Made, open_to_all: Path, tmp_path: Path, times: int
) -> None:
    """Another process, and another user where this one is the administrator, never stops."""
    private = tmp_path / "private"
    private.mkdir(0o700)
    tmp_path.chmod(0o755)
    seen: list[str] = []
    for number in range(times):
        target = open_to_all / f"out{number}"
        child = _attack(open_to_all, private, os.path.basename(staging_of(os.fspath(target))))
        try:
            report = extract(kit, target)
            if report.error is None:
                tree = read_tree(target)
                head = [path for path in tree if path not in FILES]
                assert members(target) == FILES
                assert "planted" not in head
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        seen.append(code_of(report))
        assert list(private.iterdir()) == []
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        for path in open_to_all.iterdir():
            if path.name.startswith("theirs") and path.is_dir() and not path.is_symlink():
                assert members(path) == {}
    assert set(seen) <= {"", "target-exchanged", "target-unwritable"}, seen


def _attack(parent: Path, private: Path, hidden: str) -> int:
    """Start a process that exchanges the staging directory as fast as it can, without an end."""
    child = os.fork()
    if child:
        return child
    try:
        if os.geteuid() == 0:
            os.setgid(STRANGER)
            os.setuid(STRANGER)
        place = os.fspath(parent / hidden)
        for number in itertools.count():
            aside, decoy = f"{place}.aside", os.fspath(parent / f"theirs{number % 7}")
            try:
                os.rename(place, aside)
                if number % 3 == 0:
                    os.symlink(private, place)
                    os.unlink(place)
                elif number % 3 == 1:
                    os.mkdir(place)
                    with open(f"{place}/planted", "wb") as stream:
                        stream.write(b"planted")
                    os.rename(place, decoy)
                os.rename(aside, place)
            except OSError:
                time.sleep(0.0001)
    finally:
        os._exit(0)


# --- the trust directory -------------------------------------------------------------------------


@pytest.fixture
def trust(open_to_all: Path) -> tuple[TrustDirectory, Path]:
    """Return a trust directory in a place where others rename, pinned."""
    path = open_to_all / "trust"
    place = TrustDirectory(os.fspath(path))
    place.make(ROOT_FILE.read_bytes(), DIGEST, None, shared=True)
    return place, path


def test_private_directory_is_not_opened_to_all_by_trust_init(
    open_to_all: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    private = tmp_path / "private"
    private.mkdir(0o700)
    mkdir = os.mkdir

    def making(path: Any, *rest: Any, **more: Any) -> None:
        mkdir(path, *rest, **more)
        (open_to_all / "trust").rename(open_to_all / "aside")
        (open_to_all / "trust").symlink_to(private)

    monkeypatch.setattr(os, "mkdir", making)
    with pytest.raises(KitError):
        TrustDirectory(os.fspath(open_to_all / "trust")).make(
            ROOT_FILE.read_bytes(), DIGEST, None, shared=True
        )
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert list(private.iterdir()) == []


@pytest.mark.parametrize("call", ["open", "replace"])
def test_memory_never_goes_into_another_directory(
    trust: tuple[TrustDirectory, Path], tmp_path: Path, monkeypatch: Any, call: str
) -> None:
    place, path = trust
    private = tmp_path / "private"
    private.mkdir(0o700)
    real: Callable[..., Any] = getattr(os, call)

    def calling(*arguments: Any, **more: Any) -> Any:
        if b"policy" in os.fsencode(arguments[0]) and not path.is_symlink():
            path.rename(path.with_name("aside"))
            path.symlink_to(private)
        return real(*arguments, **more)

    monkeypatch.setattr(os, call, calling)
    with pytest.raises(KitError):
        place.update(parse_chain(chain(root_line())), policy(), 0)
    assert list(private.iterdir()) == []
