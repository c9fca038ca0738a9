"""Attacks on the roots of trust, in memory, each a change of a line or two (FORMAT 5.6).

What a publisher would have done is in `tests.support.simulator`; the attacker has the keys that a
test gives away, and no others.  Attacks by another line's kit or another policy need the state of a
host, and are tried where that is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import naive
from tests.support.assembler import MTIME, Part
from tests.support.judging import judge
from tests.support.people import SIGNER, person, root_line, sign_root, signed_root
from tests.support.simulator import (
    Publisher,
    entry,
    key_of,
    root_of,
    rotated,
    seat,
    seat_all,
    verdict,
)
from verifier.core.signature import Key
from verifier.core.trust import parse_root

V1 = root_line()
GOOD = rotated()


def moved(publisher: Publisher, *signers: str) -> str:
    """Return what a host on version 1 says of a kit with all roots of a publisher."""
    return verdict(publisher.kit(*signers), V1).code


# --- what is no attack -----------------------------------------------------------------------


@pytest.mark.parametrize("pinned", [1, 2, 3, 4])
def test_a_host_on_any_version_reaches_the_newest(pinned: int) -> None:
    answer = verdict(GOOD.kit("frank", "grace"), GOOD.of(pinned))
    assert answer.code == ""
    reached = answer.opened.reached
    assert reached is not None
    assert (reached.root.version, reached.kit_version) == (4, 4)
    assert reached.steps == tuple(range(pinned + 1, 5))
    assert answer.opened.signing is not None
    assert answer.opened.signing.signers == ["frank", "grace"]


@pytest.mark.parametrize("first", [1, 2])
def test_a_chain_may_begin_at_the_pinned_version_or_at_the_next(first: int) -> None:
    assert verdict(GOOD.kit("frank", "grace", roots=GOOD.roots[first - 1 :]), V1).code == ""


def test_a_kit_of_before_counts_with_those_who_are_still_there() -> None:
    kit = GOOD.kit("alice", "carol", "frank", roots=GOOD.roots[:3])
    answer = verdict(kit, GOOD.of(4))
    assert answer.code == ""
    reached = answer.opened.reached
    assert reached is not None
    assert (reached.root.version, reached.steps, reached.kit_version) == (4, (), 3)
    assert "the kit's own root is older (version 3)" in reached.sentence()
    assert answer.opened.signing is not None
    assert answer.opened.signing.signers == ["carol", "frank"]  # alice is gone, and no fault


# --- rollback, freeze, fast-forward ----------------------------------------------------------


def test_a_revoked_key_is_refused_by_whoever_has_seen_its_end() -> None:
    """bob's key is stolen: with alice he makes a kit under version 1, which named both."""
    stolen = GOOD.kit("alice", "bob", roots=[V1])
    assert verdict(stolen, V1).code == ""  # a host that was never told cannot know
    for version in (2, 3, 4):
        answer = verdict(stolen, GOOD.of(version))
        assert answer.code == "threshold-not-met"
        assert "the kit's own root is older (version 1)" in answer.fault[2]


def test_a_revoked_key_is_of_no_use_beside_the_whole_chain() -> None:
    assert moved(GOOD, "alice", "bob") == "threshold-not-met"
    assert moved(GOOD, "bob", "frank") == "threshold-not-met"


def test_a_revoked_signature_beside_enough_good_ones_is_no_surplus_of_the_new_root() -> None:
    assert moved(GOOD, "bob", "frank", "grace") == "signature-invalid"


def test_a_chain_that_ends_early_holds_nobody_at_a_root_they_have_left() -> None:
    frozen = GOOD.kit("alice", "carol", roots=GOOD.roots[:2])
    assert verdict(frozen, V1).code == ""
    assert verdict(frozen, GOOD.of(4)).code == "threshold-not-met"


def test_a_chain_that_goes_back_is_no_chain() -> None:
    kit = GOOD.kit("alice", "bob", roots=[*GOOD.roots, V1])
    assert verdict(kit, V1).code == "root-chain-malformed"


