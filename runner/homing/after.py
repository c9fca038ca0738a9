"""Production after staging: what evidence of an earlier run must say to open an environment."""

from __future__ import annotations

from collections.abc import Iterator

from runner.book.model import After
from runner.errors import StagingUnfit
from runner.homing.judge import Evidence
from runner.state import DONE
from verifier.core.model import format_time
from verifier.typed import Any

DAY = 86_400  # seconds


def hold(evidence: Evidence, after: After, target: str, clock: int, last_seen: int) -> None:
    """Hold evidence of the same kit and runbook to what an environment asks for.

    Args:
        evidence: It, verified.
        after: What the runbook says.
        target: What the run to come changes.
        clock: Seconds since the epoch by the clock of this host.
        last_seen: What the memory of this host has of the line (TRUST-FILES 5.1); 0 if nothing.

    Raises:
        StagingUnfit: It does not open it; all reasons are named.
    """
    reasons = [*_reasons(evidence, after, target), *_age(evidence, after, clock, last_seen)]
    if reasons:
        run = evidence.state.bound["run"]
        raise StagingUnfit("".join(f"\n  {one}" for one in reasons)[3:], where=f"run {run!r}")


def _reasons(evidence: Evidence, after: After, target: str) -> Iterator[str]:
    state = evidence.state
    bound = state.bound
    if bound["environment"] != after.environment:
        yield f"it was of environment {bound['environment']!r}, not {after.environment!r}"
    if bound["target"] == target:
        yield f"it changed the same target, {target!r}"
    if state.phase != "closed":
        yield f"it is not closed: it is {state.phase}"
    held = [name for name, one in state.steps.items() if one.status == DONE and not one.undo]
    if len(held) < len(state.steps):
        rest = [name for name in state.steps if name not in held]
        yield f"its checks did not all hold: {', '.join(rest[:5])}"
    for why in state.overrides:
        yield f"it was done in spite of a rule: {why}"
    for one in state.alerts:
        if not one.get("step"):
            yield f"an alert came up after its last step: {one['why']}"


def _age(evidence: Evidence, after: After, clock: int, last_seen: int) -> Iterator[str]:
    """Yield whether it is too old, by the rules for the age of kits."""
    now, at = max(clock, last_seen), evidence.created
    if now - at > after.maximum_age_days * DAY:
        days = (now - at) // DAY
        yield f"it ended {days} days ago, and {after.maximum_age_days} are allowed"
    if at > clock + DAY:
        yield f"it ended at {format_time(at)}, more than a day after the clock of this host"


def bound_of(evidence: Evidence) -> dict[str, Any]:
    """Return what the first record of the run to come says of it."""
    bound = evidence.state.bound
    return {
        "environment": bound["environment"],
        "evidence": evidence.kit_id,
        "run": bound["run"],
        "signers": list(evidence.signers),
        "site": evidence.site,
        "target": bound["target"],
    }
