"""Sequences: how literals and what is there already become content (RFC 8878 3.1.1.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.zstd.bits import Corrupt, Doubtful, payload_bits
from verifier.zstd.codes import Code

_PAD = 4  # zero bytes below a stream, for the next states that the last sequence does not have
_LONGEST = 13  # bytes that hold one sequence wherever it begins: it has at most 89 bits
_CHUNK = 32  # bytes of a stream that are one integer at a time; with more, shifts are slow


@dataclass
class Content:
    """What a frame has become so far.

    Attributes:
        out: All of it: an offset may reach back to its beginning, whatever the window (FORMAT 2.4).
        recent: The last three offsets, the newest first (RFC 8878 3.1.1.5).
    """

    out: bytearray = field(default_factory=bytearray)
    recent: tuple[int, int, int] = (1, 4, 8)


def execute(
    stream: bytes, count: int, codes: list[Code], literals: bytes, content: Content, limit: int
) -> int:
    """Append what ``count`` sequences make, at least 1; return how many literals they took.

    Most of the time is spent in this loop, so it is written out.  The bits of a sequence are taken
    at once, since its states say how many there are: next states at the low end, then extra bits.

    Args:
        literals: Those of the block.  Whether more were taken is for the caller to see.
        content: What is there already; it grows.
        limit: How long it may grow.

    Raises:
        Corrupt: Sequences and stream do not end together, or a match is where none can be.
    """
    lengths, offsets, matches = codes
    (l_state, o_state, m_state), bits = _first_states(stream, codes)
    data, end, low = bytes(_PAD) + stream, 8 * _PAD, 8 * _PAD + bits  # `left` counts from `low`
    left = chunk = l_bits = o_bits = m_bits = 0
    first, second, third = content.recent
    out, at, used = content.out, len(content.out), 0
    for _ in range(count):
        l_all, l_bits, l_mask, l_base, l_extra, l_extra_mask, length = lengths[l_state]
        o_all, o_bits, o_mask, o_base, o_extra, o_extra_mask, offset = offsets[o_state]
        m_all, m_bits, m_mask, m_base, m_extra, m_extra_mask, match = matches[m_state]
        left -= l_all + o_all + m_all
        if left < 0:
            chunk, left, low = _next_chunk(data, left + low)
        word = chunk >> left
        o_state = o_base + (word & o_mask)
        word >>= o_bits
        m_state = m_base + (word & m_mask)
        word >>= m_bits
        l_state = l_base + (word & l_mask)
        word >>= l_bits
        if l_extra:
            length += word & l_extra_mask
            word >>= l_extra
        if m_extra:
            match += word & m_extra_mask
            word >>= m_extra
        offset += word & o_extra_mask
        if o_extra > 1:
            first, second, third = offset, first, second
        elif offset or not length:
            first, second, third = _recall(offset + (not length), first, second, third)
            if not first:
                raise Doubtful("sequences: offset of zero")
        if length:
            out += literals[used : used + length]
            used += length
            at += length
        begin = at - first
        if begin < 0 or at + match > limit:
            runs_out = left + low + l_bits + o_bits + m_bits < end
            raise (Doubtful if runs_out else Corrupt)("sequences: match too far")
        if first >= match:
            out += out[begin : begin + match]
        else:  # what it makes is a part of what it copies
            out += (out[begin:at] * (match // first + 1))[:match]
        at += match
    if left + low + l_bits + o_bits + m_bits < end:  # more is left over, and not looked at
        raise Doubtful("sequences: stream runs out")
    content.recent = first, second, third
    return used


def _first_states(stream: bytes, codes: list[Code]) -> tuple[list[int], int]:
    """Return the first state of each code, and how many bits are below them."""
    left, value = payload_bits(stream, "sequences"), int.from_bytes(stream, "little")
    states = []
    for code in codes:
        left -= len(code).bit_length() - 1
        if left < 0:
            raise Doubtful("sequences: states truncated")
        states.append(value >> left & (len(code) - 1))
    return states, left


def _next_chunk(data: bytes, left: int) -> tuple[int, int, int]:
    """Return a chunk with all bits of a sequence from bit ``left`` on, and with others below.

    Beside it: where bit ``left`` is in the chunk, and where the chunk is in the data.
    """
    if left < 0:
        raise Doubtful("sequences: stream runs out")
    top = (left >> 3) + _LONGEST
    low = max(0, top - _CHUNK)
    return int.from_bytes(data[low:top], "little"), left - 8 * low, 8 * low


def _recall(which: int, first: int, second: int, third: int) -> tuple[int, int, int]:
    """Return the recent offsets after another than the first was used (RFC 8878 3.1.1.5)."""
    if which == 1:
        return second, first, third
    if which == 2:
        return third, first, second
    return first - 1, first, second
