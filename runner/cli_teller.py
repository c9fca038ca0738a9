"""What a run says while it goes on, and what it asks: at a terminal, in lines, or as JSON."""

from __future__ import annotations

import argparse
import sys

from runner import telling
from runner.here import Here
from runner.site import Surroundings
from runner.work import Answer
from verifier.core.errors import UsageError
from verifier.typed import Any

_MAX_LINE = 1 << 16  # bytes of a line that has no end


class Teller:
    """Prints events as they come: lines for people, or JSON for programs."""

    def __init__(self, as_json: bool) -> None:
        self._json, self._rest = as_json, b""

    def say(self, event: str, **facts: Any) -> None:
        self._print(self._rest)
        self._rest = b""
        if self._json:
            print(telling.json_line({"event": event, **facts}))
        else:
            line = telling.event_line(event, facts)
            if line:
                print(line)
        sys.stdout.flush()

    def show(self, data: bytes) -> None:
        """Show what a program prints by whole lines: the mask lets go of parts of them."""
        whole, mark, self._rest = (self._rest + data).rpartition(b"\n")
        if len(self._rest) > _MAX_LINE:
            whole, self._rest = whole + mark + self._rest, b""
        self._print(whole)

    def _print(self, data: bytes) -> None:
        text = "" if self._json else telling.shown(data)
        if text:
            print(text)
            sys.stdout.flush()


def around(options: argparse.Namespace, here: Here, run: str) -> Surroundings:
    teller, given = Teller(options.json), {}
    for text in options.answer:
        about, _, answer = text.rpartition("=")
        if not about or answer not in ("yes", "no"):
            raise UsageError(f"--answer wants ABOUT=yes or ABOUT=no, not {text!r}")
        given[about] = answer == "yes"

    def ask(about: str, question: str, yes: bool) -> Answer | None:
        name = about.partition(":")[2]
        for known in (about, name):
            if known in given:
                return Answer(given[known], here.operator)
        if yes and options.yes:
            return Answer(True, here.operator, "--yes")
        if options.json or sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        return _ask(about, question)

    return Surroundings(
        run=run,
        top=here.top,
        say=teller.say,
        ask=ask,
        show=teller.show,
        end_alive=getattr(options, "end_survivors", False),
    )


def _ask(about: str, question: str) -> Answer | None:
    """Ask whoever sits at the terminal; nothing typed is no answer."""
    print(f"{about}: {question}")
    try:
        said = input("type yes or no, then your name: ").split(None, 1)
    except EOFError:
        return None
    if len(said) != 2 or said[0] not in ("yes", "no"):
        return None
    return Answer(said[0] == "yes", said[1][:64])
