"""What a runbook expects of reports, looked at again in the reports that evidence carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.errors import EvidenceInconsistent
from runner.homing.layout import OUTPUTS
from runner.homing.statements import Told
from runner.values import NotFound, read_report
from verifier.core.lists import DATA, Index

_ENDING = "/files/report"


def reports_in(index: Index) -> Iterator[int]:
    """Yield the members that are reports."""
    for run in index.below(OUTPUTS.rstrip("/").encode(), DATA):
        for member in run:
            if index.path(member).endswith(_ENDING):
                yield member


def look_again(told: Told, reports: Mapping[str, bytes]) -> tuple[int, int]:
    """Hold every report of a step that is done to what the runbook expects of it.

    Args:
        told: The journal.
        reports: From path in the evidence to contents, as far as they are there.

    Returns:
        How many expectations hold, and how many could not be looked at.

    Raises:
        EvidenceInconsistent: One does not, and the step was called done.
    """
    held = unseen = 0
    for number, one in enumerate(told.read.records, start=1):
        if one["type"] != "outcome" or (one["what"], one["result"]) != ("apply", "done"):
            continue
        step = told.book.step(one["step"])
        data = reports.get(f"{OUTPUTS}{number:06d}{_ENDING}")
        for condition in step.expect if step is not None else ():
            if data is None:
                unseen += 1
                continue
            document, why = read_report(data)
            try:
                good = not why and condition.holds(document)
            except NotFound as error:
                good, why = False, str(error.args[0])
            if not good:
                text = f"{condition} does not hold in its report{why and ': '}{why}"
                raise EvidenceInconsistent(text, where=f"line {number}")
            held += 1
    return held, unseen
