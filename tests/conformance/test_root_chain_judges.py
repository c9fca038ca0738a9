"""Judges that are not us: python-tuf walks each chain of roots that we walk, step by step.

`TrustedMetadataSet.update_root` is what a TUF client does with the next root.  It agrees with us
but for the differences listed, each with its reason; one that is not listed fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from tests.support.people import KEYS, chain, person, root_line, sign_root, signed_root
from tests.support.simulator import Publisher, entry, key_of, root_of, rotated, seat, seat_all
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.core.rootchain import follow
from verifier.core.trust import parse_chain, parse_root

Roots = list[bytes]


def of_tuf(pinned: bytes, roots: Roots) -> bool:
    """Return whether a TUF client that trusts a root takes the newer ones of a list in turn."""
    version = json.loads(pinned)["signed"]["version"]
    try:
        trusted = TrustedMetadataSet(pinned, EnvelopeType.METADATA)
        for root in roots:
            if json.loads(root)["signed"]["version"] > version:
                trusted.update_root(root)
    except RepositoryError:
        return False
    return True


def of_ours(pinned: bytes, roots: Roots) -> bool:
    """Return whether we take them."""
    try:
        follow(parse_root(pinned), parse_chain(chain(*roots)))
    except KitError:
        return False
    return True


def published(*steps: tuple[Callable[[Any], Any], tuple[str, ...]]) -> Roots:
    """Return the test root and the versions that steps make of it."""
    publisher = Publisher()
    for edit, names in steps:
        publisher.rotate(edit, *names)
    return publisher.roots


def resigned(roots: Roots, change: Callable[[list[Any]], list[Any]]) -> Roots:
    """Return roots with other signatures on the last one."""
    publisher = Publisher()
    publisher.roots = roots
    publisher.resign(change)
    return publisher.roots


def same(signed: Any) -> None:
    """Change nothing."""


def two_keys(signed: Any) -> None:
    """Give alice a second key."""
    signed["keys"]["aa"] = key_of("mallory", "alice")
    signed["roles"]["root"]["keyids"].append("aa")


def twice(signed: Any) -> None:
    """Give alice's key a second key id."""
    signed["keys"]["cc"] = person("alice").key
    signed["roles"]["root"]["keyids"].append("cc")


def tuf_line(number: int) -> bytes:
    """Return a root of the fixture, which the ceremony of ours made."""
    name = "root.json" if number == 1 else f"root-{number}.json"
    return (KEYS / name).read_bytes().rstrip(b"\n")


FIXTURE = [tuf_line(number) for number in (1, 2, 3, 4)]
GOOD = rotated().roots
V1 = root_line()

AGREED: dict[str, tuple[Roots, bool]] = {
    "the fixture": (FIXTURE, True),
    "a chain written by hand": (GOOD, True),
    "from the next version on": (GOOD[1:], True),
    "the pinned root alone": ([V1], True),
    "a gap": (GOOD[2:], False),
    "nobody signed": (published((same, ())), False),
    "too few of the old": (
        published((lambda s: seat_all(s, "alice", "mallory"), ("alice", "mallory"))),
        False,
    ),
    "too few of the new": (
        published((lambda s: seat_all(s, "alice", "frank", "grace"), ("alice", "bob"))),
        False,
    ),
    "only the new": (
        published((lambda s: seat_all(s, "frank", "grace"), ("frank", "grace"))),
        False,
    ),
    "a lower threshold": (
        published((lambda s: seat_all(s, "alice", "bob", threshold=1), ("alice",))),
        False,
    ),
    "signatures of the old root": (
        resigned(
            published((lambda s: seat(s, "root", "alice", "bob"), ())),
            lambda old: [entry(V1, "alice"), entry(V1, "bob")],
        ),
        False,
    ),
    "another publisher's step": ([V1, root_of(2, "mallory", by=("mallory",), threshold=1)], False),
    "expired on the way": (
        published(
            (lambda s: s.update(expires="2001-01-01T00:00:00Z"), ("alice", "bob")),
            (lambda s: s.update(expires="2040-01-01T00:00:00Z"), ("alice", "bob")),
        ),
        True,
    ),
    "a signature by nobody beside good ones": (
        resigned(
            published((same, ("alice", "bob"))), lambda old: [*old, {"keyid": "x", "sig": "00"}]
        ),
        True,
    ),
}


@together(("roots", "taken"), AGREED.values(), ids=AGREED.keys())
def test_python_tuf_and_we_agree_on_a_chain(roots: Roots, taken: bool) -> None:
    assert (of_tuf(V1, roots), of_ours(V1, roots)) == (taken, taken)


@pytest.mark.parametrize("pinned", [2, 3, 4])
@pytest.mark.parametrize("roots", [FIXTURE, GOOD], ids=["the fixture", "by hand"])
def test_python_tuf_and_we_agree_from_each_version(roots: Roots, pinned: int) -> None:
    assert of_tuf(roots[pinned - 1], roots)
    assert of_ours(roots[pinned - 1], roots)


# from name: roots, what python-tuf says, and why we say the contrary
DIFFERENT: dict[str, tuple[Roots, bool, str]] = {
    "one person with two keys": (
        published((two_keys, ("alice", "bob")), (same, ("alice", "mallory"))),
        True,
        "TUF counts keys and we count people (FORMAT 5.4)",
    ),
    "one key under two key ids": (
        published((twice, ("alice", "bob")), (same, ("alice",))),
        True,
        "TUF counts key ids and we count people (FORMAT 5.4)",
    ),
    "a key without a signer": (
        published(
            (lambda s: s["keys"][person("carol").keyid].pop("x-offline-kit-signer"),
             ("alice", "bob"))
        ),
        True,
        "who a key belongs to is no matter for TUF (FORMAT 5.4)",
    ),
    "a threshold of more people than there are": (
        published((lambda s: s["roles"]["targets"].update(threshold=9), ("alice", "bob"))),
        True,
        "TUF lets a role be that nobody can ever meet (FORMAT 5.4)",
    ),
    "a second root of the pinned version": (
        [sign_root({**signed_root(), "expires": "2041-01-01T00:00:00Z"}), *GOOD[1:]],
        True,
        "a client never asks for a version that it has; a kit brings it, and we look (FORMAT 5.6)",
    ),
    "a policy that is no digest": (
        published((lambda s: s.update({"x-offline-kit-policy": "none"}), ("alice", "bob"))),
        True,
        "TUF does not know the member (FORMAT 5.3)",
    ),
}  # fmt: skip


@together(("roots", "tuf", "why"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_where_python_tuf_and_we_differ_is_known(roots: Roots, tuf: bool, why: str) -> None:
    if why.startswith("TUF counts key ids"):
        good = entry(roots[-1], "alice")
        roots = resigned(list(roots), lambda old: [good, {**good, "keyid": "cc"}])
    if why.startswith("TUF counts keys"):
        good = entry(roots[-1], "mallory", keyid="aa")
        roots = resigned(list(roots), lambda old: [*old, good])
    assert (of_tuf(V1, roots), of_ours(V1, roots)) == (tuf, not tuf)
