"""Signatures by key files: the same bytes every time, but for RSA-PSS, whose salt is random."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from kit.errors import show
from kit.keys.kinds import Ask, PrivateKey, material_of
from kit.keys.private import Variable, load_private
from kit.signing.errors import KeyNotInRoot, KeyOfAnotherSigner, SignerUnavailable
from kit.signing.model import KitSigner, Make, Targets, evaluated, signer_of
from verifier.core.signature import P256, RSA_PKCS1, SSHSIG, SSHSIG_SK
from verifier.crypto import sshsig

_SALT = 32  # bytes, FORMAT 4.5


def file_signer(
    place: Path | Variable, name: str | None, targets: Targets, ask: Ask | None
) -> KitSigner:
    """Return the signer whose key is in a file or a variable; see `kit.signing.load_signer`.

    Raises:
        KeyNotInRoot: The root does not name the key.
        KeyOfAnotherSigner: The root names the key for somebody else.
        KitError: The file does not serve; see `load_private`.
    """
    private = load_private(place, ask)
    # not by key id: a PEM has many spellings, and other programs compute the id from theirs
    wanted, where = material_of(private.public_key()), place_of(place)
    named = [k for k in evaluated(targets) if k.material == wanted and k.scheme != SSHSIG_SK]
    if not named:
        raise KeyNotInRoot("the root does not name this key", where=where)
    for key in named:
        if name is None or name in (key.signer, key.keyid):
            return signer_of(key, maker(private, key.scheme))
    owner = named[0].signer
    raise KeyOfAnotherSigner(f"the root names it for {owner!r}, not for {name!r}", where=where)


def place_of(place: Path | Variable) -> str:
    """Return how messages call the place of a key."""
    return str(place) if isinstance(place, Variable) else f"key {show(place)}"


def maker(private: PrivateKey, scheme: str) -> Make:
    """Return what signs with a private key in one of the schemes that it serves.

    Raises:
        SignerUnavailable: This host has no RFC 6979.
    """
    if isinstance(private, Ed25519PrivateKey):
        return _ssh(private) if scheme == SSHSIG else private.sign
    if isinstance(private, EllipticCurvePrivateKey):
        key, algorithm = private, rfc_6979(SHA256() if scheme == P256 else SHA384())
        return lambda message: key.sign(message, algorithm)
    padding = PKCS1v15() if scheme == RSA_PKCS1 else PSS(MGF1(SHA256()), _SALT)
    rsa_key = private
    return lambda message: rsa_key.sign(message, padding, SHA256())


def rfc_6979(algorithm: SHA256 | SHA384 | Prehashed) -> ECDSA:
    """Return ECDSA whose nonces follow from the key and the message.

    Raises:
        SignerUnavailable: This host has no RFC 6979.
    """
    try:
        return ECDSA(algorithm, deterministic_signing=True)
    except UnsupportedAlgorithm:
        raise SignerUnavailable(
            "deterministic ECDSA (RFC 6979) needs the package cryptography on OpenSSL 3.2 or newer"
        ) from None


def _ssh(private: Ed25519PrivateKey) -> Make:
    """Return what signs as ``ssh-keygen -Y sign`` does with the same key."""
    head = sshsig.head(private.public_key().public_bytes_raw(), sshsig.HASHES[0])
    return lambda message: head + private.sign(sshsig.to_be_signed(message, sshsig.HASHES[0]))
