"""Small SBOMs of each kind, good as they are; a test changes the one thing that it is about."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
ONE = "1" * 64
TWO = "2" * 64

CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "metadata": {"component": {"type": "application", "name": "runner", "bom-ref": "runner"}},
    "components": [
        {
            "type": "library",
            "bom-ref": "bson",
            "name": "bson",
            "version": "4.18.3",
            "purl": "pkg:pypi/bson@4.18.3",
            "hashes": [{"alg": "SHA-256", "content": ONE}],
            "licenses": [{"expression": "MIT OR Apache-2.0"}],
        },
        {"type": "file", "bom-ref": "data", "name": "data.bin"},
    ],
    "dependencies": [{"ref": "runner", "dependsOn": ["bson", "data"]}],
}

SPDX2: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3",
    "SPDXID": "SPDXRef-DOCUMENT",
    "dataLicense": "CC0-1.0",
    "name": "runner",
    "documentNamespace": "https://example.org/runner",
    "creationInfo": {"created": "2026-11-24T00:00:00Z", "creators": ["Tool: test"]},
    "packages": [
        {
            "SPDXID": "SPDXRef-runner",
            "name": "runner",
            "versionInfo": "1.4.2",
            "downloadLocation": "NOASSERTION",
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "MIT AND LicenseRef-own",
            "checksums": [{"algorithm": "SHA256", "checksumValue": ONE}],
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": "pkg:deb/debian/runner@1.4.2?arch=amd64",
                }
            ],
        }
    ],
    "files": [
        {
            "SPDXID": "SPDXRef-file",
            "fileName": "./bin/runner",
            "checksums": [{"algorithm": "SHA256", "checksumValue": TWO}],
        }
    ],
    "relationships": [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": "SPDXRef-runner",
        },
        {
            "spdxElementId": "SPDXRef-runner",
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": "SPDXRef-file",
        },
    ],
}

_NAME = "https://example.org/"
SPDX3: dict[str, Any] = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {
            "type": "CreationInfo",
            "@id": "_:made",
            "specVersion": "3.0.1",
            "created": "2026-11-24T00:00:00Z",
            "createdBy": [f"{_NAME}us"],
        },
        {"type": "Person", "spdxId": f"{_NAME}us", "creationInfo": "_:made", "name": "us"},
        {
            "type": "SpdxDocument",
            "spdxId": f"{_NAME}document",
            "creationInfo": "_:made",
            "name": "runner",
            "rootElement": [f"{_NAME}runner"],
        },
        {
            "type": "software_Package",
            "spdxId": f"{_NAME}runner",
            "creationInfo": "_:made",
            "name": "runner",
            "software_packageVersion": "1.4.2",
            "software_packageUrl": "pkg:generic/runner@1.4.2",
            "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": ONE}],
        },
        {
            "type": "Relationship",
            "spdxId": f"{_NAME}licensed",
            "creationInfo": "_:made",
            "from": f"{_NAME}runner",
            "relationshipType": "hasDeclaredLicense",
            "to": [f"{_NAME}licence"],
        },
        {
            "type": "simplelicensing_LicenseExpression",
            "spdxId": f"{_NAME}licence",
            "creationInfo": "_:made",
            "simplelicensing_licenseExpression": "Apache-2.0 WITH LLVM-exception",
        },
    ],
}
KINDS = {"cyclonedx": CYCLONEDX, "spdx2": SPDX2, "spdx3": SPDX3}

DROP = object()
"""In place of a value: remove what the path names."""


def changed(document: dict[str, Any], *changes: tuple[str, Any]) -> bytes:
    """Return a copy of a document as bytes, with values replaced by their JSON pointers."""
    made = copy.deepcopy(document)
    for place, value in changes:
        item: Any = made
        *path, last = place.strip("/").split("/")
        for step in path:
            item = item[int(step) if isinstance(item, list) else step]
        if value is DROP:
            del item[int(last) if isinstance(item, list) else last]
        elif isinstance(item, list):
            item[int(last) :] = [value, *item[int(last) + 1 :]]
        else:
            item[last] = value
    return json.dumps(made).encode()


def corpus(folder: str) -> Path:
    """Return a folder of other people's documents; the test ends as "not run" where absent."""
    path = CORPORA / folder
    if not path.is_dir():
        pytest.skip(f"not run: {path} is not there")
    return path
