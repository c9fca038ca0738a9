"""Findings of scanners, and what VEX answers to them.

A finding is open unless somebody whom policy names for VEX says ``not_affected`` or ``fixed`` of
it; of several answers the newest counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from verifier.evidence.conditions import dig, objects, seconds_of
from verifier.evidence.errors import EvidenceFormUnknown
from verifier.evidence.rules import SEVERITIES
from verifier.evidence.statement import Statement
from verifier.typed import Any, record

VULNS = "https://in-toto.io/attestation/vulns/v0.2"
VULNS_OLD = (
    "https://in-toto.io/attestation/vulns/v0.1",
    "https://in-toto.io/attestation/vulns",
    "https://cosign.sigstore.dev/attestation/vuln/v1",
)
ANSWERED = ("not_affected", "fixed")
_UNKNOWN = len(SEVERITIES)  # counts as above all: nobody knows how bad it is
_BANDS = ((9.0, 3), (7.0, 2), (4.0, 1), (0.0, 0))  # CVSS v3.1 5: critical, high, medium, low
_WORDS = {"none": -1, "negligible": 0, "informational": 0, "moderate": 1, "important": 2}
_WORDS.update({word: rank for rank, word in enumerate(SEVERITIES)})


@record(frozen=True)
class Finding:
    """A vulnerability that a scanner found.

    Attributes:
        severity: One of `SEVERITIES`, or ``unknown``.
    """

    name: str
    severity: str
    rank: int


def findings_of(statement: Statement) -> list[Finding]:
    """Return what a statement of vulnerabilities lists.

    Raises:
        EvidenceFormUnknown: It is of a type, or of a scanner, that is not known here.
    """
    result = dig(statement.predicate, "scanner", "result")
    if statement.predicate_type not in (VULNS, *VULNS_OLD):
        kind = statement.predicate_type[:200]
        raise EvidenceFormUnknown(f"{kind!r} lists no findings that are known", where="condition")
    if isinstance(result, list):
        return [
            _finding(dig(each, "id"), _stated(each.get("severity"))) for each in objects(result)
        ]
    if isinstance(result, dict) and isinstance(result.get("matches"), list):
        return [_of_grype(each) for each in objects(result["matches"])]
    if isinstance(result, dict) and isinstance(result.get("SchemaVersion"), int):
        return list(_of_trivy(result))
    raise EvidenceFormUnknown(
        "the report of its scanner has no form that is known", where="condition"
    )


def _of_grype(match: Mapping[str, Any]) -> Finding:
    found = match.get("vulnerability")
    return _finding(dig(found, "id"), [dig(found, "severity")])


def _of_trivy(report: Mapping[str, Any]) -> Iterator[Finding]:
    for result in objects(report.get("Results")):
        for each in objects(result.get("Vulnerabilities")):
            yield _finding(each.get("VulnerabilityID"), [each.get("Severity")])


def _stated(value: Any) -> list[Any]:
    """Return severities as in-toto's predicate writes them: objects of a method and a score."""
    if isinstance(value, (str, int, float)):
        return [value]
    return [each.get("score") for each in objects(value)]


def _finding(name: Any, severities: Iterable[Any]) -> Finding:
    """Return a finding; of several severities the worst that is known counts."""
    ranks = [rank for rank in map(_rank, severities) if rank is not None]
    rank = max(ranks, default=_UNKNOWN)
    word = SEVERITIES[rank] if 0 <= rank < _UNKNOWN else "unknown" if rank > 0 else "none"
    return Finding(name if isinstance(name, str) else "", word, rank)


def _rank(severity: Any) -> int | None:
    """Return how bad a word or a CVSS score is; None if it is neither."""
    if isinstance(severity, bool):
        return None
    if isinstance(severity, str):
        word = severity.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        try:
            severity = float(word) if len(word) <= 8 else None
        except ValueError:
            return None
    if not isinstance(severity, (int, float)) or not 0 <= severity <= 10:
        return None
    return -1 if not severity else next(rank for floor, rank in _BANDS if severity >= floor)


def open_findings(statement: Statement, level: str, answers: Mapping[str, str]) -> list[Finding]:
    """Return the findings of a severity, or above it, that nobody answered.

    Args:
        statement: Of vulnerabilities.
        level: The lowest severity that matters, one of `SEVERITIES`.
        answers: From the name of a vulnerability to the status that VEX gives it.

    Raises:
        EvidenceFormUnknown: It is of a type, or of a scanner, that is not known here.
    """
    least = SEVERITIES.index(level)
    return [
        each
        for each in findings_of(statement)
        if each.rank >= least and answers.get(each.name) not in ANSWERED
    ]


# --- VEX -----------------------------------------------------------------------------------------


def answers_of(documents: Iterable[Any]) -> dict[str, str]:
    """Return what OpenVEX documents say: from each name of a vulnerability to its newest status.

    A status without a time is older than any with one; of two of one moment the worse counts.
    """
    found: dict[str, tuple[int, int, str]] = {}
    for document in documents:
        stated = dig(document, "timestamp")
        for each in objects(dig(document, "statements")):
            status = each.get("status")
            if not isinstance(status, str):
                continue
            moment = _seconds(each.get("last_updated") or each.get("timestamp") or stated)
            answer = (moment, status not in ANSWERED, status)
            for name in _names(each.get("vulnerability")):
                found[name] = max(found.get(name, answer), answer)
    return {name: status for name, (_, _, status) in found.items()}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    aliases = dig(value, "aliases")
    for name in (dig(value, "name"), dig(value, "@id"), *(aliases if _is_list(aliases) else ())):
        if isinstance(name, str):
            yield name


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _seconds(text: Any) -> int:
    seconds = seconds_of(text)
    return -1 if seconds is None else seconds
