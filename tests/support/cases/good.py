"""Kits that every verifier must accept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.support.assembler import OWN, TOOLS, Draft, Entry, assemble, component, z_frame, zstd
from tests.support.hooks import add, both, handmade, put, reframe, sign
from tests.support.kitbytes import memory_kit
from tests.support.naive import MIB, sums_text
from tests.support.people import SIGNER, chain, compact, person, root_line, sign_root, signed_root
from tests.support.vector import Case, ok

RUN = b"#!/bin/sh\necho ran\n"
NOISE = b"".join(
    person("alice").sign(b"%d" % i) for i in range(24)
)  # 3 blocks that do not compress


def built(data: dict[bytes, bytes], **more: Any) -> bytes:
    """Return a kit that the real builder made."""
    return memory_kit(data, [b"tools/run"], **more).data


def files(*paths: str) -> Draft:
    """Return a draft with small files at these paths."""
    return Draft().with_data(*(Entry(path.encode(), path.encode()) for path in paths))


def wide(count: int, page_size: int, **more: Any) -> Draft:
    """Return a draft whose manifest is long: many components that are empty for now."""
    texts = {"placeholder": "x" * 200}
    later = [component(f"later-{i}", f"later/{i}", **texts) for i in range(count)]
    return Draft(components=[component("tools", "tools"), *later], page_size=page_size, **more)


def filled(size: int) -> bytes:
    """Return a kit whose DSSE payload has exactly ``size`` bytes."""

    def fill(statement: Any) -> Any:
        statement["predicate"]["x"] = ""
        statement["predicate"]["x"] = "x" * (size - len(compact(statement)))
        return statement

    return assemble(statement=fill)


def ratio(size: int) -> bytes:
    """Return a kit with a zstd frame of ``size`` bytes that holds 12,800."""
    raw = size - 25 - 512  # without frame header, checksum, two block headers and the RLE byte
    data = (b"ab" * 6144)[:raw] + bytes(12_288 - raw)
    draft = Draft((*OWN, Entry(b"tools/z", data)))
    return assemble(draft, **reframe(lambda c: z_frame(handmade(c, [512 + raw]))))


def even_root() -> bytes:
    """Return a root whose line with its LF is a multiple of 512: no padding is left to write."""
    for length in range(600):
        # two signatures of one length, whatever they sign
        root = sign_root({**signed_root(), "x-note": "n" * length}, ("alice", "carol"))
        if (len(root) + 1) % 512 == 0:
            return root
    raise ValueError("no length fits")


def with_key(
    name: str,
    key: dict[str, Any],
    *roles: str,
    threshold: int = 2,
    more: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the test root with one key more in these roles, and others in none."""
    signed = signed_root()
    signed["keys"].update({name: key, **(more or {})})
    for role in roles:
        signed["roles"][role]["keyids"].append(name)
    signed["roles"]["targets"]["threshold"] = threshold
    return sign_root(signed)


def with_threshold(threshold: int) -> bytes:
    """Return the test root with another threshold for kits."""
    signed = signed_root()
    signed["roles"]["targets"]["threshold"] = threshold
    return sign_root(signed)


def nested(depth: int) -> Any:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def sha512_of_roots(statement: Any) -> Any:
    """Give the roots, which are the test root's, and SHA256SUMS a second digest."""
    roots = chain(root_line())
    sums = sums_text([*OWN, *TOOLS])
    statement["predicate"]["roots"]["digest"]["sha512"] = hashlib.sha512(roots).hexdigest()
    statement["subject"][1]["digest"]["sha512"] = hashlib.sha512(sums).hexdigest()
    return statement


UNKNOWN_KEY = {"keytype": "x", "scheme": "x-new", "keyval": {"public": "00"}, SIGNER: "dave"}
TWO_KEYS = with_key("aa", {**person("mallory").key, SIGNER: "alice"}, "targets")
STRANGE = with_key("bb", UNKNOWN_KEY, "targets")
ONE_SIGNER = with_threshold(1)
LIMITS = {
    "name": "n" * 64,
    "version": "V" + "1" * 63,
    "line": "l/" * 32,
    "sequence": 2**40,
    "summary": "\u00e9" * 500,
    "expires": "2028-02-29T23:59:59Z",
    "supersedes": ["0" * 64, "f" * 64],
}
PLAIN_QUICK = {"quick": "usage"}

