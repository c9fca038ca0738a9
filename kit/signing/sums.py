"""Who signs ``SHA256SUMS`` for stock tools (FORMAT 6.7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from kit.keys.errors import KeyUnsupported
from kit.keys.kinds import Ask, describe, public_pem
from kit.keys.private import Variable, load_private
from kit.signing.arguments import VARIABLE, parse_uri
from kit.signing.errors import SignerUnsupported
from kit.signing.files import place_of, rfc_6979
from kit.signing.model import with_low_s
from verifier.crypto import ecdsa

_MAKE = "Make a key for it with `offline-kit key new sums --type ecdsa-p256`."


@dataclass(frozen=True)
class SumsSigner:
    """The key that signs ``SHA256SUMS`` for stock tools (FORMAT 6.7); no root names it.

    Attributes:
        public_pem: SubjectPublicKeyInfo, for ``openssl dgst -verify`` and ``cosign --key``.
    """

    public_pem: str
    _private: EllipticCurvePrivateKey = field(repr=False)
    _algorithm: ECDSA = field(repr=False)

    def sign_digest(self, sha256: bytes) -> bytes:
        """Return the DER signature over a file with this SHA-256, the same one every time.

        Raises:
            ValueError: ``sha256`` is not 32 bytes.
        """
        if len(sha256) != 32:
            raise ValueError(f"a SHA-256 is 32 bytes, got {len(sha256)}")
        return with_low_s(self._private.sign(sha256, self._algorithm), ecdsa.P256)


def load_sums_signer(uri_or_path: str, *, secrets: Ask | None = None) -> SumsSigner:
    """Return the signer of ``SHA256SUMS``: an ECDSA P-256 key, in a file or as ``envvar:NAME``.

    Args:
        secrets: Asks for the passphrase if the file is encrypted.

    Raises:
        SignerUnsupported: The URI is not one of a file.
        KeyUnreadable: The key file is missing or no key.
        KeyUnsupported: It is no P-256 private key.
        PassphraseMissing: It is encrypted, and nobody is there to be asked.
        PassphraseWrong: It is encrypted, and not with this passphrase.
        SignerUnavailable: This host has no RFC 6979.
    """
    scheme, path = parse_uri(uri_or_path)
    if scheme not in ("", VARIABLE):
        raise SignerUnsupported(
            f"'{scheme}:' cannot sign SHA256SUMS: only key files and envvar:NAME can",
            fix=_MAKE,
        )
    place = Variable(uri_or_path.partition(":")[2]) if scheme == VARIABLE else path
    private = load_private(place, secrets)
    if not isinstance(private, EllipticCurvePrivateKey) or private.curve.name != SECP256R1.name:
        raise KeyUnsupported(
            f"is {describe(private)}; SHA256SUMS is signed with ECDSA P-256, "
            "which stock tools check",
            where=place_of(place),
            fix=_MAKE,
        )
    algorithm = rfc_6979(Prehashed(SHA256()))
    return SumsSigner(public_pem(private.public_key()), private, algorithm)
