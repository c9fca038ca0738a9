"""Forward through a runbook, from wherever the journal says it is (docs/explanation/runs.md).

Every effect stands between an intent and an outcome.  A step whose outcome is not known is asked by
its check; nothing is begun while something of an earlier attempt is alive.
"""

from __future__ import annotations

from runner.book.model import DONE as CHECKED
from runner.book.model import TO_DO, Runbook, Step
from runner.book.ways import back_of
from runner.chain import Record
from runner.errors import OVER, RunStands, StepAlive
from runner.state import BACK, BROKEN, DONE, GONE, UNKNOWN, RunState, StepState, take
from runner.status import RunStatus
from runner.work import EXIT, Answer, Ended, Journal, World, apply_of, backoff, check_of
from verifier.typed import Any

SAMPLED = "sampled"


def owner_of(step: Step) -> Record:
    """Return who answers for a step, for its records: nothing if the runbook does not say."""
    return {"owner": step.owner} if step.owner else {}


class Steps:
    """What going forward and going back have in common: the journal, the world, the state."""

    def __init__(
        self, book: Runbook, environment: str, state: RunState, journal: Journal, world: World
    ) -> None:
        self.book, self.environment = book, environment
        self.state, self.journal, self.world = state, journal, world

    def note(self, kind: str, **facts: Any) -> None:
        """Write a record, and know it."""
        what: Record = {"type": kind, **facts}
        self.journal.append(what)
        take(self.state, what)
        self.world.say(kind, **facts)

    def enter(self, phase: str, why: str = "") -> None:
        """Enter a phase, if the run is not in it."""
        if self.state.phase != phase or self.state.why != why:
            self.note("phase", phase=phase, **({"why": why} if why else {}))

    def nothing_alive(self, step: str, what: str) -> None:
        """See that nothing of an earlier attempt is at work.

        Raises:
            StepAlive: Something is.
        """
        alive = self.world.alive(step, what)
        if alive:
            numbers = ", ".join(map(str, alive))
            raise StepAlive(f"process {numbers} is still at work", where=f"step {step!r}")

    def answer(self, about: str, question: str, *, yes: bool = False) -> bool | None:
        """Return what a person said of something, now or before; None if nobody has."""
        known = self.state.answers.get(about)
        if known is not None and (known["answer"] == "yes" or about.startswith("undo:")):
            return bool(known["answer"] == "yes")  # elsewhere a no stops, and is asked again
        said: Answer | None = self.world.ask(about, question, yes=yes)
        if said is None:
            return None
        text = "yes" if said.yes else "no"
        more = {"why": said.why} if said.why else {}
        self.note("answer", about=about, answer=text, by=said.by, **more)
        return said.yes


