"""Judges of the decoder in plain Python: libzstd frame by frame, and zstd's golden frames.

libzstd 1.5.7 (in the lock, as `zstandard`) makes frames of every kind, and says of thousands of
damaged ones what it makes of them.  Where it takes a frame that is refused here, there is a reason
with a name; the other way round there is one frame, and it has a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REQUIRE_JUDGES
from tests.support import zstdframes
from tests.support.compiled import compiled
from tests.support.corpora import corpus
from tests.support.making import ROOT_FILE, Made, make_kit, noise, read_tree, text
from tests.support.together import together
from tests.support.zstdcases import BAD, GOOD, LAX, LENIENT
from tests.support.zstdframes import RLE, block, features
from tests.support.zstdlimits import LIMITS
from tests.support.zstdsamples import SORTS, compress, mutants, sample, samples
from verifier import decoders
from verifier.core.limits import BLOCK, MAX_CONTENT
from verifier.zstd.bits import Corrupt, Doubtful
from verifier.zstd.frame import decode

BARE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)
ONE_CALL, STREAM = "one call", "stream"
DOUBTFUL_PREFIX = "doubtful: "


def plainly(frame: bytes, size: int) -> tuple[bytes | None, str]:
    """Return what the decoder in plain Python makes of a frame, and its reason if it refuses."""
    try:
        return bytes(decode(frame, size)), ""
    except Doubtful as error:
        return None, DOUBTFUL_PREFIX + str(error)
    except Corrupt as error:
        return None, str(error)


def libzstd(frame: bytes, limit: int = 1 << 22) -> dict[str, bytes | None]:
    """Return what libzstd makes of exactly one frame, in each of the ways it has for it.

    Where a frame says its size, and the size is not 0, the whole can be one call.
    """
    try:
        size = zstandard.get_frame_parameters(frame).content_size
    except zstandard.ZstdError:
        return {STREAM: None}
    if size == zstandard.CONTENTSIZE_UNKNOWN:
        return {STREAM: _stream(frame)}
    if size > limit:
        return {STREAM: None}
    return {STREAM: _stream(frame), **({ONE_CALL: _one_call(frame)} if size else {})}


def _one_call(frame: bytes) -> bytes | None:
    try:
        return zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError:
        return None


def _stream(frame: bytes) -> bytes | None:
    reader = zstandard.ZstdDecompressor().decompressobj()
    try:
        # the first bytes alone are no header: else it would be one call after all
        content = reader.decompress(frame[:5]) + reader.decompress(frame[5:])
    except zstandard.ZstdError:
        return None
    return content if reader.eof and not reader.unused_data else None


# --- golden frames ---------------------------------------------------------------------------


def test_golden_frames_are_decoded() -> None:
    """zstd's own, read where they lie; what they show, `LIMITS` and `GOOD` show everywhere."""
    paths = sorted((corpus("zstd") / "golden-decompression").glob("*.zst"))
    assert len(paths) >= 4
    for path in paths:
        frame = path.read_bytes()
        content = _stream(frame)
        assert content is not None
        assert plainly(frame, len(content)) == (content, ""), path.name


def test_golden_errors_are_refused() -> None:
    """zstd's own; `BAD` shows the same faults everywhere."""
    paths = sorted((corpus("zstd") / "golden-decompression-errors").glob("*.zst"))
    assert len(paths) >= 3
    for path in paths:
        frame = path.read_bytes()
        taken = [size for size in range(200) if plainly(frame, size)[0] is not None]
        assert taken == [], path.name


ERRATA = {  # valid frames that some libzstd refused: doc/decompressor_errata.md of zstd
    "a first block of one byte": "28b52ffda001000200020010000b000000",
    "a tiny table": "28b52ffd2027c5000080f3f1f0ecebc6c5c7f09d43000000e0e006580100603e52",
}


@together("data", ERRATA.values(), ids=ERRATA.keys())
def test_frame_that_others_have_refused(data: str) -> None:
    frame = bytes.fromhex(data)
    content = _stream(frame)
    assert content is not None
    assert plainly(frame, len(content)) == (content, "")


# --- frames by hand --------------------------------------------------------------------------


@together(
    ("frame", "content"),
    [*GOOD.values(), *LIMITS.values()],
    ids=[*GOOD.keys(), *LIMITS.keys()],
)
def test_libzstd_reads_good_frames_by_hand_the_same(frame: bytes, content: bytes) -> None:
    assert set(libzstd(frame).values()) == {content}


def test_window_of_0_may_have_a_block_of_one_byte() -> None:
    """RFC 8878 has no rule against it; libzstd takes it in one call, and refuses it in a stream."""
    data = zstdframes.frame(block(b"x", RLE, size=0), size=0)
    assert plainly(data, 0) == (b"", "")
    assert libzstd(data) == {STREAM: None}


