"""21-101 over a real server: idempotent, honest about conflicts and about shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.lnm.conftest import Anywhere, Place
from tests.support.migrating import Ended, advisories

PROGRAM = "migrations/21-101/ensure_sharding_and_ttl.py"


def migrate(place: Anywhere, report: Path | None = None, *more: str) -> Ended:
    return place.run(PROGRAM, "--sharding=required", *more, report=report)


def outcomes(ended: Ended) -> set[str]:
    return {step["outcome"] for step in ended.facts["steps"]}


def test_a_second_run_finds_everything_present(anywhere: Anywhere, tmp_path: Path) -> None:
    assert migrate(anywhere, None, "--check").status == 10
    first = migrate(anywhere, tmp_path / "first")
    assert (first.status, outcomes(first)) == (0, {"created", "sharded"})
    assert first.report["run"]["durationMs"] > 0
    assert migrate(anywhere, None, "--check").status == 0
    second = migrate(anywhere, tmp_path / "second")
    assert (second.status, outcomes(second)) == (0, {"present"})
    assert second.report["run"]["balance"]["available"]


def test_the_balance_is_in_the_report(place: Place, tmp_path: Path) -> None:
    migrate(place)
    place.database.advisory_linksets.insert_many([{"_id": n} for n in range(10)])
    place.cluster.tell(shares=[0.8, 0.2])
    found = migrate(place, tmp_path / "report").report["run"]["balance"]["collections"]
    assert found[f"{place.name}.advisory_linksets"] == {"shard-a": 8, "shard-b": 2}


def test_a_conflict_is_named_with_both_definitions(place: Place, tmp_path: Path) -> None:
    linksets = place.database.advisory_linksets
    linksets.create_index([("observations", 1)], name="by_hand", unique=True)
    ended = migrate(place, tmp_path / "report")
    assert ended.status == 4
    assert "'lnm_observations'" in ended.err or '"lnm_observations"' in ended.err
    assert '"by_hand"' in ended.err
    [step] = [s for s in ended.facts["steps"] if s["outcome"] == "conflict"]
    assert step["found"] == {
        "name": "by_hand",
        "key": [["observations", 1]],
        "options": {"unique": True},
    }
    assert sorted(linksets.index_information()) == ["_id_", "by_hand"]  # nothing was changed
    assert migrate(place, None, "--check").status == 4


def test_another_shard_key_is_a_conflict(place: Place, tmp_path: Path) -> None:
    other = {f"{place.name}.advisory_linksets": {"_id": 1}}
    place.cluster.tell(shardKeys=other)
    ended = migrate(place, tmp_path / "report")
    assert ended.status == 4
    [step] = [s for s in ended.facts["steps"] if s["outcome"] == "conflict"]
    assert (step["key"], step["found"]["key"]) == ([["tenant", 1], ["_id", 1]], [["_id", 1]])


def test_a_lifetime_is_changed_in_place(place: Place, tmp_path: Path) -> None:
    events = place.database.advisory_linkset_events
    events.create_index([("publishedAt", 1)], name="lnm_ttl", expireAfterSeconds=60)
    assert migrate(place, None, "--check").status == 10
    ended = migrate(place, tmp_path / "report")
    assert (ended.status, "lifetime-changed" in outcomes(ended)) == (0, True)
    assert events.index_information()["lnm_ttl"]["expireAfterSeconds"] == 7776000


def test_without_shards_the_site_says_what_it_wants(place: Place) -> None:
    place.cluster.tell(sharding=False)
    assert place.run(PROGRAM, "--sharding=if-there").status == 0
    assert place.run(PROGRAM, "--sharding=if-there", "--check").status == 0
    assert migrate(place).status == 6
    assert migrate(place, None, "--check").status == 10


def spread(place: Place, report: Path, *more: str) -> tuple[int, Any]:
    ended = place.run("rollout/balance.py", "--least=10", *more, report=report)
    return ended.status, ended.facts


def test_an_uneven_spread_is_told(place: Place, tmp_path: Path) -> None:
    migrate(place)
    place.database.advisory_linksets.insert_many(advisories(40, 1))
    place.cluster.tell(shares=[0.6, 0.4])
    assert spread(place, tmp_path / "even", "--sharding=required")[0] == 0
    place.cluster.tell(shares=[1.0, 0.0])
    status, facts = spread(place, tmp_path / "uneven")
    found = facts["collections"]["advisory_linksets"]
    assert (status, found["largestPercent"], found["evenPercent"]) == (4, 100.0, 50.0)
    place.cluster.tell(sharding=False)
    assert spread(place, tmp_path / "none")[0] == 0
    assert spread(place, tmp_path / "none", "--sharding=required")[0] == 6
