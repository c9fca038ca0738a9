"""Ed25519 signatures, made (RFC 8032 5.1.6): a host signs its receipts with the standard library.

Python's integers take time that depends on their values, so this is not constant time; the same
doublings and additions are done whatever the key is, and no table is looked up by it.  Who can
measure this process on the same host to the microsecond, again and again, may learn something.  One
signature is made for each receipt; where that is too much, ssh-keygen signs (ADR 29).
"""

from __future__ import annotations

import hashlib

from verifier.crypto.ed25519 import _BASE, _NEUTRAL, L, _add, _addend, _double, _encode, verify


def public_of(seed: bytes) -> bytes:
    """Return the public key of a private one: 32 bytes each."""
    return _encode(_times_base(_secret(seed)[0]))


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the one signature of a key over a message.

    It is checked before it is returned: a computer that made a mistake would give the key away.

    Raises:
        ValueError: ``seed`` is not 32 bytes.
        ArithmeticError: This computer made a mistake.
    """
    scalar, prefix = _secret(seed)
    public = _encode(_times_base(scalar))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    point = _encode(_times_base(r))
    k = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little") % L
    signature = point + ((r + k * scalar) % L).to_bytes(32, "little")
    if not verify(public, message, signature):
        raise ArithmeticError("the signature is not valid under its own key")
    return signature


def _secret(seed: bytes) -> tuple[int, bytes]:
    """Return the scalar and the prefix that a private key stands for (RFC 8032 5.1.5)."""
    if len(seed) != 32:
        raise ValueError(f"a private key is 32 bytes, got {len(seed)}")
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & ((1 << 254) - 8) | 1 << 254, digest[32:]


def _times_base(scalar: int) -> tuple[int, int, int, int, int]:
    """Return the base point so many times: one doubling and one addition for each of 256 bits."""
    base, total = _addend(_BASE), _NEUTRAL
    for place in range(255, -1, -1):
        total = _double(total)
        total = (total, _add(total, base))[scalar >> place & 1]
    return total