CONTAINER: list[Case] = [
    ok("minimal", "1.1 1.2 4.1 6.1 12.1", "Two small files in one raw frame.", assemble),
    ok(
        "payload_empty",
        "8.4 9.5",
        "No payload: the one component is a placeholder.",
        lambda: assemble(Draft(OWN, components=[component("c", "later", placeholder="soon")])),
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
        "6.2 6.7 11",
        "SHA256SUMS.sig is there; contentId leaves its line out.",
        lambda: built({b"tools/run": RUN}, signed_sums=True),
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

TRUST: list[Case] = [
    ok(
        "signed_by_three",
        "4.6",
        "One signer more than the threshold wants.",
        lambda: assemble(Draft(signers=("alice", "bob", "carol"))),
    ),
    ok(
        "surplus_left_out",
        "4.7",
        "The kit of `signed_by_three` without the signature of alice.",
        lambda: assemble(Draft(signers=("bob", "carol"))),
    ),
    ok(
        "signer_with_two_keys",
        "4.6 5.4",
        "Both keys of alice count once, and bob has signed too.",
        lambda: assemble(
            Draft(chain=chain(TWO_KEYS)),
            **sign(lambda m, good: sorted([*good, ("aa", person("mallory").sign(m))])),
        ),
        root=TWO_KEYS,
    ),
    ok(
        "threshold_of_one",
        "4.6",
        "The root wants one signer.",
        lambda: assemble(Draft(chain=chain(ONE_SIGNER), signers=("carol",))),
        root=ONE_SIGNER,
    ),
    ok(
        "scheme_not_evaluated",
        "4.5 5.4",
        "The root also names a key of a scheme that nobody knows.",
        lambda: assemble(Draft(chain=chain(STRANGE))),
        root=STRANGE,
    ),
    ok(
        "signature_not_evaluated",
        "4.5 4.6 4.7",
        "A third signature is by a key of an unknown scheme: it counts for nothing.",
        lambda: assemble(
            Draft(chain=chain(STRANGE)), signatures=lambda good: sorted([*good, ("bb", b"?")])
        ),
        root=STRANGE,
    ),
    ok(
        "root_spelled_freely",
        "5.6",
        "The pinned file is another spelling of the root that the kit brings.",
        assemble,
        root=b" " + root_line().replace(b",", b", "),
    ),
    ok(
        "root_without_padding",
        "5.1",
        "The line of the root with its LF fills its blocks.",
        lambda: assemble(Draft(chain=chain(even_root()))),
        root=even_root(),
    ),
    ok(
        "expect_matches",
        "12.1",
        "The kit that was expected.",
        assemble,
        args=("--expect", "vector@1"),
    ),
]

MANIFEST: list[Case] = [
    ok(
        "page_256_kib",
        "4.1 4.8",
        "A manifest that needs a page of 262,144 bytes.",
        lambda: assemble(wide(120, 262_144)),
    ),
    ok(
        "page_1_mib",
        "4.1 4.8",
        "A manifest that needs a page of 1,048,576 bytes.",
        lambda: assemble(wide(400, 1_048_576)),
    ),
    ok(
        "page_payload_largest",
        "4.1",
        "A payload of exactly 3/8 of the page.",
        lambda: filled(24_576),
    ),
    ok(
        "unknown_fields",
        "9.7",
        "Members of the predicate that nobody knows yet.",
        lambda: assemble(
            statement=both(
                put("predicate.x-new", {"deep": [1, None]}), put("predicate.kit.x-new", True)
            )
        ),
    ),
    ok(
        "json_escapes",
        "3.1",
        "Every kind of escape that compact JSON has.",
        lambda: assemble(
            statement=put("predicate.x", '"\\\b\f\n\r\t\0\x7f/\u00e9\u2028\U0001f600')
        ),
    ),
    ok(
        "json_depth_64",
        "3.2",
        "Nesting of exactly 64.",
        lambda: assemble(statement=put("predicate.x", nested(62))),
    ),
    ok(
        "json_largest_integers",
        "3.1",
        "2^53 - 1 and its negative.",
        lambda: assemble(statement=put("predicate.x", [2**53 - 1, 1 - 2**53])),
    ),
    ok(
        "digest_sha512",
        "9.3",
        "Second digests of an algorithm that verifiers know, and they are right.",
        lambda: assemble(statement=sha512_of_roots),
    ),
    ok(
        "digest_unknown",
        "9.3",
        "A second digest of an algorithm that nobody knows.",
        lambda: assemble(
            statement=both(put("subject.0.digest.x9", "00"), put("predicate.index.digest.x9", "00"))
        ),
    ),
    ok(
        "kit_limits",
        "9.2 9.6",
        "Every member of `kit`, each at its limit.",
        lambda: assemble(Draft(kit=LIMITS)),
    ),
    ok(
        "created_first",
        "7.2 9.6",
        "Created at 1970-01-01T00:00:00Z.",
        lambda: assemble(Draft(kit={"created": "1970-01-01T00:00:00Z"})),
    ),
    ok(
        "created_last",
        "7.2 9.6",
        "Created at the last moment that eleven octal digits hold.",
        lambda: assemble(Draft(kit={"created": "2242-03-16T12:56:31Z"})),
    ),
    ok(
        "exemptions",
        "9.2",
        "Exemptions, one of them for what is not there.",
        lambda: assemble(
            statement=put(
                "predicate.exemptions", [{"paths": ["tools/doc.txt", "gone"], "reason": "why"}]
            )
        ),
    ),
    ok(
        "subjects_102",
        "9.2",
        "100 primary artifacts behind the two fixed subjects.",
        lambda: assemble(
            statement=add(
                "subject",
                *({"name": f"a{i}", "digest": {"sha256": f"{i:064x}"}} for i in range(100)),
            )
        ),
    ),
]

CASES = [*CONTAINER, *NAMES, *TRUST, *MANIFEST]
