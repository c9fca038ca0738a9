"""Zstandard frames by hand, each field of RFC 8878 as a test wants it, and what a frame is made of.

Nothing here is taken from the decoder that the tests are about: numbers are the standard's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MAGIC = bytes.fromhex("28b52ffd")
RAW, RLE, COMPRESSED, RESERVED = range(4)  # blocks
RAW_LITERALS, RLE_LITERALS, TREE, TREELESS = range(4)
PREDEFINED, ONE_SYMBOL, DESCRIBED, REPEATED = range(4)  # modes of the three codes
WINDOW_1_KIB, WINDOW_128_KIB = 0x00, 0x38

Weights = Sequence[int]


# --- bits ------------------------------------------------------------------------------------


def backward(*fields: tuple[int, int]) -> bytes:
    """Return a backward stream of (value, bits), given in the order in which they are read."""
    return _marked("".join(_binary(value, bits) for value, bits in fields))


def _binary(value: int, bits: int) -> str:
    assert 0 <= value < 1 << bits
    return f"{value:0{bits}b}" if bits else ""


def _marked(digits: str) -> bytes:
    """Return a backward stream of binary digits, behind its end mark."""
    return int("1" + digits, 2).to_bytes(len(digits) // 8 + 1, "little")


def forward(fields: Sequence[tuple[int, int]]) -> bytes:
    """Return a forward stream of (value, bits), filled up with zeros."""
    number = size = 0
    for value, bits in fields:
        number, size = number | value << size, size + bits
    return number.to_bytes((size + 7) // 8, "little")


# --- frames and blocks -----------------------------------------------------------------------


def frame(
    *blocks: bytes, size: int | None = None, window: int = WINDOW_128_KIB, end: bytes = b""
) -> bytes:
    """Return a frame of one segment with ``size`` bytes, or of a window and no size."""
    if size is None:
        return MAGIC + bytes((0x04 if end else 0, window)) + b"".join(blocks) + end
    head = bytes((0xA4 if end else 0xA0,)) + size.to_bytes(4, "little")
    return MAGIC + head + b"".join(blocks) + end


def within(before: bytes, data: bytes, after: int, content: bytes, checksum: bytes) -> bytes:
    """Return a frame with more around the blocks of another one, as FORMAT 2.2 wants it.

    Args:
        before: What its content is to begin with.
        data: The other frame, made by `frame`.
        after: How many zeros are to follow.
        content: All of the content.
        checksum: Four bytes.
    """
    window, at = (b"\x38", 9) if data[4] & 0x20 else (data[5:6], 6)
    blocks = bytearray(data[at:])
    place, last = 0, 0
    while not last:
        head = int.from_bytes(blocks[place : place + 3], "little")
        last, size = head & 1, 1 if head >> 1 & 3 == RLE else head >> 3
        blocks[place] &= 0xFE
        place += 3 + size
    front = MAGIC + b"\xc4" + window + len(content).to_bytes(8, "little")
    around = block(before, RAW, last=False), block(b"\0", RLE, size=after)
    return front + around[0] + blocks + around[1] + checksum


def block(
    content: bytes, kind: int = COMPRESSED, *, last: bool = True, size: int | None = None
) -> bytes:
    """Return a block; ``size`` is what its header says."""
    size = len(content) if size is None else size
    return (int(last) | kind << 1 | size << 3).to_bytes(3, "little") + content


# --- literals --------------------------------------------------------------------------------


def raw_literals(data: bytes) -> bytes:
    """Return literals as they are."""
    return short_literals(data, 3)


def short_literals(data: bytes, width: int) -> bytes:
    """Return literals as they are, their number in a header of ``width`` bytes."""
    return _plain_header(RAW_LITERALS, len(data), width) + data


def rle_literals(byte: bytes, count: int, width: int = 3) -> bytes:
    """Return a literal many times."""
    return _plain_header(RLE_LITERALS, count, width) + byte


def _plain_header(kind: int, count: int, width: int) -> bytes:
    form, low = ((0, 3), (1, 4), (3, 4))[width - 1]
    return (kind | form << 2 | count << low).to_bytes(width, "little")


def packed_literals(
    data: bytes, count: int, *, kind: int = TREE, form: int = 0, size: int | None = None
) -> bytes:
    """Return Huffman literals: ``form`` 0 is one stream, the others are four."""
    width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
    size = len(data) if size is None else size
    return (kind | form << 2 | count << 4 | size << (4 + bits)).to_bytes(width, "little") + data


def direct_weights(weights: Weights) -> bytes:
    """Return the description of a tree as half bytes; the last weight is not among them."""
    padded = [*weights, 0]
    pairs = zip(padded[0::2], padded[1::2], strict=False)
    return bytes((127 + len(weights), *(first << 4 | second for first, second in pairs)))


def prefix_codes(weights: Weights) -> dict[int, tuple[int, int]]:
    """Return (code, bits) of each symbol; all weights are given, the last one too (4.2.1.3)."""
    depth = sum(1 << weight >> 1 for weight in weights).bit_length() - 1
    codes, at = {}, 0
    for weight, symbol in sorted((weight, symbol) for symbol, weight in enumerate(weights)):
        if weight:
            codes[symbol] = at >> (weight - 1), depth + 1 - weight
            at += 1 << (weight - 1)
    return codes


def huffman_stream(weights: Weights, symbols: bytes) -> bytes:
    """Return one stream of symbols."""
    codes = {symbol: _binary(*code) for symbol, code in prefix_codes(weights).items()}
    return _marked("".join(map(codes.__getitem__, symbols)))


def four_streams(streams: Sequence[bytes]) -> bytes:
    """Return four streams behind their jump table."""
    jumps = b"".join(len(stream).to_bytes(2, "little") for stream in streams[:3])
    return jumps + b"".join(streams)


def shares(symbols: bytes) -> list[bytes]:
    """Return what each of four streams holds."""
    share = (len(symbols) + 3) // 4
    return [symbols[at : at + share] for at in (0, share, 2 * share, 3 * share)]


# --- sequences -------------------------------------------------------------------------------


def probabilities(log: int, counts: Sequence[int]) -> bytes:
    """Return the description of a table (RFC 8878 4.1.1)."""
    return forward(list(_probability_fields(log, counts)))


def _probability_fields(log: int, counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    yield log - 5, 4
    left, at = (1 << log) + 1, 0
    while at < len(counts):
        width = left.bit_length()
        spare, number = (1 << width) - 1 - left, counts[at] + 1
        if number < spare:
            yield number, width - 1
        else:
            yield number + (spare if number >= 1 << (width - 1) else 0), width
        left -= abs(counts[at])
        at += 1
        if number == 1:
            zeros = 0
            while at < len(counts) and counts[at] == 0:
                zeros, at = zeros + 1, at + 1
            yield from [(3, 2)] * (zeros // 3)
            yield zeros % 3, 2


def sequences(count: int, modes: tuple[int, int, int], tables: bytes, stream: bytes) -> bytes:
    """Return a sequences section: literal lengths, offsets, match lengths."""
    if count < 128:
        head = bytes((count,))
    elif count < 0x7F00:
        head = bytes((128 + (count >> 8), count & 255))
    else:
        head = b"\xff" + (count - 0x7F00).to_bytes(2, "little")
    return head + bytes((modes[0] << 6 | modes[1] << 4 | modes[2] << 2,)) + tables + stream


def one_symbol_each(
    length: int, offset: int, match: int, *extra: tuple[int, int], count: int = 1
) -> bytes:
    """Return sequences that are all of one symbol each, so that the stream is extra bits only.

    ``extra`` is (value, bits) of the offset, the match length and the literal length, and so on.
    """
    modes = ONE_SYMBOL, ONE_SYMBOL, ONE_SYMBOL
    return sequences(count, modes, bytes((length, offset, match)), backward(*extra))


# --- what a frame is made of -----------------------------------------------------------------

_MODES = ("predefined", "one symbol", "described", "repeated")
_LITERALS = ("raw", "one byte", "tree", "treeless")


def features(data: bytes) -> set[str]:
    """Return what occurs in a good frame, so that a test can say that it has tested it."""
    flags = data[4]
    found = {"checksum"} if flags & 4 else set()
    found.add("one segment" if flags & 0x20 else "window")
    at = 5 + (0 if flags & 0x20 else 1) + (flags >> 5 & 1, 2, 4, 8)[flags >> 6]
    last = 0
    while not last:
        head = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = head & 1, head >> 1 & 3, head >> 3
        found.add(f"block {('raw', 'one byte', 'compressed')[kind]}")
        end = at + 3 + (1 if kind == RLE else size)
        if kind == COMPRESSED:
            found |= _block_features(data[at + 3 : end])
        at = end
    return found


def _block_features(data: bytes) -> set[str]:
    head = int.from_bytes(data[:5], "little")
    kind, form = head & 3, head >> 2 & 3
    found = {f"literals {_LITERALS[kind]}"}
    if kind in (RAW_LITERALS, RLE_LITERALS):
        at, low = ((1, 3), (2, 4), (1, 3), (3, 4))[form]
        size = (head & ((1 << 8 * at) - 1)) >> low
        at += size if kind == RAW_LITERALS else 1
    else:
        at, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        found.add("four streams" if form else "one stream")
        if kind == TREE:
            found.add("weights direct" if data[at] > 127 else "weights described")
        at += head >> (4 + bits) & ((1 << bits) - 1)
    if data[at] == 0:
        return found | {"no sequences"}
    at += 1 if data[at] < 128 else 2 if data[at] < 255 else 3
    names = ("lengths", "offsets", "matches")
    return found | {
        f"{n} {_MODES[data[at] >> b & 3]}" for n, b in zip(names, (6, 4, 2), strict=True)
    }