def test_a_version_that_is_left_out_is_missed() -> None:
    assert verdict(GOOD.kit("frank", "grace", roots=GOOD.roots[2:]), V1).code == "root-gap", (
        "versions 3 and 4, and version 1 is pinned"
    )
    jumped = GOOD.kit("frank", "grace", roots=[*GOOD.roots[:2], GOOD.roots[3]])
    assert verdict(jumped, V1).code == "root-chain-malformed"


def test_a_version_far_ahead_is_a_gap_and_not_a_step() -> None:
    """Fast-forward: a root of version 2^53 - 1 would be the last one for ever."""
    far = root_of(2**53 - 1, "alice", "bob", "carol", by=("alice", "bob"))
    assert verdict(GOOD.kit("alice", "bob", roots=[far]), V1).code == "root-gap"
    assert verdict(GOOD.kit("alice", "bob", roots=[V1, far]), V1).code == "root-chain-malformed"


# --- rotation to the attacker ----------------------------------------------------------------

ROTATIONS: dict[str, Callable[[Publisher], Any]] = {
    "signed by the attacker alone": lambda p: p.rotate(
        lambda s: seat_all(s, "mallory", threshold=1), "mallory"
    ),
    "and by one of two": lambda p: p.rotate(
        lambda s: seat_all(s, "mallory", threshold=1), "mallory", "alice"
    ),
    "and by one of two who is named twice": lambda p: p.rotate(
        lambda s: seat_all(s, "mallory", "alice", threshold=1), "mallory", "alice"
    ),
    "by enough of before, by too few of now": lambda p: p.rotate(
        lambda s: seat_all(s, "alice", "frank", "grace", threshold=2), "alice", "bob"
    ),
    "by those who come, and not by those who were": lambda p: p.rotate(
        lambda s: seat_all(s, "frank", "grace"), "frank", "grace"
    ),
    "by nobody": lambda p: p.rotate(lambda s: None),
    "a threshold of one that only the new root has": lambda p: p.rotate(
        lambda s: seat_all(s, "alice", "bob", "carol", threshold=1), "alice"
    ),
    "another key under alice's keyid": lambda p: p.rotate(
        lambda s: s["keys"].update({person("alice").keyid: key_of("mallory", "alice")}), "bob"
    ),
}


@pytest.mark.parametrize("rotate", ROTATIONS.values(), ids=ROTATIONS.keys())
def test_a_root_takes_a_threshold_of_the_old_and_of_the_new(
    rotate: Callable[[Publisher], Any],
) -> None:
    publisher = Publisher()
    rotate(publisher)
    answer = verdict(publisher.kit("alice", "bob", "mallory"), V1)
    assert answer.code == "root-step-invalid"
    assert answer.opened.manifest is None


def test_one_bad_step_in_the_middle_spoils_the_rest() -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: seat_all(s, "mallory", "frank"), "mallory", "frank")
    publisher.rotate(lambda s: seat_all(s, "alice", "bob", "carol"), "mallory", "frank", "alice")
    assert moved(publisher, "alice", "bob") == "root-step-invalid"
    assert verdict(publisher.kit("alice", "bob"), publisher.of(2)).code == "root-step-invalid"


def test_who_may_sign_kits_may_not_change_the_root() -> None:
    signed = seat(seat_all(signed_root(), "carol", threshold=1), "targets", "alice", "bob")
    first = sign_root(signed, ("carol",))
    publisher = Publisher(first)
    publisher.rotate(lambda s: seat(s, "root", "alice", threshold=1), "alice", "bob")
    assert verdict(publisher.kit("alice", "bob"), first).code == "root-step-invalid"


# --- thresholds ------------------------------------------------------------------------------


def test_one_person_with_two_keys_is_one_person_in_a_step() -> None:
    def two_keys(signed: dict[str, Any]) -> dict[str, Any]:
        seat_all(signed, "alice", "bob", "mallory")
        signed["keys"][person("mallory").keyid][SIGNER] = "alice"
        return signed

    first = sign_root(two_keys(signed_root()), ("alice", "bob"))
    publisher = Publisher(first)
    publisher.rotate(lambda s: None, "alice", "mallory")
    assert verdict(publisher.kit("alice", "bob"), first).code == "root-step-invalid"
    publisher.roots[-1:] = [sign_root(publisher.signed(), ("alice", "mallory", "bob"))]
    assert verdict(publisher.kit("alice", "bob"), first).code == ""


