"""Freeze and open, publishers, and what the alerts look at."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lnm.conftest import Place
from tests.support.migrating import DRIVER, run, run_here
from tests.support.mongo import DATABASE, URI_VARIABLE, Cluster, cluster, driver
from tests.unit.lnm import LNM, load

INGEST, PUBLISHERS, PROBE = "rollout/ingest.py", "rollout/publishers.py", "rollout/probe.py"
WRITES = [{"role": "readWrite", "db": DATABASE}]
USERS = {
    "root": ("root-secret", [{"role": "root", "db": "admin"}]),
    "ingest": ("ingest-secret", WRITES),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server that wants credentials."""
    with cluster(tmp_path_factory.mktemp("guarded"), users=USERS) as running:
        yield running


def freeze(guarded: Cluster, *words: str, ingest: str = "ingest-secret") -> int:
    ended = run_here(
        INGEST,
        *words,
        "--user=ingest@admin",
        uri=guarded.uri_of("root", "root-secret"),
        LNM_INGEST_URI=guarded.uri_of("ingest", ingest),
    )
    return ended.status


def write(guarded: Cluster) -> int | None:
    """Write as ingest does, on a new connection; return the code of the refusal."""
    with contextlib.closing(driver().MongoClient(guarded.uri_of("ingest", "ingest-secret"))) as one:
        try:
            one[DATABASE].advisories.insert_one({})
        except driver().errors.OperationFailure as error:
            return int(error.code)
    return None


def test_frozen_ingest_is_refused_and_gets_back_what_it_had(guarded: Cluster) -> None:
    assert freeze(guarded, "open", "--check") == 0
    assert freeze(guarded, "frozen", "--check") == 10
    assert freeze(guarded, "frozen") == 0
    assert (write(guarded), freeze(guarded, "frozen", "--check")) == (13, 0)
    assert freeze(guarded, "frozen") == 0  # begun again: it keeps the roles that it found first
    assert freeze(guarded, "open") == 0
    assert (write(guarded), freeze(guarded, "open", "--check")) == (None, 0)
    with contextlib.closing(driver().MongoClient(guarded.uri_of("root", "root-secret"))) as client:
        [user] = client.admin.command({"usersInfo": "ingest"})["users"]
    assert user["roles"] == WRITES


@pytest.mark.long
def test_what_cannot_be_tried_is_not_frozen(guarded: Cluster) -> None:
    assert freeze(guarded, "frozen", ingest="wrong-secret") == 2
    assert freeze(guarded, "frozen", "--check", ingest="wrong-secret") == 2
    assert freeze(guarded, "open") == 0
    assert run(INGEST, "open", "--user=nobody@admin", uri=guarded.uri_of("root", "x")).status == 2
    uri = guarded.uri_of("root", "root-secret")
    assert run(INGEST, "open", "--user=nobody@admin", uri=uri).status == 2
    assert run(INGEST, "open", "--user=ingest", uri=uri).status == 2


