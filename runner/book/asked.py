"""What a run in an environment asks of the site: only what its own steps name (RUNBOOK 4, 8.1).

A step that is off, or of another environment, asks for nothing; nor does a probe or a way back that
no step of this environment leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.book.across import SITE
from runner.book.model import Runbook, Step, Way, Words
from runner.values import places
from verifier.typed import record


@record(frozen=True)
class Asked:
    """What a site must give; each a table from name to what needs it, in words.

    Attributes:
        inputs: Inputs that are no secrets.
        secrets: Inputs that are.
        programs: Programs of the site.
    """

    inputs: Mapping[str, str]
    secrets: Mapping[str, str]
    programs: Mapping[str, str]


def asked(book: Runbook, environment: str) -> Asked:
    """Return what the steps of an environment ask for, and what leads back from them."""
    inputs: dict[str, str] = {}
    secrets: dict[str, str] = {}
    programs: dict[str, str] = {}
    for who, words, kept in _needs(book, environment):
        for name in places([word for word in words if "{" in word]):
            if name in book.inputs:
                inputs.setdefault(name, who)
        for name in kept:
            secrets.setdefault(name, who)
        if words and words[0].startswith(SITE):
            programs.setdefault(words[0][len(SITE) :], who)
    return Asked(inputs, secrets, programs)


def secrets_of(book: Runbook, step: Step) -> tuple[str, ...]:
    """Return the secrets that a step is given; what the runner brings names them by variable."""
    login = step.arguments.get("login", "") if step.use else ""
    if not login:
        return step.secrets
    named = [name for name, item in book.inputs.items() if item.variable == login]
    return (*step.secrets, *(name for name in named if name not in step.secrets))


def ways_back(book: Runbook, environment: str) -> Iterator[Way]:
    """Yield each way that the steps of an environment may be taken back by, once."""
    names: set[str] = set()
    for step in book.steps_in(environment):
        if step.undo is not None:
            names |= {step.undo.way, step.undo.yes, step.undo.otherwise}
    left, seen = sorted(names - {""}), set(names)
    while left:
        way = book.ways[left.pop()]
        yield way
        if way.otherwise and way.otherwise not in seen:
            seen.add(way.otherwise)
            left.append(way.otherwise)


def _needs(book: Runbook, environment: str) -> Iterator[tuple[str, Words, Words]]:
    """Yield (who, the words of a command, its secrets) for all that may be started."""
    steps = book.steps_in(environment)
    for step in steps:
        if step.kind in ("gate", "probe"):  # no programs of their own; there may be thousands
            continue
        who, kept = f"step {step.id!r}", secrets_of(book, step)
        commands: list[Words] = [step.apply, step.check, tuple(step.arguments.values())]
        if step.undo is not None:
            commands += [step.undo.run, step.undo.check]
        yield from ((who, words, kept) for words in commands if words)
    probes = {name for step in steps for name in (*step.watch, step.probe) if name}
    for name in sorted(probes):
        probe = book.probes[name]
        yield f"probe {name!r}", probe.run, probe.secrets
    for way in ways_back(book, environment):
        for words in (way.run, way.check):
            yield f"way {way.name!r}", words, way.secrets
