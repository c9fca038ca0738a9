"""Servers that must answer before a run begins, and clocks that differ."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from runner import reach


@pytest.fixture
def server() -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd.server_address[1]
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db.site:5432", ("", [("db.site", 5432)])),
        ("[::1]:80", ("", [("::1", 80)])),
        ("https://a.site/x?y=1", ("https", [("a.site", 443)])),
        (
            "mongodb://ingest:pa%40ss@m1.site,m2.site:27018/lnm?replicaSet=r",
            ("mongodb", [("m1.site", 27017), ("m2.site", 27018)]),
        ),
    ],
)
def test_a_value_names_its_servers(text: str, found: tuple[str, list[tuple[str, int]]]) -> None:
    assert reach.servers(text) == found


@pytest.mark.parametrize("text", ["", "db.site", "odd://db.site", "mongodb+srv://x.site", "a:b:c"])
def test_what_names_no_server_is_no_good_news(text: str) -> None:
    (sentence,) = reach.problems({"db": text}, 0)
    assert sentence == "db: it is not known which server it names"


def test_what_does_not_answer_is_named_by_its_input_alone(server: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        named = {
            "up": f"127.0.0.1:{server}",
            "down": f"mongodb://u:hunter2@127.0.0.1:{closed}/x",
            "one-of-two": f"mongodb://127.0.0.1:{closed},127.0.0.1:{server}",
        }
        assert reach.problems(named, 0) == ["down: nothing answers there"]


@pytest.mark.parametrize(("off", "word"), [(0, ""), (4000, "ahead of"), (-4000, "behind")])
def test_a_clock_that_differs_from_a_servers_is_named(server: int, off: int, word: str) -> None:
    found = reach.problems({"page": f"http://127.0.0.1:{server}/x"}, int(time.time()) + off)
    assert len(found) == bool(off)
    assert all(word in sentence and "clock" in sentence for sentence in found)
