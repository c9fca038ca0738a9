"""A private CA, certificate log, Rekor v1 and v2, timestamp authority, and the bundles they make.

All in memory and without the verifier's code.  What a test wants otherwise it asks for by name, or
changes in the JSON that comes out.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.certificates import (
    END,
    NOW,
    START,
    Issue,
    Log,
    load,
    other,
    p256,
    p384,
    pem,
    sign,
    spki,
    usage,
    utf8,
)
from tests.support.stamps import PrivateKey, Stamp

ISSUER = "https://issuer.example"
NAME = "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1"
ARTIFACT = b"what was signed\n"
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "tool", "digest": {"sha256": hashlib.sha256(ARTIFACT).hexdigest()}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {"buildDefinition": {}},
}
PAYLOAD_TYPE = "application/vnd.in-toto+json"
WHO = {"subject": {"organization": "example", "commonName": "example"}, "uri": "https://ca.example"}
HOST_1, HOST_2 = "rekor.example", "log2025.rekor.example"
ORIGIN_1 = f"{HOST_1} - 1193050959916656506"
FULCIO_ISSUER_RAW, FULCIO_ISSUER = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
CODE_SIGNING, TIME_STAMPING = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.TIME_STAMPING


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode("utf-8")


def time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def authority(*extended: x509.ObjectIdentifier, length: int | None = None) -> list[Any]:
    """Return the extensions of an authority."""
    found: list[Any] = [
        (x509.BasicConstraints(True, length), True),
        (usage("key_cert_sign", "crl_sign"), True),
    ]
    return [*found, (x509.ExtendedKeyUsage(extended), False)] if extended else found


def signer_extensions(name: str = NAME, issuer: str = ISSUER) -> list[Any]:
    """Return the extensions of a signer's certificate, as Fulcio writes them."""
    kind = x509.RFC822Name if "@" in name and "/" not in name else x509.UniformResourceIdentifier
    return [
        (usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([CODE_SIGNING]), False),
        (x509.SubjectAlternativeName([kind(name)]), True),
        (other(FULCIO_ISSUER_RAW, issuer.encode()), False),
        (other(FULCIO_ISSUER, utf8(issuer)), False),
    ]


def stamp_extensions(critical: bool = True, *more: x509.ObjectIdentifier) -> list[Any]:
    """Return the extensions of a timestamp authority's certificate."""
    return [
        (usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([TIME_STAMPING, *more]), critical),
    ]


# --- logs --------------------------------------------------------------------------------------


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree of entries, as RFC 6962 2.1 defines it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_root(leaves[:left]) + tree_root(leaves[left:])).digest()


