"""The example of the documentation, for real: installed, switched, looked at, and taken back."""

from __future__ import annotations

import http.server
import io
import json
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.making import REPOSITORY
from tests.support.running import Grounds

pytestmark = pytest.mark.slow
TEXT = (REPOSITORY / "manifests" / "examples" / "runbooks" / "web.toml").read_text("utf-8")
SERVICE = b"""\
import os, sys
word, place = sys.argv[1], sys.argv[2].partition("=")[2]
running, link = os.path.join(place, "running"), os.path.join(place, "current")
if word == "is-stopped":
    sys.exit(10 if os.path.exists(running) else 0)
if word == "is-started":
    sys.exit(0 if os.path.exists(running) else 10)
if word == "stop":
    os.unlink(running)
else:
    with open(running, "w") as file:
        file.write(os.readlink(link))
"""


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("web/__init__.py", "version = 2\n")
        archive.writestr("web-2.dist-info/METADATA", "Name: web\n")
    return buffer.getvalue()


@pytest.fixture
def server() -> Iterator[list[int]]:
    """Serve a page with a status that the test sets; return the port and the status."""
    told = [0, 200]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(told[1])
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        told[0] = httpd.server_address[1]
        yield told
        httpd.shutdown()
        thread.join()


def grounds_of(tmp_path: Path, server: list[int], text: str = TEXT) -> Grounds:
    grounds = Grounds(tmp_path)
    files = {
        "tools/service.py": SERVICE,
        "app/index.html": b"new\n",
        "wheels/web-2-py3-none-any.whl": wheel(),
    }
    inputs = {"place": str(tmp_path / "place"), "health": f"http://127.0.0.1:{server[0]}/health"}
    grounds.make(text, files, head="", inputs=inputs, secrets={}, environment="staging")
    (grounds.place / "v1").mkdir()
    (grounds.place / "current").symlink_to("v1")
    (grounds.place / "running").write_text("v1", encoding="utf-8")
    return grounds


def test_a_new_version_is_put_in_place(tmp_path: Path, server: list[int]) -> None:
    grounds = grounds_of(tmp_path, server)
    said = grounds.begin(0, "--answer", "go=yes").stdout
    assert said.endswith("closed\n")
    assert os.readlink(grounds.place / "current") == "one"
    assert (grounds.place / "running").read_text("utf-8") == "one"
    assert (grounds.place / "one-wheels" / "web" / "__init__.py").exists()


def test_one_that_does_not_answer_is_taken_back(tmp_path: Path, server: list[int]) -> None:
    patient = 'every = "1s"\ntimeout = "5s"'
    assert patient in TEXT
    hasty = TEXT.replace(patient, 'every = "700ms"\ntimeout = "1s"')
    grounds = grounds_of(tmp_path, server, hasty)
    server[1] = 503
    said = grounds.begin(5, "--answer", "go=yes").stdout
    assert re.search("what it waits for did not come in time|took too long", said)
    grounds.then("rollback")
    assert os.readlink(grounds.place / "current") == "v1"
    assert (grounds.place / "running").read_text("utf-8") == "v1"
    assert not (grounds.place / "one-wheels").exists()
    done = grounds.then("status", 0, "--metrics").stdout
    line = re.compile(r"# (HELP|TYPE) .+|[a-z_]+\{([a-z]+=\"[^\"\\\n]*\",?)+\} \d+")
    assert all(line.fullmatch(text) for text in done.splitlines())
    assert 'phase="rolled-back"} 1' in done


def test_production_wants_staging_or_an_override(tmp_path: Path, server: list[int]) -> None:
    grounds = grounds_of(tmp_path, server)
    value = json.loads(grounds.settings.read_text("utf-8"))
    grounds.write_settings({**value, "environment": "production"})
    assert "error[staging-missing]" in grounds.go(grounds.new(), 3).stderr
    assert not grounds.runs.exists()
    fields = {"code": "staging-missing", "line": "demo/stable", "reason": "there is no staging"}
    policy = {
        "type": "https://offline-kit.example/policy/v1",
        "name": "hall 2",
        "otherLines": "allow",
        "overrides": [{"name": "no staging", **fields}],
    }
    (grounds.trust / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
    done = grounds.go(grounds.new("run"), 6)
    assert "2 more must approve" in done.stdout
    assert grounds.state()["overrides"] == [
        "staging-missing: override 'no staging': there is no staging"
    ]
