"""What holds for every history of a host, and for every file that calls itself policy or state."""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.hosting import CREATED, LINE, moment, policy
from tests.support.judging import pinned
from verifier.core.model import KitInfo, format_time
from verifier.core.rootchain import Reached
from verifier.host.errors import PolicyInvalid, StateCorrupt
from verifier.host.judge import DAY, Facts, judge
from verifier.host.policy import Chosen, Policy, parse_policy
from verifier.host.state import EMPTY, State, encode_state, parse_state, with_accepted, with_reset

CHOSEN = Chosen(Policy("any", other_lines=True), "", "nobody")
KIT_IDS = ("aa" * 32, "bb" * 32)


@dataclass(frozen=True)
class Event:
    """Something that happens to a host: a kit is offered, or a line is reset first.

    Attributes:
        days: Of the kit's date and of the clock, from the date of the test kits on.
    """

    line: str
    sequence: int
    kit_id: str
    days: tuple[int, int]
    reset: bool


events = st.builds(
    Event,
    st.sampled_from([LINE, "other/line"]),
    st.integers(1, 4),
    st.sampled_from(KIT_IDS),
    st.tuples(st.integers(-400, 30_000), st.integers(-20_000, 30_000)),
    st.sampled_from([False, False, False, True]),
)


@functools.cache
def reached() -> Reached:
    return Reached(pinned(), (), 1)


def offered(event: Event) -> tuple[KitInfo, int]:
    """Return the kit and the clock of an event."""
    created, clock = (moment(CREATED) + days * DAY for days in event.days)
    kit = KitInfo("demo", "1", event.line, event.sequence, format_time(created), "")
    return kit, max(0, clock)


@given(st.lists(events, max_size=12))
def test_memory_takes_what_is_newer_or_the_same_and_nothing_else(history: list[Event]) -> None:
    """Against a model; whatever dates and clocks say."""
    state, model = EMPTY, dict[str, tuple[int, str]]()
    for event in history:
        kit, clock = offered(event)
        if event.reset and event.line in state.lines:
            state = with_reset(state, event.line, "operator", "a test", clock)
            del model[event.line]
        facts = Facts(kit, event.kit_id, ("alice", "bob"), reached())
        judged = judge(facts, CHOSEN, state, clock, "0.1.0")
        known = model.get(event.line, (0, ""))
        taken = event.sequence > known[0] or (event.sequence, event.kit_id) == known
        assert (judged.faults == ()) is taken
        if taken:
            before = state.lines.get(event.line)
            state = with_accepted(state, kit, event.kit_id, 1, clock)
            model[event.line] = (event.sequence, event.kit_id)
            seen = state.lines[event.line].last_seen
            assert seen <= max(min(kit.mtime, clock), before.last_seen if before else 0)
        assert parse_state(encode_state(state)) == state
    assert {line: (r.sequence, r.kit_id) for line, r in state.lines.items()} == model


json_values: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
POLICY = json.loads(
    policy(
        lines=[
            {
                "line": LINE,
                "signerSets": [{"name": "a", "of": ["alice"], "threshold": 1}],
                "attestations": [{"component": "*", "predicateType": "a:b"}],
                "maximumAgeDays": 3,
            }
        ],
        overrides=[{"name": "a", "code": "kit-older", "line": LINE, "reason": "b"}],
    )
)
STATE = json.loads(
    encode_state(
        with_reset(
            with_accepted(
                State({}), KitInfo("demo", "1", LINE, 3, CREATED, ""), KIT_IDS[0], 1, 10**9
            ),
            "other/line",
            "operator",
            "why",
            10**9,
        )
    )
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value in a value."""
    found = [path]
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*path, name))
    return found


def planted(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """Return a copy of a value with another one at a path."""
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = planted(copy[path[0]], path[1:], other)
    return copy


@given(st.sampled_from(places(POLICY)), json_values)
def test_policy_with_anything_anywhere_is_one_or_is_refused(
    path: tuple[Any, ...], other: Any
) -> None:
    with contextlib.suppress(PolicyInvalid):
        parse_policy(json.dumps(planted(POLICY, path, other)).encode())


@given(st.sampled_from(places(STATE)), json_values)
def test_memory_with_anything_anywhere_is_one_or_is_refused(
    path: tuple[Any, ...], other: Any
) -> None:
    value = planted(STATE, path, other)
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with contextlib.suppress(StateCorrupt):
        assert encode_state(parse_state(data)) == data


@given(st.binary(max_size=200))
def test_bytes_that_are_anything_are_refused_by_an_error_of_ours(data: bytes) -> None:
    for parse, error in ((parse_policy, PolicyInvalid), (parse_state, StateCorrupt)):
        try:
            parse(data)
        except error:
            continue
        raise AssertionError(f"{parse.__name__} took {data!r}")
