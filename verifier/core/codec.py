"""Zstandard frames as bytes: raw ones exactly, compressed ones by their header (FORMAT 2, 10)."""

from __future__ import annotations

import struct
import sys
from array import array

from verifier.core import limits
from verifier.core.errors import FrameInvalid

MAGIC = b"\x28\xb5\x2f\xfd"
RAW_HEAD = MAGIC + b"\xc0\x38"  # 8-byte content size, 128 KiB window, no checksum
RAW_HEAD_SIZE = 14
FULL_BLOCK = (limits.BLOCK << 3).to_bytes(3, "little")
_CHECKSUM = 0x04  # frame header descriptor, RFC 8878 3.1.1.1.1
_SINGLE_SEGMENT = 0x20
_CHECKSUM_SIZE = 4
_RLE, _COMPRESSED, _RESERVED = 1, 2, 3  # block types, RFC 8878 3.1.1.2.2


def raw_size(content: int) -> int:
    """Return the bytes in the file of a raw frame with ``content`` bytes in it (FORMAT 2.1)."""
    return RAW_HEAD_SIZE + 3 * max(1, -(-content // limits.BLOCK)) + content


def raw_head(content: int) -> bytes:
    """Return the 14 bytes at the start of a raw frame."""
    return RAW_HEAD + content.to_bytes(8, "little")


def last_block(content: int) -> bytes:
    """Return the header of the last block of a raw frame with ``content`` bytes in it."""
    rest = content - (max(1, -(-content // limits.BLOCK)) - 1) * limits.BLOCK
    return (rest << 3 | 1).to_bytes(3, "little")


def raw_parts(content: memoryview) -> list[bytes | memoryview]:
    """Return a raw frame as pieces to be written one after the other, contents not copied."""
    size = len(content)
    parts: list[bytes | memoryview] = [raw_head(size)]
    at = 0
    while size - at > limits.BLOCK:
        parts += [FULL_BLOCK, content[at : at + limits.BLOCK]]
        at += limits.BLOCK
    return [*parts, last_block(size), content[at:]]


def raw_content_size(head: bytes) -> int | None:
    """Return the content size that the 14 bytes ``head`` of a raw frame give; None if not raw."""
    if head[:6] != RAW_HEAD or len(head) != RAW_HEAD_SIZE:
        return None
    return int.from_bytes(head[6:], "little")


def check_zstd_frame(frame: memoryview, content: int, where: str) -> None:
    """Hold a compressed frame to FORMAT 2.2 before any decoder sees it.

    The blocks are walked too.  Decoders differ in what they make of several frames in a row, of a
    block that is larger than a block may be, and of a compressed block without a byte; a verdict
    must not depend on the decoder of the host.

    Raises:
        FrameInvalid: A field is not as planned, or it is not exactly one frame.
    """
    at, largest = _check_header(frame, content, where)
    left, good = content, True
    while good:
        block = int.from_bytes(frame[at : at + 3], "little")  # last, type, size: RFC 8878 3.1.1.2
        kind, size = block >> 1 & 3, block >> 3
        at += 3 + (1 if kind == _RLE else size)
        if kind == _COMPRESSED:
            good = 0 < size <= largest
        else:
            left -= size
            good = size <= largest and left >= 0 and kind != _RESERVED
        if block & 1 or at >= len(frame):
            break
    if not good or at + _CHECKSUM_SIZE != len(frame):
        raise FrameInvalid("the bytes are not exactly one frame of blocks", where=where)


def _check_header(frame: memoryview, content: int, where: str) -> tuple[int, int]:
    """Compare the fields of a frame header with the plan.

    Returns:
        Where the blocks begin, and how large one may be.
    """
    head = bytes(frame[:14]).ljust(14, b"\0")
    flags, at = head[4], 5
    if head[:4] != MAGIC or flags & 0x1F != _CHECKSUM:
        raise FrameInvalid("the frame header is not one that a kit may have", where=where)
    window = content
    if not flags & _SINGLE_SEGMENT:
        window = (8 + (head[5] & 7)) << (7 + (head[5] >> 3))  # RFC 8878 3.1.1.1.2
        if window > limits.MAX_CONTENT:
            raise FrameInvalid(f"the frame wants a window of {window} bytes", where=where)
        at = 6
    width = (1 if flags & _SINGLE_SEGMENT else 0, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(head[at : at + width], "little") + (256 if width == 2 else 0)
    if not width or size != content:
        raise FrameInvalid("the frame gives another content size than planned", where=where)
    return at + width, min(window, limits.BLOCK)


def seek_table(stored: array[int], content: array[int]) -> bytes:
    """Return the seek table for frames of these sizes in the file and contents (FORMAT 10)."""
    entries = array("I", bytes(8 * len(stored)))
    entries[0::2], entries[1::2] = stored, content
    if sys.byteorder == "big":
        entries.byteswap()
    head = struct.pack("<II", 0x184D2A5E, 8 * len(stored) + 9)
    return head + entries.tobytes() + struct.pack("<IBI", len(stored), 0, 0x8F92EAB1)
