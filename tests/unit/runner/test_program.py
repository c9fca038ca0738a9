"""One program: real processes, real pipes, real signals."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import processes
from runner.book.model import Stop
from runner.masking import Masker
from runner.program import Hooks, Start, run_program
from runner.work import EXIT, MEMORY, NOT_STARTED, STOPPED, TIMEOUT, UNKEPT, Ended

MARK = f"test-{os.getpid()}"


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    left = processes.kill_all(MARK)
    assert left == []


def python(tmp_path: Path, code: str, **more: object) -> Ended:
    (tmp_path / "scratch").mkdir(exist_ok=True)
    stopping = more.pop("stopping", lambda: "")
    secrets = more.pop("secrets", ())
    start = Start(
        argv=[sys.executable, "-I", "-B", "-c", code],
        variables={"SECRET": "hunter2hunter2"},
        directory=str(tmp_path / "scratch"),
        mark=f"{MARK}/a/apply/1",
        output=str(tmp_path / "output"),
        timeout=more.pop("timeout", 20_000),  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )
    shown: list[bytes] = []
    return run_program(start, Masker(secrets), Hooks(stopping, shown.append))  # type: ignore[arg-type]


def output(tmp_path: Path) -> bytes:
    return (tmp_path / "output").read_bytes()


def test_its_surroundings_are_made_from_nothing(tmp_path: Path) -> None:
    os.environ["LEAKED"] = "yes"
    try:
        code = (
            "import os, sys; print(sorted(os.environ)); print(os.listdir('.'));"
            "print(repr(sys.stdin.read())); print(os.getsid(0) == os.getpid());"
            "print(oct(os.umask(0)), os.environ['PATH'])"
        )
        ended = python(tmp_path, code)
    finally:
        del os.environ["LEAKED"]
    lines = output(tmp_path).decode().splitlines()
    assert (ended.why, ended.status) == (EXIT, 0)
    assert lines[0] == "['HOME', 'LANG', 'OFFLINE_KIT_MARK', 'PATH', 'SECRET', 'TMPDIR']"
    assert lines[1:4] == ["[]", "''", "True"]
    assert lines[4].startswith("0o77 /usr/local/sbin:")


def test_secrets_are_masked_before_the_disk_also_across_writes(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nfor c in 'x' + os.environ['SECRET'] + 'y':\n"
        " sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.01)"
    )
    ended = python(tmp_path, code, secrets=["hunter2hunter2"])
    assert output(tmp_path) == b"x[secret]y"
    digest = hashlib.sha256(b"x[secret]y").hexdigest()
    assert ended.evidence["output"] == {"sha256": digest, "size": 10}


def test_output_is_bounded_and_never_blocks(tmp_path: Path) -> None:
    ended = python(tmp_path, "import sys; sys.stdout.write('x' * 3_000_000)", limit=1000)
    assert len(output(tmp_path)) == 1000
    assert ended.evidence["output"]["dropped"] == 2_999_000


def test_a_timeout_ends_the_whole_tree(tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    ended = python(tmp_path, code, timeout=700, stop=Stop("TERM", 300))
    assert (ended.why, ended.status) == (TIMEOUT, -9)
    assert processes.marked(MARK) == []
    assert time.monotonic() - began < 8


def test_who_is_asked_with_the_group_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice, it was two interrupts: a program that was ending in good order died at the second."""
    environment = {processes.VARIABLE: MARK}
    children = [
        subprocess.Popen(["/bin/sleep", "60"], env=environment, start_new_session=True)
        for _ in range(2)
    ]
    first, other = (child.pid for child in children)
    asked: list[tuple[int, int]] = []
    try:
        while len(processes.marked(MARK)) < 2:
            time.sleep(0.01)
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", lambda *what: asked.append(what))
            processes.signal_all(MARK, signal.SIGTERM, first)
        assert asked == [(other, signal.SIGTERM)]
        assert children[0].wait(60) == -signal.SIGTERM
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_program_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "def end(*a): os.write(1, b'batch ended\\n'); sys.exit(7)\n"  # print may be at work
        "signal.signal(signal.SIGINT, end)\nos.write(1, b'ready\\n')\ntime.sleep(60)"
    )
    seen = tmp_path / "output"

    def stopping() -> str:
        return "INT" if seen.exists() and b"ready" in seen.read_bytes() else ""

    ended = python(tmp_path, code, stopping=stopping, stop=Stop("INT", 5000))
    assert (ended.why, ended.status) == (STOPPED, 7)
    assert output(tmp_path) == b"ready\nbatch ended\n"


