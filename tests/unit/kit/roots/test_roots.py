"""Rotation: the next version, those who sign it in turn, and the chain that it joins."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from kit.keys import load_public, new_key, spki_sha256
from kit.roots.ceremony import (
    RootBeforeMissing,
    RootBreaks,
    RootChainFull,
    RootCopiesDiffer,
    RootSignedAlready,
    RootUnfinished,
    RootVersionSkipped,
    accept,
    add_signatures,
    check_follows,
    merge,
    standing,
)
from kit.roots.files import load_any, load_next, load_roots
from kit.roots.metadata import RootInconsistent, build_root
from kit.roots.rotate import Change, next_root
from kit.roots.words import changes, describe, digest, progress
from kit.signing import KeyNotInRoot, SignerNotInRoot
from tests.support.people import chain as chain_of
from tests.support.people import compact, person, sign_root, signed_root
from tests.support.simulator import Publisher, root_of, rotated
from tests.support.together import together
from verifier.core.errors import RootInvalid
from verifier.core.signature import SSHSIG
from verifier.core.trust import Root, chain_bytes, parse_chain, parse_root, read_root
from verifier.show.fingerprint import groups

KEYS = Path(__file__).parents[4] / "fixtures" / "keys"
V1 = parse_root((KEYS / "root.json").read_bytes())
FIXTURE = parse_chain((KEYS / "roots.json").read_bytes())
LATER = datetime(2042, 1, 1, tzinfo=timezone.utc)


def pub(*names: str) -> list[tuple[str, Path]]:
    return [(name, KEYS / f"{name}.pub") for name in names]


def pem(*names: str) -> list[str]:
    return [f"{name}={KEYS / name}.pem" for name in names]


def after(old: Root, **change: Any) -> Root:
    return read_root(next_root(old, Change(**change)))


def signed(new: Root, old: Root | None, *names: str) -> Root:
    return read_root(add_signatures(new, pem(*names), old=old)[0])


def who(root: Root, role: str = "targets") -> tuple[int, list[str]]:
    return root.role[role].threshold, root.role[role].signers()


# --- the next version ------------------------------------------------------------------------


def test_while_the_same_people_do_both_one_change_is_for_both() -> None:
    new = after(V1, remove_signers=["bob"], add_signers=pub("frank"), threshold=3)
    assert (new.version, new.signatures) == (2, ())
    for role in ("targets", "root", "timestamp", "snapshot"):
        assert who(new, role) == (3, ["alice", "carol", "frank"])
    assert len(json.loads(new.line)["signed"]["keys"]) == 3


@pytest.mark.parametrize(
    ("change", "kit", "root"),
    [
        ({"root_threshold": 3}, (2, ["alice", "bob", "carol"]), (3, ["alice", "bob", "carol"])),
        (
            {"add_root_signers": pub("grace"), "threshold": 3},
            (3, ["alice", "bob", "carol"]),
            (2, ["alice", "bob", "carol", "grace"]),
        ),
        ({"remove_root_signers": ["bob"]}, (2, ["alice", "bob", "carol"]), (2, ["alice", "carol"])),
        (
            {"add_signers": pub("frank"), "add_root_signers": pub("grace")},
            (2, ["alice", "bob", "carol", "frank"]),
            (2, ["alice", "bob", "carol", "grace"]),
        ),
        (
            {"remove_signers": ["bob"], "remove_root_signers": ["alice"], "root_threshold": 1},
            (2, ["alice", "carol"]),
            (1, ["carol"]),
        ),
    ],
)
def test_a_change_for_the_root_signers_parts_the_two(
    change: dict[str, Any], kit: tuple[int, list[str]], root: tuple[int, list[str]]
) -> None:
    new = after(V1, **change)
    assert (who(new), who(new, "root")) == (kit, root)


def test_once_parted_they_stay_apart() -> None:
    new = after(FIXTURE[2], add_signers=pub("bob"), threshold=3)
    assert who(new) == (3, ["alice", "bob", "carol", "frank"])
    assert who(new, "root") == (2, ["carol", "frank", "grace"])


def test_a_removed_signer_goes_from_every_role() -> None:
    new = after(FIXTURE[3], remove_signers=["grace"])
    assert who(new) == who(new, "root") == (2, ["carol", "frank"])


def test_one_of_two_keys_of_a_person_is_revoked_by_its_id(tmp_path: Path) -> None:
    second = new_key("ecdsa-p256", tmp_path, "second")
    two = after(V1, add_signers=[("alice", second.public_path)])
    assert who(two) == (2, ["alice", "bob", "carol"])
    assert len(two.targets.keys) == 4
    first = next(k.keyid for k in V1.targets.keys.values() if k.signer == "alice")
    one = after(two, remove_signers=[first])
    assert who(one) == (2, ["alice", "bob", "carol"])
    alices = [k.keyid for k in one.targets.keys.values() if k.signer == "alice"]
    assert alices == [second.keyid]
    assert list(changes(two, one)) == [
        f"{title}: gone is the key of 'alice': ed25519, SHA-256 {of('alice')}"
        for title in ("kit signers", "root signers")
    ]


def test_a_key_is_replaced_in_one_version(tmp_path: Path) -> None:
    made = new_key("ed25519", tmp_path, "new")
    new = after(V1, remove_signers=["alice"], add_signers=[("alice", made.public_path)])
    assert who(new) == (2, ["alice", "bob", "carol"])
    assert [k.keyid for k in new.targets.keys.values() if k.signer == "alice"] == [made.keyid]


def test_what_nobody_asked_to_change_stays_and_so_do_resets() -> None:
    note = {"x-note": {"kept": [1, None]}, "x-offline-kit-reset-lines": {"a": 1}}
    odd = {"keytype": "x", "scheme": "y", "keyval": {"public": "z", "n": 1}, "x-offline-kit-signer": "zoe"}  # noqa: E501  # fmt: skip
    value = signed_root()
    value.update(note)
    value["keys"]["odd"] = odd
    value["roles"]["root"]["keyids"].append("odd")
    value["roles"]["root"]["x-why"] = "because"
    old = parse_root(sign_root(value))
    new = json.loads(after(old, expires=LATER).line)["signed"]
    expected = {**value, "version": 2, "expires": "2042-01-01T00:00:00Z"}
    for role in ("timestamp", "snapshot"):
        expected["roles"][role] = {"keyids": value["roles"]["root"]["keyids"], "threshold": 2}
    assert new == expected
    again = read_root(next_root(old, Change(reset_lines=["b"])))
    assert again.reset_lines == {"a": 1, "b": 2}


def test_a_policy_is_bound_kept_and_let_go() -> None:
    bound = after(V1, policy=b"{}\n")
    assert bound.policy_sha256.startswith("ca3d163bab05")
    assert after(bound, threshold=3).policy_sha256 == bound.policy_sha256
    assert after(bound, policy=b"").policy_sha256 == ""


def test_the_same_change_has_the_same_bytes_in_any_order() -> None:
    one = next_root(V1, Change(add_signers=pub("frank", "grace"), reset_lines=["b", "a", "b"]))
    other = next_root(V1, Change(add_signers=pub("grace", "frank"), reset_lines=["a", "b"]))
    assert one == other
    assert read_root(one).reset_lines == {"a": 2, "b": 2}


@together(
    ("change", "says"),
    [
        ({}, "nothing would change"),
        ({"threshold": 2}, "nothing would change"),
        ({"threshold": 4}, "threshold of role root is 4, and it has 3 distinct signers"),
        ({"root_threshold": 4}, "threshold of role root is 4, and it has 3 distinct signers"),
        ({"remove_signers": ["alice", "bob"]}, "role root is 2, and it has 1 distinct signer"),
        ({"remove_signers": ["mallory"]}, "'mallory' to remove: there are 'alice', 'bob', 'carol'"),
        ({"remove_signers": ["bob", "bob"]}, "there are 'alice', 'carol'"),
        ({"remove_root_signers": ["frank"]}, "there are"),
        ({"add_signers": pub("alice")}, "the key is there already"),
        ({"add_signers": [("frank", KEYS / "alice.pub")]}, "for 'alice' and for 'frank'"),
        ({"add_signers": [("Alice", KEYS / "frank.pub")]}, "one name to people"),
        ({"add_signers": [("", KEYS / "frank.pub")]}, "1 to 64"),
        ({"reset_lines": ["No line"]}, "other than names of lines"),
    ],
)
def test_a_version_that_no_verifier_would_accept_is_not_made(
    change: dict[str, Any], says: str
) -> None:
    with pytest.raises(RootInconsistent, match="root-inconsistent") as refused:
        after(V1, **change)
    assert says in str(refused.value)


def test_a_root_of_64_kib_does_not_grow() -> None:
    value = signed_root()
    value["x"] = "x" * (65_536 - len(sign_root(value)) - 20)
    with pytest.raises(RootInconsistent, match="and may have 65536"):
        after(parse_root(sign_root(value)), add_signers=pub("frank"))


# --- signing in turn -------------------------------------------------------------------------


def test_who_is_missing_is_said_under_both_versions() -> None:
    new = after(V1, remove_signers=["bob"], add_signers=pub("frank"))
    new = signed(new, V1, "alice")
    old_side, new_side = standing(new, V1).sides
    assert (old_side.version, old_side.signed, old_side.waiting) == (
        1,
        ("alice",),
        ("bob", "carol"),
    )
    assert (new_side.version, new_side.signed, new_side.waiting) == (
        2,
        ("alice",),
        ("carol", "frank"),
    )
    assert list(progress(standing(new, V1))) == [
        "by the rules of version 1: 'alice' signed, 2 must: 1 more of 'bob', 'carol'",
        "by the rules of version 2: 'alice' signed, 2 must: 1 more of 'carol', 'frank'",
    ]
    with pytest.raises(RootUnfinished, match="1 more of 'carol', 'frank' must sign"):
        accept([V1], signed(new, V1, "bob"))
    whole = signed(signed(new, V1, "bob"), V1, "frank")
    assert standing(whole, V1).complete
    assert [root.version for root in accept([V1], whole)] == [1, 2]


def test_the_order_in_which_people_sign_is_not_to_be_seen() -> None:
    new = after(V1, threshold=3)
    one = add_signatures(signed(signed(new, V1, "alice"), V1, "bob"), pem("carol"), old=V1)
    other = add_signatures(new, pem("carol", "alice", "bob"), old=V1)
    assert one[0] == other[0]
    assert (one[1], other[1]) == (["carol"], ["alice", "bob", "carol"])


def test_copies_that_were_signed_apart_are_put_together() -> None:
    new = after(V1, remove_signers=["bob"], add_signers=pub("frank"))
    copies = [signed(new, V1, name) for name in ("bob", "alice", "frank")]
    assert standing(merge(copies, V1), V1).complete
    spoiled = json.loads(copies[1].line)
    spoiled["signatures"][0]["sig"] = "00" * 64
    merged = merge([read_root(compact(spoiled)), *copies], V1)
    assert standing(merged, V1).complete
    with pytest.raises(RootCopiesDiffer):
        merge([copies[0], after(V1, threshold=3)], V1)


def test_a_wrong_signature_is_named_counts_for_nothing_and_may_be_made_again() -> None:
    new = signed(after(V1, threshold=3), V1, "alice")
    value = json.loads(new.line)
    keyid = value["signatures"][0]["keyid"]
    value["signatures"][0]["sig"] = "00" * 64
    value["signatures"].append({"keyid": "nobody's", "sig": "00"})
    spoiled = read_root(compact(value))
    state = standing(spoiled, V1)
    assert state.useless == (keyid, "nobody's")
    assert [side.signed for side in state.sides] == [(), ()]
    assert signed(spoiled, V1, "alice").signatures[0] == new.signatures[0]


def test_nobody_signs_twice() -> None:
    new = signed(after(V1, threshold=3), V1, "alice")
    with pytest.raises(RootSignedAlready, match="'alice' has signed version 2"):
        add_signatures(new, pem("alice"), old=V1)


def test_who_goes_is_known_by_the_version_before_only() -> None:
    new = after(V1, remove_signers=["bob"])
    with pytest.raises(RootBeforeMissing, match="version 2 follows version 1"):
        add_signatures(new, pem("alice"))
    assert standing(signed(new, V1, "bob"), V1).sides[0].signed == ("bob",)
    for keys in (pem("mallory"), [str(KEYS / "mallory.pem")]):
        with pytest.raises((KeyNotInRoot, SignerNotInRoot)):
            add_signatures(new, keys, old=V1)


EXCHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "public key": ({"keyval": person("mallory").key["keyval"]}, "public key"),
    "signer": ({"x-offline-kit-signer": "mallory"}, "signer"),
    "scheme": ({"scheme": SSHSIG}, "scheme"),
    "all": ({**person("bob").key, "x-offline-kit-signer": "bob"}, "signer and scheme and public"),
}


@pytest.mark.parametrize(("change", "says"), EXCHANGES.values(), ids=EXCHANGES.keys())
def test_a_key_exchanged_under_its_old_id_is_refused_at_every_step_of_the_ceremony(
    change: dict[str, Any], says: str
) -> None:
    """Whoever prepares the next root puts a key of their own under alice's key id."""
    value = json.loads(next_root(V1, Change(expires=LATER)))
    alice = person("alice").keyid
    value["signed"]["keys"][alice].update(change)
    if change.get("x-offline-kit-signer") == "bob":
        del value["signed"]["keys"][person("bob").keyid]
        for role in value["signed"]["roles"].values():
            role["keyids"].remove(person("bob").keyid)
    new = read_root(compact(value))
    match = f"another {says}.* under the key id '{alice}', which is a key of 'alice' in version 1"
    with pytest.raises(RootBreaks, match=match):
        add_signatures(new, pem("carol"), old=V1)
    complete = read_root(sign_root(value["signed"], ("bob", "carol")))
    for step in (check_follows, lambda root, old: accept([old], root)):
        with pytest.raises(RootBreaks, match=match):
            step(complete, V1)
    assert f"SHA-256 {of('alice')}" in "\n".join(changes(V1, new)), "and a reader sees it"