def test_one_key_under_two_keyids_is_one_person_in_a_step() -> None:
    def twice(signed: dict[str, Any]) -> None:
        signed["keys"]["cc"] = person("alice").key
        signed["roles"]["root"]["keyids"].append("cc")

    publisher = Publisher()
    publisher.rotate(twice, "alice", "bob")
    publisher.rotate(lambda s: None, "alice")
    publisher.resign(lambda old: [*old, {**old[0], "keyid": "cc"}])
    assert moved(publisher, "alice", "bob") == "root-step-invalid"


def test_a_signature_twice_is_no_second_signature() -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: None, "alice")
    publisher.resign(lambda old: [*old, *old])
    assert moved(publisher, "alice", "bob") == "root-chain-malformed"


@pytest.mark.parametrize("threshold", [0, -1])
@pytest.mark.parametrize("role", ["root", "targets"])
def test_a_threshold_of_nobody_is_no_threshold(role: str, threshold: int) -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: s["roles"][role].update(threshold=threshold), "alice", "bob")
    assert moved(publisher, "alice", "bob") == "root-chain-malformed"


def test_a_threshold_that_rises_is_wanted_at_once() -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: s["roles"]["root"].update(threshold=3), "alice", "bob")
    assert moved(publisher, "alice", "bob") == "root-step-invalid"
    publisher.roots[-1] = sign_root(publisher.signed(), ("alice", "bob", "carol"))
    assert moved(publisher, "alice", "bob") == ""


# --- replayed and mixed ----------------------------------------------------------------------


def test_signatures_of_the_old_root_are_none_of_the_new() -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: seat_all(s, "alice", "bob", "mallory"), "mallory")
    old = [entry(V1, "alice"), entry(V1, "bob")]
    publisher.resign(lambda mallorys: [*old, *mallorys])
    assert moved(publisher, "alice", "bob") == "root-step-invalid"


def test_signatures_of_the_page_are_none_of_the_root() -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: None, "alice")
    page = {"keyid": person("bob").keyid, "sig": person("bob").sign(b"DSSEv1 ").hex()}
    publisher.resign(lambda alices: [*alices, page])
    assert moved(publisher, "alice", "bob") == "root-step-invalid"


def other() -> Publisher:
    """Return another publisher, whose first root has the same version."""
    publisher = Publisher(root_of(1, "mallory", "sums", by=("mallory", "sums")))
    publisher.rotate(lambda s: None, "mallory", "sums")
    return publisher


def test_the_kit_of_another_publisher_is_a_fork() -> None:
    assert verdict(other().kit("mallory", "sums"), V1).code == "root-fork"
    assert verdict(other().kit("alice", "bob"), V1).code == "root-fork"


def test_the_kit_of_another_publisher_with_newer_roots_is_a_step_that_nobody_allowed() -> None:
    newer = other().roots[1:]
    assert verdict(other().kit("mallory", "sums", roots=newer), V1).code == "root-step-invalid"


def test_the_kit_of_another_publisher_with_older_roots_has_none_of_our_signers() -> None:
    kit = other().kit("mallory", "sums")
    assert verdict(kit, GOOD.of(4)).code == "threshold-not-met"


def test_chains_of_two_publishers_do_not_grow_together() -> None:
    spliced = [V1, *other().roots[1:]]
    assert verdict(GOOD.kit("mallory", "sums", roots=spliced), V1).code == "root-step-invalid"
    front = [other().roots[0], *GOOD.roots[1:]]
    assert verdict(GOOD.kit("frank", "grace", roots=front), V1).code == "root-fork"


