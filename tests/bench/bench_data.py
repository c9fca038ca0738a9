"""Makes the data sets of the benchmark: the same bytes on every machine and with every Python.

Nothing is taken from the host.  All bytes come from SHAKE-128; tables of tokens, chosen by pairs of
those bytes, give material that zstd level 3 shrinks about as well, and unpacks about as fast, as
programs, text and JSON.  Each kind is one pool of some MiB, walked from file to file, its bytes
exchanged after each turn: no window of level 3 sees the same bytes twice.

Run as a program it makes one set: ``bench_data.py SET SIZE DIRECTORY``.
"""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB
VERSION = 2  # of these rules: a directory made by other ones is made again
SETS = ("mixed", "packed", "small", "huge", "quarter", "million")
SCALES = {"tiny": 1 / 800, "small": 1 / 64, "default": 1.0, "large": 2.0}
PIECE = 4 * MIB


def shake(seed: str, size: int) -> bytes:
    """Return ``size`` bytes that follow from ``seed`` and look random."""
    return hashlib.shake_128(seed.encode()).digest(size)


def numbers(seed: str, count: int) -> array[int]:
    """Return ``count`` numbers below 65,536 that follow from ``seed``."""
    values = array("H", shake(seed, 2 * count))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def between(number: int, low: int, high: int) -> int:
    """Return a size between two, drawn by a number below 65,536; each doubling is as likely."""
    return int(low * (high / low) ** (number / 65536))


def _ranked(items: Sequence[bytes], number: int) -> bytes:
    """Return one of ``items``: the first ones often, the last ones hardly ever."""
    return items[int(len(items) ** (number / 65536)) - 1]


def code_pool(size: int) -> bytes:
    """Return bytes like those of programs: instructions, operands, tables, strings, zeros."""
    opcodes = [shake(f"opcode {i}", 1 + i % 4) for i in range(400)]
    ranks = numbers("code ranks", 8 * 6000)
    idioms = [
        b"".join(_ranked(opcodes, rank) for rank in ranks[8 * i : 8 * i + 2 + i % 7])
        for i in range(6000)
    ]
    picks, operands = numbers("idioms", 65536), numbers("operands", 65536)
    tokens = [
        _ranked(idioms, picks[i]) + operands[i].to_bytes(2, "little")[: 1 + i % 2] * (i % 5 < 3)
        for i in range(65536)
    ]
    words = word_tokens("symbol", 4000, b"\0_")
    pieces: list[bytes] = []
    filled = turn = 0
    while filled < size:
        sections = [
            tokens_of(tokens, f"code {turn}", 25_000),
            tokens_of(words, f"strings {turn}", 2_500),
            array("Q", range(turn * 4096, turn * 4096 + 40 * 900, 40)).tobytes(),
            bytes(6 * KIB),
        ]
        pieces += sections
        filled += sum(map(len, sections))
        turn += 1
    return b"".join(pieces)[:size]


