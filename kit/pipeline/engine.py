"""Runs tasks one after the other; which are done is said by digests, and nothing follows a failure.

It knows no stage.  Before a task begins that is on the disk, and so is its end before the next one
begins: whatever kills a run, the next one finds out what it was doing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kit.pipeline.errors import NothingBegun, SignaturesMissing, StageFailedBefore
from kit.pipeline.model import Digests, Event, Task
from kit.pipeline.state import BEGUN, DONE, FAILED, WAITS, Entry, State
from verifier.core.errors import KitError

Tell = Callable[[Event], None]
_SHOWN = 3  # names of what changed


@dataclass(frozen=True)
class Wanted:
    """Which tasks are to run, and how.

    Attributes:
        only: Stages; all if empty.
        until: The last stage; empty for all.
        resume: Whether what is done of this version is not looked at again.
    """

    only: frozenset[str] = frozenset()
    until: str = ""
    resume: bool = False


@dataclass
class Ran:
    """What a run did.

    Attributes:
        events: All that was told but what begins.
        ended_by: What stopped it; None if all was done.
    """

    events: list[Event] = field(default_factory=list)
    ended_by: KitError | None = None


def chosen(tasks: Sequence[Task], wanted: Wanted) -> list[Task]:
    """Return the tasks that a run is about, in their order."""
    stages = [task.stage for task in tasks]
    if wanted.until in stages:
        last = len(stages) - stages[::-1].index(wanted.until)
        tasks = tasks[:last]
    return [task for task in tasks if not wanted.only or task.stage in wanted.only]


def run_tasks(tasks: Sequence[Task], state: State, version: str, wanted: Wanted, tell: Tell) -> Ran:
    """Run what is not done yet, in order, until something fails.

    Args:
        tasks: Those of all stages, in their order.
        version: Of the kit.

    Returns:
        What was done; a failure is in it, and is noted on the disk.

    Raises:
        StageFailedBefore: One before those that are asked for failed.
        NothingBegun: There is nothing to resume.
        StateUnreadable: What was done cannot be told.
    """
    mine = chosen(tasks, wanted)
    _check_before(tasks, mine, state)
    if wanted.resume and not _is_begun(tasks, state, version):
        raise NothingBegun(f"version {version} is not begun, or is done")
    ran = Ran()

    def told(event: Event) -> None:
        ran.events.append(event)
        tell(event)

    for task in mine:
        entry = state.get(task.label)
        if wanted.resume and entry and entry.state == DONE and entry.version == version:
            told(Event(task.label, "unchanged", "done before"))
            continue
        try:
            _run(task, state, version, tell, told)
        except SignaturesMissing as error:
            _end(task, state, version, WAITS, error)
            told(Event(task.label, "waits", error.message))
            ran.ended_by = error
            break
        except KitError as error:
            _end(task, state, version, FAILED, error)
            told(Event(task.label, "failed", f"{error.code}: {error.message}"))
            ran.ended_by = error
            break
    return ran


def _check_before(tasks: Sequence[Task], mine: Sequence[Task], state: State) -> None:
    for task in tasks:
        if mine and task is mine[0]:
            return
        entry = state.get(task.label)
        if entry is not None and entry.state in (FAILED, BEGUN):
            how = "failed" if entry.state == FAILED else "was interrupted"
            raise StageFailedBefore(how, where=task.label)


def _is_begun(tasks: Sequence[Task], state: State, version: str) -> bool:
    entries = [state.get(task.label) for task in tasks]
    own = [entry for entry in entries if entry is not None and entry.version == version]
    return bool(own) and (len(own) < len(entries) or any(one.state != DONE for one in own))


def _run(task: Task, state: State, version: str, tell: Tell, told: Tell) -> None:
    task.prepare()
    inputs, entry = task.inputs(), state.get(task.label)
    why = difference(entry, inputs, task)
    if not why:
        assert entry is not None
        if entry.version != version:
            state.put(task.label, Entry(DONE, version, inputs, entry.outputs, entry.said))
        told(Event(task.label, "unchanged", entry.said))
        return
    interrupted = entry is not None and entry.state == BEGUN and dict(entry.inputs) == inputs
    tell(Event(task.label, "begins", why))
    state.put(task.label, Entry(BEGUN, version, inputs))
    said = task.run(interrupted=interrupted)
    state.put(task.label, Entry(DONE, version, inputs, task.outputs(), said))
    told(Event(task.label, "done", said))


def _end(task: Task, state: State, version: str, how: str, error: KitError) -> None:
    entry = state.get(task.label)
    inputs = entry.inputs if entry is not None and entry.state == BEGUN else {}
    state.put(task.label, Entry(how, version, inputs, {}, f"{error.code}: {error.message}"))


def difference(entry: Entry | None, inputs: Digests, task: Task) -> str:
    """Return why a task has to run; empty if it has not."""
    if entry is None:
        return "for the first time"
    if entry.state == BEGUN:
        return "it was interrupted"
    if entry.state == FAILED:
        return "it failed"
    if entry.state == WAITS:
        return "it waited"
    changed = _changed(entry.inputs, inputs)
    if changed:
        return f"changed: {_names(changed)}"
    gone = _changed(entry.outputs, task.outputs())
    return f"not as it was made: {_names(gone)}" if gone else ""


def _changed(before: Digests, now: Digests) -> list[str]:
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def plan(
    tasks: Sequence[Task], state: State, version: str, wanted: Wanted, tell: Tell
) -> list[Event]:
    """Tell what a run would do; nothing is done or noted."""
    events: list[Event] = []
    first = ""
    for task in chosen(tasks, wanted):
        entry = state.get(task.label)
        if wanted.resume and entry and entry.state == DONE and entry.version == version:
            event = Event(task.label, "unchanged", "done before")
        elif first:
            event = Event(task.label, "would run", f"unless {first} changes nothing for it")
        else:
            event = _foreseen(task, entry)
            first = task.label if event.what == "would run" else ""
        events.append(event)
        tell(event)
    return events


def _foreseen(task: Task, entry: Entry | None) -> Event:
    try:
        why = difference(entry, task.inputs(), task)
    except KitError as error:
        return Event(task.label, "would run", f"and lacks now: {error.message}")
    if why:
        return Event(task.label, "would run", why)
    return Event(task.label, "unchanged", entry.said if entry is not None else "")
