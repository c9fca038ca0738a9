"""m of n is a matching: as many as any choice of one key for each attester can make, never more."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from verifier.evidence.attesters import Signature, most

SIGNATURES = st.lists(
    st.builds(
        Signature,
        st.sampled_from("abcd"),
        st.sampled_from([("key", "1"), ("key", "2"), ("identity", "x", "y")]),
        st.just("somebody"),
    ),
    max_size=8,
)


def by_trying(signatures: list[Signature]) -> int:
    """Return the most, by giving each attester each of his keys, or none."""
    keys: dict[str, list[tuple[str, ...]]] = {}
    for each in signatures:
        keys.setdefault(each.attester, [()]).append(each.material)
    choices = [[one for one in choice if one] for choice in product(*keys.values())]
    return max(len(choice) for choice in choices if len(set(choice)) == len(choice))


@given(SIGNATURES)
def test_most_is_what_trying_all_finds(signatures: list[Signature]) -> None:
    assert most(signatures) == by_trying(signatures)


@given(SIGNATURES, SIGNATURES)
def test_more_signatures_never_count_less(one: list[Signature], more: list[Signature]) -> None:
    assert most(one) <= most(one + more) <= len({each.attester for each in one + more})
