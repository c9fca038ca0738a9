"""A server on loopback that a test gives its answers to: honest, broken or lying."""

from __future__ import annotations

import contextlib
import http.server
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]


Handler = http.server.BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


@dataclass
class Web:
    """A running server.

    Attributes:
        url: Its address, without a final ``/``.
        routes: What it answers, by path; others get 404.
        asked: All requests, in order.
    """

    url: str
    routes: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


def whole(body: bytes, *, ranges: bool = True) -> Answer:
    """Answer with a body, and with parts of it if asked."""

    def answer(handler: Handler) -> None:
        first = int(handler.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        if first and ranges:
            if first >= len(body):
                status(416, {"Content-Range": f"bytes */{len(body)}"})(handler)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            first = 0
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) - first))
        handler.end_headers()
        handler.wfile.write(body[first:])

    return answer


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """Answer with a status, headers and a short body."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def cut(body: bytes, each: int) -> Answer:
    """Answer honestly, but break the connection after so many bytes of every answer."""

    def answer(handler: Handler) -> None:
        first = int(handler.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        handler.send_response(206 if first else 200)
        handler.send_header("Content-Length", str(len(body) - first))
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        handler.end_headers()
        handler.wfile.write(body[first : first + each])
        if first + each < len(body):
            handler.close_connection = True

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Give each answer once, then the last one for ever."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


@contextlib.contextmanager
def web() -> Iterator[Web]:
    """Run a server for as long as the block lasts."""
    running = Web("")

    class Answering(Handler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            path = self.path.partition("?")[0]
            running.asked.append(Asked(self.command, self.path, dict(self.headers)))
            # a body that an answer does not read would be taken for the next request
            body, streams = self.headers.get("Content-Length") or "0", (self.rfile, self.wfile)
            self.rfile = io.BytesIO(self.rfile.read(int(body)))
            try:
                running.routes.get(path, status(404))(self)
            finally:
                self.rfile, self.wfile = streams

        def end_headers(self) -> None:
            super().end_headers()
            if self.command == "HEAD":  # a body would be taken for the next answer
                self.wfile = io.BytesIO()

        do_GET = do_HEAD = do_PUT = do_POST = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that break off are what is tested

    server = Quiet(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    running.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
