"""What a runbook says survives being written and read, whatever it says (RUNBOOK 1.2)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from kit.runbook.graph import mermaid, svg
from kit.runbook.words import outline
from runner.book.model import Runbook
from runner.book.parse import parse_again, parse_runbook, read_tree
from runner.book.render import render, render_bytes
from runner.errors import RunbookMalformed, RunbookNewer
from runner.values import parse_condition, parse_duration, render_duration
from tests.support.effort import at_least
from tests.support.runbooks import CONDITIONS, full, runbooks
from verifier.core.jsonstrict import compact

SCHEMA = Path(__file__).parents[2] / "manifests" / "schema" / "runbook.v1.json"
VALID = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))


@at_least(150, deadline=None)
@given(runbooks())
def test_what_is_rendered_is_parsed_to_the_same(book: Runbook) -> None:
    data = render_bytes(book)
    assert parse_runbook(data) == parse_again(data) == book
    assert render_bytes(parse_runbook(data)) == data
    assert VALID.is_valid(json.loads(data))


@at_least(60, deadline=None)
@given(runbooks())
def test_any_runbook_can_be_drawn(book: Runbook) -> None:
    from xml.etree import ElementTree

    assert ElementTree.fromstring(svg(book)).tag.endswith("svg")
    text = mermaid(book)
    assert text.startswith("flowchart TD\n")
    assert len(list(outline(book))) > len(book.steps)
    assert text.count("\n") >= len(book.steps)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@at_least(150, deadline=None)
@given(st.sampled_from(sorted(full())), JSON, st.data())
def test_no_tree_breaks_the_reader(name: str, value: object, data: st.DataObject) -> None:
    tree = full(**{name: value})
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, 8))
        steps = full()["step"]
        steps[at][data.draw(st.sampled_from(sorted(steps[at])))] = value
        tree = full(step=steps)
    try:
        book, mistakes = read_tree(tree)
    except RunbookNewer:
        return
    assert (book is None) == bool(mistakes)
    if book is not None:
        assert parse_runbook(compact(render(book))) == book


@at_least(300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        parse_runbook(data)
    except (RunbookMalformed, RunbookNewer):
        return
    raise AssertionError("no short bytes are a runbook")


@given(st.integers(1, 10**10))
def test_durations_have_one_spelling(value: int) -> None:
    assert parse_duration(render_duration(value)) == value


@given(CONDITIONS)
def test_conditions_have_one_spelling(value: object) -> None:
    assert parse_condition(str(value)) == value
