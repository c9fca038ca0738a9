"""Layers packed by zstd: streams of any length, by libzstd and by plain Python.

tests/hosts/test_python314.py has the decoder of Python 3.14.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from runner.unzstd import MAX_WINDOW, NotZstd, Reader, by_library, plain
from tests.support.making import REPOSITORY
from tests.support.zstdstreams import ROLLS, STREAMS, TEXT, content_of, pack

Pieces = Callable[[io.BufferedIOBase], Iterator[bytes]]
WAYS: dict[str, Pieces | None] = {
    "plain": plain,  # type: ignore[dict-item]
    "libzstd": by_library(),  # type: ignore[dict-item]
}


@pytest.fixture(params=WAYS)
def pieces(request: pytest.FixtureRequest) -> Pieces:
    found = WAYS[request.param]
    if found is None:
        pytest.skip(f"not run: this host has no {request.param}")
    return found


def read(pieces: Pieces, packed: bytes) -> bytes:
    reader, found = Reader(pieces(io.BytesIO(packed))), []
    while True:
        data = reader.read(10_007)
        found.append(data)
        if len(data) < 10_007:
            return b"".join(found)


@pytest.mark.parametrize("name", STREAMS)
def test_what_was_packed_comes_out(pieces: Pieces, name: str) -> None:
    assert read(pieces, STREAMS[name]) == content_of(STREAMS[name])


def test_what_lies_far_back_is_found_when_the_window_is_small(pieces: Pieces) -> None:
    far = ROLLS.randbytes(3 << 16)
    data = b"".join(far + bytes([at]) * 100_000 for at in range(40))  # more than is ever kept
    assert read(pieces, pack(data, 1, window_log=19, write_content_size=False)) == data


@pytest.mark.parametrize("name", ["a frame", "without a size", "frames, one skipped"])
def test_a_stream_that_ends_early_says_so(pieces: Pieces, name: str) -> None:
    packed = STREAMS[name]
    for end in (3, 5, 9, len(packed) // 2, len(packed) - 1):
        with pytest.raises((EOFError, NotZstd)):
            read(pieces, packed[:end])


def test_what_is_no_zstd_is_said(pieces: Pieces) -> None:
    for packed in (b"no frame at all", pack(TEXT) + b"more", bytes(40)):
        with pytest.raises((NotZstd, EOFError)):
            read(pieces, packed)


def test_damage_is_found_or_harms_nobody(pieces: Pieces) -> None:
    packed = pack(TEXT[:100_000])
    for _ in range(25):
        at = ROLLS.randrange(len(packed))
        damaged = packed[:at] + bytes([packed[at] ^ 1 << ROLLS.randrange(8)]) + packed[at + 1 :]
        try:
            assert len(read(pieces, damaged)) < 1 << 24
        except (NotZstd, EOFError):
            continue


def test_a_window_that_is_too_large_is_refused(pieces: Pieces) -> None:
    packed = bytearray(pack(TEXT, write_content_size=False, window_log=20))
    packed[5] = (28 - 10) << 3  # 256 MiB
    with pytest.raises(NotZstd):
        read(pieces, bytes(packed))
    assert MAX_WINDOW == 1 << 27


BOUNDED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import runner.unzstd as unzstd
pieces = unzstd.by_library() if sys.argv[2] == "libzstd" else unzstd.plain
resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
with open(sys.argv[3], "rb") as file:
    reader, size = unzstd.Reader(pieces(file)), 0
    while True:
        data = reader.read(1 << 20)
        size += len(data)
        if not data:
            break
print(size)
"""


@pytest.mark.parametrize("way", ["libzstd", "plain"])
def test_memory_stays_small_whatever_comes_out(tmp_path: Path, way: str) -> None:
    if WAYS[way] is None:
        pytest.skip(f"not run: this host has no {way}")
    packed, size = tmp_path / "packed", 256 << 20
    packed.write_bytes(zstandard.ZstdCompressor(1).compress(bytes(size)))
    command = [sys.executable, "-I", "-c", BOUNDED, str(REPOSITORY), way, str(packed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"{size}\n", done.stderr
