"""From a `Runbook` to the tree that a kit carries: what is as it would be anyway is left out."""

from __future__ import annotations

from runner.book.model import (
    HOUR,
    MINUTE,
    SCHEMA,
    SECOND,
    Environment,
    Input,
    Probe,
    Program,
    Retry,
    Runbook,
    Step,
    Stop,
    Undo,
    Way,
)
from runner.values import render_duration, render_size
from verifier.core.jsonstrict import compact
from verifier.typed import Any

Tree = dict[str, Any]


def render_bytes(book: Runbook) -> bytes:
    """Return the member that a kit carries: compact JSON (FORMAT 3.1)."""
    return compact(render(book))


def render(book: Runbook) -> Tree:
    """Return the tree of a runbook, in its one spelling."""
    with_ = _some(
        python=None if book.python == (3, 9) else f">={book.python[0]}.{book.python[1]}",
        wheels=list(book.wheels),
        image=book.image,
    )
    return _some(
        schema=SCHEMA,
        id=book.id,
        title=book.title,
        environment={name: _environment(item) for name, item in book.environments.items()},
        input={name: _input(item) for name, item in book.inputs.items()},
        program={name: _program(item) for name, item in book.programs.items()},
        probe={name: _probe(item) for name, item in book.probes.items()},
        way={name: _way(item) for name, item in book.ways.items()},
        step=[_step(step) for step in book.steps],
        **{"with": with_},
    )


def _some(**members: Any) -> Tree:
    """Return the members that say something, under the names that a runbook has for them."""
    return {
        name.rstrip("_").replace("_", "-"): value
        for name, value in members.items()
        if value not in (None, "", [], {}, False)
    }


def _time(value: int, default: int) -> str | None:
    return None if value == default else render_duration(value)


def _environment(item: Environment) -> Tree:
    if item.after is None:
        return {}
    days = item.after.maximum_age_days
    after = _some(environment=item.after.environment, maximum_age_days=None if days == 30 else days)
    return {"after": after}


def _input(item: Input) -> Tree:
    return _some(
        type=item.kind,
        title=item.title,
        default=item.default,
        free=render_size(item.free) if item.free else None,
        env=item.variable,
        reachable=item.reachable,
    )


def _program(item: Program) -> Tree:
    return _some(title=item.title, version=list(item.version), minimum=item.minimum)


def _probe(item: Probe) -> Tree:
    return _some(
        run=list(item.run),
        breach=str(item.breach),
        title=item.title,
        every=_time(item.every, 10 * SECOND),
        timeout=_time(item.timeout, MINUTE),
        for_=None if item.times == 1 else item.times,
        then=None if item.then == "stop-after" else item.then,
        secrets=list(item.secrets),
    )


def _way(item: Way) -> Tree:
    return _some(
        run=list(item.run),
        check=list(item.check),
        title=item.title,
        ask=item.ask,
        timeout=_time(item.timeout, HOUR),
        on=list(item.on),
        else_=item.otherwise,
        secrets=list(item.secrets),
    )


def _step(step: Step) -> Tree:
    made = _some(
        id=step.id,
        kind=None if step.kind == "command" else step.kind,
        title=step.title,
        owner=step.owner,
        only=list(step.only),
        needs=list(step.needs),
        use=step.use,
        arguments=dict(step.arguments),
        apply=list(step.apply),
        check=list(step.check),
        secrets=list(step.secrets),
        every=_time(step.every, 5 * SECOND),
        timeout=_time(step.timeout, HOUR),
        retry=_retry(step.retry),
        stop=_stop(step.stop),
        leaves_running=step.leaves_running,
        expect=list(map(str, step.expect)),
        capture=list(step.capture),
        undo=_undo(step.undo),
        no_return=step.no_return,
        ask=step.ask,
        people=dict(step.people),
        yes=step.yes,
        probe=step.probe,
        watch=list(step.watch),
        watch_after=_time(step.watch_after, 0) if step.watch_after else None,
    )
    if not step.enabled:
        made["enabled"] = False
    return made


def _retry(item: Retry | None) -> Tree | None:
    if item is None:
        return None
    attempts = None if item.attempts == 3 else item.attempts
    return _some(on=list(item.on), attempts=attempts, wait=_time(item.wait, 10 * SECOND))


def _stop(item: Stop) -> Tree:
    signal = None if item.signal == "TERM" else item.signal
    return _some(signal=signal, grace=_time(item.grace, 10 * SECOND))


def _undo(item: Undo | None) -> Tree | None:
    if item is None:
        return None
    return _some(
        run=list(item.run),
        check=list(item.check),
        timeout=_time(item.timeout, HOUR),
        on=list(item.on),
        else_=item.otherwise,
        way=item.way,
        ask=item.ask,
        yes=item.yes,
        no=item.no,
        none=item.none,
        brought=item.brought,
    )
