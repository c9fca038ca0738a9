"""RSA signatures with any padding, by the plain formulas of RFC 8017: for vectors and judges."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # 9.2, SHA-256


def raw(private: RSAPrivateKey, padded: int) -> bytes:
    """Return what opens to ``padded``: as many bytes as the modulus has (RFC 8017, 5.1.2, CRT)."""
    numbers = private.private_numbers()
    p, q = numbers.p, numbers.q
    by_p, by_q = pow(padded % p, numbers.dmp1, p), pow(padded % q, numbers.dmq1, q)
    signed = by_q + q * ((by_p - by_q) * numbers.iqmp % p)
    return signed.to_bytes((numbers.public_numbers.n.bit_length() + 7) // 8, "big")


def pkcs1v15(
    message: bytes,
    size: int,
    *,
    info: bytes = DIGEST_INFO,
    kind: bytes = b"\0\1",
    fill: bytes = b"\xff",
    end: bytes = b"\0",
    garbage: int = 0,
    digest: Any = hashlib.sha256,
) -> int:
    """Return the padded message (9.2), with ``garbage`` bytes behind it in place of filling."""
    tail = end + info + digest(message).digest() + b"\xaa" * garbage
    return int.from_bytes(kind + fill * (size - len(kind) - len(tail)) + tail, "big")


def mgf1(seed: bytes, size: int, digest: Any = hashlib.sha256) -> bytes:
    """Return the mask of B.2.1."""
    mask = b""
    while len(mask) < size:
        counter = (len(mask) // digest().digest_size).to_bytes(4, "big")
        mask += digest(seed + counter).digest()
    return mask[:size]


def pss(
    message: bytes,
    bits: int,
    *,
    salt: bytes = b"\x5a" * 32,
    trailer: int = 0xBC,
    separator: int = 1,
    filling: int = 0,
    top: int = 0,
    mask_digest: Any = hashlib.sha256,
) -> int:
    """Return the encoded message (9.1.1) for a modulus of ``bits`` bits, with faults to order.

    Args:
        filling: In place of the zeros before the separator.
        top: What the bits that must be zero are set to.
    """
    bits -= 1
    size = (bits + 7) // 8
    digest = hashlib.sha256(bytes(8) + hashlib.sha256(message).digest() + salt).digest()
    zeros = size - len(salt) - 34
    block = bytes([filling]) * zeros + bytes([separator]) + salt
    mask = mgf1(digest, len(block), mask_digest)
    masked = bytes(a ^ b for a, b in zip(block, mask, strict=True))
    first = masked[0] & 0xFF >> 8 * size - bits | top & 0xFF
    return int.from_bytes(bytes([first]) + masked[1:] + digest + bytes([trailer]), "big")
