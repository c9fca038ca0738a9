"""Runs in this process, with host and clock handed in: taken over, and clocks that jump."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import orders, processes, standing
from runner.approving import plan_digest
from runner.errors import MemberChanged, PreflightFailed, RunElsewhere, StepAlive
from runner.here import Here
from runner.journal import JournalFile, read_journal
from runner.rundir import RunDirectory
from runner.site import Surroundings
from runner.standing import Allowed
from runner.status import RunStatus
from tests.support.making import REPOSITORY
from tests.support.running import Grounds, step

pytestmark = pytest.mark.slow
NOON = 1_800_000_000
NOTHING = Allowed()
PROBE = """\
[probe.lag]
run = ["tools/lag.py", "{report}"]
breach = "/lag > 60"
every = "50ms"
then = "report"
"""
LAG = b"import sys\nopen(sys.argv[1], 'w').write('{\"lag\": 75}')\n"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    grounds = Grounds(tmp_path_factory.mktemp("kit"))
    gate = '[[step]]\nid = "go"\nkind = "gate"\nask = "Go on?"\n'
    watched = step("b", watch='["lag"]', watch_after='"150ms"')
    undo = '{ run = ["site/back.py"], check = ["back/look.py"], on = [4], else = "first" }'
    back = step("c", undo=undo)
    ways = "".join(
        f'[way.{name}]\nrun = ["{name}/way.py"]\ncheck = ["{name}/way.py"]\n{more}'
        for name, more in (("first", 'on = [2]\nelse = "second"\n'), ("second", ""))
    )
    names = ("site/back.py", "back/look.py", "first/way.py", "second/way.py")
    files = {"tools/lag.py": LAG, **dict.fromkeys(names, b"")}
    return grounds.make(PROBE + ways + step("a") + gate + watched + back, files)


@pytest.fixture
def grounds(kit: Grounds) -> Grounds:
    for path in (kit.place, kit.runs):
        shutil.rmtree(path, ignore_errors=True)
    kit.place.mkdir()
    settings = json.loads(kit.settings.read_text("utf-8"))
    settings.pop("alerts", None)
    kit.write_settings(settings)
    return kit


def here(clock: int, host: str = "one") -> Here:
    return Here("Ann", host, lambda: clock, {}, str(REPOSITORY))


def begin(grounds: Grounds, at: Here) -> Path:
    found = orders.plan(str(grounds.kit), str(grounds.trust), str(grounds.settings), "", at)
    opened = orders.check(found, at, "")
    place = str(grounds.run_directory)
    directory, journal = orders.begin(str(grounds.kit), found, at, place, "one", opened, None)
    journal.close()
    directory.close()
    return grounds.run_directory


def go(
    place: Path,
    at: Here,
    allowed: Allowed = NOTHING,
    say: Callable[..., None] | None = None,
    patience: int = 10_000,
) -> RunStatus:
    run = standing.open_run(str(place), at, allowed)
    answered = place.with_name("answer").exists()

    def ask(about: str, question: str, yes: bool) -> Any:
        from runner.work import Answer

        return Answer(True, "Ann") if answered else None

    around = Surroundings(
        run=run.bound["run"],
        top=str(REPOSITORY),
        say=say or (lambda event, **facts: None),
        ask=ask,
        show=lambda data: None,
        wait_for_alive=patience,
    )
    try:
        return standing.go(run, at, allowed, around)
    finally:
        run.close()


def records(place: Path) -> list[dict[str, Any]]:
    directory = RunDirectory.at(str(place))
    try:
        return list(read_journal(directory.folder).records)
    finally:
        directory.close()


def test_another_host_goes_on_only_on_purpose(grounds: Grounds) -> None:
    place = begin(grounds, here(NOON))
    assert go(place, here(NOON)) == RunStatus.WAITS
    place.with_name("answer").touch()
    with pytest.raises(RunElsewhere, match="'one', and this is 'two'"):
        go(place, here(NOON, "two"))
    assert grounds.log() == ["--apply a"]
    reason = "host one has burnt down"
    assert go(place, here(NOON, "two"), Allowed(take_over=reason)) == RunStatus.DONE
    assert grounds.log() == ["--apply a", "--apply b", "--apply c"]
    starts = [one for one in records(place) if one["type"] == "start"]
    assert [one["host"] for one in starts] == ["one", "two"]
    assert [one["reason"] for one in records(place) if one["type"] == "override"] == [reason]
    with pytest.raises(RunElsewhere):  # it is two's now
        standing.open_run(str(place), here(NOON), Allowed())


@pytest.mark.parametrize("jump", [-400 * 86_400, 400 * 86_400, -NOON - 5])
def test_a_clock_that_jumps_changes_nothing_but_what_is_noted(grounds: Grounds, jump: int) -> None:
    place = begin(grounds, here(NOON))
    assert go(place, here(NOON)) == RunStatus.WAITS
    place.with_name("answer").touch()
    assert go(place, here(NOON + jump)) == RunStatus.DONE
    assert grounds.log() == ["--apply a", "--apply b", "--apply c"]
    found = records(place)
    assert found[0]["at"] == "2027-01-15T08:00:00Z"
    assert found[-1]["at"][:4] == {-400: "2025", 400: "2028"}.get(jump // 86_400, "1970")
    assert found[-1]["phase"] == "closed"
    watched = [one["milliseconds"] for one in found if one["type"] == "watched"]
    assert watched[-1] >= 150  # the window is that of a clock that never goes back


def test_a_clock_before_the_kit_was_made_begins_nothing(grounds: Grounds) -> None:
    found = orders.plan(str(grounds.kit), str(grounds.trust), str(grounds.settings), "", here(NOON))
    with pytest.raises(PreflightFailed, match="1970-01-02T00:00:00Z, a day before the kit"):
        orders.check(found, here(86_400), "")


def test_an_alert_reaches_webhook_metrics_and_journal_with_its_way_back(
    grounds: Grounds, tmp_path: Path
) -> None:
    got: list[Any] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings = json.loads(grounds.settings.read_text("utf-8"))
        hook = f"http://127.0.0.1:{server.server_address[1]}/"
        alerts = {"webhook": hook, "metrics": str(tmp_path / "run.prom")}
        grounds.write_settings({**settings, "alerts": alerts})
        place = begin(grounds, here(NOON))
        place.with_name("answer").touch()
        assert go(place, here(NOON)) == RunStatus.DONE
        server.shutdown()
        thread.join()
    back = "rollback; b: runs tools/step.py --place={place} --name=b --undo"
    told = [one for one in got if one["event"] == "alert"]
    assert told
    assert {one["back"] for one in told} == {back}
    alerts_ = [one for one in records(place) if one["type"] == "alert"]
    assert {one["back"] for one in alerts_} == {back}
    assert got[-1]["phase"] == "closed"
    assert 'phase="closed"} 1' in (tmp_path / "run.prom").read_text("utf-8")


def test_what_is_still_at_work_is_waited_for_and_then_named(grounds: Grounds) -> None:
    place = begin(grounds, here(NOON))
    found = standing.open_run(str(place), here(NOON), NOTHING)
    owner = f"{found.bound['run']}.{plan_digest(found.bound)[:32]}"
    mark = processes.mark_of(owner, "a", "apply", 1)
    found.close()
    directory = RunDirectory.at(str(place))
    journal = JournalFile(directory.folder)
    journal.append({"type": "intent", "step": "a", "what": "apply", "attempt": 1})
    journal.close()
    directory.close()
    said: list[str] = []
    environment = {processes.VARIABLE: mark}
    with subprocess.Popen(["/bin/sleep", "60"], env=environment) as survivor:
        try:
            named = f"process {survivor.pid} is still at work"
            with pytest.raises(StepAlive, match=named) as raised:
                go(place, here(NOON), say=lambda event, **facts: said.append(event), patience=200)
        finally:
            survivor.kill()
    assert int(raised.value.status) == 3
    assert "alive" in said
    assert grounds.log() == []


@pytest.mark.parametrize("path", ["site/back.py", "back/look.py", "first/way.py", "second/way.py"])
def test_nobody_goes_on_without_what_leads_back(grounds: Grounds, path: str) -> None:
    place = begin(grounds, here(NOON))
    (place / "kit" / path).unlink()
    with pytest.raises(MemberChanged, match=path):
        go(place, here(NOON))
    assert grounds.log() == []