def test_a_second_root_of_a_version_is_a_fork_even_when_its_people_signed_it() -> None:
    second = sign_root({**signed_root(), "expires": "2099-01-01T00:00:00Z"}, ("alice", "bob"))
    assert verdict(Publisher(second).kit("alice", "bob"), V1).code == "root-fork"


def test_a_fork_behind_the_pinned_version_is_seen_by_whoever_is_there() -> None:
    fork = Publisher()
    fork.rotate(lambda s: s["roles"]["targets"].update(threshold=1), "alice", "bob")
    assert verdict(fork.kit("alice"), V1).code == ""  # two root signers made it: theirs to give
    assert verdict(fork.kit("alice"), GOOD.of(2)).code == "root-fork"


def test_what_lies_before_the_pinned_root_decides_nothing() -> None:
    """A forged past lends no trust: those who count are the pinned root's and its successors'."""
    past = root_of(1, "mallory", "sums", by=())
    kit = GOOD.kit("mallory", "sums", roots=[past, *GOOD.roots[1:]])
    assert verdict(kit, GOOD.of(2)).code == "threshold-not-met"
    kit = GOOD.kit("mallory", "sums", roots=[past])
    assert verdict(kit, GOOD.of(2)).code == "threshold-not-met"


# --- the roots of a kit are signed with it ---------------------------------------------------


def test_the_roots_of_a_kit_cannot_be_exchanged_for_others() -> None:
    """Cutting the newest root off would bring back whom it revoked; but the roots are signed."""
    whole = GOOD.roots

    def cut(roots: bytes) -> bytes:
        lines = b"".join(root + b"\n" for root in whole[:3])
        return lines.ljust(len(roots))[: len(lines) + -len(lines) % 512]

    kit = GOOD.kit("carol", "frank", head=lambda head: exchanged(head, cut))
    answer = verdict(kit, V1)
    assert (answer.code, answer.opened.manifest) == ("digest-mismatch", None)


def exchanged(head: list[Part], change: Callable[[bytes], bytes]) -> list[Part]:
    """Return the head with other roots, in a member that is well formed."""
    part = head[1]
    data = change(part.data)
    header = naive.headers(b"kit.roots.json", len(data), False, MTIME)
    return [head[0], Part(header, data, naive.pad(len(data))), *head[2:]]


# --- bounded work ----------------------------------------------------------------------------


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """Return where keyid and message of each signature that is judged are noted."""
    noted: list[tuple[str, bytes]] = []
    real = Key.verify

    def verify(self: Key, message: bytes, signature: bytes, *, low_s: bool) -> bool:
        noted.append((self.keyid, message))
        return real(self, message, signature, low_s=low_s)

    monkeypatch.setattr(Key, "verify", verify)
    return noted


def test_a_strangers_chain_costs_no_more_than_the_keys_of_the_pinned_root(
    tried: list[tuple[str, bytes]],
) -> None:
    names = ("alice", "bob", "carol")
    junk = [{"keyid": f"{i:04x}", "sig": "00" * 64} for i in range(61)]
    junk += [{"keyid": person(name).keyid, "sig": "00" * 64} for name in names]
    publisher = Publisher()
    for _ in range(20):
        publisher.rotate(lambda s: None)
        publisher.resign(lambda old: junk)
    root = parse_root(V1)
    tried.clear()
    assert judge(publisher.kit("mallory"), root=root).code == "root-step-invalid"
    assert sorted(keyid for keyid, _ in tried) == sorted(person(name).keyid for name in names)


def test_each_signature_of_a_step_is_tried_once(tried: list[tuple[str, bytes]]) -> None:
    root = parse_root(V1)
    tried.clear()
    assert judge(GOOD.kit("frank", "grace"), root=root).code == ""
    assert len(tried) == len(set(tried)) == 3 * 2 + 2


def test_the_usual_kit_costs_its_root_no_signature(tried: list[tuple[str, bytes]]) -> None:
    kit, root = Publisher().kit("alice", "bob"), parse_root(V1)
    tried.clear()
    assert judge(kit, root=root).code == ""
    assert [message[:7] for _, message in tried] == [b"DSSEv1 "] * 2
