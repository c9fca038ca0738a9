"""Both programs with streams that fail: no traceback, no wrong verdict, one sentence.

Most are forked, which leaves out how Python itself starts with such streams; the first of each
program are started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.compiled import kit_verify, write_kit_verify
from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit
from tests.support.program import apart
from tests.support.warm import warm

FULL = Path("/dev/full")
KIT_VERIFY, OFFLINE_KIT = "kit-verify", "offline-kit"
LOST = "error[output-lost]: standard output: No space left on device\n  fix: "

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="not run: this host has no /dev/full")


@pytest.fixture(scope="module")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[str, ...]]:
    """Return what starts each program."""
    pyz = write_kit_verify(tmp_path_factory.mktemp("tools"))
    return {
        KIT_VERIFY: (sys.executable, "-I", os.fspath(pyz)),
        OFFLINE_KIT: (sys.executable, "-c", "from kit.cli import main; main()"),
    }


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with more names than a buffer of standard output holds."""
    files = {f"tools/{n:03}-{'n' * 100}": b"" for n in range(200)}
    return make_kit(tmp_path_factory.mktemp("streams"), files)


def run(
    program: str,
    *words: str | Path,
    out: int | None = None,
    err: int | None = None,
    closed: Sequence[int] = (),
    place: Path | int = REPOSITORY,
) -> tuple[int, str, str]:
    """Fork a program with streams of its own; return its status and what it said on the others."""
    if program == KIT_VERIFY:
        where = f"/proc/self/fd/{place}" if isinstance(place, int) else place
        made = warm(kit_verify()).run(words, stdout=out, stderr=err, closed=closed, cwd=where)
        return made.returncode, made.stdout.decode(), made.stderr.decode()

    def streams() -> None:
        for number, given in ((1, out), (2, err)):
            if given is not None:
                os.dup2(given, number)
        for number in closed:
            os.close(number)

    done = apart([*map(str, words)], place, int, streams)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def full() -> Iterator[int]:
    """Return a descriptor that takes nothing."""
    with FULL.open("wb") as stream:
        yield stream.fileno()


SAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
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
    names: dict[str, str], full: int, program: str, words: tuple[str, ...]
) -> None:
    given = [names.get(word, word) for word in words]
    status, _, complaint = run(program, *given, out=full)
    assert status == 3
    assert complaint.startswith(LOST)
    assert complaint.count("\n") == 2


def started(program: Sequence[str], which: str, *words: str) -> tuple[int, bytes]:
    """Start a program with streams as a shell says it; return its status and what it said."""
    line = ["sh", "-c", f'exec "$@" {which}', "sh", *program, *words]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


A_FEW = [SAYS[name] for name in ("a verdict", "help of the other")]


@pytest.mark.parametrize("which", [">/dev/full 2>&1", ">&- 2>&-"])
@pytest.mark.parametrize(("program", "words"), A_FEW)
def test_nobody_can_be_told_that_nobody_can_be_told(
    names: dict[str, str],
    starting: Mapping[str, tuple[str, ...]],
    program: str,
    words: tuple[str, ...],
    which: str,
) -> None:
    given = [names.get(word, word) for word in words]
    assert started(starting[program], which, *given) == (3, b"")


def test_full_standard_error_changes_nothing(kit: Made, full: int) -> None:
    """A note or a message that is lost is not the verdict."""
    good = (kit.path, "--root", ROOT_FILE)
    assert run(KIT_VERIFY, *good, err=full)[:2] == run(KIT_VERIFY, *good)[:2]
    assert run(KIT_VERIFY, kit.path, "--expect", "!", err=full)[0] == 2
    assert run(KIT_VERIFY, "--nonsense", err=full)[0] == 2
    assert run(OFFLINE_KIT, "--nonsense", err=full)[0] == 2
    assert run(OFFLINE_KIT, "build", "gone.toml", err=full)[0] == 2


@pytest.mark.parametrize(("program", "words"), SAYS.values(), ids=SAYS.keys())
def test_closed_output_is_undecided(
    names: dict[str, str], program: str, words: tuple[str, ...]
) -> None:
    """It was 0: a report that nobody could read."""
    given = [names.get(word, word) for word in words]
    status, _, said = run(program, *given, closed=[1])
    assert (status, said.startswith("error[output-lost]: standard output: is closed")) == (3, True)


def test_closed_standard_error_changes_nothing(kit: Made) -> None:
    path, root = os.fspath(kit.path), os.fspath(ROOT_FILE)
    for words, expected in (((path, "--root", root), 0), ((path,), 3), (("--nonsense",), 2)):
        assert run(KIT_VERIFY, *words, closed=[2])[0] == expected


def test_no_file_of_ours_gets_the_number_of_a_closed_stream(
    kit: Made, tmp_path: Path, starting: Mapping[str, tuple[str, ...]]
) -> None:
    """What writes to standard error without asking would write into a member."""
    status, _ = started(
        starting[KIT_VERIFY],
        "2>&- <&-",
        *(os.fspath(kit.path), "--root", os.fspath(ROOT_FILE)),
        *("--extract", os.fspath(tmp_path / "new"), "--quiet"),
    )
    assert status == 0
    taken = "import os; from verifier._compat import occupy_standard_descriptors as occupy; "
    taken += "occupy(); print(os.open('/dev/null', os.O_RDONLY))"
    assert started((sys.executable, "-c", taken), "2>&- <&-") == (0, b"3\n")


# --- where a program stands ----------------------------------------------------------------------

GONE: Mapping[str, tuple[str, tuple[str, ...], int, str]] = {
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
    program: str,
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    place = os.open(gone, os.O_RDONLY)
    gone.rmdir()
    try:
        ended, out, err = run(program, *(names.get(word, word) for word in words), place=place)
    finally:
        os.close(place)
    assert "Traceback" not in err
    assert (ended, said in out + err) == (status, True), out + err


@pytest.mark.parametrize("program", [KIT_VERIFY, OFFLINE_KIT])
def test_a_program_starts_where_nothing_is_any_more(
    names: dict[str, str], tmp_path: Path, starting: Mapping[str, tuple[str, ...]], program: str
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = ["sh", "-c", 'cd "$1"; rmdir "$1"; shift; exec "$@"', "sh", os.fspath(gone)]
    done = subprocess.run(
        [*line, *starting[program], "verify", names["KIT"], "--root", names["ROOT"]],
        env={"PYTHONPATH": os.fspath(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout[:8], done.stderr) == (0, "VERIFIED", "")


def no_threads() -> None:
    """Have this process start none."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse  # type: ignore[method-assign, assignment]


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
    words = ["build", "kit.toml", "--root", os.fspath(ROOT_FILE), "--out", ".", "--jobs", "4"]
    done = apart(words, tmp_path, no_threads)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    words = ["verify", "demo-1.0/demo-1.0.tar.zst", "--root", os.fspath(ROOT_FILE)]
    done = apart(words, tmp_path, no_threads)
    assert (done.returncode, "threshold-not-met" in done.stdout) == (4, True)


@pytest.mark.parametrize(
    ("program", "words"),
    [(KIT_VERIFY, ("list", "KIT", "--root", "ROOT")), (OFFLINE_KIT, ("--help",))],
)
def test_reader_that_goes_away_hears_nothing(
    names: dict[str, str], program: str, words: tuple[str, ...]
) -> None:
    given = [names.get(word, word) for word in words]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(program, *given, out=writing) == (3, "", "")
    finally:
        os.close(writing)