def audit_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of an entry, as RFC 6962 2.1.1 defines it."""
    if len(leaves) == 1:
        return []
    left = 1 << (len(leaves) - 1).bit_length() - 1
    if index < left:
        return [*audit_path(leaves[:left], index), tree_root(leaves[left:])]
    return [*audit_path(leaves[left:], index - left), tree_root(leaves[:left])]


@dataclass
class Transparency:
    """A transparency log of signatures.

    Attributes:
        key: Its own.
        host: Where it would be.
        origin: What its checkpoints call it.
        v2: Whether it is Rekor v2.
        before: Entries before the one that a test adds.
        after: Entries behind it.
    """

    key: PrivateKey
    host: str
    origin: str
    v2: bool
    before: int = 5
    after: int = 3

    @property
    def key_id(self) -> bytes:
        """What entries call it."""
        if not self.v2:
            return hashlib.sha256(spki(self.key)).digest()
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            raw = b"\1" + self.key.public_key().public_bytes_raw()
            return hashlib.sha256(self.origin.encode() + b"\n" + raw).digest()
        return hashlib.sha256(spki(self.key)).digest()

    def checkpoint(self, size: int, root: bytes, *lines: str) -> str:
        """Return a checkpoint with the log's signature, and other lines behind it."""
        body = f"{self.origin}\n{size}\n{b64(root)}\n"
        signature = b64(self.key_id[:4] + sign(self.key, body.encode()))
        return f"{body}\n\u2014 {self.host} {signature}\n" + "".join(lines)

    def promise(self, body: bytes, integrated: int, index: int) -> bytes:
        """Return a signed entry timestamp."""
        said = {"body": b64(body), "integratedTime": integrated}
        return sign(self.key, text({**said, "logID": self.key_id.hex(), "logIndex": index}))

    def entry(self, body: bytes, moment: datetime, *, promise: bool = True) -> dict[str, Any]:
        """Return the entry of a bundle for a body that the log took."""
        value = json.loads(body)
        leaves = [b"another entry %d" % number for number in range(self.before + 1 + self.after)]
        leaves[self.before] = body
        root = tree_root(leaves)
        entry: dict[str, Any] = {
            "logIndex": str(self.before + (0 if self.v2 else 4_000_000)),
            "logId": {"keyId": b64(self.key_id)},
            "kindVersion": {"kind": value["kind"], "version": value["apiVersion"]},
            "canonicalizedBody": b64(body),
            "inclusionProof": {
                "logIndex": str(self.before),
                "rootHash": b64(root),
                "treeSize": str(len(leaves)),
                "hashes": [b64(each) for each in audit_path(leaves, self.before)],
                "checkpoint": {"envelope": self.checkpoint(len(leaves), root)},
            },
        }
        if promise and not self.v2:
            integrated = int(moment.timestamp())
            entry["integratedTime"] = str(integrated)
            signed = self.promise(body, integrated, int(entry["logIndex"]))
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(signed)}
        return entry


# --- everybody -----------------------------------------------------------------------------------


@dataclass
class World:
    """All whom a trusted root names."""

    root_key: PrivateKey = field(default_factory=p384)
    ca_key: PrivateKey = field(default_factory=p384)
    stamp_root_key: PrivateKey = field(default_factory=p384)
    stamp_key: PrivateKey = field(default_factory=p256)
    log: Log = field(default_factory=lambda: Log(p256()))
    rekor: Transparency = field(
        default_factory=lambda: Transparency(p256(), HOST_1, ORIGIN_1, v2=False)
    )
    rekor2: Transparency = field(
        default_factory=lambda: Transparency(
            ed25519.Ed25519PrivateKey.generate(), HOST_2, HOST_2, v2=True
        )
    )

    def __post_init__(self) -> None:
        root = Issue(self.root_key, "root", extensions=authority(length=1))
        between = Issue(
            self.ca_key,
            "intermediate",
            ("root", self.root_key),
            extensions=authority(CODE_SIGNING, length=0),
        )
        stamps = Issue(self.stamp_root_key, "stamp root", extensions=authority())
        stamp = Issue(
            self.stamp_key,
            "stamps",
            ("stamp root", self.stamp_root_key),
            extensions=stamp_extensions(),
        )
        self.chain = [between.make(), root.make()]
        self.stamp_chain = [stamp.make(), stamps.make()]

    @property
    def ca(self) -> tuple[str, PrivateKey]:
        """Who issues certificates to signers."""
        return "intermediate", self.ca_key

    def trusted_root(self) -> dict[str, Any]:
        """Return the trusted root that names all of them."""
        period = {"start": time(START), "end": time(END)}
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [named(each, f"https://{each.host}") for each in (self.rekor, self.rekor2)],
            "certificateAuthorities": [
                {
                    **WHO,
                    **chain_of(self.chain),
                    **valid(period),
                }
            ],
            "ctlogs": [named(self.log, "https://ct.example")],
            "timestampAuthorities": [
                {**WHO, **chain_of(self.stamp_chain), **valid(period)},
            ],
        }

    def stamp(self, moment: datetime = NOW + timedelta(seconds=6), **changes: Any) -> Stamp:
        """Return how the authority makes a timestamp."""
        certificate = load(self.stamp_chain[0])
        return replace(Stamp(self.stamp_key, certificate, moment, [certificate]), **changes)

    def issue(self, key: PrivateKey, **changes: Any) -> Issue:
        """Return how a signer gets a certificate."""
        start, end = NOW - timedelta(seconds=60), NOW + timedelta(seconds=540)
        issue = Issue(key, "", self.ca, start, end, signer_extensions())
        return replace(issue, **changes)


