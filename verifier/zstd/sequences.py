"""Sequences: how literals and what is there already become content (RFC 8878 3.1.1.4, 3.1.1.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.zstd.bits import Corrupt, payload_bits
from verifier.zstd.codes import Code

_PAD = 4  # zero bytes below a stream: the last sequence reads no next states, of 26 bits at most
_CHUNK = 64  # bytes of a stream that are one integer at a time; more makes shifts slow


@dataclass
class Content:
    """What a frame has been decoded to so far.

    Attributes:
        window: The largest offset there may be.
        recent: The last three offsets, the newest first (RFC 8878 3.1.1.5).
    """

    window: int
    out: bytearray = field(default_factory=bytearray)
    recent: tuple[int, int, int] = (1, 4, 8)


def execute(
    stream: bytes, count: int, codes: list[Code], literals: bytes, content: Content, limit: int
) -> int:
    """Append what ``count`` sequences make; return how many literals they took.

    Nothing is slow here but what happens once a sequence, so that is written out in one loop.

    Args:
        stream: The bits of the sequences.
        count: At least 1.
        codes: Literal lengths, offsets, match lengths.
        literals: The literals of the block; more may be taken than there are, which is for the
            caller to see.
        content: What to append to.
        limit: The length that the content may reach.

    Raises:
        Corrupt: The stream does not end with the last sequence, or a match reaches too far.
    """
    left = payload_bits(stream, "sequences") + 8 * _PAD
    data = bytes(_PAD) + stream
    states, left = _first_states(data, left, codes)
    length_state, offset_state, match_state = states
    lengths, offsets, matches = (code.states for code in codes)
    first, second, third = content.recent
    out, window = content.out, content.window
    at, used, low, chunk, lb, mb, ob = len(out), 0, left, 0, 0, 0, 0
    left -= low
    for _ in range(count):
        lt, lb, lm, ln, lx, lxm, length = lengths[length_state]
        ot, ob, om, on, ox, oxm, offset = offsets[offset_state]
        mt, mb, mm, mn, mx, mxm, match = matches[match_state]
        left -= lt + ot + mt
        if left < 0:  # these bits are not all in the chunk
            top = (left + low + lt + ot + mt + 7) >> 3
            left += low
            if left < 0:
                raise Corrupt("sequences: stream end")
            low = max(0, top - _CHUNK)
            chunk = int.from_bytes(data[low:top], "little")
            low *= 8
            left -= low
        word = chunk >> left
        offset_state = on + (word & om)
        word >>= ob
        match_state = mn + (word & mm)
        word >>= mb
        length_state = ln + (word & lm)
        word >>= lb
        if lx:
            length += word & lxm
            word >>= lx
        if mx:
            match += word & mxm
            word >>= mx
        offset += word & oxm
        if ox > 1:
            if offset > window:
                raise Corrupt("sequences: offset beyond the window")
            first, second, third = offset, first, second
        else:
            if not length: offset += 1
            if offset == 0: offset = first
            elif offset == 1: first, second = second, first; offset = first
            elif offset == 2: first, second, third = third, first, second; offset = first
            else:
                offset = first - 1
                if not offset: raise Corrupt("sequences: offset of zero")
                first, second, third = offset, first, second
        if length:
            out += literals[used : used + length]
            used += length
            at += length
        begin = at - offset
        end = at + match
        if begin < 0 or end > limit:
            raise Corrupt("sequences: match too far")
        if offset >= match:
            out += out[begin : begin + match]
        else:
            out += (out[begin:at] * (match // offset + 1))[:match]
        at = end
    if left + low + lb + mb + ob != 8 * _PAD:
        raise Corrupt("sequences: stream end")
    content.recent = first, second, third
    return used


def _first_states(data: bytes, left: int, codes: list[Code]) -> tuple[list[int], int]:
    value = int.from_bytes(data, "little")
    states = []
    for code in codes:
        left -= code.log
        states.append(value >> max(left, 0) & ((1 << code.log) - 1))
    if left < 8 * _PAD:
        raise Corrupt("sequences: states truncated")
    return states, left
