"""A database on loopback for the migrations of fixtures/lnm: a real server, in its own process.

It speaks the wire protocol over WiredTiger, as a replica set of one.  `cluster` puts the interposer
before it, which answers what only shards and secondaries can.  ``LNM_MONGO_URI`` in the environment
of the tests is a real cluster (`real_uri`): what needs no fault of ours runs there too.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REQUIRE_JUDGES
from tests.support.making import REPOSITORY
from tests.support.registry import free_port

PLACE = REPOSITORY / "build" / "lnm-servers"
WHEELS = PLACE / "wheels"  # of the driver, for every Python of a site
INTERPOSER = Path(__file__).with_name("interposer.py")
DATABASE = "concelier"
URI_VARIABLE = "LNM_MONGO_URI"
_OPTIONS = "directConnection=true&heartbeatFrequencyMS=500"


def not_run(reason: str) -> None:
    """End a test as "not run"; where judges are required, as failed."""
    if os.environ.get(REQUIRE_JUDGES) == "1":
        pytest.fail(f"{reason}, and {REQUIRE_JUDGES}=1 asks for it", pytrace=False)
    pytest.skip(reason)


def program(name: str = "secantusd-py") -> Path:
    """Return a program of build/lnm-servers, or end the test as "not run"."""
    path = PLACE / "bin" / name
    if not path.exists() or not (PLACE / ".installed").exists():
        not_run("not run: there is no database; `make lnm-servers` installs it")
    return path


def real_uri() -> str:
    """Return the connection string of a real cluster, or end the test as "not run"."""
    uri = os.environ.get(URI_VARIABLE, "")
    if not uri:
        pytest.skip(f"not run: {URI_VARIABLE} names no real cluster")
    return uri


def driver() -> Any:
    """Import pymongo as the tests' Python has it, or of build/lnm-servers."""
    place = str(PLACE / "driver")
    if place not in sys.path:
        program()
        sys.path.append(place)
    return importlib.import_module("pymongo")


@dataclass
class Mongo:
    """A server that can be ended, also the hard way, and started again over its data.

    Attributes:
        directory: Where its data and its log are.
        options: More options of its command line, as ``--sync-on-commit`` or ``--auth``.
    """

    directory: Path
    options: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def uri(self) -> str:
        """Its connection string, without a user."""
        return f"mongodb://127.0.0.1:{self.port}/?{_OPTIONS}"

    def start(self) -> Mongo:
        """Start it, and wait until it answers."""
        self.port = self.port or free_port()
        self.directory.mkdir(parents=True, exist_ok=True)
        empty = self.directory / "empty.toml"  # without one it reads what lies where it starts
        empty.touch()
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    *(program(), "--config", empty, "--host", "127.0.0.1"),
                    *("--port", str(self.port), "--storage-path", self.directory / "data"),
                    *("--cache-size", "256M", "--enable-test-commands", *self.options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        _wait(self.port, self.process)
        return self

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would end its process."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def client(self, **more: Any) -> Any:
        """Return a client of it; close it before the server ends."""
        return driver().MongoClient(self.uri, serverSelectionTimeoutMS=5000, **more)


@dataclass(frozen=True)
class Cluster:
    """A server behind the interposer.

    Attributes:
        port: The interposer's; `Mongo.port` is the server's own.
        mongo: The server.
        pid: The interposer's process.
    """

    port: int
    mongo: Mongo
    pid: int

    @property
    def uri(self) -> str:
        """The connection string, without a user."""
        return f"mongodb://127.0.0.1:{self.port}/?{_OPTIONS}"

    def uri_of(self, user: str, password: str, database: str = "admin") -> str:
        """Return the connection string of a user."""
        who = f"{user}:{password}@127.0.0.1:{self.port}"
        return f"mongodb://{who}/?{_OPTIONS}&authSource={database}"

    def client(self, **more: Any) -> Any:
        """Return a client; close it before the server ends."""
        return driver().MongoClient(self.uri, serverSelectionTimeoutMS=5000, **more)

    def tell(self, **changes: object) -> dict[str, Any]:
        """Change what the interposer answers (``lagSeconds=75.0``); return all that it holds."""
        with contextlib.closing(self.client()) as client:  # it asks nobody for a password
            state: dict[str, Any] = client.admin.command({"lnmInterposer": 1, "set": changes})[
                "state"
            ]
        return state


@contextlib.contextmanager
def mongo(directory: Path, *options: str) -> Iterator[Mongo]:
    """Run a server; it is ended by its process, whatever happens."""
    server = Mongo(directory, options).start()
    try:
        yield server
    finally:
        server.kill()  # its data is of no use any more


def add_users(server: Mongo, users: Mapping[str, tuple[str, list[dict[str, str]]]]) -> None:
    """Make users (name: password, roles) in ``admin``, and demand credentials from now on."""
    with contextlib.closing(server.client()) as client:
        for name, (password, roles) in users.items():
            client.admin.command({"createUser": name, "pwd": password, "roles": roles})
    server.stop()
    server.options = (*server.options, "--auth")
    server.start()


@contextlib.contextmanager
def cluster(
    directory: Path,
    *options: str,
    users: Mapping[str, tuple[str, list[dict[str, str]]]] | None = None,
) -> Iterator[Cluster]:
    """Run a server and the interposer before it; both are ended by their process."""
    with mongo(directory, *options) as server:
        if users:
            add_users(server, users)
        port = free_port()
        with open(directory / "interposer.log", "ab") as log:
            process = subprocess.Popen(
                [program("python"), "-I", "-B", INTERPOSER, str(port), str(server.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            _wait(port, process)
            yield Cluster(port, server, process.pid)
        finally:
            process.kill()
            process.wait(10)


def fail_point(client: Any, commands: list[str], times: int = 1, **data: object) -> None:
    """Let the next of some commands fail: ``errorCode=91`` or ``closeConnection=True``."""
    client.admin.command(
        {
            "configureFailPoint": "failCommand",
            "mode": {"times": times},
            "data": {"failCommands": commands, **data},
        }
    )


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120  # a busy machine
    errors = importlib.import_module(f"{driver().__name__}.errors")
    options = {"serverSelectionTimeoutMS": 1000, "directConnection": True}
    while time.monotonic() < until and process.poll() is None:
        with contextlib.closing(driver().MongoClient("127.0.0.1", port, **options)) as client:
            try:
                client.admin.command("hello")
                return
            except errors.PyMongoError:  # it is not up yet
                time.sleep(0.05)
    raise AssertionError("the database does not answer")
