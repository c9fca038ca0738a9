"""Reads what scanners found: grype and trivy as JSON, vulns predicates, CycloneDX vulnerabilities.

What has another shape than it should is passed over.  A severity that is none of the known words is
``unknown``, which whoever compares severities takes for the worst (fail closed).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from verifier.evidence.sbom import cyclonedx_components, objects, text
from verifier.typed import Any, record

SEVERITIES = ("negligible", "low", "medium", "high", "critical", "unknown")  # the last is the worst
PREDICATES = (
    "https://in-toto.io/attestation/vulns/v0.2",
    "https://in-toto.io/attestation/vulns/v0.1",
    "https://in-toto.io/attestation/vulns",
    "https://cosign.sigstore.dev/attestation/vuln/v1",
)
_DIGEST = re.compile("sha256:[0-9a-f]{64}$")
_WORDS = {"none": "negligible", "info": "negligible", "informational": "negligible"}
_WORDS.update({"moderate": "medium", "important": "high"})
_BANDS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"), (0.0, "negligible"))


@record(frozen=True)
class Vulnerability:
    """One finding of a scanner.

    Attributes:
        aliases: Other names of it, sorted.
        severity: One of `SEVERITIES`.
        purl: Of the package it is in; empty if nothing says so.
        fixed_in: Versions without it, as written; empty for none.
    """

    id: str
    aliases: tuple[str, ...]
    severity: str
    package: str
    version: str
    purl: str
    fixed_in: str


@record(frozen=True)
class Scan:
    """What one scanner says.

    Attributes:
        database: Of when its knowledge is, as written; empty if nothing says so.
        about: ``sha256:HEX`` of what was scanned, under each name that the document gives it.
    """

    scanner: str
    database: str
    found: tuple[Vulnerability, ...]
    about: tuple[str, ...] = ()


def severity_of(value: Any) -> str:
    """Return the word for a severity: a word of some scanner, or a CVSS score as number or text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _band(float(value))
    word = text(value).strip().lower()
    word = _WORDS.get(word, word)
    if word in SEVERITIES:
        return word
    try:
        return _band(float(word))
    except ValueError:
        return "unknown"


def _band(score: float) -> str:
    """Return the band of a CVSS score (CVSS 3.1, 5)."""
    if not 0.0 <= score <= 10.0:
        return "unknown"
    return next(word for least, word in _BANDS if score >= least)


def read_scan(value: Any, predicate_type: str = "") -> Scan | None:
    """Return what a parsed document found; None if it is no scan that is known here.

    Args:
        value: The document, or the predicate of a statement.
        predicate_type: That of the statement; empty for a document.
    """
    if not isinstance(value, dict):
        return None
    if predicate_type in PREDICATES:
        return _predicate(value)
    if isinstance(value.get("matches"), list) and isinstance(value.get("descriptor"), dict):
        return _grype(value)
    if "SchemaVersion" in value and ("Results" in value or "ArtifactName" in value):
        return _trivy(value)
    if value.get("bomFormat") == "CycloneDX" and isinstance(value.get("vulnerabilities"), list):
        return _cyclonedx(value)
    return None


def _texts(value: Any) -> list[str]:
    return [one for one in map(text, value) if one] if isinstance(value, list) else []


def _inner(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _aliases(names: Iterable[str], own: str) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name and name != own}))


# --- grype and trivy ---------------------------------------------------------------------------


def _grype(value: Mapping[str, Any]) -> Scan:
    found = []
    for _, match in objects(value["matches"]):
        about, package = match.get("vulnerability"), match.get("artifact")
        if not isinstance(about, dict) or not isinstance(package, dict):
            continue
        name = text(about.get("id"))
        related = [text(one.get("id")) for _, one in objects(match.get("relatedVulnerabilities"))]
        found.append(
            Vulnerability(
                name,
                _aliases(related, name),
                severity_of(about.get("severity")),
                text(package.get("name")),
                text(package.get("version")),
                text(package.get("purl")),
                ", ".join(_texts(_inner(about, "fix", "versions"))),
            )
        )
    tool = value["descriptor"]
    built = _inner(tool, "db", "status", "built") or _inner(tool, "db", "built")
    target = _inner(value, "source", "target")
    names = [_inner(target, "manifestDigest"), _inner(target, "imageID")]
    repeated = _texts(_inner(target, "repoDigests"))
    called = f"{text(tool.get('name'))} {text(tool.get('version'))}"
    return Scan(called, text(built), tuple(found), _digests([*names, *repeated]))


