"""Huffman: the weights of a tree, its tables, the streams of literals (RFC 8878 4.2)."""

from __future__ import annotations

from verifier.zstd.bits import Corrupt, Doubtful, payload_bits
from verifier.zstd.fse import build_table, read_probabilities

# by window of bits: the symbols whose codes it begins with, and how many bits those have
Windows = list[tuple[bytes, int]]

_MAX_BITS = 12  # of a code; RFC 8878 4.2.1 has 11 (FORMAT 2.4)
_WEIGHTS_LOG = 6  # accuracy of the table that weights may have, RFC 8878 4.2.1.2
_MAX_WEIGHTS = 255  # one less than symbols: the last weight follows from the others
_WORTH_PAIRS = 512  # symbols of a stream; for fewer a table of pairs costs more than it saves
_PAD = 2  # zero bytes below a stream: the last windows reach under its end
_CHUNK = 64  # bytes of a stream that are one integer at a time; with more, shifts are slow


class Tree:
    """A Huffman tree, as tables.

    Args:
        weights: Those of the symbols from 0 on, the last one left out.

    Raises:
        Corrupt: They are not the weights of a complete tree.
    """

    def __init__(self, weights: list[int]) -> None:
        total = sum(1 << weight >> 1 for weight in weights)
        bits = total.bit_length()
        rest = (1 << bits) - total
        if not total or bits > _MAX_BITS or rest & (rest - 1):
            raise Corrupt("weights: no tree")
        weights = [*weights, rest.bit_length()]
        if weights.count(1) < 2:
            raise Corrupt("weights: no tree")
        self._bits = bits
        self._single: Windows = []
        for weight, symbol in sorted((weight, s) for s, weight in enumerate(weights) if weight):
            self._single += [(bytes((symbol,)), bits + 1 - weight)] * (1 << (weight - 1))
        self._pairs: Windows = []

    def decode(self, stream: bytes, count: int) -> bytes:
        """Return the symbols of one stream, which must be ``count``.

        Raises:
            Corrupt: Symbols and stream do not end together.
        """
        bits, end = self._bits, 8 * _PAD
        left = payload_bits(stream, "literals")
        if not count <= left <= bits * count:
            raise Corrupt("literals: stream end")
        data = bytes(_PAD) + stream
        left += end
        found: list[bytes] = []
        if count >= _WORTH_PAIRS:
            left = self._run(data, left, end + bits - 1, self._double(), found, count)
        left = self._run(data, left, end, self._single, found, count)
        symbols = b"".join(found)
        if left != end or len(symbols) != count:
            raise Corrupt("literals: stream end")
        return symbols

    def decode_loosely(self, data: bytes, bits: int, count: int) -> bytes:
        """Return ``count`` symbols from a place on, wherever that leads (FORMAT 2.4).

        Args:
            data: The bytes of the stream, behind the streams that stand before it.
            bits: Where to begin.

        Raises:
            Corrupt: There are not bits enough even so.
        """
        end = 8 * _PAD
        found: list[bytes] = []
        left = self._run(bytes(_PAD) + data, bits + end, end, self._single, found, count)
        if len(found) < count or (len(found) == count and left < end):
            raise Doubtful("literals: stream runs out")
        return b"".join(found[:count])

    def _run(
        self, data: bytes, left: int, end: int, table: Windows, found: list[bytes], enough: int
    ) -> int:
        """Decode while there are more than ``end`` bits; return how many there are then.

        It also ends, soon, when ``found`` has that many entries.
        """
        append, bits = found.append, self._bits
        mask = (1 << bits) - 1
        while left > end and len(found) < enough:
            top = (left + 7) >> 3
            low = max(0, top - _CHUNK)
            chunk = int.from_bytes(data[low:top], "little")
            under = 8 * low + bits
            shift, stop = left - under, max(0, end + 1 - under)
            while shift >= stop:
                symbols, used = table[chunk >> shift & mask]
                append(symbols)
                shift -= used
            left = shift + under
        return left

    def _double(self) -> Windows:
        """Return the table with two symbols wherever a window begins with two codes."""
        if not self._pairs:
            single, bits = self._single, self._bits
            mask = (1 << bits) - 1
            for window, (symbol, used) in enumerate(single):
                second, more = single[window << used & mask]
                both = used + more <= bits
                self._pairs.append((symbol + second, used + more) if both else (symbol, used))
        return self._pairs


def decode_four(tree: Tree, data: bytes, count: int) -> bytes:
    """Return the ``count`` symbols of four streams behind a jump table (RFC 8878 3.1.1.3.1.6).

    Raises:
        Corrupt: The sizes do not go together, or a stream does not hold its share.
    """
    share = (count + 3) // 4
    last = count - 3 * share
    ends = [6]
    for at in (0, 2, 4):
        ends.append(ends[-1] + int.from_bytes(data[at : at + 2], "little"))
    if last < 0 or ends[-1] > len(data):
        raise Corrupt("literals: four streams")
    ends.append(len(data))
    found = []
    for begin, end, symbols in zip(ends, ends[1:], (share, share, share, last)):
        try:
            found.append(tree.decode(data[begin:end], symbols))
        except Corrupt:
            if begin == end:
                raise
            streams = data[6:end]  # this one, and those before it
            bits = payload_bits(streams, "literals") if streams[-1] else 8 * len(streams)
            found.append(tree.decode_loosely(streams, bits, symbols))
    return b"".join(found)


def read_tree(data: bytes) -> tuple[Tree, int]:
    """Read the description of a tree (RFC 8878 4.2.1); return the tree and where it ends.

    Raises:
        Corrupt: It is longer than the data, or describes no tree.
    """
    head = data[0] if data else 0
    count = head - 127  # of weights of half a byte, when there are at least 1
    end = 1 + ((count + 1) // 2 if count > 0 else head)
    if not data or end > len(data):
        raise Corrupt("weights: truncated")
    if count <= 0:
        return Tree(_compressed_weights(data[1:end])), end
    halves = [half for byte in data[1:end] for half in (byte >> 4, byte & 15)]
    return Tree(halves[:count]), end


def _compressed_weights(data: bytes) -> list[int]:
    """Return weights that two FSE states have written in turn (RFC 8878 4.2.1.2)."""
    probabilities, at = read_probabilities(data, 0, _WEIGHTS_LOG, _MAX_WEIGHTS + 1)
    table = build_table(probabilities)
    log = len(table).bit_length() - 1
    left = payload_bits(data[at:], "weights") - 2 * log
    if left < 0:
        raise Doubtful("weights: states truncated")
    stream = int.from_bytes(data[at:], "little")
    state = stream >> (left + log) & (len(table) - 1)
    other = stream >> left & (len(table) - 1)
    weights: list[int] = []
    while len(weights) < _MAX_WEIGHTS - 1:
        symbol, bits, base = table[state]
        weights.append(symbol)
        left -= bits
        if left < 0:  # this state has no next one; the other state has the last word
            return [*weights, table[other][0]]
        state, other = other, base + (stream >> left & ((1 << bits) - 1))
    raise Corrupt("weights: too many")
