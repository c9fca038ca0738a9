"""cosign's older signatures of images: a simple signing payload, and annotations of its layer.

A registry keeps them under the tag ``sha256-HEX.sig``; the payload is the layer, and what it takes
to judge it stands in the layer's annotations.  What is signed is the payload; the image it names is
compared with the image at hand, never with a tag.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from verifier.core.jsonstrict import NotStrict, parse_base64
from verifier.evidence.errors import EvidenceFormUnknown, EvidenceMalformed, SubjectMismatch
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.sigstore.bundle import MAX_CERTIFICATES, Bundle, LogEntry, Message
from verifier.evidence.sigstore.x509 import Certificate, parse_certificate
from verifier.evidence.statement import Envelope
from verifier.typed import Any, record

MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
KINDS = ("cosign container image signature", "https://sigstore.dev/cosign/sign/v1")
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
CHAIN = "dev.sigstore.cosign/chain"
LOG_ENTRY = "dev.sigstore.cosign/bundle"
TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_BLOCK = re.compile("-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----")
_WHERE = "image signature"


@record(frozen=True)
class Payload:
    """What a simple signing payload says.

    Attributes:
        digest: The image's, ``sha256:HEX``.
        reference: What the signer called it; a claim.
        optional: Annotations of the signer; claims.
    """

    digest: str
    reference: str
    optional: Mapping[str, Any]


def parse_payload(data: bytes) -> Payload:
    """Return a payload whose signature was judged.

    Raises:
        EvidenceMalformed: It is none.
        EvidenceFormUnknown: It is of another type.
        EvidenceTooLarge: It is above a limit.
    """
    fields = Fields(parse_foreign(data, _WHERE), _WHERE, EvidenceMalformed)
    critical = fields.at("critical")
    if critical.text("type") not in KINDS:
        raise EvidenceFormUnknown(f"of type {critical.text('type')[:60]!r}", where=_WHERE)
    image = critical.at("image")
    digest = image.text("docker-manifest-digest")
    if not _DIGEST.fullmatch(digest):
        raise image.wrong("not sha256:HEX", "docker-manifest-digest")
    identity = critical.at("identity")
    reference = identity.text("docker-reference") if identity.has("docker-reference") else ""
    optional = fields.value("optional") if fields.has("optional") else {}
    if not isinstance(optional, dict):
        raise fields.wrong("not an object", "optional")
    return Payload(digest, reference, optional)


def check_image(payload: Payload, digest: str) -> None:
    """Hold a payload to the image at hand.

    Raises:
        SubjectMismatch: It is about another.
    """
    if payload.digest != digest:
        raise SubjectMismatch(f"it is about {payload.digest}, not {digest}", where=_WHERE)


def read_layer(annotations: Mapping[str, str]) -> Bundle:
    """Return the annotations of a layer as a bundle whose artifact is the layer, the payload.

    Raises:
        EvidenceMalformed: They are not what cosign writes.
        CertificateMalformed: A certificate is none.
    """
    try:
        signature = parse_base64(annotations.get(SIGNATURE), "the signature")
    except NotStrict as reason:
        raise EvidenceMalformed(str(reason), where=_WHERE) from None
    if not signature:
        raise EvidenceMalformed("no signature", where=_WHERE)
    return _bundle(annotations, Message("", b"", signature), None)


def read_attestation(annotations: Mapping[str, str], envelope: Envelope) -> Bundle | Envelope:
    """Return a layer that is an envelope with its annotations; a bare one where there are none.

    Raises:
        EvidenceMalformed: They are not what cosign writes.
        CertificateMalformed: A certificate is none.
    """
    if len(envelope.signatures) != 1 or not any(
        annotations.get(name) for name in (CERTIFICATE, LOG_ENTRY, TIMESTAMP)
    ):
        return envelope
    return _bundle(annotations, None, envelope)


def _bundle(
    annotations: Mapping[str, str], message: Message | None, envelope: Envelope | None
) -> Bundle:
    certificates = _certificates(annotations)
    entries, timestamps = [], []
    if annotations.get(LOG_ENTRY):
        entries.append(_entry(annotations[LOG_ENTRY]))
    if annotations.get(TIMESTAMP):
        value = parse_foreign(annotations[TIMESTAMP].encode("utf-8"), _WHERE)
        timestamps.append(Fields(value, _WHERE, EvidenceMalformed).data("SignedRFC3161Timestamp"))
    return Bundle(
        1,
        certificates[0] if certificates else None,
        tuple(each for each in certificates[1:] if not each.self_signed),
        tuple(entries),
        tuple(timestamps),
        message,
        envelope,
    )


def _certificates(annotations: Mapping[str, str]) -> list[Certificate]:
    """Return the signer's certificate and those above it; none for a key."""
    if not annotations.get(CERTIFICATE):
        return []
    own = _blocks(annotations[CERTIFICATE])
    if len(own) != 1:
        raise EvidenceMalformed("not exactly one certificate of the signer", where=_WHERE)
    return own + _blocks(annotations.get(CHAIN, ""))


def _blocks(text: str) -> list[Certificate]:
    found = []
    for block in _BLOCK.findall(text)[:MAX_CERTIFICATES]:
        try:
            data = base64.b64decode(re.sub("[\r\n]", "", block), validate=True)
        except ValueError:
            raise EvidenceMalformed("a certificate is not base64", where=_WHERE) from None
        found.append(parse_certificate(data, _WHERE))
    return found


def _entry(text: str) -> LogEntry:
    """Return the log entry that cosign keeps: with a promise, and without a proof."""
    fields = Fields(parse_foreign(text.encode("utf-8"), _WHERE), _WHERE, EvidenceMalformed)
    payload = fields.at("Payload")
    body = payload.data("body")
    inner = Fields(parse_foreign(body, _WHERE), _WHERE, EvidenceMalformed)
    log_id = payload.text("logID")
    if not re.fullmatch("[0-9a-f]{64}", log_id):
        raise payload.wrong("not 64 hexadecimal digits", "logID")
    return LogEntry(
        bytes.fromhex(log_id),
        payload.number("logIndex"),
        (inner.text("kind"), inner.text("apiVersion")),
        body,
        payload.number("integratedTime"),
        fields.data("SignedEntryTimestamp"),
        None,
    )