@together("name", BAD)
def test_libzstd_refuses_bad_frames_by_hand_too(name: str) -> None:
    """Or it is named why not; on some processors it has no fast loop, and refuses those too."""
    frame, size, _ = BAD[name]
    taken = [content for content in libzstd(frame).values() if content is not None]
    assert size not in map(len, taken) or name in LENIENT, LENIENT.get(name)


def test_what_libzstd_takes_has_a_reason() -> None:
    assert set(LENIENT) <= set(BAD)
    assert all("FORMAT" in reason or "RFC" in reason for reason in LENIENT.values())
    assert all("RFC" in lax.why for lax in LAX.values())


@together("name", LAX)
def test_libzstd_makes_nothing_else_of_lax_frames(name: str) -> None:
    """It takes some of them on some processors; what it takes has the content that is clear."""
    frame, content, _ = LAX[name]
    assert set(libzstd(frame).values()) <= {content, None}


# --- frames of libzstd -----------------------------------------------------------------------

LEVELS = (*range(-7, 0), *range(1, 20))
LONGER = (-3, 1, 3, 7, 13, 19)  # of these the frames have all that the standard knows
SIZE_LONGER = 16_000


@pytest.mark.slow
@together("level", LEVELS)
def test_frames_of_every_level(level: int) -> None:
    for name, content in samples(SIZE_LONGER if level in LONGER else 4_000).items():
        for window_log in (0, 10):
            frame = compress(content, level, window_log=window_log)
            assert plainly(frame, len(content)) == (content, ""), (name, window_log)
        frame = compress(content, level, checksum=False, sized=False)
        assert plainly(frame, len(content)) == (content, ""), name


SIZES = [*range(12), 31, 32, 63, 64, 127, 128, 254, 255, 256, 257, 1000, 1023, 1024, 1025]
SIZES += [n * 65536 + 256 + d for n in (0, 1) for d in (-1, 0, 1)]  # widths of the content size
SIZES += [n * BLOCK + d for n in (1, 2) for d in (-1, 0, 1)]
OFTEN = {65793, BLOCK - 1, *(n for n in SIZES if n > BLOCK + 1)}  # behind the same borders
FEW = ("prose", "one letter", "noise")  # compressed blocks, those of one byte, and raw ones


def decoded(size: int, sorts: Iterable[str]) -> None:
    """Hold frames of contents of one size to their contents."""
    for name in sorts:
        content = sample(name, size)
        for options in ({}, {"checksum": False, "sized": False}, {"window_log": 10}):
            frame = compress(content, **options)
            assert plainly(frame, size) == (content, ""), (name, options)


@together("size", [n for n in SIZES if n not in OFTEN])
def test_frames_of_sizes_around_every_border(size: int) -> None:
    decoded(size, SORTS if size < 2000 else FEW)


@pytest.mark.long
@together("size", [n for n in SIZES if n >= 2000])
def test_frames_of_all_sorts_around_every_border(size: int) -> None:
    decoded(size, SORTS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "level", [pytest.param(n, marks=pytest.mark.long) if n != 9 else n for n in (1, 9, 19)]
)
def test_frame_of_the_largest_content(level: int) -> None:
    content = b"".join(samples(200_000).values()) * 3
    frame = compress(content[:MAX_CONTENT], level)
    assert plainly(frame, MAX_CONTENT) == (content[:MAX_CONTENT], "")


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="not run: older Pythons are slower")
@pytest.mark.parametrize("level", [3, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 19))])
def test_plain_python_decodes_a_megabyte_a_second(level: int) -> None:
    """Of processor time, so that other work on the machine does not matter much."""
    samples_of_this_python = Path(os.__file__).parent.glob("*.py")
    content = b"".join(path.read_bytes() for path in sorted(samples_of_this_python))[:2_000_000]
    frame = compress(content, level)
    before = time.process_time()
    assert plainly(frame, len(content)) == (content, "")
    assert len(content) / (time.process_time() - before) > 1_000_000


EVERYTHING = {
    *("checksum", "one segment", "window", "no sequences", "one stream", "four streams"),
    *(f"block {kind}" for kind in ("raw", "one byte", "compressed")),
    *(f"literals {kind}" for kind in ("raw", "one byte", "tree", "treeless")),
    *(f"weights {kind}" for kind in ("direct", "described")),
    *(
        f"{code} {mode}"
        for code in ("lengths", "offsets", "matches")
        for mode in ("predefined", "one symbol", "described", "repeated")
    ),
}


@pytest.mark.slow
def test_frames_above_have_everything_that_the_standard_knows() -> None:
    found: Counter[str] = Counter()
    for level in LONGER:
        for content in samples(SIZE_LONGER).values():
            for options in ({}, {"window_log": 10}, {"sized": False}):
                found.update(features(compress(content, level, **options)))
    assert EVERYTHING - set(found) == set()


