"""Public keys of others: SubjectPublicKeyInfo in DER or PEM, and the signatures they make."""

from __future__ import annotations

import base64
import hashlib
import re

from verifier.crypto import der
from verifier.evidence.errors import EvidenceAlgorithmUnknown
from verifier.evidence.sigstore.asn1 import oid, read
from verifier.typed import record

HASHES = {"sha256": 32, "sha384": 48, "sha512": 64}  # bytes
ED25519, P256, P384, RSA = "Ed25519", "P-256", "P-384", "RSA"
_PEM = re.compile("-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\r\n]*)-----END ([A-Z0-9 ]+)-----")

_ED25519 = oid("1.3.101.112")  # RFC 8410 3
_ECDSA = {  # RFC 5758 3.2: parameters are absent
    oid("1.2.840.10045.4.3.2"): "sha256",
    oid("1.2.840.10045.4.3.3"): "sha384",
    oid("1.2.840.10045.4.3.4"): "sha512",
}
_RSA = {  # RFC 4055 5: parameters are NULL
    oid("1.2.840.113549.1.1.11"): "sha256",
    oid("1.2.840.113549.1.1.12"): "sha384",
    oid("1.2.840.113549.1.1.13"): "sha512",
}
_DIGESTS = {  # RFC 5754 2: parameters are absent, or NULL
    oid("2.16.840.1.101.3.4.2.1"): "sha256",
    oid("2.16.840.1.101.3.4.2.2"): "sha384",
    oid("2.16.840.1.101.3.4.2.3"): "sha512",
}
_NULL = der.element(der.NULL, b"")


@record(frozen=True)
class PublicKey:
    """A public key.

    Attributes:
        kind: One of the four above; empty for one that this verifier does not evaluate.
        material: The key in bytes, as `verifier.crypto` takes it.
        spki: Its SubjectPublicKeyInfo in DER: two keys are the same when these are equal.
    """

    kind: str
    material: bytes
    spki: bytes

    @property
    def hash_name(self) -> str:
        """The hash that goes with the key where nothing names one."""
        return "sha384" if self.kind == P384 else "sha256"

    @property
    def signs_messages(self) -> bool:
        """Whether a signature needs the message itself, not a digest of it."""
        return self.kind == ED25519

    def verify(self, message: bytes, signature: bytes, hash_name: str) -> bool:
        """Return whether the key signed ``message``; Ed25519 ignores the hash.

        Raises:
            EvidenceAlgorithmUnknown: The key is of a kind that is not evaluated.
        """
        if self.kind == ED25519:
            from verifier.crypto import ed25519

            return ed25519.verify(self.material, message, signature)
        return self.verify_digest(hashlib.new(hash_name, message).digest(), signature, hash_name)

    def verify_digest(self, digest: bytes, signature: bytes, hash_name: str) -> bool:
        """Return whether the key signed what hashes to ``digest``; no Ed25519 key does.

        Raises:
            EvidenceAlgorithmUnknown: The key is of a kind that is not evaluated.
        """
        if self.kind in (P256, P384):
            from verifier.crypto import ecdsa

            curve = ecdsa.P256 if self.kind == P256 else ecdsa.P384
            fitted = ecdsa.fit(curve, digest)
            return ecdsa.verify(curve, self.material, fitted, signature, low_s=False)
        if self.kind == RSA:
            from verifier.crypto import rsa

            return rsa.verify_digest(self.material, hash_name, digest, signature)
        if self.kind == ED25519:
            return False
        raise EvidenceAlgorithmUnknown("a public key of a kind that is not evaluated here")


def parse_key(spki: bytes) -> PublicKey:
    """Return the key in a SubjectPublicKeyInfo (RFC 5280 4.1.2.7).

    Raises:
        ValueError: It is none, or one of a known kind that is wrong.
    """
    reader = read(spki, "a public key")
    algorithm = reader.inside()
    name, parameters = algorithm.oid(), algorithm.any() if algorithm.tag >= 0 else b""
    algorithm.end()
    key = reader.bits()
    reader.end()
    if name == _ED25519:
        if parameters or len(key) != 32:
            raise ValueError("An Ed25519 key has no parameters and 32 bytes.")
        return PublicKey(ED25519, key, spki)
    from verifier.crypto import ecdsa, rsa

    if name == rsa.RSA_ENCRYPTION:
        return PublicKey(RSA, rsa.parse_key_info(spki), spki)
    if name == ecdsa.EC_PUBLIC_KEY:
        for kind, curve in ((P256, ecdsa.P256), (P384, ecdsa.P384)):
            if parameters == der.element(der.OBJECT_IDENTIFIER, curve.oid):
                return PublicKey(kind, ecdsa.parse_key_info(spki, curve), spki)
    return PublicKey("", b"", spki)


def parse_key_pem(text: str) -> PublicKey:
    """Return the key in a PEM file.

    Raises:
        ValueError: It holds none.
    """
    return parse_key(parse_pem(text, "PUBLIC KEY"))


def parse_pem(text: str, label: str) -> bytes:
    """Return what the first PEM block holds, whatever the length of its lines (RFC 7468 3).

    Raises:
        ValueError: There is no block, or it is of another kind.
    """
    found = _PEM.search(text)
    if found is None or (found[1], found[3]) != (label, label):
        raise ValueError(f"It is not a PEM block of the kind {label}.")
    return base64.b64decode(re.sub("[\r\n]", "", found[2]), validate=True)


def signature_hash(algorithm: bytes, key: PublicKey) -> str:
    """Return the hash of a signature algorithm, which must be one for this kind of key.

    Args:
        algorithm: An AlgorithmIdentifier in DER.

    Raises:
        EvidenceAlgorithmUnknown: It is one that is not evaluated.
        ValueError: It is none, or does not go with the key.
    """
    reader = read(algorithm, "a signature algorithm")
    name, parameters = reader.oid(), reader.any() if reader.tag >= 0 else b""
    reader.end()
    if name in _ECDSA:
        if key.kind not in (P256, P384, "") or parameters:
            raise ValueError("ECDSA takes a key on a curve and no parameters.")
        return _ECDSA[name]
    if name in _RSA:
        if key.kind != RSA or parameters != _NULL:
            raise ValueError("RSA takes an RSA key and NULL as its parameters.")
        return _RSA[name]
    if name == _ED25519:
        if key.kind != ED25519 or parameters:
            raise ValueError("Ed25519 takes such a key and no parameters.")
        return "sha512"
    raise EvidenceAlgorithmUnknown(f"a signature algorithm of OID {name.hex()}")


def digest_name(algorithm: bytes) -> str:
    """Return the name of a digest algorithm, given as an AlgorithmIdentifier in DER.

    Raises:
        EvidenceAlgorithmUnknown: It is one that is not evaluated.
        ValueError: It is none.
    """
    reader = read(algorithm, "a digest algorithm")
    name, parameters = reader.oid(), reader.any() if reader.tag >= 0 else b""
    reader.end()
    if parameters not in (b"", _NULL):
        raise ValueError("A digest algorithm has no parameters, or NULL.")
    if name not in _DIGESTS:
        raise EvidenceAlgorithmUnknown(f"a digest algorithm of OID {name.hex()}")
    return _DIGESTS[name]
