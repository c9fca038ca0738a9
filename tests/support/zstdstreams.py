"""What zstd packs into one long frame or several, as layers of images are packed."""

from __future__ import annotations

import io
import random

import zstandard

ROLLS = random.Random(7)
TEXT = b"".join(b"line %d of a layer, %d\n" % (at, ROLLS.randrange(99)) for at in range(20_000))


def pack(data: bytes, level: int = 3, **parameters: int | bool) -> bytes:
    """Return a frame."""
    made = zstandard.ZstdCompressionParameters.from_level(level, **parameters)
    return zstandard.ZstdCompressor(compression_params=made).compress(data)


SKIPPED = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"aside"
STREAMS = {
    "an empty frame": pack(b""),
    "a frame": pack(TEXT),
    "without a size": pack(TEXT, write_content_size=False),
    "with a checksum": pack(TEXT, write_checksum=True),
    "at a high level": pack(TEXT[:70_000], 19),
    "frames, one skipped": pack(TEXT[:70_000]) + SKIPPED + pack(TEXT[70_000:]) + SKIPPED,
    "noise": pack(ROLLS.randbytes(300_000)),
    "one byte": pack(bytes(1 << 20), write_content_size=False),
}


def content_of(packed: bytes) -> bytes:
    """Return what zstd itself makes of it."""
    unpacker = zstandard.ZstdDecompressor()
    return unpacker.stream_reader(io.BytesIO(packed), read_across_frames=True).read()
