"""The rollback of 21-102 in a real mongosh: the same rules and exit statuses as rollback.py."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REQUIRE_JUDGES
from tests.lnm.conftest import Place
from tests.support.lnm import BACKFILL, ROLLBACK, Exit, advisory, model, run, tables
from tests.unit.lnm import BUNDLES

SHELL = Path(__file__).parent / "js" / "node_modules" / ".bin" / "mongosh"
SCRIPT = BUNDLES / "21-102" / "rollback-lnm-backfill.js"
NOTHING: dict[str, Any] = {name: {} for name in model.WRITE_ORDER}


def mongosh(uri: str, home: Path, **variables: object) -> tuple[int, str]:
    """Run the script as its head says; return the exit status and the last line printed."""
    if not SHELL.exists():
        reason = "not run: there is no mongosh; `make mongosh` installs it"
        if os.environ.get(REQUIRE_JUDGES) == "1":
            pytest.fail(f"{reason}, and {REQUIRE_JUDGES}=1 asks for it", pytrace=False)
        pytest.skip(reason)
    said = "; ".join(f"var {name} = {json.dumps(value)}" for name, value in variables.items())
    done = subprocess.run(
        [str(SHELL), "--nodb", "--quiet", "--norc", f"--eval={said}", str(SCRIPT)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LNM_MONGO_URI": uri},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = done.stdout.strip().splitlines()
    return done.returncode, lines[-1] if lines else done.stderr


def filled(place: Place) -> str:
    """Backfill, beside a document of somebody else; return the connection string."""
    place.database.advisories.insert_many([advisory(n) for n in range(40)])
    place.database[model.OBSERVATIONS].insert_one({"_id": "obs:other", "tenant": "default"})
    words = ("--run-id=r", f"--database={place.name}")
    assert run(BACKFILL, *words, uri=place.cluster.uri).status == Exit.DONE
    return place.cluster.uri


def check(place: Place) -> int:
    words = ("--run-id=r", f"--database={place.name}", "--check")
    return run(ROLLBACK, *words, uri=place.cluster.uri).status


@pytest.mark.slow
def test_it_deletes_what_the_run_wrote_unless_events_are_published(
    place: Place, tmp_path: Path
) -> None:
    uri, told = filled(place), {"RUN_ID": "r", "DATABASE": place.name, "BATCH_SIZE": 7}
    events = place.database[model.EVENTS]
    event = events.find_one({})["_id"]
    events.update_one({"_id": event}, {"$set": {"published": True}})
    before = tables(place.database)
    status, said = mongosh(uri, tmp_path, **told)
    assert (status, "restore the backup" in said) == (Exit.CONFLICT, True), said
    assert tables(place.database) == before
    events.update_one({"_id": event}, {"$set": {"published": False}})
    status, said = mongosh(uri, tmp_path, **told)
    assert status == Exit.DONE, said
    del before[model.OBSERVATIONS]["obs:other"]
    assert json.loads(said)["deleted"] == {name: len(found) for name, found in before.items()}
    other = {"obs:other": {"_id": "obs:other", "tenant": "default"}}
    assert tables(place.database) == {**NOTHING, model.OBSERVATIONS: other}
    assert check(place) == Exit.DONE


@pytest.mark.long
def test_it_ends_as_rollback_py_does(place: Place, tmp_path: Path) -> None:
    uri, told = filled(place), {"RUN_ID": "r", "DATABASE": place.name}
    unreachable = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=500&directConnection=true"
    for status, address, variables in (
        (Exit.USAGE, uri, {"RUN_ID": "../x"}),
        (Exit.USAGE, uri, {"RUN_ID": "unknown", "DATABASE": place.name}),
        (Exit.USAGE, uri, {**told, "BATCH_SIZE": 0}),
        (Exit.USAGE, "", told),
        (Exit.UNAVAILABLE, unreachable, told),
        (Exit.DONE, uri, {**told, "DRY_RUN": True}),
    ):
        before = tables(place.database)
        found, said = mongosh(address, tmp_path, **variables)
        assert found == status, said
        assert tables(place.database) == before
    linksets = place.database[model.LINKSETS]
    used = linksets.find_one({})["observations"][0]
    linksets.insert_one({"_id": "lnk:other", "observations": [used]})
    assert mongosh(uri, tmp_path, **told)[0] == Exit.CONFLICT
    assert set(tables(place.database)[model.OBSERVATIONS]) == {"obs:other", used}
    assert check(place) == Exit.TO_DO
    place.database.lnm_backfill_runs.delete_one({"_id": "r"})
    status, said = mongosh(uri, tmp_path, **told)
    assert (status, "checkpoint" in said) == (Exit.CONFLICT, True)


@pytest.mark.long
def test_its_exit_status_4_leads_to_the_restore(place: Place, tmp_path: Path) -> None:
    """Events were read: mongosh refuses, and the backup of before the run leads back."""
    place.database.advisories.insert_many([advisory(n) for n in range(40)])
    before = list(place.database.advisories.find().sort("_id", 1))
    place.database.advisories.create_index([("advisoryKey", 1)], name="key")
    dump = f"{tmp_path / 'dump'}"
    assert place.run("rollout/backup.py", f"--to={dump}").status == Exit.DONE
    words = ("--run-id=r", f"--database={place.name}")
    assert run(BACKFILL, *words, uri=place.cluster.uri).status == Exit.DONE
    place.database[model.EVENTS].update_many({}, {"$set": {"published": True}})
    told = {"RUN_ID": "r", "DATABASE": place.name}
    status, said = mongosh(place.cluster.uri, tmp_path, **told)
    assert (status, "restore the backup" in said) == (Exit.CONFLICT, True), said
    assert place.run("rollout/restore.py", f"--from={dump}").status == Exit.DONE
    assert place.database.list_collection_names() == ["advisories"]
    assert list(place.database.advisories.find().sort("_id", 1)) == before
    assert set(place.database.advisories.index_information()) == {"_id_", "key"}
    assert mongosh(place.cluster.uri, tmp_path, **told)[0] == Exit.USAGE  # there is no such run
