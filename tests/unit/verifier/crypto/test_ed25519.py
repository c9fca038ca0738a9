"""Ed25519: what is accepted, and the signatures and keys that a lenient verifier would accept."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import A_FEW_BITS_OR_ALL
from tests.support.together import together
from verifier.crypto import ed25519

L = 2**252 + 27742317777372353535851937790883648493

# RFC 8032 7.1: public key, message, signature
VECTORS = {
    "test 1, empty message": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "test 2, one byte": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "test 3, two bytes": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "test SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}
PUBLIC, MESSAGE, SIGNATURE = (bytes.fromhex(text) for text in VECTORS["test 2, one byte"])
R, S = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:], "little")

IDENTITY = "01" + 31 * "00"
SMALL = {  # the eight points that vanish when multiplied by 8
    "order 1": IDENTITY,
    "order 2": "ec" + 30 * "ff" + "7f",
    "order 4": 32 * "00",
    "order 4, x odd": 31 * "00" + "80",
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, x odd": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order 8, -y": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8, -y, x odd": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}
SECOND_SPELLINGS = {
    "order 1, x = -0": "01" + 30 * "00" + "80",
    "order 1, y = p + 1": "ee" + 30 * "ff" + "7f",
    "order 1, x = -0, y = p + 1": "ee" + 30 * "ff" + "ff",
    "order 2, x = -0": "ec" + 30 * "ff" + "ff",
    "order 4, y = p": "ed" + 30 * "ff" + "7f",
    "order 4, x odd, y = p": "ed" + 30 * "ff" + "ff",
}


def scalar(number: int) -> bytes:
    return number.to_bytes(32, "little")


def challenge(r: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())
def test_vector_of_the_rfc_is_accepted(vector: tuple[str, str, str]) -> None:
    public, message, signature = (bytes.fromhex(text) for text in vector)
    assert ed25519.verify(public, message, signature) is True
    assert ed25519.verify(public, message + b"\0", signature) is False


@pytest.mark.parametrize("part", ["public", "message", "signature"])
@pytest.mark.parametrize("step", A_FEW_BITS_OR_ALL)
def test_every_flipped_bit_is_noticed(part: str, step: int) -> None:
    genuine = {"public": PUBLIC, "message": MESSAGE, "signature": SIGNATURE}
    for bit in range(0, 8 * len(genuine[part]), step):
        flipped = bytearray(genuine[part])
        flipped[bit // 8] ^= 1 << bit % 8
        assert ed25519.verify(**{**genuine, part: bytes(flipped)}) is False, bit


HOSTILE = {
    "S + L": (PUBLIC, R + scalar(S + L)),
    "S + 2L": (PUBLIC, R + scalar(S + 2 * L)),
    "S with the unused top bit": (PUBLIC, R + scalar(S | 1 << 255)),
    "S = L": (PUBLIC, R + scalar(L)),
    "S = 2^256 - 1": (PUBLIC, R + scalar(2**256 - 1)),
    "no signature": (PUBLIC, b""),
    "one byte short": (PUBLIC, SIGNATURE[:-1]),
    "one byte long": (PUBLIC, SIGNATURE + b"\0"),
    "twice the signature": (PUBLIC, SIGNATURE * 2),
    "the key of nobody": (b"", SIGNATURE),
    "key one byte short": (PUBLIC[:-1], SIGNATURE),
    "key one byte long": (PUBLIC + b"\0", SIGNATURE),
    "key in hexadecimal": (PUBLIC.hex().encode(), SIGNATURE),
    "key that is not a point": (scalar(2), SIGNATURE),
}


@together(("public", "signature"), HOSTILE.values(), ids=HOSTILE.keys())
def test_malformed_input_is_false(public: bytes, signature: bytes) -> None:
    assert ed25519.verify(public, MESSAGE, signature) is False


@together("encoding", [*SMALL.values(), *SECOND_SPELLINGS.values()])
def test_key_of_small_order_signs_nothing(encoding: str) -> None:
    public, r = bytes.fromhex(encoding), bytes.fromhex(IDENTITY)
    # 8 divides k, so that [k]A vanishes and the equation holds without any private key
    message = next(
        message
        for message in map(scalar, itertools.count())
        if challenge(r, public, message) % 8 == 0
    )
    assert ed25519.verify(public, message, r + scalar(0)) is False


SEED = bytes(range(32))
OWNER = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()


def sign_with_r(r: bytes, public: bytes = OWNER) -> bytes:
    """Return the signature whose nonce is 0: the equation holds if ``r`` is read as identity."""
    clamped = bytearray(hashlib.sha512(SEED).digest()[:32])  # RFC 8032 5.1.5
    clamped[0] &= 248
    clamped[31] = clamped[31] & 63 | 64
    secret = int.from_bytes(clamped, "little")
    return r + scalar(challenge(r, public, MESSAGE) * secret % L)


def test_r_of_small_order_is_accepted_where_the_equation_holds() -> None:
    assert ed25519.verify(OWNER, MESSAGE, sign_with_r(bytes.fromhex(IDENTITY))) is True


@together("encoding", [*SMALL.values(), *SECOND_SPELLINGS.values()][1:])
def test_r_that_only_the_cofactor_or_a_second_spelling_would_save_is_refused(encoding: str) -> None:
    assert ed25519.verify(OWNER, MESSAGE, sign_with_r(bytes.fromhex(encoding))) is False


@pytest.mark.parametrize("tail", [b"\0", b"\0\0", MESSAGE])
def test_owner_cannot_sign_for_a_longer_key(tail: bytes) -> None:
    signature = sign_with_r(bytes.fromhex(IDENTITY), OWNER + tail)
    assert ed25519.verify(OWNER + tail, MESSAGE, signature) is False


def test_numbers_use_all_their_bits() -> None:
    # Below L, but with bit 252: no signature is found with such an S or k, in any number of tries.
    base = ed25519._tables_of_base()
    for m, n in ((L - 1, 1), (1, L - 1), (1, -1), (0, 0), (L - 1, -(L - 1)), (0, -L)):
        total = ed25519._combine(m, base, n, base)
        assert ed25519._encode(total).hex() == IDENTITY


def test_encoding_of_a_point_is_the_only_one() -> None:
    # Nobody can sign for the points of these encodings, so `verify` would not show the difference.
    for y, sign in itertools.product(range(2**255 - 19, 2**255), (0, 1 << 255)):
        assert ed25519._decode(scalar(y | sign)) is None
    for encoding in SECOND_SPELLINGS.values():
        assert ed25519._decode(bytes.fromhex(encoding)) is None
    for encoding in SMALL.values():
        assert ed25519._decode(bytes.fromhex(encoding)) is not None


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.data())
def test_what_others_sign_is_accepted_and_any_change_to_it_is_not(
    seed: bytes, message: bytes, data: st.DataObject
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    genuine = (key.public_key().public_bytes_raw(), message, key.sign(message))
    assert ed25519.verify(*genuine) is True
    changed = list(genuine)
    part = data.draw(st.sampled_from([0, 1, 2]))
    old, new = changed[part], data.draw(st.binary(max_size=2))
    at, cut = data.draw(st.integers(0, len(old))), data.draw(st.integers(0, 2))
    changed[part] = old[:at] + new + old[at + cut :]
    assert ed25519.verify(*changed) is (tuple(changed) == genuine)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=30, max_size=33), st.binary(max_size=9), st.binary(min_size=62))
def test_no_bytes_raise(public: bytes, message: bytes, signature: bytes) -> None:
    assert ed25519.verify(public, message, signature) is False
