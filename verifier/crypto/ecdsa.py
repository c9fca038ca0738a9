"""ECDSA signatures, checked strictly: P-256 with SHA-256, P-384 with SHA-384.

SEC 1 (version 2.0) is the arithmetic, X.690 the encoding, FORMAT 4.5 and 5.4 say what of it a kit
uses.  Everything here is public, so nothing needs to run in constant time.  There is no signing.
"""

from __future__ import annotations

import functools

from verifier.crypto import der
from verifier.crypto.windows import FAR, addends
from verifier.typed import record


@record(frozen=True)
class Curve:
    """A curve ``y**2 = x**3 - 3 * x + b`` over a prime field whose points are all multiples of G.

    Attributes:
        name: For people.
        size: Bytes of a coordinate, of ``n``, and of the digest that goes with the curve.
        oid: The curve's object identifier, as the contents of its DER (RFC 5480 2.1.1.1).
        p: The prime of the field.
        b: The coefficient.
        n: The order of G, a prime; the curve has no other points (cofactor 1).
        g: G and, for every 128 bits of ``n`` that follow, its multiple by 2**128; uncompressed as
            every point here.
    """

    name: str
    size: int
    oid: bytes
    p: int
    b: int
    n: int
    g: tuple[bytes, ...]


P256 = Curve(  # SEC 2 (version 2.0) 2.4.2, FIPS 186-5; used with SHA-256
    name="P-256",
    size=32,
    oid=bytes.fromhex("2a8648ce3d030107"),  # 1.2.840.10045.3.1.7
    p=2**256 - 2**224 + 2**192 + 2**96 - 1,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    g=(
        bytes.fromhex(
            "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
        ),
        bytes.fromhex(
            "04447d739beedb5e67fb982fd588c6766efc35ff7dc297eac357c84fc9d789bd85"
            "2d4825ab834131eee12e9d953a4aaff73d349b95a7fae5000c7e33c972e25b32"
        ),
    ),
)
P384 = Curve(  # SEC 2 (version 2.0) 2.5.1, FIPS 186-5; used with SHA-384
    name="P-384",
    size=48,
    oid=bytes.fromhex("2b81040022"),  # 1.3.132.0.34
    p=2**384 - 2**128 - 2**96 + 2**32 - 1,
    b=int(
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a"
        "c656398d8a2ed19d2a85c8edd3ec2aef",
        16,
    ),
    n=int(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
        "581a0db248b0a77aecec196accc52973",
        16,
    ),
    g=(
        bytes.fromhex(
            "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b98"
            "59f741e082542a385502f25dbf55296c3a545e3872760ab7"
            "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147c"
            "e9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
        ),
        bytes.fromhex(
            "04e10cb36d11cd506e23a42ea485d5a52411c2df652b7b03e9"
            "2bb64e18287c9b53ea2b1df419bf5f4984a2ae350020362e"
            "d7e679724697d36352ec806a31d6ab0b425d781706cc84c0"
            "7768fb7fe90ed2a464666b5536adb53ee5f50bfe2adaefc2"
        ),
        bytes.fromhex(
            "04e7b3f42dcad3d10923eaf4cdedfb898d39acb8f22aaa3451"
            "1af000f8cd3d0497da74bdf2bb0f6ca731efc1321a9bb0aa"
            "5a5d5c5ffc212920b18e3fba8615e7a5bbb25c8fc463e3b8"
            "80a93ec7216b71d56f5911020e70a63398ca61b55e695394"
        ),
    ),
)

EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")  # 1.2.840.10045.2.1, RFC 5480 2.1.1

_Point = tuple[int, int, int]  # (X, Y, Z): x = X/Z**2, y = Y/Z**3; Z = 0 is the point at infinity
_INFINITY: _Point = (1, 1, 0)
_Addend = tuple[int, int, int, int, int]  # the same with Z**2 and Z**3; never infinity
_Tables = list[list[_Addend]]  # odd multiples of a point, and of its multiples by 2**FAR


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
        tables = _tables_of_key(curve, point)
        r, s = parse_der_signature(signature, curve.n)
    except ValueError:
        return False
    if low_s and s > curve.n // 2:
        return False
    inverse = pow(s, -1, curve.n)
    m, n = int.from_bytes(digest, "big") * inverse % curve.n, r * inverse % curve.n
    x, _, z = _combine(curve, m, _tables_of_g(curve), n, tables)
    return z != 0 and x * pow(z, -2, curve.p) % curve.p % curve.n == r


def fit(curve: Curve, digest: bytes) -> bytes:
    """Return a digest of another hash as `verify` takes it: its first bits (FIPS 186-5 6.4.2)."""
    return digest[: curve.size].rjust(curve.size, b"\0")


def parse_spki(pem: str, curve: Curve = P256) -> bytes:
    """Return the uncompressed point in the PEM of a SubjectPublicKeyInfo (RFC 5480 2).

    One spelling only: that of `der.parse_spki`, the curve by its name, the point uncompressed
    (SEC 1 2.3.3).

    Raises:
        ValueError: Another spelling, another kind of key, or a point that is not on ``curve``.
    """
    return _on_curve(curve, *der.parse_spki(pem, EC_PUBLIC_KEY, "for an elliptic curve"))


def parse_key_info(data: bytes, curve: Curve) -> bytes:
    """Return the same of a SubjectPublicKeyInfo in DER.

    Raises:
        ValueError: It is no such thing, or no key for ``curve``.
    """
    return _on_curve(curve, *der.parse_key_info(data, EC_PUBLIC_KEY, "for an elliptic curve"))


