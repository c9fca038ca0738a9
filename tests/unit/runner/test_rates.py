"""What programs say of their progress, and what people are shown of it."""

from __future__ import annotations

import os
import pty
import select
import sys
import time

import pytest

from runner.rates import Lines, Rate, elapsed


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.words() == ""
    for second in range(100):
        speed = 10 if second < 50 else 100
        done = second * 10 if second < 50 else 500 + (second - 50) * 100
        assert rate.take(b"progress %d/10000 documents\n" % done, float(second)), speed
    assert rate.per_second == 100.0
    assert rate.words() == "5,400 of 10,000 documents, 100/s, 0:46 left"


def test_bytes_are_shown_as_people_read_them() -> None:
    rate = Rate()
    rate.take(b"progress 0/3000000000 bytes", 0.0)
    assert rate.words() == "0 bytes of 2.8 GiB"
    rate.take(b"progress 50000000/3000000000 bytes", 1.0)
    assert rate.words() == "47.7 MiB of 2.8 GiB, 47.7 MiB/s, 0:59 left"


def test_another_thing_is_counted_from_its_beginning() -> None:
    rate = Rate()
    rate.take(b"progress 100", 0.0)
    rate.take(b"progress 5", 10.0)
    assert (rate.per_second, rate.words()) == (0.0, "5")
    rate.take(b"progress 6", 12.0)
    assert rate.words() == "6, 0.5/s"


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"progress", b"progress x", b"progress 1/", b"Progress 1", b" progress 1"),
        *(b"progress 1 \x1b[2J", b"progress " + b"9" * 19),
    ],
)
def test_what_is_no_progress_is_shown_as_it_is(line: bytes) -> None:
    rate = Rate()
    assert not rate.take(line, 0.0)
    assert not rate.known


def test_lines_come_in_pieces() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.feed(b"o\n\nthree") == [b"two", b""]
    assert (lines.finish(), lines.finish()) == ([b"three"], [])
    assert lines.feed(b"x" * 70_000) == [b"x" * 70_000]


def test_times_are_short() -> None:
    assert [elapsed(s) for s in (0, 35.9, 60, 3723)] == ["0:00", "0:35", "1:00", "1:02:03"]


TALK = """
import time
from runner.cli_teller import Teller
from verifier.streams import guarded
def talk():
    teller = Teller(False)
    teller.say("step", step="21-102", title="backfill", owner="Storage Guild")
    teller.say("intent", step="21-102", what="apply", attempt=1)
    for number in range(1, 16):
        teller.show(b"progress %d/15 documents\\nsome line\\n" % number)
        teller.tick()
        time.sleep(0.05)
    teller.say("alert", step="21-102", why="lag: /lag > 60", back="rollback")
    done = dict(what="apply", result="done", why="exited 0", durationMs=1500)
    teller.say("outcome", step="21-102", **done)
    return 0
guarded(talk, still=True)  # as the program does: what others print moves no cursor
"""


def test_a_terminal_shows_a_line_that_lives_and_a_pipe_does_not() -> None:
    shown = _at_a_terminal()
    assert "\r  21-102 0:0" in shown
    assert "\\r" not in shown
    assert "of 15 documents, " in shown
    assert "/s, " in shown
    assert "ALERT lag: /lag > 60; back: rollback" in shown
    assert "\r\x1b[K  | some line" in shown  # what lives makes room for what stays
    import subprocess

    done = subprocess.run([sys.executable, "-c", TALK], capture_output=True, text=True, check=True)
    assert "\r" not in done.stdout
    assert "progress" not in done.stdout
    assert done.stdout.count("  | some line\n") == 15


def _at_a_terminal() -> str:
    import subprocess

    own, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", TALK], stdout=theirs, stderr=theirs)
    os.close(theirs)
    found, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([own], [], [], 0.1)[0]:
            try:
                data = os.read(own, 1 << 16)
            except OSError:  # the other end is closed
                break
            found += data
    child.wait(30)
    os.close(own)
    return found.decode()
