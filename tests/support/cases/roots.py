"""Root chains that are not well formed (FORMAT 5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.assembler import Draft, assemble
from tests.support.drafts import UNKNOWN_KEY, with_key
from tests.support.hooks import Hook, add, drop, flip, put
from tests.support.people import SIGNER, chain, compact, person, root_line, sign_root, signed_root
from tests.support.vector import CLAIMS, NOTHING, Case, bad

MALFORMED = "root-chain-malformed"
RESETS = "x-offline-kit-reset-lines"
ALICE, BOB, CAROL = (person(name).keyid for name in ("alice", "bob", "carol"))
PEM = person("bob").key["keyval"]["public"]


def raw(name: str, rules: str, why: str, data: bytes) -> Case:
    """Return a vector with these bytes as ``kit.roots.json``."""
    return bad(name, rules, MALFORMED, why, lambda: assemble(Draft(chain=data)), shown=NOTHING)


def late(name: str, rules: str, why: str, data: bytes, code: str = MALFORMED) -> Case:
    """Return a vector with a root of the pinned version that is well formed and not good."""
    return bad(name, rules, code, why, lambda: assemble(Draft(chain=data)), shown=CLAIMS)


def root(name: str, rules: str, why: str, change: Hook) -> Case:
    """Return a vector whose root is changed, signed by alice and bob, and spelled well."""
    return raw(name, rules, why, chain(sign_root(change(signed_root()))))


def key(name: str, why: str, change: Hook, keyid: str = CAROL) -> Case:
    """Return a vector with a key that is not as it must be."""

    def hook(signed: Any) -> Any:
        signed["keys"][keyid] = change(signed["keys"][keyid])
        return signed

    return root(name, "5.4", why, hook)


def strange(field: str, value: str) -> Hook:
    """Return what makes a key one of a scheme that nobody knows, with a field that is not good."""
    return lambda old: {**old, "keytype": "strange", "scheme": "strange", field: value}


def signatures(change: Callable[[Any], Any]) -> bytes:
    """Return a chain of the test root with other signatures."""
    value = json.loads(root_line())
    value["signatures"] = change(value["signatures"])
    return chain(compact(value))


def point(public: str) -> dict[str, Any]:
    """Return a P-256 key of dave."""
    keyval = {"public": public}
    return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": keyval, SIGNER: "dave"}


def odd_pem() -> str:
    """Return bob's key with its body in lines of another length."""
    lines = PEM.splitlines()
    body = "".join(lines[1:-1])
    return "\n".join([lines[0], body[:60], body[60:], lines[-1], ""])


CHAIN = [
    raw("roots_empty", "5.1", "Nothing but spaces.", b" " * 512),
    raw("roots_no_line_end", "5.1", "The only line has no LF.", root_line().ljust(3072)),
    raw("roots_padding_tab", "5.1", "A tab in the padding.", chain(root_line())[:-1] + b"\t"),
    raw("roots_padding_long", "5.1", "512 spaces too many.", chain(root_line()) + b" " * 512),
    raw("roots_crlf", "5.1", "CR and LF.", chain(root_line() + b"\r")),
    raw("roots_blank_line", "5.1", "An empty line behind the root.", chain(root_line(), b"")),
    raw(
        "roots_spelled_freely",
        "5.1",
        "A space behind a comma.",
        chain(root_line().replace(b",", b", ", 1)),
    ),
    raw(
        "roots_twice",
        "5.1",
        "One root twice: versions do not ascend.",
        chain(root_line(), root_line()),
    ),
    raw(
        "roots_version_skipped",
        "5.1",
        "Version 3 behind version 1: the versions are not consecutive.",
        chain(root_line(), sign_root({**signed_root(), "version": 3})),
    ),
    raw(
        "roots_descending",
        "5.1",
        "Version 2 before version 1.",
        chain(sign_root({**signed_root(), "version": 2}), root_line()),
    ),
    raw("roots_65", "5.1", "65 lines.", chain(*[b"{}"] * 65)),
    raw(
        "roots_line_long",
        "5.1",
        "A line of more than 65,536 bytes.",
        chain(sign_root({**signed_root(), "x-note": "n" * 66_000})),
    ),
    bad(
        "roots_too_large",
        "5.1",
        "not-a-kit",
        "262,656 bytes.",
        lambda: assemble(Draft(chain=chain(root_line()).ljust(262_656))),
        shown=NOTHING,
    ),
    raw("roots_not_json", "5.1 5.2", "Not JSON.", chain(b"root")),
    raw("roots_not_object", "5.2", "An array.", chain(b"[]")),
]

