"""Contents of every sort, frames of libzstd that hold them, and such frames damaged."""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Callable, Iterator

import zstandard

from tests.support.making import noise


def _prose(size: int, seed: int, rng: random.Random) -> bytes:
    words = [noise(rng.randint(1, 9), n).hex().encode() for n in range(300)]
    return b" ".join(rng.choices(words, k=size // 3 + 1))


def _records(size: int, seed: int, rng: random.Random) -> bytes:
    return b"".join(
        struct.pack("<IHBxI", n, rng.choice((1, 2, 7)), rng.getrandbits(2), rng.getrandbits(18))
        for n in range(size // 12 + 1)
    )


def _zebra(size: int, seed: int, rng: random.Random) -> bytes:
    made = bytearray(noise(400, seed))
    while len(made) < size:
        at = len(made) - rng.randrange(1, 400)
        made += made[at : at + rng.randrange(8, 60)] + b"z"
    return bytes(made)


def _fixed(size: int, seed: int, rng: random.Random) -> bytes:
    return b"".join(noise(30, seed) + rng.randbytes(1) for _ in range(size // 31 + 1))


SORTS: dict[str, Callable[[int, int, random.Random], bytes]] = {
    "prose": _prose,
    "records": _records,
    "bytes of skewed frequency": lambda size, seed, rng: bytes(
        rng.choices(range(256), [1.04**-n for n in range(256)], k=size)
    ),
    "few of skewed frequency": lambda size, seed, rng: bytes(
        rng.choices(range(8), [9, 5, 3, 2, 2, 1, 1, 1], k=size)
    ),
    "matches between one letter": _zebra,
    "matches at one distance": _fixed,
    "one letter": lambda size, seed, rng: b"z" * size,
    "noise": lambda size, seed, rng: noise(size, seed),
    "noise and zeros": lambda size, seed, rng: noise(size // 3, seed) + bytes(size),
    "repeated far away": lambda size, seed, rng: noise(size // 3 + 1, seed) * 3,
}


@functools.lru_cache(maxsize=64)
def sample(sort: str, size: int, seed: int = 0) -> bytes:
    """Return a content of one sort, the same one for a seed."""
    return SORTS[sort](size, seed, random.Random(f"{sort} {size} {seed}"))[:size]


def samples(size: int, seed: int = 0) -> dict[str, bytes]:
    """Return contents of every sort, the same ones for a seed."""
    return {sort: sample(sort, size, seed) for sort in SORTS}


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
        content = sample(rng.choice(list(SORTS)), size, rng.randrange(50))
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
