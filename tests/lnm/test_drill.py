"""The runner over 21-102, all of it from a kit: lag stops it, and 4 leads to the restore."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from tests.lnm.conftest import Place
from tests.support.lnm import advisory, expected, model, tables
from tests.support.mongo import WHEELS, fail_point
from tests.support.running import Grounds
from tests.unit.lnm import LNM

pytestmark = pytest.mark.long
BOOK = """\
schema = 1
id = "drill"
title = "21-102 alone"
[environment.staging]
[with]
wheels = ["wheels"]
[input.mongo]
type = "secret"
env = "LNM_MONGO_URI"
[input.database]
type = "text"
[input.work]
type = "directory"
[probe.lag]
run = ["rollout/probe.py", "lag", "--database={database}", "--report={report}"]
breach = "/lagSeconds > 60"
every = "1s"
then = "stop-step"
secrets = ["mongo"]
[way.restore]
run = ["rollout/restore.py", "--from={work}/dump", "--database={database}"]
check = ["rollout/restore.py", "--from={work}/dump", "--database={database}", "--check"]
ask = "Everything written since the backup is lost."
secrets = ["mongo"]
[[step]]
id = "backup"
secrets = ["mongo"]
apply = ["rollout/backup.py", "--to={work}/dump", "--database={database}"]
check = ["rollout/backup.py", "--to={work}/dump", "--database={database}", "--check"]
undo = { none = "a backup is kept" }
[[step]]
id = "21-102"
secrets = ["mongo"]
apply = [
  "migration/backfill.py", "--run-id={run}", "--batch-size=20", "--stop-on-error",
  "--database={database}", "--report={report}",
]
check = ["migration/backfill.py", "--run-id={run}", "--check", "--database={database}"]
expect = ["/facts/status == \\"done\\"", "/facts/counts/failed == 0"]
retry = { on = [3], attempts = 5, wait = "1s" }
stop = { signal = "TERM", grace = "30s" }
watch = ["lag"]
[step.undo]
run = ["migration/rollback.py", "--run-id={run}", "--database={database}"]
check = ["migration/rollback.py", "--run-id={run}", "--check", "--database={database}"]
on = [4]
else = "restore"
[[step]]
id = "open"
kind = "gate"
ask = "Open ingest?"
people = { staging = 1 }
"""


def files() -> dict[str, bytes]:
    """Return what the kit carries: both bundles, and the driver for this Python."""
    found = {
        f"{folder}/{path.name}": path.read_bytes()
        for folder, place in (
            ("migration", LNM / "migrations/21-102"),
            ("rollout", LNM / "rollout"),
        )
        for path in place.glob("*.py")
    }
    tag = f"cp3{sys.version_info.minor}-"
    for wheel in WHEELS.glob("*.whl"):
        if tag in wheel.name or wheel.name.startswith("dnspython-2.7"):
            found[f"wheels/{wheel.name}"] = wheel.read_bytes()
    return found


@pytest.fixture
def book() -> str:
    return BOOK


@pytest.fixture
def grounds(place: Place, tmp_path: Path, book: str) -> Grounds:
    secret = tmp_path / "uri"
    secret.write_text(place.cluster.uri + "\n", encoding="utf-8")
    secret.chmod(0o600)
    made, carried = Grounds(tmp_path), files()
    programs = tuple(n for n, data in carried.items() if data.startswith(b"#!"))
    (tmp_path / "work").mkdir()
    inputs = {"database": place.name, "work": str(tmp_path / "work")}
    secrets = {"mongo": {"file": str(secret)}}
    made.make(
        book, carried, programs, head="", environment="staging", inputs=inputs, secrets=secrets
    )
    place.database.advisories.insert_many([advisory(n) for n in range(200)])
    return made


def test_lag_stops_it_and_it_goes_on_and_published_events_lead_to_the_restore(
    grounds: Grounds, place: Place
) -> None:
    source = [advisory(n) for n in range(200)]
    runs = place.database.lnm_backfill_runs
    fail_point(place.client, ["update"], times=500, blockConnection=True, blockTimeMS=100)

    def fall_behind() -> None:
        until = time.monotonic() + 60
        while not runs.count_documents({"batches": {"$gte": 2}}) and time.monotonic() < until:
            time.sleep(0.02)
        place.cluster.tell(lagSeconds=75.0)

    behind = threading.Thread(target=fall_behind)
    behind.start()
    said = grounds.begin(5).stdout
    behind.join()
    assert "lag" in said
    [checkpoint] = runs.find()
    done = checkpoint["counts"]["advisories"]
    assert (checkpoint["status"], done < 200, done % 20) == ("running", True, 0)
    assert tables(place.database) == expected(source[:done], checkpoint["_id"])
    assert grounds.state()["steps"]["21-102"]["status"] == "failed"

    place.cluster.tell(lagSeconds=0.0)
    place.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    grounds.then("resume", 6)  # it waits at the gate
    assert grounds.state()["steps"]["21-102"]["status"] == "done"
    assert tables(place.database) == expected(source, checkpoint["_id"])

    # an event has been read by somebody: the rollback refuses, and only the backup leads back
    place.database[model.EVENTS].update_one({}, {"$set": {"published": True}})
    grounds.then("rollback", 6)
    grounds.then("rollback", 0, "--answer", "way:restore=yes")
    assert grounds.state()["phase"] == "rolled-back"
    assert place.database.list_collection_names(filter={"name": {"$regex": "advis|runs"}}) == [
        "advisories"
    ]
    assert [d["_id"] for d in place.database.advisories.find().sort("_id", 1)] == list(range(200))


ERRORS = (
    BOOK.replace('"--batch-size=20", "--stop-on-error",', '"--batch-size=20",')
    .replace("[probe.lag]", "[probe.errors]")
    .replace('"lag", "--database', '"errors", "--run-id={run}", "--database')
    .replace("/lagSeconds > 60", "/errors > 0")
    .replace('watch = ["lag"]', 'watch = ["errors"]')
)


@pytest.mark.parametrize("book", [ERRORS])
def test_a_document_that_fails_raises_the_alert_and_the_run_is_taken_back(
    grounds: Grounds, place: Place
) -> None:
    """The backfill alone would go on; the alert stops it behind its batch."""
    before = list(place.database.advisories.find().sort("_id", 1))
    refusing = {"advisoryKey": {"$ne": "CVE-7"}}
    place.database.create_collection(model.LINKSETS, validator=refusing)
    fail_point(place.client, ["update"], times=500, blockConnection=True, blockTimeMS=300)
    said = grounds.begin(5).stdout
    place.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert "ALERT errors: /errors > 0" in said
    state = grounds.state()
    assert state["alerts"][0]["probe"] == "errors"
    assert (state["phase"], state["steps"]["21-102"]["status"]) == ("stopped", "failed")
    [checkpoint] = place.database.lnm_backfill_runs.find()
    done = checkpoint["counts"]["advisories"]
    assert (checkpoint["counts"]["failed"], 0 < done < 200) == (1, True)
    wanted = expected([advisory(n) for n in range(done)], checkpoint["_id"])
    del wanted[model.LINKSETS][model.linkset_id("default", "CVE-7")]
    assert tables(place.database) == wanted
    grounds.then("resume", 5)  # what failed is not simply done again
    grounds.then("rollback", 0)
    assert grounds.state()["phase"] == "rolled-back"
    assert tables(place.database) == {name: {} for name in model.WRITE_ORDER}
    assert list(place.database.advisories.find().sort("_id", 1)) == before