TOP = [
    root("root_type", "5.3", "_type is targets.", put("_type", "targets")),
    root("root_spec_version", "5.3", "spec_version 2.0.", put("spec_version", "2.0")),
    root("root_version_zero", "5.3", "Version 0.", put("version", 0)),
    root("root_version_true", "5.3", "The version is true.", put("version", True)),
    root("root_version_text", "5.3", "The version is a string.", put("version", "1")),
    root(
        "root_expires_never",
        "5.3",
        "It expires on 30 February.",
        put("expires", "2040-02-30T00:00:00Z"),
    ),
    root(
        "root_expires_zone",
        "5.3",
        "It expires in another time zone.",
        put("expires", "2040-01-01T00:00:00+01:00"),
    ),
    root(
        "root_expires_hour_24",
        "5.3",
        "It expires at hour 24.",
        put("expires", "2040-01-01T24:00:00Z"),
    ),
    root(
        "root_expires_before_1970",
        "5.3",
        "It expires one second before 1970.",
        put("expires", "1969-12-31T23:59:59Z"),
    ),
    root(
        "root_spec_version_five_digits",
        "5.3",
        "spec_version 1.0.12345.",
        put("spec_version", "1.0.12345"),
    ),
    root("root_spec_version_no_digits", "5.3", "spec_version 1.0. .", put("spec_version", "1.0.")),
    root(
        "root_consistent_snapshot_text",
        "5.3",
        "consistent_snapshot is a string.",
        put("consistent_snapshot", "false"),
    ),
    root(
        "root_consistent_snapshot_null",
        "5.3",
        "consistent_snapshot is null.",
        put("consistent_snapshot", None),
    ),
    root("root_no_expires", "5.3", "It does not say when it expires.", drop("expires")),
    *(
        root(name, "5.3", why, put(field, value))
        for name, why, field, value in (
            ("root_policy_text", "The policy is a text.", "x-offline-kit-policy", "0" * 64),
            ("root_policy_empty", "The policy has no sha256.", "x-offline-kit-policy", {}),
            (
                "root_policy_upper_case",
                "The digest of the policy is in upper case.",
                "x-offline-kit-policy",
                {"sha256": "A" * 64},
            ),
            ("root_resets_text", "Lines that are a text.", RESETS, "a"),
            ("root_resets_array", "Lines without a version.", RESETS, ["a"]),
            ("root_resets_upper_case", "No line.", RESETS, {"A": 1}),
            ("root_resets_zero", "A line that version 0 reset.", RESETS, {"a": 0}),
            ("root_resets_true", "The version of a line is true.", RESETS, {"a": True}),
            ("root_resets_later", "A line that version 2 will reset.", RESETS, {"a": 2}),
        )
    ),
    root("root_no_keys", "5.3", "No keys.", drop("keys")),
    root("root_role_missing", "5.3", "No role timestamp.", drop("roles.timestamp")),
    root(
        "root_role_more",
        "5.3",
        "A fifth role.",
        put("roles.mirrors", {"keyids": [ALICE], "threshold": 1}),
    ),
    root(
        "root_role_unknown_key",
        "5.3",
        "A role names a key that is not there.",
        add("roles.targets.keyids", "00" * 32),
    ),
    root(
        "root_role_key_twice",
        "5.3",
        "A role names a key twice.",
        add("roles.targets.keyids", ALICE),
    ),
    root("root_threshold_zero", "5.3", "Threshold 0.", put("roles.targets.threshold", 0)),
    root("root_threshold_negative", "5.3", "Threshold -1.", put("roles.targets.threshold", -1)),
    root(
        "root_threshold_true", "5.3", "The threshold is true.", put("roles.targets.threshold", True)
    ),
    root(
        "root_threshold_high",
        "5.4",
        "Threshold 4 of three signers.",
        put("roles.targets.threshold", 4),
    ),
    raw(
        "root_threshold_of_keys",
        "5.4",
        "Threshold 4 of four keys, two of them alice's.",
        chain(with_key("aa", {**person("mallory").key, SIGNER: "alice"}, "targets", threshold=4)),
    ),
    raw(
        "root_more",
        "5.2",
        "A third member beside signatures and signed.",
        chain(root_line()[:-1] + b',"x":1}'),
    ),
]

