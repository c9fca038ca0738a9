"""Whole frames by hand: good ones give their content, bad ones are refused for their fault."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import verifier.zstd
from tests.support.making import noise, text
from tests.support.together import together
from tests.support.zstdcases import BAD, DOUBTFUL, GOOD, LAX, Bad, Lax
from tests.support.zstdframes import (
    MAGIC,
    RLE,
    block,
    frame,
    one_symbol_each,
    raw_literals,
    rle_literals,
)
from tests.support.zstdlimits import LIMITS
from verifier.core.errors import DecoderMissing
from verifier.core.limits import BLOCK, MAX_CONTENT
from verifier.core.members import Decoder
from verifier.decoders import FINDERS, PlainDecoder
from verifier.zstd.bits import Corrupt, Doubtful
from verifier.zstd.frame import decode
from verifier.zstd.xxh64 import xxh64


def plain() -> Decoder:
    """Return the decoder as the verifier makes it."""
    make = FINDERS[PlainDecoder.name]()
    assert make is not None
    return make()


@together(
    ("data", "content"),
    [*GOOD.values(), *LIMITS.values()],
    ids=[*GOOD.keys(), *LIMITS.keys()],
)
def test_good_frame_gives_its_content(data: bytes, content: bytes) -> None:
    assert decode(data, len(content)) == content


@together("bad", BAD.values(), ids=BAD.keys())
def test_bad_frame_is_refused_for_its_fault(bad: Bad) -> None:
    with pytest.raises(Corrupt) as caught:
        decode(bad.frame, bad.size)
    assert str(caught.value) == bad.why


@together("lax", LAX.values(), ids=LAX.keys())
def test_lax_frame_gives_the_content_that_is_clear(lax: Lax) -> None:
    assert decode(lax.frame, len(lax.content)) == lax.content


@together("name", BAD)
def test_refusal_says_whether_others_may_differ(name: str) -> None:
    """Then it is no verdict: the host of a laxer decoder would have another one (FORMAT 2.4)."""
    bad = BAD[name]
    with pytest.raises(Corrupt) as caught:
        decode(bad.frame, bad.size)
    assert isinstance(caught.value, Doubtful) == (name in DOUBTFUL)


def test_every_refusal_has_a_case() -> None:
    """What no frame by hand is refused for could be wrong, or never happen."""
    folder = Path(verifier.zstd.__file__).parent
    said = {
        match
        for path in folder.glob("*.py")
        for match in re.findall(r'(?:Corrupt|Doubtful)\)?\(\s*f?"([^"]+)"', path.read_text("utf-8"))
    }
    named = re.compile(r"^\w+(?=: no end mark)")
    assert {named.sub("{name}", bad.why) for bad in BAD.values()} == said


# --- nothing else than False, nothing outside of its buffers ---------------------------------


def into_the_middle(data: bytes, size: int) -> tuple[bool, bytes]:
    """Decode from and into the middle of larger buffers; check that nothing else was touched."""
    source, target = bytearray(b"\xcc" * 99 + data + b"\xcc" * 99), bytearray(b"\xaa" * (size + 64))
    before = bytes(source)
    try:
        good = plain().frame(memoryview(source)[99:-99], memoryview(target)[32 : size + 32])
    except DecoderMissing:
        good = False
    assert source == before
    assert target[:32] + target[size + 32 :] == b"\xaa" * 64
    return good, bytes(target[32 : size + 32])


@together(("data", "content"), GOOD.values(), ids=GOOD.keys())
def test_good_frame_fills_exactly_its_buffer(data: bytes, content: bytes) -> None:
    assert into_the_middle(data, len(content)) == (True, content)


@together("bad", BAD.values(), ids=BAD.keys())
def test_bad_frame_leaves_its_buffer_alone(bad: Bad) -> None:
    assert into_the_middle(bad.frame, bad.size) == (False, b"\xaa" * bad.size)


@together("name", sorted(DOUBTFUL))
def test_frame_that_decoders_disagree_about_is_no_verdict(name: str) -> None:
    frame, size, _ = BAD[name]
    with pytest.raises(DecoderMissing, match="disagree"):
        plain().frame(memoryview(bytearray(frame)), memoryview(bytearray(size)))


@together(("data", "content"), GOOD.values(), ids=GOOD.keys())
def test_no_beginning_of_a_frame_and_no_other_size_is_enough(data: bytes, content: bytes) -> None:
    step = max(1, len(data) // 100)
    for end in range(0, len(data), step):
        assert not into_the_middle(data[:end], len(content))[0]
    assert not into_the_middle(data, len(content) + 1)[0]
    assert not content or not into_the_middle(data, len(content) - 1)[0]


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_are_an_answer(data: bytes, size: int) -> None:
    for start in (b"", MAGIC, MAGIC + b"\0\0", MAGIC + bytes((0x20, size & 255))):
        into_the_middle(start + data, size)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_damage_is_an_answer(name: str, data: st.DataObject) -> None:
    original, content = GOOD[name]
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    into_the_middle(bytes(damaged), len(content))


# --- memory ----------------------------------------------------------------------------------

BOMBS = {
    "one byte many times": frame(*[block(b"x", RLE, size=BLOCK, last=False)] * 500),
    "one match many times": frame(
        block(b"x", RLE, size=9, last=False),
        block(raw_literals(b"") + one_symbol_each(0, 2, 52, *[(0, 2), (9, 16)] * 999, count=999)),
    ),
    "one literal many times": frame(
        *[block(rle_literals(b"x", BLOCK) + b"\0", last=False)] * 500,
    ),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_memory_is_bounded_by_the_plan(bomb: bytes) -> None:
    decoder, target = plain(), memoryview(bytearray(1000))
    decoder.frame(memoryview(bomb), target)  # tables that stay are made
    tracemalloc.start()
    try:
        assert not decoder.frame(memoryview(bomb), target)
        assert tracemalloc.get_traced_memory()[1] < 3 * BLOCK + 3 * len(bomb)
    finally:
        tracemalloc.stop()


def test_largest_content_of_a_frame() -> None:
    content = text(MAX_CONTENT)
    data = zstandard.ZstdCompressor(write_checksum=True).compress(content)
    assert into_the_middle(data, MAX_CONTENT) == (True, content)
    data = zstandard.ZstdCompressor(write_checksum=True).compress(content + b"x")
    assert not into_the_middle(data, MAX_CONTENT + 1)[0]


# --- the checksum ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_published_values_of_xxh64(data: bytes, value: int) -> None:
    assert xxh64(data) == value


def test_checksums_of_libzstd_at_every_length() -> None:
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    for size in [*range(200), 1000, 4095, 70_001]:
        data = noise(size, size)
        assert compressor.compress(data)[-4:] == (xxh64(data) & 0xFFFFFFFF).to_bytes(4, "little")
    for byte in (0, 255):  # every carry, and none
        data = bytes((byte,)) * 4096
        assert compressor.compress(data)[-4:] == (xxh64(data) & 0xFFFFFFFF).to_bytes(4, "little")