def test_what_takes_too_much_memory_is_ended_with_its_children(tmp_path: Path) -> None:
    """The limit is for all that it has started: here the child has it."""
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'a = bytearray(200 << 20); import time;"
        " print(1, flush=True); time.sleep(60)'])"
    )
    ended = python(tmp_path, code, memory=100 << 20, stop=Stop("TERM", 300), timeout=60_000)
    assert (ended.why, ended.words) == (MEMORY, "took more memory than the settings allow")
    assert ended.evidence["memory"] > 100 << 20
    assert processes.marked(MARK) == []


DAEMON = (
    "import os, sys, time\n"
    "if os.fork() == 0:\n"
    " os.setsid()\n"
    " if os.fork(): os._exit(0)\n"
    " time.sleep(30); os._exit(0)\n"
    "os.wait(); print('started', flush=True)"
)


def test_a_daemon_that_keeps_the_pipe_open_holds_up_nobody(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = python(tmp_path, DAEMON, leaves_running=True)
    assert (ended.why, ended.status, output(tmp_path)) == (EXIT, 0, b"started\n")
    assert time.monotonic() - began < 5
    assert len(processes.marked(MARK)) == 1
    assert len(processes.kill_all(MARK)) == 1


def test_what_is_left_by_a_step_that_leaves_nothing_is_ended(tmp_path: Path) -> None:
    python(tmp_path, DAEMON)
    assert processes.marked(MARK) == []


@pytest.mark.parametrize("argv", [["/nowhere/program"], ["/etc/hostname"], ["/"]])
def test_what_cannot_be_started_says_so(tmp_path: Path, argv: list[str]) -> None:
    start = Start(argv, {}, str(tmp_path), MARK, str(tmp_path / "output"), 1000)
    ended = run_program(start, Masker(()), Hooks(lambda: "", lambda data: None))
    assert ended.why == NOT_STARTED
    assert argv[0] in ended.evidence["error"]
    assert ended.words == f"could not be started: {ended.evidence['error']}"


def test_output_that_cannot_be_kept_ends_the_program_in_good_order(tmp_path: Path) -> None:
    """It is asked to end, as for any other reason, and nothing is raised amid it."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("not run: this host does not permit mounting")
    try:
        code = (
            "import os, signal, sys, time\n"
            "def end(*a): open('asked', 'w').close(); sys.exit(7)\n"
            "signal.signal(signal.SIGTERM, end)\nos.write(1, b'x' * 200_000)\ntime.sleep(60)"
        )
        (tmp_path / "scratch").mkdir()
        command = [sys.executable, "-I", "-B", "-c", code]
        scratch, output = str(tmp_path / "scratch"), str(place / "output")
        start = Start(command, {}, scratch, f"{MARK}/a/apply/1", output, 60_000)
        ended = run_program(start, Masker(()), Hooks(lambda: "", lambda data: None))
        assert (ended.why, ended.status) == (UNKEPT, 7)
        assert (tmp_path / "scratch" / "asked").exists()
        kept = (place / "output").read_bytes()
        facts = ended.evidence["output"]
        assert (facts["size"], facts["sha256"]) == (len(kept), hashlib.sha256(kept).hexdigest())
        assert 0 < facts["dropped"] <= 200_000 - len(kept)
        assert "No space left on device" in ended.words
    finally:
        subprocess.run(["umount", "-l", place], check=True)
