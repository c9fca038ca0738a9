"""``lock`` and ``store`` as people and scripts meet them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.program import Run, runner

SPEC = """\
[kit]
name = "app"
version = "1"
line = "app/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "app"

[[component]]
id = "app"
version = "1"
path = "app"
lands = "/opt/app"
[[component.source]]
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tool").write_bytes(b"a tool")
    digest = hashlib.sha256(b"a tool").hexdigest()
    url = (tmp_path / "tool").as_uri()
    (tmp_path / "kit.toml").write_text(f'{SPEC}url = "{url}"\nsha256 = "{digest}"\n')
    return runner(capsys, monkeypatch)


def test_a_lock_is_written_and_says_what_comes_next(run: Run, tmp_path: Path) -> None:
    status, out, err = run("lock")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "resolved app",
        "wrote kit.lock: 1 file",
        "next: look at the difference of kit.lock, and keep it in version control",
    ]
    assert run("lock") == (0, "unchanged: kit.lock: 1 file\n", "")
    assert run("lock", "--check") == (
        0,
        "kit.lock fits the spec, and the store has its 1 file\n",
        "",
    )


def test_json(run: Run) -> None:
    status, out, err = run("lock", "--json")
    assert status == 0
    assert [json.loads(line) for line in err.splitlines()] == [
        {"event": "begins", "name": "app/tool", "size": 6},
        {"event": "done", "name": "app/tool", "size": 6},
    ]
    assert json.loads(out) == {
        "artifacts": 1,
        "changed": True,
        "fetched": 0,
        "lock": "kit.lock",
        "resolved": ["app"],
        "size": 6,
    }


def test_the_store(run: Run, tmp_path: Path) -> None:
    run("lock")
    root = tmp_path / "cache" / "offline-kit" / "store"
    assert run("store", "path") == (0, f"{root}\n", "")
    digest = hashlib.sha256(b"a tool").hexdigest()
    file = root / "sha256" / digest[:2] / digest
    assert run("store", "path", digest) == (0, f"{file}\n", "")
    assert run("store", "verify") == (0, "checked 1 files, 6 bytes: 0 damaged\n", "")
    file.chmod(0o644)
    file.write_bytes(b"a fool")
    status, out, err = run("store", "verify")
    assert (status, out) == (4, "checked 1 files, 6 bytes: 1 damaged\n")
    assert "store-damaged" in err
    run("lock")
    assert run("store", "gc", "--keep", "0")[1] == "removed 1 files, 6 bytes\n"
    status, _, err = run("lock", "--offline")
    assert status == 3
    assert "artifact-absent" in err


MISTAKES = [
    (("lock", "gone.toml"), 2, "spec-missing"),
    (("lock", "--update", "ap"), 2, "nothing-to-update"),
    (("lock", "--check"), 2, "lock-missing"),
    (("store", "gc"), 2, "--older-than DAYS, --keep SIZE"),
    (("store", "gc", "--keep", "much"), 2, "a number of bytes"),
    (("store", "path", "abc"), 2, "64 hexadecimal digits"),
    (("store", "path", "0" * 64), 2, "has no file"),
]


@pytest.mark.parametrize(("words", "wanted", "said"), MISTAKES)
def test_mistakes_are_answered(
    words: tuple[str, ...], wanted: int, said: str, run: Run, tmp_path: Path
) -> None:
    status, _, err = run(*words)
    assert status == wanted
    assert said in err
