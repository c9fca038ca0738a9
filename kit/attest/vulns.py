"""Findings of scanners as `https://in-toto.io/attestation/vulns/v0.2` has them: grype and trivy.

What a scanner was told to pass over is a finding all the same: whether it counts is for those who
answer in VEX, and for the policy that names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from kit.attest.errors import DatabaseUndated, ReportMalformed, ReportTooLarge, ReportUnknown
from kit.attest.inputs import Input, moment
from kit.attest.model import Made

VULNS = "https://in-toto.io/attestation/vulns/v0.2"
MAX_FINDINGS = 100_000
_VERSION = re.compile(r"[\w.+-]{1,80}", re.ASCII)
_GRYPE = "pkg:github/anchore/grype"
_TRIVY = "pkg:github/aquasecurity/trivy"


def vulns(given: Sequence[Input]) -> Made:
    """Return the predicate of a scan.

    Args:
        given: The report of grype or trivy; of trivy also what it says of its database.

    Raises:
        ReportUnknown: There is not exactly one report that is known.
        ReportMalformed: It is not of its form.
        ReportTooLarge: It has more findings than anybody reads.
        DatabaseUndated: Nothing says of when the database was.
    """
    scan: dict[str, Any] | None = None
    database: dict[str, Any] | None = None
    where = given[0].where
    for item in given:
        value = item.object()
        if _is_database(value):
            database = value
        elif scan is None and ("matches" in value or "SchemaVersion" in value):
            scan, where = value, item.where
        else:
            raise ReportUnknown("is no report of grype or trivy, or is a second", where=item.where)
    if scan is None:
        raise ReportUnknown("is no report of grype or trivy", where=where)
    read = _Scan(scan, where)
    scanner = read.grype() if "matches" in scan else read.trivy(database)
    result = sorted(scanner.pop("result"), key=lambda item: (item["id"], str(item)))
    scanned = scanner.pop("scanned")
    if not scanned:
        raise ReportMalformed("does not say when it was made", where=where)
    metadata = {"scanStartedOn": scanned, "scanFinishedOn": scanned}
    updated = scanner["db"]["lastUpdate"]
    notes = (f"{len(result)} findings, with a database of {updated}",)
    return Made(VULNS, {"scanner": {**scanner, "result": result}, "metadata": metadata}, notes)


def _is_database(value: dict[str, Any]) -> bool:
    """Whether this is `trivy version --format json`, or the metadata.json of its database."""
    return "SchemaVersion" not in value and ("VulnerabilityDB" in value or "UpdatedAt" in value)


def _purl(name: str, version: str) -> str:
    """Return the package URL of a scanner; one built by hand may say anything of its version."""
    return f"{name}@{version}" if _VERSION.fullmatch(version) else name


class _Scan:
    """A report, whose fields are asked for by name."""

    def __init__(self, value: dict[str, Any], where: str) -> None:
        self._value, self._where = value, where

    def _list(self, value: Any, name: str) -> list[dict[str, Any]]:
        """Return an array of objects; absent and null are empty, as Go writes them."""
        found = value.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise ReportMalformed(f"{name} is no array of objects", where=self._where)
        if len(found) > MAX_FINDINGS:
            raise ReportTooLarge(f"has more than {MAX_FINDINGS} findings", where=self._where)
        return found

    def _text(self, value: dict[str, Any], name: str) -> str:
        found = value.get(name, "")
        if not isinstance(found, str):
            raise ReportMalformed(f"{name} is no string", where=self._where)
        return found

    def _object(self, value: dict[str, Any], name: str) -> dict[str, Any]:
        found = value.get(name)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise ReportMalformed(f"{name} is no object", where=self._where)
        return found

    def _undated(self) -> DatabaseUndated:
        return DatabaseUndated("does not say of when its database was", where=self._where)

    # --- grype ---------------------------------------------------------------------------

    def grype(self) -> dict[str, Any]:
        """Return what grype found (its schema of JSON, since 0.7)."""
        made = self._object(self._value, "descriptor")
        version = self._text(made, "version")
        database = self._object(made, "db")
        status = self._object(database, "status") or database  # since 0.88 one level below
        updated = moment(status.get("built"))
        if not updated:
            raise self._undated()
        return {
            "uri": _purl(_GRYPE, version),
            "version": version,
            "db": {
                "uri": self._text(status, "from") or _GRYPE,
                "version": str(status.get("schemaVersion", "")),
                "lastUpdate": updated,
            },
            "result": list(self._grype_findings()),
            "scanned": moment(made.get("timestamp")),
        }

    def _grype_findings(self) -> Iterator[dict[str, Any]]:
        for name in ("matches", "ignoredMatches"):
            for match in self._list(self._value, name):
                found = self._object(match, "vulnerability")
                artifact = self._object(match, "artifact")
                fix = self._object(found, "fix")
                versions = fix.get("versions") or []
                yield self._finding(
                    self._text(found, "id"),
                    [("grype", self._text(found, "severity")), *self._grype_scores(found)],
                    purl=self._text(artifact, "purl"),
                    package=self._text(artifact, "name"),
                    version=self._text(artifact, "version"),
                    fixedIn=", ".join(map(str, versions)) if isinstance(versions, list) else "",
                    ignored="yes" if name == "ignoredMatches" else "",
                )

    def _grype_scores(self, found: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for score in self._list(found, "cvss"):
            metrics = self._object(score, "metrics")
            if isinstance(metrics.get("baseScore"), (int, float)):
                yield f"CVSS:{self._text(score, 'version')}", str(metrics["baseScore"])

    # --- trivy ---------------------------------------------------------------------------

    def trivy(self, database: dict[str, Any] | None) -> dict[str, Any]:
        """Return what trivy found (its schema of JSON, version 2)."""
        if self._value.get("SchemaVersion") != 2:
            raise ReportUnknown("is of a version of trivy's report but 2", where=self._where)
        about = database or self._object(self._value, "Trivy")
        known = self._object(about, "VulnerabilityDB") or about
        updated = moment(known.get("UpdatedAt"))
        if not updated:
            raise self._undated()
        version = self._text(about, "Version") if isinstance(about.get("Version"), str) else ""
        version = version or self._text(self._object(self._value, "Trivy"), "Version")
        return {
            "uri": _purl(_TRIVY, version),
            "version": version,
            "db": {
                "uri": "pkg:github/aquasecurity/trivy-db",
                "version": str(known.get("Version", "")),
                "lastUpdate": updated,
            },
            "result": list(self._trivy_findings()),
            "scanned": moment(self._value.get("CreatedAt")),
        }

    def _trivy_findings(self) -> Iterator[dict[str, Any]]:
        for result in self._list(self._value, "Results"):
            for found in self._list(result, "Vulnerabilities"):
                yield self._trivy_finding(found, "")
            for changed in self._list(result, "ExperimentalModifiedFindings"):
                if changed.get("Type") == "vulnerability":
                    yield self._trivy_finding(self._object(changed, "Finding"), "yes")

    def _trivy_finding(self, found: dict[str, Any], ignored: str) -> dict[str, Any]:
        scores = []
        for source, score in sorted(self._object(found, "CVSS").items()):
            for name in ("V40Score", "V3Score", "V2Score"):
                if isinstance(score, dict) and isinstance(score.get(name), (int, float)):
                    scores.append((f"CVSS:{name[1:-5]} {source}", str(score[name])))
        return self._finding(
            self._text(found, "VulnerabilityID"),
            [("trivy", self._text(found, "Severity")), *scores],
            purl=self._text(self._object(found, "PkgIdentifier"), "PURL"),
            package=self._text(found, "PkgName"),
            version=self._text(found, "InstalledVersion"),
            fixedIn=self._text(found, "FixedVersion"),
            ignored=ignored,
        )

    def _finding(
        self, name: str, severity: Sequence[tuple[str, str]], **more: str
    ) -> dict[str, Any]:
        if not name:
            raise ReportMalformed("has a finding without an identifier", where=self._where)
        words = [{"method": method, "score": score or "unknown"} for method, score in severity]
        said = [{key: value} for key, value in sorted(more.items()) if value]
        return {"id": name, "severity": words, "annotations": said}
