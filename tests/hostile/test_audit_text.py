"""Whatever a kit or its evidence says, an audit stays one: in HTML, text, XML and JSON."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.auditing import (
    answer,
    audit_of,
    cyclonedx,
    dump,
    envelope,
    everything,
    grype,
    library,
    openvex,
    statement,
)
from tests.support.together import together
from verifier.audit.htmlform import MAX_ROWS, audit_html
from verifier.audit.jsonform import audit_bytes
from verifier.audit.junit import audit_junit
from verifier.audit.model import Audit
from verifier.audit.sarif import audit_sarif
from verifier.audit.textform import audit_text
from verifier.audit.vexform import audit_vex
from verifier.typed import replace

PARTS = (
    *("decisions", "components", "images", "sboms", "packages", "coverage", "attestations"),
    *("vulnerabilities", "documents", "not_checked"),
)
VOID = {"meta"}
PAYLOADS = {
    "a script": "<script>alert(1)</script>",
    "an image": "<img src=x onerror=alert(1)>",
    "end of a cell": "</td></tr></table><h1>VERIFIED</h1>",
    "end of the style": "</style><script>alert(1)</script>",
    "a comment": "<!-- --><!--",
    "CDATA": "]]><script>alert(1)</script><![CDATA[",
    "an attribute": '" onmouseover="alert(1)" x=\'',
    "an entity": "&lt;script&gt;&#x3c;script&#62;&amp;",
    "an address": "javascript:alert(1)",
    "half a tag": "<",
    "a template": "{{constructor.constructor('alert(1)')()}}${7*7}",
    "turned round": "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c",
    "controls": "".join(map(chr, (*range(32), *range(127, 160)))),
    "a terminal": "\x1b[2J\x1b]0;VERIFIED\x07\r\b",
    "line ends": "a\nVERIFIED: all is well\r\nb\u2028c\u2029d\x85e",
    "nothing that is seen": "\u200b\ufeff\u00ad\u2060",
    "no characters": "\ufffe\uffff\U0001ffff\ue000",
    "letters from the right": "\u05d0\u05d1\u0627\u0628 1.2.3",
    "heaped accents": "a" + "\u0301" * 200,
    "endless": "x" * 100_000,
    "an entity that grows": '<!DOCTYPE x [<!ENTITY a "aaaa">]>&a;&a;',
    "quotes": "'\"`\\",
}


class _Shape(HTMLParser):
    """Which elements and attributes a page has, in order, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.other: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)


def shape(data: bytes) -> _Shape:
    """Return the shape of a page."""
    parser = _Shape()
    parser.feed(data.decode("utf-8"))
    parser.close()
    return parser


def refilled(item: Any, say: Callable[[str], str]) -> Any:
    """Return rows with every text in them exchanged."""
    if isinstance(item, str):
        return say(item)
    if isinstance(item, (list, tuple)):
        return type(item)(refilled(one, say) for one in item)
    names = getattr(item, "__match_args__", None)
    if names is None:
        return item
    return type(item)(**{name: refilled(getattr(item, name), say) for name in names})


def hostile(audit: Audit, say: Callable[[str], str]) -> Audit:
    """Return an audit with every text of every row exchanged."""
    return replace(audit, **{name: refilled(getattr(audit, name), say) for name in PARTS})


def check(audit: Audit, plain: list[tuple[str, tuple[str, ...]]]) -> None:
    """Hold all forms of an audit to what none of its texts may change."""
    page = shape(audit_html(audit))
    assert page.tags == plain
    assert page.other == []
    for text in page.text:
        assert text.replace("\n", "").isprintable(), text[:100]
    assert all(line.isprintable() for line in audit_text(audit))
    root = ElementTree.fromstring(audit_junit(audit))
    assert {item.tag for item in root.iter()} <= {
        *("testsuites", "testsuite", "testcase", "failure", "error", "skipped"),
    }
    for data in (audit_sarif(audit), audit_vex(audit), audit_bytes(audit)):
        assert data.isascii()
        json.loads(data)


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Return an audit with rows in every part."""
    evidence, data = everything()
    return audit_of(tmp_path_factory.mktemp("audit"), evidence, data)


@pytest.fixture(scope="module")
def plain(audit: Audit) -> list[tuple[str, tuple[str, ...]]]:
    """Return the elements of its page where all texts are harmless."""
    return shape(audit_html(hostile(audit, lambda text: "word"))).tags


@together("name", PAYLOADS)
def test_text_in_every_field_stays_text(
    name: str, audit: Audit, plain: list[tuple[str, tuple[str, ...]]]
) -> None:
    made = hostile(audit, lambda text: PAYLOADS[name])
    check(made, plain)
    assert "script" not in {tag for tag, _ in plain}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_any_texts_stay_texts(
    audit: Audit, plain: list[tuple[str, tuple[str, ...]]], texts: list[str]
) -> None:
    left = list(texts)

    def say(_: str) -> str:
        left.append(left.pop(0))
        return f"x{left[-1]}"  # never empty: an empty cell has another shape in text only

    check(hostile(audit, say), plain)


def test_what_is_shown_is_as_long_as_a_cell(audit: Audit) -> None:
    page = audit_html(hostile(audit, lambda text: "\u202e" * 100_000))
    assert len(page) < 1_000_000


@pytest.mark.parametrize("name", ["a script", "turned round", "controls", "end of a cell"])
def test_hostile_words_in_the_documents_themselves(name: str, tmp_path: Path) -> None:
    """The same from the other end: documents with such words, through a whole run."""
    bad = PAYLOADS[name]
    evidence = {
        "sbom/a.cdx.json": cyclonedx(library(bad, bad, bad), metadata={"component": {"name": bad}}),
        "scan.json": dump(grype((bad, bad, bad))),
        "vex.json": dump(openvex(answer(name=bad, product=bad, impact_statement=bad))),
        "said.json": envelope(
            statement("https://x.example/" + bad, {bad: bad}, "00" * 32), "alice"
        ),
        "other.json": dump({bad: bad}),
    }
    audit = audit_of(tmp_path, evidence)
    assert [len(getattr(audit, part)) for part in ("packages", "vulnerabilities")] == [2, 1]
    allowed = {tag for tag, _ in shape(audit_html(audit_of(tmp_path, {}))).tags}
    page = shape(audit_html(audit))
    assert {tag for tag, _ in page.tags} <= allowed | {"table", "caption", "tr", "td", "th"}
    assert all(unicodedata.category(c) not in ("Cc", "Cf") for c in "".join(page.text) if c != "\n")
    assert all(line.isprintable() for line in audit_text(audit))


def test_rows_above_the_limit_are_counted_and_left_to_the_json(audit: Audit) -> None:
    (row, *_) = audit.packages
    rows = [type(row)(f"p{i}", "1", "", "MIT", ("a",)) for i in range(MAX_ROWS + 5)]
    many = replace(audit, packages=rows)
    page = audit_html(many)
    others = sum(
        len(getattr(audit, part)) for part in PARTS if part not in ("packages", "coverage")
    )
    left = int(page.partition(b" rows more are in the JSON")[0].rpartition(b">")[2])
    assert 5 < left <= 5 + others + 20
    assert page.count(b"<tr><td") <= MAX_ROWS
    assert len(json.loads(audit_bytes(many))["packages"]) == MAX_ROWS + 5
    assert any(f"and {MAX_ROWS + 5 - 50} more" in line for line in audit_text(many))
