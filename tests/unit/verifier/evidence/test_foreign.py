"""JSON of others: any spelling, bounded, no name twice; and fields asked for by name and type."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.core.errors import KitError
from verifier.evidence import foreign
from verifier.evidence.errors import EvidenceMalformed
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("aä\n"), inner),
)


@given(JSON, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_any_spelling_is_read(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert parse_foreign(text.encode("utf-8"), "a test") == value


BAD = {
    b"": "evidence-malformed",
    b"{": "evidence-malformed",
    b"{} {}": "evidence-malformed",
    b"\xef\xbb\xbf{}": "evidence-malformed",
    b"\xff": "evidence-malformed",
    b"{}".decode().encode("utf-16"): "evidence-malformed",
    b"NaN": "evidence-malformed",
    b"[Infinity]": "evidence-malformed",
    b"01": "evidence-malformed",
    b"'a'": "evidence-malformed",
    b'{"a":1,"a":1}': "evidence-malformed",
    b'{"a":1,"\\u0061":2}': "evidence-malformed",
    b'[{"b":{"a":1,"a":2}}]': "evidence-malformed",
    b'"\\ud800"': "evidence-malformed",
    b'{"\\uDFFF":1}': "evidence-malformed",
    b'["a\\uD83D"]': "evidence-malformed",
    b'"\n"': "evidence-malformed",
    b"9" * 401: "evidence-too-large",
    b"-0." + b"9" * 400: "evidence-too-large",
    b"1e999": "evidence-too-large",
    b"[" * 129 + b"]" * 129: "evidence-too-large",
    b'{"a":' * 129 + b"1" + b"}" * 129: "evidence-too-large",
    b"[" * 100_000: "evidence-too-large",
    b"[" + b"1," * foreign.MAX_PARTS + b"1]": "evidence-too-large",
    b"[" + b" " * foreign.MAX_BYTES + b"]": "evidence-too-large",
}


@pytest.mark.parametrize("data", BAD, ids=lambda data: repr(data[:24]))
def test_refused(data: bytes) -> None:
    with pytest.raises(KitError) as refused:
        parse_foreign(data, "a test")
    assert (refused.value.code, refused.value.where) == (BAD[data], "a test")


def test_limits_are_reached() -> None:
    assert parse_foreign(b"[" * 128 + b"]" * 128, "a test")
    assert parse_foreign(b'"\\ud83d\\ude00"', "a test") == "\U0001f600"
    assert parse_foreign(b"9" * 400, "a test") == int("9" * 400)


VALUE = {
    "text": "a",
    "data": "AAE=",
    "number": "9223372036854775807",
    "small": 7,
    "null": None,
    "array": [{"a": "b"}, {}],
    "map": {"sha256": "00"},
}
FIELDS = Fields(VALUE, "doc", EvidenceMalformed)


def test_fields_are_read_by_type() -> None:
    assert (FIELDS.text("text"), FIELDS.data("data")) == ("a", b"\0\1")
    assert (FIELDS.number("number"), FIELDS.number("small")) == (2**63 - 1, 7)
    assert (FIELDS.has("null"), FIELDS.has("absent"), FIELDS.has("text")) == (False, False, True)
    assert [each.where for each in FIELDS.each("array", 2)] == ["doc.array[0]", "doc.array[1]"]
    assert list(FIELDS.each("absent", 2)) == []
    assert FIELDS.mapping("map") == {"sha256": "00"}


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("text", 1),
        ("text", None),
        ("data", "AAE"),
        ("data", "AAF="),
        ("data", "AAE=\n"),
        ("data", "-_-_"),
        ("data", ""),
        ("data", 1),
        ("number", "-1"),
        ("number", -1),
        ("number", "+1"),
        ("number", " 1"),
        ("number", "1_0"),
        ("number", "٣"),
        ("number", "007"),
        ("number", 1.0),
        ("number", True),
        ("number", 2**63),
        ("number", "9223372036854775808"),
        ("mapping", {"a": 1}),
        ("mapping", []),
        ("at", []),
        ("at", "a"),
    ],
)
def test_other_types_are_refused(method: str, value: object) -> None:
    fields = Fields({"name": value}, "doc", EvidenceMalformed)
    with pytest.raises(EvidenceMalformed) as refused:
        getattr(fields, method)("name")
    assert refused.value.where == "doc.name"


def test_too_many_are_refused() -> None:
    with pytest.raises(EvidenceMalformed, match="at most 1"):
        FIELDS.array("array", 1)