def word_tokens(seed: str, count: int, ends: bytes) -> list[bytes]:
    """Return 65,536 words, some of them often, each followed by one of ``ends``."""
    letters = b"etaoinshrdlucmfwypvbgkjqxz"
    lengths = numbers(f"{seed} lengths", count)
    words = []
    for i in range(count):
        text = shake(f"{seed} {i}", 2 + lengths[i] % 9)
        words.append(bytes(letters[min(a % 26, a // 26 % 26)] for a in text))
    ranks = numbers(f"{seed} ranks", 65536)
    return [
        _ranked(words, rank) + ends[i % len(ends) : i % len(ends) + 1]
        for i, rank in enumerate(ranks)
    ]


def tokens_of(tokens: Sequence[bytes], seed: str, count: int) -> bytes:
    """Return ``count`` tokens one behind the other, drawn by ``seed``."""
    return b"".join(map(tokens.__getitem__, numbers(seed, count)))


def text_pool(size: int) -> bytes:
    """Return bytes like those of scripts and manuals."""
    ends = b" " * 9 + b"\n" + b" " * 6 + b"," + b" " * 5 + b".(=):\n"
    return tokens_of(word_tokens("text", 6000, ends), "text", size // 5)[:size]


def json_pool(size: int) -> bytes:
    """Return bytes like those of JSON documents: few keys, many values."""
    keys = [b'", "' + shake(f"key {i}", 4).hex().encode() + b'": "' for i in range(64)]
    values = word_tokens("value", 9000, b"-/.")
    pairs = [keys[i % 64 if i % 3 else i % 7] + values[i] for i in range(65536)]
    return tokens_of(pairs, "json", size // 12)[:size]


class Pool:
    """Bytes of one kind, without end."""

    def __init__(self, data: bytes) -> None:
        self._first = self._data = data
        self._at = self._turn = 0

    def take(self, size: int) -> Iterator[bytes]:
        """Yield the next ``size`` bytes in pieces."""
        while size:
            piece = self._data[self._at : self._at + min(size, PIECE)]
            self._at += len(piece)
            size -= len(piece)
            yield piece
            if self._at == len(self._data):
                self._turn += 1
                self._at = 0
                key = (2 * self._turn + 1) & 0xFF  # odd: every byte has its own image
                self._data = self._first.translate(bytes(key * i & 0xFF for i in range(256)))


class Random:
    """Bytes that nothing shrinks, without end: as archives, images and packages are."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._turn = 0

    def take(self, size: int) -> Iterator[bytes]:
        """Yield the next ``size`` bytes in pieces."""
        while size:
            length = min(size, PIECE)
            yield shake(f"{self._seed} {self._turn}", length)
            self._turn += 1
            size -= length


def write(path: Path, pieces: Iterator[bytes], *, executable: bool = False) -> None:
    """Write one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.writelines(pieces)
    if executable:
        path.chmod(0o755)


def scaled(count: int, scale: float) -> int:
    """Return a count at a scale, at least 1."""
    return max(1, int(count * min(scale, 1.0) + 0.5)) * max(1, int(scale))


def make_small(root: Path, scale: float, count: int = 15_000) -> None:
    """Make ``count`` small text files, 1 to 30 KiB."""
    pool = Pool(text_pool(scaled(24 * MIB, min(scale, 1.0))))
    for i, number in enumerate(numbers("small sizes", scaled(count, scale))):
        folder = root / f"share/doc/section-{i // 60:04d}"
        write(folder / f"page-{i:05d}.txt", pool.take(between(number, 1 * KIB, 30 * KIB)))


def make_mixed(root: Path, scale: float) -> None:
    """Make programs, texts, JSON, archives and random bytes: 2.4 GB, 29,000 files."""
    make_small(root, scale, 25_000)
    code = Pool(code_pool(scaled(48 * MIB, min(scale, 1.0))))
    for i, number in enumerate(numbers("code sizes", scaled(760, scale))):
        path = root / f"lib/group-{i // 50:02d}/lib{i:04d}.so"
        write(path, code.take(between(number, 16 * KIB, 6 * MIB)), executable=i % 5 == 0)
    json = Pool(json_pool(scaled(16 * MIB, min(scale, 1.0))))
    for i, number in enumerate(numbers("json sizes", scaled(2_800, scale))):
        path = root / f"share/data/set-{i // 40:02d}/{i:04d}.json"
        write(path, json.take(between(number, 512, 512 * KIB)))
    archives = Random("archives")
    for i, number in enumerate(numbers("archive sizes", scaled(330, scale))):
        path = root / f"packages/package-{i:03d}.tar.gz"
        write(path, archives.take(between(number, 64 * KIB, 20 * MIB)))
    noise = Random("noise")
    for i, number in enumerate(numbers("noise sizes", scaled(80, scale))):
        write(root / f"blobs/{i:02d}.bin", noise.take(between(number, 4 * KIB, 4 * MIB)))


def make_packed(root: Path, scale: float) -> None:
    """Make 37 files that nothing shrinks, 1.2 GB: nearest to what a real kit carries."""
    pool = Random("packed")
    low, high = scaled(1 * MIB, scale), scaled(165 * MIB, scale)
    for i, number in enumerate(numbers("packed sizes", 37)):
        write(root / f"images/layer-{i:02d}.tar.gz", pool.take(between(number, low, high)))


def make_huge(root: Path, scale: float) -> None:
    """Make one file of 3 GiB, half of it like a program and half random."""
    piece = scaled(32 * MIB, min(scale, 1.0))
    code, noise = Pool(code_pool(scaled(48 * MIB, min(scale, 1.0)))), Random("huge")

    def pieces() -> Iterator[bytes]:
        for _ in range(48 * max(1, int(scale))):
            yield from code.take(piece)
            yield from noise.take(piece)

    write(root / "disk.img", pieces())


def make_many(root: Path, count: int) -> None:
    """Make ``count`` files of 24 bytes whose paths in the kit have 76 bytes on average."""
    name = shake("names", 64).hex()
    for first in range(0, count, 250):
        folder = root / f"objects/{first // 62_500:02d}/{first:07d}"
        folder.mkdir(parents=True)
        for i in range(first, min(first + 250, count)):
            length = 28 + i % 35
            path = os.fspath(folder) + f"/{i:07d}-{name[i % 60 : i % 60 + length]}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(descriptor, b"%024d" % i)
            os.close(descriptor)


MAKERS: dict[str, Callable[[Path, float], None]] = {
    "mixed": make_mixed,
    "packed": make_packed,
    "small": make_small,
    "huge": make_huge,
    "quarter": lambda root, scale: make_many(root, scaled(250_000, scale)),
    "million": lambda root, scale: make_many(root, scaled(1_000_000, scale)),
}


def main() -> None:
    """Make one set in a new directory."""
    name, size, directory = sys.argv[1:]
    root = Path(directory)
    root.mkdir(parents=True)
    MAKERS[name](root, SCALES[size])


if __name__ == "__main__":
    main()
