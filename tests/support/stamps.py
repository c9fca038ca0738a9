"""Timestamps of RFC 3161 as a test's own authority makes them, good and bad."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, SubjectKeyIdentifier

from tests.support.dertree import integer, oid, parse, sequence, tlv

HASHES = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
SIGNATURES = {
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
TST_INFO = "1.2.840.113549.1.9.16.1.4"
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass
class Stamp:
    """How a timestamp is made; what is not said is as it should be.

    Attributes:
        key: Who signs.
        certificate: Whose it says it is.
        moment: When.
        given: Certificates that come along.
        hash_name: Of the signed attributes and of the information.
        imprint_name: Of what is stamped.
        imprint: What it says the digest is; None for the right one.
        fraction: Digits after the second.
        status: PKIStatus.
        by_key_id: Whether the signer is named by key identifier.
        certificate_hash: Of the attribute that names the certificate; ``sha1`` is the older one.
        no_certificate_attribute: Whether to leave that attribute out.
        content_type: Of the signed attribute.
        message_digest: Of the signed attribute; None for the right one.
        extensions: What stands at the end of the information.
    """

    key: PrivateKey
    certificate: Certificate
    moment: datetime
    given: list[Certificate] = field(default_factory=list)
    hash_name: str = "sha256"
    imprint_name: str = "sha256"
    imprint: bytes | None = None
    fraction: str = ""
    status: int = 0
    by_key_id: bool = False
    certificate_hash: str = "sha256"
    no_certificate_attribute: bool = False
    content_type: str = TST_INFO
    message_digest: bytes | None = None
    extensions: bytes = b""

    def make(self, message: bytes) -> bytes:
        """Return a TimeStampResp over ``message``."""
        info = self._info(message)
        attributes = self._attributes(info)
        signature = _sign(self.key, tlv(0x31, attributes), self.hash_name)
        version, named = 1, sequence(_issuer(self.certificate), integer(self._serial))
        if self.by_key_id:
            version, named = 3, tlv(0x80, _key_identifier(self.certificate))
        signer = sequence(
            integer(version),
            named,
            _algorithm(HASHES[self.hash_name]),
            tlv(0xA0, attributes),
            _signature_algorithm(self.key, self.hash_name),
            tlv(0x04, signature),
        )
        given = b"".join(_der(each) for each in self.given)
        data = sequence(
            integer(3),
            tlv(0x31, _algorithm(HASHES[self.hash_name])),
            sequence(oid(TST_INFO), tlv(0xA0, tlv(0x04, info))),
            tlv(0xA0, given) if given else b"",
            tlv(0x31, signer),
        )
        token = sequence(oid("1.2.840.113549.1.7.2"), tlv(0xA0, data))
        return sequence(sequence(integer(self.status)), token)

    @property
    def _serial(self) -> int:
        return self.certificate.serial_number

    def _info(self, message: bytes) -> bytes:
        digest = hashlib.new(self.imprint_name, message).digest()
        imprint = self.imprint if self.imprint is not None else digest
        moment = f"{self.moment:%Y%m%d%H%M%S}{self.fraction}Z".encode()
        return sequence(
            integer(1),
            oid("1.3.6.1.4.1.57264.2"),
            sequence(_algorithm(HASHES[self.imprint_name]), tlv(0x04, imprint)),
            integer(7),
            tlv(0x18, moment),
            sequence(integer(1)),  # accuracy: a second
            integer(1 << 40),  # nonce
            self.extensions,
        )

    def _attributes(self, info: bytes) -> bytes:
        digest = hashlib.new(self.hash_name, info).digest()
        digest = self.message_digest if self.message_digest is not None else digest
        found = [
            _attribute("1.2.840.113549.1.9.3", oid(self.content_type)),
            _attribute("1.2.840.113549.1.9.4", tlv(0x04, digest)),
        ]
        if not self.no_certificate_attribute:
            named = tlv(0x04, hashlib.new(self.certificate_hash, _der(self.certificate)).digest())
            which = "12" if self.certificate_hash == "sha1" else "47"
            if self.certificate_hash not in ("sha1", "sha256"):
                named = _algorithm(HASHES[self.certificate_hash]) + named
            found.append(
                _attribute(f"1.2.840.113549.1.9.16.2.{which}", sequence(sequence(sequence(named))))
            )
        return b"".join(sorted(found))


def _attribute(name: str, value: bytes) -> bytes:
    return sequence(oid(name), tlv(0x31, value))


def _algorithm(name: str) -> bytes:
    return sequence(oid(name))


def _signature_algorithm(key: PrivateKey, hash_name: str) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return sequence(oid("1.2.840.113549.1.1.1"), tlv(0x05))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return sequence(oid("1.3.101.112"))
    return _algorithm(SIGNATURES[hash_name])


def _sign(key: PrivateKey, message: bytes, hash_name: str) -> bytes:
    algorithm = getattr(hashes, hash_name.upper())()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), algorithm)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, ec.ECDSA(algorithm, deterministic_signing=True))


def _der(certificate: Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _issuer(certificate: Certificate) -> bytes:
    return parse(certificate.tbs_certificate_bytes).at(3).encode()


def _key_identifier(certificate: Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(SubjectKeyIdentifier).value.digest
