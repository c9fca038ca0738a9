"""The first run on a host that trusts nothing yet: whatever lies around, only the verifier runs.

The medium is the attacker's: every file beside the kit, and the directory it is run in.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from kit.container.pyz import verifier_files
from kit.note.note import ReleaseNote, release_note
from kit.roots.metadata import build_root
from tests.conftest import Judge
from tests.support.compiled import kit_verify
from tests.support.medium import VERIFY, Medium, library
from tests.support.people import KEYS, ROOT_FILE
from tests.support.vector import VECTORS, load_kit
from tests.support.warm import warm
from tools import docs
from tools.console import TOP, Host, commands, run_page
from verifier.show.fingerprint import groups

SHADOWS = (  # modules that the verifier, or what starts it, imports
    *("argparse", "array", "base64", "compression", "ctypes", "dataclasses", "datetime", "enum"),
    *("fcntl", "functools", "hashlib", "importlib", "json", "kit", "os", "re", "runpy", "shutil"),
    *("sitecustomize", "struct", "subprocess", "threading", "typing", "unicodedata"),
    *("usercustomize", "verifier", "zipfile", "zipimport", "zlib", "zstandard"),
)
# a Python in whose environment no other verifier is installed
BARE = os.path.realpath(sys.executable)
OWN_IMPORTS = ("argparse", "base64", "ctypes", "hashlib", "json", "verifier", "unicodedata")


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
    done = unpacked.run("-m", "verifier", *VERIFY[1:], options=(), python=BARE)
    unpacked.assert_verified(done)


def test_planted_caches_are_dangerous(unpacked: Medium) -> None:
    unpacked.run("-c", "import verifier.cli", options=())
    assert unpacked.marker.exists(), "otherwise the test above proves nothing"


def test_command_of_an_installation_uses_its_byte_code(unpacked: Medium) -> None:
    """Whoever may write there may write the sources too; compiling anew took a quarter second."""
    start = "import sys; sys.path.insert(0, '.'); from verifier.__main__ import installed; "
    unpacked.run("-c", start + "installed()", "--version", options=("-B",), python=BARE)
    assert unpacked.marker.exists()


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


def test_libzstd_is_loaded_by_its_place(medium: Medium) -> None:
    made = library(medium, "libzstd.so.1")
    where: dict[str, Any] = {"LD_LIBRARY_PATH": os.fspath(made.parent)}
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
    words = [*arguments, "--root", os.fspath(ROOT_FILE)]
    done = warm(kit_verify()).run(words, stdin=stdin, cwd=medium.directory, timeout=30)
    assert (done.returncode, done.stderr) == (3, b"")
    assert done.stdout.startswith(b"UNDECIDED: kit-unreadable")
    return done.stdout.decode("utf-8")


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


@pytest.mark.parametrize(
    ("locale", "utf8"),
    [
        *(("C", "0"), ("C.UTF-8", "1"), ("no-such-locale", "0")),
        *(
            pytest.param(*other, marks=pytest.mark.long)
            for other in (("C", "1"), ("POSIX", "0"), ("POSIX", "1"), ("C.UTF-8", "0"))
        ),
        pytest.param("no-such-locale", "1", marks=pytest.mark.long),
    ],
)
def test_any_console_encoding_will_do(strange_names: Medium, locale: str, utf8: str) -> None:
    more = [["verify", "--json"], ["inspect"]] if locale == "C" else []
    for command in (["list"], ["verify"], *more):
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


# --- the page, to the letter ----------------------------------------------------------------------

PAGE = TOP / "docs" / "howto" / "first-contact.md"
CODE = ("hashlib", "json", "typing")  # and as files that Python prefers to what it has


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A disconnected host that the medium of the page has reached."""
    return docs.arrival(tmp_path_factory.mktemp("release"))


@pytest.fixture
def host(release: Host, tmp_path: Path) -> Host:
    """A copy of that host that a test may spoil."""
    there = shutil.copytree(release.environment["MEDIUM"], tmp_path / "medium")
    (tmp_path / "home").mkdir()
    return Host(tmp_path / "home", release.programs, {"MEDIUM": os.fspath(there)})


def medium_of(host: Host) -> Path:
    """Return the directory of the medium."""
    return Path(host.environment["MEDIUM"])


def marked(host: Host, name: str = "planted-code-ran") -> Path:
    """Return the file that planted code would make."""
    return host.directory.parent / name


def plant(host: Host, directory: Path) -> None:
    """Plant modules, caches of modules and modules without a source; each would say VERIFIED."""
    code = f"open({os.fspath(marked(host))!r}, 'w').close()\nprint('VERIFIED')\nraise SystemExit(0)"
    directory.mkdir(parents=True, exist_ok=True)
    for name in SHADOWS:
        (directory / f"{name}.py").write_text(code)
    for name in CODE:
        plant_pyc(directory / f"{name}.py", code)
        cache = Path(importlib.util.cache_from_source(os.fspath(directory / f"{name}.py")))
        (directory / f"{name}.pyc").write_bytes(cache.read_bytes())
    package = directory / "verifier"
    package.mkdir()
    for name in ("__init__", "__main__", "cli"):
        (package / f"{name}.py").write_text(code)
        plant_pyc(package / f"{name}.py", code)


