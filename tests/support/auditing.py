"""Kits with evidence for tests of audits: statements, scans, VEX, SBOMs, an image."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.assembler import Draft, assemble, pae
from tests.support.naive import Entry
from tests.support.people import ROOT_FILE, person
from verifier.audit.model import Audit
from verifier.audit.order import audit_kit
from verifier.core.pipeline import Job
from verifier.core.trust import parse_root
from verifier.host.attestations import Given

TOOL = b"#!/bin/sh\necho a tool\n"
PROVENANCE = "https://slsa.dev/provenance/v1"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"
OPENVEX = "https://openvex.dev/ns/v0.2.0"
PURL = "pkg:deb/debian/zlib1g@1.2.13?arch=amd64"
CVE = "CVE-2026-0001"
_OCI = "application/vnd.oci.image"


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def dump(value: Any) -> bytes:
    """Return JSON as somebody else would write it."""
    return json.dumps(value, indent=1).encode()


def statement(kind: str, predicate: Any, *digests: str) -> dict[str, Any]:
    """Return an in-toto Statement about things by their SHA-256."""
    subjects = [{"name": f"thing {i}", "digest": {"sha256": d}} for i, d in enumerate(digests)]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": kind,
        "predicate": predicate,
    }


def envelope(value: Any, *names: str) -> bytes:
    """Return a DSSE envelope of a value, signed by some of the test keys."""
    payload = dump(value)
    signatures = [
        {
            "keyid": person(name).keyid,
            "sig": base64.b64encode(person(name).sign(pae(payload))).decode(),
        }
        for name in names
    ]
    return dump(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": signatures,
        }
    )


def grype(*found: tuple[str, str, str]) -> dict[str, Any]:
    """Return a report of grype: for each finding its id, severity and package URL."""
    return {
        "matches": [
            {
                "vulnerability": {"id": name, "severity": severity, "fix": {"versions": ["9.9"]}},
                "relatedVulnerabilities": [{"id": f"GHSA-{name}"}],
                "artifact": {"name": "zlib1g", "version": "1.2.13", "purl": purl},
            }
            for name, severity, purl in found
        ],
        "source": {"type": "image", "target": {"manifestDigest": f"sha256:{'ab' * 32}"}},
        "descriptor": {
            "name": "grype",
            "version": "0.121.2",
            "db": {"status": {"built": "2026-11-20T00:00:00Z"}},
        },
    }


def openvex(*said: Mapping[str, Any], at: str = "2026-11-21T00:00:00Z") -> dict[str, Any]:
    """Return an OpenVEX document with these statements."""
    return {
        "@context": OPENVEX,
        "@id": "https://example.org/vex/1",
        "author": "security",
        "timestamp": at,
        "version": 1,
        "statements": list(said),
    }


def answer(
    status: str = "not_affected", product: str = PURL, name: str = CVE, **more: Any
) -> dict[str, Any]:
    """Return one statement of VEX."""
    made = {"vulnerability": {"name": name}, "products": [{"@id": product}], "status": status}
    return {**made, "justification": "vulnerable_code_not_present", **more}


def cyclonedx(*components: Mapping[str, Any], **more: Any) -> bytes:
    """Return an SBOM."""
    value = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, **more}
    return dump({**value, "components": list(components)})


def library(name: str, version: str, licence: str = "MIT", **more: Any) -> dict[str, Any]:
    """Return a component of an SBOM."""
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:generic/{name}@{version}",
        "licenses": [{"expression": licence}],
        **more,
    }


def image(layers: Sequence[bytes], name: str = "runner:1") -> tuple[dict[str, bytes], str]:
    """Return an OCI layout with one image, from path to contents, and its digest."""
    config = dump({"os": "linux", "architecture": "amd64"})
    manifest = dump(
        {
            "schemaVersion": 2,
            "config": {"digest": f"sha256:{sha256(config)}", "size": len(config)},
            "layers": [
                {
                    "mediaType": f"{_OCI}.layer.v1.tar",
                    "digest": f"sha256:{sha256(layer)}",
                    "size": len(layer),
                }
                for layer in layers
            ],
        }
    )
    digest = f"sha256:{sha256(manifest)}"
    entry = {
        "mediaType": f"{_OCI}.manifest.v1+json",
        "digest": digest,
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    files = {f"blobs/sha256/{sha256(data)}": data for data in (config, manifest, *layers)}
    files["oci-layout"] = dump({"imageLayoutVersion": "1.0.0"})
    files["index.json"] = dump({"schemaVersion": 2, "manifests": [entry]})
    return files, digest


def kit_bytes(
    evidence: Mapping[str, bytes], data: Mapping[str, bytes] | None = None, **more: Any
) -> bytes:
    """Return a kit with this evidence, by its path below ``evidence/``, and this payload."""
    payload = data if data is not None else {"tools/run": TOOL}
    draft = Draft(level=3, **more).with_data(
        *(Entry(path.encode(), content) for path, content in payload.items())
    )
    papers = sorted(
        (
            Entry(f"evidence/{path}".encode(), content, b"evidence")
            for path, content in evidence.items()
        ),
        key=lambda entry: entry.path,
    )
    own = [entry for entry in draft.members if entry.kind != b"data"]
    rest = [entry for entry in draft.members if entry.kind == b"data"]
    return assemble(
        Draft(
            **{**vars(draft), "members": (*own, *papers, *rest)},
        )
    )


def job() -> Job:
    """Return what is to be proved, under the root of the test keys."""
    return Job(root=parse_root(ROOT_FILE.read_bytes()))


def audit_of(
    directory: Path,
    evidence: Mapping[str, bytes],
    data: Mapping[str, bytes] | None = None,
    later: Mapping[str, bytes] | None = None,
    **more: Any,
) -> Audit:
    """Return the audit of a kit, made by a whole run."""
    path = directory / "kit.tar.zst"
    path.write_bytes(kit_bytes(evidence, data, **more))
    given = [Given(name, data) for name, data in (later or {}).items()]
    return audit_kit(os.fspath(path), job(), later=given)


def everything() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return evidence and payload that fill each part of an audit."""
    layout, digest = image([b"a layer", b"another"])
    data = {"tools/run": TOOL, "tools/other": b"other\n"}
    data |= {f"images/runner/{path}": content for path, content in layout.items()}
    tool: dict[str, Any] = {"hashes": [{"alg": "SHA-256", "content": sha256(TOOL)}]}
    scan = statement(VULNS, {"scanner": {"result": [{"id": CVE, "severity": "9.8"}]}}, digest[7:])
    evidence = {
        "sbom/tools.cdx.json": cyclonedx(library("tool", "1.0", **tool), library("zlib", "1.2")),
        "provenance.json": envelope(statement(PROVENANCE, {}, sha256(TOOL), "00" * 32), "alice"),
        "image.json": envelope(statement(PROVENANCE, {}, digest[7:]), "alice", "bob"),
        "stranger.json": envelope(statement(PROVENANCE, {}, sha256(TOOL)), "mallory"),
        "scan.json": envelope(scan, "carol"),
        "grype.json": dump(grype((CVE, "High", PURL))),
        "vex.json": dump(openvex(answer())),
        "notes.txt": b"not JSON\n",
        "broken.json": b'{"a": 1, "a": 2}',
    }
    return evidence, data
