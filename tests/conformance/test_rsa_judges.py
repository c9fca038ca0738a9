"""Our RSA checks against OpenSSL's, through `cryptography`: what we accept, the judge accepts.

What the judge accepts and we refuse is refused on purpose: a key that is short, long or has a small
exponent, a PEM in another spelling, and a PSS signature that lacks a zero byte in front.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa as judge_rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import given
from hypothesis import strategies as st

from kit.keys import load_private
from tests.support.effort import at_least
from tests.support.people import KEYS
from tests.support.rsakeys import rsa_key
from tests.support.rsanaive import DIGEST_INFO, pkcs1v15, pss, raw
from verifier.crypto import rsa

BITS = (2048, 2049, 2055, 3072)  # 2,049: PSS has one byte less than the modulus
OFTEN = [*BITS[:2], *(pytest.param(bits, marks=pytest.mark.long) for bits in BITS[2:])]
MESSAGE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")
SHA512_INFO = bytes.fromhex("3051300d060960864801650304020305000440")
NO_NULL = bytes.fromhex("302f300b06096086480165030402010420")  # RFC 8017 A.2.4 lets one expect it
LONG_FORM = bytes.fromhex("308131300d060960864801650304020105000420")


@functools.cache
def private(bits: int, e: int = 65537) -> judge_rsa.RSAPrivateKey:
    if (bits, e) == (2048, 65537):
        erin = load_private(KEYS / "erin.pem")
        assert isinstance(erin, judge_rsa.RSAPrivateKey)
        return erin
    return rsa_key(bits, e)


def der(key: judge_rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def judged(key: judge_rsa.RSAPrivateKey, signature: bytes, padding: PSS | PKCS1v15) -> bool:
    try:
        key.public_key().verify(signature, MESSAGE, padding, SHA256())
    except InvalidSignature:
        return False
    return True


Case = tuple[str, bytes, bool]


def number_cases(key: judge_rsa.RSAPrivateKey, good: bytes) -> Iterator[Case]:
    """Yield what has nothing to do with the padding: lengths, and numbers at the limits."""
    n, size = key.public_key().public_numbers().n, len(good)
    s = int.from_bytes(good, "big")
    yield "good", good, True
    yield "zero before", b"\0" + good, False
    yield "zero behind", good + b"\0", False
    if good[0]:  # else see the test of its own
        yield "first byte missing", good[1:], False
    yield "last byte missing", good[:-1], False
    yield "nothing", b"", False
    yield "twice", good + good, False
    yield "backwards", good[::-1], False
    for name, number in (("0", 0), ("1", 1), ("n - 1", n - 1), ("n", n), ("n - s", n - s)):
        yield name, number.to_bytes(size, "big"), False
    if (s + n).bit_length() <= 8 * size:
        yield "s + n", (s + n).to_bytes(size, "big"), False
    yield "s + n, a byte more", (s + n).to_bytes(size + 1, "big"), False


def v15_cases(key: judge_rsa.RSAPrivateKey) -> Iterator[Case]:
    size = (key.key_size + 7) // 8
    yield from number_cases(key, raw(key, pkcs1v15(MESSAGE, size)))
    for name, padded in {
        "another message": pkcs1v15(MESSAGE + b" ", size),
        "block type 0": pkcs1v15(MESSAGE, size, kind=b"\0\0"),
        "block type 2": pkcs1v15(MESSAGE, size, kind=b"\0\2"),
        "filled with zeros": pkcs1v15(MESSAGE, size, fill=b"\0"),
        "filled with EE": pkcs1v15(MESSAGE, size, fill=b"\xee"),
        "no separator": pkcs1v15(MESSAGE, size, end=b""),
        "two separators": pkcs1v15(MESSAGE, size, end=b"\0\0"),
        "garbage behind the digest": pkcs1v15(MESSAGE, size, garbage=size - 63),
        "one byte behind the digest": pkcs1v15(MESSAGE, size, garbage=1),
        "no DigestInfo": pkcs1v15(MESSAGE, size, info=b""),
        "DigestInfo without NULL": pkcs1v15(MESSAGE, size, info=NO_NULL),
        "DigestInfo with a long length": pkcs1v15(MESSAGE, size, info=LONG_FORM),
        "DigestInfo cut": pkcs1v15(MESSAGE, size, info=DIGEST_INFO[:-1]),
        "SHA-1": pkcs1v15(MESSAGE, size, info=SHA1_INFO, digest=hashlib.sha1),
        "SHA-512": pkcs1v15(MESSAGE, size, info=SHA512_INFO, digest=hashlib.sha512),
        "SHA-512 under the name of SHA-256": pkcs1v15(MESSAGE, size, digest=hashlib.sha512),
        "PSS": pss(MESSAGE, key.key_size),
    }.items():
        yield name, raw(key, padded), False


def pss_cases(key: judge_rsa.RSAPrivateKey) -> Iterator[Case]:
    bits = key.key_size
    yield from number_cases(key, raw(key, pss(MESSAGE, bits)))
    longest = (bits + 6) // 8 - 34
    for size in (0, 1, 20, 31, 33, 64, longest - 1, longest):
        yield f"salt of {size}", raw(key, pss(MESSAGE, bits, salt=b"\x5a" * size)), False
    yield "salt of zeros", raw(key, pss(MESSAGE, bits, salt=bytes(32))), True
    for name, padded in {
        "another message": pss(MESSAGE + b" ", bits),
        "trailer CC": pss(MESSAGE, bits, trailer=0xCC),
        "trailer 0": pss(MESSAGE, bits, trailer=0),
        "separator 0": pss(MESSAGE, bits, separator=0),
        "separator 2": pss(MESSAGE, bits, separator=2),
        "separator 81": pss(MESSAGE, bits, separator=0x81),
        "filling": pss(MESSAGE, bits, filling=1),
        "mask of SHA-1": pss(MESSAGE, bits, mask_digest=hashlib.sha1),
        "mask of SHA-512": pss(MESSAGE, bits, mask_digest=hashlib.sha512),
        "PKCS #1 v1.5": pkcs1v15(MESSAGE, (bits + 7) // 8),
    }.items():
        yield name, raw(key, padded), False
    n = key.public_key().public_numbers().n
    for bit in range(8):  # those that must be zero, as far as the modulus leaves room
        padded = pss(MESSAGE, bits, top=1 << bit)
        good = padded == pss(MESSAGE, bits)
        if padded < n:
            yield f"top bit {bit}", raw(key, padded), good
    above = pss(MESSAGE, bits) + (1 << bits - 1)
    if above < n:
        yield "the bit that the modulus has more", raw(key, above), False


@pytest.mark.parametrize("bits", OFTEN)
def test_v15_agrees_with_the_judge(bits: int) -> None:
    key = private(bits)
    for name, signature, good in v15_cases(key):
        assert rsa.verify_pkcs1v15(der(key), MESSAGE, signature) is good, name
        assert judged(key, signature, PKCS1v15()) is good, name


@pytest.mark.parametrize("bits", OFTEN)
def test_pss_agrees_with_the_judge(bits: int) -> None:
    key = private(bits)
    for name, signature, good in pss_cases(key):
        assert rsa.verify_pss(der(key), MESSAGE, signature) is good, name
        assert judged(key, signature, PSS(MGF1(SHA256()), 32)) is good, name


# The first message whose signature by erin begins with zero; each signature takes 10 ms to make.
FIRST = {"pss": 223, "pkcs1v15": 358}


@pytest.mark.parametrize("scheme", FIRST)
def test_a_zero_byte_in_front_belongs_to_the_signature(scheme: str) -> None:
    """OpenSSL takes a PSS signature without it."""
    key = private(2048)
    pad = functools.partial(pss, bits=2048) if scheme == "pss" else None
    verify = rsa.verify_pss if pad else rsa.verify_pkcs1v15
    for number in range(FIRST[scheme], 10_000):
        message = b"%d" % number
        signature = raw(key, pad(message) if pad else pkcs1v15(message, 256))
        if signature[0] == 0:
            break
    assert verify(der(key), message, signature)
    assert not verify(der(key), message, signature[1:])
    assert not verify(der(key), message, b"\0" + signature)


@functools.cache
def good_one(salted: bool) -> bytes:
    return raw(private(2048), pss(MESSAGE, 2048) if salted else pkcs1v15(MESSAGE, 256))


@at_least(150)
@given(st.integers(0, 256), st.integers(0, 3), st.binary(max_size=3), st.booleans())
def test_mutations_agree_with_the_judge(at: int, cut: int, insert: bytes, salted: bool) -> None:
    key = private(2048)
    good = good_one(salted)
    changed = good[:at] + insert + good[at + cut :]
    verify = rsa.verify_pss if salted else rsa.verify_pkcs1v15
    padding = PSS(MGF1(SHA256()), 32) if salted else PKCS1v15()
    ours = verify(der(key), MESSAGE, changed)
    assert ours is judged(key, changed, padding) is (changed == good)


def test_signatures_of_the_judge_are_accepted() -> None:
    for bits in BITS:
        key = private(bits)
        for _ in range(5):
            signature = key.sign(MESSAGE, PSS(MGF1(SHA256()), PSS.DIGEST_LENGTH), SHA256())
            assert rsa.verify_pss(der(key), MESSAGE, signature)
        assert rsa.verify_pkcs1v15(der(key), MESSAGE, key.sign(MESSAGE, PKCS1v15(), SHA256()))


def root_of_three(number: int) -> int:
    """Return the largest number whose cube is not above ``number``."""
    low, high = 0, 1 << -(-number.bit_length() // 3) + 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def test_forgery_with_a_pencil_needs_a_key_that_no_root_may_name() -> None:
    """Bleichenbacher 2006: with e = 3 a cube root signs for whoever parses from the left."""
    key = private(2048, 3)
    padded = b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST_INFO + hashlib.sha256(MESSAGE).digest()
    target = int.from_bytes(padded.ljust(256, b"\xff"), "big")
    root = root_of_three(target)
    forged = root.to_bytes(256, "big")
    assert (root**3).to_bytes(256, "big").startswith(padded)  # what a lenient reader looks at
    assert not judged(key, forged, PKCS1v15())
    assert not rsa.verify_pkcs1v15(der(key), MESSAGE, forged)
    good = key.sign(MESSAGE, PKCS1v15(), SHA256())
    assert judged(key, good, PKCS1v15())
    assert not rsa.verify_pkcs1v15(der(key), MESSAGE, good)


# --- keys ------------------------------------------------------------------------------------

SIZE, SPELLING, FORM = "its numbers are out of range", "another spelling of PEM", "another form"


def element(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    wide = (size.bit_length() + 7) // 8
    length = bytes([size]) if size < 128 else bytes([0x80 | wide]) + size.to_bytes(wide, "big")
    return bytes([tag]) + length + contents


def integer(number: int) -> bytes:
    return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


RSA_OID = element(6, bytes.fromhex("2a864886f70d010101"))
PSS_OID = element(6, bytes.fromhex("2a864886f70d01010a"))


def spki(
    n: int, e: int, *, algorithm: bytes = RSA_OID + b"\5\0", key: bytes = b"", more: bytes = b""
) -> bytes:
    key = key or element(0x30, integer(n) + integer(e))
    return element(0x30, element(0x30, algorithm) + element(3, b"\0" + key) + more)


def pem(data: bytes, width: int = 64, newline: str = "\n") -> str:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return newline.join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def key_cases() -> Iterator[tuple[str, str]]:
    """Yield keys in many forms, each with its fault or the empty string."""
    n = private(2048).public_key().public_numbers().n
    for bits in BITS:
        yield pem(spki(private(bits).public_key().public_numbers().n, 65537)), ""
    yield pem(spki(n, 65537))[:-1], ""
    for e in (65539, 2**32 + 1, 2**64 - 1):
        yield pem(spki(n, e)), ""
    for e in (3, 17, 257, 65535, 2**64 + 1, 2**255 + 1):
        yield pem(spki(n, e)), SIZE
    for bad_n, bad_e in ((n, 65538), (n, 0), (n - 1, 65537), (n >> 1 | 1, 65537), (1, 65537)):
        yield pem(spki(bad_n, bad_e)), SIZE
    yield pem(spki((1 << 8192) + 1, 65537)), SIZE
    yield pem(spki((1 << 8191) + 1, 65537)), ""
    good = spki(n, 65537)
    for text in (
        pem(good, newline="\r\n"), pem(good, width=76), "a key\n" + pem(good), pem(good) + "\n",
    ):  # fmt: skip
        yield text, SPELLING
    numbers = integer(n) + integer(65537)
    for other in (
        good + b"\0",
        spki(n, 65537, algorithm=RSA_OID),
        spki(n, 65537, algorithm=RSA_OID + b"\5\0\5\0"),
        spki(n, 65537, algorithm=PSS_OID + b"\5\0"),
        spki(n, 65537, algorithm=PSS_OID),
        spki(n, 65537, more=b"\5\0"),
        spki(n, 65537, key=element(0x30, numbers + b"\5\0")),
        spki(n, 65537, key=element(0x30, numbers) + b"\0"),
        spki(n, 65537, key=element(0x30, b"\2\1\0" + numbers)),
        spki(n, 65537, key=element(0x30, integer(n) + b"\2\4\0\1\0\1")),
        spki(n, 65537, key=element(0x30, integer(n)[:4] + b"\0" + integer(n)[4:] + integer(65537))),
        spki(n, 65537, key=numbers),
        spki(n, 65537, key=element(0x31, numbers)),
        element(0x30, numbers),
    ):
        yield pem(other), FORM


def read_by_judge(text: str) -> bytes | None:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, judge_rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return None


def test_keys_agree_with_the_judge_but_for_the_stricter_kinds() -> None:
    accepted = 0
    for text, fault in key_cases():
        try:
            ours: bytes | None = rsa.parse_spki(text)
        except ValueError:
            ours = None
        assert (ours is None) is bool(fault), (fault, text)
        if ours is not None:
            assert ours == read_by_judge(text)
            accepted += 1
    assert accepted == len(BITS) + 5


@at_least(150)
@given(st.integers(0, 460), st.integers(0, 3), st.text(max_size=3))
def test_text_that_parses_is_the_only_spelling(at: int, cut: int, insert: str) -> None:
    good = pem(spki(private(2048).public_key().public_numbers().n, 65537))
    changed = good[:at] + insert + good[at + cut :]
    try:
        key = rsa.parse_spki(changed)
    except ValueError:
        return
    assert pem(spki(0, 0, key=key)) == changed.rstrip("\n") + "\n"
    assert read_by_judge(changed) == key


@at_least(100)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_bytes_raise(key: bytes, signature: bytes) -> None:
    for verify in (rsa.verify_pss, rsa.verify_pkcs1v15):
        assert verify(key, MESSAGE, signature) is False
        assert verify(der(private(2048)), MESSAGE, signature) is False
