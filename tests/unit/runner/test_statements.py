"""Statements of a run: read as any in-toto Statement is, about what is there, never by chance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.chain import digest_of
from runner.homing.statements import LINK, RUN_TYPE
from runner.kitside import Looked
from tests.support.homecases import Draft, at_second, chained, kit_bytes, looked_at, run_records
from verifier.evidence.documents import read_document


@pytest.fixture(scope="module")
def kit() -> Looked:
    return looked_at(kit_bytes())


def packed(kit: Looked, **more: Any) -> dict[str, bytes]:
    """Return the members of evidence of a closed run."""
    return Draft(kit, chained(run_records(kit)), **more).members()[0]


def test_each_is_a_statement_about_something_in_the_evidence(kit: Looked) -> None:
    members = packed(kit)
    lines = members["run/journal"].splitlines(keepends=True)
    there = {digest_of(data) for data in members.values()} | {digest_of(line) for line in lines}
    steps = [path for path in members if path.startswith("steps/")]
    assert len(steps) == 3
    for path in steps:
        (claim,) = read_document(path, members[path])
        assert (claim.form, claim.type) == ("statement", LINK)
        assert {subject[len("sha256:") :] for subject in claim.subjects} <= there
    (claim,) = read_document("run/statement.json", members["run/statement.json"])
    assert claim.type == RUN_TYPE
    assert f"sha256:{kit.kit_id}" in claim.subjects


def test_a_link_says_what_by_whom_of_what_and_how_it_went(kit: Looked) -> None:
    members = packed(kit)
    value = json.loads(members["steps/00001.a.apply.json"])
    assert [one["name"] for one in value["subject"]] == ["outputs/000005/files/report"]
    predicate = value["predicate"]
    assert set(predicate) == {"name", "command", "materials", "byproducts", "environment"}
    assert predicate["command"] == ["tools/a.py"]
    names = [one["name"] for one in predicate["materials"]]
    assert names == ["demo-1.0", "runbook/runbook.json", "tools/a.py"]
    assert predicate["byproducts"]["return-value"] == 0
    assert predicate["byproducts"]["durationMs"] == 7
    around = predicate["environment"]
    assert (around["host"], around["operator"], around["run"]) == ("stage1", "olga", "one")
    # without products the subject is the output, and without output the record
    subjects = [
        json.loads(members[f"steps/{name}.apply.json"])["subject"][0]["name"]
        for name in ("00003.b", "00002.open")
    ]
    assert subjects == ["outputs/000009/output", "run/journal#7"]


def test_what_ran_a_program_is_a_material(kit: Looked) -> None:
    records = run_records(kit, image="images/runner")
    digest, other = "ab" * 32, "cd" * 32
    box = {"by": "bwrap", "image": f"sha256:{digest}", "name": "kit-a-1"}
    records[4]["container"] = box
    program = {"path": "/usr/bin/true", "sha256": other}
    records[8]["program"] = program
    members = Draft(kit, chained(records)).members()[0]
    found = [
        {one["name"]: one["digest"]["sha256"] for one in predicate["materials"]}
        for predicate in (
            json.loads(members[f"steps/{name}.apply.json"])["predicate"]
            for name in ("00001.a", "00003.b")
        )
    ]
    assert found[0]["images/runner"] == digest
    assert found[1]["/usr/bin/true"] == other


def test_what_was_taken_back_has_a_statement_of_its_own(kit: Looked) -> None:
    records = run_records(kit)[:5]
    for one in (
        {"type": "phase", "phase": "rolling-back"},
        {"type": "undone", "step": "a", "how": "not undone: it stays"},
        {"type": "phase", "phase": "rolled-back"},
    ):
        records.append(at_second(one, len(records)))
    members = Draft(kit, chained(records)).members()[0]
    value = json.loads(members["steps/00001.a.undo.json"])
    assert value["predicate"]["name"] == "a:undo"
    assert value["predicate"]["byproducts"]["status"] == "undone"
    whole = json.loads(members["run/statement.json"])["predicate"]
    assert whole["phase"] == "rolled-back"
    assert len(whole["steps"][0]["statements"]) == 2


def test_the_same_journal_makes_the_same_statements(kit: Looked) -> None:
    assert packed(kit) == packed(kit)
    digests = packed(kit, carried=False)
    assert json.loads(digests["run/statement.json"])["predicate"]["outputs"] == "digests"
    step = "steps/00001.a.apply.json"
    assert digests[step] == packed(kit)[step]
