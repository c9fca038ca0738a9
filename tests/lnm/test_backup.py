"""A backup is whole or is none, and what is restored of it is what was there."""

from __future__ import annotations

import datetime
import hashlib
import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import JUDGES
from tests.lnm.conftest import Anywhere, Place
from tests.support.migrating import advisories
from tests.support.mongo import driver, fail_point

BACKUP, RESTORE = "rollout/backup.py", "rollout/restore.py"
SHARDS = "migrations/21-101/ensure_sharding_and_ttl.py"


def fill(place: Anywhere) -> None:
    """Put in what a dump could lose: every odd type, order of fields, indexes, options."""
    bson = importlib.import_module("bson")
    odd = {
        "_id": 0,
        "z": 1,
        "a": [1, bson.Int64(1), 1.0, None, True, b"bytes", "\u00e9\u0000"],
        "when": datetime.datetime(1960, 1, 1, tzinfo=datetime.timezone.utc),
        "id": bson.ObjectId(b"123456789012"),
        "decimal": bson.Decimal128("1.10"),
        "pattern": bson.Regex("^a", "i"),
        "stamp": bson.Timestamp(7, 1),
        "nested": {"b": {"a": {}}, "": []},
    }
    place.database.advisories.insert_many([odd, *advisories(60)])
    place.database.advisories.create_index([("advisoryKey", 1)], unique=True, name="key")
    place.database.create_collection("checked", validator={"n": {"$gt": 1}})
    place.database.checked.insert_one({"n": 2})
    partial = {"partialFilterExpression": {"n": {"$exists": True}}, "expireAfterSeconds": 86400}
    place.database.checked.create_index([("at", -1), ("n", 1)], name="two")
    place.database.checked.create_index([("seen", 1)], name="gone", **partial)
    place.database["fs.chunks"].insert_one({"files_id": 1, "n": 0, "data": b"\x00" * 1000})
    place.database.create_collection("empty")
    place.database.lnm_rollout.insert_one({"_id": "ingest"})


def contents(place: Anywhere, name: str = "") -> dict[str, Any]:
    """Return everything of a database, the bytes of every document among it."""
    raw = importlib.import_module("bson.raw_bson").RawBSONDocument
    options = importlib.import_module("bson.codec_options").CodecOptions(document_class=raw)
    database = place.client[name or place.name]
    return {
        collection: (
            [d.raw for d in database.get_collection(collection, options).find().sort("_id", 1)],
            database[collection].index_information(),
            database[collection].options(),
        )
        for collection in sorted(database.list_collection_names())
    }


def test_what_is_restored_is_what_was_there(anywhere: Anywhere, tmp_path: Path) -> None:
    place = anywhere
    fill(place)
    before = contents(place)
    dump = tmp_path / "dump"
    assert place.run(BACKUP, f"--to={dump}", "--check").status == 10
    taken = place.run(BACKUP, f"--to={dump}", report=tmp_path / "report")
    assert taken.status == 0
    assert taken.facts["collections"]["advisories"]["documents"] == 61
    assert place.run(BACKUP, f"--to={dump}", "--check").status == 0
    assert place.run(RESTORE, f"--from={dump}", "--check").status == 0

    place.run(SHARDS)  # ... and more than that happens
    place.database.advisories.update_one({"_id": 5}, {"$set": {"aliases": ["other"]}})
    place.database.advisories.delete_one({"_id": 6})
    place.database.new.insert_one({})
    place.database.empty.drop()
    assert place.run(RESTORE, f"--from={dump}", "--check").status == 10
    back = place.run(RESTORE, f"--from={dump}", report=tmp_path / "back")
    assert (back.status, back.facts["equal"]) == (0, True)
    assert "new" in back.facts["dropped"]
    assert contents(place) == before
    assert place.run(RESTORE, f"--from={dump}", "--check").status == 0


def test_a_restore_takes_a_broken_shard_layout_away(place: Place, tmp_path: Path) -> None:
    place.database.advisories.insert_one({})
    place.run(BACKUP, f"--to={tmp_path / 'dump'}")
    place.run(SHARDS)
    place.cluster.tell(shardKeys={f"{place.name}.advisory_linksets": {"advisoryKey": 1}})
    assert place.run(SHARDS, "--check").status == 4
    assert place.run(RESTORE, f"--from={tmp_path / 'dump'}").status == 0
    assert not place.cluster.tell()["shardKeys"]
    assert place.run(SHARDS).status == 0


def test_the_layout_is_that_of_mongodump(place: Place, tmp_path: Path) -> None:
    fill(place)
    place.run(BACKUP, f"--to={tmp_path / 'dump'}")
    top = tmp_path / "dump" / place.name
    assert sorted(path.name for path in top.iterdir()) == sorted(
        f"{name}{ending}"
        for name in ("advisories", "checked", "empty", "fs.chunks")
        for ending in (".bson", ".metadata.json")
    )
    decoded = importlib.import_module("bson").decode_all((top / "checked.bson").read_bytes())
    assert [document["n"] for document in decoded] == [2]
    metadata = json.loads((top / "checked.metadata.json").read_text("utf-8"))
    assert metadata["collectionName"] == "checked"
    assert metadata["options"]["validator"] == {"n": {"$gt": {"$numberInt": "1"}}}
    assert {index["name"] for index in metadata["indexes"]} == {"_id_", "two", "gone"}
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "dump", check=False
    )
    assert done.returncode == 0


