"""What stands against a kit as SARIF 2.1.0 (OASIS), for the dashboards that read it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from verifier import __version__
from verifier.audit.model import OPEN, Audit
from verifier.audit.tables import shown
from verifier.show.reportvalue import report_value
from verifier.typed import Any

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 5_000  # a code scanning service takes no more of one run; the JSON has all
_LEVELS = {"critical": "error", "high": "error", "unknown": "error", "medium": "warning"}
_OUTCOMES = {"failed": "error", "undecided": "error", "let pass": "warning", "noted": "note"}
_RULES = {
    "decision": "What a root of trust or a policy asks of a kit",
    "vulnerability": "A finding of a scanner that no VEX answers",
    "attestation": "A signature that is not good",
    "sbom-coverage": "What no SBOM describes, or what one describes and the kit does not carry",
    "not-checked": "What nobody has looked at in this run",
}


def audit_sarif(audit: Audit) -> bytes:
    """Return the audit as SARIF: one run, a result for each thing that stands against the kit."""
    found = list(_results(audit))
    report = report_value(audit.report)
    kit = report["kit"]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "kit-verify",
                "version": __version__,
                "rules": [
                    {"id": name, "shortDescription": {"text": text}}
                    for name, text in _RULES.items()
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": found[:MAX_RESULTS],
        "properties": {
            "verdict": report["verdict"],
            "kitId": report["kitId"] or "",
            "kit": f"{kit['name']} {kit['version']}" if kit is not None else "",
            "resultsLeftOut": max(0, len(found) - MAX_RESULTS),
        },
    }
    value = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(value, indent=1, sort_keys=True).encode("ascii") + b"\n"


def _results(audit: Audit) -> Iterator[dict[str, Any]]:
    for decision in audit.decisions:
        if decision.outcome in _OUTCOMES:
            code = f"{decision.code}: " if decision.code else ""
            text = f"{decision.rule}: {code}{decision.message}"
            yield _result("decision", _OUTCOMES[decision.outcome], text, decision.about)
    for row in audit.vulnerabilities:
        if row.status == OPEN:
            text = f"{row.id} ({row.severity}) in {row.package} {row.version}"
            yield _result("vulnerability", _LEVELS.get(row.severity, "note"), text, row.path)
    for signature in audit.attestations:
        if signature.verdict == "bad":
            text = f"{signature.code}: {signature.message}"
            yield _result("attestation", "warning", text, signature.path)
    if audit.coverage is not None:
        for path in audit.coverage.uncovered:
            yield _result("sbom-coverage", "note", "no SBOM describes it", path)
        for text in audit.coverage.absent:
            yield _result("sbom-coverage", "note", f"described and not there: {text}", "")
    for item in audit.not_checked:
        yield _result("not-checked", "note", f"{item.what}: {item.why}", "")


def _result(rule: str, level: str, text: str, path: str) -> dict[str, Any]:
    """Return a result; where it is about a member, its place is that path in the kit."""
    made: dict[str, Any] = {"ruleId": rule, "level": level, "message": {"text": shown(text)}}
    made["locations"] = [{"logicalLocations": [{"fullyQualifiedName": shown(path or "the kit")}]}]
    return made
