"""Which keys serve, what they are called, and how a root writes them (FORMAT 5.4)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    KEY_FOR_TYPE_AND_SCHEME,
    Signature,
    SSlibKey,
)

from verifier.core.signature import (
    ED25519,
    KEYTYPES,
    P256,
    P384,
    RSA_PKCS1,
    RSA_PSS,
    SSH_SCHEMES,
    SSHSIG,
    SSHSIG_SK,
    parse_material,
)
from verifier.crypto import rsa, sshsig

Ask = Callable[[str], str]
"""Asks a person, or whoever stands in, for the secret named, and returns it."""

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

_CURVES = {SECP256R1.name: P256, SECP384R1.name: P384}
_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}  # NIST's names


class SshSigKey(SSlibKey):
    """An Ed25519 key that signs through ``ssh-keygen -Y sign``, as python-tuf is to read it."""

    @property
    def _judge(self) -> Callable[[bytes, bytes, bytes], bool]:
        return sshsig.verify_sk if self.scheme == SSHSIG_SK else sshsig.verify

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        """Hold an SSH signature to this key.

        Raises:
            UnverifiedSignatureError: It is not valid.
        """
        public = bytes.fromhex(self.keyval["public"])
        blob = bytes.fromhex(signature.signature)
        if signature.keyid != self.keyid or not self._judge(public, data, blob):
            raise UnverifiedSignatureError(f"not a signature of key {self.keyid}")


for _scheme in SSH_SCHEMES:
    KEY_FOR_TYPE_AND_SCHEME[KEYTYPES[_scheme][0], _scheme] = SshSigKey


def schemes_of(key: PublicKey) -> tuple[str, ...]:
    """Return the schemes that a key serves, the usual one first; none if a root cannot name it."""
    if isinstance(key, Ed25519PublicKey):
        return (ED25519, SSHSIG)
    if isinstance(key, EllipticCurvePublicKey):
        scheme = _CURVES.get(key.curve.name)
        return (scheme,) if scheme else ()
    try:
        rsa.parse_spki(public_pem(key))
    except ValueError:
        return ()
    return (RSA_PSS, RSA_PKCS1)


def public_pem(public: PublicKey) -> str:
    """Return ``public`` as PEM of a SubjectPublicKeyInfo, the point uncompressed, a final LF."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def spki_sha256(public: PublicKey) -> str:
    """Return the fingerprint of a key: SHA-256 of the DER of its SubjectPublicKeyInfo."""
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def ssh_fingerprint(public: PublicKey) -> str:
    """Return what ``ssh-keygen -l`` calls an Ed25519 key; empty for others."""
    if not isinstance(public, Ed25519PublicKey):
        return ""
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split(b" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def tuf_key(public: PublicKey, scheme: str = "") -> SSlibKey:
    """Return ``public`` as TUF metadata holds it; securesystemslib computes the key id.

    Args:
        scheme: One of `schemes_of`; the first of them if empty.
    """
    key = SSlibKey.from_crypto(public, scheme=scheme or None)
    if scheme not in SSH_SCHEMES:
        return key
    return SshSigKey(key.keyid, key.keytype, key.scheme, key.keyval)


def material_of(public: PublicKey) -> bytes:
    """Return a key as the verifier compares it: the same bytes for all schemes and spellings.

    Raises:
        ValueError: No root can name it.
    """
    key = tuf_key(public)
    material = parse_material(key.keytype, key.scheme, key.keyval["public"])
    if material is None:
        raise ValueError(f"the scheme {key.scheme} is not one of kits")
    return material


def describe(key: Any) -> str:
    """Say what kind of key it is; nothing of the key itself."""
    name = type(key).__name__
    half = "private" if name.endswith("PrivateKey") else "public"
    kind = name.removesuffix("PrivateKey").removesuffix("PublicKey")
    curve = getattr(key, "curve", None)
    if curve is not None:
        return f"an ECDSA {half} key on the curve {_NAMES.get(curve.name, curve.name)}"
    if kind == "Ed25519":
        return f"an Ed25519 {half} key"
    if kind == "RSA":
        return f"an RSA {half} key of {key.key_size} bits"
    return f"a {half} key of the kind {kind}"
