"""What scans found and what VEX answers, joined: a row for each finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from verifier.audit.documents import FoundScan, FoundVex
from verifier.audit.model import ANSWERED, OPEN, Answer, VulnerabilityRow
from verifier.evidence.scans import SEVERITIES, Vulnerability
from verifier.evidence.vex import ANSWERS, answers, latest

_Row = tuple[FoundScan, Vulnerability]


def vulnerability_rows(
    scans: Iterable[FoundScan], vex: Iterable[FoundVex]
) -> list[VulnerabilityRow]:
    """Return the findings, the worst first, each once for each scan.

    A finding is answered when the newest statement about it says so and somebody is proved to have
    made it; the kit's signers are, for what lies in the kit as it is.  What is not proved is shown
    and answers nothing.
    """
    by_name: dict[str, list[FoundVex]] = {}
    for found in vex:
        for name in found.statement.names:
            by_name.setdefault(name, []).append(found)
    rows = dict.fromkeys(_rows(scans, by_name))  # a scanner may find one thing twice
    return sorted(rows, key=_order)


def _order(row: VulnerabilityRow) -> tuple[bool, int, str, str, str]:
    worst_first = -SEVERITIES.index(row.severity)
    return row.status == ANSWERED, worst_first, row.id, row.package, row.path


def _rows(
    scans: Iterable[FoundScan], by_name: dict[str, list[FoundVex]]
) -> Iterator[VulnerabilityRow]:
    for scan in scans:
        for finding in scan.scan.found:
            told = list(_told(scan, finding, by_name))
            newest = next((one.status for one in told if one.by), "")
            yield VulnerabilityRow(
                finding.id,
                finding.aliases,
                finding.severity,
                finding.package,
                finding.version,
                finding.purl,
                finding.fixed_in,
                scan.path,
                scan.scan.database,
                ANSWERED if newest in ANSWERS else OPEN,
                tuple(told),
            )


def _told(
    scan: FoundScan, finding: Vulnerability, by_name: dict[str, list[FoundVex]]
) -> Iterator[Answer]:
    """Yield what VEX says of a finding, the newest first."""
    names = (finding.id, *finding.aliases)
    candidates = {id(one): one for name in names for one in by_name.get(name, ())}
    about = frozenset(scan.about)
    fitting = [
        (one.statement, one)
        for one in candidates.values()
        if answers(one.statement, finding, about, own=bool(about.intersection(one.about)))
    ]
    for statement, one in latest(fitting):
        yield Answer(
            statement.status,
            statement.justification,
            statement.impact,
            one.path,
            one.by,
            statement.at,
        )
