"""The servers that the migrations are tried against do what the tests take them for."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lnm.conftest import Place
from tests.support.mongo import INTERPOSER, driver, fail_point, mongo, program
from tests.support.registry import free_port

KEY = {"tenant": 1, "_id": 1}


def refusal(place: Place, command: dict[str, Any]) -> int:
    with pytest.raises(driver().errors.OperationFailure) as caught:
        place.client.admin.command(command)
    return int(caught.value.code)


def test_what_the_interposer_does_not_know_goes_through(place: Place) -> None:
    documents = [{"_id": n, "text": "x" * 3000} for n in range(1000)]  # several batches of a cursor
    place.database.a.insert_many(documents)
    assert list(place.database.a.find().sort("_id")) == documents
    done = place.database.a.bulk_write([driver().UpdateOne({"_id": 1}, {"$set": {"text": ""}})])
    assert done.modified_count == 1
    unacknowledged = place.database.a.with_options(write_concern=driver().WriteConcern(w=0))
    unacknowledged.delete_one({"_id": 2})
    assert place.database.a.count_documents({}) == 999


def test_a_collection_is_sharded_once_by_one_key(place: Place) -> None:
    namespace = f"{place.name}.a"
    admin = place.client.admin
    admin.command("enableSharding", place.name)
    for _ in range(2):
        admin.command({"shardCollection": namespace, "key": KEY})
    other = {"shardCollection": namespace, "key": dict(reversed(KEY.items()))}
    assert refusal(place, other) == 20
    assert [c["key"] for c in place.client.config.collections.find({"_id": namespace})] == [KEY]
    place.database.a.insert_many([{"_id": n} for n in range(10)])
    place.cluster.tell(shares=[0.9, 0.1])
    [found] = admin.aggregate([{"$shardedDataDistribution": {}}])
    assert [s["numOwnedDocuments"] for s in found["shards"]] == [9, 1]
    place.database.a.drop()
    assert not list(place.client.config.collections.find({"_id": namespace}))


def test_a_server_that_is_no_cluster_says_so(place: Place) -> None:
    place.cluster.tell(sharding=False)
    command = {"shardCollection": f"{place.name}.a", "key": KEY}
    assert refusal(place, command) == 59


def test_the_secondary_lags_as_it_is_told(place: Place) -> None:
    place.cluster.tell(lagSeconds=75.0)
    primary, secondary = place.client.admin.command("replSetGetStatus")["members"]
    assert (primary["optimeDate"] - secondary["optimeDate"]).total_seconds() == 75


def test_faults_of_the_server_come_through(place: Place) -> None:
    fail_point(place.client, ["insert"], errorCode=121)
    with pytest.raises(driver().errors.OperationFailure):
        place.database.a.insert_one({})
    place.database.a.insert_one({})


def test_a_database_that_hangs_up_is_noticed_at_once() -> None:
    """A driver looks whether an idle connection was closed, and must see it through us."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        words = [str(program("python")), "-I", "-B", str(INTERPOSER), str(port)]
        child = subprocess.Popen([*words, str(upstream.getsockname()[1])])
        try:
            client = connected(port)
            upstream.accept()[0].close()
            client.settimeout(30)
            assert client.recv(1) == b""
            client.close()
        finally:
            child.kill()
            child.wait(10)


def connected(port: int) -> socket.socket:
    until = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.long
def test_a_killed_server_comes_back_with_what_it_acknowledged(tmp_path: Path) -> None:
    with mongo(tmp_path, "--sync-on-commit") as server:
        with contextlib.closing(server.client()) as client:
            client.concelier.a.insert_one({"_id": 1})
        server.kill()
        server.start()
        with contextlib.closing(server.client()) as client:
            assert client.concelier.a.find_one() == {"_id": 1}
