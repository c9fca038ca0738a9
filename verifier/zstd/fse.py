"""FSE: how probabilities are written, and the decoding table they give (RFC 8878 4.1.1)."""

from __future__ import annotations

import functools

from verifier.zstd.bits import Corrupt

# by state: its symbol; bits to read for the next state, and what they are added to
Table = list[tuple[int, int, int]]

_MIN_LOG = 5  # what an Accuracy_Log of four zero bits says
_LONGEST = 512  # bytes; 256 probabilities of 10 bits and 2 bits after each zero have 384


def read_probabilities(data: bytes, at: int, max_log: int, symbols: int) -> tuple[list[int], int]:
    """Read a table description.

    Args:
        data: What holds it.
        at: Where it begins.
        max_log: The largest accuracy that its user allows, at most 9.
        symbols: How many symbols there may be, at most 256.

    Returns:
        The probability of each symbol, -1 for "less than 1"; where the description ends.

    Raises:
        Corrupt: It is longer than the data, or does not add up to its accuracy.
    """
    value = int.from_bytes(data[at : at + _LONGEST], "little")
    log, used = (value & 15) + _MIN_LOG, 4
    if log > max_log:
        raise Corrupt("probabilities: accuracy")
    found: list[int] = []
    left = (1 << log) + 1
    while left > 1:
        if len(found) >= symbols:
            raise Corrupt("probabilities: too many")
        width = left.bit_length()  # of the numbers 0 to `left`; the lowest of them take a bit less
        half = 1 << (width - 1)
        number = value >> used & (2 * half - 1)
        spare = 2 * half - 1 - left
        if number & (half - 1) < spare:
            number &= half - 1
            width -= 1
        elif number >= half:
            number -= spare
        used += width
        found.append(number - 1)
        left -= abs(number - 1)
        repeat = 3 if number == 1 else 0  # after a zero two bits say how many more of them follow
        while repeat == 3 and len(found) <= symbols:
            repeat = value >> used & 3
            used += 2
            found += [0] * repeat
    end = at + ((used + 7) >> 3)
    if len(found) > symbols:
        raise Corrupt("probabilities: too many")
    if end > len(data):
        raise Corrupt("probabilities: truncated")
    return found, end


@functools.cache
def _places(size: int) -> list[int]:
    """Return the order in which the states of a table are given to symbols."""
    step = (size >> 1) + (size >> 3) + 3
    return [step * turn & (size - 1) for turn in range(size)]


def build_table(probabilities: list[int]) -> Table:
    """Return the decoding table for probabilities that add up to a power of two from 32 on."""
    size = sum(map(abs, probabilities))
    rare = [symbol for symbol, count in enumerate(probabilities) if count < 0]
    common = size - len(rare)
    symbols = [0] * common + rare[::-1]  # the rare ones stand at the end, the first one last
    spread = [symbol for symbol, count in enumerate(probabilities) for _ in range(count)]
    for place, symbol in zip((place for place in _places(size) if place < common), spread):
        symbols[place] = symbol
    counters = [abs(count) for count in probabilities]
    width = size.bit_length()
    table: Table = []
    for symbol in symbols:
        state = counters[symbol]
        counters[symbol] += 1
        bits = width - state.bit_length()
        table.append((symbol, bits, (state << bits) - size))
    return table
