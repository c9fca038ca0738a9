"""How the curves multiply: signed digits, a few apart, each an odd number; and tables of those.

A key signs more than once in a usual verify (the root, the page), so what is computed for it is
kept, and is worth a little more: besides its odd multiples, those of its multiple by 2**128.  Then
a number of 256 bits costs 128 doublings the second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from verifier.typed import TypeVar

T = TypeVar("T")

WIDTH = 5  # bits of a digit: eight odd multiples a point, a digit every six bits
FAR = 128  # bits from one table to the next


def signed_digits(number: int) -> list[tuple[int, int]]:
    """Return places and digits of ``number``: it is the sum of ``digit << place``.

    Each digit is odd and between -15 and 15 (width-5 NAF: Hankerson, Menezes, Vanstone, Guide to
    Elliptic Curve Cryptography, algorithm 3.35): most places have none, and need no addition.
    """
    digits, place = [], 0
    while number:
        zeros = (number & -number).bit_length() - 1
        number >>= zeros
        place += zeros
        digit = number & (1 << WIDTH) - 1
        if digit >> WIDTH - 1:
            digit -= 1 << WIDTH
        digits.append((place, digit))
        number -= digit
    return digits


def addends(number: int, tables: Sequence[Sequence[T]]) -> Iterator[tuple[int, bool, T]]:
    """Yield what adds up to ``number`` times a point: place, add or subtract, and the point.

    Args:
        tables: The odd multiples of the point up to 15, each at half of its number; then those of
            its multiple by ``2**FAR``, and so on.
    """
    for place, digit in signed_digits(number):
        far = min(place // FAR, len(tables) - 1)
        yield place - FAR * far, digit > 0, tables[far][abs(digit) >> 1]
