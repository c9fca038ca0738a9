"""What other hosts do differently, each with the real thing where this host has it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.test_edges import MODULES_NOT_EVERYWHERE, NOT_EVERYWHERE
from tests.conftest import Judge
from tests.hosts import lesser
from tests.support.compiled import compiled
from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit, pinned, read_tree, text
from verifier import _compat
from verifier.core.pipeline import Job
from verifier.extract import staging_of
from verifier.folder import Folder
from verifier.run import run

FILES = {
    "tools/größe.txt": b"\r\n",
    "tools/сеть/файл": b"not in cp1252\n",
    "tools/run": b"#!/bin/sh\n",
    "data/big": text(5_000_000),
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with names that few consoles can show."""
    made = make_kit(tmp_path_factory.mktemp("hosts"), FILES, ("tools/run",))
    made.pyz.write_bytes(compiled(made.pyz.read_bytes()))
    return made


def extracted(kit: Made, target: Path) -> bool:
    report = run(os.fspath(kit.path), Job(root=pinned(), workers=2), extract=os.fspath(target))
    return report.error is None


# --- paths of more than 260 characters -------------------------------------------------------

LONG = {
    "C:\\kits\\lnm": "\\\\?\\C:\\kits\\lnm",
    "C:\\" + "d" * 300: "\\\\?\\C:\\" + "d" * 300,
    "\\\\server\\share\\kits\\lnm": "\\\\?\\UNC\\server\\share\\kits\\lnm",
    "\\\\?\\C:\\kits": "\\\\?\\C:\\kits",
    "\\\\?\\UNC\\server\\share": "\\\\?\\UNC\\server\\share",
    "\\\\.\\NUL": "\\\\.\\NUL",
}


@pytest.mark.parametrize(("path", "expected"), LONG.items())
def test_path_of_windows_without_the_limit(path: str, expected: str) -> None:
    assert _compat.extended_path(path) == expected


def test_here_a_path_stays_as_it_was_written() -> None:
    assert _compat.long_path("kits/../lnm") == "kits/../lnm"


def test_whatever_is_read_or_written_goes_through_the_long_form(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another spelling of every absolute path takes the place of the one of Windows."""
    prefix = "/proc/self/root"
    if not os.path.exists(prefix):
        pytest.skip("not run: this host has no /proc/self/root")
    seen: list[str] = []

    def noting(call: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
        def noted(*arguments: Any, **more: Any) -> Any:
            seen.extend(
                os.fsdecode(path) for path in arguments[:count] if not isinstance(path, int)
            )
            return call(*arguments, **more)

        return noted

    long = tmp_path / ("d" * 150) / ("e" * 150)
    long.mkdir(parents=True)
    monkeypatch.setattr(_compat, "HAS_FOLDERS", False)
    monkeypatch.setattr(_compat, "long_path", lambda path: prefix + os.path.abspath(path))
    for name in ("open", "mkdir", "chmod", "lstat", "unlink"):
        monkeypatch.setattr(os, name, noting(getattr(os, name)))
    monkeypatch.setattr(os, "rename", noting(os.rename, 2))
    good = extracted(kit, long / "out")
    monkeypatch.undo()
    assert good
    ours = [path for path in seen if os.fspath(tmp_path) in path or path == os.fspath(kit.path)]
    assert len(ours) > len(FILES)
    assert [path for path in ours if not path.startswith(prefix)] == []
    assert read_tree(long / "out")["tools/run"] == (0o755, FILES["tools/run"])


# --- directories with something open in them -------------------------------------------------


def open_below(directory: str) -> list[str]:
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:
            continue
        if target == directory or target.startswith(f"{directory}/"):
            found.append(target)
    return found


@pytest.mark.parametrize("only", [(), ("data/big",), ("tools",)])
def test_nothing_is_open_in_the_directory_that_is_renamed(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: tuple[str, ...]
) -> None:
    """Windows refuses to rename a directory in which a file is open."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("not run: this host does not say what is open")
    target = os.fspath(tmp_path / "out")
    staging, renames, open_files = staging_of(target), [], []
    real_rename, real_open = os.rename, os.open

    def rename(source: bytes, destination: bytes, **more: Any) -> None:
        names = os.path.basename(source), os.path.basename(destination)
        renames.append((*names, open_below(staging)))
        real_rename(source, destination, **more)

    def opening(path: bytes, *rest: int, **more: Any) -> int:
        descriptor = real_open(path, *rest, **more)
        open_files.extend(open_below(staging))
        return descriptor

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "open", opening)
    report = run(os.fspath(kit.path), Job(root=pinned(), only=only), extract=target)
    assert report.error is None
    assert open_files, "the test sees what is open"
    # a directory may be held open, by hosts that can: those rename it nevertheless
    held = [staging] if _compat.HAS_FOLDERS else []
    assert renames == [(os.fsencode(os.path.basename(staging)), b"out", held)]


# --- locks -----------------------------------------------------------------------------------

MSVCRT = """
import fcntl, os, sys, types
def locking(descriptor, mode, count):
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, count, 0)
module = types.ModuleType("msvcrt")
module.LK_NBLCK, module.locking = 2, locking
sys.modules["msvcrt"] = module
sys.path.insert(0, {repository!r})
from verifier import _compat
sys.modules["fcntl"] = None
"""


