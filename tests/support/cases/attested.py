"""Kits with evidence, policies, and what a host must say: TRUST-FILES 3.7 to 3.10 as vectors."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support.assembler import component
from tests.support.attesting import (
    PROVENANCE,
    attester,
    key_of,
    kit_with,
    provenance,
    sha256,
)
from tests.support.bundles import (
    HOST_1,
    HOST_2,
    ISSUER,
    NAME,
    ORIGIN_1,
    Transparency,
    Wish,
    World,
    make_bundle,
    text,
)
from tests.support.certificates import NOW, Log
from tests.support.hosting import LINE
from tests.support.people import compact

CLOCK = "2026-11-25T00:00:00Z"
UNDECIDED = frozenset(
    {
        *("trusted-root-missing", "evidence-form-unknown", "evidence-algorithm-unknown"),
        *("evidence-too-large", "evidence-unread", "attestation-unchecked"),
        *("trusted-root-malformed", "certificate-unknown-extension"),
        *("kind-unchecked", "sbom-link-unchecked"),
    }
)
Given = bytes | Callable[[bytes], bytes]
"""Evidence beside a kit; some follows from the kit."""


def seeded(name: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return a key that is the same everywhere, and no secret."""
    digits = hashlib.sha512(f"offline-kit vectors: {name}".encode()).digest()[:30]
    return ec.derive_private_key(int.from_bytes(digits, "big"), curve or ec.SECP256R1())


@functools.cache
def place(name: str = "one") -> World:
    """Return authorities and logs whose keys are the same everywhere."""
    edward = hashlib.sha256(f"offline-kit vectors: {name}".encode()).digest()
    return World(
        root_key=seeded(f"{name} root", ec.SECP384R1()),
        ca_key=seeded(f"{name} authority"),
        stamp_root_key=seeded(f"{name} stamp root", ec.SECP384R1()),
        stamp_key=seeded(f"{name} stamps"),
        log=Log(seeded(f"{name} certificates")),
        rekor=Transparency(seeded(f"{name} log"), HOST_1, ORIGIN_1, v2=False),
        rekor2=Transparency(
            ed25519.Ed25519PrivateKey.from_private_bytes(edward), HOST_2, HOST_2, v2=True
        ),
    )


def bundle(value: Any = None, at: str = "one", **wish: Any) -> bytes:
    """Return a sigstore bundle of a statement, made at a place by the identity of the vectors."""
    made = Wish(statement=value or GOOD, key=seeded("signer"), **wish)
    return text(make_bundle(made, place(at)))


def logged_by(algorithm: str) -> bytes:
    """Return a bundle whose log entry names another digest; the log vouches for it."""
    made = json.loads(bundle())
    material = made["verificationMaterial"]
    body = json.loads(base64.b64decode(material["tlogEntries"][0]["canonicalizedBody"]))
    body["spec"]["data"]["hash"]["algorithm"] = algorithm
    material["tlogEntries"] = [place().rekor.entry(text(body), NOW + timedelta(seconds=5))]
    return text(made)


GOOD = provenance()
ROOT = text(place().trusted_root())
SIGSTORE = {"trustedRoot": sha256(ROOT), "issuer": ISSUER, "identity": NAME}
ALICE, BOB, CAROL = (attester(name) for name in ("alice", "bob", "carol"))
KEY = attester("key", publicKey=key_of("sums"))
KEYLESS = attester("keyless", **SIGSTORE)
ANY_TAG = "https://github.com/acme/*/.github/workflows/release.yml@*"


