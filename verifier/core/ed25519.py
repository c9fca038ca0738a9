"""Ed25519 signatures, checked strictly (RFC 8032; FORMAT 4.5).  Imports nothing from this package.

Everything here is public, so nothing needs to run in constant time.  There is no signing.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19  # the field; this and what follows: RFC 8032 5.1
L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
D = -121665 * pow(121666, -1, P) % P
_2D = 2 * D % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

# (X, Y, Z, T): x = X/Z, y = Y/Z, x * y = T/Z (RFC 8032 5.1.4)
_Point = tuple[int, int, int, int]

_NEUTRAL: _Point = (0, 1, 1, 0)
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Y = 4 * pow(5, -1, P) % P
_BASE: _Point = (_X, _Y, 1, _X * _Y % P)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is one that the owner of ``public`` made over ``message``.

    Of the choices that RFC 8032 5.1.7 leaves open these are the strict ones, so that no signature
    and no key has a second spelling: the equation without the cofactor, ``S`` below ``L``, ``A``
    and ``R`` in their one encoding, and no ``A`` of small order, under which one signature would
    be good for many messages.  Whatever the bytes are, the answer is True or False.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    a = _decode(public)
    s = int.from_bytes(signature[32:], "little")
    if a is None or s >= L or _has_small_order(a):
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % L
    x, y, z, t = a
    # R is never decoded: only its canonical encoding can be equal to what we compute.
    return _encode(_combine(s, _BASE, k, (P - x, y, z, P - t))) == signature[:32]


def _decode(data: bytes) -> _Point | None:
    """Return the point with this encoding, None if there is none (RFC 8032 5.1.3)."""
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P  # x**2 = u / v
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * SQRT_OF_MINUS_1 % P
    if (v * x * x - u) % P != 0 or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _has_small_order(point: _Point) -> bool:
    for _ in range(3):  # the cofactor is 2**3
        point = _double(point)
    return point[0] == 0 and point[1] == point[2]


def _combine(m: int, p: _Point, n: int, q: _Point) -> _Point:
    """Return ``[m]p + [n]q``, both at once, two bits a step (Straus)."""
    rows = [_NEUTRAL, p, _double(p), _add(_double(p), p)]
    columns = [_NEUTRAL, q, _double(q), _add(_double(q), q)]
    table = [_add(row, column) for row in rows for column in columns]
    total = _NEUTRAL
    for shift in range(252, -2, -2):  # both numbers are below L, which has 253 bits
        total = _double(_double(total))
        step = (m >> shift & 3) << 2 | n >> shift & 3
        if step:
            total = _add(total, table[step])
    return total


def _add(p: _Point, q: _Point) -> _Point:
    """Return ``p + q``; the formulas hold for every pair of points (RFC 8032 5.1.4)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = p[3] * q[3] % P * _2D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(p: _Point) -> _Point:
    x, y, z, _ = p
    a, b = x * x % P, y * y % P
    h = a + b
    e, g = h - (x + y) ** 2, a - b
    f = 2 * z * z + g
    e, f = e % P, f % P
    return e * f % P, g * h % P, f * g % P, e * h % P
