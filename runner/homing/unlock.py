"""Whether an environment may be entered: by evidence of another one, or by an override."""

from __future__ import annotations

from collections.abc import Mapping

from runner.errors import StagingMissing, StagingUnfit
from runner.kitside import Looked
from verifier.core.errors import KitError, UsageError
from verifier.host.accept import Host
from verifier.host.judge import Judgement
from verifier.typed import Any, record


@record(frozen=True)
class Unlocked:
    """Why an environment may be entered.

    Attributes:
        after: What the first record says of the run before; empty if none was asked for.
        override: The override of the policy that lets it pass; empty if none had to.
    """

    after: Mapping[str, Any]
    override: str = ""


def unlock(
    looked: Looked, host: Host, environment: str, target: str, evidence: str, clock: int
) -> Unlocked:
    """Hold a run that is to begin to what its environment asks for.

    Args:
        looked: The kit.
        host: The host that has judged it.
        environment: The environment of the run.
        target: What the run changes.
        evidence: A file; empty if none was given.
        clock: Seconds since the epoch.

    Raises:
        StagingMissing: Evidence is asked for, and none is given.
        StagingUnfit: It does not open the environment.
        RootExpired: The operators' root is past its date, and the policy enforces that.
        KitError: It is no good evidence.
    """
    wanted = looked.book.environments[environment].after
    if wanted is None:
        if evidence:
            raise UsageError(f"--after: {environment!r} asks for no evidence")
        return Unlocked({})
    judgement = host.judgement
    assert judgement is not None
    try:
        if not evidence:
            raise StagingMissing(
                f"{environment!r} is only run after {wanted.environment!r}: evidence of this kit"
                " from there is wanted"
            )
        from runner.homing import after, judge  # here: a zipapp compiles what it imports
        from runner.operators import hold_to_date, load_operators

        operators = load_operators(host.directory.path, host.root)
        policy, line = judgement.chosen.policy, looked.manifest.kit.line
        expired = hold_to_date(operators, policy, line, looked.kit_id, judgement.now)
        found = judge.verify(evidence, operators, looked)
        last_seen = judgement.known.last_seen if judgement.known else 0
        after.hold(found, wanted, target, clock, last_seen)
        return Unlocked(after.bound_of(found), expired)
    except (StagingMissing, StagingUnfit) as fault:
        by = _passed_by(fault, looked, judgement)
        if not by:
            raise
        return Unlocked({}, by)


def _passed_by(fault: KitError, looked: Looked, judgement: Judgement) -> str:
    """Return the override of the policy that lets a fault pass; empty if there is none."""
    from runner.operators import passed_by

    line = looked.manifest.kit.line
    return passed_by(fault, judgement.chosen.policy, line, looked.kit_id, judgement.now)
