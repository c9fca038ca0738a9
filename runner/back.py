"""Back through a runbook: compensations in reverse, from wherever it stopped, itself resumable."""

from __future__ import annotations

from runner.book.model import DONE as CHECKED
from runner.book.model import HOUR, TO_DO, Runbook, Step, Undo, Way
from runner.engine import Steps
from runner.errors import OVER, RunStands
from runner.state import DONE, GONE, OTHER, PENDING, UNDONE, UNKNOWN, RunState, WayState
from runner.status import RunStatus
from runner.work import EXIT, Ended, Journal, Task, World
from verifier.typed import replace


class Backward(Steps):
    """Takes back what a run has done.

    Args:
        past: Whether to go back behind the point of no return.
        adopted: Whether to take back also what was done before this run.
    """

    def __init__(
        self,
        book: Runbook,
        environment: str,
        state: RunState,
        journal: Journal,
        world: World,
        *,
        past: bool = False,
        adopted: bool = False,
    ) -> None:
        super().__init__(book, environment, state, journal, world)
        self._past, self._adopted = past, adopted

    def run(self) -> RunStatus:
        """Take back all that is done, or begun, in reverse.

        Raises:
            RunStands: The run is at its end, or behind its point of no return.
            StepAlive: Something of an earlier attempt is at work.
        """
        if self.state.phase in GONE:
            raise RunStands(f"the run is {self.state.phase}", fix=OVER)
        gone = [
            step.id
            for step in self.book.steps_in(self.environment)
            if step.no_return and self.state.steps[step.id].status == DONE
        ]
        if gone and not self._past and self.state.phase not in ("rolling-back", "stuck"):
            raise RunStands(
                f"the run is behind its point of no return ({gone[-1]})",
                fix="Read what the gate said; then give --past-no-return if it is meant.",
            )
        self.enter("rolling-back")
        for step in reversed(self.book.steps_in(self.environment)):
            why = self._step(step)
            if why is not None:
                return why
        self.enter("rolled-back")
        return RunStatus.DONE

    def _step(self, step: Step) -> RunStatus | None:
        state = self.state.steps[step.id]
        if state.status == UNKNOWN:  # also of a step that changes nothing: it may read
            self.nothing_alive(step.id, "apply")
        if step.undo is None or state.undo == UNDONE:
            return None
        if self.world.stopping():
            return RunStatus.STUCK
        if not state.touched and not (self._adopted and state.status == DONE):
            if state.status == DONE and step.kind == "command":
                self.note("undone", step=step.id, how="was there before this run: left")
                return None
            if state.status == PENDING or step.kind == "command":
                return None
        undo = step.undo
        if undo.none:
            self.note("undone", step=step.id, how=f"not undone: {undo.none}")
            return None
        self.world.say("undo", step=step.id, title=step.title)
        if undo.ask:
            return self._asked(step, undo)
        if undo.way:
            return self._by_way(step, undo.way)
        return self._by_command(step, undo)

    def _asked(self, step: Step, undo: Undo) -> RunStatus | None:
        said = self.answer(f"undo:{step.id}", undo.ask)
        if said is None:
            return RunStatus.WAITS
        if said:
            return self._by_way(step, undo.yes)
        self.note("undone", step=step.id, how=f"kept: {undo.no}")
        return None

    def _by_way(self, step: Step, name: str) -> RunStatus | None:
        why = self._way(step, self.book.ways[name])
        if why is None:
            self.note("undone", step=step.id, how=f"by the way {name}")
        return why

    def _by_command(self, step: Step, undo: Undo) -> RunStatus | None:
        state = self.state.steps[step.id]
        if state.undo == OTHER:
            return self._by_way(step, undo.otherwise)
        use = step.use if undo.brought else ""
        task = Task(step.id, "undo", undo.run, use, step.arguments, timeout=undo.timeout)
        check = Task(
            step.id, "undo", undo.check, use, step.arguments, check=True, timeout=undo.timeout
        )
        if state.undo == UNKNOWN:
            self.nothing_alive(step.id, "undo")
        result = self._take_back(task, check, undo.on, state.undo_attempts + 1)
        if result == "checked":
            self.note("undone", step=step.id, how="checked")
        if result in ("checked", "done"):
            return None
        if result == "other":
            return self._by_way(step, undo.otherwise)
        return self._stuck(step, result)

    def _stuck(self, step: Step, why: str) -> RunStatus:
        if self.world.stopping():
            return RunStatus.STUCK
        self.enter("stuck", f"{step.id}: {why}"[:500])
        return RunStatus.STUCK

    def _take_back(self, task: Task, check: Task, on: tuple[int, ...], attempt: int) -> str:
        """Return ``checked`` (nothing was to do), ``done``, ``other``, or what went wrong."""
        looked = self.world.run(check)
        if looked.why == EXIT and looked.status == CHECKED:
            return "checked"
        if looked.why != EXIT or looked.status != TO_DO:
            return f"the check of its {task.what} {looked.words}"
        self.note("intent", step=task.step, what=task.what, attempt=attempt)
        ended = self.world.run(_with_attempt(task, attempt))
        if ended.why == EXIT and ended.status in on:
            self._outcome(task, attempt, "other", ended)
            return "other"
        if ended.why != EXIT or ended.status != 0:
            self._outcome(task, attempt, "failed", ended)
            return f"its {task.what} {ended.words}"
        looked = self.world.run(check)
        if looked.why == EXIT and looked.status == CHECKED:
            self._outcome(task, attempt, "done", ended)
            return "done"
        why = f"its {task.what} exited 0, and then the check {looked.words}"
        self._outcome(task, attempt, "failed", ended, why=why)
        return why

    def _outcome(self, task: Task, attempt: int, result: str, ended: Ended, why: str = "") -> None:
        facts = {"why": why or ended.words, **ended.evidence}
        self.note(
            "outcome", step=task.step, what=task.what, attempt=attempt, result=result, **facts
        )

    def _way(self, step: Step, way: Way) -> RunStatus | None:
        """Take a way, once in a run; None when it is done."""
        state = self.state.ways.get(way.name) or WayState()
        if state.status == DONE:
            return None
        if way.ask:
            said = self.answer(f"way:{way.name}", way.ask)
            if said is None:
                return RunStatus.WAITS
            if not said:
                return self._stuck(step, f"somebody said no to the way {way.name}")
        what = f"way:{way.name}"
        result = "other"
        if state.status != OTHER:
            if state.status == UNKNOWN:
                self.nothing_alive(step.id, what)
            timeout = way.timeout or HOUR
            task = Task(step.id, what, way.run, timeout=timeout)
            check = Task(step.id, what, way.check, check=True, timeout=timeout)
            result = self._take_back(task, check, way.on, state.attempts + 1)
        if result == "other":
            why = self._way(step, self.book.ways[way.otherwise])
            if why is not None:
                return why
            result = "checked"
        if result == "checked":
            self.note("way-done", way=way.name)
        if result in ("checked", "done"):
            return None
        return self._stuck(step, result)


def _with_attempt(task: Task, attempt: int) -> Task:
    made: Task = replace(task, attempt=attempt)
    return made
