"""21-102 against a real server: forward, stopped, broken, resumed, back; document by document."""

from __future__ import annotations

import contextlib
import importlib
import random
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.backfill import AIM, rounds_of
from tests.lnm.conftest import Anywhere, Place
from tests.support.lnm import (
    BACKFILL,
    ROLLBACK,
    Exit,
    Ran,
    Tables,
    advisory,
    expected,
    finish,
    model,
    run,
    start,
    tables,
)
from tests.support.migrating import DRIVER, words
from tests.support.mongo import WHEELS, Mongo, driver, fail_point, mongo

NOTHING: Tables = {name: {} for name in model.WRITE_ORDER}


def bson() -> Any:
    """Return the driver's other half."""
    driver()
    return importlib.import_module("bson")


class Site:
    """A database full of advisories, and the two programs."""

    def __init__(self, database: Any, uri: str, advisories: list[dict[str, Any]]) -> None:
        self.database, self.uri, self.source = database, uri, advisories
        database.advisories.insert_many(advisories)

    def words(self, *words: str) -> list[str]:
        return ["--run-id=r", f"--database={self.database.name}", *words]

    def start(self, size: int = 50) -> subprocess.Popen[str]:
        words = self.words(f"--batch-size={size}", "--stop-on-error")
        return start(BACKFILL, *words, uri=self.uri)

    def backfill(self, *words: str, size: int = 50) -> Ran:
        words = (f"--batch-size={size}", "--stop-on-error", *words)
        return run(BACKFILL, *self.words(*words), uri=self.uri)

    def back(self, *words: str) -> Ran:
        return run(ROLLBACK, *self.words(*words), uri=self.uri)

    @property
    def checks(self) -> tuple[int, int]:
        return self.backfill("--check").status, self.back("--check").status

    @property
    def whole(self) -> bool:
        return tables(self.database) == expected(self.source, "r")


@pytest.fixture
def site(place: Place) -> Site:
    return Site(place.database, place.uri, [advisory(n) for n in range(150)])


@pytest.fixture
def wherever(anywhere: Anywhere) -> Site:
    """The same, also on a real cluster where one is named: for tests without faults of ours."""
    return Site(anywhere.database, anywhere.uri, [advisory(n) for n in range(150)])


