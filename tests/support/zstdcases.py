"""Frames by hand: good ones with their content, bad ones with what is wrong with them.

A bad frame says what libzstd 1.5.7 makes of it, in one call and as a stream: where it takes the
frame, its name must be in `LENIENT`, with the reason why this decoder does not.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.support.zstdframes import (
    COMPRESSED,
    DESCRIBED,
    MAGIC,
    ONE_SYMBOL,
    PREDEFINED,
    RAW,
    REPEATED,
    RESERVED,
    RLE,
    TREELESS,
    WINDOW_1_KIB,
    backward,
    block,
    direct_weights,
    four_streams,
    frame,
    huffman_stream,
    one_symbol_each,
    packed_literals,
    probabilities,
    raw_literals,
    rle_literals,
    sequences,
    shares,
)

KIB = 1024
BLOCK = 128 * KIB
HELLO = b"hello, hello, hello, "


class Bad(NamedTuple):
    """A frame that is to be refused.

    Attributes:
        size: What is planned for its content.
        why: What the decoder says of it, to developers.
    """

    frame: bytes
    size: int
    why: str


def compressed(literals: bytes, rest: bytes = b"\0", **options: bool) -> bytes:
    """Return a compressed block."""
    return block(literals + rest, **options)


# --- Huffman ---------------------------------------------------------------------------------

WEIGHTS = (4, 3, 2, 0, 1, 1)  # the example of RFC 8878 4.2.1; symbols 0 to 5
SYMBOLS = bytes((0, 1, 4, 5, 2, 0, 0, 1))
TREE = direct_weights(WEIGHTS[:-1])
STREAM = huffman_stream(WEIGHTS, SYMBOLS)
LONG = SYMBOLS * 700  # more than 512 symbols in each of four streams
FOUR = [huffman_stream(WEIGHTS, share) for share in shares(LONG)]
# 12 weights of 11 bits: 1 + 1 + 2 + 4 + ... + 1024
DEEP = (1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
# a weight too much: 12 bits
TOO_DEEP = (1, *DEEP[1:], 12)
DEEP_FOUR = [huffman_stream(DEEP, share) for share in shares(bytes(range(12)) * 40)]


def huffman_frame(data: bytes, count: int, **options: int) -> bytes:
    """Return a frame of one block that has Huffman literals only."""
    return frame(compressed(packed_literals(data, count, **options)), size=count)


def _spoiled(streams: list[bytes], number: int, stream: bytes) -> bytes:
    return four_streams([*streams[:number], stream, *streams[number + 1 :]])


# --- sequences -------------------------------------------------------------------------------

# codes of one symbol: 5 literals, an offset (code 3: 8 + 3 bits - 3), a match of 4 bytes (code 1)
ONE_MATCH = one_symbol_each(5, 3, 1, (0, 3))  # offset 5
THREE_TABLES = b"".join(
    (
        probabilities(5, [0, 0, 0, 0, 0, 31, -1]),  # literal lengths
        probabilities(6, [-1, 1, 0, 60, 0, 0, 0, 2]),
        probabilities(9, [100, 300, *(0,) * 40, -1, 111]),
    )
)


def sequence_frame(literals: bytes, section: bytes, size: int, **options: int) -> bytes:
    """Return a frame of one block with raw literals and a sequences section."""
    return frame(compressed(raw_literals(literals), section), size=size, **options)


GOOD: dict[str, tuple[bytes, bytes]] = {
    "empty": (frame(block(b"", RAW), size=0), b""),
    "empty with a window": (frame(block(b"", RAW)), b""),
    "raw": (frame(block(HELLO, RAW), size=21), HELLO),
    "one byte many times": (frame(block(b"x", RLE, size=1000), size=1000), b"x" * 1000),
    "one byte no times": (frame(block(b"x", RLE, size=0), size=0), b""),
    "empty blocks between": (
        frame(block(b"", RAW, last=False), block(HELLO, RAW, last=False), block(b"", RAW)),
        HELLO,
    ),
    "raw literals": (frame(compressed(raw_literals(HELLO)), size=21), HELLO),
    "no literals and no sequences": (frame(block(b"\0\0")), b""),
    "one literal many times": (frame(compressed(rle_literals(b"y", 99)), size=99), b"y" * 99),
    "no sequences in two bytes": (
        frame(compressed(raw_literals(HELLO), b"\x80\0"), size=21),
        HELLO,
    ),
    "one stream": (huffman_frame(TREE + STREAM, 8), SYMBOLS),
    "four streams": (
        huffman_frame(TREE + four_streams(FOUR), len(LONG), form=3),
        LONG,
    ),
    "four streams, an empty one": (
        huffman_frame(
            TREE + four_streams([huffman_stream(WEIGHTS, b) for b in shares(bytes(6))]),
            6,
            form=1,
        ),
        bytes(6),
    ),
    "11 bits": (
        huffman_frame(direct_weights(DEEP[:-1]) + huffman_stream(DEEP, bytes(range(12))), 12),
        bytes(range(12)),
    ),
    "a tree that stays": (
        frame(
            compressed(packed_literals(TREE + STREAM, 8), last=False),
            compressed(packed_literals(STREAM, 8, kind=TREELESS)),
            size=16,
        ),
        SYMBOLS * 2,
    ),
    "a tree that stays over a raw block": (
        frame(
            compressed(packed_literals(TREE + STREAM, 8), last=False),
            block(HELLO, RAW, last=False),
            compressed(raw_literals(HELLO), last=False),
            compressed(packed_literals(STREAM, 8, kind=TREELESS)),
        ),
        SYMBOLS + HELLO * 2 + SYMBOLS,
    ),
    "a match": (sequence_frame(b"abcde", ONE_MATCH, 9), b"abcdeabcd"),
    "a match that copies itself": (
        sequence_frame(b"abcde", one_symbol_each(5, 2, 43, (0, 2), (100, 7)), 5 + 231),
        b"abcd" + b"e" * 232,
    ),
    "literals behind the matches": (sequence_frame(b"abcde!", ONE_MATCH, 10), b"abcdeabcd!"),
    "many sequences without a bit": (
        # no literals, the first recent offset after 1, 4, 8 have moved: RFC 8878 3.1.1.5
        frame(
            block(b"abcdefgh", RAW, last=False),
            compressed(raw_literals(b""), one_symbol_each(0, 0, 0, count=3)),
        ),
        b"abcdefgh" + b"efg" + b"ggg" + b"ggg"[:0] + b"efg"[:0] + b"gge"[:0] + b"ggg"[:0] + b"",
    ),
    "an offset as long as the content": (
        sequence_frame(b"ab", one_symbol_each(2, 2, 0, (1, 2)), 5),
        b"ababa",
    ),
    "described tables": (
        sequence_frame(
            b"",
            b"",
            0,
        ),
        b"",
    ),
}
