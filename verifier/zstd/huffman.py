"""Huffman: the weights of a tree, its tables, the streams of literals (RFC 8878 4.2)."""

from __future__ import annotations

from verifier.zstd.bits import Corrupt, payload_bits
from verifier.zstd.fse import build_table, read_probabilities

# for each window of bits: the symbols whose codes are in it, and how many bits those have
Windows = list[tuple[bytes, int]]

_MAX_BITS = 11  # RFC 8878 4.2.1
_WEIGHTS_LOG = 6  # RFC 8878 4.2.1.2: accuracy of the table for weights
_MAX_WEIGHTS = 255  # the 256th follows from the others
_WORTH_PAIRS = 512  # symbols in a stream from which a table of pairs pays
_PAD = 2  # zero bytes below a stream: a window may reach under its end
_CHUNK = 64  # bytes of a stream that are one integer at a time; more makes shifts slow


class Tree:
    """A Huffman tree, as tables.

    Args:
        weights: The weights of the symbols from 0 on; that of the last follows from them.

    Raises:
        Corrupt: They are not those of a complete tree.
    """

    def __init__(self, weights: list[int]) -> None:
        total = sum(1 << weight >> 1 for weight in weights)
        bits = total.bit_length()
        rest = (1 << bits) - total
        if not total or bits > _MAX_BITS or rest & (rest - 1):
            raise Corrupt("weights: no tree")
        weights = [*weights, rest.bit_length()]
        if weights.count(1) < 2:
            raise Corrupt("weights: no two longest codes")
        self._bits = bits
        self._single: Windows = []
        for weight, symbol in sorted((weight, s) for s, weight in enumerate(weights) if weight):
            self._single += [(bytes((symbol,)), bits + 1 - weight)] * (1 << (weight - 1))
        self._pairs: Windows = []

    def decode(self, stream: bytes, count: int) -> bytes:
        """Return the ``count`` symbols of one stream.

        Raises:
            Corrupt: There are fewer or more in it.
        """
        bits = self._bits
        left = payload_bits(stream, "literals")
        if not count <= left <= bits * count:
            raise Corrupt("literals: stream end")
        data, end = bytes(_PAD) + stream, 8 * _PAD
        out: list[bytes] = []
        left += end
        if count >= _WORTH_PAIRS:
            left = self._run(data, left, end + bits - 1, self._double(), out)
        # one by one, so that symbols end where the stream does
        left = self._run(data, left, end, self._single, out)
        symbols = b"".join(out)
        if left != end or len(symbols) != count:
            raise Corrupt("literals: stream end")
        return symbols

    def _run(self, data: bytes, left: int, end: int, table: Windows, out: list[bytes]) -> int:
        """Decode while there are more than ``end`` bits; return how many there are then."""
        append, bits = out.append, self._bits
        mask = (1 << bits) - 1
        while left > end:
            top = (left + 7) >> 3
            low = max(0, top - _CHUNK)
            chunk = int.from_bytes(data[low:top], "little")
            low = 8 * low + bits
            shift, stop = left - low, max(0, end + 1 - low)
            while shift >= stop:
                symbols, used = table[chunk >> shift & mask]
                append(symbols)
                shift -= used
            left = shift + low
        return left

    def _double(self) -> Windows:
        """Return the table that has two symbols wherever a window holds two codes."""
        if not self._pairs:
            single, bits = self._single, self._bits
            mask = (1 << bits) - 1
            for window, (symbol, used) in enumerate(single):
                other, more = single[window << used & mask]
                fits = used + more <= bits
                self._pairs.append((symbol + other, used + more) if fits else (symbol, used))
        return self._pairs


def decode_four(tree: Tree, data: bytes, count: int) -> bytes:
    """Return the ``count`` symbols of four streams behind their jump table (RFC 8878 4.2.2).

    Raises:
        Corrupt: The sizes do not go together, or a stream does not hold its share.
    """
    share = (count + 3) // 4
    if count < 6 or len(data) < 6:  # 5 symbols would leave less than none for the fourth
        raise Corrupt("literals: too few for four streams")
    ends = [6]
    for at in (0, 2, 4):
        ends.append(ends[-1] + int.from_bytes(data[at : at + 2], "little"))
    if ends[3] > len(data):
        raise Corrupt("literals: jump table")
    ends.append(len(data))
    counts = (share, share, share, count - 3 * share)
    streams = [data[begin:end] for begin, end in zip(ends, ends[1:])]
    return b"".join(map(tree.decode, streams, counts))


def read_tree(data: bytes) -> tuple[Tree, int]:
    """Read the description of a tree (RFC 8878 4.2.1); return it and where it ends.

    Raises:
        Corrupt: It is longer than the data, or it describes no tree.
    """
    if not data:
        raise Corrupt("weights: truncated")
    if data[0] < 128:
        end = 1 + data[0]
        if end > len(data):
            raise Corrupt("weights: truncated")
        return Tree(_compressed_weights(data[1:end])), end
    count = data[0] - 127
    end = 1 + (count + 1) // 2
    if end > len(data):
        raise Corrupt("weights: truncated")
    nibbles = [nibble for byte in data[1:end] for nibble in (byte >> 4, byte & 15)]
    return Tree(nibbles[:count]), end


def _compressed_weights(data: bytes) -> list[int]:
    """Return weights that two FSE states have written in turn (RFC 8878 4.2.1.2)."""
    log, probabilities, at = read_probabilities(data, 0, _WEIGHTS_LOG, _MAX_WEIGHTS + 1)
    table = build_table(log, probabilities)
    left = payload_bits(data[at:], "weights") - 2 * log
    if left < 0:
        raise Corrupt("weights: states truncated")
    stream = int.from_bytes(data[at:], "little")
    mask = (1 << log) - 1
    state, other = stream >> (left + log) & mask, stream >> left & mask
    weights: list[int] = []
    while len(weights) <= _MAX_WEIGHTS - 2:
        symbol, bits, base = table[state]
        weights.append(symbol)
        left -= bits
        if left < 0:  # there is no next state: the other one has the last word
            return [*weights, table[other][0]]
        state, other = other, base + (stream >> left & ((1 << bits) - 1))
    raise Corrupt("weights: too many")
