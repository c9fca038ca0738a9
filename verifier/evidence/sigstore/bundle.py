"""Bundles: a signature with what it takes to judge it offline, versions 0.1 to 0.3."""

from __future__ import annotations

from verifier.evidence.errors import (
    EvidenceAlgorithmUnknown,
    EvidenceFormUnknown,
    EvidenceMalformed,
)
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.sigstore.merkle import MAX_HASHES
from verifier.evidence.sigstore.x509 import Certificate, parse_certificate
from verifier.evidence.statement import Envelope, parse_envelope
from verifier.typed import Any, record

VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
    "application/vnd.dev.sigstore.bundle.v0.1+json": 1,
    "application/vnd.dev.sigstore.bundle.v0.2+json": 2,
    "application/vnd.dev.sigstore.bundle.v0.3+json": 3,
}
MAX_CERTIFICATES = 10
MAX_LOG_ENTRIES = 16
MAX_TIMESTAMPS = 16
HASHES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}
_WHERE = "bundle"


@record(frozen=True)
class Proof:
    """A claim that a log holds an entry.

    Attributes:
        index: The entry's place in the tree.
        size: Entries of the tree.
        root: Hash of the tree.
        path: Hashes on the way.
        checkpoint: The log's signed word for it; empty if there is none.
    """

    index: int
    size: int
    root: bytes
    path: tuple[bytes, ...]
    checkpoint: str


@record(frozen=True)
class LogEntry:
    """An entry of a transparency log, as a bundle claims it.

    Attributes:
        log_id: Which log.
        index: Its place among all entries of the log; Rekor v2 does not vouch for it.
        kind: Name and version of its form.
        body: The entry itself.
        integrated: When it was logged, in seconds since the epoch; None if nothing is said.
        promise: The log's signature over body, time, log and place (SET); empty if there is none.
        proof: None if there is none.
    """

    log_id: bytes
    index: int
    kind: tuple[str, str]
    body: bytes
    integrated: int | None
    promise: bytes
    proof: Proof | None


@record(frozen=True)
class Message:
    """A signature over an artifact.

    Attributes:
        hash_name: How the artifact was hashed; empty if nothing is said.
        digest: What came of it; empty if nothing is said.
        signature: The signer's.
    """

    hash_name: str
    digest: bytes
    signature: bytes


@record(frozen=True)
class Bundle:
    """A bundle of which nothing has been judged.

    Attributes:
        version: The last number of 0.1 to 0.3.
        certificate: The signer's; None for a bundle by a key.
        given: Certificates that came with it; those that name themselves as issuer are left out.
        entries: Of transparency logs.
        timestamps: Of RFC 3161, in DER.
        message: The signature, if it is over an artifact.
        envelope: The signature, if it is over a statement; it holds exactly one.
    """

    version: int
    certificate: Certificate | None
    given: tuple[Certificate, ...]
    entries: tuple[LogEntry, ...]
    timestamps: tuple[bytes, ...]
    message: Message | None
    envelope: Envelope | None

    @property
    def signature(self) -> bytes:
        """The signer's, which is what timestamps are about."""
        if self.envelope is not None:
            return self.envelope.signatures[0][1]
        return self.message.signature if self.message is not None else b""


def parse_bundle(data: bytes) -> Bundle:
    """Return the bundle in a document.

    Raises:
        EvidenceMalformed: It is none.
        EvidenceFormUnknown: It is one of another version.
        EvidenceTooLarge: It is above a limit.
        CertificateMalformed: A certificate is none.
    """
    return read_bundle(parse_foreign(data, _WHERE))


