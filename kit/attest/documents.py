"""Predicates that are documents already: SBOMs, VEX, provenance, a release, or any other."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from packageurl import PackageURL

from kit.attest.errors import PredicateInvalid, ReportMalformed
from kit.attest.inputs import Input, moment
from kit.attest.model import Made

SPDX = "https://spdx.dev/Document"
CYCLONEDX = "https://cyclonedx.org/bom"
REFERENCE = "https://in-toto.io/attestation/reference/v0.1"
VEX = "https://openvex.dev/ns"
PROVENANCE = "https://slsa.dev/provenance/v1"
RELEASE = "https://in-toto.io/attestation/release/v0.2"
INLINE = 4 << 20  # bytes up to which an SBOM is put into the statement
ATTESTER = "https://offline-kit.example/attest/v1"
_MEDIA = {"SPDX": "application/spdx+json", "CycloneDX": "application/vnd.cyclonedx+json"}
_STATUSES = ("not_affected", "affected", "fixed", "under_investigation")
_JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)


def only(given: Sequence[Input]) -> Input:
    """Return the only file.

    Raises:
        ReportMalformed: There are several.
    """
    if len(given) != 1:
        raise ReportMalformed("this type is made of one file", where=given[1].where)
    return given[0]


def any_predicate(given: Sequence[Input], predicate_type: str) -> Made:
    """Return a predicate as somebody wrote it; nothing of it is judged but that it is JSON."""
    return Made(predicate_type, only(given).object())


# --- SBOMs -----------------------------------------------------------------------------------


def sbom(given: Sequence[Input]) -> Made:
    """Return an SBOM as a predicate; of a large one its digest.

    Raises:
        KitError: It is a bad SBOM; `kit.sbom.check` says why.
    """
    from kit.sbom.check import check_sbom  # its libraries take a tenth of a second

    item = only(given)
    checked = check_sbom(item.data, item.where)
    if checked.errors:
        raise checked.errors[0]
    if len(item.data) <= INLINE:
        return Made(SPDX if checked.format == "SPDX" else CYCLONEDX, item.object())
    digest = bytes.fromhex(item.sha256)
    place = base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
    reference = {
        "name": item.path.name,
        "downloadLocation": f"ni:///sha-256;{place}",  # RFC 6920: what it is, wherever it lies
        "digest": {"sha256": item.sha256},
        "mediaType": _MEDIA[checked.format],
    }
    predicate = {"attester": {"id": ATTESTER}, "references": [reference]}
    return Made(REFERENCE, predicate, (f"{item.where} is large: it is named by its digest",))


# --- VEX -------------------------------------------------------------------------------------


def vex(given: Sequence[Input]) -> Made:
    """Return an OpenVEX document as a predicate (OpenVEX 0.2.0).

    Raises:
        PredicateInvalid: It lacks what the specification requires.
    """
    item = only(given)
    value = item.object()
    rules = _Rules(item.where)
    context = rules.text(value, "@context", "")
    if not context.startswith(VEX):
        raise rules.wrong(f"@context is {context[:60]!r}, which is not OpenVEX's")
    for name in ("@id", "author"):
        rules.text(value, name, "")
    if not moment(value.get("timestamp")):
        raise rules.wrong("timestamp is no time with a zone")
    if type(value.get("version")) is not int:
        raise rules.wrong("version is no number")
    statements = rules.array(value, "statements", "")
    if not statements:
        raise rules.wrong("statements is empty")
    for number, statement in enumerate(statements):
        _check_vex(statement, rules, f"statements[{number}]")
    return Made(VEX, value, (f"{len(statements)} statements of {value['author'][:100]!r}",))


def _check_vex(statement: Any, rules: _Rules, place: str) -> None:
    if not isinstance(statement, dict):
        raise rules.wrong(f"{place} is no object")
    named = statement.get("vulnerability")
    if isinstance(named, dict):  # older ones have a string, and some tools only the @id
        named = named.get("name") or named.get("@id")
    if not isinstance(named, str) or not named:
        raise rules.wrong(f"{place}.vulnerability has no name")
    status = rules.text(statement, "status", place)
    if status not in _STATUSES:
        raise rules.wrong(f"{place}.status is {status[:40]!r}")
    justification = statement.get("justification")
    if justification is not None and justification not in _JUSTIFICATIONS:
        raise rules.wrong(f"{place}.justification is {str(justification)[:60]!r}")
    if status == "not_affected" and not justification and not statement.get("impact_statement"):
        raise rules.wrong(f"{place} is not_affected without a reason")
    if status == "affected" and not statement.get("action_statement"):
        raise rules.wrong(f"{place} is affected and says nothing to do")


# --- provenance and release ------------------------------------------------------------------


def provenance(given: Sequence[Input]) -> Made:
    """Return SLSA provenance as a predicate (slsa.dev/spec/v1.0/provenance).

    Args:
        given: The predicate, and a kit.lock if what it names are the resolved dependencies.

    Raises:
        PredicateInvalid: It lacks what the specification requires.
        SpecInvalid: The lock is none.
    """
    locks = [item for item in given if item.path.suffix == ".lock"]
    item = only([each for each in given if each not in locks] or given)
    value = item.object()
    rules = _Rules(item.where)
    built = rules.object(value, "buildDefinition", "")
    if locks:
        if "resolvedDependencies" in built:
            raise rules.wrong("resolvedDependencies are there already, beside a lock")
        built["resolvedDependencies"] = locked_dependencies(only(locks))
    rules.uri(built, "buildType", "buildDefinition")
    rules.object(built, "externalParameters", "buildDefinition")
    run = rules.object(value, "runDetails", "")
    rules.uri(rules.object(run, "builder", "runDetails"), "id", "runDetails.builder")
    if "resolvedDependencies" in built:
        place = "buildDefinition.resolvedDependencies"
        for number, each in enumerate(rules.array(built, "resolvedDependencies", place)):
            if not isinstance(each, dict) or not {"uri", "digest", "content"} & set(each):
                raise rules.wrong(f"{place}[{number}] has neither uri, digest nor content")
    metadata = run.get("metadata")
    for name in ("startedOn", "finishedOn"):
        told = metadata.get(name) if isinstance(metadata, dict) else None
        if told is not None and not moment(told):
            raise rules.wrong(f"runDetails.metadata.{name} is no time with a zone")
    return Made(PROVENANCE, value)


def locked_dependencies(item: Input) -> list[dict[str, Any]]:
    """Return what a lock names, each by its digest, and by its package URL where it has one.

    The lock itself is none of them: a policy may ask that all materials are in the lock.

    Raises:
        LockInvalid: It is no lock.
    """
    from kit.sources.lockfile import parse_lock  # here: reading TOML takes libraries

    lock = parse_lock(item.data, where=item.where)
    found: list[dict[str, Any]] = []
    for image in lock.images:
        found.append({"name": image.path, "digest": {"sha256": image.sha256}})
    for artifact in lock.artifacts:
        digest = {"sha256": artifact.sha256}
        if artifact.commit is not None:
            digest["gitCommit"] = artifact.commit
        named = {"uri": artifact.purl} if artifact.purl is not None else {}
        found.append({"name": artifact.path, "digest": digest, **named})
    return found


def release(given: Sequence[Input]) -> Made:
    """Return the record of a release as a predicate (in-toto's release v0.2).

    Raises:
        PredicateInvalid: It lacks what the specification requires.
    """
    item = only(given)
    value = item.object()
    rules = _Rules(item.where)
    purl = rules.text(value, "purl", "")
    try:
        versioned = bool(PackageURL.from_string(purl).version)
    except ValueError:
        raise rules.wrong(f"purl {purl[:100]!r} is no package URL") from None
    if not versioned:
        raise rules.wrong(f"purl {purl[:100]!r} names no version")
    if "releaseId" in value:
        raise rules.wrong("releaseId is called packageId since v0.2")
    return Made(RELEASE, value)


class _Rules:
    """Fields of a predicate, asked for by name and type."""

    def __init__(self, where: str) -> None:
        self._where = where

    def wrong(self, what: str) -> PredicateInvalid:
        """Return the error about a field."""
        return PredicateInvalid(what, where=self._where)

    def text(self, value: dict[str, Any], name: str, place: str) -> str:
        """Return a string that is not empty."""
        found = value.get(name)
        if not isinstance(found, str) or not found:
            raise self.wrong(f"{_dotted(place, name)} is no text")
        return found

    def uri(self, value: dict[str, Any], name: str, place: str) -> None:
        """Hold a field to be a URI with a scheme (in-toto, TypeURI)."""
        found = self.text(value, name, place)
        if ":" not in found or not found.isprintable() or " " in found:
            raise self.wrong(f"{_dotted(place, name)} is {found[:60]!r}, which is no URI")

    def object(self, value: dict[str, Any], name: str, place: str) -> dict[str, Any]:
        """Return an object."""
        found = value.get(name)
        if not isinstance(found, dict):
            raise self.wrong(f"{_dotted(place, name)} is no object")
        return found

    def array(self, value: dict[str, Any], name: str, place: str) -> list[Any]:
        """Return an array."""
        found = value.get(name)
        if not isinstance(found, list):
            raise self.wrong(f"{place or name} is no array")
        return found


def _dotted(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
