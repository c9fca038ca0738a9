"""Whatever a report says, it is attested as passed only if somebody else who counts agrees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kit.attest.inputs import Input
from kit.attest.results import results
from kit.attest.vulns import vulns
from tests.support.effort import at_least
from tests.support.reports import junit, trx
from verifier.core.errors import KitError

OUTCOMES = ["Passed", "NotExecuted", "Failed", "Error", "Timeout", "Aborted", "Inconclusive"]
CHILDREN = ["", "<skipped/>", "<failure/>", "<error/>", "<system-out>x</system-out>"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 10) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["matches", "descriptor", "vulnerability", "id", "db", "built", "cvss"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def passes(data: bytes, name: str) -> dict[str, Any] | None:
    """Return the predicate; None if none is made."""
    try:
        made: dict[str, Any] = results([Input(Path(name), data)]).predicate
    except KitError:
        return None
    return made


@given(st.lists(st.sampled_from(OUTCOMES), max_size=12))
def test_trx(outcomes: list[str]) -> None:
    made = passes(trx(*outcomes), "r.trx")
    good = "Passed" in outcomes and set(outcomes) <= {"Passed", "NotExecuted"}
    assert (made is not None) == good
    if made is not None:
        assert len(made["passedTests"]) == outcomes.count("Passed")


@given(st.lists(st.sampled_from(CHILDREN), max_size=12))
def test_junit(children: list[str]) -> None:
    body = "".join(f'<testcase name="t{n}">{child}</testcase>' for n, child in enumerate(children))
    made = passes(junit(body, tests=len(children)), "r.xml")
    bad = {"<failure/>", "<error/>"} & set(children)
    passed = sum(not re.search("skipped|failure|error", child) for child in children)
    assert (made is not None) == (not bad and passed > 0)


@at_least(200)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_report_gives_a_code_or_the_same_tests(at: int, byte: int) -> None:
    data = bytearray(trx("Passed", "Passed", "NotExecuted"))
    before = passes(bytes(data), "r.trx")
    data[at % len(data)] = byte
    after = passes(bytes(data), "r.trx")
    assert before is not None
    assert after is None or len(after["passedTests"]) <= len(before["passedTests"])


@at_least(200)
@given(JSON)
def test_any_json_as_a_scan_gives_a_code_or_findings(value: Any) -> None:
    text = json.dumps({"matches": value, "descriptor": value}).encode()
    code = "report-malformed"
    try:
        vulns([Input(Path("s.json"), text)])
    except KitError as error:
        code = error.code
    assert code in ("report-malformed", "report-unknown", "database-undated")
