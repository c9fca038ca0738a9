"""Which tasks a release has: of the stages that `[release]` names, or has all they need for."""

from __future__ import annotations

from collections.abc import Iterator

from kit.pipeline.errors import StageUnready
from kit.pipeline.model import Order, Task
from kit.pipeline.state import State
from kit.sources.fetched import parts
from kit.spec import KitSpec
from kit.spec.stages import STAGES


def stages_of(order: Order, spec: KitSpec) -> tuple[str, ...]:
    """Return the stages of a release, in their order."""
    plan = order.plan
    if plan.stages is not None:
        return plan.stages
    wanted = {
        "steps": bool(plan.steps),
        "lock": any(parts(spec)),
        "sbom": plan.sbom is not None or bool(spec.sboms),
        "test": plan.test is not None,
        "publish": bool(plan.to),
        "verify": plan.verify_key is not None or plan.publisher is not None,
    }
    return tuple(name for name in STAGES if wanted.get(name, True))


def tasks_of(order: Order, spec: KitSpec, state: State) -> list[Task]:
    """Return the tasks of a release, in their order.

    Raises:
        StageUnready: A stage that is named lacks what it needs.
    """
    return [task for name in stages_of(order, spec) for task in _tasks(name, order, spec, state)]


def _tasks(name: str, order: Order, spec: KitSpec, state: State) -> Iterator[Task]:
    """Yield the tasks of one stage; what other stages need is not even loaded."""
    if name == "steps":
        from kit.pipeline.steps import step_tasks

        if not order.plan.steps:
            raise StageUnready("there is no [[release.step]]", where="steps")
        yield from step_tasks(order, spec)
    elif name == "lock":
        from kit.pipeline.locking import LockTask

        yield LockTask(order)
    elif name == "sbom":
        from kit.pipeline.sboms import SbomTask

        yield SbomTask(order)
    elif name == "test":
        from kit.pipeline.testing import TestTask

        yield TestTask(order)
    elif name == "build":
        from kit.pipeline.building import BuildTask

        yield BuildTask(order)
    elif name == "sign":
        from kit.pipeline.signing import SignTask

        yield SignTask(order)
    elif name == "verify":
        from kit.pipeline.verifying import VerifyTask

        yield VerifyTask(order)
    else:
        from kit.pipeline.publishing import PublishTask

        yield PublishTask(order, state)