def _digests(names: Iterable[Any]) -> tuple[str, ...]:
    """Return the digests at the end of names such as ``image@sha256:HEX``, each once."""
    found = (_DIGEST.search(text(name)) for name in names)
    return tuple(sorted({one[0] for one in found if one}))


def _trivy(value: Mapping[str, Any]) -> Scan:
    found = []
    for _, result in objects(value.get("Results")):
        for _, item in objects(result.get("Vulnerabilities")):
            name = text(item.get("VulnerabilityID"))
            found.append(
                Vulnerability(
                    name,
                    _aliases(_texts(item.get("VendorIDs")), name),
                    severity_of(item.get("Severity")),
                    text(item.get("PkgName")),
                    text(item.get("InstalledVersion")),
                    text(_inner(item, "PkgIdentifier", "PURL")),
                    text(item.get("FixedVersion")),
                )
            )
    version = text(_inner(value, "Trivy", "Version"))
    about = value.get("Metadata")
    names = [_inner(about, "ImageID"), *_texts(_inner(about, "RepoDigests"))]
    return Scan(f"trivy {version}".strip(), "", tuple(found), _digests(names))


# --- predicates and CycloneDX ------------------------------------------------------------------


def _predicate(value: Mapping[str, Any]) -> Scan | None:
    """Return what a vulns predicate of in-toto or of cosign says.

    A package stands in no field of the predicate; it is looked for in the annotations.
    """
    scanner = value.get("scanner")
    if not isinstance(scanner, dict):
        return None
    called = f"{text(scanner.get('uri'))} {text(scanner.get('version'))}".strip()
    database = text(_inner(scanner, "db", "lastUpdate"))
    result = scanner.get("result")
    if isinstance(result, dict):  # cosign carries the scanner's own report
        raw = read_scan(result)
        found = raw.found if raw is not None else ()
        about = raw.about if raw is not None else ()
        return Scan(called, database or (raw.database if raw is not None else ""), found, about)
    return Scan(called, database, tuple(_result(item) for _, item in objects(result)))


def _result(item: Mapping[str, Any]) -> Vulnerability:
    given = item.get("severity")
    scores = [one.get("score") for _, one in objects(given)] or [given]
    notes: dict[str, Any] = {}
    annotations = item.get("annotations")
    for one in annotations if isinstance(annotations, list) else [annotations]:
        if isinstance(one, dict):
            notes.update(one)
    aliases = _texts(notes.get("aliases"))
    return Vulnerability(
        text(item.get("id")),
        _aliases(aliases, text(item.get("id"))),
        max(map(severity_of, scores), key=SEVERITIES.index),
        text(notes.get("package")) or text(notes.get("name")),
        text(notes.get("version")),
        text(notes.get("purl")),
        text(notes.get("fixedIn")) or ", ".join(_texts(notes.get("fixedIn"))),
    )


def _cyclonedx(value: dict[str, Any]) -> Scan:
    parts = {text(item.get("bom-ref")): item for _, item in cyclonedx_components(value)}
    found = []
    for _, item in objects(value["vulnerabilities"]):
        name = text(item.get("id"))
        ratings = [
            one.get("severity") or one.get("score") for _, one in objects(item.get("ratings"))
        ]
        worst = max(map(severity_of, ratings or [None]), key=SEVERITIES.index)
        names = [text(one.get("id")) for _, one in objects(item.get("references"))]
        refs = [text(one.get("ref")) for _, one in objects(item.get("affects"))]
        for ref in refs or [""]:
            part = parts.get(ref, {})
            found.append(
                Vulnerability(
                    name,
                    _aliases(names, name),
                    worst,
                    text(part.get("name")) or ref,
                    text(part.get("version")),
                    text(part.get("purl")),
                    "",
                )
            )
    return Scan("CycloneDX", "", tuple(found))
