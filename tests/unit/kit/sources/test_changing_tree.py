"""A tree that changes while it is walked: refused, or carried as what it was."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from kit import errors
from kit.sources.places import Directories
from tests.support.collecting import Listing, data_of, tree
from verifier.core.errors import ExitStatus


def test_a_file_that_vanishes_during_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "t/a", "t/b")
    monkeypatch.setattr(os, "scandir", Listing(lambda path, _: os.unlink(path + b"b")))
    with pytest.raises(errors.SourceChanged, match="source 't/b': vanished") as caught:
        data_of(tmp_path, 'dir = "t"')
    assert caught.value.status is ExitStatus.UNDECIDED


def test_a_file_that_becomes_a_link_during_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "t/a", "t/b")

    def swap(path: bytes, _: object) -> None:
        os.unlink(path + b"b")
        os.symlink("/etc/passwd", path + b"b")

    monkeypatch.setattr(os, "scandir", Listing(swap))
    with pytest.raises(errors.SourceChanged, match="source 't/b'"):
        data_of(tmp_path, 'dir = "t"')


def test_a_directory_that_vanishes_during_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "t/a", "t/d/b")
    monkeypatch.setattr(os, "scandir", Listing(lambda path, _: os.rename(path + b"d", path + b"e")))
    with pytest.raises(errors.SourceChanged, match="source 't/d'"):
        data_of(tmp_path, 'dir = "t"')


@pytest.mark.parametrize("moment", ["t/", "t/d/"])
def test_a_directory_that_becomes_a_link_during_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Its files would be those of another directory, with a signature under them."""
    tree(tmp_path, "t/a", "t/d/b", "private/b")

    def swap(path: bytes, _: object) -> None:
        if path.endswith(moment.encode()) and not (tmp_path / "t/d").is_symlink():
            os.rename(tmp_path / "t/d", tmp_path / "t-d")
            os.symlink("../private", tmp_path / "t/d")

    monkeypatch.setattr(os, "scandir", Listing(swap))
    with contextlib.suppress(errors.SourceChanged):
        found = data_of(tmp_path, 'dir = "t"')  # what was opened is still what was moved away
        assert found.inodes[1] == (tmp_path / "t-d/b").stat().st_ino


def test_a_link_that_is_none_any_more_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "was-a-link").mkdir()
    top = os.fsencode(tmp_path)
    with pytest.raises(errors.SourceChanged, match="has been exchanged"):
        Directories().link(top, top, b"was-a-link")
    with pytest.raises(FileNotFoundError):
        Directories().link(top, top, b"nothing")