def valid(period: dict[str, str]) -> dict[str, Any]:
    return {"validFor": dict(period)}


def chain_of(chain: Sequence[bytes]) -> dict[str, Any]:
    return {"certChain": {"certificates": [{"rawBytes": b64(each)} for each in chain]}}


def _details(key: PrivateKey) -> str:
    """Return what a trusted root calls a kind of key."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"PKIX_ECDSA_P{key.curve.key_size}_SHA_{key.curve.key_size}"
    edward = isinstance(key, ed25519.Ed25519PrivateKey)
    return "PKIX_ED25519" if edward else "PKIX_RSA_PKCS1V15_2048_SHA256"


def named(log: Log | Transparency, url: str) -> dict[str, Any]:
    """Return what a trusted root says of a log."""
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": b64(spki(log.key)),
            "keyDetails": _details(log.key),
            "validFor": {"start": time(START), "end": time(END)},
        },
        "logId": {"keyId": b64(log.key_id)},
    }


@functools.cache
def world() -> World:
    """Return the one world that most tests live in."""
    return World()


# --- signing ------------------------------------------------------------------------------------


@dataclass
class Wish:
    """What bundle is wanted.

    Attributes:
        statement: What to sign; None for the artifact.
        version: Of the bundle, the last number of 0.1 to 0.3.
        form: Kind and version of the log entry; None for no entry.
        by_key: Whether to sign with a key that has no certificate.
        key: The signer's.
        certificate: The signer's; None to have one issued.
        stamps: Timestamps; None for one by Rekor v2, and none else.
        promise: Whether Rekor v1 promises.
        signed: When the log and the authority saw it.
    """

    statement: dict[str, Any] | None = None
    version: int = 3
    form: tuple[str, str] | None = ("hashedrekord", "0.0.1")
    by_key: bool = False
    key: PrivateKey = field(default_factory=p256)
    certificate: bytes | None = None
    stamps: list[Stamp] | None = None
    promise: bool = True
    signed: datetime = NOW + timedelta(seconds=5)


def pae(payload: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def make_bundle(wish: Wish, at: World | None = None) -> dict[str, Any]:
    """Return the bundle that is wanted, as JSON will have it."""
    here = at or world()
    certificate = b""
    if not wish.by_key:
        certificate = wish.certificate or here.issue(wish.key).make(here.log)
    payload = text(wish.statement) if wish.statement is not None else b""
    message = ARTIFACT if wish.statement is None else pae(payload)
    signature = sign(wish.key, message)
    material: dict[str, Any] = {"tlogEntries": []}
    if wish.by_key:
        material["publicKey"] = {"hint": "any"}
    elif wish.version < 3:
        chain = [certificate, *here.chain]  # the root too, as npm and GitHub have it
        material["x509CertificateChain"] = {"certificates": [{"rawBytes": b64(c)} for c in chain]}
    else:
        material["certificate"] = {"rawBytes": b64(certificate)}
    if wish.form is not None:
        body = BODIES[wish.form](wish.key, certificate, message, signature, payload)
        log = here.rekor2 if wish.form == ("hashedrekord", "0.0.2") else here.rekor
        material["tlogEntries"] = [log.entry(text(body), wish.signed, promise=wish.promise)]
    late = wish.form == ("hashedrekord", "0.0.2")
    stamps = wish.stamps if wish.stamps is not None else [here.stamp()] if late else []
    if stamps:
        made = [{"signedTimestamp": b64(each.make(signature))} for each in stamps]
        material["timestampVerificationData"] = {"rfc3161Timestamps": made}
    return {
        "mediaType": media_type(wish.version),
        "verificationMaterial": material,
        **_contents(wish, message, signature, payload),
    }


def media_type(version: int) -> str:
    if version == 3:
        return "application/vnd.dev.sigstore.bundle.v0.3+json"
    return f"application/vnd.dev.sigstore.bundle+json;version=0.{version}"


def _contents(wish: Wish, message: bytes, signature: bytes, payload: bytes) -> dict[str, Any]:
    if wish.statement is None:
        name, hashed = HASHES[_size(wish.key)]
        digest = {"algorithm": name, "digest": b64(hashlib.new(hashed, message).digest())}
        return {"messageSignature": {"messageDigest": digest, "signature": b64(signature)}}
    signatures = [{"sig": b64(signature), "keyid": ""}]
    envelope = {"payload": b64(payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    return {"dsseEnvelope": envelope}


HASHES = {256: ("SHA2_256", "sha256"), 384: ("SHA2_384", "sha384")}


def _size(key: PrivateKey) -> int:
    return key.curve.key_size if isinstance(key, ec.EllipticCurvePrivateKey) else 256


def signer_pem(key: PrivateKey, certificate: bytes) -> str:
    if not certificate:
        return b64(pem(key).encode())
    lines = base64.encodebytes(certificate).decode().replace("\n", "")
    wrapped = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return b64(f"-----BEGIN CERTIFICATE-----\n{wrapped}\n-----END CERTIFICATE-----\n".encode())


def hashedrekord_1(
    key: PrivateKey, certificate: bytes, message: bytes, signature: bytes, payload: bytes
) -> dict[str, Any]:
    """Return the body of an entry, as Rekor v1 writes it."""
    hashed = HASHES[_size(key)][1]
    value = {"algorithm": hashed, "value": hashlib.new(hashed, message).hexdigest()}
    public = {"content": signer_pem(key, certificate)}
    signed = {"content": b64(signature), "publicKey": public}
    spec = {"data": {"hash": value}, "signature": signed}
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}


def hashedrekord_2(
    key: PrivateKey, certificate: bytes, message: bytes, signature: bytes, payload: bytes
) -> dict[str, Any]:
    """Return the body of an entry, as Rekor v2 writes it."""
    name, hashed = HASHES[_size(key)]
    details = "PKIX_ECDSA_P384_SHA_384" if _size(key) == 384 else "PKIX_ECDSA_P256_SHA_256"
    whose = {"x509Certificate": {"rawBytes": b64(certificate)}}
    verifier = whose if certificate else {"publicKey": {"rawBytes": b64(spki(key))}}
    spec = {
        "data": {"algorithm": name, "digest": b64(hashlib.new(hashed, message).digest())},
        "signature": {"content": b64(signature), "verifier": {"keyDetails": details, **verifier}},
    }
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}}


def dsse_1(
    key: PrivateKey, certificate: bytes, message: bytes, signature: bytes, payload: bytes
) -> dict[str, Any]:
    """Return the body of an entry for a statement, as Rekor v1 writes it."""
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(message).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [
            {"signature": b64(signature), "verifier": signer_pem(key, certificate)},
        ],
    }
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}


def intoto_2(
    key: PrivateKey, certificate: bytes, message: bytes, signature: bytes, payload: bytes
) -> dict[str, Any]:
    """Return the body of the older entry for a statement; its signature is in base64 twice."""
    whose = signer_pem(key, certificate)
    twice = {"publicKey": whose, "sig": b64(b64(signature).encode())}
    content = {
        "envelope": {"payloadType": PAYLOAD_TYPE, "signatures": [twice]},
        "hash": {"algorithm": "sha256", "value": hashlib.sha256(message).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
    }
    return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content}}


BODIES = {
    ("hashedrekord", "0.0.1"): hashedrekord_1,
    ("hashedrekord", "0.0.2"): hashedrekord_2,
    ("dsse", "0.0.1"): dsse_1,
    ("intoto", "0.0.2"): intoto_2,
}
