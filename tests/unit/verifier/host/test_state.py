"""What a host remembers (TRUST-FILES 4): one spelling, and each rise has its way back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from tests.support.hosting import CLOCK, moment
from tests.support.making import REPOSITORY
from tests.support.together import together
from verifier.core.limits import MAX_SEQUENCE
from verifier.core.model import KitInfo, format_time
from verifier.host.errors import StateCorrupt
from verifier.host.state import (
    EMPTY,
    MAX_LINES,
    MAX_RESETS,
    MAX_STATE,
    Awaited,
    Remembered,
    Reset,
    State,
    encode_state,
    parse_state,
    with_accepted,
    with_reset,
    with_reset_lines,
)

SCHEMA = json.loads((REPOSITORY / "manifests/schema/state.v1.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
A, B = "ab" * 32, "cd" * 32
FULL = State(
    {"a/b": Remembered(7, A, 2, CLOCK, CLOCK - 5), "c": Remembered(MAX_SEQUENCE, B, 1, 0)},
    (Reset("a/b", CLOCK, "operator", "why not", 3, B), Reset("*", 0, "root 2", "é")),
    5,
    2,
    {"d": Awaited(B, 2)},
)


def kit(sequence: int, line: str = "a/b", created: str = "2026-11-24T00:00:00Z") -> KitInfo:
    return KitInfo("demo", "1", line, sequence, created, "")


# --- bytes -------------------------------------------------------------------------------------

lines = st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,63}", fullmatch=True)
kit_ids = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
times = st.integers(0, 253_402_300_799)
reasons = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=200)
remembered = st.builds(
    Remembered, st.integers(1, MAX_SEQUENCE), kit_ids, st.integers(1, 2**53 - 1), times, times
)
resets = st.builds(
    Reset,
    st.one_of(lines, st.just("*")),
    times,
    st.sampled_from(["operator", "root 7", "policy"]),
    reasons,
    st.integers(0, MAX_SEQUENCE),
    st.one_of(kit_ids, st.just("")),
)
states = st.builds(
    State,
    st.dictionaries(lines, remembered, max_size=4),
    st.lists(resets, max_size=4).map(tuple),
    st.integers(0, 2**53 - 1),
)


@given(states)
def test_memory_has_one_spelling(state: State) -> None:
    data = encode_state(state)
    assert parse_state(data) == state
    assert encode_state(parse_state(data)) == data
    VALIDATOR.validate(json.loads(data))


def test_largest_memory_can_be_read_again() -> None:
    wide = "\U0001d400" * 200  # twelve bytes each in JSON
    state = State(
        {f"{i:064d}": Remembered(MAX_SEQUENCE, A, 2**53 - 1, CLOCK) for i in range(MAX_LINES)},
        tuple(Reset("x" * 64, CLOCK, "operator", wide, MAX_SEQUENCE, A) for _ in range(MAX_RESETS)),
    )
    data = encode_state(state)
    assert len(data) <= MAX_STATE
    assert parse_state(data) == state


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(encode_state(FULL)), **fields}, sort_keys=True).encode()


def spelled(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def edited(path: str, value: Any) -> bytes:
    """Return the full memory with one value changed, in the right spelling."""
    top: Any = json.loads(encode_state(FULL))
    node = top
    *names, last = path.split(" ")
    for name in names:
        node = node[int(name)] if isinstance(node, list) else node[name]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return spelled(top)


BAD = {
    "nothing": b"",
    "no JSON": b"{\n",
    "cut off": encode_state(FULL)[:-1],
    "two line ends": encode_state(FULL) + b"\n",
    "white space": changed() + b"\n",
    "an array": b"[]\n",
    "too long": b" " * (MAX_STATE + 1),
    "another type": edited("type", "https://offline-kit.example/state/v2"),
    "a field too many": edited("more", 1),
    "a field too few": edited("resets", None),
    "sequence 0": edited("lines a/b sequence", 0),
    "sequence above the cap": edited("lines a/b sequence", MAX_SEQUENCE + 1),
    "sequence true": edited("lines a/b sequence", True),
    "sequence as text": edited("lines a/b sequence", "7"),
    "an upper-case kitId": edited("lines a/b kitId", A.upper()),
    "a short kitId": edited("lines a/b kitId", A[:-1]),
    "root version 0": edited("lines a/b rootVersion", 0),
    "a day that is none": edited("lines a/b lastSeen", "2026-02-30T00:00:00Z"),
    "no Z": edited("lines a/b lastSeen", "2026-02-03T00:00:00"),
    "a second that is none": edited("lines a/b lastSeen", "2026-12-31T23:59:60Z"),
    "before the epoch": edited("lines a/b lastSeen", "1969-12-31T23:59:59Z"),
    "a line that is none": edited("lines A", json.loads(encode_state(FULL))["lines"]["c"]),
    "a control in a reason": edited("resets 0 reason", "a\u001bb"),
    "a reason without end": edited("resets 0 reason", "x" * 201),
    "no reason": edited("resets 0 reason", ""),
    "a reset of no line": edited("resets 0 line", "**"),
    "forgotten below 0": edited("forgottenResets", -1),
    "resets without end": edited(
        "resets", json.loads(encode_state(FULL))["resets"] * (MAX_RESETS // 2 + 1)
    ),
}


@together("data", BAD.values(), ids=BAD)
def test_what_is_no_memory_is_undecided(data: bytes) -> None:
    with pytest.raises(StateCorrupt):
        parse_state(data)


# --- rising and falling ------------------------------------------------------------------------


def test_nothing_in_a_memory_falls() -> None:
    state = with_accepted(EMPTY, kit(7), A, 2, CLOCK)
    again = with_accepted(state, kit(6, created="2020-01-01T00:00:00Z"), B, 1, CLOCK)
    assert again == state
    assert state.lines["a/b"] == Remembered(7, A, 2, moment("2026-11-24"))


def test_another_kit_of_the_sequence_takes_its_place() -> None:
    """Only an override comes as far as this."""
    state = with_accepted(EMPTY, kit(7), A, 1, CLOCK)
    assert with_accepted(state, kit(7), B, 1, CLOCK).lines["a/b"].kit_id == B


@pytest.mark.parametrize(
    ("created", "clock", "seen"),
    [
        ("2026-11-24", "2026-11-25", "2026-11-24"),  # never the clock
        ("2026-11-24", "2099-01-01", "2026-11-24"),
        ("2099-01-01", "2026-11-25", "2026-11-25"),  # nor a date that has not come
        ("2026-11-24", "1970-01-01", "1970-01-01"),
        ("2026-11-25", "2026-11-25", "2026-11-25"),
    ],
)
def test_last_seen_rises_to_what_kit_and_clock_agree_on(
    created: str, clock: str, seen: str
) -> None:
    state = with_accepted(EMPTY, kit(1, created=f"{created}T00:00:00Z"), A, 1, moment(clock))
    assert format_time(state.lines["a/b"].last_seen) == f"{seen}T00:00:00Z"


def test_there_are_only_so_many_lines() -> None:
    full = State({f"l{i}": Remembered(1, A, 1, 0) for i in range(MAX_LINES)})
    with pytest.raises(ValueError, match="more than 1024 lines"):
        with_accepted(full, kit(1), A, 1, CLOCK)
    assert with_accepted(full, kit(2, "l7"), B, 1, CLOCK).lines["l7"].sequence == 2


def test_reset_forgets_one_line_and_remembers_that() -> None:
    state = with_reset(FULL, "a/b", "operator", "started anew", CLOCK)
    assert list(state.lines) == ["c"]
    assert state.resets[-1] == Reset("a/b", CLOCK, "operator", "started anew", 7, A)
    assert state.forgotten == FULL.forgotten


def test_old_resets_are_counted_when_they_are_dropped() -> None:
    state = FULL
    for number in range(MAX_RESETS + 3):
        state = with_reset(state, "c", "operator", f"number {number}", CLOCK)
    assert len(state.resets) == MAX_RESETS
    assert state.resets[-1].reason == f"number {MAX_RESETS + 2}"
    assert state.forgotten == FULL.forgotten + len(FULL.resets) + 3


def test_roots_set_back_lines_that_are_known() -> None:
    state = with_reset_lines(FULL, {"a/b": 4, "unknown": 4}, CLOCK)
    assert list(state.lines) == ["c"]
    assert [item.by for item in state.resets[len(FULL.resets) :]] == ["root 4"]
    assert with_reset_lines(state, {"a/b": 4}, CLOCK) == state
