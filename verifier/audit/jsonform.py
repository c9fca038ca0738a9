"""An audit as JSON of manifests/schema/audit.v1.json: the whole of it, the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Iterator

from verifier.audit.model import AUDIT_TYPE, Audit
from verifier.show.reportvalue import report_value
from verifier.typed import Any

_PARTS = (
    *("decisions", "components", "images", "sboms", "packages", "coverage", "attestations"),
    *("vulnerabilities", "documents", "not_checked"),
)
_SPELLED: dict[str, str] = {}  # names of fields in the spelling of JSON


def audit_value(audit: Audit) -> dict[str, Any]:
    """Return the audit as a value; ``report`` in it is what ``verify --json`` prints."""
    return {**_head(audit), **{_camel(name): plain_value(getattr(audit, name)) for name in _PARTS}}


def _head(audit: Audit) -> dict[str, Any]:
    report = report_value(audit.report)
    return {
        "type": AUDIT_TYPE,
        "verdict": report["verdict"],
        "exitStatus": report["exitStatus"],
        "report": report,
    }


def audit_bytes(audit: Audit) -> bytes:
    """Return the audit as text: what ``--json`` prints and ``approve`` signs."""
    return "".join(audit_pieces(audit)).encode("ascii")


def audit_pieces(audit: Audit) -> Iterator[str]:
    """Yield the audit as text, a row a line: it may have a hundred thousand."""
    head = json.dumps(_head(audit), indent=1, sort_keys=True)[:-2]
    for name in _PARTS:
        yield f'{head},\n "{_camel(name)}": '
        head = ""
        part = getattr(audit, name)
        if not isinstance(part, list):
            yield json.dumps(plain_value(part), sort_keys=True)
            continue
        before = "[\n  "
        for row in part:
            yield before + json.dumps(plain_value(row), sort_keys=True)
            before = ",\n  "
        yield "\n ]" if part else "[]"
    yield "\n}\n"


def plain_value(item: Any) -> Any:
    """Return rows as objects of JSON, with their names in its spelling."""
    if isinstance(item, (list, tuple)):
        return [plain_value(one) for one in item]
    names = getattr(item, "__match_args__", None)
    if names is None:
        return item
    return {_camel(name): plain_value(getattr(item, name)) for name in names}


def _camel(name: str) -> str:
    if name not in _SPELLED:
        first, *others = name.split("_")
        _SPELLED[name] = first + "".join(map(str.capitalize, others))
    return _SPELLED[name]
