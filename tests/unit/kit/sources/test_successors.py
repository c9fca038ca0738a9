"""A file that its server no longer has is named with what stands in its place."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.net.client import Client, Ways
from kit.sources.successors import successors
from tests.support.program import Run, runner
from tests.support.specs import APP
from tests.support.webserver import Web, status, web, whole

NOTHING = "no server of it lists a file with other numbers in its name"


@pytest.fixture
def client() -> Client:
    return Client(Ways(proxies={}, sleep=lambda seconds: None))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a directory as the standard library lists it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    place = tmp_path / "served"
    place.mkdir()
    make = functools.partial(Quiet, directory=str(place))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", place
    server.shutdown()
    thread.join()
    server.server_close()


def put(place: Path, *names: str) -> None:
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_newer_files_are_named_newest_first(client: Client, files: tuple[str, Path]) -> None:
    url, place = files
    put(place, "jq-1.7.tar.gz.asc", "jq-1.10.tar.gz", "jq-1.9rc1.tar.gz", "other-1.8.tar.gz")
    said = successors([f"{url}/jq-1.7.tar.gz?token=secret"], client)
    assert said == "in its place there is 'jq-1.10.tar.gz', 'jq-1.9rc1.tar.gz'"


def test_a_version_may_be_in_the_directory(client: Client, files: tuple[str, Path]) -> None:
    url, place = files
    put(place, "v1.8/jq.gz", "v2.0/jq.gz", "latest/jq.gz")
    said = successors([f"{url}/v1.7/jq.gz"], client)
    assert said == "beside its directory 'v1.7' there is 'v2.0/', 'v1.8/'"


def test_the_next_mirror_is_asked(client: Client, files: tuple[str, Path]) -> None:
    url, place = files
    put(place, "a-2")
    assert successors([f"{url}/gone/deep/a-1", f"{url}/a-1"], client).endswith("'a-2'")
    assert successors([(place / "a-1").as_uri()], client).endswith("'a-2'")
    assert successors([f"{url}/a"], client) == NOTHING


def page(links: str) -> bytes:
    return f"<html><a href='b-1'>{links}".encode()


HOSTILE = {
    "another host": page("<a href='http://evil.example/a-2'>"),
    "a way up": page("<a href='../../a-2'><a href='..%2fa-2'>"),
    "control characters": page("<a href='a-2%1b[31m'><a href='a-2%0a'>"),
    "no HTML": b"\xff\xfe<a href",
    "an address that is none": page("<a href='http://[::1/a-2'>"),
    "more than is read": b" " * (1 << 20) + page("<a href='a-2'>"),
    "numbers without end": page(f"<a href='a-{'9' * 5000}'>"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_server_lists_is_hostile(what: str, client: Client) -> None:
    with web() as server:
        server.routes["/d/"] = whole(HOSTILE[what])
        assert successors([f"{server.url}/d/a-1"], client) == NOTHING


def test_a_server_that_breaks(client: Client) -> None:
    with web() as server:
        server.routes["/d/"] = status(500)
        assert successors([f"{server.url}/d/a-1"], client) == NOTHING


SPEC = (
    APP
    + """\
url = "{url}/tool-1.0.tar"
sha256 = "{digest}"
"""
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return runner(capsys, monkeypatch)


def test_lock_says_it(run: Run, files: tuple[str, Path], tmp_path: Path) -> None:
    """Both where nothing is locked yet, and where a fresh machine follows a lock."""
    url, place = files
    put(place, "tool-1.0.tar", "tool-1.1.tar")
    digest = hashlib.sha256(b"tool-1.0.tar").hexdigest()
    (tmp_path / "kit.toml").write_text(SPEC.format(url=url, digest=digest))
    assert run("lock", "--store", "first")[0] == 0
    (place / "tool-1.0.tar").unlink()
    for _ in range(2):
        result, _, err = run("lock", "--store", "fresh")
        assert result == 3
        assert "error[artifact-gone]" in err
        assert f"'app/tool-1.0.tar' (sha256:{digest}); in its place there is 'tool-1.1.tar'" in err
        (tmp_path / "kit.lock").unlink(missing_ok=True)


def test_a_file_that_was_replaced_is_named_by_its_digest(run: Run, tmp_path: Path) -> None:
    with web() as server:
        served(server, b"the new one")
        digest = hashlib.sha256(b"the old one").hexdigest()
        (tmp_path / "kit.toml").write_text(SPEC.format(url=server.url, digest=digest))
        result, _, err = run("lock")
        assert result == 4
        assert "error[artifact-differs]" in err
        assert hashlib.sha256(b"the new one").hexdigest() in err


def served(server: Web, data: bytes) -> None:
    server.routes["/tool-1.0.tar"] = whole(data)
