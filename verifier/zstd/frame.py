"""One frame from its magic number to its checksum (RFC 8878 3.1.1)."""

from __future__ import annotations

from verifier.core.limits import BLOCK
from verifier.zstd.bits import Corrupt
from verifier.zstd.codes import Code, read_codes
from verifier.zstd.huffman import Tree, decode_four, read_tree
from verifier.zstd.sequences import Content, execute
from verifier.zstd.xxh64 import xxh64

_MAGIC = b"\x28\xb5\x2f\xfd"
_RAW, _RLE, _COMPRESSED, _RESERVED = range(4)


def decode(frame: bytes, size: int) -> bytearray:
    """Return the content of exactly one frame, which must be ``size`` bytes.

    Raises:
        Corrupt: The bytes are anything else.
    """
    if frame[:4] != _MAGIC or len(frame) < 6:
        raise Corrupt("frame: magic")
    flags, at = frame[4], 5
    if flags & 0x0B:
        raise Corrupt("frame: reserved bit or dictionary")
    single = flags >> 5 & 1
    window = size
    if not single:
        if frame[5] >> 3 > 21:
            raise Corrupt("frame: window")
        window = (8 + (frame[5] & 7)) << (7 + (frame[5] >> 3))
        at = 6
    width = (single, 2, 4, 8)[flags >> 6]
    if width:
        content = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0)
        if content != size:
            raise Corrupt("frame: content size")
    at += width
    blocks = _Blocks(frame, at, window, size)
    while blocks.next():
        pass
    end = blocks.at
    out = blocks.content.out
    if len(out) != size:
        raise Corrupt("frame: content size")
    if flags & 4:
        if xxh64(out) & 0xFFFFFFFF != int.from_bytes(frame[end:end+4], "little"):
            raise Corrupt("frame: checksum")
        end += 4
    if end != len(frame):
        raise Corrupt("frame: end")
    return out


class _Blocks:
    def __init__(self, frame: bytes, at: int, window: int, size: int) -> None:
        self.frame = frame
        self.at = at
        self.size = size
        self.max = min(window, BLOCK)
        self.content = Content(window)
        self.tree: Tree | None = None
        self.codes: list[Code] = []

    def next(self) -> bool:
        head = int.from_bytes(self.frame[self.at : self.at + 3], "little")
        kind, length = head >> 1 & 3, head >> 3
        begin = self.at + 3
        end = begin + (1 if kind == _RLE else length)
        if kind == _RESERVED or length > self.max or end > len(self.frame):
            raise Corrupt("block: header")
        out = self.content.out
        data = self.frame[begin:end]
        if kind != _COMPRESSED:
            if len(out) + length > self.size:
                raise Corrupt("block: size")
            out += data * length if kind == _RLE else data
        else:
            self.compressed(data)
        self.at = end
        return not head & 1

    def compressed(self, data: bytes) -> None:
        out = self.content.out
        limit = min(len(out) + self.max, self.size)
        literals, at = self.literals(data)
        count = data[at] if at < len(data) else -1
        at += 1
        if count == 255:
            count = int.from_bytes(data[at:at+2], "little") + 0x7F00
            at += 2
        elif count > 127:
            count = (count - 128 << 8) + int.from_bytes(data[at:at+1], "little")
            at += 1
        if count < 0 or at > len(data):
            raise Corrupt("sequences: truncated")
        if count:
            codes, at = read_codes(data, at, self.codes)
            used = execute(data[at:], count, codes, literals, self.content, limit)
            if used > len(literals):
                raise Corrupt("sequences: literals")
            literals = literals[used:]
            self.codes = codes
        elif at != len(data):
            raise Corrupt("sequences: extra")
        if len(out) + len(literals) > limit:
            raise Corrupt("block: size")
        out += literals

    def literals(self, data: bytes) -> tuple[bytes, int]:
        head = int.from_bytes(data[:5], "little")
        kind, form = head & 3, head >> 2 & 3
        if kind < 2:
            at, count = ((1, head >> 3 & 31), (2, head >> 4 & 0xFFF), (1, head >> 3 & 31), (3, head >> 4 & 0xFFFFF))[form]
            end = at + (1 if kind else count)
            if count > self.max or end > len(data):
                raise Corrupt("literals: size")
            return (data[at:end] * count if kind else data[at:end]), end
        at = (3, 3, 4, 5)[form]
        bits = (10, 10, 14, 18)[form]
        count, stored = head >> 4 & (1 << bits) - 1, head >> 4 + bits & (1 << bits) - 1
        end = at + stored
        if count > self.max or end > len(data):
            raise Corrupt("literals: size")
        stream = data[at:end]
        if kind == 2:
            self.tree, used = read_tree(stream)
            stream = stream[used:]
        if self.tree is None:
            raise Corrupt("literals: no tree")
        if form:
            return decode_four(self.tree, stream, count), end
        return self.tree.decode(stream, count), end