def wait_for(database: Any, batches: int) -> None:
    """Wait until a run has finished some batches."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = database.lnm_backfill_runs.find_one({"_id": "r"})
        if found and found["batches"] >= batches:
            return
        time.sleep(0.01)
    raise AssertionError("the run does not come on")


def slow(client: Any, milliseconds: int, times: int = 100) -> None:
    fail_point(client, ["update"], times=times, blockConnection=True, blockTimeMS=milliseconds)


def test_forward_again_and_back(wherever: Site) -> None:
    # somebody else's documents are neither changed nor counted as ours
    other = {"_id": "obs:other", "tenant": "default", "statement": {}}
    wherever.database[model.OBSERVATIONS].insert_one(other)
    assert wherever.checks == (Exit.TO_DO, Exit.DONE)
    preview = wherever.backfill("--dry-run")
    assert tables(wherever.database) == {**NOTHING, model.OBSERVATIONS: {"obs:other": other}}
    first = wherever.backfill()
    assert first.status == Exit.DONE, first.errors
    assert first.facts["contentChain"] == preview.facts["contentChain"]
    assert first.facts["counts"]["failed"] == 0
    assert first.facts["counts"]["tombstones"] == 49
    found = tables(wherever.database)
    assert found[model.OBSERVATIONS].pop("obs:other") == other
    assert found == expected(wherever.source, "r")
    assert wherever.checks == (Exit.DONE, Exit.TO_DO)
    assert wherever.backfill("--validate").status == Exit.DONE
    again = wherever.backfill()
    assert (again.status, again.run["inserted"]) == (Exit.DONE, 0)
    assert again.sha256 == first.sha256
    assert wherever.back().status == Exit.DONE
    assert tables(wherever.database) == {**NOTHING, model.OBSERVATIONS: {"obs:other": other}}
    assert wherever.checks == (Exit.CONFLICT, Exit.DONE)


def test_sigterm_ends_it_after_its_batch_with_a_report(site: Site, place: Place) -> None:
    slow(place.client, 100)
    process = site.start()
    wait_for(site.database, 1)
    time.sleep(0.15)  # it is in the second batch, of which one of three writes is done
    for _ in range(3):  # who ends a tree of processes may say it more than once
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    stopped = finish(process)
    assert (stopped.status, stopped.facts["status"]) == (Exit.STOPPED, "stopped")
    done = stopped.facts["counts"]["advisories"]
    assert (done, done < 150) == (50 * stopped.facts["batches"], True)
    place.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert tables(site.database) == expected(site.source[:done], "r")
    assert site.checks == (Exit.TO_DO, Exit.TO_DO)
    assert site.backfill().status == Exit.DONE
    assert site.whole


@pytest.mark.parametrize(
    ("command", "fault", "status"),
    [
        ("update", {"errorCode": 91}, 0),  # ShutdownInProgress once: the driver tries again
        ("update", {"errorCode": 11602}, 3),  # InterruptedDueToReplStateChange
        ("update", {"closeConnection": True}, 3),
        ("find", {"errorCode": 10107}, 3),  # NotWritablePrimary
        # CursorNotFound; it takes more advisories than a cursor's first batch
        pytest.param("getMore", {"errorCode": 43}, 3, marks=pytest.mark.long),
        ("update", {"writeConcernError": {"code": 91, "errmsg": "leaving"}}, 3),
        ("update", {"writeConcernError": {"code": 100, "errmsg": "not enough nodes"}}, 5),
        ("update", {"errorCode": 13}, 2),  # Unauthorized: no second attempt helps
    ],
)
def test_what_was_lost_is_run_again_and_what_is_refused_is_not(
    place: Place, command: str, fault: dict[str, Any], status: int
) -> None:
    size = 600 if command == "getMore" else 60
    site = Site(place.database, place.cluster.uri, [advisory(n) for n in range(size)])
    times = 3 if status and command in ("update", "find") else 1
    fail_point(place.client, [command], times=times, **fault)
    ended = site.backfill(size=100)
    assert ended.status == status, ended.errors
    if status and command != "find":  # a find is how a run begins
        assert (ended.facts["status"], ended.facts["counts"]["failed"]) == ("stopped", 0)
    place.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert site.backfill(size=100).status == Exit.DONE
    assert site.whole


@pytest.mark.parametrize("stop", [True, pytest.param(False, marks=pytest.mark.long)])
def test_document_137_is_refused(wherever: Site, stop: bool) -> None:
    wherever.database.create_collection(
        model.LINKSETS, validator={"advisoryKey": {"$ne": "CVE-137"}}
    )
    words = ["--batch-size=50", *(["--stop-on-error"] if stop else [])]
    ended = run(BACKFILL, *wherever.words(*words), uri=wherever.uri)
    refused = model.linkset_id("default", "CVE-137")
    assert (ended.status, ended.facts["counts"]["failed"]) == (Exit.FAILED, 1)
    [problem] = ended.facts["problems"]
    assert (problem["document_id"], problem["code"]) == (refused, 121)
    assert ended.facts["batches"] == (2 if stop else 3)
    found, wanted = tables(wherever.database), expected(wherever.source, "r")
    if not stop:
        assert wherever.checks == (Exit.FAILED, Exit.TO_DO)
        del wanted[model.LINKSETS][refused]
        assert found == wanted
        assert wherever.back().status == Exit.DONE
        assert tables(wherever.database) == NOTHING
        return
    # its batch is half written and not counted; mended, the same command goes on
    assert found[model.EVENTS] == expected(wherever.source[:100], "r")[model.EVENTS]
    assert wherever.checks == (Exit.TO_DO, Exit.TO_DO)
    wherever.database.command({"collMod": model.LINKSETS, "validator": {}})
    assert wherever.backfill().status == Exit.DONE
    assert wherever.whole


def test_unique_key_that_another_document_holds_is_a_failure(wherever: Site) -> None:
    linksets = wherever.database[model.LINKSETS]
    linksets.create_index([("tenant", 1), ("advisoryKey", 1)], unique=True)
    held = {"_id": "lnk:other", "tenant": "default", "advisoryKey": "CVE-7"}
    linksets.insert_one(held)
    # and one that is there already, by its id, is none
    there = expected(wherever.source, "r")[model.LINKSETS][model.linkset_id("default", "CVE-8")]
    linksets.insert_one(there)
    ended = wherever.backfill()
    assert (ended.status, ended.facts["counts"]["failed"]) == (Exit.FAILED, 1)
    [problem] = ended.facts["problems"]
    assert (problem["document_id"], problem["code"]) == (
        model.linkset_id("default", "CVE-7"),
        11000,
    )
    linksets.delete_one({"_id": "lnk:other"})
    assert wherever.backfill().status == Exit.DONE
    assert wherever.whole


@pytest.mark.long
def test_a_document_of_16_mb_is_one_failure(site: Site) -> None:
    large = advisory(150)
    del large["statements"][1]
    large["statements"][0]["raw"] = b""
    left = 16 * 1024 * 1024 - len(bson().encode(large))
    large["statements"][0]["raw"] = b"\xff" * left  # it fits, and its observation does not
    site.database.advisories.insert_one(large)
    ended = run(BACKFILL, *site.words("--batch-size=200"), uri=site.uri)
    assert (ended.status, ended.facts["counts"]["failed"]) == (Exit.FAILED, 1), ended.errors
    [problem] = ended.facts["problems"]
    assert problem["code"] == 10334
    found, wanted = tables(site.database), expected([*site.source, large], "r")
    del wanted[model.OBSERVATIONS][problem["document_id"]]
    assert found == wanted
    assert site.back().status == Exit.DONE
    assert tables(site.database) == NOTHING


@pytest.mark.long
def test_kill_in_a_batch_costs_that_batch(site: Site, place: Place) -> None:
    slow(place.client, 200)
    process = site.start()
    wait_for(site.database, 1)
    time.sleep(0.3)  # in the second batch, observations are there and linksets are not
    process.kill()
    finish(process)
    place.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    ended = site.backfill()
    assert ended.status == Exit.DONE
    assert ended.run["resumedFromBatch"] >= 1
    assert site.whole
    assert site.back().status == Exit.DONE
    assert tables(site.database) == NOTHING


def test_published_events_and_what_others_use_have_no_way_back_but_the_backup(
    wherever: Site,
) -> None:
    assert wherever.backfill().status == Exit.DONE
    events, linksets = wherever.database[model.EVENTS], wherever.database[model.LINKSETS]
    event = events.find_one({})
    events.update_one({"_id": event["_id"]}, {"$set": {"published": True}})
    before = tables(wherever.database)
    assert (wherever.checks, wherever.back().status) == ((Exit.DONE, Exit.TO_DO), Exit.CONFLICT)
    assert tables(wherever.database) == before
    events.update_one({"_id": event["_id"]}, {"$set": {"published": False}})
    used = next(iter(before[model.OBSERVATIONS]))
    linksets.insert_one({"_id": "lnk:other", "tenant": "default", "observations": [used]})
    assert wherever.back().status == Exit.CONFLICT
    assert list(tables(wherever.database)[model.OBSERVATIONS]) == [used]
    assert wherever.checks == (Exit.CONFLICT, Exit.TO_DO)
    linksets.delete_one({"_id": "lnk:other"})
    assert wherever.back().status == Exit.DONE
    assert tables(wherever.database) == NOTHING


@contextlib.contextmanager
def guarded(directory: Path) -> Iterator[tuple[Mongo, str, str]]:
    """Run a server that asks who one is; yield it, and the connection strings of two users."""
    with mongo(directory) as server:
        with contextlib.closing(server.client()) as client:
            client.admin.command("createUser", "root", pwd="r", roles=["root"])
            client.admin.command("createUser", "reader", pwd="x", roles=["readAnyDatabase"])
        server.stop()
        server.options = ("--auth",)
        server.start()
        whole = server.uri.replace("mongodb://", "mongodb://root:r@")
        yield server, whole, server.uri.replace("mongodb://", "mongodb://reader:x@")


@pytest.mark.long
def test_wrong_credentials_are_nothing_to_run_again(tmp_path: Path) -> None:
    with (
        guarded(tmp_path) as (server, whole, reader),
        contextlib.closing(driver().MongoClient(whole)) as client,
    ):
        site = Site(client.concelier, whole, [advisory(n) for n in range(5)])
        for uri in (whole.replace("root:r@", "root:wrong@"), reader, server.uri):
            ended = run(BACKFILL, *site.words(), uri=uri)
            assert ended.status == Exit.USAGE, ended.errors
            assert "wrong" not in ended.errors
        assert run(ROLLBACK, *site.words(), uri=server.uri).status == Exit.USAGE
        assert tables(site.database) == NOTHING
        assert site.backfill().status == Exit.DONE
        assert site.whole


def ended_by_kills(begin: Callable[[], subprocess.Popen[str]], choice: random.Random) -> None:
    """Start a program and kill it at any moment, until it comes to its end."""
    for attempt in range(60):  # later each time: a busy host needs long until it works at all
        process = begin()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(choice.uniform(0.2, 0.6) * (1 + attempt / 3))
        process.kill()
        if finish(process).status == Exit.DONE:
            return
    raise AssertionError("it never ends")


@pytest.mark.long
def test_killed_at_any_moment_it_ends_as_one_that_was_not(place: Place) -> None:
    choice = random.Random(21_102)
    site = Site(place.database, place.cluster.uri, [advisory(n) for n in range(120)])
    for _ in range(3):
        ended_by_kills(lambda: site.start(size=10), choice)
        assert site.whole
        ended_by_kills(
            lambda: start(ROLLBACK, *site.words("--batch-size=10"), uri=site.uri), choice
        )
        assert tables(site.database) == NOTHING
        site.database.lnm_backfill_runs.drop()


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_server_that_ends_in_a_batch_loses_nothing_that_counts(tmp_path: Path, how: Any) -> None:
    with mongo(tmp_path, "--sync-on-commit") as server:
        with contextlib.closing(server.client()) as client:
            site = Site(client.concelier, server.uri, [advisory(n) for n in range(150)])
            process = site.start(size=25)
            wait_for(site.database, 2)
        (server.kill if how == signal.SIGKILL else server.stop)()
        ended = finish(process)
        assert ended.status == Exit.UNAVAILABLE, ended.errors
        assert ended.facts["counts"]["advisories"] >= 50
        server.start()
        with contextlib.closing(server.client()) as client:
            site.database = client.concelier
            assert site.backfill(size=25).status == Exit.DONE
            assert site.whole
            assert site.back().status == Exit.DONE
            assert tables(site.database) == NOTHING


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.9", "3.10"])
def test_older_pythons_have_a_driver_too(place: Place, tmp_path: Path, version: str) -> None:
    found = [shutil.which(f"python{version}")]
    found += map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    pythons = [p for p in found if p and not subprocess.run([p, "-c", ""]).returncode]
    if not pythons:
        pytest.skip(f"not run: python{version} is not installed")
    tag, wanted = version.replace(".", ""), []
    for wheel in WHEELS.glob("*.whl"):
        if f"-cp{tag}-" in wheel.name or wheel.name.startswith("dnspython-2.7"):
            wanted.append(wheel)
            zipfile.ZipFile(wheel).extractall(tmp_path)
    assert len(wanted) == 2
    source = [advisory(n) for n in range(30)]
    site = Site(place.database, place.uri, source)
    for program in (BACKFILL, ROLLBACK):
        command = words(program, *site.words(), python=pythons[0])
        command[command.index(str(DRIVER))] = str(tmp_path)
        done = subprocess.run(
            command, env={"LNM_MONGO_URI": place.uri}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == Exit.DONE, done.stderr
        assert site.whole == (program == BACKFILL)
    assert tables(site.database) == NOTHING


@pytest.mark.long
def test_it_keeps_nine_tenths_of_the_rate_of_its_bulk_writes() -> None:
    """By its own clock: what is not bulk writes is reading, hashing and checkpoints."""
    ratios = [ratio for _, ratio in rounds_of(150, 3)]
    assert max(ratios[1:]) >= AIM, ratios  # the others are of a machine that did something else
