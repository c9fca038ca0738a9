"""A gate at a real terminal: what somebody types there, and keys that are no answer."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from pathlib import Path

import pytest

from tests.support.running import Grounds, step
from tests.support.warm import Started

GATE = '[[step]]\nid = "go"\nkind = "gate"\nask = "Go on?"\n'
ASKED = b"type yes or no, then your name, and why behind a colon: "


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    """Return a run that waits at its gate."""
    grounds = Grounds(tmp_path_factory.mktemp("terminal")).make(step("a") + GATE + step("b"))
    grounds.begin(6)
    return grounds


def started(command: list[str]) -> tuple[int, int]:
    """Start a command at a terminal of its own; return its process and our end of the terminal."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - it becomes the command
        for number in (signal.SIGINT, signal.SIGHUP):  # a worker of pytest may ignore them
            signal.signal(number, signal.SIG_DFL)
        os.execve(command[0], command, {})
    return child, terminal


def forked(grounds: Grounds, command: list[str]) -> tuple[Started, int]:
    """Do the same in a fork: the terminal is all that it has of its own."""
    terminal, theirs = pty.openpty()
    child = grounds.started(command, terminal=theirs)
    os.close(theirs)
    return child, terminal


def typing(terminal: int, typed: bytes) -> str:
    """Type when a command asks; return its output to the end."""
    seen, answered, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data
        if ASKED in seen and not answered:
            if typed == b"\x03":
                time.sleep(0.3)  # between prompt and read a signal waits for the next key
            os.write(terminal, typed)
            answered = True
    os.close(terminal)
    return seen.decode()


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        pytest.param(b"\n", 6, id="nothing"),
        pytest.param(b"yes\n", 6, id="no name"),
        pytest.param(b"y Ann\n", 6, id="a letter"),
        pytest.param(b"YES Ann\n", 6, id="capitals"),
        pytest.param(b"\x04", 6, id="end of input"),
        pytest.param(b"\x03", 6, id="Ctrl-C"),
        pytest.param(b"no Ann\n", 5, id="no"),
    ],
)
def test_only_a_whole_answer_opens_a_gate(waiting: Grounds, typed: bytes, status: int) -> None:
    child, terminal = forked(waiting, waiting.command("resume", waiting.run_directory))
    said = typing(terminal, typed)
    assert child.wait() == status, said
    assert "Traceback" not in said
    assert "go: Go on?" in said
    assert waiting.log() == ["--apply a"], "the step behind the gate was begun"


def test_yes_and_a_name_open_it_and_stand_in_the_record(tmp_path: Path) -> None:
    grounds = Grounds(tmp_path).make(step("a", "--slow=0.8") + GATE + step("b"))
    typed = b"yes Ann of the night shift: the graphs are flat\n"
    child, terminal = started(grounds.new("run"))
    said = typing(terminal, typed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    assert grounds.log() == ["--apply a", "--apply b"]
    assert "\r  a 0:0" in said  # the line that lives, and no escape of it that is shown
    assert "\\x1b" not in said
    journal = (grounds.run_directory / "journal").read_text("utf-8")
    assert '"by":"Ann of the night shift"' in journal
    assert '"why":"the graphs are flat"' in journal


def test_a_terminal_that_closes_in_a_step_ends_it_in_good_order(tmp_path: Path) -> None:
    """A lost connection: the step is asked to end, its outcome recorded, the run stopped."""
    grounds = Grounds(tmp_path).make(step("a", "--slow=30"))
    child, terminal = forked(grounds, grounds.new("run"))
    deadline = time.monotonic() + 60
    while grounds.log() != ["--apply a"] and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 1 << 16)
    os.close(terminal)
    assert child.wait() == 5
    state = grounds.state()
    assert (state["phase"], state["why"]) == ("stopped", "a: was stopped")
    assert state["steps"]["a"]["how"] == "stopped"


@pytest.mark.parametrize("kind", ["pipe", "full"])
def test_a_reader_that_has_gone_ends_the_step_in_good_order(tmp_path: Path, kind: str) -> None:
    """It was killed, without a word and without an outcome, when a line could not be shown."""
    grounds = Grounds(tmp_path).make(step("a", "--slow=30"))
    if kind == "pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    child = grounds.started(grounds.new("run", "--json"), writing)
    os.close(writing)
    assert child.wait(60) == 5
    state = grounds.state()
    assert state["phase"] == "stopped"
    assert state["steps"]["a"]["status"] != "unknown"


def test_a_terminal_that_closes_at_the_question_leaves_the_run_as_it_is(waiting: Grounds) -> None:
    child, terminal = forked(waiting, waiting.command("resume", waiting.run_directory))
    seen, deadline = b"", time.monotonic() + 60
    while ASKED not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 1 << 16)
    os.close(terminal)  # the kernel sends SIGHUP
    assert child.wait() in (3, 6, -signal.SIGHUP)  # nobody sees it
    assert waiting.log() == ["--apply a"]
    assert waiting.state()["phase"] == "waiting"
