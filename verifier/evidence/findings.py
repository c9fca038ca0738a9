"""Which findings of scanners are open: those that no VEX statement answers.

A finding is open unless somebody whom policy names for VEX says ``not_affected`` or ``fixed`` of it
in the package it is in, or in what was scanned; of several answers the newest counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from verifier.evidence.errors import EvidenceFormUnknown
from verifier.evidence.scans import SEVERITIES, Scan, Vulnerability, read_scan
from verifier.evidence.statement import Statement
from verifier.evidence.vex import ANSWERS, VexStatement, answers, latest

Told = Iterable[tuple[VexStatement, bool]]
"""Statements, each with whether it is about what was scanned when it names no product."""


def scan_of(statement: Statement) -> Scan:
    """Return what a statement of vulnerabilities lists.

    Raises:
        EvidenceFormUnknown: It is of a type, or of a scanner, that is not known here.
    """
    scan = read_scan(statement.predicate, statement.predicate_type)
    if scan is None:
        kind = statement.predicate_type[:200]
        raise EvidenceFormUnknown(f"{kind!r} lists no findings that are known", where="condition")
    return scan


def open_findings(
    statement: Statement, level: str, told: Told, about: Iterable[str]
) -> list[Vulnerability]:
    """Return the findings of a severity, or above it, that nobody answered.

    Args:
        statement: Of vulnerabilities.
        level: The lowest severity that matters.
        told: What VEX says, by those who may.
        about: ``sha256:HEX`` of what the statement is about.

    Raises:
        EvidenceFormUnknown: It is of a type, or of a scanner, that is not known here.
    """
    scan, least = scan_of(statement), SEVERITIES.index(level)
    scanned = {*about, *scan.about}
    by_name: dict[str, list[tuple[VexStatement, bool]]] = {}
    for said, own in told:
        for name in said.names:
            by_name.setdefault(name, []).append((said, own))

    def is_open(found: Vulnerability) -> bool:
        meant = [
            (said, own)
            for name in (found.id, *found.aliases)
            for said, own in by_name.get(name, ())
            if answers(said, found, scanned, own=own)
        ]
        return not meant or latest(meant)[0][0].status not in ANSWERS

    return [
        found
        for found in scan.found
        if SEVERITIES.index(found.severity) >= least and is_open(found)
    ]
