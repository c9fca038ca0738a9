"""Signed lists that no builder makes: kit.index, SHA256SUMS, kit.frames (FORMAT 6, 8.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import itemgetter

from tests.support.assembler import (
    OWN,
    README,
    RUNNER,
    TOOL,
    TOOLS,
    VERIFIER,
    Draft,
    assemble,
)
from tests.support.hooks import Hook, at, swap
from tests.support.naive import Entry
from tests.support.vector import Case, bad

MALFORMED, NEWER = "list-malformed", "format-newer"
EVIDENCE = Entry(b"evidence/a", b"a", b"evidence")
DOC, RUN = TOOLS


def index(name: str, rules: str, why: str, change: Hook, code: str = MALFORMED) -> Case:
    """Return a vector whose kit.index is spelled otherwise."""
    return bad(name, rules, code, why, lambda: assemble(index=change))


def first_line(change: Callable[[bytes], bytes], member: bytes = b"tools/doc.txt") -> Hook:
    """Return a hook that changes the line of one member."""

    def hook(text: bytes) -> bytes:
        lines = text.splitlines(keepends=True)
        return b"".join(
            change(line) if line.endswith(b" %b\n" % member) else line for line in lines
        )

    return hook


def line(name: str, rules: str, why: str, old: bytes, new: bytes) -> Case:
    """Return a vector with one field of the line of ``tools/doc.txt`` changed."""
    return index(name, rules, why, first_line(swap(old, new)))


def members(name: str, rules: str, why: str, *entries: Entry, code: str = MALFORMED) -> Case:
    """Return a vector with these members in this order."""
    return bad(name, rules, code, why, lambda: assemble(Draft(entries)))


def huge(name: str, rules: str, why: str, count: int) -> Case:
    """Return a vector that says it has many members of 2^44 bytes, in SHA256SUMS too."""
    paths = [b"tools/z%03d" % i for i in range(count)]
    lines = b"".join(b"%b 17592186044416 data 0644 %b\n" % (DIGEST, path) for path in paths)
    sums = b"".join(b"%b  %b\n" % (DIGEST, path) for path in paths)
    make = partial(assemble, sums=lambda text: text + sums, index=lambda text: text + lines)
    return bad(name, rules, MALFORMED, why, make)


SIZE = b" %d " % len(DOC.data)
DIGEST = DOC.digest.encode()

INDEX = [
    index(
        "index_newer",
        "6.1 13",
        "The first line names a later version.",
        swap(b"index/1", b"index/2"),
        NEWER,
    ),
    index(
        "index_newer_nine_digits",
        "6.1 13",
        "The first line names version 999999999.",
        swap(b"index/1", b"index/999999999"),
        NEWER,
    ),
    index(
        "index_newer_ten_digits",
        "6.1 13",
        "The first line has a number of ten digits, which is no version.",
        swap(b"index/1", b"index/1000000000"),
    ),
    index(
        "index_version_zero",
        "6.1 13",
        "The first line names version 0.",
        swap(b"index/1", b"index/0"),
    ),
    index(
        "index_no_first_line",
        "6.1 13",
        "The first line is missing.",
        swap(b"offline-kit-index/1\n", b""),
    ),
    index(
        "index_first_line_frames",
        "6.1 13",
        "The first line is that of kit.frames.",
        swap(b"-index/1", b"-frames/1"),
    ),
    index("index_first_line_crlf", "6.1", "CR behind the first line.", swap(b"\n", b"\r\n")),
    index("index_no_bytes", "6.1 13", "kit.index has no bytes.", lambda text: b""),
    index("index_line_feed", "6.1 13", "Nothing but one LF.", lambda text: b"\n"),
    index("index_first_line_cut", "6.1 13", "Cut in its first line.", lambda text: text[:19]),
    index("index_empty", "6.1", "No member at all.", lambda text: text[:20]),
    index("index_no_line_end", "6.1", "The last line has no LF.", lambda text: text[:-1]),
    index("index_blank_line", "6.1", "An empty line at the end.", lambda text: text + b"\n"),
    index(
        "index_blank_line_inside",
        "6.1",
        "An empty line behind the first one.",
        swap(b"index/1\n", b"index/1\n\n"),
    ),
    index("index_member_twice", "6.1 6.4", "One line twice.", first_line(lambda text: text * 2)),
    index(
        "index_order",
        "6.1",
        "Two lines of one class in the wrong order.",
        lambda text: b"".join(itemgetter(0, 1, 2, 3, 4, 6, 5)(text.splitlines(keepends=True))),
    ),
    index(
        "index_class_order",
        "6.1",
        "Payload before the verifier.",
        lambda text: b"".join(itemgetter(0, 1, 2, 3, 5, 6, 4)(text.splitlines(keepends=True))),
    ),
    line("line_class_unknown", "6.1", "A class that is not in the list.", b" data ", b" docs "),
    line("line_class_upper_case", "6.1", "A class in upper case.", b" data ", b" DATA "),
    line("line_mode_0777", "6.1", "Mode 0777.", b" 0644 ", b" 0777 "),
    line("line_mode_4755", "6.1", "Mode 4755.", b" 0644 ", b" 4755 "),
    line("line_mode_short", "6.1", "Mode 644.", b" 0644 ", b" 644 "),
    line("line_size_leading_zero", "6.1", "A zero before the size.", SIZE, b" 0" + SIZE[1:]),
    line("line_size_plus", "6.1", "A sign before the size.", SIZE, b" +" + SIZE[1:]),
    line("line_size_underscore", "6.1", "An underscore in the size.", SIZE, b" 3_1 "),
    line("line_size_hex", "6.1", "The size in hexadecimal.", SIZE, b" 0x1f "),
    line("line_size_negative", "6.1", "A negative size.", SIZE, b" -1 "),
    line("line_size_empty", "6.1", "No size.", SIZE, b"  "),
    line("line_size_huge", "6.1 6.8", "A size of 40 digits.", SIZE, b" %b " % (b"9" * 40)),
    line("line_size_over_limit", "6.8", "2^44 + 1 bytes.", SIZE, b" 17592186044417 "),
    line("line_digest_upper_case", "6.1", "A digest in upper case.", DIGEST, DIGEST.upper()),
    line("line_digest_short", "6.1", "A digest of 62 digits.", DIGEST, DIGEST[:62]),
    line("line_digest_long", "6.1", "A digest of 66 digits.", DIGEST, DIGEST + b"00"),
    line("line_digest_no_hex", "6.1", "A digest that is no number.", DIGEST, b"x" * 64),
    line("line_two_spaces", "6.1", "Two spaces between fields.", b" data ", b"  data "),
    line("line_tabs", "6.1", "Tabs between fields.", b" data ", b"\tdata\t"),
    line("line_space_before", "6.1", "A space before the digest.", DIGEST, b" " + DIGEST),
    line("line_field_missing", "6.1", "A line of four fields.", b" data ", b" "),
    index(
        "index_crlf",
        "6.1 6.3",
        "CR and LF.",
        first_line(swap(b"\n", b"\r\n")),
        "member-path-unsafe",
    ),
    index(
        "index_trailing_space",
        "6.1 6.3",
        "A space behind a path.",
        first_line(swap(b"\n", b" \n")),
        "member-path-unsafe",
    ),
    huge("index_too_many_frames", "6.6 6.8", "512 TiB: more frames than a table can hold.", 32),
    huge("index_stream_over_limit", "6.8", "Members of more than 2^53 bytes together.", 513),
]

CLASSES = [
    members("class_no_readme", "6.2", "README.txt is missing.", TOOL, VERIFIER, *TOOLS),
    members("class_no_tool", "6.2", "kit-verify.pyz is missing.", README, VERIFIER, *TOOLS),
    members(
        "class_runner_alone",
        "6.2",
        "kit-run.pyz is there, and kit-verify.pyz is missing.",
        README,
        RUNNER,
        VERIFIER,
        *TOOLS,
    ),
    members(
        "class_data_is_runner",
        "6.5",
        "kit-run.pyz stands among the data.",
        *OWN,
        Entry(b"kit-run.pyz", b"planted"),
        *TOOLS,
    ),
    members("class_no_verifier", "6.2", "verifier/ is missing.", README, TOOL, *TOOLS),
    bad(
        "class_no_sums",
        "6.2",
        MALFORMED,
        "SHA256SUMS is missing.",
        lambda: assemble(entries=lambda entries: entries[1:]),
    ),
    members(
        "class_readme_other_name",
        "6.2",
        "README.md as readme.",
        replace(README, path=b"README.md"),
        TOOL,
        VERIFIER,
        *TOOLS,
    ),
    members(
        "class_readme_case",
        "6.2",
        "Readme.txt as readme.",
        replace(README, path=b"Readme.txt"),
        TOOL,
        VERIFIER,
        *TOOLS,
    ),
    members(
        "class_two_readmes",
        "6.2",
        "Two of class readme.",
        README,
        replace(README, path=b"README2.txt"),
        TOOL,
        VERIFIER,
        *TOOLS,
    ),
    members(
        "class_two_tools",
        "6.2",
        "Two of class tool.",
        README,
        TOOL,
        replace(TOOL, path=b"kit-verify2.pyz"),
        VERIFIER,
        *TOOLS,
    ),
    members(
        "class_verifier_elsewhere",
        "6.2",
        "A verifier outside verifier/.",
        README,
        TOOL,
        replace(VERIFIER, path=b"verify/__init__.py"),
        *TOOLS,
    ),
    members(
        "class_evidence_elsewhere",
        "6.2",
        "Evidence outside evidence/.",
        *OWN,
        replace(EVIDENCE, path=b"proof/a"),
        *TOOLS,
    ),
    members(
        "class_data_in_evidence",
        "6.2 6.5",
        "Payload below evidence/.",
        *OWN,
        replace(EVIDENCE, kind=b"data"),
        *TOOLS,
    ),
    members(
        "class_data_in_verifier",
        "6.2 6.5",
        "Payload below verifier/.",
        *OWN,
        *TOOLS,
        replace(DOC, path=b"verifier/x.py"),
    ),
    members(
        "class_executable_readme",
        "6.2",
        "README.txt may be executed.",
        replace(README, mode=b"0755"),
        TOOL,
        VERIFIER,
        *TOOLS,
    ),
    members(
        "class_executable_evidence",
        "6.2",
        "Evidence may be executed.",
        *OWN,
        replace(EVIDENCE, mode=b"0755"),
        *TOOLS,
    ),
    index(
        "class_fixed_too_large",
        "6.8",
        "README.txt of 268,435,457 bytes.",
        first_line(swap(b" 41 ", b" 268435457 "), b"README.txt"),
    ),
    index(
        "class_evidence_too_large",
        "6.8",
        "Evidence of 268,435,457 bytes.",
        lambda text: text.replace(
            DIGEST, b"%b 268435457 evidence 0644 evidence/a\n%b" % (DIGEST, DIGEST)
        ),
    ),
    bad(
        "class_other_signature",
        "6.2",
        MALFORMED,
        "Something else has class sig.",
        lambda: assemble(
            Draft(sums_key="sums"), entries=at(1, lambda e: replace(e, path=b"SHA256SUMS.asc"))
        ),
    ),
    bad(
        "class_two_signatures",
        "6.2",
        MALFORMED,
        "Two of class sig.",
        lambda: assemble(
            Draft(sums_key="sums"),
            entries=lambda e: [*e[:2], replace(e[1], path=b"SHA256SUMS.sig2"), *e[2:]],
        ),
    ),
]


def sums(name: str, why: str, change: Hook) -> Case:
    """Return a vector whose SHA256SUMS is not the derived one."""
    return bad(name, "6.7", MALFORMED, why, lambda: assemble(sums=change))


SUMS = [
    sums(
        "sums_order",
        "Lines in another order.",
        lambda text: b"".join(text.splitlines(keepends=True)[::-1]),
    ),
    sums("sums_line_missing", "A line is missing.", lambda text: text.split(b"\n", 1)[1]),
    sums(
        "sums_line_more",
        "A line for what is not there.",
        lambda text: text + b"%b  tools/z\n" % DIGEST,
    ),
    sums("sums_one_space", "One space between digest and path.", swap(b"  ", b" ")),
    sums("sums_binary_mark", "A star before a path.", swap(b"  ", b" *")),
    sums("sums_no_line_end", "The last line has no LF.", lambda text: text[:-1]),
    sums("sums_crlf", "CR and LF.", swap(b"\n", b"\r\n", 99)),
    sums("sums_empty", "Nothing in it.", lambda text: b""),
    bad(
        "sums_of_itself",
        "6.7",
        MALFORMED,
        "A line for SHA256SUMS.sig.",
        lambda: assemble(
            Draft(sums_key="sums"), sums=lambda text: b"%b  SHA256SUMS.sig\n" % DIGEST + text
        ),
    ),
]


CASES: list[Case] = [*INDEX, *CLASSES, *SUMS]