@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 200), st.integers(0, 3)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(LEVELS),
    st.sampled_from([0, 10, 11, 17]),
    st.booleans(),
)
def test_structured_contents(
    parts: list[tuple[bytes, int, int]], level: int, window_log: int, checksum: bool
) -> None:
    content = b""
    for piece, times, back in parts:
        content += piece * times + content[-back * len(piece) : len(content) // 2]
        content = content[:20_000]
    frame = compress(content, level, window_log=window_log, checksum=checksum)
    assert plainly(frame, len(content)) == (content, "")


# --- damaged frames --------------------------------------------------------------------------

DIFFERENCES = {  # what is refused here, and the ways of libzstd that may take it
    "frame: header": {ONE_CALL, STREAM},  # a window above 4 MiB, a dictionary id of 0
    "frame: end": {ONE_CALL},  # bytes behind the frame are for its caller to see
    "block: header": {ONE_CALL},  # raw blocks larger than a block may be
    "block: content": {ONE_CALL},
    "literals: size": {STREAM},  # a compressed block of no bytes
}  # each of them is refused by its headers, before a decoder is asked (FORMAT 2.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.long) if n > 1 else n for n in range(8)]
)
def test_damaged_frames_get_one_verdict(seed: int) -> None:
    verdicts: Counter[str] = Counter()
    for frame, size in mutants(seed, 500):
        judged = libzstd(frame)
        # a damaged frame may be good and longer, or shorter: ask for what the judge has found
        found = next((len(c) for c in judged.values() if c is not None), size)
        content, why = plainly(frame, found)
        if content is not None:  # what libzstd refuses may be taken here, but nothing else
            assert set(judged.values()) <= {content, None}, frame.hex()
            verdicts["taken"] += 1
            continue
        ways = {way for way, theirs in judged.items() if theirs is not None}
        if why.startswith(DOUBTFUL_PREFIX):
            verdicts["doubtful"] += 1
            continue
        assert ways <= DIFFERENCES.get(why, set()), (why, ways, frame.hex())
        verdicts["different" if ways else "refused"] += 1
    assert verdicts["taken"] > 50
    assert verdicts["refused"] > 200
    assert verdicts["different"] < 20
    assert verdicts["doubtful"] < 100


@pytest.mark.slow
def test_library_of_this_host_takes_what_is_taken_here() -> None:
    """Alone or, if a frame is lax, with the second opinion that stands behind it."""
    make = decoders.FINDERS[decoders.LibraryDecoder.name]()
    if make is None:
        reason = "not run: this host has no libzstd"
        if os.environ.get(REQUIRE_JUDGES) == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    library, taken = make(), 0
    for frame, size in mutants(99, 500):
        content, _ = plainly(frame, size)
        if content is not None:
            target = bytearray(size)
            assert library.frame(memoryview(bytearray(frame)), memoryview(target)), frame.hex()
            assert target == content
            taken += 1
    assert taken > 40


# --- a whole kit, with a bare Python ---------------------------------------------------------

WITHOUT_NATIVE = """\
import sys; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0])
from verifier.decoders import FINDERS
for name in "compression.zstd", "libzstd", "zstd program": del FINDERS[name]
from verifier.cli import entry; entry()"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with zstd frames of a big member and of small ones, and with raw frames."""
    files = {f"a/{name}": data for name, data in samples(300_000).items() if name != "noise"}
    files |= {"a/big": text(5_000_000), "a/raw": noise(1_500_000), "a/empty": b""}
    made = make_kit(tmp_path_factory.mktemp("plain"), files)
    made.pyz.write_bytes(compiled(made.pyz.read_bytes()))
    return made


def run_bare(made: Made, kit: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the kit's own verifier with nothing installed, no environment and no native zstd."""
    command: list[str | Path] = [BARE_PYTHON, "-I", "-S", "-c", WITHOUT_NATIVE, made.pyz]
    return subprocess.run(
        [*command, kit, "--root", ROOT_FILE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={},
        timeout=300,
    )


@pytest.mark.slow
def test_bare_python_proves_and_extracts_a_whole_kit(kit: Made, tmp_path: Path) -> None:
    done = run_bare(kit, kit.path, "--json", "--extract", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "verified"
    assert report["proof"] == "full"
    assert report["decoder"] == "plain Python (slow)"
    assert done.stderr.startswith("note: this host has no native zstd")
    assert "--quick" in done.stderr
    found = {path: data for path, (_, data) in read_tree(tmp_path / "out").items()}
    assert {path: found[path] for path in kit.files} == kit.files


@pytest.mark.slow
def test_bare_python_refuses_a_kit_whose_frame_was_changed(kit: Made, tmp_path: Path) -> None:
    copy = bytearray(kit.path.read_bytes())
    copy[len(copy) // 2] ^= 1
    (tmp_path / "copy").write_bytes(copy)
    done = run_bare(kit, tmp_path / "copy", "--extract", tmp_path / "out")
    assert (done.returncode, done.stdout.splitlines()[0]) == (4, "REJECTED: digest-mismatch")
    assert not (tmp_path / "out").exists()
