"""ECDSA: what is accepted, and the keys and signatures that a lenient verifier would accept."""

from __future__ import annotations

import base64
import hashlib
import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import A_FEW_BITS_OR_ALL, at_least
from tests.support.together import together
from verifier.crypto.ecdsa import (
    P256,
    encode_der_signature,
    parse_der_signature,
    parse_spki,
    verify,
)

P, N = P256.p, P256.n
GX = int.from_bytes(P256.g[0][1:33], "big")


def point(x: int, y: int) -> bytes:
    return b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def element(tag: int, contents: bytes) -> bytes:
    """Return a DER element with a short length."""
    assert len(contents) < 0x80
    return bytes([tag, len(contents)]) + contents


def integer(number: int) -> bytes:
    """Return the DER of any integer, also of those that no signature may hold."""
    size = 1
    while not -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1:
        size += 1
    return element(0x02, number.to_bytes(size, "big", signed=True))


def pair(r: int, s: int) -> bytes:
    return element(0x30, integer(r) + integer(s))


# RFC 6979 A.2.5: the key, and its signatures over SHA-256 of two messages
KEY = point(
    0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
    0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
)
SAMPLE = hashlib.sha256(b"sample").digest()
R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
HIGH_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
S = N - HIGH_S
GENUINE = pair(R, S)


def test_vectors_of_the_rfc_are_accepted() -> None:
    assert verify(P256, KEY, SAMPLE, pair(R, HIGH_S), low_s=False) is True
    test = pair(
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    )
    assert verify(P256, KEY, hashlib.sha256(b"test").digest(), test, low_s=True) is True
    assert verify(P256, KEY, SAMPLE, test, low_s=False) is False


def test_x_of_r_may_exceed_the_order() -> None:
    # Made backwards: r is x - n of a point whose x is n + 3, s is 5, the key is what fits them.
    key = bytes.fromhex(
        "04c1741cf0a2f5a61806915f6c569903cb63c8262443d4a40e5498fddcc01bac3f"
        "988ce616a13f0275b3192c800c5be0f20581b7a379d95a9b068a252294e9252a"
    )
    digest = hashlib.sha256(b"x is not below n").digest()
    assert verify(P256, key, digest, pair(3, 5), low_s=True) is True


def test_low_s_refuses_only_the_larger_of_the_two() -> None:
    assert verify(P256, KEY, SAMPLE, pair(R, S), low_s=True) is True
    assert verify(P256, KEY, SAMPLE, pair(R, S), low_s=False) is True
    assert verify(P256, KEY, SAMPLE, pair(R, HIGH_S), low_s=True) is False


