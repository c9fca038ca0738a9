"""A line between client and server on loopback that can be cut, slow, or dead without a word."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

BLOCK = 4096


@dataclass
class Line:
    """A running line; what is changed holds at once, for connections that are open too.

    Attributes:
        port: Where it listens.
        upstream: The port of the server.
        rate: Bytes a second towards the server; 0 is as fast as it goes.
        cut: Connections are closed, and new ones too.
        dead: Nothing gets through, and nothing says so.
        sent: Bytes that went towards the server.
        cut_at: As many of them cut the line.
    """

    upstream: int
    port: int = 0
    rate: int = 0
    cut: bool = False
    dead: bool = False
    sent: int = 0
    cut_at: int = 0
    open: list[socket.socket] = field(default_factory=list, repr=False)

    def carry(self, source: socket.socket, target: socket.socket, *, forth: bool) -> None:
        """Carry one direction of a connection until one side closes it."""
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                while self.dead and not self.cut:
                    time.sleep(0.01)
                if forth:
                    self.sent += len(data)
                    if self.rate:
                        time.sleep(len(data) / self.rate)
                    if self.cut_at and self.sent >= self.cut_at:
                        self.cut = True
                if self.cut:
                    break
                target.sendall(data)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def take(self, client: socket.socket) -> None:
        """Connect a client with the server."""
        with contextlib.suppress(OSError):
            if self.cut:
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self.upstream))
            self.open += [client, server]
            for source, target, forth in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self.carry, args=(source, target), kwargs={"forth": forth}, daemon=True
                ).start()


@contextlib.contextmanager
def line(upstream: int) -> Iterator[Line]:
    """Lay a line to a port."""
    laid = Line(upstream)
    with socket.create_server(("127.0.0.1", 0)) as server:
        laid.port = server.getsockname()[1]
        server.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    client, _ = server.accept()
                    client.settimeout(None)
                    laid.take(client)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield laid
        finally:
            laid.cut = True
            over.set()
            thread.join(5)
            for one in laid.open:
                one.close()
