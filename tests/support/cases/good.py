"""Kits that every verifier must accept: frames, names, plain kits."""

from __future__ import annotations

from dataclasses import replace

from kit.stock.keys import text_of_pem
from tests.support.assembler import (
    OWN,
    README,
    RUNNER,
    TOOL,
    TOOLS,
    VERIFIER,
    Draft,
    assemble,
    component,
    z_frame,
    zstd,
)
from tests.support.drafts import (
    NOISE,
    RUN,
    built,
    files,
    ratio,
    wide,
)
from tests.support.hooks import handmade, put, reframe
from tests.support.naive import MIB, Entry
from tests.support.people import person
from tests.support.vector import Case, ok

PLAIN_QUICK = {"quick": "usage"}

CONTAINER: list[Case] = [
    ok("minimal", "1.1 1.2 4.1 6.1 12.1", "Two small files in one raw frame.", assemble),
    ok(
        "components_with_several_places",
        "9.5 11.2",
        "A component of a directory and of a member elsewhere; the base is what they share.",
        lambda: assemble(
            Draft(
                (
                    *OWN,
                    Entry(b"opt/a/b/one", b"1\n"),
                    Entry(b"opt/a/c", b"2\n", mode=b"0755"),
                    Entry(b"opt/ab", b"3\n"),
                    Entry(b"top", b"4\n"),
                ),
                components=[
                    component("shared", "opt/a/b", "opt/a/c"),
                    component("apart", "opt/ab", "top"),
                ],
            )
        ),
    ),
    ok(
        "payload_empty",
        "8.4 9.5",
        "No payload: the one component is a placeholder.",
        lambda: assemble(Draft(OWN, components=[component("c", "later", placeholder="soon")])),
    ),
    ok(
        "component_owner",
        "9.2",
        "A component whose owner is named.",
        lambda: assemble(
            Draft(OWN, components=[component("c", "later", placeholder="soon", owner="A Guild")])
        ),
    ),
    ok(
        "built_zstd",
        "1.3 2.2 8.5",
        "Made by the builder: one zstd frame.",
        lambda: built({b"tools/run": RUN, b"tools/z": b"z" * 5000}),
    ),
    ok(
        "built_store",
        "2.1 8.5",
        "Made by the builder with --store.",
        lambda: built({b"tools/run": RUN, b"tools/z": b"z" * 5000}, level=0),
    ),
    ok(
        "built_sums_signature",
        "6.2 6.7 11.1",
        "SHA256SUMS.sig is there; contentId leaves its line out.",
        lambda: built({b"tools/run": RUN}, signed_sums=True),
    ),
    ok(
        "sums_key_named",
        "6.7 9.2",
        "The manifest names the key of SHA256SUMS.sig.",
        lambda: assemble(
            Draft(sums_key="sums"),
            statement=put("predicate.sumsKey", text_of_pem(person("sums").key["keyval"]["public"])),
        ),
    ),
    ok(
        "built_evidence",
        "1.2 6.2 8.3",
        "Evidence stands before the payload, in raw frames.",
        lambda: built({b"tools/run": RUN}, evidence={b"evidence/sbom/a.json": b"{}\n" * 999}),
    ),
    ok(
        "member_empty",
        "2.1 8.3",
        "Members without contents are a header in their group.",
        lambda: built({b"tools/a": b"", b"tools/b": b"b", b"tools/c": b""}),
    ),
    ok(
        "member_one_mib",
        "8.2",
        "1,048,576 bytes: the smallest member that starts a frame.",
        lambda: built({b"tools/a": RUN, b"tools/b": bytes(MIB), b"tools/c": RUN}),
    ),
    ok(
        "member_below_one_mib",
        "8.2 8.3",
        "1,048,575 bytes: the largest member in a group.",
        lambda: built({b"tools/a": RUN, b"tools/b": bytes(MIB - 1), b"tools/c": RUN}),
    ),
    ok(
        "member_four_mib",
        "2.3 8.2",
        "4,194,304 bytes are one frame.",
        lambda: built({b"tools/b": bytes(4 * MIB)}),
    ),
    ok(
        "member_four_mib_and_one",
        "8.2",
        "4,194,305 bytes are two frames.",
        lambda: built({b"tools/b": bytes(4 * MIB + 1)}),
    ),
    ok(
        "member_many_frames",
        "8.2 10.1",
        "A member of 9 MiB and 5 bytes in three zstd frames.",
        lambda: built({b"tools/b": bytes(9 * MIB + 5), b"tools/c": RUN}),
    ),
    ok(
        "member_many_frames_store",
        "2.1 8.2 8.5",
        "5 MiB in two raw frames, whose digests are dashes.",
        lambda: built({b"tools/b": bytes(5 * MIB)}, level=0),
    ),
    ok(
        "member_mixed",
        "8.5",
        "One zstd frame and one raw frame: then the raw one has a digest too.",
        lambda: built({b"tools/b": bytes(4 * MIB) + NOISE}),
    ),
    ok(
        "group_full",
        "8.3",
        "Four members fill a group to exactly 4,194,304 bytes; the fifth opens another.",
        lambda: built({b"tools/%d" % i: bytes(MIB - 512) for i in range(5)}),
    ),
    ok(
        "group_overfull",
        "8.3",
        "The fourth member is one block too large for the group of the first three.",
        lambda: built({b"tools/%d" % i: bytes(MIB - 512 + (i == 3)) for i in range(4)}),
    ),
    ok(
        "frame_other_encoder",
        "2.2",
        "A zstd frame of raw and RLE blocks, as no encoder of today makes it.",
        lambda: assemble(
            Draft((*OWN, Entry(b"tools/z", bytes(MIB)))),
            **reframe(lambda c: z_frame(handmade(c, [512, 1000, 2000]))),
        ),
    ),
    ok(
        "frame_window_4_mib",
        "2.2",
        "Zstd frames with a window of 4 MiB and without the single-segment flag.",
        lambda: assemble(
            Draft((*OWN, Entry(b"tools/z", bytes(5 * MIB)))),
            **reframe(lambda c: z_frame(zstd(c, window_log=22))),
        ),
    ),
    ok(
        "frame_ratio_97",
        "8.5",
        "A zstd frame of exactly 97 hundredths of its content.",
        lambda: ratio(12_416),
    ),
    ok(
        "plain",
        "1.4 4.8",
        "The tar stream alone.",
        lambda: assemble(Draft(plain=True)),
        **PLAIN_QUICK,
    ),
    ok(
        "plain_of_zstd",
        "1.4",
        "The tar stream of a kit whose frame table has a line of kind `z`.",
        lambda: assemble(
            Draft((*OWN, Entry(b"tools/z", bytes(9999))), plain=True, level=3),
        ),
        **PLAIN_QUICK,
    ),
    ok(
        "plain_big_page",
        "4.8",
        "The tar stream of a kit with a page of 262,144 bytes.",
        lambda: assemble(wide(120, 262_144, plain=True)),
        **PLAIN_QUICK,
    ),
]

