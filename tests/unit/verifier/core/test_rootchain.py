"""From the pinned root to the newest: where it ends, how it was reached, and what is said of it."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from tests.support.judging import judge, pinned
from tests.support.people import KEYS, chain, root_line, sign_root
from tests.support.simulator import Publisher, rotated
from verifier.core.errors import (
    RootChainMalformed,
    RootFork,
    RootGap,
    RootStepInvalid,
    UnexpectedKit,
)
from verifier.core.pipeline import Opened
from verifier.core.rootchain import check_chain, follow
from verifier.core.trust import Root, parse_chain, parse_root

FIXTURE = parse_chain((KEYS / "roots.json").read_bytes())
V1 = pinned()


def resets(lines: dict[str, int], signed: dict[str, Any]) -> None:
    signed["x-offline-kit-reset-lines"] = lines


def parsed(*roots: bytes) -> list[Root]:
    return parse_chain(chain(*roots))


def test_the_fixture_is_followed_from_each_of_its_versions() -> None:
    check_chain(FIXTURE)
    for root in FIXTURE:
        reached = follow(root, FIXTURE)
        assert reached.root is FIXTURE[-1]
        assert reached.steps == tuple(range(root.version + 1, 5))
        assert reached.kit_version == 4
    assert follow(V1, FIXTURE).root.targets.signers() == ["carol", "frank", "grace"]


def test_a_chain_of_the_pinned_root_is_no_step() -> None:
    reached = follow(V1, FIXTURE[:1])
    assert (reached.root, reached.steps, reached.kit_version) == (V1, (), 1)
    assert reached.sentence() == "root of trust: version 1, as pinned"


def test_an_older_chain_leaves_the_pinned_root() -> None:
    reached = follow(FIXTURE[3], FIXTURE[:2])
    assert (reached.root, reached.steps, reached.kit_version) == (FIXTURE[3], (), 2)
    assert "only signers of version 4 count" in reached.sentence()


def test_the_way_is_said_version_by_version() -> None:
    assert follow(V1, FIXTURE).sentence() == (
        "root of trust: version 4, reached step by step from the pinned: 1, 2, 3, 4"
    )


def test_lines_that_are_reset_on_the_way_are_remembered() -> None:
    publisher = Publisher()
    one, two = {"b": 2, "a": 2}, {"b": 2, "c": 4, "a": 4}
    for lines in (one, one, two, two):
        publisher.rotate(functools.partial(resets, lines), "alice", "bob")
    roots = parsed(*publisher.roots)
    assert follow(V1, roots).reset_lines == ("a", "b", "c")
    assert follow(roots[1], roots).reset_lines == ("a", "c")
    assert follow(roots[3], roots).reset_lines == ()
    reached = follow(V1, roots)
    assert [reached.floor(line) for line in ("a", "b", "c", "d")] == [4, 2, 4, 0]


def test_what_root_4_of_the_fixture_resets_and_binds() -> None:
    assert [root.reset_lines for root in FIXTURE] == [{}, {}, {}, {"demo/stable": 4}]
    assert [bool(root.policy_sha256) for root in FIXTURE] == [False, False, True, True]


@pytest.mark.parametrize(
    ("pin", "lines", "error"),
    [
        (0, slice(2, 4), RootGap),
        (0, slice(3, 4), RootGap),
        (1, slice(3, 4), RootGap),
    ],
)
def test_a_gap_names_the_version_that_is_missing(
    pin: int, lines: slice, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"version {pin + 2} is missing"):
        follow(FIXTURE[pin], FIXTURE[lines])


def test_a_step_says_who_is_missing_by_whose_rules() -> None:
    publisher = Publisher()
    publisher.rotate(lambda s: s["roles"]["root"].update(threshold=3), "alice", "bob")
    with pytest.raises(RootStepInvalid, match=r"version 2 is signed by 2 of the 3 .* version 2"):
        follow(V1, parsed(*publisher.roots))
    publisher.roots[-1] = sign_root(publisher.signed(), ("carol",))
    with pytest.raises(RootStepInvalid, match=r"version 2 is signed by 1 of the 2 .* version 1"):
        follow(V1, parsed(*publisher.roots))


def test_roots_that_are_not_consecutive_are_no_steps() -> None:
    with pytest.raises(RootStepInvalid, match="version 4 does not follow version 2"):
        follow(FIXTURE[1], [FIXTURE[1], FIXTURE[3]])


def test_the_pinned_version_with_other_signatures_is_the_same_root() -> None:
    value = json.loads(root_line())
    other = sign_root(value["signed"], ("alice", "bob", "carol"))
    assert follow(V1, parsed(other)).root is V1
    with pytest.raises(RootChainMalformed, match="signed by 1 of the 2"):
        follow(V1, parsed(sign_root(value["signed"], ("alice",))))
    with pytest.raises(RootFork):
        follow(V1, parsed(sign_root({**value["signed"], "x": 1}, ("alice", "bob"))))


def test_who_pins_nothing_holds_the_whole_chain_to_its_signatures() -> None:
    roots = rotated().roots
    check_chain(parsed(*roots))
    unsigned = sign_root(json.loads(roots[0])["signed"], ("alice",))
    with pytest.raises(RootChainMalformed, match="version 1 is signed by 1 of the 2"):
        check_chain(parsed(unsigned, *roots[1:]))
    unsigned = sign_root(json.loads(roots[2])["signed"], ("carol",))
    with pytest.raises(RootStepInvalid, match="version 3"):
        check_chain(parsed(*roots[:2], unsigned, roots[3]))


def test_a_line_that_is_the_pinned_root_is_not_parsed_again() -> None:
    assert parse_chain(chain(root_line()), V1)[0] is V1
    assert parse_chain(chain(root_line()))[0] == parse_root(root_line())


def test_a_judge_decides_once_before_anything_behind_the_head_is_read() -> None:
    seen: list[tuple[bool, bool, bool]] = []

    def refuse(opened: Opened) -> None:
        seen.append((opened.manifest is None, opened.index is None, opened.reached is None))
        raise UnexpectedKit("no")

    answer = judge(rotated().kit("frank", "grace"), judge=refuse)
    assert answer.code == "unexpected-kit"
    assert seen == [(False, True, False)]


def test_a_judge_is_not_asked_about_what_nobody_signed() -> None:
    seen: list[Opened] = []
    assert judge(rotated().kit("frank"), judge=seen.append).code == "threshold-not-met"
    assert not seen
