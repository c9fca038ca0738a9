"""tar streams that differ from the one that follows from the index (FORMAT 1.3, 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support import naive
from tests.support.assembler import MTIME, OWN, TOOLS, Draft, Part, assemble
from tests.support.hooks import Hook, at, flip, header
from tests.support.naive import MIB, Entry, pad, record
from tests.support.vector import Case, bad

LAYOUT = "layout-mismatch"
RUN = TOOLS[1]
LONG = Entry(b"tools/" + b"n" * 101, b"long")
SPLIT = Entry(b"tools/" + b"p" * 40 + b"/" + b"q" * 60 + b"/n", b"split")
BIG = Entry(b"tools/z", bytes(MIB + 1))
LONG_KIT, SPLIT_KIT, BIG_KIT = (Draft((*OWN, entry)) for entry in (LONG, SPLIT, BIG))


def tar(name: str, rules: str, why: str, change: Hook, draft: Draft | None = None) -> Case:
    """Return a vector with another tar stream."""
    return bad(f"tar_{name}", rules, LAYOUT, why, lambda: assemble(draft or Draft(), parts=change))


def field(name: str, why: str, change: Callable[[bytes], bytes], rules: str = "7.1") -> Case:
    """Return a vector with another header of the last member, its checksum made right."""
    return tar(name, rules, why, at(-1, header(lambda old: naive.resum(change(old)))))


def other(name: str, why: str, rules: str = "7.1", **fields: Any) -> Case:
    """Return a vector whose last member has a header with other fields."""
    made = {"mode": b"0000755", "mtime": MTIME, **fields}
    path, size = made.pop("path", RUN.path), made.pop("size", len(RUN.data))
    return tar(name, rules, why, at(-1, header(lambda old: naive.block(path, size, **made))))


def pax(records: bytes, entry: Entry = LONG, name: bytes = b"", **extra: Any) -> Hook:
    """Return a hook that gives the last member other PAX headers."""
    front = naive.block(extra.pop("front", b"PaxHeaders/x"), len(records), MTIME, typeflag=b"x")
    own = naive.block(name or entry.path[-100:], len(entry.data), MTIME, **extra)
    return at(-1, header(lambda old: front + records + pad(len(records)) + own))


def padded(which: int, bytes_: bytes) -> Hook:
    """Return a hook that writes other padding."""

    def hook(part: Part) -> Part:
        assert len(part.padding) >= len(bytes_)
        part.padding = part.padding[: -len(bytes_)] + bytes_
        return part

    return at(which, hook)


def head(name: str, rules: str, why: str, change: Hook, **more: Any) -> Case:
    """Return a vector with a head member that is not written by section 7."""
    draft = Draft(plain=more.pop("plain", False))
    return bad(f"head_{name}", rules, LAYOUT, why, lambda: assemble(draft, head=change), **more)


PATH = record(b"path", LONG.path)

HEADERS = [
    other("mtime", "Another mtime.", "7.2", mtime=MTIME + 1),
    other("mtime_zero", "mtime 0.", "7.2", mtime=0),
    other("mode", "Mode 0644 for a member of mode 0755.", mode=b"0000644"),
    other("mode_setuid", "Mode 4755.", mode=b"0004755"),
    other("mode_type_bits", "Mode with the type of file in it.", mode=b"0100755"),
    other("owner", "uid and gid 1000.", owner=b"0001750"),
    other("owner_names", "User and group root.", uname=b"root"),
    other("size", "A size that is one too small.", size=len(RUN.data) - 1),
    other("size_zero", "Size 0.", size=0),
    other("name", "Another name.", path=b"tools/ran"),
    other("name_absolute", "A slash before the name.", path=b"/tools/run"),
    other("name_dot", "`./` before the name.", path=b"./tools/run"),
    other("typeflag_nul", "typeflag NUL, as old tar writes it.", typeflag=b"\0"),
    other("hardlink", "A hard link.", typeflag=b"1", linkname=b"/etc/passwd", size=0),
    other("symlink", "A symbolic link.", typeflag=b"2", linkname=b"/etc", size=0),
    other("character_device", "A character device.", typeflag=b"3"),
    other("block_device", "A block device.", typeflag=b"4"),
    other("directory", "A directory.", typeflag=b"5"),
    other("fifo", "A FIFO.", typeflag=b"6"),
    other("contiguous", "A contiguous file.", typeflag=b"7"),
    other("sparse", "A sparse file of GNU tar.", typeflag=b"S"),
    other("gnu_long_name", "A long name of GNU tar.", typeflag=b"L"),
    other("pax_global", "A global PAX header.", typeflag=b"g"),
    other("pax_local", "A PAX header in place of the member.", typeflag=b"x"),
    other("linkname", "A linkname for a regular file.", linkname=b"x"),
    other("magic_gnu", "The magic of GNU tar.", magic=b"ustar  \0"),
    other("magic_v7", "No magic.", magic=b""),
    other("devices", "Device numbers written as zeros.", device=b"0000000\0"),
    other(
        "split_without_need",
        "A prefix where the name has room.",
        "7.3",
        path=b"run",
        prefix=b"tools",
    ),
    field("mode_spelling", "The mode with a space.", lambda h: h[:107] + b" " + h[108:]),
    field("size_spelling", "The size with a space at its end.", lambda h: h[:135] + b" " + h[136:]),
    field(
        "size_base_256",
        "The size in base 256.",
        lambda h: h[:124] + b"\x80" + len(RUN.data).to_bytes(11, "big") + h[136:],
    ),
    field("behind_name", "Bytes behind the NUL of the name.", lambda h: h[:90] + b"x" + h[91:]),
    field("last_bytes", "Bytes in the last twelve.", lambda h: h[:511] + b"x"),
    tar(
        "checksum_wrong",
        "7.1",
        "A checksum that is one too large.",
        at(-1, header(lambda h: h[:153] + bytes([h[153] ^ 1]) + h[154:])),
    ),
    tar(
        "checksum_spelling",
        "7.1",
        "The checksum with NUL at its end.",
        at(-1, header(lambda h: h[:155] + b"\0" + h[156:])),
    ),
    tar(
        "checksum_missing",
        "7.1",
        "No checksum.",
        at(-1, header(lambda h: h[:148] + bytes(8) + h[156:])),
    ),
    tar(
        "header_first_member",
        "7.1",
        "Another mtime in the header of SHA256SUMS.",
        at(0, header(lambda old: naive.resum(flip(146)(old)))),
    ),
    tar(
        "header_big_member",
        "7.1",
        "Another mtime in the header of a big member.",
        at(-1, header(lambda old: naive.resum(flip(146)(old)))),
        BIG_KIT,
    ),
    tar(
        "header_empty_member",
        "7.1",
        "Another mtime in the header of an empty member.",
        at(3, header(lambda old: naive.resum(flip(146)(old)))),
    ),
]

PAX = [
    tar(
        "pax_order",
        "7.4",
        "A record mtime before path.",
        pax(record(b"mtime", b"1") + PATH),
        LONG_KIT,
    ),
    tar(
        "pax_more",
        "7.4",
        "A record size that is not needed.",
        pax(PATH + record(b"size", b"4")),
        LONG_KIT,
    ),
    tar(
        "pax_path_differs",
        "7.4",
        "Another path in the record.",
        pax(record(b"path", b"../" + LONG.path[3:])),
        LONG_KIT,
    ),
    tar("pax_twice", "7.4", "A second record path.", pax(PATH + PATH), LONG_KIT),
    tar(
        "pax_linkpath",
        "7.4",
        "A record linkpath.",
        pax(PATH + record(b"linkpath", b"/etc/passwd")),
        LONG_KIT,
    ),
    tar(
        "pax_length_zeros",
        "7.4",
        "The length of the record with a zero before it.",
        pax(b"0120 path=" + LONG.path + b"\n"),
        LONG_KIT,
    ),
    tar(
        "pax_name",
        "7.4",
        "Another name of the PAX header.",
        pax(PATH, front=b"./PaxHeaders/n"),
        LONG_KIT,
    ),
    tar(
        "pax_own_name", "7.4", "Another name behind the PAX header.", pax(PATH, name=b"n"), LONG_KIT
    ),
    tar(
        "pax_own_prefix",
        "7.4",
        "A prefix behind the PAX header.",
        pax(PATH, prefix=b"tools"),
        LONG_KIT,
    ),
    tar(
        "pax_padding",
        "7.4",
        "Bytes behind the record.",
        at(-1, header(lambda old: old[:1023] + b"x" + old[1024:])),
        LONG_KIT,
    ),
    bad(
        "tar_pax_without_need",
        "7.3 8.5",
        "list-malformed",
        "A record path for a path that can be split: the frame is larger than planned.",
        lambda: assemble(SPLIT_KIT, parts=pax(record(b"path", SPLIT.path), SPLIT)),
    ),
    tar(
        "split_elsewhere",
        "7.3",
        "A split at an earlier slash.",
        at(-1, header(lambda old: naive.block(SPLIT.path[47:], 5, MTIME, prefix=SPLIT.path[:46]))),
        SPLIT_KIT,
    ),
]

PADDING = [
    tar("padding", "7.5", "The padding of a small member ends in 1.", padded(-1, b"\1")),
    tar("padding_first_member", "7.5", "The padding of README.txt ends in 1.", padded(1, b"\1")),
    tar("padding_big", "7.5", "The padding of a big member ends in 1.", padded(-1, b"\1"), BIG_KIT),
    tar(
        "padding_start",
        "7.5",
        "The padding of a big member begins with 1.",
        padded(-1, b"\1" + bytes(510)),
        BIG_KIT,
    ),
]

HEAD = [
    head(
        "page_mtime",
        "7.2",
        "Another mtime in the header of the page.",
        at(0, header(lambda old: naive.resum(flip(146)(old)))),
    ),
    head(
        "page_mode",
        "7.5",
        "Mode 0755 for the page.",
        at(0, header(lambda old: naive.resum(old[:104] + b"755\0" + old[108:]))),
    ),
    head(
        "page_name",
        "7.1",
        "Another name for the page.",
        at(0, header(lambda old: naive.resum(b"KIT" + old[3:]))),
    ),
    head(
        "roots_mtime",
        "7.2",
        "Another mtime in the header of kit.roots.json.",
        at(1, header(lambda old: naive.resum(flip(146)(old)))),
    ),
    head(
        "roots_typeflag",
        "7.1",
        "A link for kit.roots.json.",
        at(1, header(lambda old: naive.resum(old[:156] + b"2" + old[157:]))),
    ),
    head(
        "index_mtime",
        "7.2",
        "Another mtime in the header of kit.index.",
        at(2, header(lambda old: naive.resum(flip(146)(old)))),
    ),
    head("index_padding", "7.5", "The padding of kit.index ends in 1.", padded(2, b"\1")),
    head(
        "frames_checksum",
        "7.1",
        "A wrong checksum in the header of kit.frames.",
        at(3, header(flip(150))),
    ),
    head(
        "frames_padding",
        "7.5",
        "The padding of kit.frames begins with 1.",
        at(3, lambda part: Part(part.header, part.data, b"\1" + part.padding[1:])),
    ),
    head(
        "plain_page_mtime",
        "4.8 7.2",
        "Another mtime in the first header of a plain kit.",
        at(0, header(lambda old: naive.resum(flip(146)(old)))),
        plain=True,
        quick="usage",
    ),
    head(
        "plain_page_checksum",
        "4.8",
        "A wrong checksum in the first header of a plain kit.",
        at(0, header(flip(150))),
        plain=True,
        quick="usage",
    ),
]

CASES: list[Case] = [*HEADERS, *PAX, *PADDING, *HEAD]