NAMES: list[Case] = [
    ok(
        "class_runner",
        "6.2",
        "kit-run.pyz stands before kit-verify.pyz.",
        lambda: assemble(Draft((README, RUNNER, TOOL, VERIFIER, *TOOLS))),
    ),
    ok(
        "name_100",
        "7.3",
        "A path of 100 bytes stands in `name`.",
        lambda: assemble(files("tools/" + "n" * 94)),
    ),
    ok(
        "name_101_split",
        "7.3",
        "A path of 101 bytes is split into `prefix` and `name`.",
        lambda: assemble(files("tools/" + "n" * 95)),
    ),
    ok(
        "name_split_155",
        "7.3",
        "A `/` at index 155 is the last place for a split.",
        lambda: assemble(files("tools/" + "p" * 149 + "/" + "n" * 100)),
    ),
    ok(
        "name_split_156",
        "7.3 7.4",
        "A `/` at index 156 is too late: a PAX record.",
        lambda: assemble(files("tools/" + "p" * 150 + "/" + "n" * 100)),
    ),
    ok(
        "name_pax_no_split",
        "7.4",
        "A last component of 101 bytes needs a PAX record.",
        lambda: assemble(files("tools/" + "n" * 101)),
    ),
    ok(
        "name_pax_unicode",
        "6.3 7.4",
        "Names beyond ASCII need a PAX record, and `_` for each such character in `name`.",
        lambda: assemble(
            files("tools/caf\u00e9", "tools/\u4e2d\u6587/\u0416" * 20, "tools/\U00010400")
        ),
    ),
    ok(
        "name_longest",
        "6.3 7.4",
        "A path of 1,024 bytes with components of 255.",
        lambda: assemble(files("tools/" + "/".join(["n" * 255] * 3 + ["m" * 250]))),
    ),
    ok(
        "name_deepest",
        "6.3",
        "A path of 64 components.",
        lambda: assemble(files("/".join(["tools"] + ["d"] * 63))),
    ),
    ok(
        "names_harmless",
        "6.3 6.4",
        "Names that look odd and mean one file on every host.",
        lambda: assemble(
            files(
                *("tools/ a", "tools/-rf", "tools/.hidden", "tools/a b", "tools/a~", "tools/com0"),
                *("tools/con-x", "tools/xcon.txt", "tools/{{ x }}", "tools/$HOME", "tools/ss"),
            )
        ),
    ),
    ok(
        "names_no_devices",
        "6.3",
        "Names that Windows does not take for devices: a space before, a wide letter, one more.",
        lambda: assemble(
            files(
                "tools/ con", "tools/.nul", "tools/\uff43\uff4f\uff4e", "tools/com10", "tools/lpt"
            )
        ),
    ),
    ok(
        "order_of_bytes",
        "6.1",
        "Order is that of bytes: `a-b` and `a.c` stand before `a/b`.",
        lambda: assemble(files("tools/a-b", "tools/a.c", "tools/a/b", "tools/a0")),
    ),
    ok(
        "components_beside",
        "9.5",
        "Paths of components that begin alike, one of them a file, in any order.",
        lambda: assemble(
            replace(
                files("a/x", "ab", "a-b/y", "c/d/e"),
                components=[
                    component("two", "c/d", "ab"),
                    component("one", "a-b"),
                    component("zero", "a"),
                ],
            )
        ),
    ),
]

CASES: list[Case] = [*CONTAINER, *NAMES]
