"""Common mistakes on a release host: each has a code, and a first sentence that helps.

The table is mistakes.txt.  A sentence is looked at by a person once, as if new, before it is there.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.mistaken import furnish
from tests.support.program import Run
from tests.support.together import together

SHORT = {
    "SEALED": "out/demo-1.0/demo-1.0.tar.zst",
    "ONE": "one/demo-1.0/demo-1.0.tar.zst",
    "NONE": "none/demo-1.0/demo-1.0.tar.zst",
    "ZEROS": "0" * 64,
    "T": "--threshold 1 --expires 2031-01-01",
    "KN": "--key alice.pem --out n",
}


@dataclass(frozen=True)
class Mistake:
    """One entry of the table."""

    title: str
    words: tuple[str, ...]
    status: int
    code: str
    sentence: str


def table() -> Iterator[Mistake]:
    text = Path(__file__).with_name("mistakes.txt").read_text("utf-8")
    for entry in text.split("\n\n")[1:]:
        title, words, answer = entry.strip("\n").split("\n")
        found = re.fullmatch(r"  (\d) ([a-z0-9-]+): (.*)", answer)
        assert found, entry
        typed = shlex.split(" ".join(SHORT.get(word, word) for word in words.split()))
        yield Mistake(title, tuple(typed), int(found[1]), found[2], found[3])


MISTAKES = list(table())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mistaken")
    furnish(directory)
    return directory


def state(place: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in place.rglob("*"))


@together("mistake", MISTAKES, ids=[mistake.title for mistake in MISTAKES])
def test_a_mistake_is_answered(
    offline_kit: Run, place: Path, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("NOT_SET", raising=False)
    before = state(place)
    status, _, err = offline_kit(*mistake.words)
    assert status == mistake.status, err
    assert f"error[{mistake.code}]: {mistake.sentence}" in err
    assert re.search(r"\n  fix: .+[.]\n", err), err
    assert "Traceback" not in err
    assert state(place) == before


def test_the_table_is_long_and_has_every_command() -> None:
    assert len(MISTAKES) >= 150
    first = {mistake.words[0] for mistake in MISTAKES if mistake.words}
    assert first >= {"build", "sign", "seal", "rebuild", "release-note", "review", "key", "root"}
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)


def test_a_passphrase_may_be_told_of_anywhere(
    offline_kit: Run, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody has to know that these options belong to the program and not to its commands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "a long sentence")
    words = ["key", "new", "zoe", "--encrypt", "--passphrase-env", "SECRET"]
    assert offline_kit(*words)[0] == 0
    assert os.listdir(tmp_path)
    status, _, err = offline_kit("key", "show", "--", "--passphrase-env")
    assert (status, "'--passphrase-env'" in err) == (2, True)


def test_every_code_is_listed(offline_kit: Run) -> None:
    status, out, _ = offline_kit("explain")
    codes = [line.split()[0] for line in out.splitlines()]
    assert (status, codes) == (0, sorted(codes))
    assert {"wrong-file", "usage", "no-root", "threshold-not-met"} <= set(codes)
