"""The plan from its first step to its last and back, and the runbook that says it."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner.wheels import Host, choose
from tests.lnm.conftest import Anywhere
from tests.support.migrating import advisories
from tests.support.mongo import URI_VARIABLE, WHEELS, cluster, program
from tests.unit.lnm import LNM

SITE = LNM / "site"
BACKFILL = "migrations/21-102/backfill.py"
COLLECTIONS = ("advisory_observations", "advisory_linksets", "advisory_linkset_events")


def test_the_plan_and_back(anywhere: Anywhere, tmp_path: Path) -> None:
    place = anywhere
    source = advisories(20)
    place.database.advisories.insert_many(source)
    assert place.run("rollout/backup.py", f"--to={tmp_path / 'dump'}").status == 0
    assert place.run("migrations/21-101/ensure_sharding_and_ttl.py").status == 0
    words = (BACKFILL, "--run-id=r", "--batch-size=8", "--stop-on-error")
    done = place.run(*words, report=tmp_path / "done")
    assert (done.status, done.facts["status"], done.facts["batches"]) == (0, "done", 3)
    assert place.run(BACKFILL, "--run-id=r", "--check").status == 0
    valid = place.run(BACKFILL, "--run-id=r", "--validate", report=tmp_path / "valid")
    assert (valid.status, valid.facts["consistent"]) == (0, True)
    assert valid.facts["total"]["advisory_observations"] == 60
    assert valid.facts["total"]["advisory_linksets"] == 20
    assert place.run("rollout/balance.py", "--least=10000").status == 0
    sample = place.run("rollout/probe.py", "outbox", report=tmp_path / "outbox").report
    assert sample["unpublished"] == valid.facts["total"]["advisory_linkset_events"]
    assert place.run("migrations/21-102/rollback.py", "--run-id=r").status == 0
    assert [place.database[name].count_documents({}) for name in COLLECTIONS] == [0, 0, 0]
    assert place.run("rollout/restore.py", f"--from={tmp_path / 'dump'}").status == 0
    assert list(place.database.advisories.find().sort("_id", 1)) == source
    assert place.database.list_collection_names() == ["advisories"]


def test_a_cluster_that_is_named_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    """Another server stands for a real cluster: the same tests run there, and none is skipped."""
    with cluster(tmp_path / "other") as other:
        words = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", "real", "-m", ""]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, __file__],
            env={**os.environ, URI_VARIABLE: other.uri},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert re.search(r"^2 passed", done.stdout, re.M), done.stdout
        with contextlib.closing(other.client()) as client:
            assert other.tell()["requests"].get("shardCollection"), "it was asked"
            assert not [n for n in client.list_database_names() if n.startswith("lnm_")]


def test_the_runbook_is_good_and_its_kit_has_all_that_it_names() -> None:
    program()  # the wheels of the kit come with it
    words = ["runbook", "check", str(SITE / "runbook.toml"), "--spec", str(SITE / "kit.toml")]
    done = subprocess.run(
        [sys.executable, "-m", "kit.cli", *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("good: lnm, 11 steps, environments production, staging")


@pytest.mark.parametrize("minor", range(9, 15))
def test_every_python_of_a_site_gets_a_driver(minor: int) -> None:
    program()
    wheels = [str(path) for path in WHEELS.glob("*.whl")]
    found = choose(wheels, Host((3, minor), "x86_64", (2, 36)))
    names = [Path(path).name for path in found]
    driver = "pymongo-4.18.3" if minor < 11 else "pymongo-4.20.1"
    assert [name.split("-")[0] for name in names] == ["dnspython", "pymongo"]
    assert names[1].startswith(f"{driver}-cp3{minor}-")


def test_a_resumed_backfill_takes_ids_of_every_type(anywhere: Anywhere, tmp_path: Path) -> None:
    bson = importlib.import_module("bson")
    place = anywhere
    ids = [
        1,
        bson.Int64(2),
        2.5,
        bson.Decimal128("3"),
        "a",
        {"a": 1},
        b"1",
        bson.ObjectId(b"123456789012"),
        False,
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    ]
    source = advisories(len(ids))
    random.Random(7).shuffle(source)
    for one, number in zip(source, ids, strict=True):
        one["_id"] = number
    for size in (1,):
        for done in range(1, len(ids)):
            place.database.advisories.drop()
            place.database.advisories.insert_many(source[:done])  # a run that ended here ...
            words = (BACKFILL, f"--run-id=r{size}-{done}", f"--batch-size={size}")
            assert place.run(*words).status == 0
            runs = place.database.lnm_backfill_runs
            runs.update_one({"_id": f"r{size}-{done}"}, {"$set": {"status": "running"}})
            place.database.advisories.insert_many(source[done:])  # ... goes on with the rest
            ended = place.run(*words, report=tmp_path / f"{size}-{done}")
            assert ended.facts["counts"]["advisories"] == len(ids)
