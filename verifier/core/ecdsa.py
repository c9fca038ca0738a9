"""ECDSA signatures, checked strictly, and the DER around them.  Imports nothing from this package.

SEC 1 (version 2.0) is the arithmetic, X.690 the encoding, FORMAT 4.5 and 5.4 say what of it a kit
uses.  Everything here is public, so nothing needs to run in constant time.  There is no signing.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """A curve ``y**2 = x**3 + a * x + b`` over a prime field whose points are all multiples of G.

    Attributes:
        p: The prime of the field.
        a: First coefficient, as the number nearest to 0: a small factor is a fast one.
        b: Second coefficient.
        n: The order of G, a prime; the curve has no other points (cofactor 1).
        gx: First coordinate of G.
        gy: Second coordinate of G.
        name: For people.
        size: Bytes of a coordinate, of ``n``, and of the digest that goes with the curve.
        oid: The curve's object identifier, as the contents of its DER (RFC 5480 2.1.1.1).
    """

    p: int
    a: int
    b: int
    n: int
    gx: int
    gy: int
    name: str
    size: int
    oid: bytes


P256 = Curve(  # SEC 2 (version 2.0) 2.4.2, FIPS 186-5; used with SHA-256
    p=2**256 - 2**224 + 2**192 + 2**96 - 1,
    a=-3,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    gx=0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    gy=0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    name="P-256",
    size=32,
    oid=bytes.fromhex("2a8648ce3d030107"),  # 1.2.840.10045.3.1.7
)

_EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")  # 1.2.840.10045.2.1, RFC 5480 2.1.1
_INTEGER, _BIT_STRING, _OBJECT_IDENTIFIER, _SEQUENCE = 0x02, 0x03, 0x06, 0x30  # X.690 8, X.680 8.4

_Point = tuple[int, int, int]  # (X, Y, Z): x = X/Z**2, y = Y/Z**3; Z = 0 is the point at infinity
_INFINITY: _Point = (1, 1, 0)


def verify(curve: Curve, point: bytes, digest: bytes, signature: bytes, *, low_s: bool) -> bool:
    """Return whether the owner of ``point`` signed ``digest`` (SEC 1 4.1.4).

    Whoever sees a signature ``(r, s)`` can make the equally valid ``(r, n - s)`` from it.
    ``low_s`` refuses the larger ``s`` of the two: where we write signatures there is one spelling;
    where stock tools do, both are met.  Whatever ``point`` and ``signature`` are, the answer is
    True or False.

    Args:
        curve: The curve that the key is pinned with; signature and point do not choose it.
        point: The public key as `parse_spki` returns it.
        digest: The hash of the message, ``curve.size`` bytes.
        signature: DER of ``SEQUENCE { r INTEGER, s INTEGER }`` (RFC 3279 2.2.3).
        low_s: Whether ``s`` must be at most ``n // 2``.

    Raises:
        ValueError: ``digest`` has another length: the caller's mistake, never a signer's.
    """
    if len(digest) != curve.size:
        raise ValueError(f"{curve.name} goes with a digest of {curve.size} bytes")
    try:
        x, y = _parse_point(curve, point)
        r, s = parse_der_signature(signature, curve.n)
    except ValueError:
        return False
    if low_s and s > curve.n // 2:
        return False
    inverse = pow(s, -1, curve.n)
    m, n = int.from_bytes(digest, "big") * inverse % curve.n, r * inverse % curve.n
    x, _, z = _combine(curve, m, (curve.gx, curve.gy, 1), n, (x, y, 1))
    return z != 0 and x * pow(z, -2, curve.p) % curve.p % curve.n == r


def parse_spki(pem: str, curve: Curve = P256) -> bytes:
    """Return the uncompressed point in the PEM of a SubjectPublicKeyInfo (RFC 5480 2; RFC 7468 13).

    One spelling only: lines of 64 characters that end in LF, canonical base64 (RFC 4648 3.5), DER,
    the curve by its name, the point uncompressed (SEC 1 2.3.3).  The LF at the end may be missing.

    Raises:
        ValueError: Another spelling, another kind of key, or a point that is not on ``curve``.
    """
    key, after = _take(_parse_pem(pem), _SEQUENCE, "the key")
    algorithm, bits = _take(key, _SEQUENCE, "the algorithm")
    kind, parameters = _take(algorithm, _OBJECT_IDENTIFIER, "the algorithm's name")
    if kind != _EC_PUBLIC_KEY:
        raise ValueError("The key is not for an elliptic curve (id-ecPublicKey).")
    name, extra = _take(parameters, _OBJECT_IDENTIFIER, "the curve's name")
    if name != curve.oid:
        raise ValueError(f"The key is for another curve than {curve.name}.")
    point, rest = _take(bits, _BIT_STRING, "the point")
    if after or extra or rest:
        raise ValueError("There are bytes after an element of the key.")
    if point[:1] != b"\0":
        raise ValueError("The point is not a whole number of bytes.")
    _parse_point(curve, point[1:])
    return point[1:]


def parse_der_signature(der: bytes, n: int) -> tuple[int, int]:
    """Return ``r`` and ``s`` of a DER signature for a curve of order ``n`` (RFC 3279 2.2.3).

    Each pair has one encoding: whatever is accepted, `encode_der_signature` gives it back.

    Raises:
        ValueError: It is not DER, something follows it, or a number is not in 1 to ``n - 1``.
    """
    numbers, after = _take(der, _SEQUENCE, "the signature")
    first, numbers = _take(numbers, _INTEGER, "r")
    second, rest = _take(numbers, _INTEGER, "s")
    if after or rest:
        raise ValueError("There are bytes after the signature.")
    return _parse_number(first, n, "r"), _parse_number(second, n, "s")


def encode_der_signature(r: int, s: int) -> bytes:
    """Return DER of ``SEQUENCE { r INTEGER, s INTEGER }`` for two positive numbers.

    The signing side uses it to write ``n - s`` in place of a large ``s``.

    Raises:
        ValueError: A number is not positive.
    """
    if r < 1 or s < 1:
        raise ValueError("Both numbers of a signature are positive.")
    # one byte more at every multiple of 8 bits: the highest bit is the sign (X.690 8.3)
    contents = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in (r, s)]
    return _element(_SEQUENCE, b"".join(_element(_INTEGER, each) for each in contents))


def _parse_pem(pem: str) -> bytes:
    """Return what a PEM block holds (RFC 7468 3).

    An error never shows the text: someone may have given a private key by mistake.
    """
    begin, end = "-----BEGIN PUBLIC KEY-----\n", "\n-----END PUBLIC KEY-----"
    text = pem[:-1] if pem.endswith("\n") else pem
    if not (text.startswith(begin) and text.endswith(end) and len(text) > len(begin) + len(end)):
        raise ValueError("The key is not one PEM block of the kind PUBLIC KEY.")
    body = text[len(begin) : -len(end)]
    try:
        der = base64.b64decode(body.replace("\n", ""), validate=True)
    except ValueError:
        raise ValueError("The PEM block is not base64.") from None
    canonical = base64.b64encode(der).decode("ascii")
    if body != "\n".join(canonical[at : at + 64] for at in range(0, len(canonical), 64)):
        raise ValueError("The PEM block is not canonical base64 in lines of 64 characters.")
    return der


def _take(data: bytes, tag: int, what: str) -> tuple[bytes, bytes]:
    """Return the contents of the DER element that ``data`` begins with, and the bytes after it.

    Raises:
        ValueError: ``data`` begins with something else, ends too early, or gives the length in
            another form than the shortest definite one (X.690 8.1.3, 10.1).
    """
    if len(data) < 2 or data[0] != tag:
        raise ValueError(f"The DER lacks {what}.")
    start, size = 2, data[1]
    if size >= 0x80:
        start = 2 + size - 0x80
        size = int.from_bytes(data[2:start], "big")
    element, after = data[: start + size], data[start + size :]
    if element != _element(tag, element[start:]):
        raise ValueError(f"The DER gives {what} a length that is wrong or not the shortest.")
    return element[start:], after


def _element(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80:
        return bytes([tag, size]) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + contents


def _parse_number(contents: bytes, n: int, what: str) -> int:
    number = int.from_bytes(contents, "big", signed=True)
    if not 0 < number < n:
        raise ValueError(f"The number {what} is not in 1 to n - 1.")
    if len(contents) != number.bit_length() // 8 + 1:
        raise ValueError(f"The number {what} has superfluous zeros before it (X.690 8.3.2).")
    return number


def _parse_point(curve: Curve, point: bytes) -> tuple[int, int]:
    """Return the coordinates of an uncompressed point on the curve (SEC 1 2.3.4, 3.2.2.1)."""
    if len(point) != 1 + 2 * curve.size or point[0] != 4:
        raise ValueError(f"The point is not an uncompressed point of {curve.name}.")
    x = int.from_bytes(point[1 : 1 + curve.size], "big")
    y = int.from_bytes(point[1 + curve.size :], "big")
    if x >= curve.p or y >= curve.p or (x**3 + curve.a * x + curve.b - y * y) % curve.p != 0:
        raise ValueError(f"The point is not on the curve {curve.name}.")
    return x, y


def _combine(curve: Curve, m: int, p: _Point, n: int, q: _Point) -> _Point:
    """Return ``[m]p + [n]q``, both at once, two bits a step (Shamir's trick)."""
    rows = [_INFINITY, p, _add(curve, p, p), _add(curve, _add(curve, p, p), p)]
    columns = [_INFINITY, q, _add(curve, q, q), _add(curve, _add(curve, q, q), q)]
    table = [_add(curve, row, column) for row in rows for column in columns]
    total = _INFINITY
    for shift in range(8 * curve.size - 2, -2, -2):
        total = _double(curve, _double(curve, total))
        step = (m >> shift & 3) << 2 | n >> shift & 3
        if step:
            total = _add(curve, total, table[step])
    return total


def _add(curve: Curve, p: _Point, q: _Point) -> _Point:
    """Return ``p + q`` for every pair: a hostile key may be G or a small multiple of it."""
    if p[2] == 0 or q[2] == 0:
        return q if p[2] == 0 else p
    (x1, y1, z1), (x2, y2, z2), prime = p, q, curve.p
    zz1, zz2 = z1 * z1 % prime, z2 * z2 % prime
    u, s = x1 * zz2 % prime, y1 * z2 % prime * zz2 % prime
    h, r = (x2 * zz1 - u) % prime, (y2 * z1 % prime * zz1 - s) % prime
    if h == 0:
        return _double(curve, p) if r == 0 else _INFINITY
    hh = h * h % prime
    hhh, v = h * hh % prime, u * hh % prime
    x = (r * r - hhh - 2 * v) % prime
    return x, (r * (v - x) - s * hhh) % prime, h * z1 % prime * z2 % prime


def _double(curve: Curve, p: _Point) -> _Point:
    (x, y, z), prime = p, curve.p
    yy, zz = y * y % prime, z * z % prime
    s = 4 * x * yy % prime
    m = (3 * x * x + curve.a * (zz * zz % prime)) % prime
    doubled = (m * m - 2 * s) % prime
    return doubled, (m * (s - doubled) - 8 * yy * yy) % prime, 2 * y * z % prime
