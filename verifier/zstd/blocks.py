"""Blocks: content as it is, one byte many times, or literals and sequences (RFC 8878 3.1.1.2)."""

from __future__ import annotations

from verifier.core.limits import BLOCK
from verifier.zstd.bits import Corrupt, Doubtful
from verifier.zstd.codes import Code, read_codes
from verifier.zstd.huffman import Tree, decode_four, read_tree
from verifier.zstd.sequences import Content, execute

_RAW, _RLE, _COMPRESSED, _OTHER = range(4)  # of a block: reserved; of literals: without a tree
_PLAIN = ((1, 3, 5), (2, 4, 12), (1, 3, 5), (3, 4, 20))  # header bytes; size: lowest bit, bits
_PACKED = ((3, 10), (3, 10), (4, 14), (5, 18))  # header bytes; bits of each of the two sizes
_MIN_FOUR = 6  # literals: with fewer, four streams have no shares


class Blocks:
    """What the blocks of a frame have made so far, and what each leaves to the next.

    Args:
        window: That of the frame.
        size: How long the content may become.

    Attributes:
        limit: That length.  Who takes content away that no offset reaches any more may move it.
    """

    def __init__(self, window: int, size: int) -> None:
        self.content = Content()
        self.limit = size
        self._largest = min(window, BLOCK)  # of a block, as it is stored and as it is decoded
        self._tree: Tree | None = None
        self._codes: list[Code] = []

    def read(self, frame: bytes, at: int) -> int:
        """Decode all blocks from ``at`` to the last one; return where that ends.

        Raises:
            Corrupt: They are not well formed, or make more than they may.
        """
        last = False
        while not last:
            last, kind, size, stored = self.header(frame[at : at + 3])
            at += 3
            end = at + stored
            if end > len(frame):
                raise Corrupt("block: header")
            self.take(kind, size, frame[at:end])
            at = end
        return at

    def header(self, head: bytes) -> tuple[bool, int, int, int]:
        """Return whether a block is the last, its kind, its size, and how many bytes follow.

        Raises:
            Corrupt: It is of no kind, or larger than a block of this frame may be.
        """
        word = int.from_bytes(head, "little")
        kind, size = word >> 1 & 3, word >> 3
        if kind == _OTHER or size > self._largest:
            raise Corrupt("block: header")
        return bool(word & 1), kind, size, 1 if kind == _RLE else size

    def take(self, kind: int, size: int, block: bytes) -> None:
        """Decode one block.

        Raises:
            Corrupt: It is not well formed, or makes more than it may.
        """
        if kind == _COMPRESSED:
            self._decompress(block)
        else:
            self._append(block * size if kind == _RLE else block, self.limit)

    def _append(self, data: bytes, limit: int) -> None:
        if len(self.content.out) + len(data) > limit:
            raise Corrupt("block: content")
        self.content.out += data

    def _decompress(self, block: bytes) -> None:
        limit = self.limit  # RFC 8878 3.1.1.2.4 has less; not every decoder looks (FORMAT 2.4)
        literals, at = self._literals(block)
        count, at = _sequence_count(block, at)
        if count:
            codes, at = read_codes(block, at, self._codes)
            used = execute(block[at:], count, codes, literals, self.content, limit)
            if used > len(literals):
                raise Corrupt("sequences: literals")
            self._codes, literals = codes, literals[used:]
        elif at != len(block):
            raise Doubtful("sequences: bytes behind none")
        self._append(literals, limit)

    def _literals(self, block: bytes) -> tuple[bytes, int]:
        """Return the literals of a block, and where they end (RFC 8878 3.1.1.3.1)."""
        head = int.from_bytes(block[:5], "little")
        kind, form = head & 3, head >> 2 & 3
        if kind in (_RAW, _RLE):
            at, low, bits = _PLAIN[form]
            count = head >> low & ((1 << bits) - 1)
            stored = count if kind == _RAW else 1
        else:
            at, bits = _PACKED[form]
            count = head >> 4 & ((1 << bits) - 1)
            stored = head >> (4 + bits) & ((1 << bits) - 1)
        end = at + stored
        if count > BLOCK or end > len(block):
            raise Corrupt("literals: size")
        data = block[at:end]
        if kind == _RAW:
            return data, end
        if kind == _RLE:
            return data * count, end
        if kind == _COMPRESSED:
            self._tree, at = read_tree(data)
            data = data[at:]
        return _decode_literals(self._tree, data, count, form != 0), end


def _decode_literals(tree: Tree | None, data: bytes, count: int, four: bool) -> bytes:
    if tree is None:
        raise Corrupt("literals: no tree")
    if not four:
        return tree.decode(data, count)
    if count < _MIN_FOUR:
        raise Corrupt("literals: four streams")
    return decode_four(tree, data, count)


def _sequence_count(block: bytes, at: int) -> tuple[int, int]:
    """Return how many sequences there are, and where that number ends (RFC 8878 3.1.1.3.2.1)."""
    first = block[at] if at < len(block) else 0
    end = at + (1 if first < 128 else 2 if first < 255 else 3)
    if end > len(block):
        raise Corrupt("sequences: count")
    if first < 128:
        return first, end
    if first < 255:
        return (first - 128) << 8 | block[at + 1], end
    return int.from_bytes(block[at + 1 : end], "little") + 0x7F00, end
