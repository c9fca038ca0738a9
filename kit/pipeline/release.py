"""From a spec to a published release: the order of the pipeline, read from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

from kit.pipeline.engine import Ran, Tell, Wanted, plan, run_tasks
from kit.pipeline.model import Event, Order
from kit.pipeline.stages import tasks_of
from kit.pipeline.state import alone, load_state
from kit.spec.stages import STAGES
from verifier.core.errors import UsageError


@dataclass(frozen=True)
class Released:
    """What came of an order.

    Attributes:
        off: Stages that this release does not have.
    """

    name: str
    version: str
    ran: Ran
    off: tuple[str, ...]


def release(order: Order, wanted: Wanted, tell: Tell, *, dry_run: bool = False) -> Released:
    """Run the stages of a release that are not done, in order; stop at the first that fails.

    Args:
        tell: Told what happens, while it does.
        dry_run: Only say what would be done; nothing is written.

    Raises:
        ReleaseRuns: Another run works on this spec.
        KitError: The spec, or what is known of earlier runs, is at fault.
    """
    spec = order.load()
    kit = spec.kit
    if dry_run:
        state = load_state(order.spec)
        tasks = tasks_of(order, spec, state)
        off = _off([task.stage for task in tasks], wanted)
        events: list[Event] = plan(tasks, state, kit.version, wanted, tell)
        return Released(kit.name, kit.version, Ran(events), off)
    with alone(order.spec):
        state = load_state(order.spec)
        tasks = tasks_of(order, spec, state)
        off = _off([task.stage for task in tasks], wanted)
        ran = run_tasks(tasks, state, kit.version, wanted, tell)
    return Released(kit.name, kit.version, ran, off)


def _off(there: list[str], wanted: Wanted) -> tuple[str, ...]:
    """Return the stages that there are not; none of them may be asked for.

    Raises:
        UsageError: One is.
    """
    off = tuple(name for name in STAGES if name not in there)
    for name in [*sorted(wanted.only), wanted.until]:
        if name in off:
            raise UsageError(
                f"this release has no stage {name}",
                fix="Look at the plan with --dry-run; the stages come out of [release].",
            )
    return off
