"""The example that needs no program of its own: a registry, a web server, and the way back."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.services.test_push_images import HTPASSWD, Site, make_site
from tests.support.images import image_layout
from tests.support.making import REPOSITORY
from tests.support.registry import registry
from tests.support.running import Grounds
from tests.unit.runner.test_brought import wheel

pytestmark = pytest.mark.slow
TEXT = (REPOSITORY / "manifests" / "examples" / "runbooks" / "plain.toml").read_text("utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


@pytest.fixture
def grounds(tmp_path: Path, judge: Judge, site: Site) -> Iterator[Grounds]:
    """Build the kit, and put up what a site has: pages of the old version, a registry with TLS."""
    grounds = Grounds(tmp_path / "site")
    grounds.top.mkdir()
    one = image_layout(tmp_path / "one", [{"hello": b"one"}], "registry.example/web:1.0")
    two = image_layout(tmp_path / "two", [{"hello": b"two"}], "registry.example/worker:worker-1.0")
    for path in (two / "blobs" / "sha256").iterdir():
        (one / "blobs" / "sha256" / path.name).write_bytes(path.read_bytes())
    index = json.loads((one / "index.json").read_bytes())
    index["manifests"] += json.loads((two / "index.json").read_bytes())["manifests"]
    (one / "index.json").write_text(json.dumps(index), encoding="utf-8")
    made = wheel(
        tmp_path,
        "tool-1-py3-none-any.whl",
        {
            "tool.py": "def main():\n    print('a tool')\n",
            "tool-1.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
        },
    )
    files = {"pages/health": b"new\n", f"wheels/{made.name}": made.read_bytes()}
    for path in one.rglob("*"):
        if path.is_file():
            files[f"images/{path.relative_to(one)}"] = path.read_bytes()
    (tmp_path / "htpasswd").write_text(HTPASSWD, encoding="utf-8")
    secret = tmp_path / "login"
    secret.write_text("pusher:correct horse", encoding="utf-8")
    secret.chmod(0o600)
    auth = f"auth: {{htpasswd: {{realm: site, path: {tmp_path / 'htpasswd'}}}}}\n"
    place = grounds.top / "place"
    handler = partial(_Quiet, directory=str(place / "current"))
    program = judge("docker-registry")
    with (
        registry(program, tmp_path / "registry", tls=site.tls, auth=auth) as address,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as pages,
    ):
        thread = threading.Thread(target=pages.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        inputs = {
            "registry": address,
            "ca": str(site.ca),
            "place": str(place),
            "page": f"http://127.0.0.1:{pages.server_address[1]}/health",
        }
        secrets = {"login": {"file": str(secret)}}
        grounds.make(TEXT, files, head="", inputs=inputs, secrets=secrets, environment="staging")
        (place / "v1").mkdir()
        (place / "v1" / "health").write_text("old\n", encoding="utf-8")
        (place / "current").symlink_to("v1")
        yield grounds
        pages.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def page(grounds: Grounds) -> bytes:
    url = json.loads(grounds.settings.read_text("utf-8"))["inputs"]["page"]
    connection = http.client.HTTPConnection(url.split("/")[2])
    connection.request("GET", "/health")
    data: bytes = connection.getresponse().read()
    connection.close()
    return data


def test_it_installs_looks_and_goes_back(grounds: Grounds, judge: Judge, site: Site) -> None:
    planned = grounds.go(grounds.new("plan")).stdout
    assert "the runner sends images that the site's registry lacks" in planned
    assert "cannot be taken back: images" in planned
    said = grounds.begin(6).stdout
    assert "Does the new version look right?" in said
    assert page(grounds) == b"new\n"
    tool = grounds.place / "one-tools" / "bin" / "tool"
    assert subprocess.run([tool], capture_output=True, check=True).stdout == b"a tool\n"
    address = json.loads(grounds.settings.read_text("utf-8"))["inputs"]["registry"]
    for tag in ("1.0", "worker-1.0"):
        command: list[str | Path] = [judge("skopeo"), "inspect", "--raw"]
        command += ["--creds", "pusher:correct horse", "--cert-dir", str(site.directory)]
        subprocess.run([*command, f"docker://{address}/app/web:{tag}"], check=True)
    grounds.then("rollback")
    assert page(grounds) == b"old\n"
    assert not tool.exists()
    assert os.readlink(grounds.place / "current") == "v1"
    for path in grounds.run_directory.rglob("*"):
        assert not path.is_file() or b"correct horse" not in path.read_bytes(), path


def test_a_registry_that_is_down_begins_nothing(grounds: Grounds) -> None:
    value = json.loads(grounds.settings.read_text("utf-8"))
    grounds.write_settings({**value, "inputs": {**value["inputs"], "registry": "127.0.0.1:9"}})
    assert "registry: nothing answers there" in grounds.begin(3).stderr
    assert not grounds.runs.exists()