KEYS = [
    key("key_no_signer", "No name of a signer.", drop(SIGNER)),
    key("key_signer_empty", "An empty name.", put(SIGNER, "")),
    key("key_signer_65", "A name of 65 characters.", put(SIGNER, "n" * 65)),
    key("key_signer_control", "A name with a control character.", put(SIGNER, "car\x1bol")),
    key(
        "key_signer_invisible",
        "A name with a character that nobody sees.",
        put(SIGNER, "car\u200dol"),
    ),
    key(
        "key_signer_zero_width_space",
        "A name with a space of no width, which Unicode 3.2 had among the spaces.",
        put(SIGNER, "car\u200bol"),
    ),
    key("key_signer_case", "Two signers whose names differ by case only.", put(SIGNER, "Alice")),
    raw(
        "key_signer_fold",
        "5.4 6.4",
        "Two signers, one with \u00df and one with ss.",
        chain(
            with_key(
                "cc",
                {**person("mallory").key, SIGNER: "stra\u00dfe"},
                "root",
                more={"dd": {**person("sums").key, SIGNER: "strasse"}},
            )
        ),
    ),
    raw(
        "key_two_signers",
        "5.4",
        "One public key under two keyids, for two signers.",
        chain(with_key("cc", {**person("alice").key, SIGNER: "dave"}, "targets")),
    ),
    raw(
        "key_two_signers_respelled",
        "5.4",
        "One public key under two keyids, for two signers; one PEM lacks its last LF.",
        chain(with_key("cc", point(PEM.rstrip("\n")), "targets")),
    ),
    raw(
        "key_unknown_schemes_two_signers",
        "5.4",
        "One text under two schemes that nobody knows, for two signers.",
        chain(
            with_key(
                "cc",
                UNKNOWN_KEY,
                "targets",
                more={"dd": {**UNKNOWN_KEY, "scheme": "x-newer", SIGNER: "erin"}},
            )
        ),
    ),
    raw(
        "key_unknown_scheme_known_text",
        "5.4",
        "bob's PEM under a scheme that nobody knows, for another signer.",
        chain(with_key("cc", {**UNKNOWN_KEY, "keyval": {"public": PEM}}, "targets")),
    ),
    raw(
        "key_signer_fold_3_2",
        "5.4 6.4",
        "Signers U+2F868 and U+2136A, which are one in Unicode 3.2 (not from Corrigendum 4 on).",
        chain(
            with_key(
                "cc",
                {**person("mallory").key, SIGNER: "\U0002f868"},
                "root",
                more={"dd": {**person("sums").key, SIGNER: "\U0002136a"}},
            )
        ),
    ),
    key("key_ed25519_upper_case", "Upper-case digits.", put("keyval.public", str.upper)),
    key("key_ed25519_short", "62 digits.", put("keyval.public", lambda old: old[:62])),
    key("key_type_other", "The type of another scheme.", put("keytype", "ecdsa")),
    *(
        raw(
            f"key_id_{name}",
            "5.4",
            f"A key id {why}.",
            chain(with_key(keyid, person("mallory").key, "targets")),
        )
        for name, why, keyid in (
            ("empty", "of no characters", ""),
            ("129", "of 129 characters", "k" * 129),
            ("space", "with a space", "kay one"),
            ("control", "that would clear a terminal", "k\x1b[2J"),
            ("not_ascii", "with a letter that is not ASCII", "k\u00e9y"),
            ("bidi", "that turns the direction of writing", "k\u202eyek"),
        )
    ),
    *(
        key(f"key_{field}_{name}", f"A {field} {why}, of a scheme that nobody knows.", change)
        for field in ("scheme", "keytype")
        for name, why, change in (
            ("empty", "of no characters", strange(field, "")),
            ("65", "of 65 characters", strange(field, "s" * 65)),
            ("space", "with a space", strange(field, "ml dsa")),
            ("line_end", "that would begin a line of its own", strange(field, "x\nVERIFIED")),
            ("not_ascii", "with a letter that is not ASCII", strange(field, "\u0441ms")),
        )
    ),
    key("key_no_keyval", "No keyval.", drop("keyval")),
    raw(
        "key_pem_compressed",
        "5.4",
        "A compressed point.",
        chain(
            with_key(
                "cc",
                point(
                    "-----BEGIN PUBLIC KEY-----\n"
                    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACo5uvtrrqkpjPycCsIJKlGYtk6u94\n"
                    "/TU/PAyqe8xsHFc=\n"
                    "-----END PUBLIC KEY-----\n"
                ),
                "targets",
            )
        ),
    ),
    raw(
        "key_pem_off_curve",
        "5.4",
        "A point that is not on the curve.",
        chain(with_key("cc", point(PEM.replace("KIg==", "KIw==")), "targets")),
    ),
    raw(
        "key_pem_lines",
        "5.4",
        "A PEM in lines of 60.",
        chain(with_key("cc", point(odd_pem()), "targets")),
    ),
]

