"""Runbooks that break one rule each: refused with the place and the reason (RUNBOOK 2 to 7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from runner.book.needs import missing
from runner.book.parse import parse_runbook, parse_tree, read_tree
from runner.book.render import render, render_bytes
from runner.errors import RunbookMalformed, RunbookNewer
from tests.support.runbooks import CARRIED, changed, full
from tests.support.together import together
from verifier.core.jsonstrict import compact

SCHEMA = Path(__file__).parents[2] / "manifests" / "schema" / "runbook.v1.json"
VALID = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))
GO = ["tools/run.py"]
NONE = {"none": "nothing to undo"}

# where, what stands there, what the message says
SHAPES: list[tuple[str, Any, str]] = [
    ("schema", ..., "'schema' is missing"),
    ("schema", True, "schema: is not 1"),
    ("schema", 0, "schema: is not 1"),
    ("id", ..., "'id' is missing"),
    ("id", "LNM", "id: is no name"),
    ("id", "a" * 65, "id: is no name"),
    ("id", 7, "id: is no name"),
    ("title", "", "title: is no line"),
    ("title", "a\u202eb", "title: is no line"),
    ("title", "a\nb", "title: is no line"),
    ("step", [], "step: is no array of 1"),
    ("step", {}, "step: is no array of 1"),
    ("step", ..., "'step' is missing"),
    ("step/0", "run it", "step[0]: is no table"),
    ("step/0/colour", "red", "step[0].colour: 'colour' is not known here"),
    ("shell", "sh", "shell: 'shell' is not known here"),
    ("step/0/id", ..., "step[0]: 'id' is missing"),
    ("step/0/kind", "shell", "step[0].kind: is not one of"),
    ("step/0/enabled", 1, "step[0].enabled: is neither true nor false"),
    ("step/0/timeout", "1 hour", "step[0].timeout: is no duration"),
    ("step/0/timeout", "0s", "step[0].timeout: is no duration"),
    ("step/0/timeout", "400d", "step[0].timeout: is no duration"),
    ("step/0/timeout", 60, "step[0].timeout: is no duration"),
    ("step/0/apply", "tools/run.py", "step[0].apply: is no array of words"),
    ("step/0/apply", [], "step[0].apply: is no array of words"),
    ("step/0/apply", ["tools/run.py", ""], "step[0].apply[1]: has no character"),
    ("step/0/apply", ["tools/run.py", 5], "step[0].apply[1]: is no string"),
    ("step/0/apply", ["tools/run.py", "a\x00b"], "step[0].apply[1]: has a control"),
    ("step/0/apply", ["tools/run.py", "a\rb"], "step[0].apply[1]: has a control"),
    ("step/0/apply", ["tools/run.py", "{work"], "step[0].apply[1]: has a brace"),
    ("step/0/apply", ["tools/run.py", "${x}{disk}"], "step[0].apply[1]: has a place"),
    ("step/0/apply", ["tools/run.py", "dir/{disk}"], "step[0].apply[1]: has a place"),
    ("step/0/apply", ["tools/run.py", "x" * 4097], "step[0].apply[1]: has no character"),
    ("step/0/apply", ..., "step[0]: 'apply' is missing"),
    ("step/0/check", ..., "step[0]: 'check' is missing"),
    ("step/1/retry/on", [1], "step[1].retry.on: is no array of exit statuses"),
    ("step/1/retry/on", [10], "step[1].retry.on: is no array of exit statuses"),
    ("step/1/retry/on", [0], "step[1].retry.on: is no array of exit statuses"),
    ("step/1/retry/on", [True], "step[1].retry.on: is no array of exit statuses"),
    ("step/1/retry/on", [], "step[1].retry.on: is no array of exit statuses"),
    ("step/1/retry/attempts", 1, "step[1].retry.attempts: is no whole number"),
    ("step/1/stop/signal", "KILL", "step[1].stop.signal: is not one of"),
    ("step/1/expect", ["/a = 1"], "step[1].expect[0]: is not a condition"),
    ("step/1/expect", ["/a == 1.5"], "step[1].expect[0]: is not a condition"),
    ("step/1/expect", ["/a > true"], "step[1].expect[0]: is not a condition"),
    ("step/1/expect", ["/a == [1]"], "step[1].expect[0]: is not a condition"),
    ("step/1/expect", ["a == 1"], "step[1].expect[0]: is not a condition"),
    ("step/1/expect", ["/a~2 == 1"], "step[1].expect[0]: is not a condition"),
    ("step/1/expect", ["/a rises"], "step[1].expect[0]: is about several samples"),
    ("step/1/capture", ["../x"], "step[1].capture[0]: is not a plain file name"),
    ("step/1/capture", ["report"], "step[1].capture[0]: is not a plain file name"),
    ("step/1/needs", ["21-101", "21-101"], "step[1].needs: has one name twice"),
    ("step/0/secrets", ["mongo", "mongo"], "step[0].secrets: has one name twice"),
    ("step/0/secrets", "mongo", "step[0].secrets: is no array"),
    ("step/3/people", {"production": "two"}, "step[3].people: is no table of numbers"),
    ("step/3/people", {"production": -1}, "step[3].people: is no table of numbers"),
    ("step/3/ask", ..., "step[3]: 'ask' is missing"),
    ("step/0/undo", {}, "step[0].undo: must have exactly one of"),
    ("step/0/undo", {"none": "x", "way": "restore"}, "step[0].undo: must have exactly one of"),
    ("step/0/undo", {"run": GO}, "step[0].undo: 'check' is missing"),
    ("step/0/undo", {"ask": "Sure?", "yes": "restore"}, "step[0].undo: 'no' is missing"),
    ("input/mongo/type", "password", "input.mongo.type: is not one of"),
    ("input/mongo/env", ..., "input.mongo: 'env' is missing"),
    ("input/mongo/env", "lower", "input.mongo.env: is not a variable"),
    ("input/mongo/env", "PATH", "input.mongo.env: is a variable that means something else"),
    ("input/mongo/env", "LD_PRELOAD", "input.mongo.env: is a variable that means something else"),
    ("input/mongo/env", "PYTHONPATH", "input.mongo.env: is a variable that means something else"),
    ("input/mongo/default", "hunter2", "input.mongo.default: is not for secrets"),
    ("input/disk/free", "lots", "input.disk.free: is no size"),
    ("input/batch/free", "1GiB", "input.batch.free: is only for directories"),
    ("input/batch/default", "-5", "input.batch.default: begins with a -"),
    ("input", {"A B": {"type": "text"}}, "input: 'A B' is no name"),
    ("program/mongosh/version", "--version", "program.mongosh.version: is no array"),
    ("program/mongosh/version", ..., "program.mongosh.minimum: has no `version`"),
    ("probe/lag/breach", ..., "probe.lag: 'breach' is missing"),
    ("probe/lag/then", "panic", "probe.lag.then: is not one of"),
    ("probe/lag/for", 0, "probe.lag.for: is no whole number"),
    ("way/restore/check", ..., "way.restore: 'check' is missing"),
    ("with/python", "3.9", "with.python: is not a version"),
    ("with/python", ">=2.7", "with.python: is not a version"),
    ("environment/production/after", {"environment": 5}, "after.environment: is no name"),
]
ACROSS: list[tuple[str, Any, str]] = [
    ("environment", {}, "names no environment"),
    ("environment/production/after/environment", "test", "no environment 'test' is declared"),
    ("environment/staging", {"after": {"environment": "production"}}, "comes after itself"),
    ("environment/staging", {"after": {"environment": "staging"}}, "comes after itself"),
    ("step/1/id", "21-101", "'21-101' is there twice"),
    ("step/0/needs", ["21-102"], "'21-102' comes later or is this one: a circle"),
    ("step/1/needs", ["21-102"], "'21-102' comes later or is this one: a circle"),
    ("step/1/needs", ["else"], "'else' is no step"),
    ("step/1/undo/else", "rebuild", "there is no way 'rebuild'"),
    ("step/1/undo/else", ..., "has one of `on` and `else`"),
    ("step/0/undo/yes", "rebuild", "there is no way 'rebuild'"),
    ("step/0/undo", ..., "step[0]: does not say how it is undone"),
    ("step/7/undo", ..., "step[7]: does not say how it is undone"),
    ("step/0/undo", {"brought": True}, "the runner brings no undo for it"),
    ("step/0/undo", {"none": "x", "on": [4], "else": "restore"}, "without `run`"),
    ("way/restore/on", [4], "has one of `on` and `else`"),
    ("step/2/undo", NONE, "step[2].undo: is not for a check"),
    ("step/2/apply", GO, "step[2].apply: is not for a check"),
    ("step/0/people", {"staging": 1}, "step[0].people: is not for a command"),
    ("step/3/people", {"produktion": 2}, "no environment 'produktion' is declared"),
    ("step/3/yes", True, "goes not with people who sign"),
    ("step/0/only", ["test"], "no environment 'test' is declared"),
    ("step/1/watch", ["load"], "there is no probe 'load'"),
    ("step/6/probe", "load", "there is no probe 'load'"),
    ("step/0/watch-after", "1h", "watches nothing"),
    ("step/0/apply", ["tools/run.py", "{mongo}"], "'mongo' is a secret"),
    ("step/0/secrets", ["monga"], "step[0].secrets: there is no secret 'monga'"),
    ("step/0/secrets", ["batch"], "step[0].secrets: 'batch' is no secret"),
    ("step/3/secrets", ["mongo"], "step[3].secrets: is not for a gate"),
    ("probe/lag/secrets", ["disk"], "probe.lag.secrets: 'disk' is no secret"),
    ("way/restore/secrets", ["lag"], "way.restore.secrets: there is no secret 'lag'"),
    ("input/other", {"type": "secret", "env": "O"}, "input.other: is a secret that nothing is"),
    ("step/5/arguments/login", "OTHER", "'OTHER' is the variable of no secret"),
    ("step/0/apply", ["tools/run.py", "--uri={mongo}"], "'mongo' is a secret"),
    ("step/5/arguments", {"url": "{mongo}"}, "'mongo' is a secret"),
    ("step/0/apply", ["tools/run.py", "{nothing}"], "there is no value 'nothing'"),
    ("step/0/apply", ["{disk}", "x"], "begins with a value"),
    ("step/0/apply", ["site:psql"], "no program 'psql' is declared"),
    ("input/run", {"type": "text"}, "is the name of a value that is always there"),
    ("input/other", {"type": "secret", "env": "LNM_MONGO_URI"}, "is another secret's too"),
    ("step/5/use", "teleport", "no step 'teleport' is brought"),
    ("step/5/kind", "command", "wait-http is a wait"),
    ("step/5/arguments", {}, "'url' is missing"),
    ("step/5/arguments/tls", "no", "step[5].arguments.tls: is not known here"),
    ("step/5/check", GO, "wait-http brings its own commands"),
]


def test_the_full_runbook_is_good() -> None:
    book = parse_tree(full())
    assert parse_runbook(render_bytes(book)) == book
    assert VALID.is_valid(full())


@together(("path", "value", "said"), SHAPES)
def test_a_bad_shape_is_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(RunbookMalformed) as caught:
        parse_tree(changed(path, value))
    assert said in caught.value.message, caught.value.message


@together(("path", "value", "said"), ACROSS)
def test_what_does_not_go_together_is_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(RunbookMalformed) as caught:
        parse_tree(changed(path, value))
    assert said in caught.value.message, caught.value.message


def test_ways_that_lead_in_a_circle_are_refused() -> None:
    one = {"run": GO, "check": GO, "on": [4], "else": "b"}
    tree = full(way={**full()["way"], "a": one, "b": {**one, "else": "a"}})
    with pytest.raises(RunbookMalformed, match="leads back to itself"):
        parse_tree(tree)


def test_all_mistakes_are_named_at_once() -> None:
    tree = changed("step/0/timeout", "soon")
    tree["id"], tree["shell"] = "X", "sh"
    _, mistakes = read_tree(tree)
    assert [one.field for one in mistakes] == ["id", "step[0].timeout", "shell"]


def test_a_later_version_is_not_guessed_at() -> None:
    with pytest.raises(RunbookNewer):
        parse_tree(full(schema=2, unheard="of"))


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (full(), "one spelling"),  # durations and orders as an author writes them
        ({**render(parse_tree(full())), "title": ""}, "is no line"),
        ({**render(parse_tree(full())), "way": {}, "probe": {}}, "there is no"),
    ],
)
def test_a_kit_carries_the_one_spelling(tree: Any, said: str) -> None:
    if said == "one spelling":
        tree["step"][0]["timeout"] = "60m"
    with pytest.raises(RunbookMalformed, match=said):
        parse_runbook(compact(tree))


@together("data", [b"", b"null", b"[]", b"{}", b"\xff", b'{"a":1}', b"[" * 70])
def test_bytes_that_are_no_runbook(data: bytes) -> None:
    with pytest.raises(RunbookMalformed):
        parse_runbook(data)


def test_a_large_runbook_takes_little_time() -> None:
    step = full()["step"][2]
    tree = full(step=[{**step, "id": f"s{at}"} for at in range(10_000)])
    assert len(parse_tree(tree).steps) == 10_000
    tree["step"].append({**step, "id": "more"})
    with pytest.raises(RunbookMalformed):
        parse_tree(tree)


def test_what_the_kit_does_not_carry_is_named() -> None:
    book = parse_tree(full())
    assert missing(book, lambda path: CARRIED.get(path, ""), {"tools"}.__contains__) == []
    found = missing(book, lambda path: "", set().__contains__)
    said = "\n".join(map(str, found))
    assert "step[1].apply: the kit has no program 'tools/run.py'" in said
    assert "with.wheels: no component 'tools'" in said
    book = parse_tree(changed("step/0/apply", ["../run", "--x={kit}/data/a.txt"]))
    said = "\n".join(map(str, missing(book, CARRIED.get, {"tools"}.__contains__)))  # type: ignore[arg-type]
    assert "'../run': has an empty, '.' or '..' component" in said
    assert "the kit has no 'data/a.txt'" in said
    book = parse_tree(changed("step/0/apply", ["bin/run"]))
    look = {**CARRIED, "bin/run": "file"}
    found = missing(book, lambda path: look.get(path, ""), {"tools"}.__contains__)
    assert [str(one) for one in found] == [
        "step[0].apply: 'bin/run' is not executable; chmod +x it, or make it a .py"
    ]
