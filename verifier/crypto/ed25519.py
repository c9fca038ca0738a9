"""Ed25519 signatures, checked strictly (RFC 8032; FORMAT 4.5).

Everything here is public, so nothing needs to run in constant time.  There is no signing.
"""

from __future__ import annotations

import functools
import hashlib

from verifier.crypto.windows import FAR, addends

P = 2**255 - 19  # the field; this and what follows: RFC 8032 5.1
L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
D = -121665 * pow(121666, -1, P) % P
_2D = 2 * D % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

# (X, Y, Z, E, H): x = X/Z, y = Y/Z, x * y = E*H/Z.  This is RFC 8032 5.1.4 with T left as two
# factors: a doubling does not need it, and most doublings follow each other.
_Point = tuple[int, int, int, int, int]

# What is added: (Y - X, Y + X, 2*Z, 2*D*T), the numbers that an addition makes of its second point
_Addend = tuple[int, int, int, int]
_Tables = list[list[_Addend]]  # odd multiples of a point, and of its multiple by 2**FAR

_NEUTRAL: _Point = (0, 1, 1, 0, 1)
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Y = 4 * pow(5, -1, P) % P
_BASE: _Point = (_X, _Y, 1, _X, _Y)
_FAR_X = 34445898214599204196824587830670445739267303633182408050117152659121903233060
_FAR_Y = 43048524062920118298805915568484795959327268000798232147099016825120495085163
_FAR_BASE: _Point = (_FAR_X, _FAR_Y, 1, _FAR_X, _FAR_Y)  # 2**FAR times the base point


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is one that the owner of ``public`` made over ``message``.

    Of the choices that RFC 8032 5.1.7 leaves open these are the strict ones, so that no signature
    and no key has a second spelling: the equation without the cofactor, ``S`` below ``L``, ``A``
    and ``R`` in their one encoding, and no ``A`` of small order, under which one signature would
    be good for many messages.  Whatever the bytes are, the answer is True or False.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    a = _tables_of_key(public)
    s = int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % L
    # R is never decoded: only its canonical encoding can be equal to what we compute.
    return _encode(_combine(s, _tables_of_base(), -k, a)) == signature[:32]


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
    return x, y, 1, x, y


def _encode(point: _Point) -> bytes:
    x, y, z = point[:3]
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=64)  # who signed the root often signed the page too
def _tables_of_key(public: bytes) -> _Tables | None:
    """Return what `_combine` wants of a key; the second time it halves the doublings.

    None if it is no point, or one of small order.
    """
    a = _decode(public)
    if a is None:
        return None
    x, y, z, _, _ = _double(a, 3)  # the cofactor is 2**3
    return None if x == 0 and y == z else [_multiples(a), _multiples(_double(a, FAR))]


@functools.lru_cache(maxsize=1)
def _tables_of_base() -> _Tables:
    return [_multiples(_BASE), _multiples(_FAR_BASE)]


def _multiples(p: _Point) -> list[_Addend]:
    """Return the odd multiples of ``p`` up to 15, each at half of its number."""
    twice, odd = _addend(_double(p)), [p]
    for _ in range(7):
        odd.append(_add(odd[-1], twice))
    return [_addend(each) for each in odd]


def _combine(m: int, p: _Tables, n: int, q: _Tables) -> _Point:
    """Return ``[m]P + [n]Q``, given the tables of both points, in one go (Straus)."""
    additions = [*addends(m, p), *addends(n, q)]
    additions.sort(key=lambda addition: -addition[0])
    total, last = _NEUTRAL, additions[0][0] if additions else 0
    for place, positive, (a, b, z, t) in additions:
        total = _double(total, last - place)
        total = _add(total, (a, b, z, t) if positive else (b, a, z, -t))
        last = place
    return _double(total, last)


def _addend(p: _Point) -> _Addend:
    x, y, z, e, h = p
    return y - x, y + x, 2 * z, e * h % P * _2D % P


def _add(p: _Point, q: _Addend) -> _Point:
    """Return ``p + q``; the formulas hold for every pair of points (RFC 8032 5.1.4)."""
    (x, y, z, e, h), (q0, q1, q2, q3) = p, q
    a, b = (y - x) * q0 % P, (y + x) * q1 % P
    c, d = e * h % P * q3 % P, z * q2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e, h


def _double(p: _Point, times: int = 1) -> _Point:
    """Return ``p`` doubled so many times (RFC 8032 5.1.4, with E, G and H of the other sign)."""
    x, y, z, e, h = p
    for _ in range(times):
        a, b = x * x % P, y * y % P
        e, g, h = 2 * x * y % P, b - a, -a - b
        f = g - 2 * z * z % P
        x, y, z = e * f % P, g * h % P, f * g % P
    return x, y, z, e, h
