"""Signatures that are not in the one encoding that counts (FORMAT 4.5)."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.cases.trust import ALICE, bobs, by, der, instead, short
from tests.support.hooks import put
from tests.support.people import L, N, person
from tests.support.vector import Case


def number(value: int, extra: bytes = b"") -> bytes:
    """Return a DER INTEGER, with ``extra`` bytes before its digits."""
    digits = extra + value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([2, len(digits)]) + digits


def pair(first: bytes, second: bytes, length: bytes = b"") -> bytes:
    """Return a SEQUENCE of two elements, with ``length`` bytes before its length."""
    return b"\x30" + length + bytes([len(first + second)]) + first + second


def low(s: int) -> int:
    """Return the smaller of the two values of ``s``."""
    return min(s, N - s)


def plus_order(signature: bytes) -> bytes:
    """Return an Ed25519 signature with S + L, which a sloppy verifier takes too."""
    s = int.from_bytes(signature[32:], "little") + L
    return signature[:32] + s.to_bytes(32, "little")


def neutral_r(message: bytes) -> bytes:
    """Return a signature of alice that holds for whoever decodes R without asking for y < p."""
    private = person("alice").private
    assert isinstance(private, Ed25519PrivateKey)
    digest = bytearray(hashlib.sha512(private.private_bytes_raw()).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64  # RFC 8032 5.1.5
    r = (2**255 - 18).to_bytes(32, "little")
    challenge = hashlib.sha512(r + private.public_key().public_bytes_raw() + message).digest()
    s = int.from_bytes(challenge, "little") * int.from_bytes(digest, "little") % L
    return r + s.to_bytes(32, "little")


CASES: list[Case] = [
    short(
        "sig_hex",
        "4.2",
        "alice's signature in hexadecimal, which is also good base64.",
        envelope=put("signatures.0.sig", "ab" * 64),
    ),
    short(
        "ed25519_s_plus_l",
        "4.5",
        "S + L instead of S.",
        **instead(ALICE, lambda m: plus_order(by("alice")(m))),
    ),
    short(
        "ed25519_s_zero",
        "4.5",
        "S = 0.",
        **instead(ALICE, lambda m: by("alice")(m)[:32] + bytes(32)),
    ),
    short(
        "ed25519_r_not_canonical",
        "4.5",
        "R is the neutral point, written as y + p; S is right.",
        **instead(ALICE, neutral_r),
    ),
    short(
        "ed25519_63_bytes",
        "4.5",
        "The last byte is missing.",
        **instead(ALICE, lambda m: by("alice")(m)[:-1]),
    ),
    short(
        "ed25519_65_bytes",
        "4.5",
        "A byte too many.",
        **instead(ALICE, lambda m: by("alice")(m) + b"\0"),
    ),
    short("ed25519_zeros", "4.5", "64 zero bytes.", **instead(ALICE, lambda m: bytes(64))),
    short(
        "ecdsa_high_s",
        "4.5",
        "n - s instead of s.",
        **bobs(lambda r, s: encode_dss_signature(r, max(s, N - s))),
    ),
    short("ecdsa_r_zero", "4.5", "r = 0.", **bobs(lambda r, s: der(0, s))),
    short("ecdsa_s_zero", "4.5", "s = 0.", **bobs(lambda r, s: encode_dss_signature(r, 0))),
    short("ecdsa_r_plus_n", "4.5", "r + n instead of r.", **bobs(lambda r, s: der(r + N, s))),
    short("ecdsa_r_order", "4.5", "r = n.", **bobs(lambda r, s: der(N, s))),
    short(
        "ecdsa_s_plus_n",
        "4.5",
        "s + n instead of s.",
        **bobs(lambda r, s: encode_dss_signature(r, s + N)),
    ),
    short(
        "ecdsa_negative",
        "4.5",
        "-r instead of r.",
        **bobs(
            lambda r, s: pair(b"\x02\x21" + (-r).to_bytes(33, "big", signed=True), number(low(s)))
        ),
    ),
    short(
        "ecdsa_leading_zero",
        "4.5",
        "A zero byte more before s.",
        **bobs(lambda r, s: pair(number(r), number(low(s), b"\0"))),
    ),
    short(
        "ecdsa_long_length",
        "4.5",
        "The length of the SEQUENCE in the long form.",
        **bobs(lambda r, s: pair(number(r), number(low(s)), b"\x81")),
    ),
    short(
        "ecdsa_trailing_byte",
        "4.5",
        "A byte behind the SEQUENCE.",
        **bobs(lambda r, s: der(r, s) + b"\0"),
    ),
    short(
        "ecdsa_trailing_inside",
        "4.5",
        "A third INTEGER in the SEQUENCE.",
        **bobs(lambda r, s: pair(number(r), number(low(s)) + number(1))),
    ),
    short(
        "ecdsa_indefinite",
        "4.5",
        "A SEQUENCE of indefinite length (BER).",
        **bobs(lambda r, s: b"\x30\x80" + number(r) + number(low(s)) + b"\0\0"),
    ),
    short(
        "ecdsa_raw",
        "4.5",
        "r and s as 64 bytes instead of DER.",
        **bobs(lambda r, s: r.to_bytes(32, "big") + low(s).to_bytes(32, "big")),
    ),
    short("ecdsa_cut", "4.5", "The last byte is missing.", **bobs(lambda r, s: der(r, s)[:-1])),
]
