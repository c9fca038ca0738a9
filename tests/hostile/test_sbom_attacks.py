"""SBOMs made to hurt: each gets a code, a place and a fix, in a time that its size bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kit.sbom import values
from kit.sbom.check import Checked, check_sbom
from kit.sbom.cyclonedx import _schema
from kit.sbom.schemas import compile_schema
from kit.sbom.values import MAX_PARSED
from tests.support.sboms import CYCLONEDX, DROP, KINDS, SPDX2, SPDX3, changed
from tests.support.together import together

MANY = 5_000


def component(i: int) -> dict[str, Any]:
    return {"type": "library", "name": "n", "version": str(i), "bom-ref": f"r{i}"}


def nested(levels: int) -> bytes:
    inner: dict[str, Any] = component(0)
    for i in range(1, levels):
        inner = {**component(i), "components": [inner]}
    return changed(CYCLONEDX, ("/components/1", inner), ("/dependencies", DROP))


def long_expression() -> bytes:
    return changed(CYCLONEDX, ("/components/0/licenses/0/expression", "(" * 60_000))


def many_expressions(count: int) -> bytes:
    parts = [
        {**component(i), "licenses": [{"expression": f"MIT AND LicenseRef-{i}"}]}
        for i in range(count)
    ]
    return changed(CYCLONEDX, ("/components", parts), ("/dependencies", DROP))


ATTACKS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "nothing": (lambda: b"", "sbom-malformed", "line 1, column 1"),
    "a text": (lambda: b"SPDXVersion: SPDX-2.3\n", "sbom-malformed", "line 1, column 1"),
    "XML": (lambda: b"<?xml version='1.0'?><bom/>", "sbom-malformed", "line 1, column 1"),
    "a name twice": (
        lambda: changed(CYCLONEDX).replace(b'"version": 1,', b'"version": 1, "version": 2,', 1),
        "sbom-malformed",
        "line 1, column 1",
    ),
    "a name twice, once escaped": (
        lambda: b'{"bomFormat": "CycloneDX", "\\u0062omFormat": "x"}',
        "sbom-malformed",
        "line 1, column 1",
    ),
    "a byte order mark": (
        lambda: b"\xef\xbb\xbf" + changed(SPDX2),
        "sbom-malformed",
        "line 1, column 1",
    ),
    "UTF-16": (
        lambda: changed(SPDX2).decode().encode("utf-16"),
        "sbom-malformed",
        "line 1, column 1",
    ),
    "Latin-1": (lambda: b'{"name": "\xe9"}', "sbom-malformed", "line 1, column 11"),
    "half of a pair": (
        lambda: changed(SPDX2, ("/name", "\ud800")),
        "sbom-malformed",
        "line 1, column 94",
    ),
    "NaN": (lambda: b'{"version": NaN}', "sbom-malformed", "line 1, column 1"),
    "a huge number": (
        lambda: b'{"version": 1' + b"0" * 100_000 + b"}",
        "sbom-malformed",
        "line 1, column 1",
    ),
    "a huge exponent": (lambda: b'{"version": 1e99999}', "sbom-malformed", "line 1, column 1"),
    "100,000 levels": (lambda: b'{"a":' * 100_000, "sbom-too-large", ""),
    "components in components": (lambda: nested(70), "sbom-too-large", ""),
    "more than 64 MiB": (lambda: b" " * ((64 << 20) + 1), "sbom-too-large", ""),
    "1,000,000 components": (
        lambda: b'{"components": [' + b"{}," * 1_000_000 + b"{}]}",
        "sbom-too-large",
        "",
    ),
    "an endless expression": (
        long_expression,
        "sbom-licence-invalid",
        "/components/0/licenses/0/expression",
    ),
    "an object for a version": (
        lambda: b'{"bomFormat": "CycloneDX", "specVersion": {}}',
        "sbom-unsupported",
        "",
    ),
    "control characters in a name": (
        lambda: changed(CYCLONEDX, ("/components/0/\x1b[2J", 1)),
        "sbom-shape",
        "/components/0",
    ),
    "control characters in a key of a pointer": (
        lambda: changed(SPDX3, ("/@graph/3/\x1b[2J", 1)),
        "sbom-shape",
        "/@graph/3/\\u{1b}[2J",
    ),
}


def judged(data: bytes) -> Checked:
    checked = check_sbom(data, "x", for_kit=True)
    for error in checked.errors:
        assert "\x1b" not in str(error)
        assert len(str(error)) < 2000
    return checked


@together(("make", "code", "place"), ATTACKS.values(), ids=ATTACKS.keys())
def test_each_attack_gets_its_code(make: Callable[[], bytes], code: str, place: str) -> None:
    errors = judged(make()).errors
    assert (code, place) in [
        (error.code, error.where.removeprefix("x").removeprefix(": ")) for error in errors
    ]


@pytest.mark.parametrize("bound", [100, pytest.param(MAX_PARSED, marks=pytest.mark.long)])
def test_expressions_are_counted(bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_PARSED", bound)
    assert "sbom-too-large" not in [error.code for error in judged(many_expressions(50)).errors]
    found = judged(many_expressions(bound + 1)).errors
    assert [(error.code, error.where) for error in found] == [("sbom-too-large", "x")]


def as_spdx2(i: int) -> dict[str, Any]:
    return {"SPDXID": f"SPDXRef-{i}", "name": "n", "downloadLocation": "NONE"}


QUADRATIC: dict[str, Callable[[], bytes]] = {
    "components that differ at their end": lambda: changed(
        CYCLONEDX,
        ("/components", [component(i) for i in range(MANY)]),
        ("/dependencies", [{"ref": "r0", "dependsOn": [f"r{i}" for i in range(1, MANY)]}]),
    ),
    "dependencies on nothing": lambda: changed(
        CYCLONEDX, ("/dependencies/0/dependsOn", [f"gone{i}" for i in range(MANY)])
    ),
    "one bom-ref for all": lambda: changed(
        CYCLONEDX,
        ("/components", [{**component(i), "bom-ref": "same"} for i in range(MANY)]),
        ("/dependencies", DROP),
    ),
    "one SPDXID for all": lambda: changed(
        SPDX2, ("/packages", [{**as_spdx2(0), "comment": str(i)} for i in range(MANY)])
    ),
    "relationships to nothing": lambda: changed(
        SPDX2,
        (
            "/relationships",
            [
                {
                    "spdxElementId": "SPDXRef-a",
                    "relationshipType": "CONTAINS",
                    "relatedSpdxElement": f"SPDXRef-{i}",
                }
                for i in range(MANY)
            ],
        ),
    ),
    "spdx 3 with one id for all": lambda: changed(SPDX3, ("/@graph", [SPDX3["@graph"][3]] * MANY)),
    "faults in every object": lambda: changed(
        CYCLONEDX, ("/components", [{"type": 1, "colour": i} for i in range(MANY)])
    ),
}


@together("make", QUADRATIC.values(), ids=QUADRATIC.keys())
def test_thousands_of_anything_take_steps_in_proportion(make: Callable[[], bytes]) -> None:
    """Quadratic, these would take ten seconds each; the suite would stand still."""
    checked = judged(make())
    assert len(checked.errors) <= 60


@pytest.mark.parametrize("kind", KINDS)
def test_any_byte_gone_is_no_crash(kind: str) -> None:
    data = changed(KINDS[kind])
    for i in range(0, len(data), 7):
        judged(data[:i] + data[i + 1 :])


def test_a_schema_that_the_document_names_is_not_asked() -> None:
    data = changed(CYCLONEDX, ("/$schema", "http://127.0.0.1:9/never.json"))
    assert judged(data).errors == ()


def test_a_schema_that_is_not_installed_is_fetched_from_nowhere() -> None:
    schema = {"$ref": "http://127.0.0.1:9/never.json"}
    with pytest.raises(Exception, match="not among the schemas"):
        compile_schema(schema, {})
    schema = _schema("bom-1.7")
    assert "spdx.SNAPSHOT.schema.json" in json.dumps(schema), "then the test above is about nothing"
    with pytest.raises(Exception, match="not among the schemas"):
        compile_schema(schema, {})
