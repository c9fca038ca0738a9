"""Which signature schemes count, and how a key of a root says which one it is (FORMAT 4.5, 5.4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from verifier.core import ecdsa, ed25519

ED25519 = "ed25519"
P256 = "ecdsa-sha2-nistp256"
_KEYTYPES = {ED25519: ("ed25519",), P256: ("ecdsa", "ecdsa-sha2-nistp256")}


@dataclass(frozen=True)
class Key:
    """One public key of a root.

    Attributes:
        keyid: What envelopes call it; a hint, never proof.
        signer: The person or team it belongs to.
        scheme: TUF's name of the signature scheme.
        public: TUF's ``keyval.public``: hexadecimal digits for Ed25519, a PEM for ECDSA.
        material: 32 bytes of Ed25519, or 65 bytes of a P-256 point; None when the scheme is
            not evaluated by this verifier.
    """

    keyid: str
    signer: str
    scheme: str
    public: str
    material: bytes | None

    @property
    def evaluated(self) -> bool:
        """Whether this verifier can judge signatures of this key."""
        return self.material is not None

    def verify(self, message: bytes, signature: bytes, *, low_s: bool) -> bool:
        """Return whether ``signature`` over ``message`` is this key's; False if not evaluated.

        Args:
            message: What was signed: PAE for a page, OLPC canonical JSON for a root.
            signature: 64 bytes for Ed25519, DER for ECDSA.
            low_s: Whether ECDSA's ``s`` must be at most half the order, as pages demand.
        """
        if self.material is None:
            return False
        if self.scheme == ED25519:
            return ed25519.verify(self.material, message, signature)
        digest = hashlib.sha256(message).digest()
        return ecdsa.verify(ecdsa.P256, self.material, digest, signature, low_s=low_s)


def parse_material(keytype: str, scheme: str, public: str) -> bytes | None:
    """Return the bytes of a public key as TUF writes it; None for a scheme not evaluated.

    Raises:
        ValueError: The scheme is known and the key is not one of it.
    """
    if scheme not in _KEYTYPES:
        return None
    if keytype not in _KEYTYPES[scheme]:
        raise ValueError(f"key type {keytype[:40]!r} does not go with scheme {scheme!r}")
    if scheme == P256:
        return ecdsa.parse_spki(public)
    if len(public) != 64 or public != public.lower():
        raise ValueError("an Ed25519 key is 64 lower-case hexadecimal digits")
    return bytes.fromhex(public)
