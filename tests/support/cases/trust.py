"""Kits that too few people signed, and kits with a bad signature (FORMAT 4.4 to 4.7, 12.2)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.assembler import Draft, assemble, b64, pae
from tests.support.drafts import STRANGE, TWO_KEYS, with_key
from tests.support.hooks import Hooks, Signatures, flip, put, sign
from tests.support.people import SIGNER, N, chain, person, sign_root, signed_root
from tests.support.vector import CLAIMS, Case, bad

THRESHOLD, SURPLUS = "threshold-not-met", "signature-invalid"
ALICE, BOB = person("alice").keyid, person("bob").keyid
Make = Callable[[bytes], bytes]


def short(name: str, rules: str, why: str, draft: Draft | None = None, **more: Any) -> Case:
    """Return a vector that too few signers signed."""
    root = more.pop("root", b"")
    return bad(
        name,
        rules,
        THRESHOLD,
        why,
        lambda: assemble(draft or Draft(), **more),
        shown=CLAIMS,
        root=root,
    )


def instead(keyid: str, make: Make) -> Hooks:
    """Return hooks that put another signature in the place of a good one."""

    def change(message: bytes, good: Signatures) -> Signatures:
        return [(name, make(message) if name == keyid else old) for name, old in good]

    return sign(change)


def also(keyid: str, make: Make) -> Hooks:
    """Return hooks that add a signature to the good ones."""
    return sign(lambda message, good: sorted([*good, (keyid, make(message))]))


def by(name: str) -> Make:
    """Return what makes a good signature of somebody."""
    return person(name).sign


def der(r: int, s: int) -> bytes:
    """Return DER of two numbers, the second one small as a page wants it."""
    return encode_dss_signature(r, min(s, N - s))


def bobs(change: Callable[[int, int], bytes]) -> Hooks:
    """Return hooks that make another encoding of the two numbers of bob's good signature."""
    return instead(BOB, lambda message: change(*person("bob").numbers(message)))


def resequence(payload: str) -> str:
    """Return another payload that is a manifest all the same."""
    return b64(base64.b64decode(payload).replace(b'"sequence":1,', b'"sequence":2,'))


def same_twice() -> bytes:
    """Return the test root with alice's key under a second keyid, as alice's."""
    return with_key("cc", person("alice").key, "targets")


def root_only() -> bytes:
    """Return a root in which carol may change the root and may not sign kits."""
    signed = signed_root()
    signed["roles"]["targets"]["keyids"].remove(person("carol").keyid)
    return sign_root(signed)


def small_order() -> bytes:
    """Return a root that names a key of small order: every message has a signature under it."""
    key = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "01" + "00" * 31}}
    return with_key("dd", {**key, SIGNER: "eve"}, "targets")


