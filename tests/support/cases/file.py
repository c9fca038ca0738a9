"""Files whose frames are not those of the kit that was signed (FORMAT 1.2, 10)."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.support.assembler import OWN, Draft, assemble, boundaries, zstd
from tests.support.hooks import Hook, at, flip
from tests.support.naive import MIB, Entry, raw_frame, seek_table
from tests.support.vector import KIT, NOTHING, Case, bad

TRUNCATED, TRAILING = "kit-truncated", "trailing-bytes"
LAYOUT, MISMATCH = "layout-mismatch", "digest-mismatch"
SEEK = "seek-table-mismatch"
ZEROS = Entry(b"tools/z", bytes(9999))
Z_KIT = Draft((*OWN, ZEROS), level=3)
BIG_KIT = Draft((*OWN, Entry(b"tools/z", bytes(9 * MIB))), level=3)


def skippable(size: int) -> bytes:
    """Return a skippable frame of that many bytes."""
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", size - 8) + bytes(size - 8)


SKIPPABLE = skippable(12)


def file(
    name: str,
    rules: str,
    code: str,
    why: str,
    change: Callable[[bytes], bytes],
    draft: Draft | None = None,
    shown: str = KIT,
    quick: str | None = None,
) -> Case:
    """Return a vector with other bytes in the file."""
    return bad(
        f"file_{name}",
        rules,
        code,
        why,
        lambda: assemble(draft or Draft(), file=change),
        shown=shown,
        quick=quick,
    )


def cut(frame: int, more: int = 0) -> Callable[[bytes], bytes]:
    """Return what ends a kit ``more`` bytes behind the start of a frame."""
    return lambda kit: kit[: boundaries(kit)[frame][0] + more]


def frames(name: str, rules: str, code: str, why: str, change: Hook, **more: str) -> Case:
    """Return a vector with other frames, and the seek table of the right ones."""
    return bad(f"file_{name}", rules, code, why, lambda: assemble(Z_KIT, frames=change), **more)


def seek(name: str, why: str, change: Hook) -> Case:
    """Return a vector with another seek table."""
    return bad(f"seek_{name}", "10.1", SEEK, why, lambda: assemble(Z_KIT, seek=change))


def entries(table: bytes) -> list[tuple[int, int]]:
    """Return what a seek table says of each frame."""
    found = struct.iter_unpack("<II", table[8:-9])
    return [(stored, content) for stored, content in found]


NO_KIT = [
    file("empty", "1.1", TRUNCATED, "No bytes.", lambda kit: b"", shown=NOTHING),
    file("short", "1.1", TRUNCATED, "Thirteen bytes.", lambda kit: kit[:13], shown=NOTHING),
    file("zeros", "1.1", "not-a-kit", "Zeros.", lambda kit: bytes(2048), shown=NOTHING),
    file("text", "1.1", "not-a-kit", "Text.", lambda kit: b"not a kit\n" * 99, shown=NOTHING),
    file("gzip", "1.1", "not-a-kit", "gzip.", lambda kit: b"\x1f\x8b\x08" + kit, shown=NOTHING),
    file(
        "compressed_page",
        "1.2 2.1",
        "not-a-kit",
        "A compressed first frame.",
        lambda kit: b"\x28\xb5\x2f\xfd\x64" + kit[5:],
        shown=NOTHING,
    ),
    file(
        "tar_other",
        "4.8",
        "not-a-kit",
        "A tar of something else.",
        lambda kit: b"README.txt".ljust(100, b"\0") + kit[100:],
        Draft(plain=True),
        NOTHING,
        "not-a-kit",
    ),
    file(
        "junk_before",
        "1.2",
        "not-a-kit",
        "A byte before the kit.",
        lambda kit: b"\0" + kit,
        shown=NOTHING,
    ),
    file(
        "skippable_before",
        "1.2",
        "not-a-kit",
        "A skippable frame before the kit.",
        lambda kit: SKIPPABLE + kit,
        shown=NOTHING,
    ),
    file(
        "page_single_segment",
        "2.1",
        "not-a-kit",
        "The first frame has the single-segment flag.",
        lambda kit: kit[:4] + b"\xe0" + kit[5:],
        shown=NOTHING,
    ),
    file(
        "page_block",
        "2.1",
        LAYOUT,
        "The first block of the first frame has another type.",
        flip(14, 1),
        shown=NOTHING,
    ),
    file(
        "rest_swapped",
        "12.1",
        "digest-mismatch",
        "The page of this kit before another kit.",
        lambda kit: kit[: boundaries(kit)[0][1]] + another()[boundaries(another())[0][1] :],
    ),
]


def zstd_of_raw(old: bytes) -> bytes:
    """Return a zstd frame of a raw frame's content, filled up to its size."""
    made = zstd(old[17:])
    return made + skippable(len(old) - len(made))


def another() -> bytes:
    """Return another good kit of the same sizes."""
    return assemble(
        Draft(
            (*OWN, Entry(b"tools/doc.txt", b"x" * 31), Entry(b"tools/run", b"y" * 35, mode=b"0755"))
        )
    )


