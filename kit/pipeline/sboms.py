"""SBOMs: those of the spec are judged, and what components lack is written or missed."""

from __future__ import annotations

from kit.pipeline import digests
from kit.pipeline.model import Digests, Order, counted
from kit.pipeline.payload import component_digests
from kit.sources.taken import take
from kit.spec import KitSpec, load_spec

WRITE, CHECK = "write", "check"


class SbomTask:
    """The SBOMs of the spec."""

    stage = label = "sbom"

    def __init__(self, order: Order) -> None:
        self._order = order

    def _spec(self) -> KitSpec:
        """Return the spec without what the next stages make."""
        spec = self._order.load()
        later: dict[str, object] = {"evidence": (), "attestations": (), "layout": None}
        return spec.model_copy(update=later)

    def prepare(self) -> None:
        """Nothing is to be settled."""

    def inputs(self) -> Digests:
        """Return the components, and what is exempt."""
        spec, how = self._spec(), self._order.plan.sbom or ""
        exempt = [[list(one.paths), one.reason] for one in spec.exemptions]
        found = {"`sbom`": digests.of_value(how), "exemptions": digests.of_value(exempt)}
        digest = component_digests(spec, self._order)
        return found | {f"component {name}": one for name, one in digest.items()}

    def outputs(self) -> Digests:
        """Return the documents that the spec names."""
        spec = self._spec()
        return {one.file: digests.of_file(spec.base / one.file) for one in spec.sboms}

    def run(self, *, interrupted: bool) -> str:
        """Write, or judge.

        Raises:
            SbomRefused: An SBOM is bad.
            SbomStale: One is missing or not what its component is, and none is written.
        """
        del interrupted
        from kit.sbom.check import check_file
        from kit.sbom.errors import SbomRefused
        from kit.sbom.generate import check_plan, plan_sboms, write_sboms

        spec, how = self._spec(), self._order.plan.sbom
        wrote = 0
        if how is not None:
            with take(spec, self._order.host.store) as taken:
                plan = plan_sboms(spec, taken)
            if how == WRITE:
                write_sboms(load_spec(spec.file, self._order.host.settings), plan)
                wrote, spec = len(plan.stale), self._spec()
            else:
                check_plan(spec, plan)
        faults = [
            str(error) for one in spec.sboms for error in check_file(spec.base / one.file).errors
        ]
        if faults:
            raise SbomRefused(faults)
        written = f", {wrote} of them written" if wrote else ""
        return f"{counted(len(spec.sboms), 'document')} good{written}"