class Forward(Steps):
    """Runs what is left of a runbook."""

    def run(self) -> RunStatus:
        """Go on until all is done, or something stops it.

        Raises:
            RunStands: The run is at its end, or on its way back.
            StepAlive: Something of an earlier attempt is at work.
        """
        if self.state.phase in GONE:
            raise RunStands(f"the run is {self.state.phase}", fix=OVER)
        if self.state.phase in BACK:
            raise RunStands(
                f"the run is {self.state.phase}", fix="Go on with `kit-run rollback RUN`."
            )
        if self.state.phase not in ("complete", "watching"):
            self.enter("running")
            for step in self.book.steps_in(self.environment):
                if self.state.steps[step.id].status == DONE:
                    continue
                why = self._step(step)
                if why is not None:
                    return why
            self.enter("complete")
        return self._watch()

    def _step(self, step: Step) -> RunStatus | None:
        """Do one step; None when it is done."""
        stopping = self.world.stopping()
        if stopping:
            return self._stop(step, stopping)
        missing = [name for name in step.needs if not self._is_done(name)]
        if missing:
            return self._stop(step, f"needs {', '.join(missing)}")
        state = self.state.steps[step.id]
        if state.status == UNKNOWN:
            self.nothing_alive(step.id, "apply")
        if state.status == BROKEN:
            return self._stop(step, "somebody must say `mark STEP done` or `mark STEP redo`")
        self.world.say("step", step=step.id, title=step.title, kind=step.kind, owner=step.owner)
        return {
            "command": self._command,
            "check": self._check,
            "wait": self._wait,
            "gate": self._gate,
            "manual": self._manual,
            "probe": self._probe,
        }[step.kind](step, state)

    def _is_done(self, name: str) -> bool:
        needed = self.book.step(name)
        assert needed is not None
        return not needed.runs_in(self.environment) or self.state.steps[name].status == DONE

    def _stop(self, step: Step, why: str) -> RunStatus:
        self.enter("stopped", f"{step.id}: {why}"[:500])
        return RunStatus.STOPPED

    def _fail(self, step: Step, why: str) -> RunStatus:
        self.note("failed", step=step.id, why=why)
        return self._stop(step, why)

    def _say_done(self, step: Step, how: str) -> None:
        self.note("done", step=step.id, how=how, **owner_of(step))

    # --- kinds of steps ------------------------------------------------------------------------

    def _command(self, step: Step, state: StepState) -> RunStatus | None:
        tries = 0
        while True:
            looked = self.world.run(check_of(step))
            if looked.why == EXIT and looked.status == CHECKED:
                self._say_done(step, "checked" if state.touched else "adopted")
                return None
            if looked.why != EXIT or looked.status != TO_DO:
                return self._unsure(step, looked)
            tries += 1
            attempt = state.attempts + 1
            self.note("intent", step=step.id, what="apply", attempt=attempt, **owner_of(step))
            ended = self._apply(step, state)
            if self._again(step, ended, tries):
                self._outcome(step, state, "again", ended)
                assert step.retry is not None
                self.world.wait(backoff(step.retry, tries))
                if self.world.stopping():
                    return self._stop(step, self.world.stopping())
                continue
            return self._judge(step, state, ended)

    def _apply(self, step: Step, state: StepState) -> Ended:
        """Make an attempt; what its probes find is a record at once: a step may take hours."""

        def heard(alert: Record) -> None:
            back = back_of(self.book, step.id, alert["probe"])
            self.note("alert", step=step.id, back=back[:300], **alert)

        return self.world.run(apply_of(step, state.attempts), heard)

    def _unsure(self, step: Step, looked: Ended) -> RunStatus:
        if self.world.stopping():
            return self._stop(step, self.world.stopping())
        return self._fail(step, f"its check {looked.words}")

    def _again(self, step: Step, ended: Ended, tries: int) -> bool:
        retry = step.retry
        return (
            retry is not None
            and ended.why == EXIT
            and ended.status in retry.on
            and tries < retry.attempts
        )

    def _judge(self, step: Step, state: StepState, ended: Ended) -> RunStatus | None:
        """Decide what an attempt came to; its outcome is one record."""
        if ended.why != EXIT or ended.status != 0:
            result = "stopped" if ended.why in ("stopped", "breach") else "failed"
            self._outcome(step, state, result, ended)
            return self._stop(step, ended.words)
        if ended.missed:
            self._outcome(step, state, "broken", ended)
            return self._stop(step, ended.missed[0])
        if step.kind == "command":
            looked = self.world.run(check_of(step))
            if looked.why != EXIT or looked.status != CHECKED:
                why = f"it exited 0, and then its check {looked.words}"
                self._outcome(step, state, "failed", ended, why=why)
                return self._stop(step, why)
        self._outcome(step, state, "done", ended)
        return self._stop(step, ended.alarm) if ended.alarm else None

    def _outcome(
        self, step: Step, state: StepState, result: str, ended: Ended, why: str = ""
    ) -> None:
        facts = {"why": why or ended.words, **ended.evidence}
        if ended.missed:
            facts["missed"] = list(ended.missed)[:20]
        self.note(
            "outcome", step=step.id, what="apply", attempt=state.attempts, result=result, **facts
        )

    def _check(self, step: Step, state: StepState) -> RunStatus | None:
        tries = 0
        while True:
            tries += 1
            attempt = state.attempts + 1
            self.note("intent", step=step.id, what="apply", attempt=attempt, **owner_of(step))
            ended = self._apply(step, state)
            if not self._again(step, ended, tries):
                return self._judge(step, state, ended)
            self._outcome(step, state, "again", ended)
            assert step.retry is not None
            self.world.wait(backoff(step.retry, tries))
            if self.world.stopping():
                return self._stop(step, self.world.stopping())

    def _wait(self, step: Step, state: StepState) -> RunStatus | None:
        began = self.world.now()
        while True:
            looked = self.world.run(check_of(step))
            if looked.why == EXIT and looked.status == CHECKED:
                self._say_done(step, "checked")
                return None
            if looked.why != EXIT or looked.status != TO_DO:
                return self._unsure(step, looked)
            left = step.timeout - (self.world.now() - began)
            if left <= 0:
                return self._fail(step, "what it waits for did not come in time")
            self.world.wait(min(step.every, left))
            if self.world.stopping():
                return self._stop(step, self.world.stopping())

    def _gate(self, step: Step, state: StepState) -> RunStatus | None:
        del state
        needed = step.people.get(self.environment, 0)
        if needed:
            signed = len(self.state.approvals.get(step.id, ()))
            if signed < needed:
                self.enter("waiting", f"{step.id}: {needed - signed} more must approve")
                return RunStatus.WAITS
            self._say_done(step, "approved")
            return None
        said = self.answer(f"gate:{step.id}", step.ask, yes=step.yes)
        return self._said(step, said)

    def _said(self, step: Step, said: bool | None) -> RunStatus | None:
        if said is None:
            self.enter("waiting", f"{step.id}: {step.ask}"[:500])
            return RunStatus.WAITS
        if not said:
            return self._stop(step, "somebody said no")
        self._say_done(step, "answered")
        return None

    def _manual(self, step: Step, state: StepState) -> RunStatus | None:
        if not step.check:
            return self._said(step, self.answer(f"manual:{step.id}", step.ask))
        looked = self.world.run(check_of(step))
        if looked.why != EXIT or looked.status not in (CHECKED, TO_DO):
            return self._unsure(step, looked)
        if looked.status == CHECKED:
            self._say_done(step, "checked")
            return None
        said = self.world.ask(f"manual:{step.id}", step.ask, yes=False)
        if said is None or not said.yes:
            self.enter("waiting", f"{step.id}: {step.ask}"[:500])
            return RunStatus.WAITS
        looked = self.world.run(check_of(step))
        if looked.why == EXIT and looked.status == CHECKED:
            self._say_done(step, "checked")
            return None
        return self._fail(step, f"somebody said that it is done, and its check {looked.words}")

    def _probe(self, step: Step, state: StepState) -> RunStatus | None:
        wrong = self.world.sample(step.probe, step.id)
        if wrong:
            return self._fail(step, wrong)
        self._say_done(step, SAMPLED)
        return None

    # --- after the last step -------------------------------------------------------------------

    def _watch(self) -> RunStatus:
        """Sample probes for as long as the runbook says, and close the run."""
        watching = [s for s in self.book.steps_in(self.environment) if s.watch_after]
        left = max((step.watch_after for step in watching), default=0) - self.state.watched
        if left > 0:
            self.enter("watching")
        names = dict.fromkeys(name for step in watching for name in step.watch)
        due = {name: self.book.probes[name].every for name in names}
        before = self.world.now()
        while left > 0:
            self.world.wait(max(0, min([left, *due.values()])))
            if self.world.stopping():
                return RunStatus.STOPPED  # the window goes on when the run is resumed
            passed = self.world.now() - before
            before += passed
            left -= passed
            for name in names:
                due[name] -= passed
                if due[name] <= 0 or left <= 0:
                    due[name] = self.book.probes[name].every
                    self._sample_after(name)
            self.note("watched", milliseconds=self.state.watched + max(0, passed))
        self.enter("closed")
        return RunStatus.DONE

    def _sample_after(self, name: str) -> None:
        """Sample a probe when all steps are done; a breach is an alert, and stops nothing."""
        wrong = self.world.sample(name, "")
        if wrong:
            back = back_of(self.book, "", name)
            self.note("alert", probe=name, why=wrong, step="", back=back[:300])