CUT = [
    file("cut_page", "1.2", TRUNCATED, "It ends in the page.", cut(0, 30_000), shown=NOTHING),
    file("cut_behind_page", "1.2", TRUNCATED, "It ends behind the page.", cut(1), shown=NOTHING),
    file("cut_roots", "1.2", TRUNCATED, "It ends in kit.roots.json.", cut(1, 900), shown=NOTHING),
    file("cut_index", "1.2", TRUNCATED, "It ends in kit.index.", cut(2, 600)),
    file("cut_frames", "1.2", TRUNCATED, "It ends in kit.frames.", cut(3, 515)),
    file("cut_first_members", "1.2", TRUNCATED, "It ends before the first members.", cut(4)),
    file("cut_payload", "1.2", TRUNCATED, "It ends in the payload.", cut(5, 100)),
    file(
        "cut_big_member",
        "1.2",
        TRUNCATED,
        "It ends between two frames of a member.",
        cut(6),
        BIG_KIT,
    ),
    file("cut_end", "10.1", TRUNCATED, "It ends in the end of the tar stream.", cut(6, 500)),
    file(
        "cut_seek_table",
        "10.1",
        TRUNCATED,
        "The seek table is missing.",
        lambda kit: kit[: boundaries(kit)[-1][1]],
    ),
    file("cut_last_byte", "10.1", TRUNCATED, "The last byte is missing.", lambda kit: kit[:-1]),
    file(
        "cut_plain",
        "10.1",
        TRUNCATED,
        "The last block of a plain kit is missing.",
        lambda kit: kit[:-512],
        Draft(plain=True),
        quick="usage",
    ),
]

MORE = [
    file("trailing_byte", "1.2 10.1", TRAILING, "A byte behind the kit.", lambda kit: kit + b"\0"),
    file("trailing_kit", "1.2 10.1", TRAILING, "The kit twice.", lambda kit: kit * 2),
    file(
        "trailing_frame",
        "1.2 10.1",
        TRAILING,
        "A frame behind the kit.",
        lambda kit: kit + raw_frame(b"more"),
    ),
    file(
        "trailing_skippable",
        "1.2 10.1",
        TRAILING,
        "A skippable frame behind the kit.",
        lambda kit: kit + SKIPPABLE,
    ),
    file(
        "trailing_seek_table",
        "10.1",
        TRAILING,
        "The seek table twice.",
        lambda kit: kit + kit[boundaries(kit)[-1][1] :],
    ),
    file(
        "trailing_plain",
        "10.1",
        TRAILING,
        "A plain kit in records of 10,240 bytes.",
        lambda kit: kit + bytes(-len(kit) % 10_240),
        Draft(plain=True),
        quick="usage",
    ),
]

FRAMES = [
    frames(
        "end_byte",
        "10.1",
        LAYOUT,
        "The end is not all zeros.",
        at(-1, lambda old: raw_frame(bytes(1023) + b"\1")),
    ),
    frames(
        "first_swapped",
        "1.2",
        LAYOUT,
        "The first members before kit.frames.",
        lambda f: [*f[:3], f[4], f[3], *f[5:]],
    ),
    frames(
        "skippable_instead",
        "1.2 2.2",
        MISMATCH,
        "A skippable frame in place of the payload.",
        at(-2, lambda old: skippable(len(old))),
    ),
    frames(
        "raw_instead",
        "8.5",
        MISMATCH,
        "A raw frame in place of a zstd frame of its size.",
        at(-2, lambda old: raw_frame(bytes(len(old) - 17))),
    ),
    bad(
        "file_zstd_instead",
        "2.1 8.5",
        LAYOUT,
        "A zstd frame of the right content, and a skippable one, in place of a raw frame.",
        lambda: assemble(Draft((*OWN, ZEROS)), frames=at(-2, zstd_of_raw)),
    ),
    frames(
        "frame_inserted",
        "1.2",
        TRAILING,
        "A skippable frame before the payload.",
        lambda f: [*f[:-2], SKIPPABLE, *f[-2:]],
        pipe=MISMATCH,
    ),
    frames(
        "empty_frame_inserted",
        "1.2",
        TRAILING,
        "A raw frame without content before the end.",
        lambda f: [*f[:-1], raw_frame(b""), f[-1]],
        pipe=LAYOUT,
    ),
    frames(
        "frame_missing",
        "1.2",
        TRUNCATED,
        "The payload is missing.",
        lambda f: [*f[:-2], f[-1]],
        pipe=MISMATCH,
    ),
]

SEEK_TABLE = [
    seek("zeros", "Zeros.", lambda table: bytes(len(table))),
    seek("magic", "Another magic of a skippable frame.", flip(0)),
    seek("last_magic", "Another magic at the end.", flip(-1)),
    seek("size", "Another size of the skippable frame.", flip(4)),
    seek("descriptor", "The flag that says there are checksums.", flip(-5, 7)),
    seek(
        "count",
        "One frame fewer in the number of frames.",
        lambda table: table[:-9] + struct.pack("<I", len(entries(table)) - 1) + table[-5:],
    ),
    seek("stored", "Another size of a frame in the file.", flip(8 + 8 * 4)),
    seek("content", "Another size of the content of a frame.", flip(12 + 8 * 4)),
    seek(
        "swapped",
        "Two frames, exchanged.",
        lambda table: seek_table([*entries(table)[1::-1], *entries(table)[2:]]),
    ),
]

CASES: list[Case] = [*NO_KIT, *CUT, *MORE, *FRAMES, *SEEK_TABLE]
