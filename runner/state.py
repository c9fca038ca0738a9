"""The state of a run: a pure function of its journal (the table in docs/explanation/runs.md).

`take` puts one record into a state; `fold` is all of them.  The engine does the same with each
record that it writes, so what a resumed run believes is what the run before it believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from runner.chain import Record
from runner.errors import JournalDamaged
from verifier.typed import Any, field, record

PENDING, UNKNOWN, DONE, FAILED, BROKEN, REDO = "pending unknown done failed broken redo".split()
STATUSES = (PENDING, UNKNOWN, DONE, FAILED, BROKEN, REDO)
UNDONE, OTHER = "undone", "other"
PHASES = (
    "running stopped waiting complete watching closed rolling-back rolled-back stuck abandoned"
).split()
GONE = ("closed", "rolled-back", "abandoned")  # nothing more can be done with the run
BACK = ("rolling-back", "stuck")


@record
class StepState:
    """What is known of one step.

    Attributes:
        status: ``pending``, ``unknown`` (an intent without an outcome), ``done``, ``failed``,
            ``broken`` (a person must decide) or ``redo`` (a person did).
        touched: Whether this run began to do it: what was there before is not taken back.
        attempts: How many times it was begun.
        how: In which way it became what it is, for people.
        undo: Empty, ``unknown``, ``failed``, ``other`` (another way must be taken) or ``undone``.
    """

    status: str = PENDING
    touched: bool = False
    attempts: int = 0
    how: str = ""
    undo: str = ""
    undo_attempts: int = 0
    last: Record = field(default_factory=dict)


@record
class WayState:
    """What is known of a way: ``status`` as `StepState.undo`, or ``done``."""

    status: str = ""
    attempts: int = 0


@record
class RunState:
    """What is known of a run.

    Attributes:
        bound: The first record: what the run binds.
        phase: One of `PHASES`.
        epoch: How many times a runner was started on it.
        holder: The last ``start`` record.
        answers: What people said, by what it was about: ``gate:open``, ``undo:21-101``, ``way:x``.
        approvals: By gate, the signatures of people, by signer.
        overrides: Reasons for which something was done in spite of a rule.
    """

    bound: Record = field(default_factory=dict)
    phase: str = "running"
    why: str = ""
    epoch: int = 0
    holder: Record = field(default_factory=dict)
    steps: dict[str, StepState] = field(default_factory=dict)
    ways: dict[str, WayState] = field(default_factory=dict)
    answers: dict[str, Record] = field(default_factory=dict)
    approvals: dict[str, dict[str, Record]] = field(default_factory=dict)
    alerts: list[Record] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    watched: int = 0
    records: int = 0


def fold(records: Iterable[Record]) -> RunState:
    """Return the state that a journal means.

    Raises:
        JournalDamaged: A record means nothing where it stands.
    """
    state = RunState()
    for one in records:
        take(state, one)
    return state


def take(state: RunState, one: Record) -> None:
    """Put the next record into a state.

    Raises:
        JournalDamaged: It means nothing where it stands.
    """
    kind = one.get("type")
    if (kind == "begin") != (state.records == 0):
        raise _damaged(state, "begins nowhere else than in the first line")
    change = _CHANGES.get(kind) if isinstance(kind, str) else None
    if change is None:
        raise _damaged(state, f"is of an unknown type {kind!r}")
    try:
        change(state, one)
    except (KeyError, TypeError, AttributeError):
        raise _damaged(state, f"lacks something that a {kind} has") from None
    state.records += 1


def _damaged(state: RunState, why: str) -> JournalDamaged:
    return JournalDamaged(why, where=f"line {state.records + 1}")


def _begin(state: RunState, one: Record) -> None:
    state.bound = one
    state.steps = {name: StepState() for name in one["steps"]}


def _start(state: RunState, one: Record) -> None:
    if one["epoch"] != state.epoch + 1:
        raise _damaged(state, "is no start that follows the last one")
    state.epoch, state.holder = one["epoch"], one


def _intent(state: RunState, one: Record) -> None:
    what, step = one["what"], state.steps[one["step"]]
    if what == "apply":
        step.status, step.touched, step.attempts = UNKNOWN, True, step.attempts + 1
    elif what == "undo":
        step.undo, step.undo_attempts = UNKNOWN, step.undo_attempts + 1
    else:
        way = state.ways.setdefault(_way(what), WayState())
        way.status, way.attempts = UNKNOWN, way.attempts + 1


def _outcome(state: RunState, one: Record) -> None:
    what, step, result = one["what"], state.steps[one["step"]], one["result"]
    if what == "apply":
        _expect(state, step.status == UNKNOWN)
        step.status = {"done": DONE, "broken": BROKEN}.get(result, FAILED)
        step.how, step.last = result, one
    elif what == "undo":
        _expect(state, step.undo == UNKNOWN)
        step.undo = {"done": UNDONE, "other": OTHER}.get(result, FAILED)
        step.last = one
    else:
        way = state.ways[_way(what)]
        _expect(state, way.status == UNKNOWN)
        way.status = {"done": DONE, "other": OTHER}.get(result, FAILED)


def _way(what: str) -> str:
    kind, _, name = what.partition(":")
    if kind != "way" or not name:
        raise KeyError(what)
    return name


def _expect(state: RunState, good: bool) -> None:
    if not good:
        raise _damaged(state, "is an outcome of nothing that was begun")


def _done(state: RunState, one: Record) -> None:
    step = state.steps[one["step"]]
    step.status, step.how = DONE, one["how"]


def _failed(state: RunState, one: Record) -> None:
    step = state.steps[one["step"]]
    if step.status != UNKNOWN:  # what was begun is not known by a check that says nothing
        step.status, step.how = FAILED, one["why"]


def _undone(state: RunState, one: Record) -> None:
    step = state.steps[one["step"]]
    step.undo, step.how = UNDONE, one["how"]


def _way_done(state: RunState, one: Record) -> None:
    state.ways.setdefault(one["way"], WayState()).status = DONE


def _answer(state: RunState, one: Record) -> None:
    if one["answer"] not in ("yes", "no"):
        raise KeyError("answer")
    state.answers[one["about"]] = one


def _approval(state: RunState, one: Record) -> None:
    state.approvals.setdefault(one["step"], {})[one["signer"]] = one


def _mark(state: RunState, one: Record) -> None:
    step = state.steps[one["step"]]
    step.status = {"done": DONE, "redo": REDO}[one["to"]]
    step.how = "marked"
    step.touched = True
    state.overrides.append(one["reason"])


def _phase(state: RunState, one: Record) -> None:
    if one["phase"] not in PHASES or state.phase in GONE:
        raise KeyError("phase")
    state.phase, state.why = one["phase"], one.get("why", "")


def _override(state: RunState, one: Record) -> None:
    state.overrides.append(one["reason"])


def _alert(state: RunState, one: Record) -> None:
    state.alerts.append(one)


def _watched(state: RunState, one: Record) -> None:
    state.watched = one["milliseconds"]


def _nothing(state: RunState, one: Record) -> None:
    """Take a record that is only evidence."""


_CHANGES: Mapping[str, Callable[[RunState, Record], Any]] = {
    "begin": _begin,
    "start": _start,
    "intent": _intent,
    "outcome": _outcome,
    "done": _done,
    "failed": _failed,
    "undone": _undone,
    "way-done": _way_done,
    "answer": _answer,
    "approval": _approval,
    "mark": _mark,
    "phase": _phase,
    "override": _override,
    "alert": _alert,
    "watched": _watched,
    "note": _nothing,
}
