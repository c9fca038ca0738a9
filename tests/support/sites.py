"""A site in memory: what runs and rollbacks do to it, with failures and kills on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from runner.back import Backward
from runner.book.model import Retry, Runbook, Step, Undo, Way
from runner.chain import Record
from runner.engine import Forward
from runner.state import RunState, fold
from runner.status import RunStatus
from runner.work import EXIT, NOT_STARTED, STOPPED, TIMEOUT, Answer, Ended, Heard, Task, nobody

RUN, LOOK = ("tools/run.py",), ("tools/look.py",)
OTHER = 4  # what an undo exits with when a way must be taken


class Killed(BaseException):
    """The runner was killed; nothing catches it."""


@dataclass
class Memory:
    """A journal in memory that a kill may hit before or after a line is durable."""

    lines: list[Record] = field(default_factory=list)
    kill: Callable[[], bool] = lambda: False

    def append(self, what: Record) -> None:
        if self.kill():
            raise Killed
        self.lines.append(dict(what))
        if self.kill():
            raise Killed


@dataclass
class Site:
    """What the steps of a runbook change, and everything that was done to it.

    Attributes:
        done: Steps whose work is done.
        begun: Each effect that was begun: ``(step, what)``.
        running: Effects of a killed runner that are still at work.
        there: What was done before the run.
        asking: Steps that only look, and may look again.
        chance: How often something fails.
    """

    random: Random
    chance: float = 0.0
    kills: float = 0.0
    done: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)
    asking: set[str] = field(default_factory=set)
    begun: list[tuple[str, str]] = field(default_factory=list)
    running: dict[tuple[str, str], Callable[[], None]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    clock: int = 0
    quiet: bool = False

    def roll(self, chance: float) -> bool:
        return not self.quiet and self.random.random() < chance

    def killed(self) -> bool:
        return self.roll(self.kills)

    # --- the world of the engine

    def run(self, task: Task, heard: Heard = nobody) -> Ended:
        if self.killed():
            raise Killed
        ended = self._check(task) if task.check else self._effect(task)
        if self.killed():
            raise Killed
        return ended

    def _check(self, task: Task) -> Ended:
        if self.roll(self.chance / 2):
            return Ended(EXIT, 1)
        if task.what == "apply":
            good = task.step in self.done
        elif task.what == "undo":
            good = task.step not in self.done
        else:
            good = task.what in self.ways
        return Ended(EXIT, 0 if good else 10)

    def _effect(self, task: Task) -> Ended:
        key = (task.step, task.what)
        if self.running:
            self.wrong.append(f"{key} began while {sorted(self.running)} was at work")
        if task.what == "apply" and task.step in self.done - self.asking:
            self.wrong.append(f"{key} was done, and was begun again")
        self.begun.append(key)

        def finish() -> None:
            if task.what == "apply":
                self.done.add(task.step)
            elif task.what == "undo":
                self.done.discard(task.step)
            else:
                self.ways.add(task.what)
                self.done.intersection_update(self.there)

        if self.killed():  # the runner dies and its child goes on
            self.running[key] = finish
            raise Killed
        if self.roll(self.chance):
            if self.roll(0.5):
                finish()
            why = self.random.choice([EXIT, EXIT, EXIT, TIMEOUT, STOPPED, NOT_STARTED])
            return Ended(why, self.random.choice([1, 3, OTHER, -9]))
        finish()
        if task.what == "apply" and self.roll(self.chance / 4):
            return Ended(EXIT, 0, missed=("/failed == 0 does not hold",))
        return Ended(EXIT, 0)

    def alive(self, step: str, what: str) -> Sequence[int]:
        found = [key for key in self.running if key[1] == what and (key[0] == step or ":" in what)]
        for key in found:
            if self.roll(0.3):
                return [4711]
            self.running.pop(key)()
        return []

    def sample(self, probe: str, step: str) -> str:
        return "breach" if self.roll(self.chance) else ""

    def ask(self, about: str, question: str, *, yes: bool) -> Answer | None:
        if self.roll(self.chance):
            return None
        return Answer(not self.roll(self.chance), "somebody")

    def wait(self, milliseconds: int) -> None:
        self.clock += milliseconds

    def now(self) -> int:
        return self.clock

    def stopping(self) -> str:
        return "INT" if self.roll(self.chance / 10) else ""

    def say(self, event: str, **facts: Any) -> None:
        if self.killed():
            raise Killed


def begin(book: Runbook, environment: str = "production") -> list[Record]:
    """Return the first records of a run."""
    steps = [step.id for step in book.steps_in(environment)]
    return [{"type": "begin", "steps": steps, "environment": environment}]


def once(
    book: Runbook, site: Site, journal: Memory, *, back: bool = False
) -> tuple[RunStatus | None, RunState]:
    """Start a runner once on a run; None if it was killed.  The state is that of its journal."""
    state = fold(journal.lines)
    try:
        journal.append({"type": "start", "epoch": state.epoch + 1})
        state = fold(journal.lines)
        kind = Backward if back or state.phase in ("rolling-back", "stuck") else Forward
        status = kind(book, "production", state, journal, site).run()
    except Killed:
        return None, fold(journal.lines)
    except Exception as error:
        if getattr(error, "code", "") == "step-alive":
            return RunStatus.UNDECIDED, fold(journal.lines)
        raise
    assert state == fold(journal.lines), "what a runner believes is what its journal says"
    return status, state


def any_book(random: Random) -> Runbook:
    """Return a runbook with steps of every kind and every way back; a way undoes everything."""
    steps = []
    for at in range(random.randint(1, 5)):
        kind = random.choice(["command"] * 5 + ["check", "gate", "wait", "manual", "probe"])
        step = Step(
            f"s{at}", kind, check=LOOK if kind != "gate" else (), ask="Sure?", timeout=20_000
        )
        more: dict[str, Any] = {}
        if kind == "command":
            retry = Retry((3,), random.randint(2, 4), 1) if random.random() < 0.5 else None
            more = {"apply": RUN, "retry": retry, "undo": _undo(random)}
        elif kind == "manual":
            more = {"undo": Undo(none="said is said"), "check": ()}
        elif kind == "probe":
            more = {"probe": "p", "check": ()}
        steps.append(Step(**{**vars_of(step), **more}))
    ways = {"restore": Way("restore", RUN, LOOK, ask="Lose all?", on=(OTHER,), otherwise="rebuild")}
    ways["rebuild"] = Way("rebuild", RUN, LOOK)
    return Runbook("any", tuple(steps), ways=ways)


def vars_of(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__match_args__}


def _undo(random: Random) -> Undo:
    kind = random.randrange(5)
    if kind == 0:
        return Undo(way="restore")
    if kind == 1:
        return Undo(ask="Broken?", yes="restore", no="stays")
    if kind == 2:
        return Undo(none="cannot be")
    return Undo(run=RUN, check=LOOK, on=(OTHER,), otherwise="restore")