def spoil_nothing(host: Host) -> dict[str, str]:
    del host
    return {}


def spoil_directory(host: Host) -> dict[str, str]:
    """Plant what Python and the shell could find on the medium and where the operator stands."""
    for directory in (host.directory, medium_of(host)):
        plant(host, directory)
        for name in ("cp", "env", "sha256sum", "sed", "tail", "python3", "--root=x", "-I"):
            (directory / name).write_text(f"#!/bin/sh\n: > {marked(host)}\n")
            (directory / name).chmod(0o755)
    return {}


def spoil_environment(host: Host) -> dict[str, str]:
    """Set what another user's profile, or a script on the medium, could have set."""
    modules, home = host.directory.parent / "modules", host.directory.parent / "planted-home"
    plant(host, modules)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = home / ".local" / "lib" / version / "site-packages"
    plant(host, site)
    (site / "planted.pth").write_text(f"import os; open({os.fspath(marked(host))!r}, 'w').close()")
    damaged = host.directory.parent / "lib" / "libzstd.so.1"
    damaged.parent.mkdir()
    damaged.write_bytes(b"\x7fELF, and then something else")
    config = host.directory.parent / "openssl.cnf"  # under it hashlib knows no SHA-256
    config.write_text(
        "openssl_conf = i\n[i]\nalg_section = a\n[a]\ndefault_properties = fips=yes\n"
    )
    return {
        "PYTHONPATH": os.fspath(modules),
        "PYTHONSTARTUP": os.fspath(modules / "json.py"),
        "PYTHONHOME": os.fspath(home),
        "PYTHONUSERBASE": os.fspath(home / ".local"),
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error,ignore::planted.Category",
        "LD_LIBRARY_PATH": os.fspath(damaged.parent),
        "OPENSSL_CONF": os.fspath(config),
        "LANGUAGE": os.fspath(home),
        "HOME": os.fspath(home),
    }


def spoil_both(host: Host) -> dict[str, str]:
    return {**spoil_directory(host), **spoil_environment(host)}


SPOILT = {"as it should be": spoil_nothing, "planted files and variables": spoil_both}


@pytest.mark.slow
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_page_is_followed_to_the_letter(
    host: Host, spoil: Callable[[Host], dict[str, str]]
) -> None:
    """Every command prints what the page says, whatever lies around and whatever is set."""
    page = PAGE.read_text("utf-8")
    there = replace(host, environment={**host.environment, **spoil(host)})
    before = {path: path.read_bytes() for path in medium_of(host).rglob("*") if path.is_file()}
    medium_of(host).chmod(0o555)  # a medium is read-only
    printed = run_page(page, there)
    medium_of(host).chmod(0o755)
    after = {path: path.read_bytes() for path in medium_of(host).rglob("*") if path.is_file()}
    assert after == before
    if spoil is spoil_both:  # these are files in the directory like any others, and no more
        assert not marked(host).exists()
    assert (printed, marked(host).exists()) == (page, False)
    # first contact ends in accepting: what came before is not taken any more
    state = json.loads((host.directory / "contact" / "trust" / "state.json").read_bytes())
    assert state["lines"]["lnm/stable"]["sequence"] == 1


def test_what_the_page_is_spoilt_with_is_dangerous(host: Host) -> None:
    """Otherwise the test above proves nothing: without -I the planted code runs."""
    spoil_directory(host)
    host.shell("python3 -c 'import json'")
    assert marked(host).exists()
    marked(host).unlink()
    there = replace(host, environment=spoil_environment(host))
    there.shell("unset PYTHONHOME; cd /; python3 -c 'import json'")
    assert marked(host).exists()


