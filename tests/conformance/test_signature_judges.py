"""Our signature checks against OpenSSL's, through `cryptography`, on cases made to tell them apart.

The rule: what we accept, the judge accepts.  A case lists its ``faults``; a case that the judge
accepts and we refuse has faults only of the kinds that we refuse on purpose:

* Ed25519: a key of small order, a key in a second spelling;
* ECDSA: the larger s where the smaller is asked for;
* keys: a compressed or hybrid point, a PEM in another spelling.

How a case was made says what is right, so a judge that becomes as strict as we are fails nothing.
The Ed25519 cases are of the kinds of C2SP/CCTV (ed25519), made anew.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from verifier.crypto import ecdsa, ed25519
from verifier.crypto.ecdsa import P256

Faults = frozenset[str]
NONE: Faults = frozenset()

# --- Ed25519 ---------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

SMALL_A = "A has small order"
SECOND_A = "A has a second spelling"
SECOND_R = "R has a second spelling"
LARGE_S = "S is not below L"
UNEQUAL = "the equation does not hold"

Affine = tuple[int, int]
BASE: Affine = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def add(p: Affine, q: Affine) -> Affine:
    """Return the sum by the plain formulas: slow, and nothing like the code under test."""
    (x1, y1), (x2, y2) = p, q
    both = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + y1 * x2) * pow(1 + both, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - both, -1, P) % P,
    )


def times(number: int, p: Affine) -> Affine:
    total: Affine = (0, 1)
    for bit in f"{number:b}":
        total = add(total, total)
        total = add(total, p) if bit == "1" else total
    return total


def spelt(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


@functools.cache
def torsion() -> list[Affine]:
    """Return the multiples 0 to 7 of a point of order 8: L times a point that has all parts."""
    for y in itertools.count(2):
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        for root in (1, pow(2, (P - 1) // 4, P)):
            x = pow(square, (P + 3) // 8, P) * root % P
            generator = times(L, (x, y)) if x * x % P == square else (0, 1)
            if times(4, generator) != (0, 1):
                return [times(number, generator) for number in range(8)]
    raise AssertionError("unreachable")


@dataclass(frozen=True)
class Operand:
    """A or R: ``[number]B`` plus a torsion point, in one of its spellings."""

    number: int
    part: int  # index in `torsion()`
    encoding: bytes
    second: bool


def operands(number: int) -> Iterator[Operand]:
    """Yield ``[number]B`` plus each torsion point; a point of small order in every spelling."""
    base = times(number, BASE)
    for part, point in enumerate(torsion()):
        x, y = add(base, point)
        canonical = spelt(y, x & 1)
        yield Operand(number, part, canonical, second=False)
        signs = (0, 1) if x == 0 else (x & 1,)
        for value, sign in itertools.product((y, y + P), signs):
            if value < 1 << 255 and spelt(value, sign) != canonical:
                yield Operand(number, part, spelt(value, sign), second=True)


@dataclass(frozen=True)
class Signed:
    """One Ed25519 case."""

    public: bytes
    message: bytes
    signature: bytes
    faults: Faults


def challenge(r: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


def find_message(a: Operand, r: Operand, *, holds: bool) -> bytes | None:
    """Return a message with which the torsion parts of R and [k]A cancel, or do not."""
    for message in (b"%d" % number for number in range(200)):
        k = challenge(r.encoding, a.encoding, message)
        if ((r.part + k * a.part) % 8 == 0) is holds:
            return message
    return None  # no k does it


def combined_cases() -> Iterator[Signed]:
    """Yield every A with every R, with and without a low-order residue, and with S + L."""
    keys = [*operands(0), *operands(0xA11CE)]
    nonces = [*operands(0), *operands(0xB0B)]
    for a, r, holds in itertools.product(keys, nonces, (True, False)):
        message = find_message(a, r, holds=holds)
        if message is None:
            continue
        named = (
            (SMALL_A, a.number == 0),
            (SECOND_A, a.second),
            (SECOND_R, r.second),
            (UNEQUAL, not holds),
        )
        faults = frozenset(name for name, present in named if present)
        s = (r.number + challenge(r.encoding, a.encoding, message) * a.number) % L
        for surplus in (0, L) if holds else (0,):
            signature = r.encoding + (s + surplus).to_bytes(32, "little")
            yield Signed(a.encoding, message, signature, faults | ({LARGE_S} if surplus else NONE))


def large_order_cases() -> Iterator[Signed]:
    """Yield the spellings with y >= p of points whose order is not small, or of no point."""
    x, on = times(0xA11CE, BASE)
    honest, s = spelt(on, x & 1), (1).to_bytes(32, "little")
    for y, sign in itertools.product(range(P + 2, 1 << 255), (0, 1)):
        other = spelt(y, sign)
        yield Signed(other, b"A", honest + s, frozenset({SECOND_A, UNEQUAL}))
        yield Signed(honest, b"R", other + s, frozenset({SECOND_R, UNEQUAL}))


def judge_ed25519(case: Signed) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(case.public).verify(case.signature, case.message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_ed25519_agrees_with_the_judge_but_for_the_stricter_kinds() -> None:
    kinds: Counter[str] = Counter()
    cases = [*combined_cases(), *large_order_cases()]
    for case in cases:
        ours = ed25519.verify(case.public, case.message, case.signature)
        assert ours is not bool(case.faults), case
        judges = judge_ed25519(case)
        if ours:
            assert judges, case
        elif judges:
            assert case.faults <= {SMALL_A, SECOND_A}, case
        kinds.update(case.faults or {"accepted"})
    assert len(cases) == 1145
    assert kinds == {
        "accepted": 86,
        SMALL_A: 648,
        SECOND_A: 253,
        SECOND_R: 373,
        LARGE_S: 309,
        UNEQUAL: 527,
    }


# --- ECDSA -----------------------------------------------------------------------------------

N = P256.n
HIGH_S = "s is the larger of the two"
NOT_DER = "not DER"
OUT_OF_RANGE = "r or s is not in 1 to n - 1"


@functools.cache
def public(secret: int) -> ec.EllipticCurvePublicKey:
    return ec.derive_private_key(secret, ec.SECP256R1()).public_key()


def uncompressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@dataclass(frozen=True)
class Digested:
    """One ECDSA case; a digest is given as the number it stands for."""

    key: ec.EllipticCurvePublicKey
    hashed: int
    signature: bytes
    faults: Faults

    @property
    def digest(self) -> bytes:
        return self.hashed.to_bytes(32, "big")


def element(tag: int, contents: bytes) -> bytes:
    """Return a DER element with a short length."""
    assert len(contents) < 0x80
    return bytes([tag, len(contents)]) + contents


def integer(number: int) -> bytes:
    size = number.bit_length() // 8 + 1  # also right for negative numbers, but for -2**(8i - 1)
    return element(0x02, number.to_bytes(size, "big", signed=True))


def pair(r: int, s: int) -> bytes:
    return element(0x30, integer(r) + integer(s))


def sign(secret: int, nonce: int, hashed: int) -> tuple[int, int]:
    r = public(nonce).public_numbers().x % N
    return r, (hashed + r * secret) * pow(nonce, -1, N) % N


def high(s: int) -> Faults:
    return frozenset({HIGH_S}) if s > N // 2 else NONE


SECRETS = (1, 2, 3, N - 2, N - 1, 0xA11CE)
NONCES = (1, 2, 4, N - 1, 0xB0B)
HASHED = (0, 1, N - 1, N, N + 1, 2**256 - 2, 0xC0FFEE << 200)


def edge_cases(share: int) -> Iterator[Digested]:
    """Yield signatures where additions meet equal points, opposite points and infinity."""
    every = itertools.product(SECRETS, NONCES, HASHED)
    for secret, nonce, hashed in itertools.islice(every, 0, None, share):
        key = public(secret)
        r, s = sign(secret, nonce, hashed)
        if s == 0:
            continue
        yield Digested(key, hashed, pair(r, s), high(s))
        yield Digested(key, hashed, pair(r, N - s), high(N - s))
        yield Digested(key, hashed + 1, pair(r, s), high(s) | {UNEQUAL})
        yield Digested(key, -r * secret % N, pair(r, s), high(s) | {UNEQUAL})  # infinity


def number_cases() -> Iterator[Digested]:
    """Yield every pair out of a list of numbers near the limits."""
    hashed = HASHED[-1]
    r, s = sign(0xA11CE, 0xB0B, hashed)
    limits = (-N, -1, 0, 1, 2, N // 2, N - 2, N - 1, N, N + 1, P256.p, 2**256 - 1, 2**256, 2**264)
    near = (r, s, N - r, N - s, r + N, s + N, r - N, s - N, -r, -s)
    for first, second in itertools.product((*limits, *near), repeat=2):
        in_range = 0 < first < N and 0 < second < N
        holds = first == r and second in {s, N - s}
        wrong = UNEQUAL if in_range else OUT_OF_RANGE
        faults = (NONE if holds else {wrong}) | high(second)
        yield Digested(public(0xA11CE), hashed, pair(first, second), frozenset(faults))


def spellings(r: int, s: int) -> Iterator[bytes]:
    """Yield what a lenient reader takes for the pair, and what only looks like it."""
    body, first, second = integer(r) + integer(s), integer(r), integer(s)
    size = len(body)
    padded = element(0x02, b"\0" + first[2:])
    yield pair(r, s) + b"\0"
    yield pair(r, s) * 2
    yield element(0x30, body + b"\0")
    yield element(0x30, body + b"\5\0")
    yield element(0x30, body + second)
    yield element(0x30, first)
    yield element(0x30, element(0x30, body))
    yield element(0x30, padded + second)
    yield element(0x30, first + element(0x02, bytes(3) + second[2:]))
    yield element(0x30, element(0x02, b"") + second)
    yield b"\x30\x80" + body + b"\0\0"
    yield bytes([0x30, 0x81, size]) + body
    yield bytes([0x30, 0x82, 0, size]) + body
    yield bytes([0x30, 0x84, 0, 0, 0, size]) + body
    yield bytes([0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, size]) + body  # 2**64 more
    yield element(0x30, b"\x02\x81" + first[1:] + second)
    yield element(0x30, first + b"\x02\x82\0" + second[1:])
    yield bytes([0x30, size - 1]) + body
    yield bytes([0x30, size + 1]) + body
    yield pair(r, s)[:-1]
    yield element(0x31, body)
    yield element(0x10, body)
    yield element(0x30, b"\x22" + first[1:] + second)
    yield element(0x30, b"\x0a" + first[1:] + second)
    yield element(0x30, b"\x82" + first[1:] + second)
    yield r.to_bytes(32, "big") + s.to_bytes(32, "big")
    yield base64.b64encode(pair(r, s))
    yield b""


def spelling_cases() -> Iterator[Digested]:
    for secret, nonce in itertools.product(SECRETS[2:], NONCES[1:]):
        hashed = HASHED[-1]
        r, s = sign(secret, nonce, hashed)
        s = min(s, N - s)
        yield Digested(public(secret), hashed, pair(r, s), NONE)
        for signature in spellings(r, s):
            yield Digested(public(secret), hashed, signature, frozenset({NOT_DER}))


def chord(p: Affine, q: Affine) -> Affine:
    """Return the sum of two points of P-256 with different first coordinates."""
    slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P256.p) % P256.p
    x = (slope * slope - p[0] - q[0]) % P256.p
    return x, (slope * (p[0] - x) - p[1]) % P256.p


def large_x_cases() -> Iterator[Digested]:
    """Yield signatures whose R has a first coordinate above n, so that r is x - n.

    With s = r the key is R - [e/r]G: no multiple of R is needed, whose logarithm nobody knows.
    """
    hashed = HASHED[-1]
    for x in range(N + 1, N + 40):
        square = (x**3 - 3 * x + P256.b) % P256.p
        y = pow(square, (P256.p + 1) // 4, P256.p)
        if y * y % P256.p != square:
            continue
        r = x - N
        numbers = public(-hashed * pow(r, -1, N) % N).public_numbers()
        qx, qy = chord((x, y), (numbers.x, numbers.y))
        key = ec.EllipticCurvePublicNumbers(qx, qy, ec.SECP256R1()).public_key()
        yield Digested(key, hashed, pair(r, r), NONE)
        yield Digested(key, hashed, pair(r, N - r), frozenset({HIGH_S}))
        yield Digested(key, hashed, pair(x, r), frozenset({OUT_OF_RANGE}))


def judge_ecdsa(case: Digested) -> bool:
    try:
        case.key.verify(case.signature, case.digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.long)])
def test_ecdsa_agrees_with_the_judge_but_for_the_stricter_kinds(share: int) -> None:
    """With one edge in so many; 4 has no factor in common with the lists of edges."""
    kinds: Counter[str] = Counter()
    cases = [*edge_cases(share), *number_cases(), *spelling_cases(), *large_x_cases()]
    for case in cases:
        key = uncompressed(case.key)
        either, low = (
            ecdsa.verify(P256, key, case.digest, case.signature, low_s=low_s)
            for low_s in (False, True)
        )
        assert low is not bool(case.faults), case
        assert either is not bool(case.faults - {HIGH_S}), case
        judges = judge_ecdsa(case)
        if either:
            assert judges, case
        if judges and not low:
            assert case.faults == {HIGH_S}, case
        kinds.update(case.faults or {"accepted"})
    assert (len(cases), kinds) == {
        1: (1943, {"accepted": 248, HIGH_S: 721, OUT_OF_RANGE: 516, UNEQUAL: 499, NOT_DER: 448}),
        4: (1315, {"accepted": 91, HIGH_S: 414, OUT_OF_RANGE: 516, UNEQUAL: 185, NOT_DER: 448}),
    }[share]


# --- keys ------------------------------------------------------------------------------------

SHORT_POINT = "the point is compressed or hybrid"
OTHER_PEM = "another spelling of PEM"
OTHER_DER = "not DER, or not the one form of the key"
NO_POINT = "not a point of the curve"

EC_PUBLIC_KEY = element(0x06, bytes.fromhex("2a8648ce3d0201"))
CURVE = element(0x06, bytes.fromhex("2a8648ce3d030107"))


def spki(point: bytes, algorithm: bytes = EC_PUBLIC_KEY + CURVE, unused: int = 0) -> bytes:
    bits = element(0x03, bytes([unused]) + point)
    return element(0x30, element(0x30, algorithm) + bits)


def pem(der: bytes, width: int = 64, newline: str = "\n") -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return newline.join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def written_keys(key: ec.EllipticCurvePublicKey) -> Iterator[tuple[str, str]]:
    """Yield a key in many forms, each with its fault or the empty string."""
    numbers, point = key.public_numbers(), uncompressed(key)
    x, parity = point[1:33], numbers.y & 1
    der, good = spki(point), pem(spki(point))
    yield good, ""
    yield good[:-1], ""
    yield pem(spki(bytes([2 + parity]) + x)), SHORT_POINT
    yield pem(spki(bytes([6 + parity]) + point[1:])), SHORT_POINT
    yield pem(spki(bytes([7 - parity]) + point[1:])), NO_POINT
    yield pem(spki(point[:-1] + bytes([point[-1] ^ 1]))), NO_POINT
    yield pem(spki(b"\4" + point[33:] + x)), NO_POINT
    yield pem(spki(b"\4" + bytes(64))), NO_POINT
    yield pem(spki(b"\0")), NO_POINT
    yield pem(spki(point[1:])), NO_POINT
    yield pem(spki(point + b"\0")), NO_POINT
    yield pem(spki(b"\4" + P256.p.to_bytes(32, "big") + point[33:])), NO_POINT
    for text in (
        good.replace("\n", "\r\n"),
        pem(der, width=76),
        pem(der, width=4),
        pem(der, width=1000),
        "\n" + good,
        "a key\n" + good,
        good + "\n",
        good + good,
        good.replace("\n", " \n", 2),
        good.replace("\n", "\n\n", 1),
        good.replace("==", ""),
        good.replace("==", "="),
        good.replace("==", "===="),
    ):
        yield text, OTHER_PEM
    for other in (
        der + b"\0",
        b"\x30\x81" + der[1:],
        b"\x30\x80" + der[2:] + b"\0\0",
        element(0x30, der[2:] + b"\5\0"),
        spki(point, EC_PUBLIC_KEY + CURVE + b"\5\0"),
        spki(point, EC_PUBLIC_KEY),
        spki(point, EC_PUBLIC_KEY + b"\5\0"),
        spki(point, element(0x06, bytes.fromhex("2b8104010c")) + CURVE),  # id-ecDH
        spki(point, unused=1),
        der[:-1],
    ):
        yield pem(other), OTHER_DER


def judge_key(text: str) -> bytes | None:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return uncompressed(key)
    return None


def read_key(text: str) -> bytes | None:
    try:
        return ecdsa.parse_spki(text)
    except ValueError:
        return None


def test_keys_agree_with_the_judge_but_for_the_stricter_kinds() -> None:
    kinds: Counter[str] = Counter()
    for secret in (*SECRETS, 0xB0B, 0xC0FFEE):
        for text, fault in written_keys(public(secret)):
            ours, judges = read_key(text), judge_key(text)
            assert ours == (None if fault else uncompressed(public(secret))), (fault, text)
            if ours is not None:
                assert ours == judges, text
            elif judges is not None:
                assert fault in {SHORT_POINT, OTHER_PEM}, (fault, text)
            kinds[fault or "accepted"] += 1
    assert kinds == {
        "accepted": 16,
        SHORT_POINT: 16,
        OTHER_PEM: 104,
        OTHER_DER: 80,
        NO_POINT: 64,
    }
