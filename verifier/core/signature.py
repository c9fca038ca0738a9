"""Which signature schemes count, and how a key of a root says which one it is (FORMAT 4.5, 5.4).

The arithmetic of a scheme is imported when a root names a key of it: a usual verify compiles one
or two of these modules.
"""

from __future__ import annotations

import hashlib
import re

from verifier.typed import record

ED25519 = "ed25519"
P256 = "ecdsa-sha2-nistp256"
P384 = "ecdsa-sha2-nistp384"
RSA_PSS = "rsassa-pss-sha256"
RSA_PKCS1 = "rsa-pkcs1v15-sha256"
SSHSIG = "x-offline-kit-sshsig-ed25519"
SSHSIG_SK = "x-offline-kit-sshsig-sk-ed25519"
SSH_SCHEMES = (SSHSIG, SSHSIG_SK)
KEYID = re.compile(r"[!-~]{1,128}")  # FORMAT 4.2, 5.4
SCHEME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # FORMAT 5.4
KEYTYPES = {  # of each scheme, first the one to write
    ED25519: ("ed25519",),
    P256: ("ecdsa", P256),
    P384: ("ecdsa", P384),
    RSA_PSS: ("rsa",),
    RSA_PKCS1: ("rsa",),
    SSHSIG: ("ed25519",),
    SSHSIG_SK: ("ed25519",),
}


@record(frozen=True)
class Key:
    """One public key of a root.

    Attributes:
        keyid: What envelopes call it; a hint, never proof.
        signer: The person or team it belongs to.
        scheme: TUF's name of the signature scheme.
        public: TUF's ``keyval.public``: hexadecimal digits for Ed25519, a PEM for the others.
        material: The key in bytes, the same for every scheme that a key serves: 32 of Ed25519, a
            point of a curve, an RSAPublicKey; None when this verifier does not evaluate the scheme.
    """

    keyid: str
    signer: str
    scheme: str
    public: str
    material: bytes | None

    @property
    def identity(self) -> tuple[str, str, bytes | str]:
        """Return what makes it this key and no other: signer, scheme and public key (FORMAT 5.6).

        The keyid is no part of it: it is a name that whoever writes a root may give to any key.
        """
        return self.signer, self.scheme, self.material or self.public

    @property
    def evaluated(self) -> bool:
        """Whether this verifier can judge signatures of this key."""
        return self.material is not None

    def verify(self, message: bytes, signature: bytes, *, low_s: bool) -> bool:
        """Return whether ``signature`` over ``message`` is this key's; False if not evaluated.

        Args:
            message: What was signed: PAE for a page, OLPC canonical JSON for a root.
            signature: In the form that FORMAT 4.5 gives to the scheme.
            low_s: Whether ECDSA's ``s`` must be at most half the order, as pages demand.
        """
        if self.material is None:
            return False
        if self.scheme == ED25519:
            from verifier.crypto import ed25519

            return ed25519.verify(self.material, message, signature)
        if self.scheme in (P256, P384):
            from verifier.crypto import ecdsa

            p256 = self.scheme == P256
            curve, digest = (ecdsa.P256, hashlib.sha256) if p256 else (ecdsa.P384, hashlib.sha384)
            return ecdsa.verify(
                curve, self.material, digest(message).digest(), signature, low_s=low_s
            )
        if self.scheme in SSH_SCHEMES:
            from verifier.crypto import sshsig

            judge = sshsig.verify if self.scheme == SSHSIG else sshsig.verify_sk
            return judge(self.material, message, signature)
        from verifier.crypto import rsa

        verify = rsa.verify_pss if self.scheme == RSA_PSS else rsa.verify_pkcs1v15
        return verify(self.material, message, signature)


def parse_material(keytype: str, scheme: str, public: str) -> bytes | None:
    """Return the bytes of a public key as TUF writes it; None for a scheme not evaluated.

    Raises:
        ValueError: The scheme is known and the key is not one of it.
    """
    if scheme not in KEYTYPES:
        return None
    if keytype not in KEYTYPES[scheme]:
        raise ValueError(f"key type {keytype[:40]!r} does not go with scheme {scheme!r}")
    if keytype == "ed25519":
        if not re.fullmatch("[0-9a-f]{64}", public):
            raise ValueError("an Ed25519 key is 64 lower-case hexadecimal digits")
        return bytes.fromhex(public)
    if keytype == "rsa":
        from verifier.crypto import rsa

        return rsa.parse_spki(public)
    from verifier.crypto import ecdsa

    return ecdsa.parse_spki(public, ecdsa.P256 if scheme == P256 else ecdsa.P384)
