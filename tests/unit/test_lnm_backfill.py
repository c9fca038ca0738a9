"""21-102 without a database: ids, documents, batches, resumption, validation, rollback."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from tests.unit.lnm import BUNDLES, load

common = load("migrations/21-102", "lnm_common")
model = load("migrations/21-102", "lnm_model")
run = load("migrations/21-102", "lnm_run")
Exit = common.Exit


# --- ids and documents ----------------------------------------------------------------


UTC = datetime.timezone.utc
NOON = datetime.datetime(2024, 1, 1, 12, tzinfo=UTC)


def statement(source: str = "nvd", number: int = 1, **more: Any) -> dict[str, Any]:
    return {"source": source, "upstreamId": f"{source.upper()}-{number}", **more}


def advisory(number: int = 1, **more: Any) -> dict[str, Any]:
    statements = [
        statement(number=number, severity="high", purls=["pkg:npm/a@1"]),
        statement("ghsa", number, severity="LOW", aliases=[f"CVE-{number}"], fetchedAt=NOON),
    ]
    return {"_id": number, "advisoryKey": f"CVE-{number}", "statements": statements, **more}


def test_ids_are_pinned_for_ever() -> None:
    spelled = b'["obs","default","nvd","CVE-1","00ff"]'
    expected = "obs:" + hashlib.sha256(spelled).hexdigest()
    assert model.observation_id("default", "nvd", "CVE-1", "00ff") == expected
    assert model.linkset_id("default", "CVE-1") == (
        "lnk:" + hashlib.sha256(b'["lnk","default","CVE-1"]').hexdigest()
    )
    assert model.stable_id("obs", "ab", "c") != model.stable_id("obs", "a", "bc")


def test_documents_depend_neither_on_order_of_fields_nor_on_the_run() -> None:
    first = model.plan_advisory(advisory(), "run-1")
    turned = advisory()
    turned["statements"] = [dict(reversed(list(s.items()))) for s in reversed(turned["statements"])]
    second = model.plan_advisory(dict(reversed(list(turned.items()))), "run-2")
    for mine, other in zip(
        first.by_collection().values(), second.by_collection().values(), strict=True
    ):
        assert [d["_id"] for d in mine] == [d["_id"] for d in other]
        assert [model.document_hash(d) for d in mine] == [model.document_hash(d) for d in other]
        assert {d["backfill"]["runId"] for d in mine} == {"run-1"}
        assert {d["backfill"]["runId"] for d in other} == {"run-2"}


def test_values_of_different_types_hash_differently() -> None:
    date = model.portable(NOON)
    values = [None, True, 1, 1.0, "1", b"1", [1], {"a": 1}, NOON, date, "", [], {}, date["$date"]]
    assert len({model.content_hash(value) for value in values}) == len(values)


def test_one_instant_has_one_hash() -> None:
    elsewhere = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=-5)))
    naive = NOON.replace(tzinfo=None)  # what a driver without tz_aware gives: UTC
    assert len({model.content_hash(value) for value in (NOON, elsewhere, naive)}) == 1


def test_linkset_links_and_keeps_disagreement() -> None:
    planned = model.plan_advisory(advisory(aliases=["X-1"]), "r")
    assert planned.linkset["observations"] == sorted(o["_id"] for o in planned.observations)
    assert planned.linkset["aliases"] == ["CVE-1", "GHSA-1", "NVD-1", "X-1"]
    assert planned.linkset["sources"] == ["ghsa", "nvd"]
    [conflict] = planned.linkset["conflicts"]
    assert conflict["field"] == "severity"
    assert sorted(entry["value"] for entry in conflict["values"]) == ["high", "low"]
    assert [(e["type"], e["published"]) for e in planned.events] == [("linkset.created", False)]


def test_withdrawn_and_deleted_become_tombstones() -> None:
    one = advisory()
    one["statements"][0]["withdrawnAt"] = NOON
    planned = model.plan_advisory(one, "r")
    stones = [o["tombstone"] for o in planned.observations if "tombstone" in o]
    assert stones == [{"reason": "withdrawn", "at": NOON}]
    assert "tombstone" not in planned.linkset
    one["statements"][1]["withdrawnAt"] = NOON
    planned = model.plan_advisory(one, "r")
    assert planned.linkset["tombstone"] == {"reason": "all-statements-withdrawn"}
    planned = model.plan_advisory(advisory(deleted=True), "r")
    assert planned.linkset["tombstone"] == {"reason": "advisory-deleted"}
    assert [e["type"] for e in planned.events] == ["linkset.created", "linkset.tombstoned"]
    assert not any("expiresAt" in o for o in planned.observations)


@pytest.mark.parametrize(
    "change",
    [
        {"advisoryKey": ""},
        {"advisoryKey": 7},
        {"statements": []},
        {"statements": {}},
        {"statements": ["text"]},
        {"statements": [{"source": "nvd"}]},
        {"statements": [statement(x=object())]},
        {"statements": [statement(aliases="CVE-1")]},
        {"statements": [statement(purls=[None])]},
        {"aliases": [1]},
        {"tenant": None},
    ],
)
def test_advisory_that_cannot_be_taken_apart_is_rejected(change: dict[str, Any]) -> None:
    with pytest.raises(model.AdvisoryRejected):
        model.plan_advisory(advisory(**change), "r")


# --- runs -----------------------------------------------------------------------------


class Killed(Exception):
    """The process died here."""


class MemoryStore:
    """`run.Store` in memory; dies before write number ``dies_at``, or after it with ``late``."""

    def __init__(self, advisories: Iterable[dict[str, Any]]) -> None:
        self.source = {document["_id"]: document for document in advisories}
        self.tables: dict[str, dict[str, Any]] = {name: {} for name in model.WRITE_ORDER}
        self.runs: dict[str, Any] = {}
        self.refused: set[str] = set()
        self.bulk_sizes: list[int] = []
        self.writes = 0
        self.dies_at = -1
        self.late = False

    def _write(self, apply: Callable[[], Any]) -> Any:
        self.writes += 1
        dying = self.writes == self.dies_at
        if dying and not self.late:
            raise Killed
        result = apply()
        if dying:
            raise Killed
        return result

    def advisories(self, after: Any) -> Iterable[dict[str, Any]]:
        query = run.resume_filter(after).get("$or", [{"_id": {"$gt": -1}}])
        wanted = query[0]["_id"]["$gt"]
        return [self.source[key] for key in sorted(self.source) if key > wanted]

    def advisory(self, key: Any) -> Any:
        return self.source.get(key)

    def insert_missing(self, name: str, documents: Sequence[Any]) -> tuple[int, list[Any]]:
        self.bulk_sizes.append(len(documents))
        bad = [d for d in documents if d["_id"] in self.refused]
        new = [d for d in documents if d not in bad and d["_id"] not in self.tables[name]]
        self._write(lambda: self.tables[name].update({d["_id"]: d for d in new}))
        return len(new), [run.WriteFailure(name, d["_id"], 121, "refused") for d in bad]

    def load(self, run_id: str) -> Any:
        return self.runs.get(run_id)

    def save(self, state: Any, previous: Any) -> bool:
        held = self.runs.get(state["_id"])
        if previous is None or held is None:
            same = held is None and previous is None
        else:
            same = all(held[name] == previous[name] for name in ("batches", "status"))
        if same:
            self._write(lambda: self.runs.update({state["_id"]: state}))
        return same

    def _matching(self, name: str, query: Mapping[str, Any]) -> list[str]:
        def matches(document: Any) -> bool:
            values = {**document, "backfill.runId": document.get("backfill", {}).get("runId")}
            return all(values[field] == value for field, value in query.items())

        return sorted(key for key, document in self.tables[name].items() if matches(document))

    def missing(self, name: str, ids: Sequence[str]) -> list[str]:
        return [key for key in ids if key not in self.tables[name]]

    def count(self, name: str, query: Mapping[str, Any]) -> int:
        return len(self._matching(name, query))

    def ids(self, name: str, query: Mapping[str, Any]) -> list[str]:
        return self._matching(name, query)

    def delete(self, name: str, query: Mapping[str, Any], ids: Sequence[str]) -> int:
        gone = set(self._matching(name, query)) & set(ids)
        self._write(lambda: [self.tables[name].pop(key) for key in gone])
        return len(gone)

    def linked(self, ids: Sequence[str]) -> set[str]:
        named = (
            o for linkset in self.tables[model.LINKSETS].values() for o in linkset["observations"]
        )
        return set(named) & set(ids)


def advisories(count: int) -> list[dict[str, Any]]:
    return [advisory(number, deleted=number % 3 == 0) for number in range(count)]


def backfill(store: MemoryStore, run_id: str = "r", size: int = 2, stop: bool = True) -> Any:
    progress = run.Progress(run.open_run(store, run_id, size))
    run.backfill(store, progress, stop_on_error=stop)
    return progress


def roll_back(store: MemoryStore, run_id: str = "r", **options: bool) -> dict[str, Any]:
    settings = {"dry_run": False, "even_if_published": False, **options}
    facts: dict[str, Any] = run.rollback(store, run_id, 2, **settings)
    return facts


def test_batches_hold_five_hundred_and_are_cut_lazily() -> None:
    taken = []
    cut = run.batches((taken.append(n) or n for n in range(1001)), 500)  # type: ignore[func-returns-value]
    assert next(cut) == list(range(500))
    assert len(taken) == 500
    assert [len(batch) for batch in cut] == [500, 1]


def test_bulk_writes_are_no_larger_than_a_batch() -> None:
    store = MemoryStore(advisories(1001))
    progress = backfill(store, size=500)
    assert max(store.bulk_sizes) == 500
    assert progress.state.batches == 3
    assert progress.state.counts["advisories"] == 1001
    assert progress.inserted == sum(len(table) for table in store.tables.values())


@pytest.mark.parametrize("late", [False, True])
def test_run_killed_at_any_write_ends_as_one_that_was_not(late: bool) -> None:
    whole = MemoryStore(advisories(7))
    facts = backfill(whole).state.facts()
    assert whole.writes > 15
    for moment in range(1, whole.writes + 1):
        store = MemoryStore(advisories(7))
        store.dies_at, store.late = moment, late
        with pytest.raises(Killed):
            backfill(store)
        assert len(store.tables[model.LINKSETS]) <= len(store.tables[model.OBSERVATIONS])
        assert backfill(store).state.facts() == facts
        assert store.tables == whole.tables


def test_resumed_run_asks_only_for_what_is_behind_the_checkpoint() -> None:
    store = MemoryStore(advisories(7))
    store.dies_at = 15  # in the third batch
    with pytest.raises(Killed):
        backfill(store)
    behind, others = run.resume_filter(store.runs["r"]["last_id"])["$or"]
    assert behind == {"_id": {"$gt": 3}}
    assert others["_id"]["$type"][:2] == ["string", "symbol"]  # $gt finds no other type
    assert run.resume_filter(None) == {}
    assert backfill(store).resumed_from_batch == 2


def test_finished_run_is_finished_and_another_inserts_nothing() -> None:
    store = MemoryStore(advisories(5))
    first = backfill(store)
    again = backfill(store)
    other = backfill(store, "other")
    assert (again.inserted, other.inserted) == (0, 0)
    assert again.state.facts() == first.state.facts()
    assert other.state.chain == first.state.chain
    assert roll_back(store, "other")["deleted"] == dict.fromkeys(model.DELETE_ORDER, 0)


def test_preview_computes_the_chain_without_a_write() -> None:
    store = MemoryStore(advisories(5))
    preview = run.preview(store, "r", 2)
    assert (preview.status, store.writes) == ("dry-run", 0)
    state = backfill(store).state
    assert preview.chain == state.chain
    assert preview.counts == state.counts
    store.source[0]["statements"][0]["severity"] = "none"
    assert run.preview(store, "r", 2).chain != state.chain


def test_run_goes_on_only_with_its_batch_size_and_its_owner() -> None:
    store = MemoryStore(advisories(5))
    first = run.Progress(run.open_run(store, "r", 2))
    second = run.Progress(run.open_run(store, "r", 2))
    run.backfill(store, first, stop_on_error=True)
    with pytest.raises(common.MigrationError, match="another process") as stopped:
        run.backfill(store, second, stop_on_error=True)
    assert stopped.value.status == Exit.CONFLICT
    with pytest.raises(common.MigrationError, match="--batch-size=2") as stopped:
        run.open_run(store, "r", 3)
    assert stopped.value.status == Exit.USAGE


def test_stop_on_error_leaves_the_checkpoint_before_the_batch() -> None:
    store = MemoryStore([*advisories(4), {"_id": 4, "advisoryKey": "bad"}, advisory(5)])
    with pytest.raises(common.MigrationError, match="no statements") as stopped:
        backfill(store)
    assert stopped.value.status == Exit.FAILED
    assert (store.runs["r"]["last_id"], store.runs["r"]["status"]) == (3, "running")
    assert store.runs["r"]["counts"]["rejected"] == 0
    store.source[4] = advisory(4)
    assert backfill(store).state.status == "done"


@pytest.mark.parametrize("refused", [True, False])
def test_report_of_a_run_that_an_error_ended_counts_the_error(refused: bool) -> None:
    store = MemoryStore([*advisories(2), advisory(2) if refused else {"_id": 2}])
    store.refused = {model.linkset_id("default", "CVE-2")} if refused else set()
    progress = run.Progress(run.open_run(store, "r", 2))
    with pytest.raises(common.MigrationError):
        run.backfill(store, progress, stop_on_error=True)
    facts = progress.state.facts()
    assert (facts["status"], facts["batches"], len(facts["problems"])) == ("stopped", 1, 1)
    counted = (facts["counts"]["failed"], facts["counts"]["rejected"])
    assert counted == ((1, 0) if refused else (0, 1))
    assert set(run.RunState("r", 2).facts()["counts"]) == set(run.COUNTED)


def test_run_that_is_asked_to_end_does_so_between_two_batches_and_goes_on() -> None:
    store, whole = MemoryStore(advisories(7)), MemoryStore(advisories(7))
    progress = run.Progress(run.open_run(store, "r", 2))
    asked = iter([False, True])
    state = run.backfill(store, progress, stop_on_error=True, stopping=lambda: next(asked))
    assert (state.status, state.batches, state.counts["advisories"]) == ("stopped", 1, 2)
    assert (store.runs["r"]["status"], store.runs["r"]["batches"]) == ("running", 1)
    assert backfill(store).state == backfill(whole).state
    assert store.tables == whole.tables


def test_check_follows_a_run_and_its_rollback() -> None:
    def said() -> tuple[int, int]:
        forward, _, _ = run.check(store, "r")
        back, _ = run.check_rollback(store, "r")
        return int(forward), int(back)

    store = MemoryStore(advisories(5))
    assert said() == (Exit.TO_DO, Exit.DONE)
    state = run.open_run(store, "r", 2)
    assert said() == (Exit.TO_DO, Exit.TO_DO)
    run.backfill(store, run.Progress(state), stop_on_error=True)
    assert said() == (Exit.DONE, Exit.TO_DO)
    held = store.tables[model.LINKSETS].pop(model.linkset_id("default", "CVE-4"))
    assert said() == (Exit.CONFLICT, Exit.TO_DO)
    store.tables[model.LINKSETS][held["_id"]] = held
    checkpoint = store.runs.pop("r")
    assert said() == (Exit.TO_DO, Exit.TO_DO)
    with pytest.raises(common.MigrationError, match="restore the backup") as stopped:
        roll_back(store)
    assert stopped.value.status == Exit.CONFLICT
    store.runs["r"] = checkpoint
    roll_back(store)
    assert said() == (Exit.CONFLICT, Exit.DONE)


def test_check_of_a_run_with_errors_is_neither_done_nor_to_do() -> None:
    store = MemoryStore([advisory(0), {"_id": 1}])
    backfill(store, stop=False)
    assert run.check(store, "r")[0] == Exit.FAILED


@pytest.mark.parametrize(
    ("code", "again", "status"),
    [
        (None, False, Exit.UNAVAILABLE),
        (43, False, Exit.UNAVAILABLE),
        (11602, False, Exit.UNAVAILABLE),
        (2, True, Exit.UNAVAILABLE),
        (18, False, Exit.USAGE),
        (13, False, Exit.USAGE),
        (121, False, Exit.FAILED),
    ],
)
def test_only_what_was_lost_is_to_be_tried_again(code: Any, again: bool, status: Any) -> None:
    assert common.ServerRefused(code, "", again=again).status == status


def test_without_stop_on_error_failures_are_named_and_counted() -> None:
    store = MemoryStore([*advisories(4), {"_id": 4, "advisoryKey": "bad"}, advisory(5)])
    refused = model.linkset_id("default", "CVE-1")
    store.refused = {refused}
    state = backfill(store, stop=False).state
    assert state.status == "done-with-errors"
    assert (state.counts["rejected"], state.counts["failed"]) == (1, 1)
    assert state.problems[0]["document_id"] == refused
    assert state.problems[1] == {"advisory": "4", "reason": "the advisory has no statements"}
    assert run.validate(store, "r", 2)["missingIds"] == [refused]


def test_report_lists_a_hundred_problems_and_counts_all() -> None:
    store = MemoryStore([{"_id": n} for n in range(150)])
    state = backfill(store, size=500, stop=False).state
    assert (len(state.problems), state.counts["rejected"]) == (100, 150)


def test_validation_finds_what_is_missing_and_counts_what_is_there() -> None:
    store = MemoryStore(advisories(5))
    backfill(store)
    facts = run.validate(store, "r", 2)
    assert facts["consistent"]
    assert facts["written"] == facts["total"] == facts["expected"]
    gone = sorted(store.tables[model.EVENTS])[0]
    del store.tables[model.EVENTS][gone]
    facts = run.validate(store, "r", 2)
    assert (facts["consistent"], facts["missingIds"]) == (False, [gone])


FOREIGN: dict[str, Any] = {"_id": "foreign", "observations": [], "published": True}


def test_rollback_deletes_only_what_the_run_wrote() -> None:
    store = MemoryStore(advisories(4))
    backfill(store)
    store.source.update({9: advisory(9)})
    backfill(store, "later")
    for table in store.tables.values():
        table["foreign"] = FOREIGN
    later = model.plan_advisory(advisory(9), "later").by_collection()
    assert not any(roll_back(store, dry_run=True)["deleted"].values())
    facts = roll_back(store)
    assert facts["deleted"] == facts["selected"]
    for name, documents in later.items():
        assert set(store.tables[name]) == {"foreign", *(d["_id"] for d in documents)}
    with pytest.raises(common.MigrationError, match="rolled-back"):
        backfill(store)


def test_rollback_killed_at_any_write_ends_the_same() -> None:
    for moment in itertools.count(1):
        store = MemoryStore(advisories(4))
        backfill(store)
        store.writes, store.dies_at = 0, moment
        try:
            roll_back(store)
        except Killed:
            roll_back(store)
        else:
            break
        assert not any(store.tables.values())
        assert store.runs["r"]["status"] == "rolled-back"
    assert moment > 6


def test_rollback_keeps_an_observation_that_somebody_else_links() -> None:
    store = MemoryStore(advisories(3))
    backfill(store)
    used = sorted(store.tables[model.OBSERVATIONS])[2]
    store.tables[model.LINKSETS]["foreign"] = {**FOREIGN, "observations": [used]}
    facts = roll_back(store)
    assert facts["left"][model.OBSERVATIONS] == 1
    assert set(store.tables[model.OBSERVATIONS]) == {used}
    assert set(store.tables[model.LINKSETS]) == {"foreign"}


def test_rollback_refuses_once_events_are_published() -> None:
    store = MemoryStore(advisories(3))
    backfill(store)
    event = sorted(store.tables[model.EVENTS])[0]
    store.tables[model.EVENTS][event] = {**store.tables[model.EVENTS][event], "published": True}
    with pytest.raises(common.MigrationError, match="restore the backup") as stopped:
        roll_back(store)
    assert stopped.value.status == Exit.CONFLICT
    assert store.tables[model.OBSERVATIONS]
    assert not any(roll_back(store, even_if_published=True)["left"].values())


def test_rollback_of_an_unknown_run_is_a_mistake() -> None:
    with pytest.raises(common.MigrationError, match="no run 'r'"):
        roll_back(MemoryStore([]))


def test_backfill_under_rollback_stops_at_its_next_checkpoint() -> None:
    store = MemoryStore(advisories(5))
    progress = run.Progress(run.open_run(store, "r", 2))
    roll_back(store)
    with pytest.raises(common.MigrationError, match="another process"):
        run.backfill(store, progress, stop_on_error=True)


def test_checkpoint_survives_storage() -> None:
    state = dataclasses.replace(run.RunState("r", 2), last_id=NOON, problems=({"a": 1},))
    assert run.RunState.from_document(state.document()) == state


def test_scripts_for_python_and_mongosh_delete_in_the_same_order() -> None:
    script = (BUNDLES / "21-102/rollback-lnm-backfill.js").read_text("utf-8")
    for name in [*model.DELETE_ORDER, "lnm_backfill_runs"]:
        assert f'"{name}"' in script
    assert "const ORDER = [EVENTS, LINKSETS, OBSERVATIONS]" in script
    assert model.DELETE_ORDER == (model.EVENTS, model.LINKSETS, model.OBSERVATIONS)
    assert run.RUN_ID.pattern in script
