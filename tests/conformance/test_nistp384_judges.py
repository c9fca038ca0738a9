"""Our P-384 against OpenSSL's, through `cryptography`: what we accept, the judge accepts.

The cases are those of P-256 in `test_signature_judges.py` that depend on the curve: numbers near
its limits, additions that meet equal and opposite points, points that are none.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import at_least
from verifier.crypto import ecdsa
from verifier.crypto.ecdsa import P384

N, P = P384.n, P384.p
GENERIC = 0xA11CE
SECRETS = (1, 2, 3, N - 2, N - 1, GENERIC)
NONCES = (1, 2, 4, N - 1, 0xB0B)
HASHED = (0, 1, N - 1, N, N + 1, 2**384 - 1, 0xC0FFEE << 300)


@functools.cache
def public(secret: int) -> ec.EllipticCurvePublicKey:
    return ec.derive_private_key(secret, ec.SECP384R1()).public_key()


def point(secret: int) -> bytes:
    return public(secret).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def element(tag: int, contents: bytes) -> bytes:
    """Return a DER element with a short length."""
    assert len(contents) < 0x80
    return bytes([tag, len(contents)]) + contents


def integer(number: int) -> bytes:
    return element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def pair(r: int, s: int) -> bytes:
    return element(0x30, integer(r) + integer(s))


def sign(secret: int, nonce: int, hashed: int) -> tuple[int, int]:
    r = public(nonce).public_numbers().x % N
    return r, (hashed + r * secret) * pow(nonce, -1, N) % N


def judged(secret: int, hashed: int, signature: bytes) -> bool:
    try:
        digest = hashed.to_bytes(48, "big")
        public(secret).verify(signature, digest, ec.ECDSA(Prehashed(SHA384())))
    except InvalidSignature:
        return False
    return True


def ours(secret: int, hashed: int, signature: bytes, *, low_s: bool = False) -> bool:
    digest = hashed.to_bytes(48, "big")
    return ecdsa.verify(P384, point(secret), digest, signature, low_s=low_s)


Case = tuple[int, int, bytes, bool]


def edge_cases() -> Iterator[Case]:
    """Yield signatures where additions meet equal points, opposite points and infinity."""
    for secret, nonce, hashed in itertools.product(SECRETS, NONCES, HASHED):
        r, s = sign(secret, nonce, hashed)
        if s == 0:
            continue
        yield secret, hashed, pair(r, s), True
        yield secret, hashed, pair(r, N - s), True
        yield secret, hashed - 1 if hashed else 7, pair(r, s), False
        yield secret, -r * secret % N, pair(r, s), False  # the sum is infinity


def number_cases() -> Iterator[Case]:
    """Yield every pair out of a list of numbers near the limits."""
    hashed = HASHED[-1]
    r, s = sign(GENERIC, 0xB0B, hashed)
    limits = (-N, -1, 0, 1, N // 2, N - 1, N, N + 1, P, 2**384 - 1, 2**384, 2**392)
    near = (r, s, N - r, N - s, r + N, s + N, r - N, s - N, -r, -s)
    for first, second in itertools.product((*limits, *near), repeat=2):
        yield GENERIC, hashed, pair(first, second), first == r and second in {s, N - s}


@pytest.mark.parametrize("share", [5, pytest.param(1, marks=pytest.mark.long)])
def test_signatures_agree_with_the_judge(share: int) -> None:
    cases = [*edge_cases(), *number_cases()]
    assert len(cases) > 1000
    for secret, hashed, signature, good in cases[::share]:
        assert ours(secret, hashed, signature) is good, (secret, hashed, signature)
        assert judged(secret, hashed, signature) is good, (secret, hashed, signature)


def test_low_s_is_that_of_the_curve() -> None:
    for s, low in ((N // 2, True), (N // 2 + 1, False)):
        r = public(1).public_numbers().x % N  # nonce 1: the secret is what makes s come out
        secret = (s - HASHED[-1]) * pow(r, -1, N) % N
        assert judged(secret, HASHED[-1], pair(r, s))
        assert ours(secret, HASHED[-1], pair(r, s), low_s=False)
        assert ours(secret, HASHED[-1], pair(r, s), low_s=True) is low


@at_least(150)
@given(st.integers(1, N - 1), st.binary(max_size=80), st.data())
def test_signatures_of_the_judge_and_mutations(
    secret: int, message: bytes, data: st.DataObject
) -> None:
    hashed = int.from_bytes(hashlib.sha384(message).digest(), "big")
    private = ec.derive_private_key(secret, ec.SECP384R1())
    good = private.sign(message, ec.ECDSA(SHA384(), deterministic_signing=True))
    assert ours(secret, hashed, good)
    at, cut = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, 2))
    changed = good[:at] + data.draw(st.binary(max_size=2)) + good[at + cut :]
    assert ours(secret, hashed, changed) is judged(secret, hashed, changed) is (changed == good)


def test_keys_agree_with_the_judge() -> None:
    for secret in SECRETS:
        good = public(secret).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert ecdsa.parse_spki(good.decode(), P384) == point(secret)


@at_least(100)
@given(st.integers(0, 97 * 8 - 1))
def test_no_flipped_bit_of_a_point_makes_a_key(bit: int) -> None:
    flipped = bytearray(point(GENERIC))
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), bytes(flipped))
        judge = True
    except ValueError:
        judge = False
    assert not judge
    digest = HASHED[-1].to_bytes(48, "big")
    good = pair(*sign(GENERIC, 0xB0B, HASHED[-1]))
    assert ecdsa.verify(P384, bytes(flipped), digest, good, low_s=False) is False


def test_key_of_the_other_curve_is_refused() -> None:
    for made, asked in ((ec.SECP256R1(), P384), (ec.SECP384R1(), ecdsa.P256)):
        key = ec.derive_private_key(7, made).public_key()
        text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        with pytest.raises(ValueError, match="another curve"):
            ecdsa.parse_spki(text, asked)
