"""Signed digits: they add up to the number, and are few; and the constants that save doublings."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from verifier.crypto import ecdsa, ed25519
from verifier.crypto.windows import FAR, WIDTH, addends, signed_digits


@given(st.integers(-(2**384), 2**384))
@example(2**253 - 1)
@example(-(2**253))
@example(15)
@example(16)
@example(17)
@example(0)
def test_digits_are_odd_small_apart_and_add_up(number: int) -> None:
    digits = signed_digits(number)
    assert sum(digit << place for place, digit in digits) == number
    assert all(digit % 2 == 1 and abs(digit) < 1 << WIDTH - 1 for _, digit in digits)
    places = [place for place, _ in digits]
    assert all(after - before >= WIDTH for before, after in itertools.pairwise(places))


@given(st.integers(-(2**384), 2**384), st.integers(1, 3))
def test_tables_add_up_to_the_number(number: int, count: int) -> None:
    """The group is that of the integers, the point is 1."""
    tables = [[odd << FAR * far for odd in range(1, 16, 2)] for far in range(count)]
    total = sum(
        (point if positive else -point) << place
        for place, positive, point in addends(number, tables)
    )
    assert total == number


@pytest.mark.parametrize("curve", [ecdsa.P256, ecdsa.P384], ids=lambda curve: curve.name)
def test_multiples_of_g_are_what_they_are_called(curve: ecdsa.Curve) -> None:
    judge = ec.SECP256R1() if curve is ecdsa.P256 else ec.SECP384R1()
    assert len(curve.g) == 8 * curve.size // FAR
    for far, point in enumerate(curve.g):
        public = ec.derive_private_key(1 << FAR * far, judge).public_key()
        assert public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) == point


def test_the_multiple_of_the_base_point_is_what_it_is_called() -> None:
    doubled = ed25519._double(ed25519._BASE, FAR)
    assert ed25519._encode(doubled) == ed25519._encode(ed25519._FAR_BASE)
    assert ed25519._decode(ed25519._encode(doubled)) == ed25519._FAR_BASE
