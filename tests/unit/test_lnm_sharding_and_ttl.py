"""21-101 without a database: the plan, the comparison, and every way the migration can end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.unit.lnm import BUNDLES, load

common = load("migrations/21-101", "lnm_common")
indexes = load("migrations/21-101", "lnm_indexes")
ensure = load("migrations/21-101", "ensure_sharding_and_ttl")
model = load("migrations/21-102", "lnm_model")
Refused = common.ServerRefused
Exit = common.Exit
PLAN = indexes.parse_plan((BUNDLES / "21-101/indexes.json").read_text("utf-8"))
ALL_INDEXES = {(collection.name, index.name) for collection in PLAN for index in collection.indexes}


class MemoryDatabase:
    """`ensure.Database` in memory, with refusals to order: method name -> codes, first to last."""

    def __init__(self, sharded: bool = True) -> None:
        self.found: dict[str, dict[str, dict[str, Any]]] = {}
        self.keys: dict[str, Any] = {}
        self.sharded = sharded
        self.refuse: dict[str, list[int | None]] = {}
        self.changes = 0
        self.before_create: Callable[[str, Any], None] | None = None

    def _maybe_refuse(self, method: str) -> None:
        if self.refuse.get(method):
            raise Refused(self.refuse[method].pop(0), f"{method} refused")

    def list_indexes(self, collection: str) -> list[dict[str, Any]]:
        self._maybe_refuse("list_indexes")
        return list(self.found.get(collection, {}).values())

    def put(self, collection: str, index: Any) -> None:
        entry = {"v": 2, "key": dict(index.key), "name": index.name, **index.options}
        self.found.setdefault(collection, {})[index.name] = entry

    def create_index(self, collection: str, index: Any) -> None:
        if self.before_create is not None:
            self.before_create(collection, index)
        self._maybe_refuse("create_index")
        self.changes += 1
        self.put(collection, index)

    def set_lifetime(self, collection: str, index: str, seconds: int) -> None:
        self._maybe_refuse("set_lifetime")
        self.changes += 1
        self.found[collection][index]["expireAfterSeconds"] = seconds

    def shard_key(self, collection: str) -> Any:
        return self.keys.get(collection)

    def shard(self, collection: str, key: Any) -> None:
        self._maybe_refuse("shard")
        if not self.sharded:
            raise Refused(59, "no such command: 'shardCollection'")
        self.changes += 1
        self.keys[collection] = key


def migrate(database: MemoryDatabase, **options: bool) -> tuple[list[Any], Any]:
    """Run 21-101 over the real plan; return its steps and exit status."""
    ticks = itertools.count()
    migration = ensure.EnsureLinkNotMergeShardingAndTtlMigration(
        PLAN, database, clock=lambda: float(next(ticks))
    )
    steps, missing = ensure.migrate(migration, dry_run=options.get("dry_run", False))
    return steps, ensure.status_of(steps, missing, options.get("require_sharding", False))


def outcomes(steps: Sequence[Any]) -> set[str]:
    return {step.outcome for step in steps}


def test_first_run_makes_everything_and_the_second_changes_nothing() -> None:
    database = MemoryDatabase()
    steps, status = migrate(database)
    assert (outcomes(steps), status) == ({"created", "sharded"}, Exit.DONE)
    assert {(s.collection, s.name) for s in steps if s.kind == "index"} == ALL_INDEXES
    assert all(step.seconds == 1.0 for step in steps)
    changes = database.changes
    second, status = migrate(database)
    assert (outcomes(second), status, database.changes) == ({"present"}, Exit.DONE, changes)
    third, _ = migrate(database)
    assert common.digest([s.facts() for s in second]) == common.digest([s.facts() for s in third])


def test_dry_run_changes_nothing() -> None:
    database = MemoryDatabase()
    steps, status = migrate(database, dry_run=True)
    assert (outcomes(steps), status) == ({"would-find-missing"}, Exit.DONE)
    assert database.changes == 0


def test_every_collection_has_the_index_of_its_shard_key_and_documents_expire() -> None:
    assert [collection.name for collection in PLAN] == list(model.WRITE_ORDER)
    lifetimes = {
        (collection.name, index.key): index.options["expireAfterSeconds"]
        for collection in PLAN
        for index in collection.indexes
        if "expireAfterSeconds" in index.options
    }
    assert lifetimes == {
        ("advisory_observations", (("expiresAt", 1),)): 0,
        ("advisory_linkset_events", (("publishedAt", 1),)): 90 * 24 * 3600,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "other/1"},
        {"collections": [{"name": "a"}]},
        {"collections": [{"name": "a", "shardKey": [["x", 1]], "indexes": []}]},
        {
            "collections": [
                {
                    "name": "a",
                    "shardKey": [["x", 1]],
                    "indexes": [{"name": "i", "key": [["x", 1]]}] * 2,
                }
            ]
        },
    ],
)
def test_bad_plan_is_refused(change: dict[str, Any]) -> None:
    text = json.dumps({"plan": indexes.PLAN_FORMAT, "collections": [], **change})
    with pytest.raises(ValueError, match=r"plan|index"):
        indexes.parse_plan(text)


TTL = indexes.Index("ttl", (("at", 1),), {"expireAfterSeconds": 60})
PLAIN = indexes.Index("plain", (("a", 1), ("b", -1)), {})


@pytest.mark.parametrize(
    ("wanted", "existing", "word"),
    [
        (PLAIN, {}, "missing"),
        (PLAIN, {"name": "plain", "key": {"a": 1, "b": -1}, "v": 2}, "present"),
        (PLAIN, {"name": "plain", "key": {"a": 1.0, "b": -1.0}, "unique": False}, "present"),
        (PLAIN, {"name": "other", "key": {"a": 1, "b": -1}}, "present"),
        (PLAIN, {"name": "other", "key": {"b": -1, "a": 1}}, "missing"),
        (PLAIN, {"name": "plain", "key": {"a": 1}}, "conflict"),
        (PLAIN, {"name": "plain", "key": {"a": "hashed", "b": -1}}, "conflict"),
        (PLAIN, {"name": "other", "key": {"a": 1, "b": -1}, "unique": True}, "conflict"),
        (PLAIN, {"name": "plain", "key": {"a": 1, "b": -1}, "hidden": True}, "conflict"),
        (PLAIN, {"name": "plain", "key": {"a": 1, "b": -1}, "expireAfterSeconds": 0}, "conflict"),
        (TTL, {"name": "x", "key": {"at": 1}, "expireAfterSeconds": 60.0}, "present"),
        (TTL, {"name": "x", "key": {"at": 1}, "expireAfterSeconds": 61}, "ttl-differs"),
        (TTL, {"name": "x", "key": {"at": 1}}, "conflict"),
        (
            TTL,
            {"name": "x", "key": {"at": 1}, "expireAfterSeconds": 61, "sparse": True},
            "conflict",
        ),
    ],
)
def test_comparison_with_what_the_database_has(
    wanted: Any, existing: dict[str, Any], word: str
) -> None:
    assert indexes.compare(wanted, [existing] if existing else []).word == word


def test_lifetime_of_zero_seconds_counts() -> None:
    wanted = indexes.Index("ttl", (("at", 1),), {"expireAfterSeconds": 0})
    assert indexes.compare(wanted, [{"name": "ttl", "key": {"at": 1}}]).word == "conflict"


def test_lifetime_is_changed_in_place_under_the_name_it_has() -> None:
    database = MemoryDatabase()
    database.put(
        model.EVENTS, indexes.Index("by_hand", (("publishedAt", 1),), {"expireAfterSeconds": 5})
    )
    steps, status = migrate(database)
    assert "lifetime-changed" in outcomes(steps)
    assert status == Exit.DONE
    assert database.found[model.EVENTS]["by_hand"]["expireAfterSeconds"] == 90 * 24 * 3600
    assert "lnm_ttl" not in database.found[model.EVENTS]


def test_conflict_stops_before_the_first_change() -> None:
    database = MemoryDatabase()
    database.put(model.EVENTS, indexes.Index("lnm_ttl", (("other", 1),), {}))
    steps, status = migrate(database)
    assert (outcomes(steps), status) == ({"conflict", "not-run"}, Exit.CONFLICT)
    assert database.changes == 0
    assert migrate(database, dry_run=True)[1] == Exit.CONFLICT


def test_other_shard_key_is_a_conflict() -> None:
    database = MemoryDatabase()
    database.keys[model.LINKSETS] = (("_id", "hashed"),)
    assert migrate(database)[1] == Exit.CONFLICT
    assert database.changes == 0


def test_missing_sharding_is_an_outcome_and_an_error_only_on_demand() -> None:
    database = MemoryDatabase(sharded=False)
    steps, status = migrate(database)
    assert status == Exit.DONE
    unavailable = [step for step in steps if step.outcome == "sharding-not-available"]
    assert [step.code for step in unavailable] == [59, 59, 59]
    assert migrate(database, require_sharding=True)[1] == Exit.NO_SHARDING


@pytest.mark.parametrize("code", [85, 86])
def test_lost_race_for_an_index_is_no_error(code: int) -> None:
    database = MemoryDatabase()
    database.refuse["create_index"] = [code]
    database.before_create = database.put  # somebody else makes it first
    steps, status = migrate(database)
    assert status == Exit.DONE
    assert [step.code for step in steps if step.outcome == "present"] == [code]


@pytest.mark.parametrize("code", [85, 86])
def test_server_that_sees_a_conflict_is_believed(code: int) -> None:
    database = MemoryDatabase()
    database.refuse["create_index"] = [code]
    steps, status = migrate(database)
    assert (steps[0].outcome, status) == ("conflict", Exit.CONFLICT)
    assert outcomes(steps[1:]) == {"not-run"}


@pytest.mark.parametrize("code", [20, 23])
def test_sharded_already_depends_on_the_key_it_has(code: int) -> None:
    database = MemoryDatabase()
    database.refuse["shard"] = [code]
    assert migrate(database)[1] == Exit.CONFLICT


@pytest.mark.parametrize(
    ("code", "status"),
    [(96, Exit.FAILED), (13, Exit.USAGE), (91, Exit.UNAVAILABLE), (None, Exit.UNAVAILABLE)],
)
def test_failed_step_ends_the_run_and_the_next_run_goes_on(code: int | None, status: Any) -> None:
    database = MemoryDatabase()
    migrate(database)
    del database.found[model.LINKSETS]
    database.refuse["create_index"] = [code]
    steps, got = migrate(database)
    assert got == status
    assert [step.name for step in steps if step.outcome == "failed"] == ["lnm_shard"]
    assert migrate(database)[1] == Exit.DONE