def test_a_reset_that_is_taken_back_is_refused_in_the_ceremony() -> None:
    old = read_root(next_root(V1, Change(reset_lines=["a"])))
    value = json.loads(next_root(old, Change(expires=LATER)))
    value["signed"]["x-offline-kit-reset-lines"] = {}
    with pytest.raises(RootBreaks, match="forgets that version 2 let the line 'a' start anew"):
        check_follows(read_root(compact(value)), old)


def test_a_key_under_another_name_is_not_prepared_either() -> None:
    """Whoever changes a name says so in two versions, so that hosts see one go and one come."""
    renamed = [("alicia", KEYS / "alice.pub")]
    with pytest.raises(RootInconsistent, match="for 'alice' and for 'alicia'"):
        next_root(V1, Change(remove_signers=["alice"], add_signers=renamed))
    without = after(V1, remove_signers=["alice"])
    assert "alicia" in who(after(without, add_signers=renamed))[1]


# --- into the chain --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        (FIXTURE[:1], "it is version 3, and after version 1 comes 2"),
        (FIXTURE, "it is version 3, and after version 4 comes 5"),
        (FIXTURE[:3], "version 3 is in the chain already"),
    ],
)
def test_a_version_in_the_wrong_place_is_not_accepted(chain: list[Root], says: str) -> None:
    with pytest.raises(RootVersionSkipped, match=says):
        accept(chain, FIXTURE[2])
    with pytest.raises(RootVersionSkipped, match=says):
        add_signatures(FIXTURE[2], pem("carol"), old=chain[-1])


