"""Both programs with streams that fail: no traceback, no wrong verdict, one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit

FULL = Path("/dev/full")
KIT_VERIFY = (sys.executable, "-m", "verifier")
OFFLINE_KIT = (sys.executable, "-c", "from kit.cli import main; main()")
LOST = "error[output-lost]: standard output: No space left on device\n  fix: "

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="not run: this host has no /dev/full")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with more names than a buffer of standard output holds."""
    files = {f"tools/{n:03}-{'n' * 100}": b"" for n in range(200)}
    return make_kit(tmp_path_factory.mktemp("streams"), files)


def run(
    program: tuple[str, ...], *words: str | Path, out: Path | None = None, err: Path | None = None
) -> tuple[int, str, str]:
    """Run a program with its streams on files; return its status and what came through pipes."""
    streams = {"stdout": out, "stderr": err}
    opened = {name: path.open("wb") for name, path in streams.items() if path}
    try:
        done = subprocess.run(
            [*program, *words],
            stdout=opened.get("stdout", subprocess.PIPE),
            stderr=opened.get("stderr", subprocess.PIPE),
            cwd=REPOSITORY,
            check=False,
            text=True,
        )
    finally:
        for stream in opened.values():
            stream.close()
    return done.returncode, done.stdout or "", done.stderr or ""


SAYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a verdict": (KIT_VERIFY, ("KIT", "--root", "ROOT")),
    "a verdict in JSON": (KIT_VERIFY, ("KIT", "--root", "ROOT", "--json")),
    "no verdict": (KIT_VERIFY, ("KIT",)),
    "a rejection": (KIT_VERIFY, ("BAD", "--root", "ROOT")),
    "more than a buffer": (KIT_VERIFY, ("list", "KIT", "--root", "ROOT")),
    "an explanation": (KIT_VERIFY, ("explain", "no-root")),
    "the self-test": (KIT_VERIFY, ("selftest",)),
    "help": (KIT_VERIFY, ("--help",)),
    "the version": (KIT_VERIFY, ("--version",)),
    "help of the other": (OFFLINE_KIT, ("--help",)),
    "the version of the other": (OFFLINE_KIT, ("--version",)),
    "a verdict by the other": (OFFLINE_KIT, ("verify", "KIT", "--root", "ROOT")),
    "the schema": (OFFLINE_KIT, ("schema",)),
}


@pytest.fixture(scope="module")
def names(kit: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what the words of SAYS stand for."""
    data = bytearray(kit.path.read_bytes())
    data[-3000] ^= 1
    bad = tmp_path_factory.mktemp("bad") / "bad.tar.zst"
    bad.write_bytes(data)
    return {"KIT": os.fspath(kit.path), "BAD": os.fspath(bad), "ROOT": os.fspath(ROOT_FILE)}


@pytest.mark.parametrize(("program", "words"), SAYS.values(), ids=SAYS.keys())
def test_output_on_a_full_disk_is_undecided(
    names: dict[str, str], program: tuple[str, ...], words: tuple[str, ...]
) -> None:
    given = [names.get(word, word) for word in words]
    status, said, _ = run(program, *given)
    assert status in (0, 3, 4)
    assert said, "there is something to print"
    status, _, complaint = run(program, *given, out=FULL)
    assert status == 3
    assert complaint.startswith(LOST)
    assert complaint.count("\n") == 2
    assert run(program, *given, out=FULL, err=FULL)[0] == 3, "nobody can be told"


def test_full_standard_error_changes_nothing(kit: Made) -> None:
    """A note or a message that is lost is not the verdict."""
    good = (kit.path, "--root", ROOT_FILE)
    assert run(KIT_VERIFY, *good, err=FULL)[:2] == run(KIT_VERIFY, *good)[:2]
    assert run(KIT_VERIFY, kit.path, "--expect", "!", err=FULL)[0] == 2
    assert run(KIT_VERIFY, "--nonsense", err=FULL)[0] == 2
    assert run(OFFLINE_KIT, "--nonsense", err=FULL)[0] == 2
    assert run(OFFLINE_KIT, "build", "gone.toml", err=FULL)[0] == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_leave_the_status(kit: Made, closed: str) -> None:
    path, root = os.fspath(kit.path), os.fspath(ROOT_FILE)
    for words, expected in (((path, "--root", root), 0), ((path,), 3)):
        line = ["sh", "-c", f'"$@" {closed}', "sh", *KIT_VERIFY, *words]
        done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, check=False)
        assert done.returncode == expected, done.stderr


@pytest.mark.parametrize(
    ("program", "words"),
    [(KIT_VERIFY, ("list", "KIT", "--root", "ROOT")), (OFFLINE_KIT, ("--help",))],
)
def test_reader_that_goes_away_hears_nothing(
    names: dict[str, str], program: tuple[str, ...], words: tuple[str, ...]
) -> None:
    given = [names.get(word, word) for word in words]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stream:
        done = subprocess.run(
            [*program, *given],
            stdout=stream,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            check=False,
            restore_signals=False,
            preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN) and None,
        )
    assert (done.returncode, done.stderr) == (3, b"")
