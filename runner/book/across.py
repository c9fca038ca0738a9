"""Rules of a runbook that take more than one field (RUNBOOK 7)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.book.brought import BROUGHT
from runner.book.model import Runbook, Step, Way
from runner.errors import Mistake
from runner.values import BUILT_IN, places

SITE = "site:"  # what begins the first word of a command of the site; no member has a colon


def across(book: Runbook) -> list[Mistake]:
    """Return what is wrong between fields: names that mean nothing, cycles, ways that miss."""
    return [
        *_environments(book),
        *_ids(book),
        *_ways(book),
        *_values(book),
        *_secrets(book),
        *(found for at, step in enumerate(book.steps) for found in _step(book, at, step)),
    ]


def _environments(book: Runbook) -> Iterator[Mistake]:
    if not book.environments:
        yield Mistake((), "names no environment", "write [environment.production], even if empty")
    for name, item in book.environments.items():
        if item.after is not None:
            yield from _known(book, ("environment", name, "after"), item.after.environment)
            seen, at = {name}, item.after.environment
            while at in book.environments and at not in seen:
                seen.add(at)
                following = book.environments[at].after
                at = following.environment if following is not None else ""
            if at in seen:
                place = ("environment", name, "after")
                yield Mistake(place, "comes after itself", "break the circle")


def _known(book: Runbook, place: tuple[str | int, ...], name: str) -> Iterator[Mistake]:
    if name not in book.environments:
        yield Mistake(place, f"no environment {name!r} is declared", f"write [environment.{name}]")


def _ids(book: Runbook) -> Iterator[Mistake]:
    seen: set[str] = set()
    for at, step in enumerate(book.steps):
        if step.id in seen:
            yield Mistake(("step", at, "id"), f"{step.id!r} is there twice", "give each its own")
        for name in step.needs:
            if name not in seen:
                later = any(other.id == name for other in book.steps)
                what = "comes later or is this one: a circle" if later else "is no step"
                yield Mistake(("step", at, "needs"), f"{name!r} {what}", "name an earlier step")
        seen.add(step.id)


def _ways(book: Runbook) -> Iterator[Mistake]:
    for name, way in book.ways.items():
        place = ("way", name, "else")
        if bool(way.on) != bool(way.otherwise):
            yield Mistake(("way", name), "has one of `on` and `else`", "write both, or neither")
        if way.otherwise:
            yield from _way(book, place, way.otherwise)
        seen: set[str] = set()
        at: Way | None = way
        while at is not None and at.name not in seen:
            seen.add(at.name)
            at = book.ways.get(at.otherwise)
        if at is not None:
            yield Mistake(place, "leads back to itself", "end with a way that has no `else`")


def _way(book: Runbook, place: tuple[str | int, ...], name: str) -> Iterator[Mistake]:
    if name not in book.ways:
        yield Mistake(place, f"there is no way {name!r}", f"write [way.{name}]")


def _values(book: Runbook) -> Iterator[Mistake]:
    for name in book.inputs:
        if name in BUILT_IN:
            yield Mistake(
                ("input", name), "is the name of a value that is always there", "rename it"
            )
    variables: dict[str, str] = {}
    for name, item in book.inputs.items():
        if item.variable and variables.setdefault(item.variable, name) != name:
            yield Mistake(("input", name, "env"), "is another secret's too", "give it its own")
    given = [(place, words) for place, words in book.commands()]
    for at, step in enumerate(book.steps):
        given.append((("step", at, "arguments"), tuple(step.arguments.values())))
    for place, words in given:
        for name in places(words):
            found = book.inputs.get(name)
            if found is None and name not in BUILT_IN:
                yield Mistake(place, f"there is no value {name!r}", f"write [input.{name}]")
            elif found is not None and found.kind == "secret":
                why = f"{name!r} is a secret, and others see command lines"
                yield Mistake(place, why, f"let the program read {found.variable}")
        if words and not words[0].startswith(SITE) and "{" in words[0] and "arguments" not in place:
            yield Mistake(place, "begins with a value, not with a program", "name a member")
        if words and words[0].startswith(SITE) and words[0][len(SITE) :] not in book.programs:
            name = words[0][len(SITE) :]
            yield Mistake(place, f"no program {name!r} is declared", f"write [program.{name}]")


def _secrets(book: Runbook) -> Iterator[Mistake]:
    """Yield what is wrong with who gets which secret: a program gets those named for it alone."""
    variables = {item.variable for item in book.inputs.values() if item.variable}
    given: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = []
    given += [(("probe", name, "secrets"), one.secrets) for name, one in book.probes.items()]
    given += [(("way", name, "secrets"), one.secrets) for name, one in book.ways.items()]
    logins = set()
    for at, step in enumerate(book.steps):
        given.append((("step", at, "secrets"), step.secrets))
        login = step.arguments.get("login", "") if step.use else ""
        logins.add(login)
        if login and login not in variables:
            why = f"{login!r} is the variable of no secret"
            yield Mistake(("step", at, "arguments", "login"), why, "write the `env` of a secret")
    for place, names in given:
        for name in names:
            if name not in book.inputs:
                yield Mistake(place, f"there is no secret {name!r}", f"write [input.{name}]")
            elif book.inputs[name].kind != "secret":
                yield Mistake(place, f"{name!r} is no secret", "give it in words, by its place")
    named = {name for _, names in given for name in names}
    for name, item in book.inputs.items():
        if item.kind == "secret" and name not in named and item.variable not in logins:
            fix = "name it in `secrets` of the steps, probes and ways that need it"
            yield Mistake(("input", name), "is a secret that nothing is given", fix)


def _step(book: Runbook, at: int, step: Step) -> Iterator[Mistake]:
    here: tuple[str | int, ...] = ("step", at)
    for name in (*step.only, *step.people):
        yield from _known(book, here, name)
    for name in (*step.watch, *filter(None, [step.probe])):
        if name not in book.probes:
            yield Mistake(here, f"there is no probe {name!r}", f"write [probe.{name}]")
    if step.watch_after and not step.watch:
        yield Mistake((*here, "watch-after"), "watches nothing", "name probes in `watch`")
    yield from _kind(here, step)
    if step.use:
        yield from _use(here, step)
    yield from _undo(book, here, step)


# field, whether the step has it, and the kinds that may
_ONLY = (
    ("apply", lambda step: bool(step.apply), ("command",)),
    ("check", lambda step: bool(step.check), ("command", "check", "wait", "manual")),
    ("secrets", lambda step: bool(step.secrets), ("command", "check", "wait", "manual")),
    ("expect", lambda step: bool(step.expect), ("command", "check")),
    ("capture", lambda step: bool(step.capture), ("command", "check")),
    ("retry", lambda step: step.retry is not None, ("command", "check")),
    ("leaves-running", lambda step: step.leaves_running, ("command",)),
    ("undo", lambda step: step.undo is not None, ("command", "manual")),
    ("ask", lambda step: bool(step.ask), ("gate", "manual")),
    ("people", lambda step: bool(step.people), ("gate",)),
    ("yes", lambda step: step.yes, ("gate",)),
    ("probe", lambda step: bool(step.probe), ("probe",)),
    ("use", lambda step: bool(step.use), ("command", "wait")),
)


def _kind(here: tuple[str | int, ...], step: Step) -> Iterator[Mistake]:
    for name, has, kinds in _ONLY:
        if has(step) and step.kind not in kinds:
            yield Mistake((*here, name), f"is not for a {step.kind}", "leave it out")
    if step.yes and any(step.people.values()):
        yield Mistake((*here, "yes"), "goes not with people who sign", "leave one of the two out")


def _use(here: tuple[str | int, ...], step: Step) -> Iterator[Mistake]:
    known = BROUGHT.get(step.use)
    if known is None:
        yield Mistake((*here, "use"), f"no step {step.use!r} is brought", f"one of {_names()}")
        return
    if step.kind != known.kind:
        yield Mistake((*here, "kind"), f"{step.use} is a {known.kind}", f'kind = "{known.kind}"')
    if step.apply or step.check or step.expect or step.capture:
        why = f"{step.use} brings its own commands"
        yield Mistake(here, why, "leave out apply, check, expect and capture")
    for name, what in known.must.items():
        if name not in step.arguments:
            yield Mistake((*here, "arguments"), f"{name!r} is missing", f"give {what}")
    for name in step.arguments:
        if name not in known.must and name not in known.may:
            all_ = ", ".join([*known.must, *known.may])
            yield Mistake((*here, "arguments", name), "is not known here", f"one of {all_}")


def _names() -> str:
    return ", ".join(BROUGHT)


def _undo(book: Runbook, here: tuple[str | int, ...], step: Step) -> Iterator[Mistake]:
    undo, place = step.undo, (*here, "undo")
    if undo is None:
        if step.changes:
            yield Mistake(
                here, "does not say how it is undone", 'write `undo`, or undo = { none = "why" }'
            )
        return
    if undo.brought and not (step.use in BROUGHT and BROUGHT[step.use].undo):
        yield Mistake(place, "the runner brings no undo for it", "write another one")
    if undo.run and bool(undo.on) != bool(undo.otherwise):
        yield Mistake(place, "has one of `on` and `else`", "write both, or neither")
    if not undo.run and (undo.on or undo.otherwise or undo.check):
        yield Mistake(place, "has on, else or check without `run`", "leave them out")
    for name in filter(None, [undo.otherwise, undo.way, undo.yes]):
        yield from _way(book, place, name)
