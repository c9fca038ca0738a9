"""Both programs with streams that fail: no traceback, no wrong verdict, one sentence."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.compiled import write_kit_verify
from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit

FULL = Path("/dev/full")
KIT_VERIFY = (sys.executable, "-I", "PYZ")
OFFLINE_KIT = (sys.executable, "-c", "from kit.cli import main; main()")
LOST = "error[output-lost]: standard output: No space left on device\n  fix: "

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="not run: this host has no /dev/full")


@functools.cache
def kept() -> tempfile.TemporaryDirectory[str]:
    """Return where the verifier is that KIT_VERIFY starts."""
    directory = tempfile.TemporaryDirectory(prefix="kit-verify-")
    write_kit_verify(Path(directory.name))
    return directory


def starting(program: tuple[str, ...]) -> tuple[str, ...]:
    """Return a program with the path of the verifier where it says PYZ."""
    return tuple(f"{kept().name}/kit-verify.pyz" if word == "PYZ" else word for word in program)


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
            [*starting(program), *words],
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
    data[-9000] ^= 1
    bad = tmp_path_factory.mktemp("bad") / "bad.tar.zst"
    bad.write_bytes(data)
    return {"KIT": os.fspath(kit.path), "BAD": os.fspath(bad), "ROOT": os.fspath(ROOT_FILE)}


@pytest.mark.parametrize(("program", "words"), SAYS.values(), ids=SAYS.keys())
def test_output_on_a_full_disk_is_undecided(
    names: dict[str, str], program: tuple[str, ...], words: tuple[str, ...]
) -> None:
    given = [names.get(word, word) for word in words]
    status, _, complaint = run(program, *given, out=FULL)
    assert status == 3
    assert complaint.startswith(LOST)
    assert complaint.count("\n") == 2


A_FEW = [SAYS[name] for name in ("a verdict", "help", "help of the other")]


@pytest.mark.parametrize(("program", "words"), A_FEW)
def test_nobody_can_be_told_that_nobody_can_be_told(
    names: dict[str, str], program: tuple[str, ...], words: tuple[str, ...]
) -> None:
    given = [names.get(word, word) for word in words]
    assert run(program, *given, out=FULL, err=FULL)[0] == 3
    assert closed(program, ">&- 2>&-", *given) == (3, b"")


def test_full_standard_error_changes_nothing(kit: Made) -> None:
    """A note or a message that is lost is not the verdict."""
    good = (kit.path, "--root", ROOT_FILE)
    assert run(KIT_VERIFY, *good, err=FULL)[:2] == run(KIT_VERIFY, *good)[:2]
    assert run(KIT_VERIFY, kit.path, "--expect", "!", err=FULL)[0] == 2
    assert run(KIT_VERIFY, "--nonsense", err=FULL)[0] == 2
    assert run(OFFLINE_KIT, "--nonsense", err=FULL)[0] == 2
    assert run(OFFLINE_KIT, "build", "gone.toml", err=FULL)[0] == 2


def closed(program: tuple[str, ...], which: str, *words: str) -> tuple[int, bytes]:
    """Run a program with streams closed; return its status and what it said on the others."""
    line = ["sh", "-c", f'exec "$@" {which}', "sh", *starting(program), *words]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("program", "words"), SAYS.values(), ids=SAYS.keys())
def test_closed_output_is_undecided(
    names: dict[str, str], program: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """It was 0: a report that nobody could read."""
    given = [names.get(word, word) for word in words]
    status, said = closed(program, ">&-", *given)
    assert (status, said.startswith(b"error[output-lost]: standard output: is closed")) == (3, True)


def test_closed_standard_error_changes_nothing(kit: Made) -> None:
    path, root = os.fspath(kit.path), os.fspath(ROOT_FILE)
    for words, expected in (((path, "--root", root), 0), ((path,), 3), (("--nonsense",), 2)):
        assert closed(KIT_VERIFY, "2>&-", *words)[0] == expected


def test_no_file_of_ours_gets_the_number_of_a_closed_stream(kit: Made, tmp_path: Path) -> None:
    """What writes to standard error without asking would write into a member."""
    status, _ = closed(
        KIT_VERIFY,
        "2>&- <&-",
        *(os.fspath(kit.path), "--root", os.fspath(ROOT_FILE)),
        *("--extract", os.fspath(tmp_path / "new"), "--quiet"),
    )
    assert status == 0
    taken = "import os; from verifier._compat import occupy_standard_descriptors as occupy; "
    taken += "occupy(); print(os.open('/dev/null', os.O_RDONLY))"
    assert closed((sys.executable, "-c", taken), "2>&- <&-") == (0, b"3\n")


# --- where a program stands ----------------------------------------------------------------------

GONE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], int, str]] = {
    "a verdict": (KIT_VERIFY, ("KIT", "--root", "ROOT"), 0, "VERIFIED"),
    "a relative kit": (KIT_VERIFY, ("kit", "--root", "ROOT"), 3, "UNDECIDED: kit-unreadable"),
    "a relative target": (
        KIT_VERIFY,
        ("KIT", "--root", "ROOT", "--extract", "new"),
        3,
        "standing-nowhere",
    ),
    "a relative receipt": (
        KIT_VERIFY,
        ("KIT", "--root", "ROOT", "--receipt", "new"),
        3,
        "standing-nowhere",
    ),
    "a relative trust directory": (KIT_VERIFY, ("trust", "show", "--trust", "t"), 3, "error["),
    "an explanation by the other": (OFFLINE_KIT, ("explain", "no-root"), 0, "no-root"),
    "a verdict by the other": (OFFLINE_KIT, ("verify", "KIT", "--root", "ROOT"), 0, "VERIFIED"),
    "a build": (OFFLINE_KIT, ("build", "kit.toml", "--root", "ROOT"), 2, "error["),
    "new keys": (OFFLINE_KIT, ("key", "new", "alice"), 3, "error["),
    "a seal": (OFFLINE_KIT, ("seal", "kit.tar.zst"), 3, "error["),
}


@pytest.mark.parametrize(("program", "words", "status", "said"), GONE.values(), ids=GONE.keys())
def test_a_working_directory_that_has_gone_is_no_traceback(
    names: dict[str, str],
    tmp_path: Path,
    program: tuple[str, ...],
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    given = [names.get(word, word) for word in words]
    line = ["sh", "-c", 'cd "$1"; rmdir "$1"; shift; exec "$@"', "sh", os.fspath(gone)]
    done = subprocess.run(
        [*line, *starting(program), *given],
        env={"PYTHONPATH": os.fspath(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done


NO_THREADS = """
import threading
def refuse(self): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
"""


def test_a_host_that_starts_no_thread_still_builds_and_proves(tmp_path: Path) -> None:
    """A limit on processes counts threads; no such limit binds root, so here Python says so."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "big").write_bytes(os.urandom(9 << 20))
    spec = 'name = "demo"\nversion = "1.0"\nline = "demo/stable"\nsequence = 1\nsummary = "s"\n'
    (tmp_path / "kit.toml").write_text(
        f"[kit]\n{spec}created = 2026-11-24T00:00:00Z\n\n[[component]]\n"
        'id = "all"\nversion = "1"\npath = "all"\nlands = "/opt"\n'
        '[[component.source]]\ndir = "sources"\n'
    )
    build = f"{NO_THREADS}\nfrom kit.cli import main\nmain()"
    status, said, complaint = run(
        (sys.executable, "-c", build),
        *("build", tmp_path / "kit.toml", "--root", ROOT_FILE, "--out", tmp_path, "--jobs", "4"),
    )
    assert (status, complaint) == (0, ""), said
    verify = f"{NO_THREADS}\nfrom verifier.cli import entry\nentry()"
    status, said, complaint = run(
        (sys.executable, "-c", verify), tmp_path / "demo-1.0/demo-1.0.tar.zst", "--root", ROOT_FILE
    )
    assert (status, "threshold-not-met" in said) == (4, True)


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
            [*starting(program), *given],
            stdout=stream,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            check=False,
            restore_signals=False,
            preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN) and None,
        )
    assert (done.returncode, done.stderr) == (3, b"")
