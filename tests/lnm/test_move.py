"""21-103 against real servers: payloads in an object store and back in GridFS, byte for byte."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.lnm.conftest import Place
from tests.support.line import line
from tests.support.lnm import MOVE, MOVE_BACK, Exit, Ran, finish, run, start
from tests.support.making import noise
from tests.support.mongo import driver, fail_point, not_run
from tests.support.seaweed import BUCKET, KEY, SECRET, Store, seaweed
from tests.unit.lnm import load

pytestmark = pytest.mark.slow

WHO = {"LNM_STORE_KEY": KEY, "LNM_STORE_SECRET": SECRET}
MAP = "raw_payload_uris"
# by number of the payload; one that resumes by "greater than" misses what has another type
ODD_IDS: dict[int, Any] = {1: 7, 3: "7", 5: True}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with seaweed(tmp_path_factory.mktemp("objects")) as running:
        yield running


class Site:
    """Payloads in GridFS, a map of them, an empty bucket, and the two programs."""

    def __init__(self, place: Place, store: Store, sizes: list[int]) -> None:
        gridfs: Any = importlib.import_module("gridfs")
        self.place, self.store, self.url = place, store, store.url
        self.bucket, self.objects = (
            BUCKET,
            store.client(),
        )  # each bucket would take disks of its own
        self.empty()
        self.map = place.database[MAP]
        self.raw = place.client[f"{place.name}_raw"]
        self.files, self.chunks = self.raw["payloads.files"], self.raw["payloads.chunks"]
        self.gridfs = gridfs.GridFSBucket(self.raw, "payloads", chunk_size_bytes=4096)
        self.payloads: dict[Any, bytes] = {}
        for number, size in enumerate(sizes):
            data = noise(size + number)[number:]
            payload = ODD_IDS.get(number, importlib.import_module("bson").ObjectId())
            more = {"metadata": {"n": number}}
            self.gridfs.upload_from_stream_with_id(payload, f"p{number}", data, **more)
            self.payloads[payload] = data
        self.map.insert_many([{"_id": p, "uri": self.origin(p), "n": 1} for p in self.payloads])

    def empty(self) -> None:
        listed = self.objects.list_objects_v2(Bucket=self.bucket, Prefix="sha256/")
        for found in listed.get("Contents", []):
            self.objects.delete_object(Bucket=self.bucket, Key=found["Key"])

    def origin(self, payload: Any) -> str:
        return f"gridfs://{self.raw.name}/payloads/{payload}"

    def words(self, *words: str) -> list[str]:
        return [
            *("--run-id=r", f"--database={self.place.name}", f"--raw-database={self.raw.name}"),
            *(f"--endpoint={self.url}", f"--bucket={self.bucket}", *words),
        ]

    def move(self, *words: str, **more: str) -> Ran:
        told = self.words("--batch-size=4", *words)
        return run(MOVE, *told, uri=self.place.cluster.uri, more={**WHO, **more})

    def back(self, *words: str) -> Ran:
        return run(MOVE_BACK, *self.words(*words), uri=self.place.cluster.uri, more=WHO)

    def start(self, program: str = MOVE, *words: str) -> subprocess.Popen[str]:
        told = self.words(*words)
        return start(program, *told, uri=self.place.cluster.uri, more=WHO)

    @property
    def checks(self) -> tuple[int, int]:
        return self.move("--check").status, self.back("--check").status

    @property
    def held(self) -> dict[str, Any]:
        """All that the site holds but notes of runs; a chunk without its id, which nobody names."""
        chunks = [{**c, "_id": None} for c in self.chunks.find().sort([("files_id", 1), ("n", 1)])]
        rules = self.raw.list_collections(filter={"name": {"$regex": "^payloads"}})
        return {
            "map": list(self.map.find().sort("_id", 1)),
            "files": list(self.files.find().sort("_id", 1)),
            "chunks": chunks,
            # {} and no validator at all are one thing
            "rules": {c["name"]: c["options"].get("validator") or {} for c in rules},
        }

    @property
    def moved(self) -> bool:
        """Whether every payload is an object, whole, and the map says so."""
        for payload, data in self.payloads.items():
            key = f"sha256/{hashlib.sha256(data).hexdigest()}"
            entry = self.map.find_one({"_id": payload})
            if entry["uri"] != f"cas://{self.bucket}/{key}":
                return False
            found = self.objects.get_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
            with contextlib.closing(found["Body"]) as body:
                if body.read() != data or "ChecksumSHA256" not in found:
                    return False
        return True

    def key(self, number: int) -> str:
        data = list(self.payloads.values())[number]
        return f"sha256/{hashlib.sha256(data).hexdigest()}"

    def writes_refused(self) -> bool:
        """Whether a client that has been connected all the time cannot write."""
        try:
            self.gridfs.upload_from_stream("late", b"late")
        except driver().errors.WriteError as error:
            return bool(error.code == 121)
        return False


@pytest.fixture
def site(place: Place, store: Store) -> Iterator[Site]:
    made = Site(place, store, [0, 1, 4096, 4097, 20_000, 100, 100, 100, 300, 5000])
    yield made
    made.objects.close()
    place.client.drop_database(made.raw)


def test_forward_again_and_back(site: Site) -> None:
    rule = {"filename": {"$exists": True}}
    site.raw.command({"collMod": "payloads.files", "validator": rule})
    # two equal payloads share an object
    twin = site.gridfs.upload_from_stream("twin", site.payloads[next(iter(site.payloads))])
    site.map.insert_one({"_id": twin, "uri": site.origin(twin)})
    site.payloads[twin] = b""
    before = site.held
    assert site.checks == (Exit.TO_DO, Exit.DONE)
    preview = site.move("--dry-run")
    assert (preview.status, site.held) == (Exit.DONE, before)
    first = site.move()
    assert first.status == Exit.DONE, first.errors
    assert first.facts["contentChain"] == preview.facts["contentChain"]
    assert set(first.facts["counts"].values()) == {11, 0, sum(map(len, site.payloads.values()))}
    assert (first.run["created"], first.run["found"]) == (10, 1)
    assert site.moved
    assert site.writes_refused()
    assert (site.held["files"], site.held["chunks"]) == (before["files"], before["chunks"])
    assert site.checks == (Exit.DONE, Exit.TO_DO)
    assert site.move().sha256 == first.sha256
    assert site.back().status == Exit.DONE
    assert site.held == before
    assert site.held["rules"]["payloads.files"] == rule
    assert not site.writes_refused()
    assert site.checks == (Exit.CONFLICT, Exit.DONE)
    assert site.back().status == Exit.DONE  # again: nothing is left to do


def test_what_gridfs_lost_comes_back_from_the_objects_or_not_at_all(site: Site) -> None:
    before = site.held
    assert site.move().status == Exit.DONE
    payloads = list(site.payloads)
    site.files.delete_one({"_id": payloads[2]})  # deletes pass a validator
    site.chunks.delete_one({"files_id": payloads[4], "n": 1})
    site.raw.command({"collMod": "payloads.files", "validator": {}})
    site.files.update_one({"_id": payloads[5]}, {"$set": {"filename": "other"}})
    # whole in neither place: nothing but the backup helps, and nothing else is lost by trying
    site.chunks.delete_many({"files_id": payloads[8]})
    site.objects.delete_object(Bucket=site.bucket, Key=site.key(8))
    ended = site.back()
    assert (ended.status, ended.facts["failed"]) == (Exit.CONFLICT, 1)
    assert (ended.facts["restored"], ended.facts["switchedBack"]) == (3, 9)
    assert site.back("--check").status == Exit.TO_DO
    data = site.payloads[payloads[8]]
    site.objects.put_object(Bucket=site.bucket, Key=site.key(8), Body=data)
    ended = site.back()
    assert (ended.status, ended.facts["restored"]) == (Exit.DONE, 1)
    assert site.held == before


@pytest.mark.parametrize("stop", [True, False])
def test_a_payload_that_cannot_be_moved_keeps_the_map_as_it_is(site: Site, stop: bool) -> None:
    before = site.held
    payload = list(site.payloads)[4]
    [chunk] = site.chunks.find({"files_id": payload, "n": 1})
    site.chunks.delete_one({"_id": chunk["_id"]})
    strange = site.map.insert_one({"uri": "gridfs://elsewhere/payloads/1"}).inserted_id
    ended = site.move(*(["--stop-on-error"] if stop else []))
    assert ended.status == Exit.FAILED
    assert (ended.facts["status"], ended.facts["counts"]["switched"]) == ("stopped", 0)
    assert ended.facts["counts"]["failed"] == (1 if stop else 2)
    assert ended.facts["problems"][0]["payload"] == str(payload)
    assert site.checks == (Exit.TO_DO, Exit.TO_DO)
    site.chunks.with_options().insert_one(chunk, bypass_document_validation=True)
    site.map.delete_one({"_id": strange})
    assert site.held["map"] == before["map"]
    assert site.move().status == Exit.DONE
    assert site.moved


def test_an_entry_that_appears_behind_the_cursor_stops_before_the_map_changes(site: Site) -> None:
    with line(urlsplit(site.url).port or 0) as narrow:
        site.url, narrow.rate = f"http://127.0.0.1:{narrow.port}", 20_000
        process = site.start(MOVE, "--batch-size=2")
        wait_until(lambda: site.place.database.lnm_object_seeds.count_documents({}) >= 4)
        data = b"late"
        site.raw.command({"collMod": "payloads.files", "validator": {}})
        site.raw.command({"collMod": "payloads.chunks", "validator": {}})
        site.gridfs.upload_from_stream_with_id(2, "late", data)  # before all that have been moved
        site.map.insert_one({"_id": 2, "uri": site.origin(2)})
        narrow.rate = 0
        ended = finish(process)
    assert (ended.status, "is ingest frozen" in ended.errors) == (Exit.CONFLICT, True)
    assert site.map.count_documents({"uri": {"$regex": "^cas:"}}) == 0
    site.url, site.payloads[2] = site.store.url, data
    assert site.move().status == Exit.DONE
    assert site.moved


def test_an_object_that_is_not_what_its_name_says_stops_before_the_map_changes(site: Site) -> None:
    site.objects.put_object(Bucket=site.bucket, Key=site.key(3), Body=b"something else")
    before = site.held["map"]
    ended = site.move()
    assert (ended.status, "holds something else" in ended.errors) == (Exit.CONFLICT, True)
    assert site.held["map"] == before
    assert site.back().status == Exit.DONE
    assert (site.held["map"], site.writes_refused()) == (before, False)


def test_a_map_that_somebody_changed_is_not_overwritten(site: Site) -> None:
    payload = list(site.payloads)[6]
    assert site.move().status == Exit.DONE
    site.map.update_one({"_id": payload}, {"$set": {"uri": "cas://other/sha256/00"}})
    ended = site.back()
    assert (ended.status, ended.facts["failed"]) == (Exit.CONFLICT, 1)
    assert site.map.find_one({"_id": payload})["uri"] == "cas://other/sha256/00"
    site.map.delete_one({"_id": payload})  # its owner dropped it
    ended = site.back()
    assert (ended.status, ended.facts["dropped"]) == (Exit.DONE, 1)


def test_a_store_that_refuses_is_told_from_one_that_is_not_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load("seeds/object-store", "lnm_s3"), "WAITS", (0.01, 0.01))
    before = site.held
    for status, more, words in (
        (Exit.USAGE, {"LNM_STORE_SECRET": "wrong"}, []),
        (Exit.USAGE, {"LNM_STORE_KEY": "nobody"}, []),
        (Exit.USAGE, {"LNM_STORE_KEY": ""}, []),
        (Exit.USAGE, {}, ["--bucket=there-is-none"]),
        (Exit.USAGE, {}, ["--bucket=Not/a/name"]),
        (Exit.USAGE, {}, ["--endpoint=http://store.example"]),
        (Exit.USAGE, {}, ["--run-id=../x"]),
    ):
        ended = site.move(*words, **more)
        assert ended.status == status, ended.errors
        assert "wrong" not in ended.errors
    assert site.held == before
    with line(urlsplit(site.url).port or 0) as broken:
        site.url = f"http://127.0.0.1:{broken.port}"
        broken.cut = True
        assert site.move().status == Exit.UNAVAILABLE
        broken.cut, broken.dead = False, True
        started = time.monotonic()
        assert site.move("--store-timeout=0.2").status == Exit.UNAVAILABLE
        assert time.monotonic() - started < 30
        assert site.held == before
        broken.dead, broken.cut_at = False, broken.sent + 20_000
        ended = site.move()
        assert ended.status == Exit.UNAVAILABLE
        assert ended.facts["counts"]["payloads"] >= 4
        assert site.held["map"] == before["map"]
    site.url = site.store.url
    assert site.move().status == Exit.DONE
    assert site.moved


def test_a_slow_store_is_waited_for_and_sigterm_is_heard(site: Site) -> None:
    with line(urlsplit(site.url).port or 0) as narrow:
        site.url, narrow.rate = f"http://127.0.0.1:{narrow.port}", 20_000
        process = site.start()
        wait_until(lambda: narrow.sent > 6000)
        process.send_signal(signal.SIGTERM)
        stopped = finish(process)
        assert (stopped.status, stopped.facts["status"]) == (Exit.STOPPED, "stopped")
        assert 0 < stopped.facts["counts"]["payloads"] < len(site.payloads)
        narrow.rate = 100_000
        assert site.move().status == Exit.DONE
    assert site.moved


@pytest.mark.parametrize("fault", [{"errorCode": 11602}, {"closeConnection": True}])
def test_a_database_that_goes_away_is_run_again(site: Site, fault: dict[str, Any]) -> None:
    before = site.held
    fail_point(site.place.client, ["update"], times=3, **fault)
    assert site.move().status == Exit.UNAVAILABLE
    assert site.move().status == Exit.DONE
    assert site.moved
    fail_point(site.place.client, ["update"], times=3, **fault)
    assert site.back().status == Exit.UNAVAILABLE
    assert site.back().status == Exit.DONE
    assert site.held == before


def wait_until(true: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def ended_by_kills(site: Site, program: str, choice: random.Random) -> None:
    """Start a program and kill it at any moment, until it comes to its end."""
    for attempt in range(60):  # later each time: a busy host needs long until it works at all
        process = site.start(program, *(["--batch-size=2"] if program == MOVE else []))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(choice.uniform(0.2, 0.6) * (1 + attempt / 3))
        process.kill()
        if finish(process).status == Exit.DONE:
            return
    raise AssertionError("it never ends")


@pytest.mark.long
def test_killed_at_any_moment_it_ends_as_one_that_was_not(site: Site) -> None:
    choice, before = random.Random(21_103), site.held
    for _ in range(3):
        ended_by_kills(site, MOVE, choice)
        assert site.moved
        payload = choice.choice(list(site.payloads))
        site.chunks.delete_many({"files_id": payload})
        ended_by_kills(site, MOVE_BACK, choice)
        assert site.held == before
        site.place.database.lnm_move_runs.drop()
        site.empty()


@pytest.mark.long
def test_a_store_that_is_full_stops_the_run_and_room_lets_it_go_on(
    place: Place, tmp_path: Path
) -> None:
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode:
        not_run("not run: a file system of 200 MB cannot be mounted here")
    try:
        with seaweed(directory, "-volume.minFreeSpace=1") as store:
            site = Site(place, store, [2_000_000] * 8)
            before, filler = site.held, directory / "filler"
            room = os.statvfs(directory)
            with open(filler, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_bsize - 5_000_000)
            ended = site.move()
            assert ended.status in (Exit.UNAVAILABLE, Exit.FAILED), ended.errors
            assert "full" in ended.errors
            assert (ended.facts["counts"]["switched"], site.held["map"]) == (0, before["map"])
            filler.unlink()
            wait_until(lambda: site.move().status == Exit.DONE, 90)
            assert site.moved
            assert site.back().status == Exit.DONE
            assert site.held == before
            site.objects.close()
            place.client.drop_database(site.raw)
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
