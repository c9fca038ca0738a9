"""Writes SBOMs: CycloneDX 1.6 or SPDX 2.3, the same bytes from the same parts on every host."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.sbom.values import Values

TOOL = "offline-kit"  # without its version: a newer one would make every document stale
_NAMESPACE = "https://offline-kit.example/spdx"  # a name, not an address (SPDX 2.3, 6.5)
_TYPES = frozenset(
    """application framework library container platform operating-system device device-driver
    firmware file machine-learning-model data cryptographic-asset""".split()
)
_CYCLONEDX_HASHES = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}
_SPDX_HASHES = {
    "md5": "MD5",
    "sha1": "SHA1",
    "sha256": "SHA256",
    "sha384": "SHA384",
    "sha512": "SHA512",
}
_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True)
class Part:
    """One element of a document to be written.

    Attributes:
        ref: Unique in the document.
        kind: A type of CycloneDX; what is ``file`` becomes a file in SPDX too, else a package.
        licence: An expression, or words.
        digests: From algorithm (``sha256``) to hexadecimal digits.
        properties: Names and values for CycloneDX.
    """

    ref: str
    kind: str
    name: str
    version: str = ""
    purl: str = ""
    licence: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Draft:
    """A document to be written.

    Attributes:
        root: What it is about.
        parts: Everything else, in the order of the document.
        edges: (ref, ref) for what the first needs or holds.
        created: ``YYYY-MM-DDTHH:MM:SSZ``; SPDX demands a time, and no clock is asked.
    """

    root: Part
    parts: Sequence[Part]
    edges: Iterable[tuple[str, str]]
    created: str


def write_cyclonedx(draft: Draft) -> bytes:
    """Return a document of CycloneDX 1.6."""
    needs: dict[str, set[str]] = {draft.root.ref: set()}
    for one, other in draft.edges:
        needs.setdefault(one, set()).add(other)
    value = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": TOOL}]},
            "component": _component(draft.root),
        },
        "components": [_component(part) for part in draft.parts],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(others)} for ref, others in sorted(needs.items())
        ],
    }
    return _encode({**value, "serialNumber": f"urn:uuid:{_number_of(_encode(value))}"})


def _number_of(data: bytes) -> str:
    """Return a UUID that follows from contents alone (RFC 9562 5.8)."""
    digits = hashlib.sha256(data).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def _component(part: Part) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": part.kind if part.kind in _TYPES else "library",
        "bom-ref": part.ref,
        "name": part.name,
    }
    if part.version:
        made["version"] = part.version
    if part.purl and not Values().bad_purls([part.purl]):
        made["purl"] = part.purl
    if part.licence and not Values().bad_licences([part.licence]):
        made["licenses"] = [{"expression": part.licence}]
    elif part.licence:
        made["licenses"] = [{"license": {"name": part.licence}}]
    hashes = _hashes(part, _CYCLONEDX_HASHES)
    if hashes:
        made["hashes"] = [{"alg": name, "content": value} for name, value in hashes]
    if part.properties:
        made["properties"] = [{"name": name, "value": value} for name, value in part.properties]
    return made


def write_spdx(draft: Draft) -> bytes:
    """Return a document of SPDX 2.3."""
    ids = {part.ref: _spdx_id(i, part) for i, part in enumerate([draft.root, *draft.parts])}
    packages = [part for part in [draft.root, *draft.parts] if part.kind != "file"]
    files = [part for part in draft.parts if part.kind == "file"]
    relationships = [_related("SPDXRef-DOCUMENT", "DESCRIBES", ids[draft.root.ref])]
    # not CONTAINS: a package that does takes a verification code over SHA-1 of its files (7.9)
    relationships += [
        _related(ids[one], "DEPENDS_ON", ids[other]) for one, other in sorted(set(draft.edges))
    ]
    value: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "dataLicense": "CC0-1.0",
        "name": draft.root.name,
        "creationInfo": {"created": draft.created, "creators": [f"Tool: {TOOL}"]},
        "packages": [_package(part, ids[part.ref]) for part in packages],
        "files": [_file(part, ids[part.ref]) for part in files],
        "relationships": relationships,
    }
    digest = hashlib.sha256(_encode(value)).hexdigest()
    name = re.sub(r"[^A-Za-z0-9.-]", "-", f"{draft.root.name}-{draft.root.version}")
    return _encode({**value, "documentNamespace": f"{_NAMESPACE}/{name}-{digest}"})


def _spdx_id(number: int, part: Part) -> str:
    return f"SPDXRef-{number}-{re.sub('[^A-Za-z0-9.-]', '-', part.name)[-60:]}"


def _related(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _package(part: Part, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "SPDXID": name,
        "name": part.name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": _declared(part.licence),
        "copyrightText": "NOASSERTION",
        "checksums": _checksums(part),
    }
    if part.version:
        made["versionInfo"] = part.version
    if part.purl and not Values().bad_purls([part.purl]):
        made["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part.purl,
            }
        ]
    return made


def _file(part: Part, name: str) -> dict[str, Any]:
    return {
        "SPDXID": name,
        "fileName": part.name if part.name.startswith((".", "/")) else f"./{part.name}",
        "licenseConcluded": _declared(part.licence),
        "licenseInfoInFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
        "checksums": _checksums(part),
    }


def _declared(licence: str) -> str:
    good = licence and not Values().bad_licences([licence])
    return licence if good else "NOASSERTION"


def _checksums(part: Part) -> list[dict[str, str]]:
    return [
        {"algorithm": name, "checksumValue": value} for name, value in _hashes(part, _SPDX_HASHES)
    ]


def _hashes(part: Part, names: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (names[name], value)
        for name, value in sorted(part.digests.items())
        if name in names and len(value) == _LENGTHS[name]
    ]


def _encode(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")