def image_layout(attestation: bytes) -> dict[str, bytes]:
    """Return the files of an OCI layout: an image of one layer, and an attestation beside it."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes, kind: str) -> dict[str, Any]:
        blobs[sha256(data)] = data
        return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data)}

    def manifest(config: bytes, layer: dict[str, Any], **more: Any) -> dict[str, Any]:
        kind = "application/vnd.oci.image.manifest.v1+json"
        value = {"schemaVersion": 2, "mediaType": kind}
        configured = put(config, "application/vnd.oci.image.config.v1+json")
        return put(compact({**value, "config": configured, "layers": [layer], **more}), kind)

    tar = "application/vnd.oci.image.layer.v1.tar"
    image = manifest(b'{"architecture":"amd64","os":"linux"}', put(b"layer " * 4000, tar))
    beside = put(attestation, "application/vnd.dsse.envelope.v1+json")
    about = manifest(b"{}", beside, subject=image)
    index = {"schemaVersion": 2, "manifests": [image, about], "note": " " * 4000}
    return {
        "image/oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "image/index.json": compact(index),
        **{f"image/blobs/sha256/{digest}": data for digest, data in blobs.items()},
    }


IMAGE = (component("image", "image"),)


@dataclass(frozen=True)
class PolicyCase:
    """One vector.

    Attributes:
        name: Of its directory, but for ``_fail``.
        why: What is special or wrong.
        requirement: What the policy asks for; empty for nothing.
        evidence: Documents below ``evidence/``.
        code: Of what decides; empty if the kit is verified.
        attesters: Whom the policy names.
        overrides: What it lets pass.
        given: Evidence given beside the kit.
        roots: Trusted roots of the host.
        index: What evidence.index says; empty for the truth, None for none.
        how: How the kit is read: ``file``; ``pipe``, from standard input; ``quick``, without
            decoding its payload; ``index``, no further than its list of members.
        image: Whether the component is an image, compressed, with its signature beside it.
        rules: More of what the policy says of the line.
        kit: More of what `tests.support.attesting.kit_with` is told.
    """

    name: str
    why: str
    requirement: Mapping[str, Any]
    evidence: Mapping[str, bytes] = field(default_factory=dict)
    code: str = ""
    attesters: tuple[Mapping[str, Any], ...] = (ALICE,)
    overrides: tuple[Mapping[str, Any], ...] = ()
    given: tuple[Given, ...] = ()
    roots: tuple[bytes, ...] = (ROOT,)
    index: bytes | None = b""
    how: str = "file"
    image: bytes = b""
    rules: Mapping[str, Any] = field(default_factory=dict)
    kit: Mapping[str, Any] = field(default_factory=dict)

    @property
    def directory(self) -> str:
        """Its name below `fixtures/evidence`."""
        return f"{self.name}_fail" if self.code else self.name

    def policy(self) -> bytes:
        """Return the policy of the host."""
        value: dict[str, Any] = {
            "type": "https://offline-kit.example/policy/v1",
            "name": "vector",
            "attesters": list(self.attesters),
            "lines": [{"line": LINE, "attestations": [dict(self.requirement)], **self.rules}],
            "overrides": list(self.overrides),
        }
        if not self.requirement:
            del value["lines"][0]["attestations"]
        return (json.dumps(value, indent=1) + "\n").encode()

    def files(self) -> dict[str, bytes]:
        """Return what belongs into the directory; the kit is not compressed here."""
        more: dict[str, Any] = dict(self.kit)
        if self.image:
            more.update(data=image_layout(self.image), components=IMAGE, level=3)
        kit = kit_with(self.evidence, index=self.index if self.evidence else None, **more)
        verdict = "verified" if not self.code else "rejected"
        verdict = "undecided" if self.code in UNDECIDED else verdict
        status = {"verified": 0, "undecided": 3, "rejected": 4}[verdict]
        files = {"kit.gz": kit, "policy.json": self.policy()}
        roots = {f"trusted-root-{n}.json": data for n, data in enumerate(self.roots)}
        made = [data if isinstance(data, bytes) else data(kit) for data in self.given]
        given = {f"evidence-{n}.json": data for n, data in enumerate(made)}
        value = {
            "description": self.why,
            "kitSha256": sha256(kit),
            "root": "../../keys/root.json",
            "policy": "policy.json",
            "clock": CLOCK,
            "how": self.how,
            "trustedRoots": sorted(roots),
            "evidence": sorted(given),
            "verdict": verdict,
            "exitStatus": status,
            "code": self.code or None,
        }
        files.update(roots)
        files.update(given)
        files["expected.json"] = (json.dumps(value, indent=2) + "\n").encode()
        return files


def asks(kind: str = PROVENANCE, *of: str, threshold: int = 1, **more: Any) -> dict[str, Any]:
    """Return a requirement of the small kit's component."""
    by = {"by": {"of": list(of), "threshold": threshold}} if of else {}
    return {"component": "tools", "predicateType": kind, **by, **more}
