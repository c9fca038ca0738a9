"""Frames by hand in which each kind of block and of literals is as small and as large as it may be.

All are within RFC 8878, and most are what no encoder writes: the places where decoders have erred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.support.zstdframes import (
    ONE_SYMBOL,
    RAW,
    RLE,
    TREELESS,
    WINDOW_1_KIB,
    backward,
    block,
    direct_weights,
    four_streams,
    frame,
    huffman_stream,
    packed_literals,
    raw_literals,
    rle_literals,
    sequences,
    shares,
    short_literals,
)

BLOCK = 128 * 1024
TWO = (1, 1)  # weights: symbols 0 and 1, one bit each
TREE_OF_TWO = direct_weights(TWO[:-1])
NO_SEQUENCES = (b"\0", b"\x80\0")  # in one byte and, as nobody writes it, in two
FILLER = b"0123456789abcdef" * (BLOCK // 16 + 1)


def _bits(count: int) -> bytes:
    """Return ``count`` symbols of 0 and 1 that are not all the same."""
    return (b"\0\1\1\0\1" * (count // 5 + 1))[:count]


def _packed(count: int, form: int) -> bytes:
    """Return Huffman literals with their tree."""
    symbols = _bits(count)
    streams = (
        four_streams([huffman_stream(TWO, share) for share in shares(symbols)])
        if form
        else huffman_stream(TWO, symbols)
    )
    return packed_literals(TREE_OF_TWO + streams, count, form=form)


def _blocks() -> Iterator[tuple[str, bytes, bytes]]:
    raw, one = FILLER[:BLOCK], b"x" * BLOCK
    yield "raw block of 128 KiB", frame(block(raw, RAW), size=BLOCK), raw
    yield "one byte 131,072 times", frame(block(b"x", RLE, size=BLOCK), size=BLOCK), one
    largest = raw_literals(FILLER[: BLOCK - 4]) + b"\0"
    assert len(largest) == BLOCK
    yield "compressed block of 128 KiB", frame(block(largest)), FILLER[: BLOCK - 4]
    kib = FILLER[:1024]
    yield "raw block of the window", frame(block(kib, RAW), window=WINDOW_1_KIB), kib
    rle = block(b"x", RLE, size=1024)
    yield "one byte as often as the window", frame(rle, window=WINDOW_1_KIB), b"x" * 1024
    whole = block(raw_literals(kib[:1020]) + b"\0")
    yield "compressed block of the window", frame(whole, window=WINDOW_1_KIB), kib[:1020]
    first = block(b"x", RLE, size=BLOCK, last=False) + block(raw_literals(b"end") + b"\0")
    yield "one byte first, then a compressed block", frame(first), one + b"end"
    yield "empty raw block alone", frame(block(b"", RAW), window=WINDOW_1_KIB), b""


def _raw_and_rle() -> Iterator[tuple[str, bytes, bytes]]:
    for width, low, high in ((1, 0, 31), (2, 0, 4095), (3, 0, BLOCK - 4)):
        for count in (low, high):
            data = FILLER[:count]
            for end in NO_SEQUENCES:
                if width + count + len(end) > BLOCK:
                    continue
                name = f"{count} raw literals, size in {width}, sequences in {len(end)}"
                yield name, frame(block(short_literals(data, width) + end)), data
    for width, counts in ((1, (0, 31)), (2, (0, 4095)), (3, (0, BLOCK))):
        for count in counts:
            literals = rle_literals(b"y", count, width)
            yield (
                f"{count} times one literal, size in {width}",
                frame(block(literals + b"\0")),
                (b"y" * count),
            )


def _huffman() -> Iterator[tuple[str, bytes, bytes]]:
    for form, counts in ((0, (1, 1023)), (1, (6, 1023)), (2, (6, 16383)), (3, (6, BLOCK))):
        for count in counts:
            data = frame(block(_packed(count, form) + b"\0"))
            yield f"{count} Huffman literals of form {form}", data, _bits(count)
            again = huffman_stream(TWO, _bits(1))
            more = block(packed_literals(again, 1, kind=TREELESS) + b"\0")
            twice = frame(block(_packed(count, form) + b"\0", last=False), more)
            yield f"the tree of {count} literals of form {form} again", twice, _bits(count) + b"\0"
    symbols = bytes(range(129))  # 128 weights of half a byte, and the one that follows from them
    weights = [1] * 128 + [8]
    tree = direct_weights(weights[:-1])
    data = frame(block(packed_literals(tree + huffman_stream(weights, symbols), 129) + b"\0"))
    yield "a tree of as many direct weights as there may be", data, symbols


def _sequences() -> Iterator[tuple[str, bytes, bytes]]:
    # no literals but the first ones; each takes 3 bytes from the second recent offset (4, 1, 4...)
    start = block(b"abcdefgh", RAW, last=False)
    for count in (1, 127, 128, 0x7EFF, 0x7F00, BLOCK // 3):
        section = sequences(count, (ONE_SYMBOL,) * 3, bytes((0, 0, 0)), backward())
        content, recent = bytearray(b"abcdefgh"), [1, 4, 8]
        for _ in range(count):
            recent[:2] = recent[1], recent[0]
            content += (content[-recent[0] :] * 3)[:3]
        yield f"{count} sequences", frame(start, block(raw_literals(b"") + section)), bytes(content)


_ALL: tuple[Callable[[], Iterator[tuple[str, bytes, bytes]]], ...] = (
    _blocks,
    _raw_and_rle,
    _huffman,
    _sequences,
)
LIMITS: dict[str, tuple[bytes, bytes]] = {
    name: (data, content) for make in _ALL for name, data, content in make()
}
