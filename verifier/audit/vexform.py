"""The findings of a kit's scans with their answers, as one OpenVEX 0.2 document.

It says what the kit's evidence says, and adds nothing: a finding that nobody answered is under
investigation.  Its date is that of the kit or of the newest answer, so that the same kit gives the
same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from verifier import __version__
from verifier.audit.model import Answer, Audit, VulnerabilityRow
from verifier.evidence.vex import moment
from verifier.typed import Any

CONTEXT = "https://openvex.dev/ns/v0.2.0"
_UNKNOWN = "1970-01-01T00:00:00Z"
_JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)


def audit_vex(audit: Audit) -> bytes:
    """Return the OpenVEX document."""
    kit = audit.report.kit
    created = kit.created if kit is not None else _UNKNOWN
    name = f"{kit.name} {kit.version}" if kit is not None else "a kit"
    statements = list(_statements(audit, created))
    times = [created, *(item["timestamp"] for item in statements)]
    body = json.dumps(statements, sort_keys=True).encode()
    digest = hashlib.sha256((audit.report.opened.kit_id or "").encode() + body).hexdigest()
    value = {
        "@context": CONTEXT,
        "@id": f"https://offline-kit.example/vex/{digest}",
        "author": f"kit-verify {__version__}, from the evidence of {name}",
        "timestamp": max(times, key=moment),
        "version": 1,
        "statements": statements,
    }
    return json.dumps(value, indent=1, sort_keys=True).encode("ascii") + b"\n"


def _statements(audit: Audit, created: str) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for row in audit.vulnerabilities:
        proved = [answer for answer in row.answers if answer.by]
        made = _statement(row, proved[0] if proved else None, created)
        text = json.dumps(made, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield made


def _statement(row: VulnerabilityRow, answer: Answer | None, created: str) -> dict[str, Any]:
    product = row.purl or f"{row.package}@{row.version}"
    vulnerability: dict[str, Any] = {"name": row.id}
    if row.aliases:
        vulnerability["aliases"] = list(row.aliases)
    made: dict[str, Any] = {
        "vulnerability": vulnerability,
        "products": [{"@id": product}],
        "timestamp": created,
        "status": "under_investigation",
    }
    if answer is None:
        return made
    made["status"] = answer.status
    if moment(answer.at) > float("-inf"):
        made["timestamp"] = answer.at
    made["status_notes"] = f"said by {answer.by} in {answer.path}"
    if answer.status == "not_affected":
        if answer.justification in _JUSTIFICATIONS:
            made["justification"] = answer.justification
        if answer.statement or "justification" not in made:
            made["impact_statement"] = answer.statement or "no reason is given"
    elif answer.status == "affected":
        made["action_statement"] = answer.statement or "no action is named"
    return made
