"""What a run says while it goes on, and what it asks: at a terminal, in lines, or as JSON."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator

from runner import telling
from runner.chain import Record
from runner.here import Here
from runner.rates import Lines, Rate, elapsed
from runner.site import Surroundings
from runner.work import Answer
from verifier.core.errors import OutputLost, UsageError
from verifier.streams import move
from verifier.typed import Any

_AGAIN = 0.5  # seconds between two lines that are drawn over each other
_SELDOM = 30.0  # seconds between two words about progress where lines stay


class Teller:
    """Prints events as they come: a line that lives at a terminal, lines, or JSON for programs.

    Attributes:
        lost: Whether nobody reads any more: the terminal was closed, a pipe broke, a disk is full.
            Nothing is printed from then on, and whoever runs a step ends it in good order.
    """

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._live = not as_json and sys.stdout is not None and sys.stdout.isatty()
        self._step, self._began, self._told = "", 0.0, 0.0
        self._alerts, self._drawn = 0, False
        self._lines, self._rate = Lines(), Rate()
        self.lost = False

    def say(self, event: str, **facts: Any) -> None:
        """Tell an event of the run."""
        self._rest()
        if event in ("step", "undo", "intent"):
            self._step, self._began = str(facts["step"]), time.monotonic()
            self._rate, self._told = Rate(), time.monotonic()
        elif event == "alert":
            self._alerts += 1
        elif event in ("outcome", "phase", "done", "failed", "undone"):
            self._step = ""
        if self._json:
            self._print(telling.json_line({"event": event, **facts}))
        else:
            line = telling.event_line(event, facts)
            if line:
                self._print(line)

    def note(self, text: str) -> None:
        """Print a line that is for people alone."""
        if not self._json:
            self._print(text)

    def show(self, data: bytes) -> None:
        """Show what a program prints."""
        for line in self._lines.feed(data):
            self._line(line)

    def tick(self) -> None:
        """Draw the line that lives anew, now and then."""
        now = time.monotonic()
        if self._live and self._step and now - self._told >= _AGAIN:
            self._told = now
            alerts = f", {self._alerts} alerts" if self._alerts else ""
            words = self._rate.words()
            self._draw(f"  {self._step} {elapsed(now - self._began)} {words}{alerts}")

    def proved(self, done: int, of: int) -> None:
        """Tell how far the proof of the kit is, at a terminal."""
        now = time.monotonic()
        self._rate.take(b"progress %d/%d bytes" % (done, of), now)
        if self._live and now - self._told >= _AGAIN:
            self._told = now
            self._draw(f"  proving the kit: {self._rate.words()}")

    def _line(self, line: bytes) -> None:
        now = time.monotonic()
        if self._rate.take(line, now):
            if not self._live and now - self._told >= _SELDOM:
                self._told = now
                words = self._rate.words()
                if self._json:
                    facts = {"done": self._rate.done, "of": self._rate.of, "unit": self._rate.unit}
                    event = {"event": "progress", "step": self._step, **facts}
                    self._print(telling.json_line(event))
                else:
                    self._print(f"  {self._step} {elapsed(now - self._began)} {words}")
        elif not self._json:
            self._print(telling.shown(line))

    def _rest(self) -> None:
        for line in self._lines.finish():
            self._line(line)

    def _draw(self, text: str) -> None:
        with self._losing():
            self._draw_line(text)

    def _print(self, text: str) -> None:
        with self._losing():
            self._print_line(text)

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        """Take the loss of the output as news, not as an end: a step may be at work."""
        try:
            yield
        except (OutputLost, OSError):
            self.lost, self._live = True, False

    def _draw_line(self, text: str) -> None:
        width = os.get_terminal_size(sys.stdout.fileno()).columns or 80
        move(sys.stdout, f"\r{text[: width - 1]}\x1b[K")
        self._drawn = True

    def _print_line(self, text: str) -> None:
        if self.lost:
            return
        if self._drawn:
            move(sys.stdout, "\r\x1b[K")
            self._drawn = False
        if text:
            print(text, flush=True)


def answers(options: argparse.Namespace) -> dict[str, bool]:
    """Return what the command line says of gates and questions.

    Raises:
        UsageError: It is no answer.
    """
    given = {}
    for text in options.answer:
        about, _, answer = text.rpartition("=")
        if not about or answer not in ("yes", "no"):
            raise UsageError(f"--answer wants ABOUT=yes or ABOUT=no, not {text!r}")
        given[about] = answer == "yes"
    return given


def around(options: argparse.Namespace, here: Here, bound: Record, teller: Teller) -> Surroundings:
    """Return what a run is told of this start, as the command line says.

    Args:
        bound: The first record of the run.

    Raises:
        UsageError: An answer is none.
    """
    given = answers(options)

    def ask(about: str, question: str, yes: bool) -> Answer | None:
        name = about.partition(":")[2]
        for known in (about, name):
            if known in given:
                return Answer(given[known], here.operator, options.reason[:500])
        if yes and options.yes:
            return Answer(True, here.operator, "--yes")
        if options.json or sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        return _ask(about, question)

    return Surroundings(
        run=bound["run"],
        top=here.top,
        say=teller.say,
        ask=ask,
        show=teller.show,
        tick=teller.tick,
        lost=lambda: teller.lost,
        end_alive=getattr(options, "end_survivors", False),
    )


def _ask(about: str, question: str) -> Answer | None:
    """Ask whoever sits at the terminal; nothing typed is no answer."""
    print(f"{about.partition(':')[2] or about}: {question}")
    try:
        line = input("type yes or no, then your name, and why behind a colon: ")
    except (EOFError, OSError):  # the terminal was closed
        return None
    who, _, why = line.partition(":")
    said = who.split(None, 1)
    if len(said) != 2 or said[0] not in ("yes", "no"):
        return None
    return Answer(said[0] == "yes", said[1].strip()[:64], why.strip()[:500])
