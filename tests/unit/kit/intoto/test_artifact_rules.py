"""Artifact rules at the site: in-toto's own library decides the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_toto.exceptions import RuleVerificationError  # type: ignore[import-untyped]
from in_toto.models.link import Link  # type: ignore[import-untyped]
from in_toto.rulelib import unpack_rule  # type: ignore[import-untyped]
from in_toto.verifylib import verify_item_rules  # type: ignore[import-untyped]
from securesystemslib.exceptions import FormatError

from verifier.core.errors import KitError
from verifier.evidence.artifactrules import MAX_MATCHES, Done, Rules, parse_rule
from verifier.evidence.errors import EvidenceTooLarge, LayoutUnmet

PATHS = ["a", "b", "src/a", "src/b", "src/deep/a", "out/a", "src", "[x]", "A"]
PATTERNS = [*PATHS, "*", "?", "src/*", "*/a", "[ab]", "[!a]", "*a*", "s*c/?", "[[]x]"]
STEPS = ["one", "two", "none"]
artifacts = st.dictionaries(
    st.sampled_from(PATHS),
    st.sampled_from([{"sha256": "1" * 64}, {"sha256": "2" * 64}, {"sha512": "1" * 128}]),
)
simple = st.tuples(
    st.sampled_from("CREATE DELETE MODIFY ALLOW DISALLOW REQUIRE allow Disallow".split()),
    st.sampled_from(PATTERNS),
).map(list)
prefix = st.sampled_from([[], ["IN", "src"], ["in", "src/"], ["IN", "out"], ["IN", ""]])
match = st.builds(
    lambda pattern, source, of, target, step: [
        *("MATCH", pattern, *source, "WITH", of, *target, "FROM", step),
    ],
    st.sampled_from(PATTERNS),
    prefix,
    st.sampled_from(["MATERIALS", "PRODUCTS", "products"]),
    prefix,
    st.sampled_from(STEPS),
)
links = st.fixed_dictionaries({name: st.tuples(artifacts, artifacts) for name in STEPS[:2]})


def theirs(of: str, rules: Any, made: Any) -> bool:
    """Return whether in-toto takes the artifacts of step ``one``."""
    chain = {
        name: Link(name=name, materials=used, products=out) for name, (used, out) in made.items()
    }
    try:
        verify_item_rules("one", of, rules, chain)
    except RuleVerificationError:
        return False
    return True


def ours(of: str, rules: Any, made: Any) -> bool:
    chain = {name: Done(*both) for name, both in made.items()}
    try:
        Rules(chain, "layout").check("one", of, [parse_rule(rule) for rule in rules])
    except LayoutUnmet:
        return False
    return True


@given(st.sampled_from(["materials", "products"]), st.lists(simple | match, max_size=6), links)
def test_rules_are_decided_as_in_toto_decides_them(of: str, rules: Any, made: Any) -> None:
    assert ours(of, rules, made) == theirs(of, rules, made)


WORDS = ["MATCH", "match", "IN", "WITH", "FROM", "PRODUCTS", "MATERIALS", "ALLOW", "a", "*", ""]


@given(st.lists(st.sampled_from(WORDS), max_size=10))
def test_what_is_a_rule_is_one_for_both(words: list[str]) -> None:
    try:
        unpack_rule(words)
        good = True
    except FormatError:
        good = False
    try:
        parse_rule(words)
        ok = True
    except ValueError:
        ok = False
    assert ok == good, words


@pytest.mark.parametrize("value", [None, "ALLOW *", ["ALLOW", 1], [], ["ALLOW", "*" * 1025]])
def test_what_is_no_list_of_words_is_no_rule(value: Any) -> None:
    with pytest.raises(ValueError, match="a rule"):
        parse_rule(value)


def test_work_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is a second's work, so a test has less of it."""
    assert MAX_MATCHES <= 10_000_000
    monkeypatch.setattr("verifier.evidence.artifactrules.MAX_MATCHES", 100_000)
    paths = {str(number): {"sha256": "1" * 64} for number in range(1000)}
    rules = [parse_rule(["ALLOW", "x"])] * 101
    with pytest.raises(EvidenceTooLarge) as refused:
        Rules({"one": Done(paths, {})}, "layout").check("one", "materials", rules)
    assert isinstance(refused.value, KitError)