def test_a_first_version_signed_in_turn_is_a_root_and_a_chain(tmp_path: Path) -> None:
    data = build_root(
        pub("alice", "bob"), 2, expires=LATER, sign_with=pem("alice"), allow_incomplete=True
    )
    first = read_root(data)
    with pytest.raises(RootUnfinished):
        accept([], first)
    first = signed(first, None, "bob")
    assert parse_root(first.line) == first
    assert accept([], first) == [first]


def test_a_chain_has_an_end() -> None:
    publisher = Publisher(root_of(1, "alice", by=("alice",), threshold=1))
    for _ in range(63):
        publisher.rotate(lambda s: None, "alice")
    full = parse_chain(chain_of(*publisher.roots))
    new = signed(after(full[-1], expires=LATER), full[-1], "alice")
    with pytest.raises(RootChainFull, match="65 roots"):
        accept(full, new)
    assert len(accept(full[1:], new)) == 64


# --- files and words -------------------------------------------------------------------------


def test_a_file_is_a_root_or_a_chain(tmp_path: Path) -> None:
    assert load_roots(KEYS / "root.json").chain == (V1,)
    assert not load_roots(KEYS / "root.json").is_chain
    held = load_roots(KEYS / "roots.json")
    assert (held.is_chain, held.last.version, len(held.chain)) == (True, 4, 4)
    assert chain_bytes(held.chain) == (KEYS / "roots.json").read_bytes()
    for number in (2, 3, 4):
        assert load_roots(KEYS / f"root-{number}.json").last == FIXTURE[number - 1]
    pretty = tmp_path / "pretty"
    text = json.dumps(json.loads(V1.line), indent=1)
    pretty.write_text(text + " " * (-len(text) % 512))  # the size of a chain, and none
    assert load_roots(pretty).last.signed == V1.signed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        chain_of(*rotated().roots[::2]),
        chain_of(sign_root(signed_root(), ("alice",))),
        chain_of(rotated().roots[0], sign_root(json.loads(rotated().roots[1])["signed"], ())),
        sign_root(signed_root(), ("alice",)),
    ],
)
def test_a_file_of_roots_that_is_not_good_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "roots.json").write_bytes(data)
    with pytest.raises(RootInvalid, match=r"roots\.json"):
        load_roots(tmp_path / "roots.json")
    with pytest.raises(RootInvalid):
        load_roots(tmp_path / "absent")


