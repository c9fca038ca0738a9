"""Who else is told: a real webhook, a slow one, one that is gone; the file for Prometheus."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runner import alerting
from runner.alerting import Alerting, Caller, Webhook
from runner.masking import Masker
from runner.state import PHASES, STATUSES, RunState, fold, take
from runner.telling import metrics_lines
from tests.conftest import Judge

BEGIN = {
    "type": "begin",
    "environment": "production",
    "kitId": "ab" * 32,
    "run": 'r"\\1',
    "target": "hall 2",
    "steps": ["a", "b"],
}


class Hook:
    """A webhook on loopback.

    Attributes:
        got: Path, headers and body of each request.
        wait: Seconds before each answer.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.wait, self.status = 0.0, 204
        hook = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(hook.wait)
                headers = {name.lower(): text for name, text in self.headers.items()}
                hook.got.append((self.path, headers, json.loads(body)))
                self.send_response(hook.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?x=1"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.socket.close()


def state() -> RunState:
    return fold([BEGIN, {"type": "start", "epoch": 1}])


def test_alerts_and_ends_are_told_and_nothing_else(hook: Hook) -> None:
    caller = Caller(Webhook(hook.url), "token-token")
    told = Alerting(state(), lambda: 0, caller, "", Masker(["hunter2hunter2"]))
    told.heard("step", {"step": "a"})
    told.heard("phase", {"phase": "running"})
    why = "lag: /lag > 60 of hunter2hunter2"
    told.heard("alert", {"step": "a", "probe": "lag", "why": why, "back": "rollback"})
    told.heard("phase", {"phase": "stopped", "why": "a: was stopped by an alert"})
    assert told.close() == []
    paths = [path for path, _, _ in hook.got]
    assert paths == ["/hook?x=1"] * 2
    assert hook.got[0][1]["authorization"] == "Bearer token-token"
    assert hook.got[0][2] == {
        "at": "1970-01-01T00:00:00Z",
        "back": "rollback",
        "environment": "production",
        "event": "alert",
        "kitId": "ab" * 32,
        "probe": "lag",
        "run": 'r"\\1',
        "step": "a",
        "target": "hall 2",
        "why": "lag: /lag > 60 of [secret]",
    }
    assert hook.got[1][2]["phase"] == "stopped"


def test_a_webhook_that_hangs_holds_up_nobody(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "WAITING", 3)
    hook.wait = 30
    caller = Caller(Webhook(hook.url), seconds=0.2)
    began = time.monotonic()
    for number in range(50):
        caller.tell({"n": number})
    assert time.monotonic() - began < 0.1
    caller.close()
    assert time.monotonic() - began < 5
    assert caller.lost >= 46
    assert caller.why


@pytest.mark.parametrize("status", [500, 302, 404])
def test_one_that_refuses_is_named_and_no_redirect_is_followed(hook: Hook, status: int) -> None:
    hook.status = status
    told = Alerting(state(), lambda: 0, Caller(Webhook(hook.url)), "", Masker(()))
    told.heard("phase", {"phase": "closed"})
    assert told.close() == [f"the webhook did not take 1 messages: it answers {status}"]
    assert len(hook.got) == 1


def test_one_that_is_not_there_fails_no_run() -> None:
    caller = Caller(Webhook("http://127.0.0.1:9/"), seconds=1)
    told = Alerting(state(), lambda: 0, caller, "", Masker(()))
    told.heard("alert", {"probe": "lag", "why": "x", "step": ""})
    (sentence,) = told.close()
    assert "did not take 1 messages" in sentence


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    """The judge is the parser of prometheus_client."""
    run = state()
    path = tmp_path / "run.prom"
    told = Alerting(run, lambda: 0, None, str(path), Masker(()))
    for one in (
        {"type": "intent", "step": "a", "what": "apply", "attempt": 1},
        {"type": "outcome", "step": "a", "what": "apply", "attempt": 1, "result": "done"},
        {"type": "alert", "step": "a", "probe": 'la"g', "why": "x"},
    ):
        take(run, one)
        told.heard(str(one["type"]), one)
    families = {f.name: f for f in text_string_to_metric_families(path.read_text("utf-8"))}
    assert set(families) == {
        "offline_kit_run_phase",
        "offline_kit_run_steps",
        "offline_kit_run_alerts",
    }
    labels = {"run": 'r"\\1', "environment": "production"}
    phases = {s.labels["phase"]: s.value for s in families["offline_kit_run_phase"].samples}
    assert phases == {phase: float(phase == "running") for phase in PHASES}
    steps = {s.labels["status"]: s.value for s in families["offline_kit_run_steps"].samples}
    assert steps == {**dict.fromkeys(STATUSES, 0.0), "done": 1.0, "pending": 1.0}
    (alert,) = families["offline_kit_run_alerts"].samples
    assert (alert.name, alert.value) == ("offline_kit_run_alerts_total", 1.0)
    assert alert.labels == {**labels, "probe": 'la"g'}
    assert path.stat().st_mode & 0o777 == 0o644  # node exporter is another user
    assert [p.name for p in tmp_path.iterdir()] == ["run.prom"]
    assert "".join(f"{line}\n" for line in metrics_lines(run)) == path.read_text("utf-8")


def test_promtool_has_nothing_against_them(judge: Judge) -> None:
    """`promtool check metrics` tells a line that it cannot read (1) and a bad habit (3)."""
    run = state()
    for one in (
        {"type": "intent", "step": "a", "what": "apply", "attempt": 1},
        {"type": "alert", "step": "a", "probe": 'la"g', "why": "x"},
    ):
        take(run, one)
    text = "".join(f"{line}\n" for line in metrics_lines(run))
    for given, status in ((text, 0), (text.replace("_total", ""), 3), (f"{text}{{", 1)):
        done = subprocess.run(
            [judge("promtool"), "check", "metrics"], input=given, capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert bool(done.stdout + done.stderr) == bool(status)


def test_metrics_that_cannot_be_written_are_said_at_the_end(tmp_path: Path) -> None:
    told = Alerting(state(), lambda: 0, None, str(tmp_path / "none" / "x"), Masker(()))
    told.heard("phase", {"phase": "stopped"})
    assert told.close() == ["the metrics cannot be written: No such file or directory"]
