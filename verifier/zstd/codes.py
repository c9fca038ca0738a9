"""The three codes of a sequence: literal length, offset, match length (RFC 8878 3.1.1.3.2.1)."""

from __future__ import annotations

import functools
from typing import NamedTuple

from verifier.zstd.bits import Corrupt
from verifier.zstd.fse import Table, build_table, read_probabilities

State = tuple[int, int, int, int, int, int, int]
"""What a code does in one state.

All bits that are read in it; those of them that make the next state, a mask of as many ones, and
what they are added to; those that are extra bits of the value, a mask, and what they are added to.
"""

Code = list[State]
"""By state; as many as a power of two."""


class _Kind(NamedTuple):
    """What the standard says of one code.

    Attributes:
        max_log: The largest accuracy of a table.
        extra: The number of extra bits of each symbol.
        base: The value of each symbol without its extra bits.
        default: The probabilities of the predefined table.
    """

    max_log: int
    extra: tuple[int, ...]
    base: tuple[int, ...]
    default: tuple[int, ...]


def _bases(first: int, extra: tuple[int, ...]) -> tuple[int, ...]:
    """Return the value of each symbol: it begins where that of the one before ends."""
    return tuple(first + sum(1 << bits for bits in extra[:symbol]) for symbol in range(len(extra)))


_LENGTH_EXTRA = (0,) * 16 + (1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17))
_MATCH_EXTRA = (0,) * 32 + (1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17))
# a symbol of an offset is the number of its extra bits; what they give is 3 more than the offset,
# but symbols 0 and 1 name a recent offset, from 0 on
_OFFSET_BASE = (0, 1, *((1 << symbol) - 3 for symbol in range(2, 32)))
_KINDS = (  # in the order of a block
    _Kind(
        9,
        _LENGTH_EXTRA,
        _bases(0, _LENGTH_EXTRA),
        (4, 3, *(2,) * 11, *(1,) * 3, *(2,) * 9, 3, 2, *(1,) * 5, *(-1,) * 4),
    ),
    _Kind(8, tuple(range(32)), _OFFSET_BASE, (*(1,) * 6, *(2,) * 3, *(1,) * 15, *(-1,) * 5)),
    _Kind(
        9,
        _MATCH_EXTRA,
        _bases(3, _MATCH_EXTRA),
        (1, 4, 3, *(2,) * 6, *(1,) * 37, *(-1,) * 7),
    ),
)
_PREDEFINED, _RLE, _DESCRIBED, _REPEATED = range(4)


def read_codes(block: bytes, at: int, before: list[Code]) -> tuple[list[Code], int]:
    """Read the modes of the three codes and the tables that follow.

    Args:
        block: What holds them.
        at: Where they begin.
        before: The codes of the last block that had sequences; empty if none had.

    Returns:
        Literal lengths, offsets, match lengths; where the bits of the sequences begin.

    Raises:
        Corrupt: A table is not well formed, or there is none to repeat.
    """
    if at >= len(block):  # its two reserved bits are not looked at (FORMAT 2.4)
        raise Corrupt("codes: modes")
    modes = block[at]
    at += 1
    codes: list[Code] = []
    for number, kind in enumerate(_KINDS):
        mode = modes >> (6 - 2 * number) & 3
        if mode == _PREDEFINED:
            codes.append(_predefined(number))
        elif mode == _RLE:
            if at >= len(block) or block[at] >= len(kind.base):
                raise Corrupt("codes: symbol")
            codes.append(_code(kind, [(block[at], 0, 0)]))
            at += 1
        elif mode == _DESCRIBED:
            probabilities, at = read_probabilities(block, at, kind.max_log, len(kind.base))
            codes.append(_code(kind, build_table(probabilities)))
        elif not before:
            raise Corrupt("codes: none to repeat")
        else:
            codes.append(before[number])
    return codes, at


@functools.cache
def _predefined(number: int) -> Code:
    return _code(_KINDS[number], build_table(list(_KINDS[number].default)))


def _code(kind: _Kind, table: Table) -> Code:
    values = [(extra, (1 << extra) - 1, base) for extra, base in zip(kind.extra, kind.base)]
    return [
        (bits + kind.extra[symbol], bits, (1 << bits) - 1, following, *values[symbol])
        for symbol, bits, following in table
    ]
