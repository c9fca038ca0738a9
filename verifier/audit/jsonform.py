"""An audit as JSON of manifests/schema/audit.v1.json: the whole of it, the same bytes each time."""

from __future__ import annotations

import json

from verifier.audit.model import AUDIT_TYPE, Audit
from verifier.show.report import report_value
from verifier.typed import Any

_PARTS = (
    *("decisions", "components", "images", "sboms", "packages", "coverage", "attestations"),
    *("vulnerabilities", "documents", "not_checked"),
)


def audit_value(audit: Audit) -> dict[str, Any]:
    """Return the audit as a value; ``report`` in it is what ``verify --json`` prints."""
    report = report_value(audit.report)
    value: dict[str, Any] = {
        "type": AUDIT_TYPE,
        "verdict": report["verdict"],
        "exitStatus": report["exitStatus"],
        "report": report,
    }
    for name in _PARTS:
        value[_camel(name)] = plain_value(getattr(audit, name))
    return value


def audit_bytes(audit: Audit) -> bytes:
    """Return the audit as text: what ``--json`` prints and ``approve`` signs."""
    text = json.dumps(audit_value(audit), indent=1, sort_keys=True, ensure_ascii=True)
    return text.encode("ascii") + b"\n"


def plain_value(item: Any) -> Any:
    """Return rows as objects of JSON, with their names in its spelling."""
    if isinstance(item, (list, tuple)):
        return [plain_value(one) for one in item]
    names = getattr(item, "__match_args__", None)
    if names is None:
        return item
    return {_camel(name): plain_value(getattr(item, name)) for name in names}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
