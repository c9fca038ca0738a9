"""Contents of every sort, frames of libzstd that hold them, and such frames damaged."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import zstandard

from tests.support.making import noise


def samples(size: int, seed: int = 0) -> dict[str, bytes]:
    """Return contents of every sort, the same ones for a seed."""
    rng = random.Random(f"{size} {seed}")
    words = [noise(rng.randint(1, 9), n).hex().encode() for n in range(300)]
    prose = b" ".join(rng.choice(words) for _ in range(size // 2 + 1))
    records = b"".join(
        struct.pack("<IHBxI", n, rng.choice((1, 2, 7)), rng.getrandbits(2), rng.getrandbits(18))
        for n in range(size // 12 + 1)
    )
    skewed = bytes(rng.choices(range(256), [1.04**-n for n in range(256)], k=size))
    zebra = noise(400, seed)
    while len(zebra) < size:
        at = len(zebra) - rng.randrange(1, 400)
        zebra += zebra[at : at + rng.randrange(8, 60)] + b"z"
    fixed = b"".join(noise(30, seed) + rng.randbytes(1) for _ in range(size // 31 + 1))
    return {
        "prose": prose[:size],
        "records": records[:size],
        "bytes of skewed frequency": skewed,
        "few of skewed frequency": bytes(rng.choices(range(8), [9, 5, 3, 2, 2, 1, 1, 1], k=size)),
        "matches between one letter": zebra[:size],
        "matches at one distance": fixed[:size],
        "one letter": b"z" * size,
        "noise": noise(size, seed),
        "noise and zeros": (noise(size // 3, seed) + bytes(size) + prose)[:size],
        "repeated far away": (noise(size // 3 + 1, seed) * 3)[:size],
    }


def compress(
    content: bytes,
    level: int = 3,
    *,
    window_log: int = 0,
    checksum: bool = True,
    sized: bool = True,
) -> bytes:
    """Return a frame; a window below the content, or no size, make it one with a window."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=len(content),
        window_log=window_log,
        write_checksum=checksum,
        write_content_size=sized,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(content)


def mutants(seed: int, count: int) -> Iterator[tuple[bytes, int]]:
    """Yield damaged frames without a checksum, and the size of what they were made from."""
    rng = random.Random(seed)
    while count:
        size = rng.choice((rng.randrange(1, 200), rng.randrange(200, 3000), 9000))
        content = rng.choice(list(samples(size, rng.randrange(50)).values()))
        window_log = rng.choice((0, 10, 10, 11))
        level = rng.choice((-3, 1, 3, 9, 19))
        frame = compress(
            content, level, window_log=window_log, checksum=False, sized=rng.random() < 0.7
        )
        for _ in range(min(count, 10)):
            count -= 1
            yield damaged(frame, rng, 4), size


def damaged(frame: bytes, rng: random.Random, first: int) -> bytes:
    """Return a frame with one to three places changed, none of them before ``first``."""
    data = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        # tables are at the beginning, and what is wrong there changes most
        at = rng.randrange(min(first, len(data) - 1), min(len(data), rng.choice((16, 60, 1 << 20))))
        how = rng.random()
        if how < 0.5:
            data[at] ^= 1 << rng.randrange(8)
        elif how < 0.75:
            data[at] = rng.randrange(256)
        elif how < 0.85 and len(data) > 8:
            del data[at : at + rng.randrange(1, 4)]
        elif how < 0.95:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
        else:
            data[-1] = rng.randrange(256)
    return bytes(data)
