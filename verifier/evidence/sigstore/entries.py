"""Forms of log entries, and whether one is about the signature of a bundle.

An entry is compared with what the bundle says, field by field; what it holds beyond that is
ignored, since the log checked it and nobody here can.
"""

from __future__ import annotations

import base64
import hashlib

from verifier.evidence.errors import (
    EvidenceAlgorithmUnknown,
    EvidenceFormUnknown,
    EvidenceMalformed,
)
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.sigstore.bundle import HASHES, LogEntry
from verifier.evidence.sigstore.errors import LogEntryMismatch
from verifier.evidence.sigstore.keys import HASHES as SIZES
from verifier.evidence.sigstore.keys import parse_pem
from verifier.evidence.statement import Envelope
from verifier.typed import record

_WHERE = "log entry"


@record(frozen=True)
class Signed:
    """What an entry must be about.

    Attributes:
        certificate: The signer's in DER; empty for a key.
        spki: The signer's key in DER.
        signature: The signer's.
        envelope: What was signed, if it is a statement.
        digests: Of what was signed, by algorithm: of the artifact, or of the envelope's PAE.
    """

    certificate: bytes
    spki: bytes
    signature: bytes
    envelope: Envelope | None
    digests: dict[str, bytes]


def check_entry(entry: LogEntry, signed: Signed) -> None:
    """Hold an entry to what it must be about.

    Raises:
        LogEntryMismatch: It is about something else.
        EvidenceFormUnknown: It has a form that is not known here.
        EvidenceAlgorithmUnknown: It names a digest that is not known here.
        EvidenceMalformed: It is not of its form.
    """
    body = Fields(parse_foreign(entry.body, _WHERE), _WHERE, EvidenceMalformed)
    if (body.text("kind"), body.text("apiVersion")) != entry.kind:
        raise LogEntryMismatch("the entry is of another kind than the bundle says", where=_WHERE)
    check = _FORMS.get(entry.kind)
    if check is None:
        kind = " ".join(entry.kind)
        raise EvidenceFormUnknown(f"a log entry of kind {kind[:60]!r}", where=_WHERE)
    check(body.at("spec"), signed)


def _hashedrekord_1(spec: Fields, signed: Signed) -> None:
    found = spec.at("data").at("hash")
    _same_digest(found.text("algorithm"), _hexadecimal(found, "value"), signed.digests)
    _same(spec.at("signature").data("content"), signed.signature, "signature")
    _same_signer(spec.at("signature").at("publicKey").data("content"), signed)


def _hashedrekord_2(spec: Fields, signed: Signed) -> None:
    spec = spec.at("hashedRekordV002")
    found, signature = spec.at("data"), spec.at("signature")
    name = found.text("algorithm")
    _same_digest(HASHES.get(name, name), found.data("digest"), signed.digests)
    _same(signature.data("content"), signed.signature, "signature")
    verifier = signature.at("verifier")
    if verifier.has("x509Certificate") == verifier.has("publicKey"):
        raise verifier.wrong("not exactly one of x509Certificate and publicKey")
    if verifier.has("x509Certificate"):
        _same(verifier.at("x509Certificate").data("rawBytes"), signed.certificate, "certificate")
    else:
        key = verifier.at("publicKey").data("rawBytes")
        _same(key, b"" if signed.certificate else signed.spki, "key")


def _dsse_1(spec: Fields, signed: Signed) -> None:
    _same_payload(spec.at("payloadHash"), signed)
    signatures = list(spec.each("signatures", 64))
    if len(signatures) != 1:
        raise LogEntryMismatch("the entry has another number of signatures", where=_WHERE)
    _same(signatures[0].data("signature"), signed.signature, "signature")
    _same_signer(signatures[0].data("verifier"), signed)


def _intoto_2(spec: Fields, signed: Signed) -> None:
    content = spec.at("content")
    envelope = _same_payload(content.at("payloadHash"), signed)
    logged = content.at("envelope")
    if logged.text("payloadType") != envelope.payload_type:
        raise LogEntryMismatch("the entry has another payload type", where=_WHERE)
    if logged.has("payload"):  # in base64 twice
        payload = base64.b64encode(envelope.payload)
        _same(logged.data("payload"), payload, "payload")
    signatures = list(logged.each("signatures", 64))
    if len(signatures) != 1:
        raise LogEntryMismatch("the entry has another number of signatures", where=_WHERE)
    signature = signatures[0].data("sig")  # in base64 twice, too, by the clients that are known
    if signature != base64.b64encode(signed.signature):
        _same(signature, signed.signature, "signature")
    _same_signer(signatures[0].data("publicKey"), signed)


_FORMS = {
    ("hashedrekord", "0.0.1"): _hashedrekord_1,
    ("hashedrekord", "0.0.2"): _hashedrekord_2,
    ("dsse", "0.0.1"): _dsse_1,
    ("intoto", "0.0.2"): _intoto_2,
}


def _same(logged: bytes, ours: bytes, what: str) -> None:
    if logged != ours:
        raise LogEntryMismatch(f"the entry has another {what}", where=_WHERE)


def _same_signer(pem: bytes, signed: Signed) -> None:
    """Hold the PEM of an entry to the signer's certificate, or to the key where there is none."""
    label = "CERTIFICATE" if signed.certificate else "PUBLIC KEY"
    try:
        logged = parse_pem(pem.decode("ascii"), label)
    except ValueError as error:
        raise LogEntryMismatch(f"the signer: {error}", where=_WHERE) from None
    _same(logged, signed.certificate or signed.spki, label.lower())


def _same_digest(name: str, logged: bytes, digests: dict[str, bytes]) -> None:
    if name not in SIZES:
        raise EvidenceAlgorithmUnknown(f"a digest by {name[:40]!r}", where=_WHERE)
    if logged != digests.get(name):
        raise LogEntryMismatch(f"the entry is about another {name}", where=_WHERE)


def _same_payload(fields: Fields, signed: Signed) -> Envelope:
    if signed.envelope is None:
        raise LogEntryMismatch("the entry is about a statement", where=_WHERE)
    name = fields.text("algorithm")
    digests = {each: hashlib.new(each, signed.envelope.payload).digest() for each in SIZES}
    _same_digest(name, _hexadecimal(fields, "value"), digests)
    return signed.envelope


def _hexadecimal(fields: Fields, name: str) -> bytes:
    text = fields.text(name)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise fields.wrong("not hexadecimal", name) from None
    if value.hex() != text:
        raise fields.wrong("not lower-case hexadecimal", name)
    return value
