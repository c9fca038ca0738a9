"""The report as JSON, of manifests/schema/report.v1.json."""

from __future__ import annotations

from verifier import __version__
from verifier.core.lists import DATA
from verifier.show.fingerprint import fingerprint
from verifier.show.report import VERDICTS, Report
from verifier.typed import Any

REPORT_TYPE = "https://offline-kit.example/report/v1"


def report_value(report: Report) -> dict[str, Any]:
    """Return the report as JSON of manifests/schema/report.v1.json."""
    opened = report.opened
    index = opened.index
    root, reached = report.effective, opened.reached
    return {
        "type": REPORT_TYPE,
        "verifier": __version__,
        "verdict": VERDICTS[report.status],
        "exitStatus": int(report.status),
        "authenticated": report.authenticated,
        "kit": _kit_value(report),
        "kitId": opened.kit_id,
        "contentId": opened.content_id,
        "root": None
        if root is None or report.root is None
        else {
            "version": root.version,
            "expires": root.expires,
            "pinned": report.root.version,
            "steps": list(reached.steps) if reached is not None else [],
            "kitVersion": reached.kit_version if reached is not None else None,
        },
        "signatures": _signatures_value(report),
        "proof": report.proof,
        "container": "tar" if opened.plain else "tar.zst",
        "decoder": opened.decoder or None,
        "members": None
        if index is None
        else {"count": len(index), "payload": index.count(DATA), "bytes": sum(index.sizes)},
        "checked": list(report.checked),
        "notChecked": list(report.not_checked),
        "findings": [
            {"code": fault.code, "where": fault.where, "message": fault.message, "fix": fault.fix}
            for fault in report.faults
        ],
        "trust": _trust_value(report),
        "extractedTo": report.extracted or None,
        "noted": list(report.opened.noted),
    }


def _trust_value(report: Report) -> dict[str, Any] | None:
    if report.host is None:
        return None
    from verifier.show.host import host_value  # here: mostly there is none

    return host_value(report.host)


def _kit_value(report: Report) -> dict[str, Any] | None:
    kit, manifest = report.kit, report.opened.manifest or report.opened.claims
    if kit is None or manifest is None:
        return None
    return {
        "name": kit.name,
        "version": kit.version,
        "line": kit.line,
        "sequence": kit.sequence,
        "created": kit.created,
        "expires": kit.expires or None,
        "summary": kit.summary,
        "components": [
            {
                "id": component.id,
                "version": component.version,
                "paths": list(component.paths),
                "lands": component.lands,
                "placeholder": component.placeholder or None,
                "kind": component.kind or None,
                "owner": component.owner or None,
            }
            for component in manifest.components
        ],
        "exemptions": [
            {"paths": list(item.paths), "reason": item.reason} for item in manifest.exemptions
        ],
    }


def _signatures_value(report: Report) -> dict[str, Any] | None:
    signing = report.opened.signing
    root = report.effective
    if signing is None or root is None:
        return None
    return {
        "threshold": root.targets.threshold,
        "signers": signing.signers,
        "valid": [
            {
                "keyid": keyid,
                "signer": signer,
                "fingerprint": fingerprint(root.targets.keys[keyid]),
            }
            for keyid, signer in sorted(signing.valid.items())
        ],
        "invalid": list(signing.invalid),
        "unknown": list(signing.unknown),
        "notEvaluated": sorted(signing.not_evaluated),
    }