def _on_curve(curve: Curve, parameters: bytes, point: bytes) -> bytes:
    name, extra = der.take(parameters, der.OBJECT_IDENTIFIER, "the curve's name")
    if name != curve.oid:
        raise ValueError(f"The key is for another curve than {curve.name}.")
    if extra:
        raise ValueError("There are bytes after the name of the curve.")
    _parse_point(curve, point)
    return point


def parse_der_signature(signature: bytes, n: int) -> tuple[int, int]:
    """Return ``r`` and ``s`` of a DER signature for a curve of order ``n`` (RFC 3279 2.2.3).

    Each pair has one encoding: whatever is accepted, `encode_der_signature` gives it back.

    Raises:
        ValueError: It is not DER, something follows it, or a number is not in 1 to ``n - 1``.
    """
    numbers, after = der.take(signature, der.SEQUENCE, "the signature")
    first, numbers = der.take(numbers, der.INTEGER, "r")
    second, rest = der.take(numbers, der.INTEGER, "s")
    if after or rest:
        raise ValueError("There are bytes after the signature.")
    return der.parse_number(first, n, "r"), der.parse_number(second, n, "s")


def encode_der_signature(r: int, s: int) -> bytes:
    """Return DER of ``SEQUENCE { r INTEGER, s INTEGER }`` for two positive numbers.

    The signing side uses it to write ``n - s`` in place of a large ``s``.

    Raises:
        ValueError: A number is not positive.
    """
    if r < 1 or s < 1:
        raise ValueError("Both numbers of a signature are positive.")
    return der.element(der.SEQUENCE, der.encode_number(r) + der.encode_number(s))


def _parse_point(curve: Curve, point: bytes) -> tuple[int, int]:
    """Return the coordinates of an uncompressed point on the curve (SEC 1 2.3.4, 3.2.2.1)."""
    if len(point) != 1 + 2 * curve.size or point[0] != 4:
        raise ValueError(f"The point is not an uncompressed point of {curve.name}.")
    x = int.from_bytes(point[1 : 1 + curve.size], "big")
    y = int.from_bytes(point[1 + curve.size :], "big")
    if x >= curve.p or y >= curve.p or (x**3 - 3 * x + curve.b - y * y) % curve.p != 0:
        raise ValueError(f"The point is not on the curve {curve.name}.")
    return x, y


@functools.lru_cache(maxsize=64)  # who signed the root often signed the page too
def _tables_of_key(curve: Curve, point: bytes) -> _Tables:
    """Return what `_combine` wants of a point; the second time it halves the doublings.

    Raises:
        ValueError: It is no point of the curve.
    """
    p: _Point = (*_parse_point(curve, point), 1)
    tables = [_multiples(curve, p)]
    while len(tables) < len(curve.g):
        p = _double(curve, p, FAR)
        tables.append(_multiples(curve, p))
    return tables


@functools.lru_cache(maxsize=2)
def _tables_of_g(curve: Curve) -> _Tables:
    return [_multiples(curve, (*_parse_point(curve, point), 1)) for point in curve.g]


def _multiples(curve: Curve, p: _Point) -> list[_Addend]:
    """Return the odd multiples of ``p`` up to 15, each at half of its number.

    None of them is infinity: the order of every point is a large prime.
    """
    twice, odd = _addend(curve, _double(curve, p)), [p]
    for _ in range(7):
        odd.append(_add(curve, odd[-1], twice))
    return [_addend(curve, each) for each in odd]


def _combine(curve: Curve, m: int, p: _Tables, n: int, q: _Tables) -> _Point:
    """Return ``[m]P + [n]Q``, given the tables of both points, in one go (Straus)."""
    additions = [*addends(m, p), *addends(n, q)]
    additions.sort(key=lambda addition: -addition[0])
    total, last = _INFINITY, additions[0][0] if additions else 0
    for place, positive, (x, y, z, zz, zzz) in additions:
        total = _double(curve, total, last - place)
        total = _add(curve, total, (x, y if positive else -y, z, zz, zzz))
        last = place
    return _double(curve, total, last)


def _addend(curve: Curve, p: _Point) -> _Addend:
    x, y, z = p
    zz = z * z % curve.p
    return x, y, z, zz, z * zz % curve.p


def _add(curve: Curve, p: _Point, q: _Addend) -> _Point:
    """Return ``p + q`` for every pair: a hostile key may be G or a small multiple of it."""
    (x1, y1, z1), (x2, y2, z2, zz2, zzz2), prime = p, q, curve.p
    if z1 == 0:
        return x2, y2, z2
    zz1 = z1 * z1 % prime
    u, s = x1 * zz2 % prime, y1 * zzz2 % prime
    h, r = (x2 * zz1 - u) % prime, (y2 * z1 % prime * zz1 - s) % prime
    if h == 0:
        return _double(curve, p) if r == 0 else _INFINITY
    hh = h * h % prime
    hhh, v = h * hh % prime, u * hh % prime
    x = (r * r - hhh - 2 * v) % prime
    return x, (r * (v - x) - s * hhh) % prime, h * z1 % prime * z2 % prime


def _double(curve: Curve, p: _Point, times: int = 1) -> _Point:
    """Return ``p`` doubled so many times."""
    (x, y, z), prime = p, curve.p
    for _ in range(times):
        yy, zz = y * y % prime, z * z % prime
        s, m = 4 * x * yy % prime, 3 * (x - zz) * (x + zz) % prime
        x, z = (m * m - 2 * s) % prime, 2 * y * z % prime
        y = (m * (s - x) - 8 * yy * yy) % prime
    return x, y, z
