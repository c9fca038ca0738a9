"""Payload frames that break FORMAT 2, behind digests that are right; and members that differ.

With ``--quick`` what is signed is compared and nothing is decoded, so most of these are accepted
there: the signers vouch for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.assembler import OWN, Draft, Part, assemble, z_frame, zstd
from tests.support.drafts import NOISE
from tests.support.hooks import Hook, at, flip, handmade, reframe, swap
from tests.support.naive import MIB, Entry
from tests.support.vector import Case, bad
from tests.support.zstdframes import block, raw_literals

INVALID, MISMATCH, LAYOUT = "frame-invalid", "digest-mismatch", "layout-mismatch"
ZEROS = Entry(b"tools/z", bytes(9999))
ONE_Z = Draft((*OWN, ZEROS), level=3)
ONE_R = Draft((*OWN, ZEROS))
EMPTY_FRAME = zstd(b"")
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip"


def frame(
    name: str,
    why: str,
    make: Callable[[bytes], bytes],
    rules: str = "2.2",
    draft: Draft | None = None,
) -> Case:
    """Return a vector whose only zstd frame has these bytes, signed."""
    hooks = reframe(lambda content: z_frame(make(content)))
    whole = draft or ONE_R
    return bad(f"zstd_{name}", rules, INVALID, why, lambda: assemble(whole, **hooks), quick="")


def remade(name: str, why: str, **parts: Any) -> Case:
    """Return a vector whose only zstd frame is written by hand."""
    return frame(name, why, lambda content: handmade(content, **parts))


def reserved_block(content: bytes) -> bytes:
    """Return a frame whose first block has the type that is reserved."""
    data = bytearray(handmade(content))
    data[14] |= 3 << 1
    return bytes(data)


def no_last_block(content: bytes) -> bytes:
    """Return a frame whose last block does not say that it is the last."""
    data = bytearray(handmade(content))
    data[14 + 3 + 512] &= 0xFE
    return bytes(data)


FRAMES = [
    frame("garbage", "Bytes of no kind of frame.", lambda c: b"garbage" * 9),
    frame("empty", "No bytes at all.", lambda c: b""),
    frame("magic_only", "Only the magic.", lambda c: zstd(c)[:4]),
    frame("legacy_magic", "The magic of zstd 0.7.", lambda c: b"\x27" + zstd(c)[1:]),
    frame("magicless", "No magic.", lambda c: zstd(c)[4:]),
    frame("skippable", "A skippable frame.", lambda c: SKIPPABLE),
    frame("skippable_before", "A skippable frame before the frame.", lambda c: SKIPPABLE + zstd(c)),
    frame("skippable_behind", "A skippable frame behind the frame.", lambda c: zstd(c) + SKIPPABLE),
    frame("two_frames", "An empty frame behind the frame.", lambda c: zstd(c) + EMPTY_FRAME),
    frame(
        "two_halves", "Two frames, each with one half.", lambda c: zstd(c[:5000]) + zstd(c[5000:])
    ),
    frame("trailing_byte", "A byte behind the frame.", lambda c: zstd(c) + b"\0"),
    frame("trailing_checksum", "The checksum twice.", lambda c: zstd(c) + zstd(c)[-4:]),
    frame("cut_byte", "The last byte of the checksum is missing.", lambda c: zstd(c)[:-1]),
    frame("cut_checksum", "The checksum is missing.", lambda c: zstd(c)[:-4]),
    frame("cut_block", "The last block is cut.", lambda c: zstd(c)[:-9]),
    frame(
        "no_checksum",
        "The flag of the checksum is not set.",
        lambda c: zstd(c, write_checksum=False),
    ),
    frame("no_content_size", "No content size.", lambda c: zstd(c, write_content_size=False)),
    frame("checksum_wrong", "The checksum is wrong.", lambda c: flip(-1)(zstd(c))),
    frame("no_last_block", "No block is the last one.", no_last_block),
    frame("reserved_block", "A block of the reserved type.", reserved_block),
    frame(
        "rle_block_over_window",
        "An RLE block of more than the window of 1,024 bytes.",
        lambda c: handmade(c, window=b"\0"),
    ),
    frame(
        "raw_block_over_window",
        "A raw block of 1,025 bytes, with a window of 1,024.",
        lambda c: handmade(c, (1025, *(1024,) * 9), window=b"\0"),
    ),
    frame(
        "compressed_block_over_window",
        "A compressed block of 1,025 bytes, with a window of 1,024.",
        lambda c: handmade(
            c[:1000] + c[2021:],
            (500, 500, *(1024,) * 8),
            window=b"\0",
            size=struct.pack("<Q", len(c)),
            after=block(raw_literals(c[1000:2021]) + b"\0", last=False),
            checksum=zstd(c)[-4:],
        ),
    ),
    frame(
        "rle_block_over_128_kib",
        "An RLE block of 131,073 bytes.",
        lambda c: handmade(c, (512, 131_073), window=b"\x58"),
        draft=Draft((*OWN, Entry(b"tools/z", bytes(200_000)))),
    ),
    frame(
        "compressed_block_empty",
        "A compressed block without a byte between two others.",
        lambda c: handmade(c, (512, 1000), after=block(b"", last=False)),
    ),
    frame(
        "blocks_over_content",
        "A raw block that ends one byte behind the content.",
        lambda c: handmade(c + b"\1", (512, len(c) - 512), size=struct.pack("<Q", len(c))),
    ),
    remade("window_too_large", "A window of 8 MiB.", window=b"\x68"),
    remade("window_just_too_large", "A window of 4,718,592 bytes.", window=b"\x61"),
    remade("window_huge", "A window of 3.75 TiB.", window=b"\xff"),
    remade("reserved_bit", "The reserved bit of the descriptor is set.", descriptor=0xCC),
    remade("unused_bit", "The unused bit of the descriptor is set.", descriptor=0xD4),
    remade("dictionary", "A dictionary id of one byte.", descriptor=0xC5, extra=b"\x07"),
    remade(
        "dictionary_zero", "A dictionary id of one byte that is 0.", descriptor=0xC5, extra=b"\0"
    ),
    remade(
        "dictionary_four", "A dictionary id of four bytes.", descriptor=0xC7, extra=b"\x07\0\0\0"
    ),
    frame(
        "content_size_larger",
        "A content size that is one too large.",
        lambda c: handmade(c, size=struct.pack("<Q", len(c) + 1)),
    ),
    frame(
        "content_size_smaller",
        "A content size that is one too small.",
        lambda c: handmade(c, size=struct.pack("<Q", len(c) - 1)),
    ),
    remade("content_size_huge", "A content size of 16 EiB.", size=b"\xff" * 8),
    remade("content_size_zero", "A content size of 0.", size=bytes(8)),
    frame(
        "content_shorter",
        "The content is one byte shorter than the plan.",
        lambda c: handmade(c[:-1]),
    ),
    frame(
        "content_longer",
        "The content is one byte longer than the plan.",
        lambda c: handmade(c + b"\0"),
    ),
    frame(
        "content_longer_size_lie",
        "One byte more than the content size says.",
        lambda c: handmade(c + b"\0", size=struct.pack("<Q", len(c))),
    ),
    frame(
        "bomb",
        "Far more zeros than the content size says.",
        lambda c: handmade(bytes(30 * MIB), size=struct.pack("<Q", len(c))),
    ),
]


def changed(
    name: str,
    rules: str,
    code: str,
    why: str,
    change: Hook,
    draft: Draft = ONE_R,
    quick: str | None = None,
) -> Case:
    """Return a vector whose tar stream differs from what the index says; signed as it is."""
    return bad(name, rules, code, why, lambda: assemble(draft, parts=change), quick=quick)


def data(change: Callable[[bytes], bytes]) -> Hook:
    """Return a hook that changes the contents of the last member and leaves their length."""

    def hook(part: Part) -> Part:
        part.data = change(part.data)
        return part

    return at(-1, hook)


BIG = Entry(b"tools/z", bytes(5 * MIB))
BIG_Z, BIG_R = Draft((*OWN, BIG), level=3), Draft((*OWN, BIG))
TWO_SMALL = Draft((*OWN, Entry(b"tools/y", b"y" * 700), Entry(b"tools/z", b"z" * 700)))

MEMBERS = [
    changed(
        "member_differs",
        "12.1",
        MISMATCH,
        "A small member in a raw frame differs.",
        data(flip(5000)),
    ),
    changed(
        "member_differs_zstd",
        "12.1",
        MISMATCH,
        "A small member in a zstd frame differs.",
        data(flip(5000)),
        ONE_Z,
        quick="",
    ),
    changed(
        "member_differs_big",
        "12.1",
        MISMATCH,
        "A big member in raw frames differs.",
        data(flip(4_500_000)),
        BIG_R,
    ),
    changed(
        "member_differs_big_zstd",
        "12.1",
        MISMATCH,
        "A big member in zstd frames differs.",
        data(flip(4_500_000)),
        BIG_Z,
        quick="",
    ),
    changed(
        "member_differs_readme",
        "12.1",
        MISMATCH,
        "README.txt differs.",
        at(1, lambda part: replace(part, data=flip(3)(part.data))),
    ),
    changed(
        "member_differs_sums",
        "6.7 12.1",
        MISMATCH,
        "SHA256SUMS in the archive is not the one that the index names.",
        at(0, lambda part: replace(part, data=flip(3)(part.data))),
    ),
    changed(
        "members_exchanged",
        "12.1",
        MISMATCH,
        "The contents of two members, exchanged.",
        lambda parts: [
            *parts[:-2],
            replace(parts[-2], data=parts[-1].data),
            replace(parts[-1], data=parts[-2].data),
        ],
        TWO_SMALL,
    ),
    changed(
        "members_order",
        "1.3 12.1",
        LAYOUT,
        "Two members in another order than the index's.",
        lambda parts: [*parts[:-2], parts[-1], parts[-2]],
        TWO_SMALL,
    ),
    changed(
        "member_twice",
        "1.3 12.1",
        LAYOUT,
        "One member twice, another one missing.",
        lambda parts: [*parts[:-2], parts[-2], parts[-2]],
        TWO_SMALL,
    ),
]


def stored(
    name: str,
    rules: str,
    code: str,
    why: str,
    change: Callable[[bytes], bytes],
    draft: Draft,
    which: int = -2,
) -> Case:
    """Return a vector with one frame of the file changed and nothing signed anew."""
    return bad(name, rules, code, why, lambda: assemble(draft, frames=at(which, change)))


def turned(content: bytes) -> bytes:
    """Return a frame of blocks of 1,000 and 2,000 zeros behind the header."""
    return handmade(content, [512, 1000, 2000])


TURNED = reframe(lambda content: z_frame(turned(content)))
MIXED = Draft((*OWN, Entry(b"tools/z", bytes(4 * MIB) + NOISE)), level=3)

STORED = [
    stored("stored_bit", "2.2 12.1", MISMATCH, "One bit of a zstd frame flipped.", flip(20), ONE_Z),
    stored(
        "stored_bit_big",
        "2.2 12.1",
        MISMATCH,
        "One bit of the last frame of a big member.",
        flip(-1),
        BIG_Z,
    ),
    stored(
        "stored_checksum",
        "2.2 12.1",
        MISMATCH,
        "A bit of a zstd frame's checksum flipped.",
        flip(-1),
        ONE_Z,
    ),
    bad(
        "stored_respelled",
        "2.2 12.1",
        MISMATCH,
        "Another frame of the same size that decodes to the same bytes.",
        lambda: assemble(
            ONE_R, **TURNED, frames=at(-2, lambda old: handmade(content_of(old), [512, 2000, 1000]))
        ),
    ),
    stored(
        "stored_raw_bit",
        "12.1",
        MISMATCH,
        "One bit of the contents of a raw frame flipped.",
        flip(3000),
        ONE_R,
    ),
    stored(
        "stored_raw_bit_mixed",
        "8.5 12.1",
        MISMATCH,
        "One bit of the raw frame of a mixed member.",
        flip(200),
        MIXED,
    ),
    stored(
        "stored_raw_head_bit",
        "2.1",
        LAYOUT,
        "The content size in a raw frame differs.",
        flip(6),
        ONE_R,
    ),
    stored(
        "stored_raw_window",
        "2.1",
        LAYOUT,
        "Another window in a raw frame.",
        lambda old: old[:5] + b"\x40" + old[6:],
        ONE_R,
    ),
    stored(
        "stored_raw_single_segment",
        "2.1",
        LAYOUT,
        "A raw frame with the single-segment flag.",
        lambda old: old[:4] + b"\xe0" + old[5:],
        ONE_R,
    ),
    stored(
        "stored_raw_block_type",
        "2.1",
        LAYOUT,
        "A block of another type in a raw frame.",
        flip(14, 1),
        ONE_R,
    ),
    stored(
        "stored_raw_no_last_block", "2.1", LAYOUT, "No last block in a raw frame.", flip(14), ONE_R
    ),
    stored(
        "stored_first_frame",
        "2.1 12.1",
        MISMATCH,
        "One bit of kit-verify.pyz flipped.",
        swap(b"not a program", b"now a program"),
        ONE_R,
        4,
    ),
]


def content_of(stored_frame: bytes) -> bytes:
    """Return the content of a frame that `turned` made: it is put together, not decoded."""
    header = stored_frame[17 : 17 + 512]
    return header + bytes(10_240)


CASES: list[Case] = [*FRAMES, *MEMBERS, *STORED]