def first_command(host: Host) -> list[str]:
    """Run what the page begins with; return the numbers that the operator reads, with a name."""
    shutil.rmtree(host.directory / "contact", ignore_errors=True)
    block = re.search(r"^```console\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert block
    copy, compare, *_ = commands(block[1])
    return host.shell(f"{copy}\n{compare}").splitlines()


def paper(host: Host) -> ReleaseNote:
    """Return what the publisher has printed."""
    return release_note(medium_of(host) / docs.KIT)


def test_operator_reads_the_numbers_of_the_release_note(host: Host) -> None:
    """In the same groups, so that two people can compare them aloud."""
    note = paper(host)
    assert [line.split() for line in first_command(host)] == [
        [*groups(note.verifier).split(), "kit-verify.pyz"],
        [*groups(note.root).split(), "root.json"],
    ]


def evil_verifier(host: Host) -> None:
    """Put a verifier there that says yes to everything, as long as the real one."""
    path = medium_of(host) / "kit-verify.pyz"
    size = path.stat().st_size
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("__main__.py", "print('VERIFIED: lnm')\nraise SystemExit(0)\n")
        archive.comment = b"x" * 60_000
    path.write_bytes(b"#" * (size - path.stat().st_size) + path.read_bytes())
    assert path.stat().st_size == size


def evil_root(host: Host) -> None:
    """Put a root there whose only signer is mallory."""
    data = build_root(
        [("mallory", KEYS / "mallory.pub")],
        1,
        expires=datetime(2040, 1, 1, tzinfo=timezone.utc),
        sign_with=[os.fspath(KEYS / "mallory.pem")],
    )
    (medium_of(host) / "root.json").write_bytes(data)


@pytest.mark.parametrize(
    ("swap", "line"), [(evil_verifier, 0), (evil_root, 1)], ids=["verifier", "root"]
)
def test_operator_sees_that_a_number_differs(
    host: Host, swap: Callable[[Host], None], line: int
) -> None:
    """Line 2 runs nothing off the medium, and the page says to stop there."""
    before = first_command(host)
    note = paper(host)
    swap(host)
    after = first_command(host)
    assert after[line] != before[line]
    assert after[1 - line] == before[1 - line]
    (host.directory / "contact" / "numbers.txt").write_text(note.sums)
    said = host.shell("cd contact; sha256sum -c numbers.txt; echo $?")
    assert ("kit-verify.pyz", "root.json")[line] + ": FAILED" in said
    assert "If one differs, **stop: run nothing**" in PAGE.read_text("utf-8")


def test_swapped_verifier_is_dangerous(host: Host) -> None:
    """It vouches for anything: that is why its number comes first, and from elsewhere."""
    evil_verifier(host)
    assert host.shell("python3 -I $MEDIUM/kit-verify.pyz nothing").startswith("VERIFIED")


def test_swapped_root_is_not_kept(host: Host) -> None:
    """Who did not compare in line 2 is asked again by line 4, which takes the number as typed."""
    number = groups(paper(host).root)
    evil_root(host)
    first_command(host)
    verifier = "cd contact; python3 -I kit-verify.pyz"
    said = host.shell(
        f"{verifier} trust init --root root.json --trust trust --fingerprint {number}; echo $?"
    )
    assert said.startswith("error[fingerprint-mismatch]")
    assert said.endswith("\n4\n")
    assert not (host.directory / "contact" / "trust" / "root.json").exists()
    said = host.shell(f"{verifier} $MEDIUM/{docs.KIT} --root root.json; echo $?")
    assert not said.startswith("VERIFIED")
    assert said.endswith(("\n3\n", "\n4\n"))
    look = f"{verifier} $MEDIUM/{docs.KIT} --root root.json --fingerprint {number}; echo $?"
    assert host.shell(look).startswith("error[fingerprint-mismatch]")


def test_the_verifier_that_runs_is_held_to_its_number_too(host: Host) -> None:
    """Whoever compared one file and started another hears of it."""
    note = paper(host)
    first_command(host)
    look = f"python3 -I contact/kit-verify.pyz $MEDIUM/{docs.KIT} --root contact/root.json --quiet"
    good, bad = (
        f"{look} --self-fingerprint {groups(n)}; echo $?" for n in (note.verifier, note.root)
    )
    assert host.shell(good) == "0\n"
    assert host.shell(bad).startswith("error[fingerprint-mismatch]")
    short = host.shell(f"{look} --self-fingerprint {groups(note.verifier)[:-1]}; echo $?")
    assert (short.split(": ")[0], short[-3:]) == ("error[usage]", "\n2\n")


def test_the_page_stops_at_a_damaged_kit(host: Host) -> None:
    kit = medium_of(host) / docs.KIT
    kit.write_bytes(kit.read_bytes()[:-1])
    made = run_page(PAGE.read_text("utf-8"), host)
    assert "REJECTED: kit-truncated" in made
    assert "$ echo $?\n4\n" in made
    assert not (host.directory / "contact" / "lnm").exists()


TOOLS = re.findall(r"\| `(\S+)( [^`|]*)?FILE( SHA256)?` \|", PAGE.read_text("utf-8"))


@pytest.mark.parametrize("tool", TOOLS, ids=[tool[0] for tool in TOOLS])
def test_other_tools_give_the_same_number(host: Host, judge: Judge, tool: list[str]) -> None:
    """As the table of the page spells them."""
    name, options, end = tool
    if name == "certutil" and sys.platform != "win32":
        pytest.skip("not run: certutil is a program of Windows")
    command = [os.fspath(judge(name)), *options.split(), "kit-verify.pyz", *end.split()]
    done = subprocess.run(
        command, cwd=medium_of(host), capture_output=True, text=True, check=True, timeout=60
    )
    assert paper(host).verifier in done.stdout.replace(" ", "")


def test_page_has_a_tool_for_every_host() -> None:
    assert [tool[0] for tool in TOOLS] == ["shasum", "openssl", "certutil"]
