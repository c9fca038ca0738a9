"""Journals that operators sealed and no runner wrote: refused or read, and never a crash."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from kit.runbook.evidence import evidence_html
from runner.book.model import After
from runner.chain import Record
from runner.homing.after import bound_of, hold
from runner.homing.judge import verify
from runner.homing.words import audit_lines, audit_value
from runner.kitside import Looked
from tests.support.homecases import Draft, chained, kit_bytes, looked_at, operators, run_records
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.core.trust import Root, parse_root

AT = "2026-11-24T10:00:20Z"
ODD: list[Any] = [None, True, 0, -1, 1 << 50, "", "\u202e", "../x", [], [1], {}, {"a": 1}, "CON"]
EXTRA: list[Record] = [
    {"type": "alert"},
    {"type": "alert", "step": "a", "probe": "p", "why": "w"},
    {"type": "answer", "about": "gate:open", "answer": "yes"},
    {"type": "answer", "about": "way:x", "answer": "no", "by": "x"},
    {"type": "mark", "step": "a", "to": "done", "reason": "r"},
    {"type": "override", "reason": 3},
    {"type": "watched", "milliseconds": "x"},
    {"type": "way-done", "way": "zz"},
    {"type": "intent", "step": "a", "what": "way:x", "attempt": 1},
    {"type": "undone", "step": "a", "how": 3},
    {"type": "phase", "phase": "stopped", "why": 3},
    {"type": "outcome", "step": "a", "what": "apply"},
]


@pytest.fixture(scope="module")
def kit() -> Looked:
    return looked_at(kit_bytes())


@pytest.fixture(scope="module")
def root() -> Root:
    return parse_root(operators())


def bent(records: list[Record], chance: random.Random) -> list[Record]:
    """Return records with something in them that no runner writes."""
    made = copy.deepcopy(records)
    at = chance.randrange(len(made))
    kind = chance.random()
    if kind < 0.6:
        name = chance.choice(sorted(made[at]))
        made[at][name] = chance.choice(ODD)
        if chance.random() < 0.3:
            del made[at][name]
    elif kind < 0.85:
        made.insert(chance.randrange(1, len(made) + 1), {**chance.choice(EXTRA), "at": AT})
    elif kind < 0.95:
        del made[at]
    else:
        made.insert(at, made[chance.randrange(len(made))])
    return made


def evidence_of(kit: Looked, good: list[Record], records: list[Record]) -> bytes:
    """Return evidence with a journal; its statements are of it where they can be made."""
    try:
        return Draft(kit, chained(records)).bytes()
    except (AssertionError, KitError, LookupError, StopIteration, TypeError, ValueError):
        return Draft(kit, chained(records), truth=chained(good)).bytes()


def read(data: bytes, kit: Looked, root: Root, path: Path) -> str:
    """Return the code that evidence is refused with; what is taken is shown in every form."""
    path.write_bytes(data)
    try:
        found = verify(str(path), root, kit)
    except KitError as error:
        return error.code
    value = audit_value(found)
    assert list(audit_lines(value))
    assert evidence_html(value)
    assert bound_of(found)
    try:
        hold(found, After("staging", 5), "other", 0, 0)
    except KitError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 20))]
)
def test_a_bent_journal_is_an_answer(seed: int, kit: Looked, root: Root, tmp_path: Path) -> None:
    chance, good = random.Random(seed), run_records(kit)
    codes = set()
    for _ in range(15):
        records = bent(good, chance)
        codes.add(read(evidence_of(kit, good, records), kit, root, tmp_path / "evidence"))
    assert "evidence-inconsistent" in codes


@together("extra", EXTRA, ids=lambda one: str(one["type"]))
def test_what_lacks_a_member_is_refused(
    extra: Record, kit: Looked, root: Root, tmp_path: Path
) -> None:
    good = run_records(kit)
    records = [*good[:-1], {**extra, "at": AT}, good[-1]]
    code = read(evidence_of(kit, good, records), kit, root, tmp_path / "evidence")
    whole = extra in (EXTRA[1], EXTRA[3], EXTRA[7], EXTRA[8])
    assert whole or code == "evidence-inconsistent"
