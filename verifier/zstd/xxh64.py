"""XXH64 with seed 0: the checksum of a frame is its low 32 bits (RFC 8878 3.1.1).

The four accumulators of the algorithm stand side by side in one integer, 128 bits each, so that
one multiplication does the work of four: a product of two 64-bit numbers stays in its own lane.
"""

from __future__ import annotations

_P1 = 0x9E3779B185EBCA87  # the five primes of the XXH64 specification
_P2 = 0xC2B2AE3D27D4EB4F
_P3 = 0x165667B19E3779F9
_P4 = 0x85EBCA77C2B2AE63
_P5 = 0x27D4EB2F165667C5
_M = (1 << 64) - 1
_LANE = 128
_ALL = sum(_M << _LANE * lane for lane in range(4))
_PAIR = _M | _M << _LANE
# the words of a stripe are taken 0, 2, 1, 3: two masks spread them
_ORDER = (0, 2, 1, 3)
_START = (_P1 + _P2 & _M, _P2, 0, -_P1 & _M)


def xxh64(data: bytes | bytearray) -> int:
    """Return the XXH64 of ``data`` with seed 0."""
    size = len(data)
    end = size & ~31
    if end:
        lanes = _stripes(data, end)
        result = sum(_rotate(lanes[k], n) for k, n in enumerate((1, 7, 12, 18))) & _M
        for lane in lanes:
            result = ((result ^ _round(0, lane)) * _P1 + _P4) & _M
    else:
        result = _P5
    result = _tail(data, end, result + size & _M)
    result = (result ^ result >> 33) * _P2 & _M
    result = (result ^ result >> 29) * _P3 & _M
    return result ^ result >> 32


def _rotate(value: int, count: int) -> int:
    return (value << count | value >> 64 - count) & _M


def _round(lane: int, word: int) -> int:
    return _rotate(lane + word * _P2 & _M, 31) * _P1 & _M


def _stripes(data: bytes | bytearray, end: int) -> list[int]:
    """Return the four accumulators after all whole stripes of 32 bytes."""
    lanes = sum(_START[word] << _LANE * place for place, word in enumerate(_ORDER))
    number = int.from_bytes
    for at in range(0, end, 32):
        stripe = number(data[at : at + 32], "little")
        words = stripe & _PAIR | (stripe >> 64 & _PAIR) << 2 * _LANE
        lanes = (lanes + words * _P2) & _ALL
        # what a shift pushes out of its lane lands where the mask takes it away
        lanes = ((lanes << 31 | lanes >> 33) & _ALL) * _P1 & _ALL
    split = [lanes >> _LANE * place & _M for place in range(4)]
    return [split[0], split[2], split[1], split[3]]


def _tail(data: bytes | bytearray, at: int, result: int) -> int:
    """Mix in the last 0 to 31 bytes."""
    while at + 8 <= len(data):
        word = int.from_bytes(data[at : at + 8], "little")
        result = (_rotate(result ^ _round(0, word), 27) * _P1 + _P4) & _M
        at += 8
    if at + 4 <= len(data):
        word = int.from_bytes(data[at : at + 4], "little")
        result = (_rotate(result ^ word * _P1 & _M, 23) * _P2 + _P3) & _M
        at += 4
    for byte in data[at:]:
        result = _rotate(result ^ byte * _P5 & _M, 11) * _P1 & _M
    return result
