"""FSE: probabilities as they are written, and the decoding table that they give (RFC 8878 4.1)."""

from __future__ import annotations

import functools

from verifier.zstd.bits import Corrupt

# (symbol, bits to read for the next state, what they are added to)
Table = list[tuple[int, int, int]]

_MIN_LOG = 5  # RFC 8878 4.1.1: what an Accuracy_Log of zero bits means


def read_probabilities(data: bytes, at: int, max_log: int, symbols: int) -> tuple[int, list[int], int]:
    """Read a table description (RFC 8878 4.1.1).

    Args:
        data: What holds it.
        at: Where it begins.
        max_log: The largest accuracy that its user allows.
        symbols: How many symbols there may be.

    Returns:
        Accuracy log; the probability of each symbol, -1 for "less than one"; where it ends.

    Raises:
        Corrupt: It is longer than the data or does not add up.
    """
    # 3 + 256 symbols of at most 16 bits + flags: 600 bytes are more than any description has
    value = int.from_bytes(data[at : at + 600], "little")
    log = (value & 15) + _MIN_LOG
    if log > max_log:
        raise Corrupt("accuracy log")
    used, left, found = 4, (1 << log) + 1, [0][:0]
    while left > 1:
        if len(found) >= symbols:
            raise Corrupt("probabilities: too many symbols")
        width = left.bit_length()  # of the values 0 to `left`
        short = (1 << width) - 1 - left  # so many of the values take a bit less
        number = value >> used & (1 << width) - 1
        low = number & (1 << width - 1) - 1
        if low < short:
            number, width = low, width - 1
        elif number >= 1 << width - 1:
            number -= short
        used += width
        found.append(number - 1)
        left -= abs(number - 1)
        if number == 1:  # a probability of zero: how many more of them follow
            while True:
                repeat = value >> used & 3
                used += 2
                found += [0] * repeat
                if repeat < 3 or len(found) > symbols:
                    break
    end = at + (used + 7 >> 3)
    if len(found) > symbols or end > len(data):
        raise Corrupt("probabilities: too long")
    return log, found, end


@functools.lru_cache(maxsize=None)
def _places(log: int) -> list[int]:
    """Return the order in which a table of this accuracy is filled."""
    size = 1 << log
    step = (size >> 1) + (size >> 3) + 3
    return [step * k & size - 1 for k in range(size)]


def build_table(log: int, probabilities: list[int]) -> Table:
    """Return the decoding table for probabilities that add up (RFC 8878 4.1.1)."""
    size = 1 << log
    rare = [symbol for symbol, count in enumerate(probabilities) if count < 0]
    spread = [0] * (size - len(rare)) + rare[::-1]  # the rare ones from the end down
    symbols = [symbol for symbol, count in enumerate(probabilities) for _ in range(count)]
    places = _places(log)
    if rare:
        places = [place for place in places if place < size - len(rare)]
    for place, symbol in zip(places, symbols):
        spread[place] = symbol
    counters = [abs(count) for count in probabilities]
    table = []
    width = log + 1
    for symbol in spread:
        state = counters[symbol]
        counters[symbol] = state + 1
        bits = width - state.bit_length()
        table.append((symbol, bits, (state << bits) - size))
    return table
