"""The three codes of a sequence: literal length, offset, match length (RFC 8878 3.1.1.3.2.1)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

from verifier.zstd.bits import Corrupt
from verifier.zstd.fse import Table, build_table, read_probabilities

# by state: all bits that a code has here; bits of the next state, their mask, and what they are
# added to; extra bits, their mask, and what they are added to
States = list[tuple[int, int, int, int, int, int, int]]


class Code(NamedTuple):
    """One code as a table.

    Attributes:
        log: The bits of the first state.
    """

    log: int
    states: States


@dataclass(frozen=True)
class _Kind:
    """What the standard says of one code.

    Attributes:
        max_log: The largest accuracy of a table.
        base: The value of each symbol without its extra bits.
        extra: The number of extra bits of each symbol.
        log: The accuracy of the predefined table.
        default: The probabilities of the predefined table.
    """

    max_log: int
    base: tuple[int, ...]
    extra: tuple[int, ...]
    log: int
    default: tuple[int, ...]


def _bases(first: int, extra: tuple[int, ...]) -> tuple[int, ...]:
    """Return the value of each symbol: it begins where that of the one before ends."""
    return tuple(first + sum(1 << bits for bits in extra[:symbol]) for symbol in range(len(extra)))


_LENGTH_EXTRA = (0,) * 16 + (1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17))
_MATCH_EXTRA = (0,) * 32 + (1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17))
_LENGTHS = _Kind(
    9,
    _bases(0, _LENGTH_EXTRA),
    _LENGTH_EXTRA,
    6,
    (4, 3, *(2,) * 11, *(1,) * 3, *(2,) * 9, 3, 2, *(1,) * 5, *(-1,) * 4),
)
_OFFSETS = _Kind(
    8,
    # symbols 0 and 1 name a recent offset; the others an offset, 3 less than what is written
    (0, 1, *((1 << symbol) - 3 for symbol in range(2, 32))),
    tuple(range(32)),
    5,
    (*(1,) * 6, *(2,) * 3, *(1,) * 15, *(-1,) * 5),
)
_MATCHES = _Kind(
    9,
    _bases(3, _MATCH_EXTRA),
    _MATCH_EXTRA,
    6,
    (1, 4, 3, *(2,) * 6, *(1,) * 37, *(-1,) * 7),
)
_KINDS = (_LENGTHS, _OFFSETS, _MATCHES)  # in the order of the block
_PREDEFINED, _RLE, _DESCRIBED, _REPEAT = range(4)


def read_codes(data: bytes, at: int, previous: list[Code]) -> tuple[list[Code], int]:
    """Read the three tables that the modes at ``at`` announce; return them and where they end.

    Args:
        data: The block.
        previous: The tables of the last block that had sequences; empty if none had.

    Raises:
        Corrupt: A table is not well formed, or the one to repeat is missing.
    """
    if at >= len(data):
        raise Corrupt("sequences: truncated")
    modes = data[at]
    at += 1
    if modes & 3:
        raise Corrupt("sequences: reserved bits")
    codes = []
    for number, kind in enumerate(_KINDS):
        mode = modes >> (6 - 2 * number) & 3
        if mode == _PREDEFINED:
            codes.append(_predefined(number))
        elif mode == _REPEAT:
            if not previous:
                raise Corrupt("sequences: nothing to repeat")
            codes.append(previous[number])
        elif mode == _RLE:
            if at >= len(data) or data[at] >= len(kind.base):
                raise Corrupt("sequences: symbol")
            codes.append(Code(0, _states(kind, [(data[at], 0, 0)])))
            at += 1
        else:
            log, found, at = read_probabilities(data, at, kind.max_log, len(kind.base))
            codes.append(Code(log, _states(kind, build_table(log, found))))
    return codes, at


@functools.lru_cache(maxsize=None)
def _predefined(number: int) -> Code:
    kind = _KINDS[number]
    return Code(kind.log, _states(kind, build_table(kind.log, list(kind.default))))


def _states(kind: _Kind, table: Table) -> States:
    values = [(bits, (1 << bits) - 1, base) for bits, base in zip(kind.extra, kind.base)]
    return [
        (bits + values[symbol][0], bits, (1 << bits) - 1, following, *values[symbol])
        for symbol, bits, following in table
    ]
