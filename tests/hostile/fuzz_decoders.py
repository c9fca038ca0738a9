#!/usr/bin/env python3
"""Ask every decoder of this host about odd signed frames; all must give one verdict.

    python tests/hostile/fuzz_decoders.py --runs 20000 [--seed 1] [--jobs 2]

Nobody but a signer can bring a verifier to decode bytes that no encoder wrote: the SHA-256 of each
frame is signed (FORMAT 2.2).  So each run plays a signer with bad intent.  It damages the blocks of
a frame, asks libzstd of two versions what they make of them, and signs that: a frame with a content
size and a checksum that are right for it.  Then each decoder is asked as the verifier asks it,
behind the look at the headers.  It fails where one host would verify what another rejects.

A failing run is named by its seed: `--seed N --runs 1 --show` has it again and writes the frame.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import importlib
import importlib.util
import multiprocessing
import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

import zstandard

from tests.support.zstdsamples import SORTS, compress, damaged, sample
from verifier.core.codec import check_zstd_frame
from verifier.core.errors import DecoderMissing, FrameInvalid
from verifier.core.members import Decoder
from verifier.decoders import FINDERS, LIBRARIES, ProgramDecoder, PythonDecoder, Seconded
from verifier.zstd.xxh64 import xxh64

TAKEN, UNDECIDED, REFUSED = "taken", "undecided", "refused"
CHUNK = 500  # runs that a process does before it reports
LARGEST = 1 << 18  # of a content: more would only take time
Result = tuple[Counter[str], list[str]]


@functools.cache
def decoders() -> dict[str, Decoder]:
    """Return every decoder of this host, and the one of Python 3.14 where its module is there."""
    found = {name: finder() for name, finder in FINDERS.items()}
    if importlib.util.find_spec("backports") and importlib.util.find_spec("backports.zstd"):
        module = importlib.import_module("backports.zstd")
        found["backports.zstd"] = lambda: Seconded(PythonDecoder(module))
    return {name: make() for name, make in found.items() if make is not None}


def blocks_of(seed: int) -> tuple[int, bytes]:
    """Return a window byte and damaged blocks."""
    rng = Random(seed)
    size = rng.choice((rng.randrange(1, 300), rng.randrange(300, 4000), 20_000))
    content = sample(rng.choice(list(SORTS)), size, rng.randrange(20))
    level = rng.choice((-3, 1, 3, 9, 19))
    frame = compress(content, level, window_log=rng.choice((10, 11, 15)), checksum=False)
    frame = unsized(frame)
    return frame[5], damaged(frame, rng, 6)[6:]


def unsized(frame: bytes) -> bytes:
    """Return the frame with a window and without a content size, which must be readable."""
    parameters = zstandard.get_frame_parameters(frame)
    size = zstandard.frame_header_size(frame)
    log = max(10, (parameters.window_size - 1).bit_length())
    return frame[:4] + bytes((0, (log - 10) << 3)) + frame[size:]


def contents(window: int, blocks: bytes) -> set[bytes]:
    """Return what decoders make of the blocks when nothing else is asked of the frame."""
    frame = b"\x28\xb5\x2f\xfd" + bytes((0, window)) + blocks
    ways = (_one_call, _stream, _library)
    return {content for content in (way(frame) for way in ways) if content}


def _one_call(frame: bytes) -> bytes | None:
    try:
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=LARGEST)
    except zstandard.ZstdError:
        return None


def _stream(frame: bytes) -> bytes | None:
    reader = zstandard.ZstdDecompressor().decompressobj()
    try:
        content = reader.decompress(frame[:5]) + reader.decompress(frame[5:])
    except zstandard.ZstdError:
        return None
    return content if reader.eof and len(content) <= LARGEST else None


def _library(frame: bytes) -> bytes | None:
    """Return what the library of this host says in one call."""
    library = _native()
    if library is None:
        return None
    target = ctypes.create_string_buffer(LARGEST)
    done = library.ZSTD_decompress(target, LARGEST, frame, len(frame))
    return target.raw[:done] if done <= LARGEST else None


@functools.cache
def _native() -> ctypes.CDLL | None:
    for path in LIBRARIES:
        if os.path.exists(path):
            library = ctypes.CDLL(path)
            library.ZSTD_decompress.restype = ctypes.c_size_t
            library.ZSTD_decompress.argtypes = [
                *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
            ]
            return library
    return None


def signed(window: int, blocks: bytes, content: bytes) -> bytes:
    """Return a frame as FORMAT 2.2 wants it: content size, window, checksum."""
    head = b"\x28\xb5\x2f\xfd\xc4" + bytes((window,)) + struct.pack("<Q", len(content))
    return head + blocks + struct.pack("<I", xxh64(content) & 0xFFFFFFFF)


def verdict(decoder: Decoder, frame: bytes, content: bytes) -> str:
    """Return what a verifier with this decoder says about the frame and this content."""
    source, target = bytearray(frame), bytearray(len(content))
    try:
        check_zstd_frame(memoryview(source), len(content), "")
        good = decoder.frame(memoryview(source), memoryview(target)) and target == content
    except FrameInvalid:
        return REFUSED
    except DecoderMissing:
        return UNDECIDED
    return TAKEN if good else REFUSED


def one(seed: int, program: bool) -> Iterator[tuple[str, str]]:
    """Yield what was said of each frame of a seed, and what is wrong with that."""
    window, blocks = blocks_of(seed)
    made = contents(window, blocks)
    if not made:
        yield "nobody decodes it", ""
    for content in sorted(made):
        frame = signed(window, blocks, content)
        said = {
            name: verdict(decoder, frame, content)
            for name, decoder in decoders().items()
            if program or name != ProgramDecoder.name
        }
        words = set(said.values())
        how = " here, ".join(sorted(words)) + (" there" if len(words) > 1 else " everywhere")
        yield how, f"seed {seed}: {said}" if {TAKEN, REFUSED} <= words else ""
        if len(made) > 1:
            yield "(one of several contents of the same blocks)", ""


def chunk(task: tuple[range, int]) -> Result:
    """Do some runs; return counts and the failures."""
    seeds, every = task
    counts: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        for said, wrong in one(seed, seed % every == 0):
            counts[said] += 1
            if wrong:
                failures.append(wrong)
    return counts, failures


def run(seeds: range, jobs: int, every: int) -> Result:
    """Do all runs; return counts and the failures."""
    parts = [(seeds[at : at + CHUNK], every) for at in range(0, len(seeds), CHUNK)]
    counts: Counter[str] = Counter()
    failures: list[str] = []
    with multiprocessing.Pool(jobs) as workers:
        for more, wrong in workers.imap_unordered(chunk, parts):
            counts += more
            failures += wrong
    return counts, failures


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Every decoder, one verdict.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=10, help="ask the program in one run of N")
    parser.add_argument("--show", action="store_true", help="write the frames in hexadecimal")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.runs)
    if options.show:
        for seed in seeds:
            window, blocks = blocks_of(seed)
            for content in sorted(contents(window, blocks)):
                print(seed, signed(window, blocks, content).hex())
    start = time.monotonic()
    counts, failures = run(seeds, options.jobs, options.every)
    print(f"{options.runs} runs, {time.monotonic() - start:.0f} s, with {', '.join(decoders())}")
    for said, count in counts.most_common():
        print(f"{count:9,} {said}")
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
