"""Frame tables that do not fit the plan (FORMAT 6.6, 8.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.assembler import OWN, Draft, Frame, assemble
from tests.support.drafts import NOISE, ratio
from tests.support.hooks import Hook, swap
from tests.support.naive import MIB, Entry
from tests.support.vector import Case, bad

MALFORMED, NEWER = "list-malformed", "format-newer"


def table(
    name: str, rules: str, why: str, change: Hook, draft: Draft | None = None, code: str = MALFORMED
) -> Case:
    """Return a vector whose kit.frames is spelled otherwise."""
    return bad(name, rules, code, why, lambda: assemble(draft or Draft(), table=change))


def frame(name: str, why: str, change: Callable[[Any], Any], draft: Draft, which: int = 0) -> Case:
    """Return a vector with another line for one frame."""

    def hook(frames: Any) -> Any:
        frames[which] = change(frames[which])
        return frames

    return bad(name, "8.5", MALFORMED, why, lambda: assemble(draft, encode=hook))


def with_zeros(size: int, level: int = 3, tail: bytes = b"") -> Draft:
    """Return a draft with one member of zeros and of bytes that do not compress."""
    return Draft((*OWN, Entry(b"tools/z", bytes(size) + tail)), level=level)


def with_digest(frame: Frame) -> Frame:
    """Give a raw frame the digest of its content."""
    return replace(frame, digest=hashlib.sha256(raw_content(frame.data)).digest())


def raw_content(data: bytes) -> bytes:
    """Return the content of a raw frame."""
    return b"".join(data[at + 3 : at + 3 + 131072] for at in range(14, len(data), 131075))


ONE_Z, ONE_R = with_zeros(9999), with_zeros(9999, 0)
MIXED = with_zeros(4 * MIB, 3, NOISE)
TWO_R = with_zeros(5 * MIB, 0)

CASES: list[Case] = [
    table("frames_no_bytes", "6.6 13", "kit.frames has no bytes.", lambda text: b""),
    table("frames_first_line_cut", "6.6 13", "Cut in its first line.", lambda text: text[:20]),
    table(
        "frames_first_line_index",
        "6.6 13",
        "The first line is that of kit.index.",
        swap(b"-frames/1", b"-index/1"),
    ),
    table(
        "frames_newer",
        "6.6 13",
        "The first line names a later version.",
        swap(b"frames/1", b"frames/2"),
        code=NEWER,
    ),
    table("frames_line_missing", "8.1", "No line, and there is a payload.", lambda text: text[:21]),
    table("frames_line_more", "8.1", "A line too many.", lambda text: text + text[21:]),
    table("frames_no_line_end", "6.6", "The last line has no LF.", lambda text: text[:-1]),
    table("frames_six_digits", "6.6", "A size of six digits.", swap(b"\n0", b"\n")),
    table("frames_size_spaces", "6.6", "Spaces instead of leading zeros.", swap(b"\n0", b"\n ")),
    table("frames_size_sign", "6.6", "A sign instead of a leading zero.", swap(b"\n0", b"\n+")),
    table("frames_kind_unknown", "6.6", "Kind `s`.", swap(b" r ", b" s ")),
    table("frames_kind_upper_case", "6.6", "Kind `R`.", swap(b" r ", b" R ")),
    table("frames_kind_z_of_raw", "8.5", "Kind `z` for a raw frame.", swap(b" r ", b" z ")),
    table("frames_tab", "6.6", "A tab before the kind.", swap(b" r ", b"\tr ")),
    table("frames_crlf", "6.6", "CR and LF.", lambda text: text[:-1] + b"\r\n"),
    table(
        "frames_digest_upper_case",
        "6.6",
        "A digest in upper case.",
        lambda text: text[:21] + text[21:].upper().replace(b" Z ", b" z "),
        ONE_Z,
    ),
    table(
        "frames_digest_short",
        "6.6",
        "A digest of 62 digits.",
        lambda text: text[:-3] + b"\n",
        ONE_Z,
    ),
    table(
        "frames_digest_half_dashes",
        "6.6",
        "A digest of 32 digits and 32 dashes.",
        lambda text: text[:-33] + b"-" * 32 + b"\n",
        ONE_Z,
    ),
    table("frames_five_fields", "6.6", "A fifth field.", lambda text: text[:-1] + b" x\n"),
    frame(
        "frames_raw_size_lie",
        "The size of a raw frame is one too large.",
        lambda f: replace(f, stored=len(f.data) + 1),
        ONE_R,
    ),
    frame(
        "frames_raw_digest",
        "A digest where dashes must be.",
        lambda f: replace(f, digest=bytes(32)),
        ONE_R,
    ),
    frame("frames_raw_digest_right", "A right digest where dashes must be.", with_digest, TWO_R, 1),
    frame(
        "frames_z_dashes",
        "Dashes where a digest must be.",
        lambda f: replace(f, digest=None),
        ONE_Z,
    ),
    frame(
        "frames_mixed_dashes",
        "Dashes for the raw frame of a mixed member.",
        lambda f: replace(f, digest=None),
        MIXED,
        1,
    ),
    bad(
        "frames_ratio_over_97",
        "8.5",
        MALFORMED,
        "A zstd frame of more than 97 hundredths.",
        lambda: ratio(12_417),
    ),
    bad(
        "frames_swapped_lines",
        "8.5",
        MALFORMED,
        "The two lines of a mixed member, swapped.",
        lambda: assemble(MIXED, table=lambda text: text[:21] + text[96:] + text[21:96]),
    ),
]
