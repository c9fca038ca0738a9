"""The first run on a host that trusts nothing yet: whatever lies around, only the verifier runs.

The medium is the attacker's: every file beside the kit, and the directory it is run in.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import pty
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.pyz import make_pyz, verifier_files
from tests.support.people import ROOT_FILE
from tests.support.vector import VECTORS, load_kit

SHADOWS = (  # modules that the verifier, or what starts it, imports
    *("argparse", "array", "base64", "compression", "ctypes", "dataclasses", "datetime", "enum"),
    *("fcntl", "functools", "hashlib", "importlib", "json", "kit", "os", "re", "runpy", "shutil"),
    *("sitecustomize", "struct", "subprocess", "threading", "typing", "unicodedata"),
    *("usercustomize", "verifier", "zipfile", "zipimport", "zlib", "zstandard"),
)
OWN_IMPORTS = ("argparse", "base64", "ctypes", "hashlib", "json", "verifier", "unicodedata")


class Medium:
    """A directory with a kit, its verifier and a root, and a file that planted code would make."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.marker = directory / "planted-code-ran"
        self.kit = directory / "kit.tar.zst"
        self.pyz = directory / "kit-verify.pyz"
        self.kit.write_bytes(load_kit(VECTORS / "built_zstd"))
        self.pyz.write_bytes(make_pyz(verifier_files()))
        (directory / "root.json").write_bytes(ROOT_FILE.read_bytes())

    @property
    def code(self) -> str:
        """What planted code does."""
        return f"open({os.fspath(self.marker)!r}, 'w').close()\nraise SystemExit(0)\n"

    def plant(self, directory: Path, names: Iterable[str]) -> Path:
        """Write modules that must never be imported; return the directory."""
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            (directory / f"{name}.py").write_text(self.code)
        return directory

    def run(
        self, *arguments: str, options: tuple[str, ...] = ("-I",), **environment: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the verifier in the medium's directory as the documents say."""
        return subprocess.run(
            [sys.executable, *options, *arguments],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def assert_verified(self, done: subprocess.CompletedProcess[str]) -> None:
        """Check that the kit was proved, and by nobody else's code."""
        assert not self.marker.exists()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("VERIFIED: memory 1")


VERIFY = ("kit-verify.pyz", "kit.tar.zst", "--root", "root.json")


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return Medium(tmp_path)


# --- planted code ---------------------------------------------------------------------------------


def hostile_environment(medium: Medium) -> dict[str, Any]:
    """Return variables that would make Python, or libzstd, load planted code."""
    modules = medium.plant(medium.directory / "modules", SHADOWS)
    home = medium.directory / "home"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = medium.plant(home / ".local" / "lib" / version / "site-packages", SHADOWS)
    (site / "planted.pth").write_text(f"import sys; {medium.code.splitlines()[0]}\n")
    startup = medium.directory / "startup.py"
    startup.write_text(medium.code)
    return {
        "PYTHONPATH": os.fspath(modules),
        "PYTHONSTARTUP": os.fspath(startup),
        "PYTHONHOME": os.fspath(home),
        "PYTHONUSERBASE": os.fspath(home / ".local"),
        "PYTHONPLATLIBDIR": "planted",
        "PYTHONWARNINGS": "error,ignore::planted.Category",
        "PYTHONBREAKPOINT": "planted.ran",
        "PYTHONINSPECT": "1",
        "PYTHONIOENCODING": "no-such-encoding",
        "HOME": os.fspath(home),
    }


def test_isolated_run_loads_nothing_that_lies_around(medium: Medium) -> None:
    medium.plant(medium.directory, SHADOWS)
    medium.assert_verified(medium.run(*VERIFY, **hostile_environment(medium)))


def test_run_without_isolation_isolates_itself(medium: Medium) -> None:
    medium.plant(medium.directory, SHADOWS)
    path = medium.plant(medium.directory / "modules", OWN_IMPORTS)
    medium.assert_verified(medium.run(*VERIFY, options=(), PYTHONPATH=os.fspath(path)))


def test_planted_modules_are_dangerous(medium: Medium) -> None:
    medium.plant(medium.directory, ["json"])
    medium.run("-c", "import json", options=())
    assert medium.marker.exists(), "otherwise the tests above prove nothing"


def plant_pyc(source: Path, code: str) -> None:
    """Write the cache of a source as Python would, but with other code in it (PEP 3147)."""
    facts = source.stat()
    header = importlib.util.MAGIC_NUMBER + bytes(4)
    header += struct.pack("<II", int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size)
    cache = Path(importlib.util.cache_from_source(os.fspath(source)))
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(header + marshal.dumps(compile(code, os.fspath(source), "exec")))


@pytest.fixture
def unpacked(medium: Medium) -> Medium:
    """A medium with the directory verifier/, each of its modules with a planted cache."""
    for path, data in verifier_files().items():
        file = medium.directory / "verifier" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for file in (medium.directory / "verifier").rglob("*.py"):
        # these two are read before anything can be done: `-m` proves nothing at first contact
        if file.name not in ("__init__.py", "__main__.py"):
            plant_pyc(file, medium.code)
    return medium


def test_unpacked_verifier_ignores_planted_caches(unpacked: Medium) -> None:
    unpacked.plant(unpacked.directory, [name for name in OWN_IMPORTS if name != "verifier"])
    done = unpacked.run("-m", "verifier", *VERIFY[1:], options=())
    unpacked.assert_verified(done)


def test_planted_caches_are_dangerous(unpacked: Medium) -> None:
    unpacked.run("-c", "import verifier.cli", options=())
    assert unpacked.marker.exists(), "otherwise the test above proves nothing"


def test_verifier_writes_nothing(unpacked: Medium) -> None:
    before = contents(unpacked)
    unpacked.assert_verified(unpacked.run(*VERIFY))
    unpacked.assert_verified(unpacked.run("-m", "verifier", *VERIFY[1:], options=("-B",)))
    for command in ("list", "inspect"):
        assert unpacked.run("kit-verify.pyz", command, *VERIFY[1:]).returncode == 0
    assert contents(unpacked) == before


def contents(medium: Medium) -> dict[Path, bytes]:
    """Return every file of a medium and what it holds."""
    return {path: path.read_bytes() for path in medium.directory.rglob("*") if path.is_file()}


LIBRARY = """
#include <fcntl.h>
__attribute__((constructor)) static void planted(void) { open("%s", O_CREAT | O_WRONLY, 0600); }
"""


def test_libzstd_is_loaded_by_its_place(medium: Medium) -> None:
    compiler = next((p for p in ("/usr/bin/cc", "/usr/bin/gcc") if os.path.exists(p)), None)
    if compiler is None:
        pytest.skip("not run: no C compiler is installed")
    library = medium.directory / "lib" / "libzstd.so.1"
    library.parent.mkdir()
    source = library.with_suffix(".c")
    source.write_text(LIBRARY % medium.marker)
    command = [compiler, "-shared", "-fPIC", "-o", os.fspath(library), os.fspath(source)]
    subprocess.run(command, check=True, capture_output=True)
    where: dict[str, Any] = {"LD_LIBRARY_PATH": os.fspath(library.parent)}
    medium.assert_verified(medium.run(*VERIFY, **where))
    medium.run("-c", "import ctypes; ctypes.CDLL('libzstd.so.1')", **where)
    assert medium.marker.exists(), "otherwise this test proves nothing"


def test_programs_on_the_path_are_not_run(medium: Medium) -> None:
    folder = medium.directory / "bin"
    folder.mkdir()
    for name in ("zstd", "python3", "sh", "uname", "lsb_release", "gcc", "ldconfig"):
        program = folder / name
        program.write_text(f"#!/bin/sh\n: > {medium.marker}\n")
        program.chmod(0o755)
    medium.assert_verified(medium.run(*VERIFY, PATH=os.fspath(folder)))


# --- what is no kit -------------------------------------------------------------------------------


def unreadable(medium: Medium, *arguments: str, stdin: int | None = None) -> str:
    """Run the verifier on something that is no file; return what it says, exit status 3."""
    done = subprocess.run(
        [sys.executable, "-I", os.fspath(medium.pyz), *arguments, "--root", os.fspath(ROOT_FILE)],
        cwd=medium.directory,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("UNDECIDED: kit-unreadable")
    return done.stdout


@pytest.mark.parametrize("command", ["verify", "list", "inspect"])
def test_fifo_does_not_hang(medium: Medium, command: str) -> None:
    os.mkfifo(medium.directory / "fifo")
    assert "not a regular file" in unreadable(medium, command, "fifo")


@pytest.mark.parametrize("path", [".", "/", "/dev/null", "/dev/zero", "/dev/tty", "missing", "a/b"])
def test_what_is_no_file_is_unreadable(medium: Medium, path: str) -> None:
    unreadable(medium, path)


def test_socket_and_dangling_link_are_unreadable(
    medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(medium.directory)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        unreadable(medium, "socket")
    (medium.directory / "link").symlink_to("nowhere")
    unreadable(medium, "link")


def test_link_to_a_kit_is_followed(medium: Medium) -> None:
    (medium.directory / "link").symlink_to("kit.tar.zst")
    medium.assert_verified(medium.run("kit-verify.pyz", "link", "--root", "root.json"))


def test_pipe_that_does_not_wait_is_unreadable(medium: Medium) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, medium.kit.read_bytes()[:2000])
    try:
        assert "O_NONBLOCK" in unreadable(medium, "-", stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_closed_standard_input_is_unreadable(medium: Medium) -> None:
    command = [sys.executable, "-I", os.fspath(medium.pyz), "-", "--root", os.fspath(ROOT_FILE)]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("UNDECIDED: kit-unreadable")


@pytest.mark.parametrize("name", ["fifo", ".", "missing", "kit.tar.zst", "/dev/zero", "/dev/null"])
def test_root_that_is_no_root_is_a_mistake_of_the_host(medium: Medium, name: str) -> None:
    os.mkfifo(medium.directory / "fifo")
    done = medium.run("kit-verify.pyz", "kit.tar.zst", "--root", name)
    assert done.returncode == 2
    assert done.stderr.startswith("error[root-invalid]")
    assert done.stdout == ""


# --- where it is printed --------------------------------------------------------------------------


@pytest.fixture
def strange_names(medium: Medium) -> Medium:
    medium.kit.write_bytes(load_kit(VECTORS / "name_pax_unicode"))
    return medium


@pytest.mark.parametrize("utf8", ["0", "1"])
@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "no-such-locale"])
def test_any_console_encoding_will_do(strange_names: Medium, locale: str, utf8: str) -> None:
    for command in (["list"], ["verify"], ["verify", "--json"], ["inspect"]):
        done = strange_names.run(
            "kit-verify.pyz",
            *command,
            *VERIFY[1:],
            options=("-I", "-X", f"utf8={utf8}"),
            LC_ALL=locale,
            PYTHONIOENCODING="latin-1:strict",
        )
        assert (done.returncode, done.stderr) == (0, "")
        if command == ["list"]:
            assert "tools/caf\u00e9" in done.stdout or "tools/caf\\xe9" in done.stdout


@pytest.mark.parametrize(
    "name", [b"caf\xe9.tar.zst", b"a\nVERIFIED: x", b"a\x1b[2J", b"\xed\xa0\x80"]
)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_any_argument_can_be_named(medium: Medium, name: bytes, locale: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8=0", os.fspath(medium.pyz), name, "--root", ROOT_FILE],
        cwd=medium.directory,
        env={"LC_ALL": locale},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (3, b"")
    assert b"\x1b" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith(b"VERIFIED")] == []


def on_terminal(command: list[str], environment: Mapping[str, str]) -> tuple[int, bytes]:
    """Run a program on a terminal; return exit status and what it printed there."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env={**environment}, close_fds=True
    )
    os.close(slave)
    printed = b""
    while True:
        try:
            data = os.read(master, 65_536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not data:
            break
        printed += data
    os.close(master)
    return process.wait(timeout=60), printed


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_terminal_of_any_encoding_will_do(strange_names: Medium, locale: str) -> None:
    command = [sys.executable, "-I", "-X", "utf8=0", os.fspath(strange_names.pyz)]
    command += [os.fspath(strange_names.kit), "--root", os.fspath(ROOT_FILE)]
    status, printed = on_terminal(command, {"LC_ALL": locale, "TERM": "dumb"})
    assert status == 0
    assert b"VERIFIED: vector 1" in printed
    assert b"Traceback" not in printed


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_exit_status_needs_no_output(medium: Medium, closed: str) -> None:
    bad = load_kit(VECTORS / "tar_symlink_fail")
    (medium.directory / "bad.tar.zst").write_bytes(bad)
    for kit, status in (("kit.tar.zst", 0), ("bad.tar.zst", 4), ("missing", 3)):
        command = [sys.executable, "-I", "kit-verify.pyz", kit, "--root", "root.json"]
        script = f'exec "$@" {closed}'
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *command],
            cwd=medium.directory,
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == status
        assert b"Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", ["verify", "list"])
def test_output_that_cannot_be_written_is_no_verdict(medium: Medium, command: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-I", "kit-verify.pyz", command, *VERIFY[1:]],
            cwd=medium.directory,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    assert done.returncode not in (0, 2, 4)


def test_reader_that_goes_away_is_no_crash(medium: Medium) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-I", "kit-verify.pyz", "list", *VERIFY[1:]],
        cwd=medium.directory,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=30,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")
