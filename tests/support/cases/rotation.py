"""Kits with roots that rotated, and hosts that stand at another version (FORMAT 5.6, 5.7)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.people import person, root_line, sign_root, signed_root
from tests.support.simulator import (
    Publisher,
    entry,
    key_of,
    root_of,
    rotated,
    seat,
    seat_all,
)
from tests.support.vector import CLAIMS, Case, bad, ok

GOOD = rotated()
OTHER = Publisher(root_of(1, "mallory", "sums", by=("mallory", "sums")))
FORK = sign_root({**signed_root(), "expires": "2041-01-01T00:00:00Z"})
ALICE, BOB, CAROL = (person(name).keyid for name in ("alice", "bob", "carol"))
PEM = person("bob").key["keyval"]["public"]


def pinned(version: int) -> bytes:
    """Return the root to pin: empty for the first, which is that of the test keys."""
    return b"" if version == 1 else GOOD.of(version)


def kit(*signers: str, roots: Sequence[bytes] | None = None) -> Callable[[], bytes]:
    """Return what makes a kit of the publisher whose roots have rotated."""
    return lambda: GOOD.kit(*signers, roots=roots)


def good(name: str, why: str, make: Callable[[], bytes], version: int, rules: str = "") -> Case:
    """Return a vector that a host on some version must accept."""
    return ok(name, rules or "5.6", why, make, root=pinned(version))


def refused(
    name: str, code: str, why: str, make: Callable[[], bytes], version: int = 1, rules: str = "5.6"
) -> Case:
    """Return a vector that a host on some version must refuse."""
    return bad(name, rules, code, why, make, shown=CLAIMS, root=pinned(version))


def step(name: str, why: str, edit: Callable[[Any], Any], *names: str, **more: Any) -> Case:
    """Return a vector whose second root is not signed as the first and the second want it."""

    def make() -> bytes:
        publisher = Publisher()
        publisher.rotate(edit, *names)
        if "resign" in more:
            publisher.resign(more["resign"])
        return publisher.kit("alice", "bob")

    return refused(name, "root-step-invalid", why, make, rules=more.get("rules", "5.6"))


def two_keys(signed: Any) -> Any:
    """Give alice a second key."""
    signed["keys"]["aa"] = key_of("mallory", "alice")
    signed["roles"]["root"]["keyids"].append("aa")


def two_keys_twice() -> bytes:
    """Return a kit whose third root alice signed with both of her keys, and nobody else did."""
    publisher = Publisher()
    publisher.rotate(two_keys, "alice", "bob")
    publisher.rotate(lambda s: None, "alice")
    publisher.resign(lambda old: [*old, entry(publisher.roots[-1], "mallory", keyid="aa")])
    return publisher.kit("alice", "bob")


def idle_key_exchanged() -> bytes:
    """Return a kit whose second root has a key of no role, and whose third has another one."""
    publisher = Publisher()
    for name in ("sums", "mallory"):
        edit = functools.partial(_put_key, "idle", key_of(name, "dave"))
        publisher.rotate(edit, "alice", "bob")
    return publisher.kit("alice", "bob")


def key_id_again() -> bytes:
    """Return a kit whose roots use one key id for two keys, and not one after the other."""
    publisher = Publisher()
    publisher.rotate(lambda s: seat_all(s, "alice", "bob"), "alice", "bob")
    publisher.rotate(functools.partial(_put_key, CAROL, key_of("mallory", "carol")), "alice", "bob")
    return publisher.kit("alice", "bob")


def _put_key(keyid: str, key: Any, signed: Any) -> None:
    signed["keys"][keyid] = key


def key_respelled() -> bytes:
    """Return a kit whose second root writes bob's key in another way."""
    publisher = Publisher()
    keyval = {"public": PEM.rstrip("\n")}
    publisher.rotate(lambda s: s["keys"][BOB].update(keyval=keyval), "alice", "bob")
    return publisher.kit("alice", "bob")


def reset_kit(third: dict[str, int]) -> bytes:
    """Return a kit whose second root resets a line; what the third says of that is given."""
    publisher = Publisher()
    for lines in ({"a/b": 2}, third):
        publisher.rotate(functools.partial(_put_resets, lines), "alice", "bob")
    return publisher.kit("alice", "bob")


def _put_resets(lines: dict[str, int], signed: Any) -> None:
    signed["x-offline-kit-reset-lines"] = lines


def respelled() -> bytes:
    """Return a root in which bob's PEM has no last LF."""
    signed = signed_root()
    signed["keys"][person("bob").keyid]["keyval"] = {"public": PEM.rstrip("\n")}
    return sign_root(signed, ("alice", "bob"))