@contextlib.contextmanager
def publisher(place: Place, target: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the stand-in's publisher."""
    script = LNM / "concelier" / "concelier.py"
    words = [sys.executable, str(script), "publish", f"--database={place.name}", "--pace=0.05"]
    environment = {"CONCELIER_MONGO_URI": place.cluster.uri, "PYTHONPATH": str(DRIVER)}
    child = subprocess.Popen([*words, f"--to={target}"], env=environment)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(10)


def aware() -> Any:
    """Return what has times read as the programs read them."""
    return importlib.import_module("bson.codec_options").CodecOptions(tz_aware=True)


def events(place: Place, number: int, start: int = 0) -> None:
    place.database.advisory_linkset_events.insert_many(
        [
            {"_id": f"evt:{n}", "linksetId": "l", "type": "linkset.created", "published": False}
            for n in range(start, start + number)
        ]
    )


def probe(place: Place, tmp_path: Path, *what: str) -> Any:
    return place.run(PROBE, *what, report=tmp_path / "sample").report


def test_publishers_work_while_they_may(place: Place, tmp_path: Path) -> None:
    events(place, 300)
    assert place.run(PUBLISHERS, "disabled", "--check").status == 0
    assert place.run(PUBLISHERS, "enabled", "--wait=0.1").status == 3  # nobody is there
    assert place.run(PUBLISHERS, "enabled", "--check").status == 10
    place.run(PUBLISHERS, "disabled")
    with publisher(place, tmp_path / "out"):
        assert place.run(PUBLISHERS, "enabled").status == 0
        assert place.run(PUBLISHERS, "enabled", "--check").status == 0
        until = time.monotonic() + 20
        while probe(place, tmp_path, "outbox")["unpublished"] and time.monotonic() < until:
            time.sleep(0.05)
        assert probe(place, tmp_path, "outbox") == {
            "unpublished": 0,
            "lagSeconds": 0.0,
            "errors": 0,
            "publishers": 1,
        }
        assert place.run(PUBLISHERS, "disabled").status == 0
        events(place, 5, 300)
        time.sleep(0.2)
        assert probe(place, tmp_path, "outbox")["unpublished"] == 5
    lines = (tmp_path / "out").read_text("utf-8").splitlines()
    assert {json.loads(line)["_id"] for line in lines} == {f"evt:{n}" for n in range(300)}


def test_a_publisher_that_was_killed_is_not_waited_for(place: Place, tmp_path: Path) -> None:
    """Its last word is that it publishes, and it can say no other: its process is looked for."""
    notes = place.database.lnm_rollout
    with publisher(place, tmp_path / "out") as child:
        assert place.run(PUBLISHERS, "enabled").status == 0
        child.kill()
        child.wait(10)
        assert place.run(PUBLISHERS, "enabled", "--check").status == 10
        began = time.monotonic()
        assert place.run(PUBLISHERS, "disabled").status == 0
        assert time.monotonic() - began < 10
        assert notes.find_one({"_id": "publisher:one"})["enabled"]
    assert probe(place, tmp_path, "outbox")["publishers"] == 0


def test_a_publisher_that_hangs_is_there_however_long_it_is_silent(
    place: Place, tmp_path: Path
) -> None:
    notes = place.database.lnm_rollout
    with publisher(place, tmp_path / "out") as child:
        assert place.run(PUBLISHERS, "enabled").status == 0
        child.send_signal(signal.SIGSTOP)
        long_ago = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
        notes.update_one({"_id": "publisher:one"}, {"$set": {"at": long_ago}})
        ended = place.run(PUBLISHERS, "disabled", "--wait=0.1")
        assert (ended.status, "are there and do not say" in ended.err) == (3, True)
        assert "one" in ended.err
        assert place.run(PUBLISHERS, "disabled", "--check").status == 10
        child.send_signal(signal.SIGCONT)
        assert place.run(PUBLISHERS, "disabled").status == 0
    assert notes.find_one({"_id": "publisher:one"}) is None  # it ended in order


@pytest.mark.parametrize("process", [None, {"boot": "another", "space": "", "pid": 1, "began": 1}])
def test_a_publisher_elsewhere_is_gone_when_it_has_been_silent_long_enough(
    place: Place, process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("rollout", "publishers")
    assert module.patience("disabled") > module.LIVELY_SECONDS
    now = datetime.datetime.now(datetime.timezone.utc)
    note = {"_id": "publisher:far", "at": now, "enabled": True, "process": process}
    place.database.lnm_rollout.insert_one(note)
    monkeypatch.setattr(module, "LIVELY_SECONDS", 1)
    database = place.client.get_database(place.name, codec_options=aware())
    assert not module.is_so(database, "disabled")
    assert module.switch(database, "disabled", 10)


def test_errors_and_lag_of_publishers_are_seen(place: Place, tmp_path: Path) -> None:
    events(place, 3)
    now = datetime.datetime.now(datetime.timezone.utc)
    note = {"_id": "publisher:one", "at": now, "enabled": True, "errors": 2}
    note["publishedAt"] = now - datetime.timedelta(seconds=30)
    place.database.lnm_rollout.insert_one(note)
    found = probe(place, tmp_path, "outbox")
    assert (found["unpublished"], found["errors"], found["publishers"]) == (3, 2, 1)
    assert 29 < found["lagSeconds"] < 60


def test_errors_of_a_backfill_are_counted(place: Place, tmp_path: Path) -> None:
    assert probe(place, tmp_path, "errors", "--run-id=r")["errors"] == 0
    counts = {"rejected": 1, "failed": 2, "advisories": 9}
    place.database.lnm_backfill_runs.insert_one({"_id": "r", "counts": counts})
    assert probe(place, tmp_path, "errors", "--run-id=r")["errors"] == 3


def test_lag_is_that_of_the_slowest_secondary(place: Place, tmp_path: Path) -> None:
    place.cluster.tell(lagSeconds=75.0)
    assert probe(place, tmp_path, "lag")["lagSeconds"] == 75.0
    place.cluster.tell(lagSeconds=0.0)
    assert probe(place, tmp_path, "lag")["lagSeconds"] == 0.0


@pytest.mark.long
def test_a_probe_that_cannot_ask_does_not_say_that_all_is_well(tmp_path: Path) -> None:
    ended = run(
        PROBE,
        "lag",
        uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200",
        report=tmp_path / "sample",
    )
    assert (ended.status, ended.report) == (3, None)
    assert URI_VARIABLE not in ended.err