def test_a_backup_is_proved_in_a_scratch_database(anywhere: Anywhere, tmp_path: Path) -> None:
    place = anywhere
    fill(place)
    dump, scratch = tmp_path / "dump", f"{place.name}_scratch"
    place.run(BACKUP, f"--to={dump}")
    words = (RESTORE, f"--from={dump}", f"--scratch={scratch}")
    before = contents(place)
    proved = place.run(*words, report=tmp_path / "one")
    assert (proved.status, proved.facts["equal"], proved.facts["sourceEqual"]) == (0, True, True)
    assert scratch not in place.client.list_database_names()
    place.database.advisories.delete_one({"_id": 5})
    later = place.run(*words, report=tmp_path / "two")
    assert (later.status, later.facts["equal"], later.facts["sourceEqual"]) == (0, True, False)
    assert set(contents(place)) == set(before)
    place.client[scratch].of_somebody.insert_one({})
    refused = place.run(*words)
    assert (refused.status, "nothing of it is touched" in refused.err) == (4, True)
    assert place.client[scratch].of_somebody.count_documents({}) == 1
    place.client.drop_database(scratch)
    assert place.run(RESTORE, f"--from={dump}", f"--scratch={place.name}").status == 2


def _flip(dump: Path) -> None:
    path = next(dump.rglob("advisories.bson"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def _cut(dump: Path) -> None:
    """Cut within a document, and write the digest that belongs to it."""
    path = next(dump.rglob("advisories.bson"))
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-3])
    sums = (dump / "SHA256SUMS").read_text("utf-8")
    new = hashlib.sha256(path.read_bytes()).hexdigest()
    (dump / "SHA256SUMS").write_text(sums.replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_flip, "has another digest"),
        (_cut, "ends within a document"),
        (lambda dump: next(dump.rglob("checked.bson")).unlink(), "is missing"),
        (lambda dump: (dump / "more").touch(), "was not written by the backup"),
        (lambda dump: (dump / "SHA256SUMS").unlink(), "there is no backup"),
    ],
)
def test_a_damaged_backup_is_refused_before_anything_is_dropped(
    place: Place, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    place.database.advisories.insert_many(advisories(20))
    place.database.checked.insert_one({})
    dump = tmp_path / "dump"
    place.run(BACKUP, f"--to={dump}")
    before = contents(place)
    damage(dump)
    refused = place.run(RESTORE, f"--from={dump}")
    assert (refused.status, said in refused.err) == (5, True), refused.err
    assert contents(place) == before
    assert place.run(RESTORE, f"--from={dump}", "--check").status == 5


def test_a_backup_is_never_written_over_another(place: Place, tmp_path: Path) -> None:
    place.database.advisories.insert_one({})
    dump = tmp_path / "dump"
    (tmp_path / "dump.new").mkdir()  # left of an attempt that was killed
    (tmp_path / "dump.new" / "half").touch()
    assert place.run(BACKUP, f"--to={dump}").status == 0
    assert not list(dump.rglob("half"))
    assert place.run(BACKUP, f"--to={dump}").status == 4


def test_a_server_that_goes_away_is_another_attempt(place: Place, tmp_path: Path) -> None:
    place.database.advisories.insert_many(advisories(200))
    fail_point(place.client, ["find"], times=3, closeConnection=True)
    dump = tmp_path / "dump"
    assert place.run(BACKUP, f"--to={dump}").status == 3
    assert place.run(BACKUP, f"--to={dump}", "--check").status == 10
    assert place.run(BACKUP, f"--to={dump}").status == 0


def tool(name: str) -> Path:
    """Return a program of MongoDB's own, or end the test as "not run"."""
    path = shutil.which(name) or shutil.which(name, path=os.fspath(JUDGES))
    if path is None:
        pytest.skip(f"not run: {name} is not installed, and is built where Go is")
    return Path(path).absolute()


def test_mongodump_writes_what_we_restore(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tool('mongodump').parent}{os.pathsep}{os.environ['PATH']}")
    fill(place)
    dump = tmp_path / "dump"
    taken = place.run(
        BACKUP, f"--to={dump}", "--mongodump=where-present", report=tmp_path / "report"
    )
    assert (taken.status, taken.facts["by"]) == (0, "mongodump")
    assert place.run(RESTORE, f"--from={dump}", "--check").status == 0
    before = contents(place)
    place.database.advisories.drop()
    assert place.run(RESTORE, f"--from={dump}").status == 0
    assert contents(place) == before


def test_where_mongodump_is_not_there_the_report_says_who_wrote_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    place.database.advisories.insert_one({})
    words = (f"--to={tmp_path / 'dump'}", "--mongodump=where-present")
    taken = place.run(BACKUP, *words, report=tmp_path / "report")
    assert (taken.status, taken.facts["by"]) == (0, "this program")


def test_mongorestore_and_bsondump_read_what_we_write(place: Place, tmp_path: Path) -> None:
    fill(place)
    dump = tmp_path / "dump"
    assert place.run(BACKUP, f"--to={dump}").status == 0
    before = contents(place)
    for path in sorted((dump / place.name).glob("*.bson")):
        command: list[str | Path] = [tool("bsondump"), "--quiet", path]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert len(said.splitlines()) == len(before[path.stem][0])
    other = f"{place.name}_by_mongorestore"
    words = [f"--uri={place.cluster.uri}", f"--db={other}", str(dump / place.name)]
    try:
        done = subprocess.run([tool("mongorestore"), *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = contents(place, other)
        assert {name: held[0] for name, held in found.items()} == {
            name: held[0] for name, held in before.items() if name != "lnm_rollout"
        }
        there, here = found["checked"], before["checked"]
        plain = {name: {**index, "ns": ""} for name, index in there[1].items()}
        assert plain == {name: {**index, "ns": ""} for name, index in here[1].items()}
        assert there[2] == here[2]  # its validator
    finally:
        place.client.drop_database(other)


def test_the_driver_is_the_one_that_travels(place: Place) -> None:
    assert driver().version.startswith(("4.18.", "4.20."))
    assert place.client.server_info()["versionArray"][0] >= 6