COUNTED = [
    short(
        "unsigned",
        "4.2 4.6",
        "No signature at all: a page, but nobody vouches for it.",
        Draft(signers=()),
    ),
    short(
        "threshold_one_signer",
        "4.6",
        "alice alone, and two signers are wanted.",
        Draft(signers=("alice",)),
    ),
    short(
        "threshold_one_signer_two_keys",
        "4.6 5.4",
        "alice with both of her keys.",
        Draft(signers=("alice",), chain=chain(TWO_KEYS)),
        root=TWO_KEYS,
        **also("aa", by("mallory")),
    ),
    short(
        "threshold_one_key_two_keyids",
        "4.6 5.4",
        "alice's one key under two keyids.",
        Draft(signers=("alice",), chain=chain(same_twice())),
        root=same_twice(),
        **also("cc", by("alice")),
    ),
    short(
        "threshold_unknown_key",
        "4.6",
        "alice, and a good signature by a key nobody named.",
        Draft(signers=("alice", "mallory")),
    ),
    short(
        "threshold_unknown_twice",
        "4.6",
        "Two good signatures by keys that nobody named.",
        Draft(signers=("mallory", "sums")),
    ),
    short(
        "threshold_wrong_signature",
        "4.6",
        "alice, and bob's signature with one bit flipped.",
        **instead(BOB, lambda m: flip(20)(by("bob")(m))),
    ),
    short(
        "threshold_wrong_key",
        "4.6",
        "alice, and carol's signature under bob's keyid.",
        **instead(BOB, by("carol")),
    ),
    short(
        "threshold_swapped",
        "4.6",
        "The signatures of alice and bob under each other's keyid.",
        **sign(lambda m, good: [(good[0][0], good[1][1]), (good[1][0], good[0][1])]),
    ),
    short(
        "threshold_same_signature",
        "4.6",
        "alice's signature under bob's keyid too.",
        **instead(BOB, by("alice")),
    ),
    short(
        "threshold_keyid_case",
        "4.6",
        "bob's keyid in upper case is another keyid.",
        signatures=lambda good: sorted((k.upper() if k == BOB else k, s) for k, s in good),
    ),
    short(
        "threshold_other_role",
        "4.6",
        "alice, and carol, who may only change the root.",
        Draft(signers=("alice", "carol"), chain=chain(root_only())),
        root=root_only(),
    ),
    short(
        "threshold_not_evaluated",
        "4.5 4.6",
        "alice, and a key of an unknown scheme.",
        Draft(signers=("alice",), chain=chain(STRANGE)),
        root=STRANGE,
        **also("bb", by("bob")),
    ),
    short(
        "threshold_small_order",
        "4.5",
        "alice, and a key of small order with S = 0.",
        Draft(signers=("alice",), chain=chain(small_order())),
        root=small_order(),
        **also("dd", lambda m: b"\x01" + bytes(63)),
    ),
    short(
        "threshold_junk",
        "4.6",
        "alice, and 63 entries of junk to waste time with.",
        Draft(signers=("alice",)),
        signatures=lambda good: sorted([*good, *((f"{i:064x}", b"junk") for i in range(63))]),
    ),
    short(
        "signed_payload_only",
        "4.4",
        "Signatures over the payload instead of its PAE.",
        message=lambda m: m[m.index(b"{") :],
    ),
    short(
        "signed_base64",
        "4.4",
        "Signatures over the PAE of the base64.",
        message=lambda m: pae(b64(m[m.index(b"{") :]).encode()),
    ),
    short(
        "signed_other_type",
        "4.4",
        "Signatures over another payload type.",
        message=lambda m: pae(m[m.index(b"{") :], "application/json"),
    ),
    short(
        "signed_other_length",
        "4.4",
        "Signatures over a PAE with a leading zero.",
        message=lambda m: m.replace(b"json ", b"json 0", 1),
    ),
    short(
        "payload_changed",
        "4.4 4.6",
        "The payload was changed after it was signed.",
        envelope=put("payload", resequence),
    ),
]


def surplus(name: str, why: str, draft: Draft | None = None, **more: Any) -> Case:
    """Return a vector whose threshold is met and that has a bad entry all the same."""
    root = more.pop("root", b"")
    return bad(
        name,
        "4.6",
        SURPLUS,
        why,
        lambda: assemble(draft or Draft(), **more),
        shown=CLAIMS,
        root=root,
    )


EVERY = [
    surplus(
        "surplus_unknown_key",
        "alice and bob, and a good signature by a key nobody named.",
        Draft(signers=("alice", "bob", "mallory")),
    ),
    surplus("surplus_junk", "alice and bob, and an entry of junk.", **also("z", lambda m: b"junk")),
    surplus(
        "surplus_wrong_signature",
        "alice and bob, and carol's with one bit flipped.",
        Draft(signers=("alice", "bob", "carol")),
        **instead(person("carol").keyid, lambda m: flip(40)(by("carol")(m))),
    ),
    surplus(
        "surplus_high_s",
        "alice and carol, and bob's with n - s.",
        Draft(signers=("alice", "bob", "carol")),
        **bobs(lambda r, s: encode_dss_signature(r, max(s, N - s))),
    ),
    surplus(
        "surplus_other_role",
        "alice and bob, and carol, who may only change the root.",
        Draft(signers=("alice", "bob", "carol"), chain=chain(root_only())),
        root=root_only(),
    ),
]

HOST = [
    bad(
        "no_root",
        "5.6 12.2",
        "no-root",
        "A good kit, and a host that pinned no root.",
        assemble,
        shown=CLAIMS,
        root=None,
    ),
    bad(
        "no_root_unsigned",
        "5.6 12.2",
        "no-root",
        "The root comes before the signatures.",
        lambda: assemble(Draft(signers=())),
        shown=CLAIMS,
        root=None,
    ),
    bad(
        "expect_other_name",
        "12.5",
        "unexpected-kit",
        "Another kit was expected.",
        assemble,
        args=("--expect", "other"),
    ),
    bad(
        "expect_other_version",
        "12.5",
        "unexpected-kit",
        "Another version was expected.",
        assemble,
        args=("--expect", "vector@2"),
    ),
]

CASES: list[Case] = [*COUNTED, *EVERY, *HOST]