@pytest.mark.parametrize(("s", "low"), [(N // 2, True), (N // 2 + 1, False)])
def test_low_s_draws_the_line_at_half_of_n(s: int, low: bool) -> None:
    # nonce 1, so that r is the first coordinate of G; the private key is what makes s come out
    secret = (s - int.from_bytes(SAMPLE, "big")) * pow(GX, -1, N) % N
    key = encoded(secret)
    assert verify(P256, key, SAMPLE, pair(GX, s), low_s=False) is True
    assert verify(P256, key, SAMPLE, pair(GX, s), low_s=True) is low


def encoded(secret: int) -> bytes:
    public = ec.derive_private_key(secret, ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


SMALL = [1, 2, 3, 4, 5, N - 5, N - 4, N - 3, N - 2, N - 1]


@together("secret", SMALL)
def test_keys_and_nonces_near_the_neutral_point(secret: int) -> None:
    # Additions meet equal and opposite points here, and the point at infinity.
    key = encoded(secret)
    for nonce, hashed in itertools.product(SMALL[1::2], (0, 1, N - 1, 2**256 - 1)):
        r = int.from_bytes(encoded(nonce)[1:33], "big")
        s = (hashed + r * secret) * pow(nonce, -1, N) % N
        digest = hashed.to_bytes(32, "big")
        assert verify(P256, key, digest, pair(r, s), low_s=False) is True
        assert verify(P256, key, digest, pair(r, s % (N - 1) + 1), low_s=False) is False


def test_sum_at_infinity_is_false() -> None:
    for secret, r, s in itertools.product((1, 2, N - 1), (1, GX), (1, 2, N - 1)):
        digest = (-r * secret % N).to_bytes(32, "big")  # [e/s]G + [r/s]Q vanishes
        assert verify(P256, encoded(secret), digest, pair(r, s), low_s=False) is False


NUMBERS = integer(R) + integer(S)
HOSTILE = {
    "r = 0": pair(0, S),
    "s = 0": pair(R, 0),
    "both 0": pair(0, 0),
    "r = n": pair(N, S),
    "s = n": pair(R, N),
    "r + n": pair(R + N, S),
    "s + n": pair(R, S + N),
    "r negative": pair(R - N, S),
    "s negative": pair(R, -HIGH_S),
    "r read as negative: its zero is missing": element(
        0x30, element(0x02, R.to_bytes(32, "big")) + integer(S)
    ),
    "r with a zero too many": element(
        0x30, element(0x02, bytes(2) + R.to_bytes(32, "big")) + integer(S)
    ),
    "s with a zero too many": element(
        0x30, integer(R) + element(0x02, b"\0" + S.to_bytes(32, "big"))
    ),
    "r has no bytes": element(0x30, element(0x02, b"") + integer(S)),
    "byte after the sequence": GENUINE + b"\0",
    "byte after s": element(0x30, NUMBERS + b"\0"),
    "third integer": element(0x30, NUMBERS + integer(1)),
    "s missing": element(0x30, integer(R)),
    "empty sequence": element(0x30, b""),
    "nothing": b"",
    "only a tag": b"\x30",
    "indefinite length": b"\x30\x80" + NUMBERS + b"\0\0",
    "indefinite length without an end": b"\x30\x80" + NUMBERS,
    "long form of a short length": bytes([0x30, 0x81, len(NUMBERS)]) + NUMBERS,
    "long form with a zero": bytes([0x30, 0x82, 0, len(NUMBERS)]) + NUMBERS,
    "long form inside": element(
        0x30, bytes([0x02, 0x81, 33, 0]) + R.to_bytes(32, "big") + integer(S)
    ),
    "length of 2^1008 - 1": b"\x30\xfe" + 126 * b"\xff" + NUMBERS,
    "reserved length": b"\x30\xff" + 127 * b"\0" + NUMBERS,
    "set": element(0x31, NUMBERS),
    "primitive sequence": element(0x10, NUMBERS),
    "enumerated": element(0x30, integer(R).replace(b"\x02", b"\x0a", 1) + integer(S)),
    "constructed integer": element(0x30, b"\x22" + integer(R)[1:] + integer(S)),
    "one byte short": GENUINE[:-1],
    "length one too small": bytes([0x30, len(NUMBERS) - 1]) + NUMBERS,
    "length one too large": bytes([0x30, len(NUMBERS) + 1]) + NUMBERS,
    "IEEE P1363": R.to_bytes(32, "big") + S.to_bytes(32, "big"),
    "base64": base64.b64encode(GENUINE),
    "swapped": pair(S, R),
}


@together("signature", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_signature_is_refused(signature: bytes) -> None:
    assert verify(P256, KEY, SAMPLE, signature, low_s=False) is False
    if signature != pair(S, R):  # two numbers in the allowed range, only wrong
        with pytest.raises(ValueError, match=r"\.$"):
            parse_der_signature(signature, N)


@pytest.mark.parametrize("step", A_FEW_BITS_OR_ALL)
def test_every_flipped_bit_is_noticed(step: int) -> None:
    for bit in range(0, 8 * len(GENUINE), step):
        flipped = bytearray(GENUINE)
        flipped[bit // 8] ^= 1 << bit % 8
        assert verify(P256, KEY, SAMPLE, bytes(flipped), low_s=False) is False, bit


def test_flipped_digest_and_key_are_noticed() -> None:
    for bit in range(0, 256, 8):
        flipped = (int.from_bytes(SAMPLE, "big") ^ 1 << bit).to_bytes(32, "big")
        assert verify(P256, KEY, flipped, GENUINE, low_s=True) is False, bit
    for bit in range(8 * len(KEY)):
        key = bytearray(KEY)
        key[bit // 8] ^= 1 << bit % 8
        assert verify(P256, bytes(key), SAMPLE, GENUINE, low_s=True) is False, bit


@together("size", [0, 20, 31, 33, 48, 64])
def test_digest_of_another_size_is_the_callers_mistake(size: int) -> None:
    with pytest.raises(ValueError, match="digest of 32 bytes"):
        verify(P256, KEY, bytes(size), GENUINE, low_s=True)


def test_encoding_is_what_others_write() -> None:
    assert encode_der_signature(R, S) == GENUINE
    assert encode_der_signature(1, 0x80) == bytes.fromhex("300702010102020080")
    assert encode_der_signature(0x7F, 0xFF00) == bytes.fromhex("300802017f020300ff00")
    wide = encode_der_signature(1 << 520, 1 << 520)  # P-521: the long form is due
    assert wide[:3] == bytes([0x30, 0x81, len(wide) - 3])
    assert parse_der_signature(wide, 1 << 521) == (1 << 520, 1 << 520)


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_no_signature_holds_a_number_below_1(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        encode_der_signature(*numbers)


# --- keys ------------------------------------------------------------------------------------

EC_PUBLIC_KEY = element(0x06, bytes.fromhex("2a8648ce3d0201"))
CURVE = element(0x06, bytes.fromhex("2a8648ce3d030107"))


def pem(der: bytes, width: int = 64, label: str = "PUBLIC KEY", newline: str = "\n") -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return newline.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def spki(body: bytes, algorithm: bytes = EC_PUBLIC_KEY + CURVE) -> bytes:
    return element(0x30, element(0x30, algorithm) + element(0x03, body))


DER = spki(b"\0" + KEY)
GOOD = pem(DER)
X, Y = KEY[1:33], KEY[33:]
ROOT_OF_B = pow(P256.b, (P + 1) // 4, P)  # (0, ROOT_OF_B) is on the curve
X_OF_5 = 0xD7325D7646CD60D80A92738CEB345F844CFFAF35841022CAB176F692DE8DE1D7  # and (X_OF_5, 5)


def test_key_as_cryptography_writes_it_is_accepted() -> None:
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), KEY)
    assert public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() == GOOD
    assert parse_spki(GOOD) == parse_spki(GOOD[:-1]) == KEY
    for edge in (point(0, ROOT_OF_B), point(X_OF_5, 5)):  # the twins of those refused below
        assert parse_spki(pem(spki(b"\0" + edge))) == edge


def written(public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey) -> str:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


OTHER_KEYS = {
    "P-384": (written(ec.derive_private_key(7, ec.SECP384R1()).public_key()), "another curve"),
    "secp256k1": (written(ec.derive_private_key(7, ec.SECP256K1()).public_key()), "another curve"),
    "Ed25519": (
        written(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()),
        "not for an elliptic curve",
    ),
    "RSA": (written(rsa.RSAPublicNumbers(65537, 2**2047 + 9).public_key()), "not for an elliptic"),
}
BAD_POINTS = {
    "off the curve": (KEY[:-1] + bytes([KEY[-1] ^ 1]), "not on the curve"),
    "coordinates swapped": (b"\4" + Y + X, "not on the curve"),
    "(0, 0)": (b"\4" + bytes(64), "not on the curve"),
    "x = p": (point(P, ROOT_OF_B), "not on the curve"),
    "y = p + 5": (point(X_OF_5, P + 5), "not on the curve"),
    "compressed": (bytes([2 + KEY[-1] % 2]) + X, "not an uncompressed point"),
    "hybrid": (bytes([6 + KEY[-1] % 2]) + X + Y, "not an uncompressed point"),
    "infinity": (b"\0", "not an uncompressed point"),
    "without its first byte": (X + Y, "not an uncompressed point"),
    "one byte short": (KEY[:-1], "not an uncompressed point"),
    "one byte long": (KEY + b"\0", "not an uncompressed point"),
    "empty": (b"", "not an uncompressed point"),
}
BAD_DER = {
    "byte after the key": (DER + b"\0", "bytes after"),
    "byte after the point": (element(0x30, DER[2:] + b"\0"), "bytes after"),
    "NULL after the curve": (spki(b"\0" + KEY, EC_PUBLIC_KEY + CURVE + b"\5\0"), "bytes after"),
    "no curve": (spki(b"\0" + KEY, EC_PUBLIC_KEY), "lacks the curve's name"),
    "NULL for the curve": (spki(b"\0" + KEY, EC_PUBLIC_KEY + b"\5\0"), "lacks the curve's name"),
    "explicit curve": (
        spki(b"\0" + KEY, EC_PUBLIC_KEY + element(0x30, integer(1))),
        "lacks the curve's name",
    ),
    "id-ecDH": (
        spki(b"\0" + KEY, element(0x06, bytes.fromhex("2b8104010c")) + CURVE),
        "not for an elliptic curve",
    ),
    "unused bit": (spki(b"\1" + KEY), "whole number of bytes"),
    "bit string without bytes": (spki(b""), "whole number of bytes"),
    "octet string": (DER.replace(b"\x03\x42", b"\x04\x42"), "lacks the key itself"),
    "long form of a short length": (b"\x30\x81" + DER[1:], "not the shortest"),
    "indefinite length": (b"\x30\x80" + DER[2:] + b"\0\0", "not the shortest"),
    "length too large": (DER[:-1], "wrong or not the shortest"),
    "only the point": (KEY, "lacks the key"),
}
BAD_PEM = {
    "nothing": "",
    "no lines between": pem(b""),
    "CR LF": pem(DER, newline="\r\n"),
    "line of 76": pem(DER, width=76),
    "one long line": pem(DER, width=10**6),
    "line of 4": pem(DER, width=4),
    "two line ends": GOOD + "\n",
    "space at the end": GOOD.replace("\n", " \n", 2),
    "space in front": " " + GOOD,
    "text in front": "Key of the build team\n" + GOOD,
    "text behind": GOOD + "x",
    "header line": GOOD.replace("\n", "\nKey-Id: 1\n\n", 1),
    "empty line": GOOD.replace("\n", "\n\n", 1),
    "byte order mark": "\ufeff" + GOOD,
    "two keys": GOOD + GOOD,
    "no end": GOOD[: GOOD.index("-----END")],
    "no begin": GOOD[GOOD.index("\n") + 1 :],
    "lower-case label": GOOD.replace("PUBLIC KEY", "public key"),
    "label of a private key": pem(DER, label="PRIVATE KEY"),
    "label of another key": pem(DER, label="EC PUBLIC KEY"),
    "certificate": pem(DER, label="CERTIFICATE"),
    "padding missing": GOOD.replace("==", ""),
    "padding too short": GOOD.replace("==", "="),
    "padding too long": GOOD.replace("==", "==="),
    "tail bits": GOOD.replace("Q==", "R=="),
    "url-safe alphabet": GOOD.replace("+", "-").replace("/", "_"),
    "not base64": GOOD.replace("MFkw", "MF*w"),
    "not ASCII": GOOD.replace("MFkw", "MFkw\u00e9"),
    "digit of another script": GOOD.replace("MFkw", "MFk\uff11"),
    "lone surrogate": GOOD.replace("MFkw", "MFk\udc80"),
    "DER in place of PEM": DER.decode("latin-1"),
}


@pytest.mark.parametrize(("text", "message"), OTHER_KEYS.values(), ids=OTHER_KEYS.keys())
def test_key_of_another_kind_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_spki(text)


@together(("encoding", "message"), BAD_POINTS.values(), ids=BAD_POINTS.keys())
def test_bad_point_is_refused_as_a_key_and_signs_nothing(encoding: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_spki(pem(spki(b"\0" + encoding)))
    assert verify(P256, encoding, SAMPLE, GENUINE, low_s=False) is False


@together(("der", "message"), BAD_DER.values(), ids=BAD_DER.keys())
def test_bad_der_of_a_key_is_refused(der: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_spki(pem(der))


@together("text", BAD_PEM.values(), ids=BAD_PEM.keys())
def test_bad_pem_is_refused(text: str) -> None:
    assert text != GOOD
    with pytest.raises(ValueError, match="PEM block") as refused:
        parse_spki(text)
    assert str(refused.value) in {  # no word of the text: it may be a private key
        "The key is not one PEM block of the kind PUBLIC KEY.",
        "The PEM block is not base64.",
        "The PEM block is not canonical base64 in lines of 64 characters.",
    }


def test_every_flipped_bit_of_a_key_is_refused() -> None:
    for bit in range(8 * len(DER)):
        flipped = bytearray(DER)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"\.$"):
            parse_spki(pem(bytes(flipped)))


# --- properties ------------------------------------------------------------------------------

secrets = st.integers(1, N - 1)


@at_least(60, deadline=None)
@given(secrets, st.binary(max_size=300), st.data())
def test_what_others_sign_is_accepted_and_any_change_to_it_is_not(
    secret: int, message: bytes, data: st.DataObject
) -> None:
    private = ec.derive_private_key(secret, ec.SECP256R1())
    signature = private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    key, digest = parse_spki(written(private.public_key())), hashlib.sha256(message).digest()
    r, s = decode_dss_signature(signature)
    assert verify(P256, key, digest, signature, low_s=False) is True
    assert verify(P256, key, digest, signature, low_s=True) is (s <= N // 2)
    low = encode_der_signature(r, min(s, N - s))
    assert verify(P256, key, digest, low, low_s=True) is True
    at, cut = data.draw(st.integers(0, len(low))), data.draw(st.integers(0, 2))
    changed = low[:at] + data.draw(st.binary(max_size=2)) + low[at + cut :]
    assert verify(P256, key, digest, changed, low_s=True) is (changed == low)


@at_least(300, deadline=None)
@given(st.integers(1, N - 1), st.integers(1, N - 1), st.data())
def test_bytes_that_parse_are_the_only_spelling(r: int, s: int, data: st.DataObject) -> None:
    der = encode_der_signature(r, s)
    assert parse_der_signature(der, N) == (r, s)
    at, cut = data.draw(st.integers(0, len(der))), data.draw(st.integers(0, 2))
    changed = der[:at] + data.draw(st.binary(max_size=2)) + der[at + cut :]
    try:
        numbers = parse_der_signature(changed, N)
    except ValueError:
        return  # refusing is always allowed; any other exception fails the test
    assert encode_der_signature(*numbers) == changed


@at_least(300, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 3), st.text(max_size=3))
def test_text_that_parses_is_the_only_spelling(at: int, cut: int, insert: str) -> None:
    changed = GOOD[:at] + insert + GOOD[at + cut :]
    try:
        key = parse_spki(changed)
    except ValueError:
        return
    assert pem(spki(b"\0" + key)) == changed.rstrip("\n") + "\n"


@at_least(100, deadline=None)
@given(st.binary(max_size=70), st.binary(max_size=80))
def test_no_bytes_raise(key: bytes, signature: bytes) -> None:
    assert verify(P256, key, SAMPLE, signature, low_s=False) is False
    assert verify(P256, KEY, SAMPLE, signature, low_s=False) is False
