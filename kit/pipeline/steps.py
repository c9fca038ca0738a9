"""Steps: whatever the project needs before anything is locked; each leaves a link of in-toto."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from kit.container.output import refused
from kit.intoto.errors import StepFailed
from kit.pipeline import digests
from kit.pipeline.children import ERRORS, bound_to_us
from kit.pipeline.model import Digests, Order, counted
from kit.signing.model import KitSigner
from kit.spec import KitSpec
from kit.spec.stages import StepTable

LINKS = "links"  # where links go if no layout says it


class StepTask:
    """One step."""

    stage = "steps"

    def __init__(self, order: Order, table: StepTable, links: str) -> None:
        self.label = f"steps {table.name}"
        self._order, self._table = order, table
        self._links = order.base / links

    @cached_property
    def _signer(self) -> KitSigner:
        return self._order.signer(self._table.key)

    def prepare(self) -> None:
        """Nothing is to be settled."""

    def inputs(self) -> Digests:
        """Return the command, whose step it is, and what goes in."""
        table = self._table
        return {
            "the command": digests.of_value(list(table.run)),
            "its products": digests.of_value(list(table.products)),
            "the key": self._signer.keyid,
            **digests.of_paths(self._order.base, table.materials),
        }

    def outputs(self) -> Digests:
        """Return the link, and what came out."""
        from kit.intoto.step import link_path

        link = link_path(self._links, self._table.name, self._signer)
        made = digests.of_paths(self._order.base, self._table.products, needed=False)
        return {link.name: digests.of_file(link), **made}

    def run(self, *, interrupted: bool) -> str:
        """Do it, and write its link.

        Raises:
            StepFailed: Its command did.
            StepUnusable: It cannot be done.
        """
        del interrupted  # it is done again: what it left half is its own to know
        from kit.intoto.step import Step, do_step

        table, order = self._table, self._order
        try:
            self._links.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, self._links) from None
        step = Step(
            table.name,
            table.run,
            table.materials,
            table.products,
            order.host.clock,
            base=order.base.absolute(),
            stdout=ERRORS,
            bound=bound_to_us(),
        )
        made = do_step(step, self._signer, self._links, again=True)
        if made.status:
            how = f"status {made.status}" if made.status > 0 else f"signal {-made.status}"
            raise StepFailed(f"its command ended with {how}", where=f"step {table.name}")
        went = counted(made.materials, "material")
        return f"{made.path.name}: {went}, {counted(made.products, 'product')}"


def step_tasks(order: Order, spec: KitSpec) -> Iterator[StepTask]:
    """Yield the steps in the order of the spec."""
    links = spec.layout.links if spec.layout is not None else LINKS
    for table in order.plan.steps:
        yield StepTask(order, table, links)
