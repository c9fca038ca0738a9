"""A key of the root that can sign, and the check of everything it makes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kit.signing.errors import SignatureSelfCheckFailed
from verifier.core.signature import KEYTYPES, P256, P384, Key, parse_material
from verifier.crypto import ecdsa

Make = Callable[[bytes], bytes]
"""Makes a signature over a message, in whatever of its spellings."""

_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 4: what precedes the key
_CURVES = {P256: ecdsa.P256, P384: ecdsa.P384}


class RootKeyLike(Protocol):
    """A key as a root names it: `kit.roots.metadata.RootKey`, or anything that looks the same."""

    @property
    def keyid(self) -> str: ...
    @property
    def signer(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def public(self) -> str:
        """TUF's ``keyval.public``: 64 hexadecimal digits, or a PEM (FORMAT 5.4)."""


Targets = Mapping[str, RootKeyLike]


@dataclass(frozen=True)
class KitSigner:
    """One key of one signer of the root, able to sign.

    Attributes:
        keyid: The key's id in the root.
        signer: The person or team that the root names for it.
        scheme: One of FORMAT 4.5.
    """

    keyid: str
    signer: str
    scheme: str
    _make: Make = field(repr=False)
    _key: Key = field(repr=False)

    @property
    def spki(self) -> bytes:
        """The public key as the DER of a SubjectPublicKeyInfo, which other tools call it by."""
        if self._key.public.startswith("-"):
            return base64.b64decode("".join(self._key.public.split("\n")[1:]).partition("-")[0])
        return _ED25519_SPKI + bytes.fromhex(self._key.public)

    @property
    def key(self) -> Key:
        """The public half, as a root would name it."""
        return self._key

    def sign(self, pae: bytes) -> bytes:
        """Return the signature over ``pae`` that a page may carry (FORMAT 4.5).

        Raises:
            SignerUnavailable: The signer failed.
            SignatureSelfCheckFailed: It signed with another key than the root's.
        """
        signature = self._make(pae)
        if self.scheme in _CURVES:
            signature = with_low_s(signature, _CURVES[self.scheme])
        if not self._key.verify(pae, signature, low_s=True):
            raise SignatureSelfCheckFailed(
                f"the signature is not valid under key {self.keyid} of the root",
                where=f"signer {self.signer!r}",
            )
        return signature


def signer_of(key: Key, make: Make) -> KitSigner:
    """Return the signer of a key of the root."""
    return KitSigner(key.keyid, key.signer, key.scheme, make, key)


def evaluated(targets: Targets) -> list[Key]:
    """Return the keys of a root that the verifier evaluates, by key id."""
    keys = []
    for keyid in sorted(targets):
        key = targets[keyid]
        try:
            material = parse_material(KEYTYPES.get(key.scheme, ("",))[0], key.scheme, key.public)
        except ValueError:
            continue
        if material is not None:
            keys.append(Key(key.keyid, key.signer, key.scheme, key.public, material))
    return keys


def with_low_s(signature: bytes, curve: ecdsa.Curve) -> bytes:
    """Return the one of two equivalent signatures that a page may carry (FORMAT 4.5).

    What is no DER signature at all comes back as it is: the check that follows refuses it.
    """
    try:
        r, s = ecdsa.parse_der_signature(signature, curve.n)
    except ValueError:
        return signature
    return ecdsa.encode_der_signature(r, min(s, curve.n - s))
