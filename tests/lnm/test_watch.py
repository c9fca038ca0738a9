"""The window after publishing, by the runbook of the plan: the backlog alert, and the way back."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lnmsite import USERS, Concelier, Target
from tests.support.migrating import DRIVER
from tests.support.mongo import WHEELS, cluster
from tests.support.running import Grounds
from tests.unit.lnm import LNM

pytestmark = pytest.mark.long
ADVISORIES = 200  # `make lnm` does the same with 1,000
FASTER = (
    (r'every = "\w+"', 'every = "1s"'),
    (r'wait = "\w+"', 'wait = "1s"'),
    (r'watch-after = "\w+"', 'watch-after = "30s"'),
    (r"staging = 1", "staging = 0"),  # who signs at the gate is drilled elsewhere
)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A database that wants credentials, as it is before the release."""
    place = tmp_path / "mongo"
    place.mkdir()
    with cluster(place, users=USERS) as running:
        one = Target("staging", running, ADVISORIES, tmp_path / "target")
        one.refill()
        one.prepare()
        yield one
        one.client.close()


@pytest.fixture
def publisher(target: Target, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The stand-in's publisher."""
    words = [sys.executable, str(LNM / "concelier" / "concelier.py"), "publish", "--pace=0.1"]
    uri = target.cluster.uri_of("migrator", USERS["migrator"][0])
    environment = {"CONCELIER_MONGO_URI": uri, "PYTHONPATH": str(DRIVER)}
    child = subprocess.Popen([*words, f"--to={tmp_path / 'out'}"], env=environment)
    try:
        yield child
    finally:
        child.kill()  # also when it is paused
        child.wait(10)


@pytest.fixture
def grounds(target: Target, tmp_path: Path) -> Grounds:
    """A kit with the runbook of the plan, but that it looks more often and watches for seconds."""
    book = (LNM / "site" / "runbook.toml").read_text("utf-8")
    for pattern, instead in FASTER:
        book = re.sub(pattern, instead, book)
    files = {
        str(path.relative_to(LNM)): path.read_bytes()
        for folder in ("migrations", "rollout", "seeds")
        for path in (LNM / folder).rglob("*")
        if path.is_file() and path.suffix in (".py", ".json", ".js")
    }
    tag = f"cp3{sys.version_info.minor}-"
    for wheel in WHEELS.glob("*.whl"):
        if tag in wheel.name or wheel.name.startswith("dnspython-2.7"):
            files[f"driver/{wheel.name}"] = wheel.read_bytes()
    programs = tuple(name for name, data in files.items() if data.startswith(b"#!"))
    (tmp_path / "site").mkdir()
    given = json.loads(target.settings.read_text("utf-8"))
    made = Grounds(tmp_path / "site", patience=600.0)  # a busy machine
    return made.make(book, files, programs, head="", **given)


def test_a_growing_backlog_raises_the_alert_and_only_the_backup_leads_back(
    target: Target, publisher: subprocess.Popen[bytes], grounds: Grounds
) -> None:
    before = target.contents()
    grounds.begin(6)  # it waits at the gate
    journal = grounds.run_directory / "journal"
    with Concelier(target, publisher, publisher).outgrown(journal):
        resume = grounds.command("resume", grounds.run_directory, "--answer=open=yes")
        raised = lambda: b'"probe":"backlog"' in journal.read_bytes()  # noqa: E731
        grounds.kill_when(resume, raised, number=signal.SIGTERM)
    alerts = [one for one in map(json.loads, journal.read_bytes().splitlines()) if "probe" in one]
    [alert] = [one for one in alerts if one["probe"] == "backlog"]
    assert re.search(r"/unpublished rises, from \d+ to \d+", alert["why"])
    assert "/unpublished rises" in grounds.then("status", 0).stdout
    state = grounds.state()
    assert [one["probe"] for one in state["alerts"]] == ["backlog"]
    assert state["phase"] == "watching"

    # the publisher dies, and its last word is that it publishes; nobody waits for another one
    publisher.kill()
    publisher.wait(10)
    # events were read, and documents were written since: the runner asks twice
    said = grounds.then("rollback", 2)
    assert "point of no return (open)" in said.stderr
    changed = target.contents()
    assert changed != before
    grounds.then("rollback", 6, "--past-no-return")
    assert grounds.state()["phase"] == "rolling-back"
    answers = ("--answer=way:restore=yes", "--answer=undo:21-101=yes")
    grounds.then("rollback", 0, "--past-no-return", *answers)
    assert grounds.state()["phase"] == "rolled-back"
    assert target.contents() == before
