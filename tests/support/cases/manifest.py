"""Signed statements that are not the manifest of a kit (FORMAT 3, 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.assembler import OWN, TOOLS, Draft, assemble, blob, component
from tests.support.drafts import files
from tests.support.hooks import Hook, add, both, drop, put
from tests.support.naive import Entry
from tests.support.people import person
from tests.support.vector import CLAIMS, KIT, NOTHING, Case, bad

MALFORMED, NEWER, MISMATCH = "manifest-malformed", "format-newer", "digest-mismatch"
ZEROS = "0" * 64
EVIDENCE = Entry(b"evidence/evidence.index", b"a list of evidence\n", b"evidence")
WITH_EVIDENCE = Draft((*OWN, EVIDENCE, *TOOLS))


def shape(name: str, rules: str, why: str, *changes: Hook, code: str = MALFORMED) -> Case:
    """Return a vector whose statement does not have its shape: there is nothing to show."""
    return bad(name, rules, code, why, lambda: assemble(statement=both(*changes)), shown=NOTHING)


def rule(name: str, rules: str, why: str, *changes: Hook, code: str = MALFORMED) -> Case:
    """Return a vector whose statement has its shape and breaks another rule."""
    return bad(name, rules, code, why, lambda: assemble(statement=both(*changes)), shown=CLAIMS)


def kit(name: str, why: str, /, **members: Any) -> Case:
    """Return a vector with a member of `kit` that is not of its form."""
    changes = [put(f"predicate.kit.{member}", value) for member, value in members.items()]
    return shape(name, "9.2", why, *changes)


def created(name: str, why: str, value: str) -> Case:
    """Return a vector with a time that has the form and does not exist, or not in tar."""
    change = put("predicate.kit.created", value)
    return rule(name, "7.2 9.6", why, change)


def lie(name: str, rules: str, why: str, change: Hook, code: str = MISMATCH) -> Case:
    """Return a vector whose manifest lies about a list that lies behind it."""
    return bad(name, rules, code, why, lambda: assemble(statement=change))


def digests(change: Callable[[Any], Any]) -> Hook:
    """Return a hook that changes both digests of kit.index."""
    return both(put("subject.0.digest", change), put("predicate.index.digest", change))


TOP = [
    shape(
        "type_old",
        "9.1",
        "_type of Statement v0.1.",
        put("_type", "https://in-toto.io/Statement/v0.1"),
    ),
    shape("type_missing", "9.1", "No _type.", drop("_type")),
    shape(
        "predicate_type_newer",
        "9.1 13",
        "predicateType of a later version.",
        put("predicateType", "https://offline-kit.example/kit/v2"),
        code=NEWER,
    ),
    shape(
        "predicate_type_other",
        "9.1 13",
        "predicateType of something else.",
        put("predicateType", "https://slsa.dev/provenance/v1"),
        code=NEWER,
    ),
    shape("predicate_type_number", "9.1", "predicateType is a number.", put("predicateType", 1)),
    shape("predicate_missing", "9.1", "No predicate.", drop("predicate")),
    shape("predicate_array", "9.1", "predicate is an array.", put("predicate", [])),
    shape(
        "statement_more",
        "9.1 9.7",
        "A fifth member beside the four of a Statement.",
        put("x-new", 1),
    ),
    shape(
        "requires_unknown",
        "9.7 13",
        "A feature that this version does not know.",
        put("predicate.requires", ["deltas"]),
        code=NEWER,
    ),
    shape(
        "requires_longest",
        "9.2 9.7",
        "32 features of 128 characters each, the most there may be.",
        put("predicate.requires", [f"{n:~>128}" for n in range(32)]),
        code=NEWER,
    ),
    shape(
        "requires_33",
        "9.2",
        "33 features.",
        put("predicate.requires", [f"x{n}" for n in range(33)]),
    ),
    shape("requires_twice", "9.2", "One feature twice.", put("predicate.requires", ["x", "x"])),
    shape("requires_empty", "9.2", "A feature without a name.", put("predicate.requires", [""])),
    shape(
        "requires_space", "9.2", "A space in a feature.", put("predicate.requires", ["new rules"])
    ),
    shape(
        "requires_129",
        "9.2",
        "A feature of 129 characters.",
        put("predicate.requires", ["x" * 129]),
    ),
    shape(
        "order_type_before_predicate_type",
        "9.8",
        "Another _type and another predicateType: _type decides.",
        put("_type", "https://in-toto.io/Statement/v2"),
        put("predicateType", "https://offline-kit.example/kit/v2"),
    ),
    shape(
        "order_predicate_type_before_top",
        "9.8",
        "Another predicateType, a member more at the top, and no subject: predicateType decides.",
        put("predicateType", "https://offline-kit.example/kit/v2"),
        put("x-new", 1),
        drop("subject"),
        code=NEWER,
    ),
    shape(
        "order_top_before_requires",
        "9.8",
        "A member more at the top, and a feature that this version does not know: the top decides.",
        put("x-new", 1),
        put("predicate.requires", ["deltas"]),
    ),
    shape(
        "order_subject_before_requires",
        "9.8",
        "A third member in a subject, and an unknown feature: the subject decides.",
        put("subject.0.uri", "x"),
        put("predicate.requires", ["deltas"]),
    ),
    shape(
        "order_requires_before_shape",
        "9.8",
        "An unknown feature in a predicate that has no other member as it should: it decides.",
        put("predicate", {"requires": ["deltas"], "pageSize": "any", "built": 7}),
        code=NEWER,
    ),
    shape(
        "order_rules_before_shape",
        "9.8",
        "Other rules in a predicate of another shape: they decide.",
        put("predicate", {"requires": [], "pageSize": "any", "built": {"rules": "by-blocks/7"}}),
        code=NEWER,
    ),
    shape("requires_text", "9.2", "requires is a string.", put("predicate.requires", "deltas")),
    shape("requires_missing", "9.2", "No requires.", drop("predicate.requires")),
    shape(
        "rules_newer",
        "9.2 13",
        "Frames cut by later rules.",
        put("predicate.built.rules", "offline-kit-frames/2"),
        code=NEWER,
    ),
    shape(
        "rules_other",
        "9.2 13",
        "Frames cut by rules of another name.",
        put("predicate.built.rules", "by-blocks"),
        code=NEWER,
    ),
    shape("rules_empty", "9.2", "Rules without a name.", put("predicate.built.rules", "")),
    shape("rules_number", "9.2", "Rules that are a number.", put("predicate.built.rules", 1)),
    shape(
        "rules_space",
        "9.2",
        "A space in the name of the rules.",
        put("predicate.built.rules", "a b"),
    ),
    shape("predicate_type_empty", "9.1", "An empty predicateType.", put("predicateType", "")),
    shape(
        "predicate_type_129",
        "9.1",
        "A predicateType of 129 characters.",
        put("predicateType", "https://offline-kit.example/".ljust(129, "x")),
    ),
    shape("built_missing", "9.2", "No built.", drop("predicate.built")),
    shape(
        "evidence_index_text",
        "9.2",
        "evidenceIndex is a string.",
        put("predicate.evidenceIndex", ZEROS),
    ),
    bad(
        "evidence_index_absent",
        "9.4",
        MALFORMED,
        "evidenceIndex, and no member evidence/evidence.index.",
        lambda: assemble(statement=put("predicate.evidenceIndex", blob(b""))),
    ),
    bad(
        "evidence_index_digest_lie",
        "9.4",
        MALFORMED,
        "evidenceIndex has another digest than its line in the index.",
        lambda: assemble(
            WITH_EVIDENCE,
            statement=put("predicate.evidenceIndex", blob(EVIDENCE.data.upper())),
        ),
    ),
    bad(
        "evidence_index_size_lie",
        "9.4",
        MALFORMED,
        "evidenceIndex has another size than its line in the index.",
        lambda: assemble(
            WITH_EVIDENCE,
            statement=put("predicate.evidenceIndex", {**blob(EVIDENCE.data), "size": 7}),
        ),
    ),
    shape(
        "sums_key_pem",
        "9.2",
        "sumsKey is a PEM.",
        put("predicate.sumsKey", person("sums").key["keyval"]["public"]),
    ),
    shape(
        "sums_key_ed25519",
        "9.2",
        "sumsKey is a key of another kind.",
        put("predicate.sumsKey", "MCowBQYDK2VwAyEA" + "A" * 43 + "="),
    ),
    shape(
        "page_size_no_page",
        "4.8 9.2",
        "pageSize is no size of a page.",
        put("predicate.pageSize", 65_535),
    ),
    rule(
        "page_size_lie",
        "4.8",
        "pageSize is another size than the page's.",
        put("predicate.pageSize", 262_144),
    ),
]

SUBJECTS = [
    rule(
        "subjects_swapped", "9.2", "SHA256SUMS before kit.index.", put("subject", lambda s: s[::-1])
    ),
    rule("subjects_missing", "9.2", "No subject SHA256SUMS.", drop("subject.1")),
    rule("subjects_none", "9.2", "No subject.", put("subject", [])),
    rule(
        "subject_other_name",
        "9.2",
        "The first subject has another name.",
        put("subject.0.name", "kit.INDEX"),
    ),
    shape(
        "subjects_103",
        "9.2",
        "101 primary artifacts.",
        add("subject", *({"name": f"a{i}", "digest": {"sha256": ZEROS}} for i in range(101))),
    ),
    bad(
        "subject_member_lie",
        "9.4",
        MALFORMED,
        "A primary artifact is called as a member is, and has another digest.",
        lambda: assemble(
            statement=add("subject", {"name": "tools/run", "digest": {"sha256": ZEROS}})
        ),
    ),
    shape("subject_more", "9.7", "A third member in a subject.", put("subject.0.uri", "x")),
    shape("subject_no_name", "9.2", "A subject without a name.", drop("subject.0.name")),
    shape(
        "digest_upper_case",
        "9.3",
        "Upper-case digits.",
        digests(lambda d: {"sha256": d["sha256"].upper()}),
    ),
    shape("digest_short", "9.3", "63 digits.", digests(lambda d: {"sha256": d["sha256"][:63]})),
    shape(
        "digest_no_sha256",
        "9.3",
        "A digest without sha256.",
        digests(lambda d: {"sha512": ZEROS * 2}),
    ),
    shape("digest_empty", "9.3", "A digest of nothing.", digests(lambda d: {})),
    shape("digest_text", "9.3", "A digest that is a string.", digests(lambda d: d["sha256"])),
    shape(
        "digest_number",
        "9.3",
        "A digest whose sha256 is a number.",
        digests(lambda d: {"sha256": 7}),
    ),
    shape(
        "digest_nine",
        "9.3",
        "Nine algorithms.",
        digests(lambda d: {**d, **{f"x{n}": "00" for n in range(8)}}),
    ),
    shape(
        "digest_algorithm_upper_case",
        "9.3",
        "An algorithm in upper case.",
        digests(lambda d: {**d, "SHA512": ZEROS * 2}),
    ),
    shape("digest_odd", "9.3", "An odd number of digits.", digests(lambda d: {**d, "x9": "000"})),
    shape("digest_no_digits", "9.3", "A value of no digits.", digests(lambda d: {**d, "x9": ""})),
    rule(
        "subject_index_fewer",
        "9.4",
        "`index` has an algorithm more than subject kit.index.",
        put("predicate.index.digest.x9", "00"),
    ),
    lie(
        "digest_sha512_short",
        "9.3",
        "A sha512 of two digits, in both places.",
        digests(lambda d: {**d, "sha512": "00"}),
    ),
    shape(
        "digest_prefixed",
        "9.3",
        "A digest with its algorithm before it.",
        digests(lambda d: {"sha256": "sha256:" + d["sha256"][:57]}),
    ),
    rule(
        "subject_index_lie",
        "9.4",
        "Subject kit.index has another digest than `index`.",
        put("subject.0.digest.sha256", ZEROS),
    ),
    bad(
        "subject_sums_lie",
        "9.4",
        MALFORMED,
        "Subject SHA256SUMS has another digest than its line in the index.",
        lambda: assemble(statement=put("subject.1.digest.sha256", ZEROS)),
    ),
    bad(
        "subject_sums_sha512_lie",
        "9.3",
        MALFORMED,
        "The second digest of subject SHA256SUMS is wrong.",
        lambda: assemble(statement=put("subject.1.digest.sha512", ZEROS * 2)),
    ),
]

INFO = [
    kit("kit_name_upper_case", "An upper-case name.", name="Vector"),
    kit("kit_name_slash", "A slash in the name.", name="a/b"),
    kit("kit_name_climbs", "A name that begins with a dot.", name="..a"),
    kit("kit_name_empty", "An empty name.", name=""),
    kit("kit_name_65", "A name of 65 characters.", name="n" * 65),
    kit("kit_name_line_end", "LF behind the name.", name="vector\n"),
    kit("kit_version_space", "A space in the version.", version="1 0"),
    kit("kit_version_number", "The version is a number.", version=1),
    kit("kit_line_upper_case", "An upper-case line.", line="Vectors"),
    kit("kit_sequence_zero", "Sequence 0.", sequence=0),
    kit("kit_sequence_too_large", "Sequence 2^40 + 1.", sequence=2**40 + 1),
    kit("kit_sequence_true", "The sequence is true.", sequence=True),
    kit("kit_sequence_text", "The sequence is a string.", sequence="1"),
    kit("kit_created_zone", "A time with an offset.", created="2026-11-24T00:00:00+00:00"),
    kit("kit_created_fraction", "A time with a fraction.", created="2026-11-24T00:00:00.0Z"),
    kit("kit_created_space", "A space instead of T.", created="2026-11-24 00:00:00Z"),
    kit("kit_created_hour_24", "Hour 24.", created="2026-11-24T24:00:00Z"),
    kit("kit_created_leap_second", "Second 60.", created="2016-12-31T23:59:60Z"),
    kit(
        "kit_created_other_digits",
        "Digits that are not ASCII.",
        created="\u0662026-11-24T00:00:00Z",
    ),
    kit("kit_expires_null", "expires is null instead of missing.", expires=None),
    kit("kit_summary_501", "A summary of 501 characters.", summary="s" * 501),
    kit("kit_summary_line_end", "LF in the summary.", summary="one\ntwo"),
    kit("kit_summary_escape", "ESC in the summary.", summary="\x1b[2Jverified"),
    kit("kit_summary_turned", "A character that turns the line.", summary="\u202everified"),
    kit("kit_supersedes_upper_case", "A kitId in upper case.", supersedes=["A" * 64]),
    kit("kit_supersedes_text", "supersedes is a string.", supersedes=ZEROS),
    created("created_february_30", "30 February.", "2026-02-30T00:00:00Z"),
    created("created_no_leap_year", "29 February 2027.", "2027-02-29T00:00:00Z"),
    created("created_before_1970", "One second before 1970.", "1969-12-31T23:59:59Z"),
    created(
        "created_too_late", "One second more than eleven octal digits hold.", "2242-03-16T12:56:32Z"
    ),
    rule(
        "expires_before_1970",
        "9.6",
        "It expires one second before 1970.",
        put("predicate.kit.expires", "1969-12-31T23:59:59Z"),
    ),
    rule(
        "expires_year_zero",
        "9.6",
        "It expires in the year 0.",
        put("predicate.kit.expires", "0000-01-01T00:00:00Z"),
    ),
    rule(
        "expires_february_30",
        "9.6",
        "It expires on 30 February.",
        put("predicate.kit.expires", "2027-02-30T00:00:00Z"),
    ),
]

A_AND_C = files("a/x", "a/b/y", "c/z")


def cover(name: str, why: str, *components: Any, **more: Any) -> Case:
    """Return a vector whose components do not fit a payload of a/x, a/b/y and c/z."""
    draft = replace(A_AND_C, components=components)
    code, shown = more.get("code", MALFORMED), more.get("shown", CLAIMS)
    return bad(name, "9.5", code, why, lambda: assemble(draft), shown=shown)


COMPONENTS = [
    cover(
        "components_same_path",
        "Two components have one path.",
        component("one", "a", "c"),
        component("two", "a"),
    ),
    cover(
        "components_overlap",
        "A path below that of another component.",
        component("one", "a", "c"),
        component("two", "a/b"),
    ),
    cover(
        "components_overlap_inside",
        "A path below another one of the same component.",
        component("one", "a", "a/x", "c"),
    ),
    cover(
        "components_same_id",
        "Two components have one id.",
        component("one", "a"),
        component("one", "c"),
    ),
    cover(
        "component_path_slash",
        "A path with a slash at its end.",
        component("one", "a/", "c"),
        code="member-path-unsafe",
    ),
    cover(
        "component_path_climbs",
        "A path with `..`.",
        component("one", "a", "c", "../c"),
        code="member-path-unsafe",
    ),
    cover(
        "component_path_absolute",
        "An absolute path.",
        component("one", "a", "c", "/etc"),
        code="member-path-unsafe",
    ),
    cover(
        "component_path_evidence",
        "A placeholder at a path that only evidence may have.",
        component("one", "a", "c"),
        component("two", "evidence/x", placeholder="later"),
    ),
    cover(
        "component_path_verifier",
        "The verifier as a component.",
        component("one", "a", "c", "verifier"),
    ),
    cover(
        "component_path_readme_folded",
        "A placeholder whose path folds to readme.txt.",
        component("one", "a", "c"),
        component("two", "ReadMe.txt", placeholder="later"),
    ),
    cover(
        "component_placeholder_empty",
        "A placeholder that says nothing.",
        component("one", "a", "c"),
        component("two", "d", placeholder=""),
        shown=NOTHING,
    ),
    cover(
        "component_owner_empty",
        "An owner without a name.",
        component("one", "a", "c"),
        component("two", "d", owner=""),
        shown=NOTHING,
    ),
    cover("component_path_empty", "An empty path.", component("one", "a", "c", ""), shown=NOTHING),
    cover(
        "component_no_paths",
        "A component without paths.",
        component("one", "a", "c"),
        component("two"),
        shown=NOTHING,
    ),
    cover(
        "component_id_upper_case", "An id in upper case.", component("One", "a", "c"), shown=NOTHING
    ),
    cover("component_number", "A component that is a number.", 7, shown=NOTHING),
    cover(
        "component_no_lands",
        "A component that does not say where it belongs.",
        {"id": "one", "version": "1", "paths": ["a", "c"]},
        shown=NOTHING,
    ),
    cover(
        "component_empty",
        "A component without members that is no placeholder.",
        component("one", "a", "c"),
        component("two", "d"),
        shown=KIT,
    ),
    cover(
        "component_part_empty",
        "One of the paths of a component has no member.",
        component("one", "a", "c", "d"),
        shown=KIT,
    ),
    cover(
        "member_uncovered",
        "A member that belongs to no component.",
        component("one", "a"),
        shown=KIT,
    ),
    cover("members_uncovered", "No components, and there is a payload.", shown=KIT),
    shape(
        "exemption_no_reason",
        "9.2",
        "An exemption without a reason.",
        put("predicate.exemptions", [{"paths": ["a"]}]),
    ),
    shape(
        "exemption_reason_empty",
        "9.2",
        "An exemption with an empty reason.",
        put("predicate.exemptions", [{"paths": ["a"], "reason": ""}]),
    ),
    rule(
        "exemption_path_device",
        "9.5",
        "An exemption for a device of Windows.",
        put("predicate.exemptions", [{"paths": ["a/NUL.txt"], "reason": "why"}]),
        code="member-path-unsafe",
    ),
    shape(
        "exemption_no_paths",
        "9.2",
        "An exemption of nothing.",
        put("predicate.exemptions", [{"paths": [], "reason": "why"}]),
    ),
    rule(
        "exemption_path_climbs",
        "9.5",
        "An exemption for what no member can be.",
        put("predicate.exemptions", [{"paths": ["../a"], "reason": "why"}]),
        code="member-path-unsafe",
    ),
]

BLOBS = [
    lie(
        "blob_index_digest_lie",
        "9.2 12.1",
        "Another digest of kit.index, in both places.",
        digests(lambda d: {"sha256": ZEROS}),
    ),
    lie(
        "blob_index_sha512_lie",
        "9.3",
        "The second digest of kit.index is wrong.",
        digests(lambda d: {**d, "sha512": ZEROS * 2}),
    ),
    lie(
        "blob_index_size_lie",
        "9.2 12.1",
        "A size of kit.index that is one too small.",
        put("predicate.index.size", lambda size: size - 1),
        code="layout-mismatch",
    ),
    lie(
        "blob_index_size_zero",
        "9.2 12.1",
        "kit.index has no bytes, says the manifest.",
        put("predicate.index.size", 0),
        code="layout-mismatch",
    ),
    lie(
        "blob_frames_digest_lie",
        "9.2 12.1",
        "Another digest of kit.frames.",
        put("predicate.frames.digest.sha256", ZEROS),
    ),
    lie(
        "blob_frames_sha512_lie",
        "9.3",
        "The second digest of kit.frames is wrong.",
        put("predicate.frames.digest.sha512", ZEROS * 2),
    ),
    lie(
        "blob_frames_size_lie",
        "9.2 12.1",
        "A size of kit.frames that is one too large.",
        put("predicate.frames.size", lambda size: size + 1),
        code="layout-mismatch",
    ),
    shape("blob_index_size_negative", "9.2", "A negative size.", put("predicate.index.size", -1)),
    shape(
        "blob_index_size_too_large",
        "6.8 9.2",
        "A list of 536,870,913 bytes.",
        put("predicate.index.size", 536_870_913),
    ),
    shape(
        "blob_roots_size_too_large",
        "5.1 9.2",
        "Roots of 262,145 bytes.",
        put("predicate.roots.size", 262_145),
    ),
    shape("blob_frames_missing", "9.2", "No frames.", drop("predicate.frames")),
]

CASES: list[Case] = [*TOP, *SUBJECTS, *INFO, *COMPONENTS, *BLOBS]
