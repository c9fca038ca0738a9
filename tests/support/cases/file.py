"""Files whose frames are not those of a kit, or not all of them (FORMAT 1.2, 10); nothing signed."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.support.assembler import OWN, Draft, Entry, assemble, boundaries
from tests.support.hooks import Hook, flip
from tests.support.naive import MIB, raw_frame, seek_table
from tests.support.vector import NOTHING, CLAIMS, KIT, Case, bad

TRUNCATED, TRAILING, LAYOUT = "kit-truncated", "trailing-bytes", "layout-mismatch"
SEEK = "seek-table-mismatch"
Z_KIT = Draft((*OWN, Entry(b"tools/z", bytes(9999))), level=3)
BIG_KIT = Draft((*OWN, Entry(b"tools/z", bytes(9 * MIB))), level=3)
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip"


def file(name: str, rules: str, code: str, why: str, change: Callable[[bytes], bytes],
         draft: Draft | None = None, shown: str = KIT, quick: str | None = None) -> Case:
    """Return a vector with other bytes in the file."""
    make = lambda: assemble(draft or Draft(), file=change)  # noqa: E731  # the table reads better
    return bad(f"file_{name}", rules, code, why, make, shown=shown, quick=quick)


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
    file("compressed_page", "1.2 2.1", "not-a-kit", "A compressed first frame.",
         lambda kit: b"\x28\xb5\x2f\xfd\x64" + kit[5:], shown=NOTHING),
    file("tar_other", "4.8", "not-a-kit", "A tar of something else.",
         lambda kit: b"README.txt".ljust(100, b"\0") + kit[100:], Draft(plain=True), NOTHING,
         "not-a-kit"),
    file("junk_before", "1.2", "not-a-kit", "A byte before the kit.", lambda kit: b"\0" + kit,
         shown=NOTHING),
    file("skippable_before", "1.2", "not-a-kit", "A skippable frame before the kit.",
         lambda kit: SKIPPABLE + kit, shown=NOTHING),
    file("page_single_segment", "2.1", "not-a-kit", "The first frame has the single-segment flag.",
         lambda kit: kit[:4] + b"\xe0" + kit[5:], shown=NOTHING),
    file("page_block", "2.1", LAYOUT, "The first block of the first frame has another type.",
         flip(14, 1), shown=NOTHING),
    file("page_swapped", "4.6", "threshold-not-met", "The page of another kit before this one.",
         lambda kit: other_page() + kit[boundaries(kit)[0][1]:], shown=CLAIMS) if False else
    file("rest_swapped", "12.1", "digest-mismatch", "The page of this kit before another kit.",
         lambda kit: kit[: boundaries(kit)[0][1]] + another()[boundaries(another())[0][1]:]),
]


def another() -> bytes:
    """Return another good kit of the same sizes."""
    return assemble(Draft((*OWN, Entry(b"tools/doc.txt", b"x" * 31), Entry(
        b"tools/run", b"y" * 35, mode=b"0755"))))


CUT = [
    file("cut_page", "1.2", TRUNCATED, "It ends in the page.", cut(0, 30_000), shown=NOTHING),
    file("cut_behind_page", "1.2", TRUNCATED, "It ends behind the page.", cut(1), shown=NOTHING),
    file("cut_roots", "1.2", TRUNCATED, "It ends in kit.roots.json.", cut(1, 900), shown=NOTHING),
    file("cut_index", "1.2", TRUNCATED, "It ends in kit.index.", cut(2, 600)),
    file("cut_frames", "1.2", TRUNCATED, "It ends in kit.frames.", cut(3, 515)),
    file("cut_first_members", "1.2", TRUNCATED, "It ends before the first members.", cut(4)),
    file("cut_payload", "1.2", TRUNCATED, "It ends in the payload.", cut(5, 100)),
    file("cut_big_member", "1.2", TRUNCATED, "It ends between two frames of a member.",
         cut(6), BIG_KIT),
    file("cut_end", "10.1", TRUNCATED, "It ends in the end of the tar stream.", cut(6, 500)),
    file("cut_seek_table", "10.1", TRUNCATED, "The seek table is missing.",
         lambda kit: kit[: boundaries(kit)[-1][1]]),
    file("cut_last_byte", "10.1", TRUNCATED, "The last byte is missing.", lambda kit: kit[:-1]),
    file("cut_plain", "10.1", TRUNCATED, "The last block of a plain kit is missing.",
         lambda kit: kit[:-512], Draft(plain=True), quick="usage"),
]

MORE = [
    file("trailing_byte", "1.2 10.1", TRAILING, "A byte behind the kit.", lambda kit: kit + b"\0"),
    file("trailing_kit", "1.2 10.1", TRAILING, "The kit twice.", lambda kit: kit * 2),
    file("trailing_frame", "1.2 10.1", TRAILING, "A frame behind the kit.",
         lambda kit: kit + raw_frame(b"more")),
    file("trailing_skippable", "1.2 10.1", TRAILING, "A skippable frame behind the kit.",
         lambda kit: kit + SKIPPABLE),
    file("trailing_seek_table", "10.1", TRAILING, "The seek table twice.",
         lambda kit: kit + kit[boundaries(kit)[-1][1]:]),
    file("trailing_plain", "10.1", TRAILING, "A plain kit in records of 10,240 bytes.",
         lambda kit: kit + bytes(-len(kit) % 10_240), Draft(plain=True), quick="usage"),
]

FRAMES = [
    frames("end_byte", "10.1", LAYOUT, "The end is not zeros.", lambda f: [*f[:-1], raw_frame(
        bytes(1023) + b"\1")]),
    frames("end_longer", "10.1", LAYOUT, "The end has 1,536 zeros.",
           lambda f: [*f[:-1], raw_frame(bytes(1536))]) if False else
    frames("frame_split", "8.3 10.1", "x", "", lambda f: f),
    frames("frames_swapped", "1.2", LAYOUT, "The first members before kit.frames.",
           lambda f: [*f[:3], f[4], f[3], *f[5:]]),
]
