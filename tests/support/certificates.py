"""Certificates as a test's own authorities issue them, good and bad, with `cryptography`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

from tests.support.dertree import Node, oid, parse, sequence, tlv
from tests.support.stamps import PrivateKey

NOW = datetime(2025, 6, 1, 12, 0, 0, tzinfo=timezone.utc)
START, END = NOW - timedelta(days=400), NOW + timedelta(days=4000)
SCT_LIST = "1.3.6.1.4.1.11129.2.4.2"
KEY_USAGES = "digital_signature content_commitment key_encipherment data_encipherment".split()
KEY_USAGES += "key_agreement key_cert_sign crl_sign encipher_only decipher_only".split()


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def p384() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def spki(key: PrivateKey) -> bytes:
    """Return the SubjectPublicKeyInfo of a private key in DER."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pem(key: PrivateKey) -> str:
    """Return the public key of a private key in PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def hash_of(key: PrivateKey) -> hashes.HashAlgorithm:
    """Return the hash that goes with a key."""
    p384 = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size == 384
    return hashes.SHA384() if p384 else hashes.SHA256()


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign with the hash that goes with the key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message, ec.ECDSA(hash_of(key), deterministic_signing=True))


def subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in KEY_USAGES})


def utf8(text: str) -> bytes:
    """Return a UTF8String."""
    return tlv(0x0C, text.encode("utf-8"))


def other(dotted: str, value: bytes) -> x509.UnrecognizedExtension:
    """Return an extension by its number and bytes."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), value)


@dataclass
class Issue:
    """How a certificate is made; what is not said is as it should be.

    Attributes:
        key: Its owner's.
        name: Its owner's; empty for none, as the certificates of signers have.
        issuer: Who signs: name and key; None for the owner.
        start: When its validity begins.
        end: And ends.
        extensions: Each with whether it is critical.
        serial: Its number.
        identifiers: Whether to name its key and its issuer's by their hashes.
        change: What to do to the TBSCertificate before the log and the issuer sign it.
    """

    key: PrivateKey
    name: str
    issuer: tuple[str, PrivateKey] | None = None
    start: datetime = START
    end: datetime = END
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()
    serial: int = 0x1234567890
    identifiers: bool = True
    change: Callable[[Node], object] = field(default=lambda tbs: None)

    @property
    def signer(self) -> PrivateKey:
        """Who signs."""
        return self.issuer[1] if self.issuer else self.key

    def tbs(self) -> Node:
        """Return what is signed."""
        own = subject(self.name) if self.name else x509.Name([])
        builder = x509.CertificateBuilder(
            subject(self.issuer[0]) if self.issuer else own, own, self.key.public_key(), self.serial
        )
        builder = builder.not_valid_before(self.start).not_valid_after(self.end)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical)
        if self.identifiers:
            public = self.key.public_key()
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public), critical=False
            )
            issuer = self.signer.public_key()
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
            )
        edward = isinstance(self.signer, ed25519.Ed25519PrivateKey)
        made = builder.sign(self.signer, None if edward else hash_of(self.signer))  # type: ignore[arg-type]
        tree = parse(made.tbs_certificate_bytes)
        self.change(tree)
        return tree

    def make(self, *logs: Log) -> bytes:
        """Return the certificate in DER, with an SCT of each log, if there are any."""
        tree = self.tbs()
        if logs:
            scts = b"".join(log.sct(self, tree.encode()) for log in logs)
            value = tlv(0x04, len(scts).to_bytes(2, "big") + scts)
            place = next(each for each in tree.children or () if each.tag == 0xA3)
            extensions = place.at(0).children
            assert extensions is not None
            extensions.append(parse(sequence(oid(SCT_LIST), tlv(0x04, value))))
        tbs = tree.encode()
        return sequence(tbs, tree.at(2).encode(), tlv(0x03, b"\0" + sign(self.signer, tbs)))


@dataclass
class Log:
    """A certificate transparency log.

    Attributes:
        key: Its own.
        moment: When it says that it saw a certificate.
        bent: Whether its signatures are over something else.
        algorithm: Hash and signature algorithm as it says.
        version: Of its SCTs.
        extensions: Of its SCTs.
    """

    key: PrivateKey
    moment: datetime = NOW
    bent: bool = False
    algorithm: bytes = b"\4\3"
    version: int = 0
    extensions: bytes = b""

    @property
    def key_id(self) -> bytes:
        """What SCTs call it."""
        return hashlib.sha256(spki(self.key)).digest()

    def sct(self, issue: Issue, tbs: bytes) -> bytes:
        """Return an SCT with its length before it."""
        time = int(self.moment.timestamp() * 1000).to_bytes(8, "big")
        key_hash = hashlib.sha256(spki(issue.signer)).digest()
        more = len(self.extensions).to_bytes(2, "big") + self.extensions
        entry = b"\0\1" + key_hash + len(tbs).to_bytes(3, "big") + tbs + more
        signature = sign(self.key, b"\0\0" + time + entry + b"?" * self.bent)
        whole = bytes([self.version]) + self.key_id + time + more + self.algorithm
        whole += len(signature).to_bytes(2, "big") + signature
        return len(whole).to_bytes(2, "big") + whole


def load(data: bytes) -> Any:
    """Return a certificate as `cryptography` reads it."""
    return x509.load_der_x509_certificate(data)