def read_bundle(value: Any) -> Bundle:
    """Return the bundle in a value of foreign JSON, such as one of several in a document.

    Raises:
        KitError: As `parse_bundle` says.
    """
    fields = Fields(value, _WHERE, EvidenceMalformed)
    kind = fields.text("mediaType")
    if kind not in VERSIONS:
        raise EvidenceFormUnknown(f"a bundle of type {kind[:80]!r}", where=_WHERE)
    version = VERSIONS[kind]
    material = fields.at("verificationMaterial")
    certificates = _certificates(material, version)
    timestamps = []
    if material.has("timestampVerificationData"):
        stamps = material.at("timestampVerificationData").each("rfc3161Timestamps", MAX_TIMESTAMPS)
        timestamps = [each.data("signedTimestamp") for each in stamps]
    if fields.has("messageSignature") == fields.has("dsseEnvelope"):
        raise fields.wrong("not exactly one of messageSignature and dsseEnvelope")
    message = _message(fields.at("messageSignature")) if fields.has("messageSignature") else None
    envelope = None
    if message is None:
        envelope = parse_envelope(fields.at("dsseEnvelope"), url_safe=False)
        if len(envelope.signatures) != 1:
            raise fields.wrong("not exactly one signature", "dsseEnvelope.signatures")
    return Bundle(
        version,
        certificates[0] if certificates else None,
        tuple(each for each in certificates[1:] if not each.self_signed),
        tuple(map(_entry, material.each("tlogEntries", MAX_LOG_ENTRIES))),
        tuple(timestamps),
        message,
        envelope,
    )


def _certificates(material: Fields, version: int) -> list[Certificate]:
    """Return the signer's certificate and those that came with it; none for a bundle by a key."""
    kinds = ("publicKey", "certificate", "x509CertificateChain")
    named = [name for name in kinds if material.has(name)]
    if len(named) != 1:
        raise material.wrong(f"not exactly one of {', '.join(kinds)}")
    if named == ["publicKey"]:
        material.at("publicKey")
        return []
    if named == ["certificate"]:
        only = material.at("certificate")
        return [parse_certificate(only.data("rawBytes"), only.where)]
    if version >= 3:
        raise material.wrong("a bundle of version 0.3 has one certificate", named[0])
    chain = material.at("x509CertificateChain").each("certificates", MAX_CERTIFICATES)
    found = [parse_certificate(each.data("rawBytes"), each.where) for each in chain]
    if not found:
        raise material.wrong("empty", named[0])
    return found


def _message(fields: Fields) -> Message:
    if not fields.has("messageDigest"):
        return Message("", b"", fields.data("signature"))
    digest = fields.at("messageDigest")
    name = digest.text("algorithm")
    if name not in HASHES:
        raise EvidenceAlgorithmUnknown(f"a digest by {name[:40]!r}", where=digest.where)
    return Message(HASHES[name], digest.data("digest"), fields.data("signature"))


def _entry(fields: Fields) -> LogEntry:
    kind = fields.at("kindVersion")
    promise = b""
    if fields.has("inclusionPromise"):
        promise = fields.at("inclusionPromise").data("signedEntryTimestamp")
    return LogEntry(
        fields.at("logId").data("keyId"),
        fields.number("logIndex") if fields.has("logIndex") else 0,
        (kind.text("kind"), kind.text("version")),
        fields.data("canonicalizedBody"),
        fields.number("integratedTime") if fields.has("integratedTime") else None,
        promise,
        _proof(fields.at("inclusionProof")) if fields.has("inclusionProof") else None,
    )


def _proof(fields: Fields) -> Proof:
    path = []
    for number, text in enumerate(fields.array("hashes", MAX_HASHES)):
        each = Fields({"hash": text}, f"{fields.where}.hashes[{number}]", EvidenceMalformed)
        path.append(each.data("hash"))
    root = fields.data("rootHash")
    if any(len(value) != 32 for value in (root, *path)):
        raise fields.wrong("a hash is not 32 bytes")
    checkpoint = fields.at("checkpoint").text("envelope") if fields.has("checkpoint") else ""
    index = fields.number("logIndex") if fields.has("logIndex") else 0
    return Proof(index, fields.number("treeSize"), root, tuple(path), checkpoint)