SIGNED = [
    late("root_unsigned", "5.5", "No signatures.", chain(sign_root(signed_root(), ()))),
    late(
        "root_one_signature",
        "5.5",
        "Signed by one of the two that its root role wants.",
        chain(sign_root(signed_root(), ("alice",))),
    ),
    late(
        "root_signed_by_others",
        "5.5",
        "Signed by mallory and one more.",
        chain(sign_root(signed_root(), ("alice", "mallory"))),
    ),
    raw(
        "root_signature_twice",
        "5.5",
        "One keyid signs twice.",
        signatures(lambda s: [s[0], s[0]]),
    ),
    raw(
        "root_65_signatures",
        "5.5",
        "65 entries of signatures.",
        signatures(lambda s: [*s, *({"keyid": f"{i}", "sig": "00"} for i in range(63))]),
    ),
    late(
        "root_signature_wrong",
        "5.5",
        "A signature with one bit flipped.",
        signatures(put("0.sig", lambda old: flip(0)(bytes.fromhex(old)).hex())),
    ),
    late(
        "root_signature_upper_case",
        "5.2",
        "A signature in upper-case hexadecimal digits.",
        signatures(put("0.sig", str.upper)),
    ),
    late(
        "root_signature_odd",
        "5.2",
        "A signature with one digit more.",
        signatures(put("0.sig", lambda old: old + "0")),
    ),
    raw(
        "root_signature_no_sig",
        "5.2",
        "An entry of signatures without sig.",
        signatures(drop("1.sig")),
    ),
    late(
        "root_signature_base64",
        "5.2",
        "A signature in base64.",
        signatures(put("0.sig", lambda old: "q" * 88)),
    ),
    late(
        "root_changed",
        "5.5 5.6",
        "The threshold was lowered after it was signed.",
        chain(root_line().replace(b'"threshold":2', b'"threshold":1')),
        "root-fork",
    ),
]


def host(name: str, why: str, root: bytes) -> Case:
    """Return a vector whose kit is good, with a pinned root that is no root of this format."""
    return bad(name, "5.5 12.3", "root-invalid", why, assemble, shown=NOTHING, root=root)


HOST = [
    host(
        "pinned_root_large",
        "The pinned file has 65,537 bytes, though its compact spelling is short.",
        root_line().ljust(65_537),
    ),
    host("pinned_root_not_json", "The pinned file is not JSON.", b"root\n"),
    host("pinned_root_cut", "The pinned file is cut.", root_line()[:-1]),
    host(
        "pinned_root_unsigned",
        "Nobody signed the pinned root.",
        sign_root(signed_root(), ()),
    ),
    host(
        "pinned_root_one_signature",
        "One signed the pinned root, and its root role wants two.",
        sign_root(signed_root(), ("alice",)),
    ),
    host(
        "pinned_root_name_twice",
        "The pinned root has one name twice.",
        root_line().replace(b'"signatures":', b'"signatures":[],"signatures":', 1),
    ),
    host(
        "pinned_root_growing",
        "The pinned file is short enough, and its compact spelling is not.",
        json.dumps(
            json.loads(sign_root({**signed_root(), "x-note": "\u00e9" * 20_000})),
            ensure_ascii=False,
        ).encode(),
    ),
]

LIES = [
    bad(
        "roots_digest_lie",
        "4.6 9.2",
        "digest-mismatch",
        "The manifest gives another digest for kit.roots.json.",
        lambda: assemble(statement=put("predicate.roots.digest.sha256", "0" * 64)),
        shown=CLAIMS,
    ),
    bad(
        "roots_size_lie",
        "4.6 9.2",
        "digest-mismatch",
        "The manifest gives another size for kit.roots.json.",
        lambda: assemble(statement=put("predicate.roots.size", 512)),
        shown=CLAIMS,
    ),
    bad(
        "roots_sha512_lie",
        "9.3",
        "digest-mismatch",
        "The second digest of kit.roots.json is wrong.",
        lambda: assemble(statement=put("predicate.roots.digest.sha512", "0" * 128)),
        shown=CLAIMS,
    ),
]

CASES: list[Case] = [*CHAIN, *TOP, *KEYS, *SIGNED, *HOST, *LIES]
