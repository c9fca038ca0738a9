"""JSON of others: read as it is written, and refused where two readers could differ."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.together import together
from verifier.evidence import foreign
from verifier.evidence.errors import EvidenceMalformed, EvidenceTooLarge
from verifier.evidence.foreign import NotForeign, parse_foreign, read_foreign

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(
    value=VALUES,
    indent=st.none() | st.integers(0, 3),
    ascii_=st.booleans(),
    colon=st.sampled_from([":", ": ", " : ", "\t:\n"]),
)
def test_what_json_writes_is_read_as_json_reads_it(
    value: object, indent: int | None, ascii_: bool, colon: str
) -> None:
    try:
        data = json.dumps(
            value, indent=indent, ensure_ascii=ascii_, separators=(",", colon)
        ).encode()
    except UnicodeEncodeError:
        return
    assert read_foreign(data) == value


@together(
    ("data", "message", "place"),
    [
        (b"", "is no JSON", "line 1, column 1"),
        (b'{"a": 1,\n "b": }', "is no JSON", "line 2, column 7"),
        (b"[1] 2", "Extra data", "line 1, column 5"),
        (b"\xef\xbb\xbf[]", "byte order mark", "line 1, column 1"),
        (b'[\n"\xff"]', "is not UTF-8", "line 2, column 2"),
        ('["é"]'.encode("utf-16"), "is not UTF-8", "line 1, column 1"),
        (b'{"a": 1, "a": 1}', "the name 'a' is there twice", "line 1, column 1"),
        (b'[\n{"b": {"a" :1, "c": [], "a"\t:1}}]', "the name 'a'", "line 2, column 7"),
        (b'{"a": 1, "\\u0061": 2}', "the name 'a'", "line 1, column 1"),
        (b'{"":1,"":2}', "the name ''", "line 1, column 1"),
        (b"[NaN]", "'NaN' is no JSON number", "line 1, column 1"),
        (b"[-Infinity]", "'-Infinity' is no JSON number", "line 1, column 1"),
        (b"[1e999]", "'1e999' is too long or too large", "line 1, column 1"),
        (b"[%s]" % (b"9" * 5000), "is beyond 2^63", "line 1, column 1"),
        (b"[9223372036854775808]", "is beyond 2^63", "line 1, column 1"),
        (b"[0.%s]" % (b"1" * 100), "is too long or too large", "line 1, column 1"),
        (b'["\\ud83d\\ude00",\n"\\ud83d"]', "half of a surrogate pair", "line 2, column 2"),
        (b'{"\\ude00": 1}', "half of a surrogate pair", "line 1, column 3"),
        (b"[01]", "is no JSON", "line 1, column 3"),
        (b"['a']", "is no JSON", "line 1, column 2"),
        (b'["a\nb"]', "is no JSON", "line 1, column 4"),
    ],
)
def test_what_two_readers_could_differ_on_is_refused(data: bytes, message: str, place: str) -> None:
    with pytest.raises(NotForeign, match=message.replace("^", r"\^")) as caught:
        read_foreign(data)
    assert caught.value.place == place
    assert not caught.value.too_large


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 129 + b"1" + b"}" * 129,
        b"[" + b"[]," * 1_000_000 + b"[]]",
        b"[" + b"0," * 4_000_001 + b"0]",
    ],
    ids=["open", "closed", "129 levels", "a million arrays", "four million values"],
)
def test_bounds_are_named_as_such(data: bytes) -> None:
    with pytest.raises(NotForeign, match=r"deeper|more than") as caught:
        read_foreign(data)
    assert caught.value.too_large


def test_the_last_level_and_the_last_byte_are_read() -> None:
    assert read_foreign(b"[" * 128 + b"]" * 128)
    assert read_foreign(b"[1]", max_size=3) == [1]
    with pytest.raises(NotForeign, match="more than 3 bytes"):
        read_foreign(b"[12]", max_size=3)


def test_strings_that_look_like_names_do_not_confuse() -> None:
    data = b'{"a": ": ", "b": "\\": 1", "c\\\\": [":", "\\" :"]}'
    assert read_foreign(data) == {"a": ": ", "b": '": 1', "c\\": [":", '" :']}
    with pytest.raises(NotForeign, match="twice"):
        read_foreign(b'{"a": ": ", "a": 1}')


def test_a_large_document_with_a_fault_has_no_second_look() -> None:
    data = b"[" + b" " * foreign._RESCAN + b'{"a":1,"a":2}]'
    with pytest.raises(NotForeign, match="twice") as caught:
        read_foreign(data)
    assert caught.value.place == ""


def test_evidence_gets_the_codes_of_evidence() -> None:
    with pytest.raises(EvidenceMalformed, match="twice in one object, line 1, column 1") as caught:
        parse_foreign(b'{"a":1,"a":2}', "bundle")
    assert caught.value.where == "bundle"
    with pytest.raises(EvidenceTooLarge, match="deeper than 128"):
        parse_foreign(b"[" * 200 + b"]" * 200, "bundle")
