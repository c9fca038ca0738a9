"""Signed certificate timestamps inside a certificate: its log promised to show it (RFC 6962 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from verifier.crypto import der
from verifier.evidence.errors import EvidenceAlgorithmUnknown
from verifier.evidence.sigstore import asn1
from verifier.evidence.sigstore.asn1 import context, oid, read
from verifier.evidence.sigstore.errors import (
    CertificateMalformed,
    SctInvalid,
    SctMissing,
    SctUntrusted,
)
from verifier.evidence.sigstore.keys import RSA
from verifier.evidence.sigstore.roots import Log
from verifier.evidence.sigstore.x509 import Certificate
from verifier.typed import record

SCT_LIST = oid("1.3.6.1.4.1.11129.2.4.2")  # RFC 6962 3.3
MAX_SCTS = 16
_SHA256, _BY_RSA, _BY_ECDSA = 4, 1, 3  # RFC 5246 7.4.1.4.1
_WHERE = "SCT"


@record(frozen=True)
class Sct:
    """A signed certificate timestamp.

    Attributes:
        log_id: Which log.
        moment: When, in milliseconds since the epoch.
        extensions: Signed too; none are known.
        algorithm: Hash and signature algorithm, a byte each.
        signature: The log's.
    """

    log_id: bytes
    moment: int
    extensions: bytes
    algorithm: tuple[int, int]
    signature: bytes


def check_scts(leaf: Certificate, issuer: Certificate, logs: Sequence[Log]) -> None:
    """Hold a certificate to the logs of a trusted root: one of them at least has promised.

    Args:
        issuer: Who signed ``leaf``.

    Raises:
        SctMissing: It has none.
        SctUntrusted: None is by a log that is named at the time of the SCT.
        SctInvalid: One by such a log is not its signature.
        CertificateMalformed: The list is none.
        EvidenceAlgorithmUnknown: One by such a log is by an algorithm that is not evaluated.
    """
    if SCT_LIST not in leaf.extensions:
        raise SctMissing("the certificate has no SCT", where=_WHERE)
    counted = 0
    for sct in _parse_list(leaf.extensions[SCT_LIST]):
        named = [log for log in logs if log.key_id == sct.log_id and log.covers(sct.moment)]
        if not named:
            continue
        if not any(_is_signed(sct, leaf, issuer, log) for log in named):
            raise SctInvalid(f"log {sct.log_id.hex()[:16]} did not sign it", where=_WHERE)
        counted += 1
    if not counted:
        raise SctUntrusted("by no log of the trusted root at that time", where=_WHERE)


def _is_signed(sct: Sct, leaf: Certificate, issuer: Certificate, log: Log) -> bool:
    if sct.algorithm != (_SHA256, _BY_RSA if log.key.kind == RSA else _BY_ECDSA):
        raise EvidenceAlgorithmUnknown("not SHA-256 with the log's key", where=_WHERE)
    tbs = without_scts(leaf.tbs)
    signed = (
        b"\0\0"  # version 1, certificate_timestamp
        + sct.moment.to_bytes(8, "big")
        + b"\0\1"  # precert_entry
        + hashlib.sha256(issuer.key.spki).digest()
        + len(tbs).to_bytes(3, "big")
        + tbs
        + len(sct.extensions).to_bytes(2, "big")
        + sct.extensions
    )
    return log.key.verify(signed, sct.signature, "sha256")


def without_scts(tbs: bytes) -> bytes:
    """Return a TBSCertificate as the log saw it: without the list of SCTs (RFC 6962 3.2)."""
    reader, before = read(tbs, "a certificate"), b""
    while reader.tag >= 0 and reader.tag != context(3):
        before += reader.any()
    kept = b""
    extensions = reader.inside(context(3)).inside()
    while extensions.tag >= 0:
        whole = extensions.whole(der.SEQUENCE)
        if read(whole, "an extension").oid() != SCT_LIST:
            kept += whole
    again = der.element(context(3), der.element(der.SEQUENCE, kept)) if kept else b""
    return der.element(der.SEQUENCE, before + again)


def _parse_list(value: bytes) -> Iterator[Sct]:
    try:
        reader = asn1.Reader(value, "a list of SCTs")
        data = reader.take(asn1.OCTET_STRING)
        reader.end()
        parts = list(_vectors(_vector(data, whole=True)))
        if not 1 <= len(parts) <= MAX_SCTS:
            raise ValueError(f"A list of SCTs holds 1 to {MAX_SCTS}.")
        yield from map(_parse_sct, parts)
    except ValueError as error:
        raise CertificateMalformed(str(error), where=_WHERE) from None


def _vectors(data: bytes) -> Iterator[bytes]:
    while data:
        part = _vector(data)
        yield part
        data = data[2 + len(part) :]


def _vector(data: bytes, *, whole: bool = False) -> bytes:
    """Return what a length of two bytes is about (RFC 5246 4.3)."""
    size = int.from_bytes(data[:2], "big")
    if len(data) < 2 + size or (whole and len(data) > 2 + size):
        raise ValueError("A list of SCTs is shorter or longer than it says.")
    return data[2 : 2 + size]


def _parse_sct(data: bytes) -> Sct:
    if len(data) < 43 or data[0] != 0:
        raise ValueError("An SCT is too short, or of another version than 1.")
    extensions = _vector(data[41:])
    rest = data[43 + len(extensions) :]
    if len(rest) < 4:
        raise ValueError("An SCT ends before its signature.")
    signature = _vector(rest[2:], whole=True)
    moment = int.from_bytes(data[33:41], "big")
    return Sct(data[1:33], moment, extensions, (rest[0], rest[1]), signature)
