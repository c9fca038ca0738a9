"""Fields of foreign JSON, asked for by name and type."""

from __future__ import annotations

import pytest

from tests.support.together import together
from verifier.evidence.errors import EvidenceMalformed
from verifier.evidence.fields import Fields

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


@together(
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
