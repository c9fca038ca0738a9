"""Frames by hand: good ones with their content, bad ones with what is wrong with them."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.zstdframes import (
    DESCRIBED,
    MAGIC,
    ONE_SYMBOL,
    PREDEFINED,
    RAW,
    REPEATED,
    RESERVED,
    RLE,
    TREE,
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
NO_SEQUENCES = b"\0"


class Bad(NamedTuple):
    """A frame that is to be refused.

    Attributes:
        size: What is planned for its content.
        why: What the decoder says of it, to developers.
    """

    frame: bytes
    size: int
    why: str


def compressed(literals: bytes, rest: bytes = NO_SEQUENCES, *, last: bool = True) -> bytes:
    """Return a compressed block."""
    return block(literals + rest, last=last)


# --- Huffman ---------------------------------------------------------------------------------

WEIGHTS = (4, 3, 2, 0, 1, 1)  # the example of RFC 8878 4.2.1
SYMBOLS = bytes((0, 1, 4, 5, 2, 0, 0, 1))
TREE_OF_6 = direct_weights(WEIGHTS[:-1])
STREAM = huffman_stream(WEIGHTS, SYMBOLS)
LONG = SYMBOLS * 700  # more than 512 in each of four streams
FOUR = [huffman_stream(WEIGHTS, share) for share in shares(LONG)]
DEEP = (1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)  # 11 bits
TWELVE = (*DEEP, 12)
TWO = (1, 1)  # of symbols 0 and 1, one bit each
FULL = b"\x55" * 20 + b"\1"  # a stream of 160 of them
ALL_DEEP = bytes(range(12)) * 40
DEEP_FOUR = [huffman_stream(DEEP, share) for share in shares(ALL_DEEP)]


def huffman(tree: bytes, streams: bytes, count: int, form: int = 0, kind: int = TREE) -> bytes:
    """Return a frame of one block that has Huffman literals only."""
    literals = packed_literals(tree + streams, count, kind=kind, form=form)
    return frame(compressed(literals))


def bits(stream: bytes, count: int) -> bytes:
    """Return the first bits of a backward stream, as symbols 0 and 1."""
    digits = f"{int.from_bytes(stream, 'little'):b}"[1:]
    return bytes(map(int, digits[:count]))


def described_weights(log: int, counts: list[int], stream: bytes) -> bytes:
    """Return the description of a tree whose weights are FSE codes."""
    data = probabilities(log, counts) + stream
    return bytes((len(data),)) + data


def replaced(streams: list[bytes], number: int, stream: bytes) -> bytes:
    """Return four streams, one of them another."""
    return four_streams([*streams[:number], stream, *streams[number + 1 :]])


# --- sequences -------------------------------------------------------------------------------

ONE_MATCH = one_symbol_each(5, 3, 1, (0, 3))  # 5 literals, 4 bytes from offset 8 - 3
# the symbol of "less than 1" has the last state, from which every state is read in full
TABLES = (
    probabilities(5, [31, 0, 0, 0, 0, -1]),
    probabilities(6, [0, 0, 63, -1]),
    probabilities(7, [127, -1]),
)
STATES = ((31, 5), (63, 6), (127, 7))
NEXT_STATES = ((31, 5), (127, 7), (63, 6))  # in another order than the first ones
TWO_MATCHES = backward(*STATES, (0, 3), *NEXT_STATES, (1, 3))
ALL_DESCRIBED = (DESCRIBED, DESCRIBED, DESCRIBED)
ALL_REPEATED = (REPEATED, REPEATED, REPEATED)
ALL_PREDEFINED = (PREDEFINED, PREDEFINED, PREDEFINED)
ABC = block(b"abcdefgh", RAW, last=False)


def with_sequences(literals: bytes, section: bytes) -> bytes:
    """Return a frame of one block with raw literals and sequences."""
    return frame(compressed(raw_literals(literals), section))


def with_tables(*tables: bytes, modes: tuple[int, int, int] = ALL_DESCRIBED) -> bytes:
    """Return a frame whose sequences have these tables."""
    return with_sequences(b"abcde", sequences(1, modes, b"".join(tables), b"\xff"))


GOOD: dict[str, tuple[bytes, bytes]] = {
    "empty": (frame(block(b"", RAW), size=0), b""),
    "empty with a window": (frame(block(b"", RAW)), b""),
    "raw": (frame(block(HELLO, RAW), size=21), HELLO),
    "unused bit": (
        MAGIC + bytes((0x30, 21)) + block(HELLO, RAW),
        HELLO,
    ),
    "content size in one byte": (MAGIC + bytes((0x20, 21)) + block(HELLO, RAW), HELLO),
    "content size in two bytes": (
        MAGIC + bytes((0x60, 0, 0)) + block(b"x", RLE, size=256),
        b"x" * 256,
    ),
    "content size in eight bytes": (
        MAGIC + bytes((0xE0,)) + (21).to_bytes(8, "little") + block(HELLO, RAW),
        HELLO,
    ),
    "one byte many times": (frame(block(b"x", RLE, size=1000), size=1000), b"x" * 1000),
    "one byte no times": (frame(block(b"x", RLE, size=0)), b""),
    "empty blocks around": (
        frame(block(b"", RAW, last=False), block(HELLO, RAW, last=False), block(b"", RAW)),
        HELLO,
    ),
    "full blocks": (
        frame(block(b"x", RLE, size=BLOCK, last=False), block(b"y", RLE, size=BLOCK)),
        b"x" * BLOCK + b"y" * BLOCK,
    ),
    "raw literals": (frame(compressed(raw_literals(HELLO))), HELLO),
    "neither literals nor sequences": (frame(block(b"\0\0")), b""),
    "one literal many times": (frame(compressed(rle_literals(b"y", 99)), size=99), b"y" * 99),
    "no sequences, in two bytes": (
        frame(compressed(raw_literals(HELLO), b"\x80\0")),
        HELLO,
    ),
    "one stream": (huffman(TREE_OF_6, STREAM, 8), SYMBOLS),
    "four streams": (huffman(TREE_OF_6, four_streams(FOUR), len(LONG), form=3), LONG),
    "four streams, the last one empty": (
        huffman(
            TREE_OF_6,
            four_streams([huffman_stream(WEIGHTS, share) for share in shares(bytes(6))]),
            6,
            form=1,
        ),
        bytes(6),
    ),
    "codes of 11 bits": (
        huffman(direct_weights(DEEP[:-1]), four_streams(DEEP_FOUR), len(ALL_DEEP), form=2),
        ALL_DEEP,
    ),
    "a tree that stays": (
        frame(
            compressed(packed_literals(TREE_OF_6 + STREAM, 8), last=False),
            ABC,
            compressed(raw_literals(HELLO), last=False),
            compressed(packed_literals(STREAM, 8, kind=TREELESS)),
        ),
        SYMBOLS + b"abcdefgh" + HELLO + SYMBOLS,
    ),
    "a match": (with_sequences(b"abcde", ONE_MATCH), b"abcdeabcd"),
    "a match that copies itself": (
        with_sequences(b"abcde", one_symbol_each(5, 2, 43, (0, 2), (100, 7))),
        b"abcde" + b"e" * 231,
    ),
    "a match of all there is": (
        with_sequences(b"ab", one_symbol_each(2, 2, 0, (1, 2))),
        b"ababa",
    ),
    "literals behind the match": (with_sequences(b"abcde!", ONE_MATCH), b"abcdeabcd!"),
    "sequences without a bit": (
        frame(ABC, compressed(raw_literals(b""), one_symbol_each(0, 0, 0, count=3))),
        b"abcdefgh" + b"efg" + b"ggg" + b"ggg",  # without literals: recent offsets 4, 1, 4
    ),
    "predefined tables": (
        frame(
            ABC,
            compressed(
                raw_literals(b""),
                sequences(1, ALL_PREDEFINED, b"", backward((0, 6), (0, 5), (0, 6))),
            ),
        ),
        b"abcdefgh" + b"efg",  # no literals, recent offset 4, 3 bytes
    ),
    "described tables": (
        with_sequences(b"abcde12345", sequences(2, ALL_DESCRIBED, b"".join(TABLES), TWO_MATCHES)),
        b"abcde" + b"abcd" + b"12345" + b"d123",
    ),
    "tables that stay": (
        frame(
            compressed(
                raw_literals(b"abcde12345"),
                sequences(2, ALL_DESCRIBED, b"".join(TABLES), TWO_MATCHES),
                last=False,
            ),
            compressed(raw_literals(HELLO), last=False),
            compressed(
                raw_literals(b"vwxyz"), sequences(1, ALL_REPEATED, b"", backward(*STATES, (0, 3)))
            ),
        ),
        b"abcdeabcd12345d123" + HELLO + b"vwxyz" + b"vwxy",
    ),
    "a symbol that stays": (
        frame(
            compressed(raw_literals(b"abcde"), ONE_MATCH, last=False),
            compressed(raw_literals(b"vwxyz"), sequences(1, ALL_REPEATED, b"", backward((0, 3)))),
        ),
        b"abcdeabcdvwxyzvwxy",
    ),
    "the recent offset less one": (
        # no literals, symbol 1 with bit 1: offset value 3
        frame(
            compressed(raw_literals(b"abcde"), ONE_MATCH, last=False),
            compressed(raw_literals(b""), one_symbol_each(0, 1, 0, (1, 1))),
        ),
        b"abcdeabcd" + b"abc",
    ),
}


class Lax(NamedTuple):
    """A frame that RFC 8878 does not allow, and whose content is clear all the same.

    Attributes:
        why: The rule that it breaks, and who takes it nevertheless.
    """

    frame: bytes
    content: bytes
    why: str


LAX: dict[str, Lax] = {
    "second stream too long": Lax(
        huffman(
            TREE_OF_6, replaced(FOUR, 1, huffman_stream(WEIGHTS, LONG[:1401])), len(LONG), form=3
        ),
        LONG,
        "RFC 8878 4.2.2; the fast loop of libzstd does not look",
    ),
    "second of four short streams too long": Lax(
        huffman(
            TREE_OF_6,
            replaced([huffman_stream(WEIGHTS, bytes(2))] * 4, 1, huffman_stream(WEIGHTS, bytes(3))),
            8,
            form=1,
        ),
        bytes(8),
        "RFC 8878 4.2.2; here libzstd has no fast loop",
    ),
    "second stream goes on in the first": Lax(
        huffman(
            direct_weights(TWO[:-1]),
            four_streams([b"\x55" * 19 + b"\2", b"\x33" * 18 + b"\1", *[b"\x0f" * 19 + b"\2"] * 2]),
            4 * 153 - 3,
            form=2,
        ),
        b"".join(
            bits(number, 153)
            for number in (b"\x55" * 19 + b"\2", b"\x55" * 19 + b"\2" + b"\x33" * 18 + b"\1")
        )
        + bits(b"\x0f" * 19 + b"\2", 153)
        + bits(b"\x0f" * 19 + b"\2", 150),
        "RFC 8878 4.2.2; the fast loop of libzstd does not look",
    ),
    "third stream without an end mark": Lax(
        huffman(
            direct_weights(TWO[:-1]),
            four_streams([FULL, FULL, b"\x0f" * 19 + b"\0", FULL]),
            640,
            form=2,
        ),
        bits(FULL, 160) * 2 + bits(b"\x0f" * 19 + b"\0" + b"\1", 160) + bits(FULL, 160),
        "RFC 8878 4.1; the fast loop of libzstd does not look",
    ),
    "codes of 12 bits": Lax(
        huffman(direct_weights(TWELVE[:-1]), huffman_stream(TWELVE, bytes(range(13))), 13),
        bytes(range(13)),
        "RFC 8878 4.2.1 has 11; libzstd has room for 12",
    ),
    "reserved bits of the modes": Lax(
        with_sequences(b"abcde", bytes((1, 0b01010101, 5, 3, 1)) + backward((0, 3))),
        b"abcdeabcd",
        "RFC 8878 3.1.1.3.2.1; libzstd 1.5.4 and older do not look",
    ),
    "a bit of the stream too much": Lax(
        with_sequences(b"abcde", one_symbol_each(5, 3, 1, (0, 4))),
        b"abcdeabcd",
        "RFC 8878 3.1.1.3.2.2; libzstd 1.5.4 and older take what next states might be",
    ),
    "more literals than the window": Lax(
        frame(compressed(rle_literals(b"x", 1025)), window=WINDOW_1_KIB),
        b"x" * 1025,
        "RFC 8878 3.1.1.2.4; libzstd looks in streams only",
    ),
    "offset beyond the window": Lax(
        frame(
            block(b"x", RLE, size=KIB, last=False),
            block(b"y", RLE, size=9, last=False),
            compressed(raw_literals(b""), one_symbol_each(0, 10, 0, (4, 10))),
            window=WINDOW_1_KIB,
        ),
        b"x" * KIB + b"y" * 9 + b"x" * 3,
        "RFC 8878 3.1.1.1.2; libzstd has the bytes still, and copies them",
    ),
    "match beyond the block": Lax(
        frame(
            compressed(raw_literals(b"abcde"), one_symbol_each(5, 2, 46, (0, 2), (0, 10))),
            window=WINDOW_1_KIB,
        ),
        b"abcde" + b"e" * 1027,
        "RFC 8878 3.1.1.2.4; libzstd looks in streams only",
    ),
}
"""What decoders in use differ about, and FORMAT 2.4 does not refuse."""


BAD: dict[str, Bad] = {
    # the header of the frame
    "no bytes": Bad(b"", 0, "frame: header"),
    "only the magic number": Bad(MAGIC, 0, "frame: header"),
    "magicless": Bad(frame(block(b"", RAW), size=0)[4:], 0, "frame: header"),
    "legacy": Bad(b"\x27" + frame(block(b"", RAW), size=0)[1:], 0, "frame: header"),
    "skippable": Bad(b"\x50\x2a\x4d\x18\0\0\0\0", 0, "frame: header"),
    "reserved bit": Bad(MAGIC + bytes((0x28, 21)) + block(HELLO, RAW), 21, "frame: header"),
    "dictionary": Bad(MAGIC + bytes((0x21, 7, 21)) + block(HELLO, RAW), 21, "frame: header"),
    "dictionary of number 0": Bad(
        MAGIC + bytes((0x21, 0, 21)) + block(HELLO, RAW), 21, "frame: header"
    ),
    "window above 4 MiB": Bad(frame(block(HELLO, RAW), window=0x61), 21, "frame: header"),
    "another content size": Bad(frame(block(HELLO, RAW), size=22), 21, "frame: header"),
    "header cut": Bad(frame(block(b"", RAW), size=0)[:7], 0, "block: header"),
    # blocks
    "no block": Bad(frame(), 0, "block: header"),
    "no last block": Bad(frame(block(HELLO, RAW, last=False), size=21), 21, "block: header"),
    "block header cut": Bad(frame(b"\x01\x00"), 0, "block: header"),
    "block cut": Bad(frame(block(HELLO[:-1], RAW, size=21), size=21), 21, "block: header"),
    "one byte cut": Bad(frame(block(b"", RLE, size=5), size=5), 5, "block: header"),
    "reserved type": Bad(frame(block(HELLO, RESERVED), size=21), 21, "block: header"),
    "compressed block of no bytes": Bad(frame(block(b"")), 0, "literals: size"),
    "raw block above 128 KiB": Bad(
        frame(block(bytes(BLOCK + 1), RAW), size=BLOCK + 1), BLOCK + 1, "block: header"
    ),
    "raw block above the window": Bad(
        frame(block(bytes(1025), RAW), window=WINDOW_1_KIB), 1025, "block: header"
    ),
    "one byte too many times": Bad(
        frame(block(b"x", RLE, size=1025), window=WINDOW_1_KIB), 1025, "block: header"
    ),
    "compressed block above the window": Bad(
        frame(compressed(raw_literals(bytes(1024))), window=WINDOW_1_KIB), 1024, "block: header"
    ),
    "more than planned": Bad(frame(block(HELLO, RAW)), 20, "block: content"),
    "more blocks than planned": Bad(
        frame(block(HELLO, RAW, last=False), block(b"!", RAW)), 21, "block: content"
    ),
    "less than planned": Bad(frame(block(HELLO, RAW)), 22, "frame: end"),
    # the end of the frame
    "a byte follows": Bad(frame(block(HELLO, RAW), size=21) + b"\0", 21, "frame: end"),
    "a frame follows": Bad(
        frame(block(HELLO, RAW), size=21) + frame(block(b"", RAW)), 21, "frame: end"
    ),
    "no checksum": Bad(
        bytes((*frame(size=21)[:4], 0xA4)) + frame(block(HELLO, RAW), size=21)[5:], 21, "frame: end"
    ),
    "checksum cut": Bad(frame(block(HELLO, RAW), size=21, end=b"\1\2\3"), 21, "frame: end"),
    "wrong checksum": Bad(frame(block(HELLO, RAW), size=21, end=b"1234"), 21, "frame: checksum"),
    # literals
    "a bit too much": Bad(
        huffman(TREE_OF_6, backward(*[(1, 1)] * 8, (0, 1)), 8), 8, "literals: stream end"
    ),
    "a symbol too much": Bad(
        huffman(TREE_OF_6, huffman_stream(WEIGHTS, SYMBOLS + b"\0"), 8), 8, "literals: stream end"
    ),
    "more literals than a block may have": Bad(
        frame(compressed(rle_literals(b"x", BLOCK + 1))), BLOCK + 1, "literals: size"
    ),
    "more packed literals than a block may have": Bad(
        frame(compressed(packed_literals(TREE_OF_6 + STREAM, BLOCK + 1, form=3))),
        BLOCK + 1,
        "literals: size",
    ),
    "literals cut": Bad(frame(block(raw_literals(HELLO)[:-1]), size=30), 30, "literals: size"),
    "header of literals cut": Bad(frame(block(b"\x0e\x01"), size=30), 30, "literals: size"),
    "no literal to repeat": Bad(frame(block(rle_literals(b"", 9)), size=30), 30, "literals: size"),
    "tree of no block before": Bad(huffman(b"", STREAM, 8, kind=TREELESS), 8, "literals: no tree"),
    "stream of no bytes": Bad(huffman(TREE_OF_6, b"", 8), 8, "literals: no end mark"),
    "stream without an end mark": Bad(
        huffman(TREE_OF_6, STREAM + b"\0", 8), 8, "literals: no end mark"
    ),
    "a bit missing": Bad(
        huffman(TREE_OF_6, backward(*[(1, 1)] * 7, (0, 3)), 8), 8, "literals: stream end"
    ),
    "a symbol missing": Bad(
        huffman(TREE_OF_6, huffman_stream(WEIGHTS, SYMBOLS[:-1]), 8), 8, "literals: stream end"
    ),
    "four streams of 5 symbols": Bad(
        huffman(TREE_OF_6, four_streams([STREAM] * 4), 5, form=1), 5, "literals: four streams"
    ),
    "jump table cut": Bad(
        huffman(TREE_OF_6, b"\1\0\1\0\1", 8, form=1), 8, "literals: four streams"
    ),
    "jump behind the end": Bad(
        huffman(TREE_OF_6, b"\1\0\1\0\xff\0\1\1\1\1", 8, form=1), 8, "literals: four streams"
    ),
    "last stream of no bytes": Bad(
        huffman(TREE_OF_6, replaced(FOUR, 3, b""), len(LONG), form=3),
        len(LONG),
        "literals: no end mark",
    ),
    "first of four streams runs out": Bad(
        huffman(
            TREE_OF_6, replaced(FOUR, 0, huffman_stream(WEIGHTS, LONG[:1399])), len(LONG), form=3
        ),
        len(LONG),
        "literals: stream runs out",
    ),
    # trees
    "tree cut": Bad(huffman(b"\x85\x43", b"", 8), 8, "weights: truncated"),
    "described tree cut": Bad(huffman(b"\x10\x00", b"", 8), 8, "weights: truncated"),
    "no tree": Bad(huffman(b"", b"", 8), 8, "weights: truncated"),
    "tree of no weights": Bad(huffman(b"\x00", STREAM, 8), 8, "probabilities: truncated"),
    "weights of 0": Bad(huffman(direct_weights((0, 0)), STREAM, 8), 8, "weights: no tree"),
    "weights that leave no power of 2": Bad(
        huffman(direct_weights((4, 1, 1)), STREAM, 8), 8, "weights: no tree"
    ),
    "no codes of the longest length": Bad(
        huffman(direct_weights((2, 2, 3)), STREAM, 8), 8, "weights: no tree"
    ),
    "codes of 13 bits": Bad(
        huffman(direct_weights((*TWELVE, 13)), STREAM, 8), 8, "weights: no tree"
    ),
    "weights without end": Bad(
        huffman(described_weights(5, [0, 32], backward((0, 5), (0, 5))), STREAM, 8),
        8,
        "weights: too many",
    ),
    "weights of accuracy 7": Bad(
        huffman(described_weights(7, [64, 64], b"\xff\xff"), STREAM, 8),
        8,
        "probabilities: accuracy",
    ),
    "first states of weights cut": Bad(
        huffman(described_weights(5, [16, 16], b"\x80\x01"), STREAM, 8),
        8,
        "weights: states truncated",
    ),
    "no stream of weights": Bad(
        huffman(described_weights(5, [16, 16], b""), STREAM, 8), 8, "weights: no end mark"
    ),
    # sequences: the section
    "no number of sequences": Bad(
        frame(block(raw_literals(HELLO)), size=30), 30, "sequences: count"
    ),
    "number of sequences cut": Bad(
        frame(compressed(raw_literals(HELLO), b"\x81"), size=30), 30, "sequences: count"
    ),
    "long number of sequences cut": Bad(
        frame(compressed(raw_literals(HELLO), b"\xff\0"), size=30), 30, "sequences: count"
    ),
    "bytes behind no sequences": Bad(
        frame(compressed(raw_literals(HELLO), b"\0\0")), 21, "sequences: bytes behind none"
    ),
    "no modes": Bad(frame(compressed(raw_literals(HELLO), b"\1"), size=30), 30, "codes: modes"),
    "symbol of a length too large": Bad(
        with_sequences(b"abcde", one_symbol_each(36, 3, 1)), 9, "codes: symbol"
    ),
    "symbol of an offset too large": Bad(
        with_sequences(b"abcde", one_symbol_each(5, 32, 1)), 9, "codes: symbol"
    ),
    "symbol of a match too large": Bad(
        with_sequences(b"abcde", one_symbol_each(5, 3, 53)), 9, "codes: symbol"
    ),
    "symbol cut": Bad(
        with_sequences(b"abcde", sequences(1, (ONE_SYMBOL,) * 3, b"\5\3", b"")),
        9,
        "codes: symbol",
    ),
    **{
        f"nothing to repeat, code {number}": Bad(
            with_tables(modes=modes), 9, "codes: none to repeat"
        )
        for number, modes in enumerate(((3, 0, 0), (0, 3, 0), (0, 0, 3)))
    },
    "nothing to repeat behind no sequences": Bad(
        frame(
            compressed(raw_literals(HELLO), last=False),
            compressed(raw_literals(b"abcde"), sequences(1, ALL_REPEATED, b"", b"\xff")),
        ),
        30,
        "codes: none to repeat",
    ),
    "table cut": Bad(
        with_sequences(b"abcde", sequences(1, ALL_DESCRIBED, b"".join(TABLES)[:-1], b"")),
        9,
        "probabilities: too many",  # what is not there reads as zeros, "less than 1"
    ),
    "lengths of accuracy 10": Bad(
        with_tables(probabilities(10, [512, 512])), 9, "probabilities: accuracy"
    ),
    "offsets of accuracy 9": Bad(
        with_tables(TABLES[0], probabilities(9, [256, 256])), 9, "probabilities: accuracy"
    ),
    "matches of accuracy 10": Bad(
        with_tables(*TABLES[:2], probabilities(10, [512, 512])), 9, "probabilities: accuracy"
    ),
    "too many lengths": Bad(
        with_tables(probabilities(6, [*(1,) * 36, 28])), 9, "probabilities: too many"
    ),
    "too many offsets": Bad(
        with_tables(TABLES[0], probabilities(6, [*(1,) * 32, 32])), 9, "probabilities: too many"
    ),
    "too many zeros": Bad(
        with_tables(TABLES[0], probabilities(6, [32, *(0,) * 40, 32])), 9, "probabilities: too many"
    ),
    # sequences: the stream
    "no stream": Bad(
        with_sequences(b"abcde", sequences(1, ALL_PREDEFINED, b"", b"")),
        9,
        "sequences: no end mark",
    ),
    "no end mark": Bad(
        with_sequences(b"abcde", sequences(1, ALL_PREDEFINED, b"", b"\xff\xff\0")),
        9,
        "sequences: no end mark",
    ),
    "first states cut": Bad(
        with_sequences(b"abcde", sequences(1, ALL_PREDEFINED, b"", b"\xff\xff")),
        9,
        "sequences: states truncated",
    ),
    "a bit of the stream missing": Bad(
        with_sequences(b"abcde", one_symbol_each(5, 3, 1, (0, 2))),
        9,
        "sequences: stream runs out",
    ),
    "all bits of a long sequence missing": Bad(
        with_sequences(b"abcde", one_symbol_each(35, 31, 52)), 9, "sequences: stream runs out"
    ),
    "match too far behind the end of the stream": Bad(
        with_sequences(b"abc", one_symbol_each(3, 3, 1, (0, 2))), 7, "sequences: match too far"
    ),
    "offset of 0": Bad(
        frame(ABC, compressed(raw_literals(b""), one_symbol_each(0, 1, 0, (1, 1)))),
        11,
        "sequences: offset of zero",
    ),
    "offset beyond the content": Bad(
        with_sequences(b"abcde", one_symbol_each(5, 3, 1, (1, 3))), 9, "sequences: match too far"
    ),
    "recent offset beyond the content": Bad(
        with_sequences(b"abc", one_symbol_each(3, 1, 0, (0, 1))), 6, "sequences: match too far"
    ),
    "match beyond the content": Bad(
        frame(compressed(raw_literals(b"abcde"), ONE_MATCH)), 8, "sequences: match too far"
    ),
    "literals that are not there": Bad(
        with_sequences(b"abcd", one_symbol_each(5, 2, 1, (0, 2))), 9, "sequences: literals"
    ),
    "literals beyond the content": Bad(
        frame(compressed(raw_literals(b"abcde!"), ONE_MATCH)), 9, "block: content"
    ),
}
"""Each is refused here; where libzstd takes one, `LENIENT` says why."""

LENIENT = {
    "skippable": "FORMAT 2.2; for libzstd a skippable frame is one without content",
    "dictionary of number 0": "FORMAT 2.2 wants no such field; libzstd takes 0 for none",
    "window above 4 MiB": "FORMAT 2.2; libzstd has its own limit",
    "a byte follows": "FORMAT 2.2 wants exactly one frame; the caller of libzstd has to look",
    "a frame follows": "FORMAT 2.2 wants exactly one frame; the caller of libzstd has to look",
    "first of four streams runs out": "RFC 8878 4.2.2; the fast loop of libzstd does not look",
    "compressed block of no bytes": "RFC 8878 3.1.1.3; libzstd does not look at one in a stream",
    "raw block above 128 KiB": "RFC 8878 3.1.1.2.4; libzstd looks in streams only",
}

DOUBTFUL = frozenset(
    {
        "first of four streams runs out",
        "first states of weights cut",
        "a bit of the stream missing",
        "all bits of a long sequence missing",
        "match too far behind the end of the stream",
        "offset of 0",
        "first states cut",
        "bytes behind no sequences",
    }
)
"""Of `BAD`, what some decoder in use makes something of; what, differs (FORMAT 2.4)."""
