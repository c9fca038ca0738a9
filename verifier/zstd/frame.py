"""One frame, from its magic number to its checksum (RFC 8878 3.1.1)."""

from __future__ import annotations

from verifier.core.codec import MAGIC
from verifier.core.limits import MAX_CONTENT
from verifier.zstd.bits import Corrupt
from verifier.zstd.bits import Doubtful as Doubtful  # for those who call `decode`
from verifier.zstd.blocks import Blocks
from verifier.zstd.xxh64 import xxh64

_CHECKSUM = 0x04  # frame header descriptor, RFC 8878 3.1.1.1.1
_RESERVED_OR_DICTIONARY = 0x0B
_SINGLE_SEGMENT = 0x20


def decode(frame: bytes, size: int) -> bytearray:
    """Return the content of exactly one frame, which must have ``size`` bytes.

    Raises:
        Corrupt: The bytes are anything else, or more than FORMAT 2.2 and 2.3 allow: a dictionary,
            a window or a content above 4 MiB and 2,560 bytes.
    """
    flags = frame[4] if len(frame) > 4 else _RESERVED_OR_DICTIONARY
    if frame[:4] != MAGIC or flags & _RESERVED_OR_DICTIONARY or size > MAX_CONTENT:
        raise Corrupt("frame: header")
    window, at = _window(frame, flags, size)
    width = (1 if flags & _SINGLE_SEGMENT else 0, 2, 4, 8)[flags >> 6]
    content = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0)
    if window > MAX_CONTENT or (width and content != size):
        raise Corrupt("frame: header")
    blocks = Blocks(window, size)
    at = blocks.read(frame, at + width)
    out = blocks.content.out
    if len(out) != size or at + (4 if flags & _CHECKSUM else 0) != len(frame):
        raise Corrupt("frame: end")
    if flags & _CHECKSUM and xxh64(out) & 0xFFFFFFFF != int.from_bytes(frame[at:], "little"):
        raise Corrupt("frame: checksum")
    return out


def _window(frame: bytes, flags: int, size: int) -> tuple[int, int]:
    """Return the window of a frame, and where its header goes on (RFC 8878 3.1.1.1.2)."""
    if flags & _SINGLE_SEGMENT:
        return size, 5
    byte = frame[5] if len(frame) > 5 else 0
    return (8 + (byte & 7)) << (7 + (byte >> 3)), 6