def other_process(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python whose locks are those of Windows: of a byte, by process, through msvcrt."""
    code = MSVCRT.format(repository=os.fspath(REPOSITORY)) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


HOLD = """
    from verifier.folder import Folder
    here, name = Folder.open(os.path.dirname(sys.argv[1])), os.path.basename(sys.argv[1]).encode()
    held = here.take_lock(name)
    print("free" if held is not None else "busy", flush=True)
    sys.stdin.readline()
    if held is not None:
        here.drop_lock(held, name)
"""


def test_lock_of_a_byte_keeps_another_process_out(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="not run: the stand-in for msvcrt is made of it")
    path = os.fspath(tmp_path / "lock")

    def answer() -> tuple[subprocess.Popen[str], str]:
        process = other_process(HOLD, path)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    first, said = answer()
    assert said == "free"
    second, said = answer()
    assert said == "busy"
    second.communicate("\n")
    assert os.path.exists(path), "who had no lock removes none"
    first.kill()  # and its lock goes with it
    first.communicate()
    third, said = answer()
    assert said == "free"
    third.communicate("\n")
    assert not os.path.exists(path)


def test_lock_file_that_is_open_is_removed_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows removes nothing that is open."""
    folder = Folder.open(os.fspath(tmp_path))
    held = folder.take_lock(b"lock")
    assert held is not None
    real = os.unlink

    def unlink(name: bytes, **more: Any) -> None:
        if open_below(os.fspath(tmp_path / "lock")):
            raise PermissionError(13, "is open")
        real(name, **more)

    monkeypatch.setattr(os, "unlink", unlink)
    folder.drop_lock(held, b"lock")
    folder.close()
    assert not (tmp_path / "lock").exists()


def test_link_in_place_of_a_lock_is_refused_without_o_nofollow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "made")
    monkeypatch.setattr(_compat, "OPENS_LINKS", True)
    monkeypatch.setattr(_compat, "OPEN_LOCK", os.O_RDWR | os.O_CREAT)
    with Folder.open(os.fspath(tmp_path)) as folder, pytest.raises(OSError, match="symbolic links"):
        folder.take_lock(b"lock")
    assert not (tmp_path / "made").exists()


# --- threads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 1])
def test_host_without_threads_enough_does_it_with_those_it_has(
    kit: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    real = threading.Thread.start
    started: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    job = Job(root=pinned(), workers=4)
    report = run(os.fspath(kit.path), job, extract=os.fspath(tmp_path / "out"))
    assert report.error is None
    assert len(started) == most
    assert read_tree(tmp_path / "out")["data/big"][1] == FILES["data/big"]


# --- consoles --------------------------------------------------------------------------------


def console(kit: Made, *words: str, **environment: str) -> tuple[int, str]:
    """Run the kit's verifier on a console that is not one of UTF-8."""
    command: list[str | Path] = [sys.executable, "-I", "-X", "utf8=0", kit.pyz, *words]
    command += ["--root", ROOT_FILE]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout.decode(environment["ENCODING"])


def test_console_of_windows_shows_what_it_can(kit: Made, tmp_path: Path, judge: Judge) -> None:
    charmap = Path("/usr/share/i18n/charmaps/CP1252.gz")
    if not charmap.exists():
        pytest.skip("not run: this host has no charmap of CP1252")
    place = tmp_path / "en_US.CP1252"
    make: list[str | Path] = [judge("localedef"), "-f", "CP1252", "-i", "en_US", place]
    subprocess.run(make, check=True, capture_output=True)
    where = {"LOCPATH": os.fspath(tmp_path), "LC_ALL": place.name, "ENCODING": "cp1252"}
    status, said = console(kit, "list", os.fspath(kit.path), **where)
    assert status == 0
    assert "tools/größe.txt" in said, "the locale is the one of cp1252"
    assert "tools/\\u0441\\u0435\\u0442\\u044c/\\u0444\\u0430\\u0439\\u043b" in said
    status, said = console(kit, os.fspath(kit.path), "--only", "tools", **where)
    assert (status, said.startswith("VERIFIED IN PART: demo 1.0")) == (0, True)


def test_console_of_ascii_shows_what_it_can(kit: Made) -> None:
    status, said = console(kit, "list", os.fspath(kit.path), LC_ALL="C", ENCODING="ascii")
    assert status == 0
    assert "tools/gr\\xf6\\xdfe.txt" in said


# --- the lesser host itself ------------------------------------------------------------------


def test_lesser_host_lacks_what_the_law_names() -> None:
    """What one file may name only (tests/architecture/test_edges.py) is what is taken away."""
    assert NOT_EVERYWHERE - {"O_BINARY"} <= {*lesser.FLAGS, *lesser.CALLS}
    assert set(MODULES_NOT_EVERYWHERE) <= set(lesser.MODULES)


LESSER = (sys.executable, os.fspath(REPOSITORY / "tests/hosts/lesser.py"))


@pytest.mark.long
def test_the_suite_runs_on_a_lesser_host(tmp_path: Path) -> None:
    """A part of `make hosts`, which runs the core of the suite so."""
    part = ["tests/unit/verifier/test_extract.py", "-q", "--basetemp", f"{tmp_path}/base"]
    done = subprocess.run(
        [*LESSER, *part, "-k", "whole_kit or killed or fault"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_builder_says_that_it_needs_posix(tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text("import sys\nsys.modules['fcntl'] = None\nfrom kit.cli import main\nmain()\n")
    done = subprocess.run(
        [sys.executable, script, "build", "kit.toml"],
        cwd=REPOSITORY,
        env={"PYTHONPATH": os.fspath(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error[host-unsupported]: ")
    assert "Traceback" not in done.stderr
