"""The verifier alone on a host: no socket, no environment, nothing read from where it stands.

Each command runs under strace and, where the host permits it, in a network namespace that has no
network.  A control run that does open sockets shows that the watch would notice.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit
from tests.support.sboms import KINDS, changed

pytestmark = pytest.mark.slow

TALKING = re.compile(r"\bAF_(INET6?|NETLINK|PACKET|VSOCK|BLUETOOTH)\b|\bio_uring_setup\(")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
PLANTED = (
    "json.py",
    "hashlib.py",
    "verifier/__init__.py",
    "sitecustomize.py",
    "zstd",
    "policy.json",
)
VARIABLES = """HOME PATH TMPDIR TEMP XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME
PYTHONPATH PYTHONSTARTUP PYTHONUSERBASE PYTHONPYCACHEPREFIX"""

# KIT, ROOT and OUT stand for paths; the number is the exit status that proves it ran to its end.
COMMANDS = {
    "verify": (0, ["KIT", "--root", "ROOT"]),
    "verify as JSON": (0, ["KIT", "--root", "ROOT", "--json"]),
    "quick": (0, ["KIT", "--root", "ROOT", "--quick"]),
    "pipe": (0, ["-", "--root", "ROOT"]),
    "expect": (0, ["KIT", "--root", "ROOT", "--expect", "demo@1.0"]),
    "extract": (0, ["KIT", "--root", "ROOT", "--extract", "OUT"]),
    "extract a part": (0, ["KIT", "--root", "ROOT", "--extract", "OUT", "--only", "tools"]),
    "list": (0, ["list", "KIT", "--root", "ROOT"]),
    "inspect": (0, ["inspect", "KIT", "--root", "ROOT"]),
    "explain": (0, ["explain", "digest-mismatch"]),
    "selftest": (0, ["selftest"]),
    "without a root": (3, ["KIT"]),
    "another kit than expected": (4, ["KIT", "--root", "ROOT", "--expect", "other"]),
    "no such file": (3, ["KIT.missing", "--root", "ROOT"]),
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with compressed frames."""
    return make_kit(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def strace(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of strace, on a host that lets it work."""
    program = judge("strace")
    tried = subprocess.run(
        [program, "-f", "-qq", "-o", tmp_path_factory.mktemp("strace") / "trace", "true"],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip("not run: this host does not let strace trace")
    return program


@pytest.fixture(scope="module")
def without_network(judge: Judge) -> list[str]:
    """Return what to put before a command to take the network away; nothing where forbidden."""
    unshare = str(judge("unshare"))
    for options in (["--net"], ["--net", "--map-root-user"]):
        if not subprocess.run([unshare, *options, "true"], capture_output=True).returncode:
            return [unshare, *options]
    return []


def trace(strace: Path, output: Path, what: str, command: Sequence[str | Path]) -> list[str | Path]:
    return [strace, "-f", "-qq", "-e", "signal=none", "-e", f"trace={what}", "-o", output, *command]


def paths_in(log: Path) -> set[str]:
    """Return every path that the calls in a trace of ``%file`` name."""
    paths: set[str] = set()
    for line in log.read_text().splitlines():
        call = line.split(" = ")[0]
        beside = re.search(r"\b[a-z]+at2?\(\d", call)  # in a directory that is held open
        if "execve(" not in call and not beside:
            found = QUOTED.findall(call)
            paths.update(found[:1] if "readlink" in call else found)  # the second is its answer
    return paths


def arguments_of(kit: Made, words: Sequence[str], out: Path) -> list[str]:
    places = {"KIT": kit.path, "ROOT": ROOT_FILE, "OUT": out, "KIT.missing": f"{kit.path}.missing"}
    return [str(places.get(word, word)) for word in words]


@pytest.mark.parametrize(("status", "words"), COMMANDS.values(), ids=COMMANDS.keys())
def test_no_command_makes_a_socket_or_needs_an_environment(
    kit: Made,
    strace: Path,
    without_network: list[str],
    tmp_path: Path,
    status: int,
    words: list[str],
) -> None:
    """It runs in /proc, which nobody can write to, with nothing in the environment."""
    command: list[str | Path] = ["env", "-i", sys.executable, "-I", kit.pyz]
    command += arguments_of(kit, words, tmp_path / "out")
    log = tmp_path / "trace"
    with open(kit.path, "rb") as stream:
        done = subprocess.run(
            [*without_network, *trace(strace, log, "network,io_uring_setup", command)],
            stdin=stream,
            capture_output=True,
            text=True,
            check=False,
            cwd="/proc",
        )
    assert done.returncode == status, done.stdout + done.stderr
    found = [line for line in log.read_text().splitlines() if TALKING.search(line)]
    assert found == []


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK"])
def test_the_watch_notices_a_socket(strace: Path, tmp_path: Path, family: str) -> None:
    log = tmp_path / "trace"
    code = (
        "import socket, threading\n"
        f"work = lambda: socket.socket(socket.{family}, socket.SOCK_DGRAM).close()\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
    )
    command = [sys.executable, "-I", "-c", code]
    subprocess.run(trace(strace, log, "network,io_uring_setup", command), check=False)
    assert TALKING.search(log.read_text())


def test_nothing_planted_nearby_is_looked_at(kit: Made, strace: Path, tmp_path: Path) -> None:
    """Working directory, home, PATH, PYTHONPATH, TMPDIR: all hold bait, none is even listed."""
    bait = tmp_path / "bait"
    for name in PLANTED:
        path = bait / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('the bait was taken')\n")
        path.chmod(0o755)
    environment = {name: str(bait) for name in VARIABLES.split()}
    log = tmp_path / "trace"
    command: list[str | Path] = [
        sys.executable,
        "-I",
        kit.pyz,
        kit.path,
        "--root",
        ROOT_FILE,
    ]
    command += ["--extract", tmp_path / "out"]
    done = subprocess.run(
        trace(strace, log, "%file", command),
        capture_output=True,
        text=True,
        check=False,
        cwd=bait,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths = paths_in(log)
    assert str(kit.path) in paths, "the trace shows no paths at all"
    assert [path for path in paths if path.startswith(str(bait))] == []
    # whether a file has the name of an option is asked, since a pattern would hand it over
    assert [path for path in paths if path and not path.startswith(("/", "--"))] == []
    assert {path.name for path in bait.rglob("*") if path.is_file()} == {
        name.rpartition("/")[2] for name in PLANTED
    }


def test_no_library_is_looked_for_in_the_search_path(
    kit: Made, strace: Path, tmp_path: Path
) -> None:
    """LD_LIBRARY_PATH would decide about a bare ``libzstd.so.1``: absolute paths do not ask it."""
    log = tmp_path / "trace"
    command: list[str | Path] = [
        sys.executable,
        "-I",
        kit.pyz,
        kit.path,
        "--root",
        ROOT_FILE,
    ]
    done = subprocess.run(
        trace(strace, log, "%file", command),
        capture_output=True,
        text=True,
        check=False,
        env={"LD_LIBRARY_PATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = [path for path in paths_in(log) if "zstd" in path]
    assert names, "no decoder was looked for"
    assert [path for path in names if path.startswith(str(tmp_path))] == []


def test_the_namespace_has_no_network(without_network: list[str]) -> None:
    """Else the runs above would prove less than they say."""
    if not without_network:
        pytest.skip("not run: this host does not permit network namespaces")
    shell = [*without_network, sys.executable, "-I", "-c"]
    code = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.connect(('192.0.2.1', 9))\n"
    )
    done = subprocess.run([*shell, code], capture_output=True, text=True, check=False)
    assert "unreachable" in done.stderr.lower()


@pytest.mark.parametrize("kind", KINDS)
def test_an_sbom_is_judged_without_a_network(
    strace: Path, without_network: list[str], tmp_path: Path, kind: str
) -> None:
    """The schemas name each other by addresses on the web; none of them may be asked for."""
    path, log = tmp_path / "sbom.json", tmp_path / "trace"
    path.write_bytes(changed(KINDS[kind]))
    start = "import sys; from kit.cli import main; main()"
    command: list[str | Path] = [sys.executable, "-c", start, "sbom", "check", path]
    done = subprocess.run(
        [*without_network, *trace(strace, log, "network,io_uring_setup", command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good" in done.stdout
    assert [line for line in log.read_text().splitlines() if TALKING.search(line)] == []
