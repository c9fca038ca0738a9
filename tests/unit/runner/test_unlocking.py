"""What evidence of staging must say to open production; every reason by itself, in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.book.model import After
from runner.chain import Record
from runner.errors import StagingUnfit
from runner.homing.after import DAY, bound_of, hold
from runner.homing.judge import Evidence, verify
from runner.homing.unlock import Unlocked, unlock
from runner.kitside import Looked
from tests.support.homecases import (
    Draft,
    at_second,
    chained,
    kit_bytes,
    looked_at,
    operators,
    run_records,
)
from tests.support.making import pinned
from verifier.core.errors import KitError
from verifier.core.model import parse_time
from verifier.core.trust import parse_root
from verifier.host.errors import RootExpired
from verifier.host.policy import Override

ENDED = parse_time("2026-11-24T10:00:10Z") or 0
AFTER = After("staging", 5)


@pytest.fixture(scope="module")
def kit() -> Looked:
    return looked_at(kit_bytes())


def evidence_of(kit: Looked, records: list[Record]) -> Evidence:
    """Return evidence of a run with these records, verified."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "evidence"
        path.write_bytes(Draft(kit, chained(records)).bytes())
        return verify(str(path), parse_root(operators()), kit)


def with_line(records: list[Record], at: int, **more: Any) -> list[Record]:
    """Return records with one more."""
    return [*records[:at], at_second(more, at), *records[at:]]


def test_a_closed_run_of_staging_opens_production(kit: Looked) -> None:
    found = evidence_of(kit, run_records(kit))
    hold(found, AFTER, "the real one", ENDED + 5 * DAY, 0)
    assert bound_of(found)["signers"] == ["olga"]
    assert bound_of(found)["evidence"] == found.kit_id


Change = Callable[[list[Record]], list[Record]]
REFUSED: dict[str, tuple[Change, str]] = {
    "not closed": (lambda r: r[:-1], "it is not closed: it is complete"),
    "stopped": (
        lambda r: [*r[:4], at_second({"type": "phase", "phase": "stopped"}, 4)],
        "its checks did not all hold: a, open, b",
    ),
    "marked": (
        lambda r: with_line(r, 5, type="mark", step="a", to="done", reason="I saw it", by="x"),
        "it was done in spite of a rule: I saw it",
    ),
    "changed": (
        lambda r: with_line(r, 2, type="override", reason="another Python"),
        "it was done in spite of a rule: another Python",
    ),
    "alert at the end": (
        lambda r: with_line(r, 10, type="alert", step="", probe="lag", why="lag is 75"),
        "an alert came up after its last step: lag is 75",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_does_not_prove_it_is_refused(kit: Looked, name: str) -> None:
    change, said = REFUSED[name]
    found = evidence_of(kit, change(run_records(kit)))
    with pytest.raises(StagingUnfit) as refused:
        hold(found, AFTER, "the real one", ENDED, 0)
    assert said in refused.value.message


def test_environment_target_and_age_count(kit: Looked) -> None:
    found = evidence_of(kit, run_records(kit))
    for after, target, clock, seen, said in (
        (After("rehearsal", 5), "other", ENDED, 0, "it was of environment 'staging'"),
        (AFTER, "staging's own", ENDED, 0, "it changed the same target"),
        (AFTER, "other", ENDED + 5 * DAY + 1, 0, "it ended 5 days ago, and 5 are allowed"),
        (AFTER, "other", ENDED, ENDED + 6 * DAY, "it ended 6 days ago"),  # the clock went back
        (AFTER, "other", ENDED - DAY - 1, 0, "more than a day after the clock"),
    ):
        with pytest.raises(StagingUnfit) as refused:
            hold(found, after, target, clock, seen)
        assert said in refused.value.message
    hold(found, AFTER, "other", ENDED - DAY, 0)


def test_an_alert_within_a_step_that_then_held_is_no_hindrance(kit: Looked) -> None:
    records = with_line(run_records(kit), 4, type="alert", step="a", probe="lag", why="lag was 75")
    hold(evidence_of(kit, records), AFTER, "other", ENDED, 0)


def test_all_reasons_are_said_at_once(kit: Looked) -> None:
    found = evidence_of(kit, run_records(kit)[:-1])
    with pytest.raises(StagingUnfit) as refused:
        hold(found, replace_days(AFTER, 1), "staging's own", ENDED + 9 * DAY, 0)
    assert len(refused.value.message.split("\n")) == 3


def replace_days(after: After, days: int) -> After:
    """Return the same demand with another age."""
    return After(after.environment, days)


@pytest.mark.parametrize("enforced", [True, False])
def test_an_expired_root_of_operators_opens_as_the_policy_says(
    kit: Looked, tmp_path: Path, *, enforced: bool
) -> None:
    (tmp_path / "operators.json").write_bytes(operators())
    evidence = tmp_path / "evidence"
    evidence.write_bytes(Draft(kit, chained(run_records(kit))).bytes())
    end = parse_time(parse_root(operators()).expires) or 0

    def enter(now: int, *overrides: Override) -> Unlocked:
        policy = SimpleNamespace(enforce_root_expiry=enforced, overrides=overrides)
        judged = SimpleNamespace(chosen=SimpleNamespace(policy=policy), known=None, now=now)
        place = SimpleNamespace(path=str(tmp_path))
        host: Any = SimpleNamespace(judgement=judged, directory=place, root=pinned())
        return unlock(kit, host, "production", "the real one", str(evidence), ENDED)

    enter(end - 1)
    if not enforced:
        enter(end)
        return
    with pytest.raises(RootExpired) as refused:
        enter(end)
    assert refused.value.where == "operators.json"
    assert "operators.json" in refused.value.fix
    # an override lets the date pass, and not the evidence
    line = kit.manifest.kit.line
    override = Override("late", "root-expired", "the ceremony is on Friday", line=line)
    passed = enter(end, override)
    assert passed.after["signers"] == ["olga"]
    assert "the ceremony is on Friday" in passed.override
    evidence.write_bytes(b"no evidence at all")
    with pytest.raises(KitError):
        enter(end, override)
