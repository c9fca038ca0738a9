"""The engine of the pipeline against a model: failures, kills and changes in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.pipeline.engine import Wanted, plan, run_tasks
from kit.pipeline.errors import SignaturesMissing, StageFailedBefore, TestCommandFailed
from kit.pipeline.model import Event
from kit.pipeline.state import load_state
from tests.support.effort import at_most
from verifier.core.errors import KitError

STAGES = ("a", "b", "c", "d")
FATES = ("works", "fails", "waits", "is killed")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


@dataclass
class Fake:
    """A task whose output is a function of its input and of the output before it."""

    stage: str
    world: dict[str, str]
    before: str = ""
    fate: str = "works"
    log: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.stage

    def prepare(self) -> None:
        """Nothing."""

    def inputs(self) -> dict[str, str]:
        found = {"source": self.world.get(f"source {self.stage}", "")}
        if self.before:
            found["before"] = self.world.get(f"made {self.before}", "")
        return found

    def outputs(self) -> dict[str, str]:
        return {"made": self.world.get(f"made {self.stage}", "")}

    def run(self, *, interrupted: bool) -> str:
        del interrupted
        self.log.append(self.stage)
        if self.fate == "is killed":
            raise Killed
        if self.fate == "fails":
            raise TestCommandFailed("on purpose")
        if self.fate == "waits":
            raise SignaturesMissing("on purpose")
        self.world[f"made {self.stage}"] = f"{self.stage}({sorted(self.inputs().items())})"
        return "made"


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Return runs: which stage has which fate, and which source changes before."""
    run = st.tuples(st.sampled_from(STAGES), st.sampled_from(FATES), st.sampled_from("-abcd"))
    return draw(st.lists(run, min_size=1, max_size=8))


def one_run(
    top: Path, world: dict[str, str], at: str, fate: str
) -> tuple[list[str], KitError | None]:
    """Run all stages, one of which has a fate; return those that ran, and what stopped them."""
    log: list[str] = []
    tasks = [
        Fake(name, world, before, fate if name == at else "works", log)
        for name, before in zip(STAGES, ("", *STAGES), strict=False)
    ]
    spec = top / "kit.toml"
    try:
        ran = run_tasks(tasks, load_state(spec), "1.0", Wanted(), lambda event: None)
    except Killed:
        return log, None
    return log, ran.ended_by


@at_most(15)
@given(histories())
def test_what_ran_is_what_had_to_and_the_end_is_always_the_same(
    history: Sequence[tuple[str, str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        top, world, made = Path(place), dict[str, str](), dict[str, str]()
        for number, (at, fate, changes) in enumerate(history):
            if changes in STAGES:
                world[f"source {changes}"] = str(number)
            log, error = one_run(top, world, at, fate)
            # what ran is a part of the order, and nothing behind what did not work
            assert log == sorted(log)
            if at in log and fate != "works":
                assert log[-1] == at
                assert (error is None) == (fate == "is killed")
        log, error = one_run(top, world, "", "works")
        assert error is None
        for name, before in zip(STAGES, ("", *STAGES), strict=False):  # the model
            found = {"source": world.get(f"source {name}", "")}
            found |= {"before": made[before]} if before else {}
            made[name] = f"{name}({sorted(found.items())})"
            assert world[f"made {name}"] == made[name]
        assert one_run(top, world, "", "works") == ([], None)
        events: list[Event] = []
        tasks = [Fake(n, world, b) for n, b in zip(STAGES, ("", *STAGES), strict=False)]
        plan(tasks, load_state(top / "kit.toml"), "1.0", Wanted(), events.append)
        assert {event.what for event in events} == {"unchanged"}


@pytest.mark.parametrize("fate", ["fails", "is killed"])
def test_a_later_stage_does_not_run_alone_behind_one_that_did_not_end(
    fate: str, tmp_path: Path
) -> None:
    world: dict[str, str] = {}
    one_run(tmp_path, world, "b", fate)
    tasks = [Fake(n, world, b) for n, b in zip(STAGES, ("", *STAGES), strict=False)]
    state = load_state(tmp_path / "kit.toml")
    with pytest.raises(StageFailedBefore):
        run_tasks(tasks, state, "1.0", Wanted(frozenset("c")), lambda event: None)
