"""Strict JSON: one value, one spelling, bounded work."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical

from tests.support.together import together
from verifier.core.jsonstrict import NotStrict, compact, olpc, parse_compact, parse_json

HOSTILE = {
    "nothing": b"",
    "two values": b"1 2",
    "a name twice": b'{"a":1,"a":1}',
    "a name twice, spelled differently": b'{"a":1,"\\u0061":1}',
    "a name twice, deep inside": b'[[{"b":[{"x":1,"x":2}]}]]',
    "a fraction": b"0.5",
    "a fraction that is whole": b"1.0",
    "an exponent": b"1e3",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "beyond 2^53": b"9007199254740992",
    "far beyond": b"1" * 5000,
    "below -2^53": b"-9007199254740992",
    "a leading zero": b"01",
    "a plus": b"+1",
    "a byte order mark": b"\xef\xbb\xbf1",
    "UTF-16": "[1]".encode("utf-16"),
    "not UTF-8": b'"\xff"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'"\\udc00"',
    "surrogates in the wrong order": b'"\\udc00\\ud800"',
    "a lone surrogate as a name": b'{"\\ud800":1}',
    "too deep": b"[" * 65 + b"]" * 65,
    "very deep": b"[" * 100_000,
    "deep, with brackets in strings before": b'["' + b"[" * 60 + b'",' + b"[" * 65 + b"]" * 66,
    "a control in a string": b'"\n"',
    "a trailing comma": b"[1,]",
    "a comment": b"[1]//",
    "a single quote": b"'a'",
}


@together("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_json_is_refused(data: bytes) -> None:
    with pytest.raises(NotStrict):
        parse_json(data)


SPELLINGS = {
    "white space": b'{"a": 1}',
    "a space behind": b"[1] ",
    "unsorted": b'{"b":1,"a":1}',
    "an escape that is not needed": b'"\\u0061"',
    "an escaped slash": b'"\\/"',
    "upper-case hexadecimal": b'"\\u00E9"',
    "not ASCII": '"é"'.encode(),
    "a tab as \\u0009": b'"\\u0009"',
    "minus zero": b"-0",
}


@together("data", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_is_good_json_and_not_compact(data: bytes) -> None:
    parse_json(data)
    with pytest.raises(NotStrict, match="spelling"):
        parse_compact(data)


def test_64_levels_are_good() -> None:
    data = b"[" * 64 + b"]" * 64
    assert compact(parse_compact(data)) == data


def test_brackets_in_strings_are_not_levels() -> None:
    data = json.dumps(["[" * 1000, '\\"[{' * 100], separators=(",", ":")).encode()
    assert parse_compact(data) == ["[" * 1000, '\\"[{' * 100]


@pytest.mark.parametrize("number", [0, 1, -1, 2**53 - 1, 1 - 2**53])
def test_numbers_that_every_reader_holds(number: int) -> None:
    assert parse_compact(b"%d" % number) == number


values = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(values)
@example({"\U0001f600": 1, "\ufb33": 2, "a\x7f": "\x00\t\u2028"})
def test_what_is_written_is_read_again_and_is_the_one_spelling(value: Any) -> None:
    data = compact(value)
    assert data.isascii()
    assert parse_compact(data) == value
    assert parse_json(json.dumps(value, indent=3, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_are_their_own_spelling(data: bytes) -> None:
    try:
        value = parse_compact(data)
    except NotStrict:
        return
    assert compact(value) == data


@given(values)
def test_olpc_is_what_securesystemslib_signs(value: Any) -> None:
    expected = encode_canonical(value)
    assert expected is not None
    assert olpc(value) == expected.encode("utf-8")


def test_olpc_knows_no_other_kinds() -> None:
    with pytest.raises(NotStrict):
        olpc([0.5])
