"""Ten thousand runs and rollbacks in memory, with failures and kills, against what must hold.

Whatever fails and whenever the runner is killed: nothing finished is begun again, never two effects
are at work at once, what a runner believes is what its journal says, and with the failures gone
the run comes to its end: everything done, or everything taken back.
"""

from __future__ import annotations

from random import Random

import pytest

from runner.back import Backward
from runner.book.model import Probe, Retry, Runbook, Step, Undo
from runner.engine import Forward
from runner.errors import RunStands, StepAlive
from runner.state import DONE, UNKNOWN, fold
from runner.status import RunStatus
from runner.values import Condition
from runner.work import EXIT, Ended, Task
from tests.support.sites import LOOK, RUN, Killed, Memory, Site, any_book, begin, once
from verifier.typed import replace

PLANS = 10_000
TRIES = 60


def drive(seed: int, *, back: bool) -> None:
    """Run one plan to its end through failures and kills, and hold it to the model."""
    random = Random(seed)
    book = any_book(random)
    site = Site(random, chance=random.choice([0, 0.1, 0.4]), kills=random.choice([0, 0.03, 0.15]))
    site.asking = {s.id for s in book.steps if s.kind == "check"}
    site.there = site.asking | {s.id for s in book.steps if s.kind == "wait"}
    adopted = {s.id for s in book.steps if s.kind == "command" and random.random() < 0.1}
    site.there |= adopted
    site.done |= site.there
    journal = Memory(begin(book))
    journal.kill = site.killed
    turned = False
    for tries in range(TRIES):
        site.quiet = tries > TRIES // 2  # from here on nothing fails
        turned = turned or (back and (site.quiet or random.random() < 0.2))
        try:
            _, state = once(book, site, journal, back=turned)
        except RunStands:
            break
        if state.phase in ("closed", "rolled-back"):
            break
        for name, one in state.steps.items():  # a person looks at what nothing else decides
            if one.status == "broken" and not turned:
                to = "done" if name in site.done else "redo"
                journal.lines.append({"type": "mark", "step": name, "to": to, "reason": "looked"})
    state = fold(journal.lines)
    assert site.wrong == []
    if not turned or state.phase == "closed":
        assert state.phase == "closed"
        assert {name for name, step in state.steps.items() if step.status == DONE} == set(
            state.steps
        )
        changes = {s.id for s in book.steps if s.kind == "command"}
        assert changes <= site.done
        return
    assert state.phase == "rolled-back"
    for step in book.steps:
        undo, known = step.undo, state.steps[step.id]
        if step.kind != "command" or undo is None or not known.touched or undo.none:
            continue
        kept = known.how.startswith("kept")
        assert kept or step.id not in site.done or step.id in site.there, (step.id, known)
    assert adopted <= site.done | {s.id for s in book.steps if state.steps[s.id].touched}


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2, 3))])
def test_runs_come_to_their_end_whatever_fails(part: int) -> None:
    for seed in range(part * PLANS // 4, (part + 1) * PLANS // 4):
        try:
            drive(seed, back=seed % 2 == 1)
        except (AssertionError, Exception) as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


# --- single rows of the table --------------------------------------------------------------------


def book_of(*steps: Step) -> Runbook:
    return Runbook("one", steps)


STEP = Step("a", apply=RUN, check=LOOK, undo=Undo(run=RUN, check=LOOK))


def run(book: Runbook, site: Site, journal: Memory, *, back: bool = False) -> RunStatus:
    status, _ = once(book, site, journal, back=back)
    assert status is not None
    return status


def test_what_is_done_already_is_adopted_and_not_taken_back() -> None:
    site, book = Site(Random(1)), book_of(STEP)
    site.done.add("a")
    journal = Memory(begin(book))
    assert run(book, site, journal) == RunStatus.DONE
    assert site.begun == []
    journal = Memory([one for one in journal.lines if one["type"] != "phase"])
    assert run(book, site, journal, back=True) == RunStatus.DONE
    assert site.done == {"a"}
    assert fold(journal.lines).steps["a"].how == "was there before this run: left"


def test_a_kill_in_a_step_asks_its_check_and_waits_for_its_child() -> None:
    site, book = Site(Random(1)), book_of(STEP)
    journal = Memory(begin(book))
    site.quiet = True
    original = site._effect

    def dies(task: Task) -> Ended:
        site.running["a", "apply"] = lambda: site.done.add("a")
        raise Killed

    site._effect = dies  # type: ignore[method-assign]
    assert once(book, site, journal)[0] is None
    assert fold(journal.lines).steps["a"].status == UNKNOWN
    site._effect = original  # type: ignore[method-assign]
    alive = site.alive
    site.alive = lambda step, what: [1, 2]  # type: ignore[method-assign]
    with pytest.raises(StepAlive, match="process 1, 2 is still at work"):
        Forward(book, "production", fold(journal.lines), journal, site).run()
    site.alive = alive  # type: ignore[method-assign]
    assert run(book, site, journal) == RunStatus.DONE
    assert site.begun == []  # the child of the killed runner did it; nobody did it again


@pytest.mark.parametrize(("status", "begun"), [(3, 3), (1, 1), (10, 1), (-9, 1)])
def test_only_listed_statuses_are_tried_again(status: int, begun: int) -> None:
    site = Site(Random(1))
    book = book_of(Step("a", apply=RUN, check=LOOK, retry=Retry((3,), 3, 1), undo=Undo(none="x")))
    count: list[int] = []

    def effect(task: Task) -> Ended:
        count.append(1)
        return Ended(EXIT, status)

    site._effect = effect  # type: ignore[method-assign]
    journal = Memory(begin(book))
    assert run(book, site, journal) == RunStatus.STOPPED
    assert len(count) == begun
    assert fold(journal.lines).phase == "stopped"


def test_a_check_that_crashes_is_never_to_do() -> None:
    site, book = Site(Random(1)), book_of(STEP)
    site._check = lambda task: Ended(EXIT, 1)  # type: ignore[method-assign]
    journal = Memory(begin(book))
    assert run(book, site, journal) == RunStatus.STOPPED
    assert site.begun == []
    assert fold(journal.lines).why == "a: its check exited 1"


def test_an_expectation_that_fails_is_a_persons_to_judge() -> None:
    site, book = Site(Random(1)), book_of(STEP)

    def effect(task: Task) -> Ended:
        site.done.add("a")
        return Ended(EXIT, 0, missed=("/failed == 0: it is 3",))

    site._effect = effect  # type: ignore[method-assign]
    journal = Memory(begin(book))
    for _ in range(2):  # its check says done, and still nobody calls it that
        assert run(book, site, journal) == RunStatus.STOPPED
    mark = {"type": "mark", "step": "a", "to": "done", "reason": "known documents"}
    journal.lines.append(mark)
    assert run(book, site, journal) == RunStatus.DONE
    assert fold(journal.lines).overrides == ["known documents"]


def test_a_wait_that_times_out_has_failed() -> None:
    site, book = Site(Random(1)), book_of(Step("a", "wait", check=LOOK, timeout=60_000))
    journal = Memory(begin(book))
    assert run(book, site, journal) == RunStatus.STOPPED
    assert fold(journal.lines).steps["a"].status == "failed"
    assert site.clock == 60_000


def test_a_gate_that_wants_signatures_takes_no_typed_name() -> None:
    step = Step("a", "gate", ask="Sure?", people={"production": 2})
    site, book = Site(Random(1)), book_of(step)
    journal = Memory(begin(book))
    for signer in ("ann", "ann", "bob"):
        assert run(book, site, journal) == RunStatus.WAITS
        journal.lines.append({"type": "approval", "step": "a", "signer": signer})
    assert run(book, site, journal) == RunStatus.DONE


def test_behind_the_point_of_no_return_nothing_goes_back_by_mistake() -> None:
    gate = Step("open", "gate", ask="Sure?", no_return=True)
    site, book = Site(Random(1)), book_of(STEP, gate, Step("b", "wait", check=LOOK))
    journal = Memory(begin(book))
    assert run(book, site, journal) == RunStatus.STOPPED  # what it waits for never comes
    with pytest.raises(RunStands, match="behind its point of no return"):
        run(book, site, journal, back=True)
    state = fold(journal.lines)
    assert Backward(book, "production", state, journal, site, past=True).run() == RunStatus.DONE
    assert site.done == set()


def test_each_probe_of_the_window_is_sampled_as_often_as_it_says() -> None:
    often, seldom = (
        Probe(name, ("p.py",), Condition("/n", "rises"), every=every)
        for name, every in (("often", 1000), ("seldom", 30_000))
    )
    step = replace(STEP, watch=("often", "seldom"), watch_after=65_000)
    book = replace(book_of(step), probes={"often": often, "seldom": seldom})
    site, journal, taken = Site(Random(1)), Memory(begin(book)), list[str]()
    site.quiet = True

    def sample(probe: str, step: str) -> str:
        site.clock += 250  # a sample takes its time
        taken.append(probe)
        return ""

    site.sample = sample  # type: ignore[method-assign]
    assert run(book, site, journal) == RunStatus.DONE
    assert (taken.count("seldom"), 50 < taken.count("often") <= 65) == (3, True)  # 30, 60, the end