FOLLOWED = [
    good("chain_from_1", "Version 1 is pinned; versions 2, 3, 4 follow.", kit("frank", "grace"), 1),
    good("chain_from_3", "Version 3 is pinned; what lies before decides nothing.",
         kit("frank", "grace"), 3),
    good("chain_at_4", "The pinned root is the last one of four.", kit("frank", "grace"), 4),
    good("chain_begins_at_next", "The chain begins at the version after the pinned one.",
         kit("frank", "grace", roots=GOOD.roots[1:]), 1),
    good("chain_last_alone", "A chain of one root, which is the one that is pinned: version 4.",
         kit("frank", "grace", roots=GOOD.roots[3:]), 4),
    good("chain_older", "The kit's own root is version 3, and version 4 is pinned.",
         kit("carol", "frank", roots=GOOD.roots[:3]), 4),
    good("chain_older_surplus",
         "Version 4 is pinned, which does not name alice; the kit's own root, version 3, does.",
         kit("alice", "carol", "frank", roots=GOOD.roots[:3]), 4, "4.6 5.6"),
    good("chain_past_not_judged", "Version 1 is not signed, and version 2 is pinned.",
         kit("frank", "grace", roots=[sign_root(signed_root(), ()), *GOOD.roots[1:]]), 2),
    good("chain_resets", "Version 2 resets a line, and version 3 that one and another one.",
         lambda: reset_kit({"a/b": 3, "c": 3}), 1, "5.3 5.8"),
    good("chain_key_respelled", "bob's PEM loses its last LF, and is the same key.",
         key_respelled, 1, "5.4 5.8"),
    good("chain_key_id_again", "carol's key id goes in version 2 and is another key in version 3.",
         key_id_again, 1, "5.8"),
    ok("root_pem_without_last_lf", "5.4", "A PEM without its last LF is the same key.",
       lambda: Publisher(respelled()).kit("alice", "bob"), root=respelled()),
]  # fmt: skip

REFUSED = [
    refused("chain_gap", "root-gap", "Version 2 is missing.",
            kit("frank", "grace", roots=GOOD.roots[2:])),
    refused("chain_gap_unsigned", "root-gap", "The roots come before the signatures.",
            kit(roots=GOOD.roots[2:])),
    refused("root_other", "root-fork", "Another publisher's root of the same version.",
            lambda: OTHER.kit("mallory", "sums")),
    refused("root_other_older", "threshold-not-met",
            "Another publisher's root of an older version: none of its people counts.",
            lambda: OTHER.kit("mallory", "sums"), 4),
    refused("root_fork", "root-fork", "A second root of version 1 by the same people.",
            lambda: Publisher(FORK).kit("alice", "bob")),
    refused("root_fork_unsigned", "root-fork", "The roots come before the signatures.",
            lambda: Publisher(FORK).kit()),
    refused("root_fork_in_chain", "root-fork", "The chain has another version 1, and good steps.",
            kit("frank", "grace", roots=[FORK, *GOOD.roots[1:]])),
    refused("chain_revoked", "threshold-not-met",
            "alice and bob under version 1, and version 2, which revoked bob, is pinned.",
            kit("alice", "bob", roots=GOOD.roots[:1]), 2),
    refused("chain_revoked_in_chain", "threshold-not-met",
            "alice and bob, whom version 4 of the kit's own chain does not name.",
            kit("alice", "bob")),
    refused("chain_revoked_surplus", "signature-invalid",
            "frank and grace, and bob, whom the kit's own root does not name.",
            kit("bob", "frank", "grace"), 1, "4.6 5.6"),
    step("step_unsigned", "A second root that nobody signed.", lambda s: None),
    step("step_old_threshold", "A new root signed by one of the two that the old one wants.",
         lambda s: seat_all(s, "alice", "mallory"), "alice", "mallory"),
    step("step_new_threshold", "A new root signed by one of the two that it wants itself.",
         lambda s: seat_all(s, "alice", "frank", "grace"), "alice", "bob"),
    step("step_by_others", "A new root signed by its own people only.",
         lambda s: seat_all(s, "frank", "grace"), "frank", "grace"),
    step("step_lower_threshold", "A threshold of one that only the new root has.",
         lambda s: seat_all(s, "alice", "bob", "carol", threshold=1), "alice"),
    step("step_keyid_taken",
         "mallory's key under alice's keyid in the new root, and the signature of alice's old key.",
         lambda s: s["keys"].update({person("alice").keyid: key_of("mallory", "alice")}),
         "alice", "carol"),
    step("step_key_exchanged",
         "mallory's key under carol's key id; all who must have signed it.",
         lambda s: s["keys"].update({CAROL: key_of("mallory", "carol")}), "alice", "bob",
         rules="5.8"),
    step("step_signer_exchanged", "carol's key, which is now said to be mallory's.",
         lambda s: s["keys"].update({CAROL: key_of("carol", "mallory")}), "alice", "bob",
         rules="5.8"),
    step("step_scheme_exchanged", "bob's and carol's signatures; alice's key has another scheme.",
         lambda s: s["keys"][ALICE].update(scheme="x-offline-kit-sshsig-ed25519"), "bob", "carol",
         rules="5.8"),
    refused("step_idle_key_exchanged", "root-step-invalid",
            "Another key under a key id that no role names.", idle_key_exchanged, 1, "5.8"),
    refused("step_reset_forgotten", "root-step-invalid",
            "Version 3 forgets that version 2 reset a line.", lambda: reset_kit({}), 1, "5.8"),
    refused("step_reset_lowered", "root-step-invalid",
            "Version 3 says that version 1 reset a line, which version 2 did.",
            lambda: reset_kit({"a/b": 1}), 1, "5.8"),
    step("step_replayed", "The signatures of the old root on the new one.",
         lambda s: seat(s, "root", "alice", "bob"),
         resign=lambda old: [entry(root_line(), name) for name in ("alice", "bob")]),
    refused("step_two_keys_one_signer", "root-step-invalid",
            "alice signs the third root with both of her keys.", two_keys_twice),
    refused("step_spliced", "root-step-invalid", "The second root is another publisher's.",
            kit("frank", "grace", roots=[GOOD.roots[0], root_of(2, "mallory", by=("mallory",),
                threshold=1)])),
]  # fmt: skip

CASES: list[Case] = [*FOLLOWED, *REFUSED]
