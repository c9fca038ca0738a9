"""What a site must say before a kit can be run: settings, as a pattern to fill in (RUNBOOK 8)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runner.book.asked import asked
from runner.book.model import Input, Runbook
from runner.settings import TYPE
from runner.values import render_size
from verifier.core.errors import UsageError
from verifier.typed import Any


def environment_of(book: Runbook, named: str) -> str:
    """Return the environment that somebody named, or the only one.

    Raises:
        UsageError: There is none of that name, or there are several and none was named.
    """
    known = ", ".join(book.environments)
    if named and named not in book.environments:
        raise UsageError(f"--environment: {named!r} is not one of {known}")
    if not named and len(book.environments) > 1:
        fix = "Name one with --environment, or give --settings."
        raise UsageError(f"the runbook has several environments: {known}", fix=fix)
    return named or next(iter(book.environments))


def pattern(book: Runbook, environment: str) -> dict[str, Any]:
    """Return settings with all that this environment needs.

    What only the site knows is empty, so that nobody runs anything with what is not filled in.
    """
    needed = asked(book, environment)
    made: dict[str, Any] = {"type": TYPE, "environment": environment, "target": ""}
    inputs = {name: book.inputs[name].default for name in sorted(needed.inputs)}
    secrets = {name: {"file": ""} for name in sorted(needed.secrets)}
    programs = dict.fromkeys(sorted(needed.programs), "")
    tables = {"inputs": inputs, "secrets": secrets, "programs": programs}
    return {**made, **{name: table for name, table in tables.items() if table}}


def wanted_lines(book: Runbook, environment: str) -> Iterator[str]:
    """Yield the settings to fill in, and a line for each thing that they must say."""
    yield json.dumps(pattern(book, environment), indent=2, ensure_ascii=False)
    needed = asked(book, environment)
    yield "target: what the run changes, in a line of your own"
    for kind, names in (("inputs", needed.inputs), ("secrets", needed.secrets)):
        for name in sorted(names):
            yield f"{kind}.{name}: {_words(book.inputs[name])}; {names[name]} needs it"
    for name, who in sorted(needed.programs.items()):
        program = book.programs[name]
        title = f" ({program.title})" if program.title else ""
        least = f", from version {program.minimum}" if program.minimum else ""
        yield f"programs.{name}: the absolute path of a program{title}{least}; {who} needs it"


def _words(item: Input) -> str:
    kinds = {"directory": "an absolute path", "file": "an absolute path", "address": "HOST:PORT"}
    word = f"{item.kind} ({kinds[item.kind]})" if item.kind in kinds else item.kind
    if item.kind == "secret":
        word = 'a secret: {"file": PATH}, {"variable": NAME} or {"descriptor": NUMBER}'
    title = f", {item.title}" if item.title else ""
    free = f", with {render_size(item.free)} free" if item.free else ""
    answers = ", which must answer" if item.reachable else ""
    return f"{word}{title}{free}{answers}"