def test_the_roots_of_a_kit_are_shown_as_the_kits_own_words(tmp_path: Path) -> None:
    (tmp_path / "kit").write_bytes(rotated().kit("frank", "grace"))
    held = load_any(tmp_path / "kit")
    assert (held.from_kit, held.last.version) == (True, 4)
    shutil.copy(KEYS / "root.json", tmp_path)
    assert not load_any(tmp_path / "root.json").from_kit


def test_a_next_version_may_lack_signatures_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "next").write_bytes(next_root(V1, Change(threshold=3)))
    assert load_next([tmp_path / "next"])[0].version == 2
    (tmp_path / "other").write_bytes(b"{}")
    with pytest.raises(RootInvalid, match="other"):
        load_next([tmp_path / "next", tmp_path / "other"])


def test_the_number_on_paper_is_the_sha_256_of_the_file() -> None:
    assert digest(b"") == (
        "e3b0 c442 98fc 1c14 9afb f4c8 996f b924 27ae 41e4 649b 934c a495 991b 7852 b855"
    )
    assert digest((KEYS / "root.json").read_bytes()) in "".join(describe(V1))
    assert digest(V1.signed) in "".join(describe(V1, signing=True))


def of(name: str) -> str:
    return groups(spki_sha256(load_public(KEYS / f"{name}.pub")))


def test_what_a_version_changes_is_said_in_words() -> None:
    assert list(changes(FIXTURE[2], FIXTURE[3])) == [
        "kit signers: 'grace' comes",
        "kit signers: 'alice' goes; kits that need this signature are refused",
        f"kit signers: new key of 'grace': ecdsa-sha2-nistp256, SHA-256 {of('grace')}",
        f"kit signers: gone is the key of 'alice': ed25519, SHA-256 {of('alice')}",
        "line 'demo/stable' is reset: its sequence starts anew, and older kits stay old",
    ]
    assert list(changes(FIXTURE[1], FIXTURE[2]))[:2] == [
        "root signers: 'grace' comes",
        "root signers: 'alice' goes",
    ]
    thresholds = after(V1, threshold=3, expires=LATER)
    assert list(changes(V1, thresholds)) == [
        "kit signers: 3 must sign instead of 2",
        "root signers: 3 must sign instead of 2",
        "expires 2042-01-01T00:00:00Z instead of 2040-01-01T00:00:00Z",
    ]
