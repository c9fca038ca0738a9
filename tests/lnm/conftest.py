"""A database for each test, on one server of this worker behind the interposer."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrating import Ended, run_here
from tests.support.mongo import Cluster, cluster, driver, real_uri

_NUMBERS = itertools.count(1)
CALM = {"lagSeconds": 0.0, "shares": [0.5, 0.5], "sharding": True, "shardKeys": {}, "requests": {}}


@dataclass(frozen=True)
class Anywhere:
    """An empty database, here or on a real cluster.

    Attributes:
        uri: Where it is.
        name: Its name, for ``--database``.
        client: A client of it.
    """

    uri: str
    name: str
    client: Any

    @property
    def database(self) -> Any:
        """The database."""
        return self.client[self.name]

    def run(self, program: str, *arguments: str, report: Path | None = None) -> Ended:
        """Run a program of fixtures/lnm over it, in this process."""
        given = (*arguments, f"--database={self.name}")
        return run_here(program, *given, uri=self.uri, report=report)


@dataclass(frozen=True)
class Place(Anywhere):
    """An empty database on our server behind the interposer.

    Attributes:
        cluster: The two of them.
    """

    cluster: Cluster


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One server behind the interposer for all tests of this worker."""
    with cluster(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@pytest.fixture
def place(servers: Cluster) -> Iterator[Place]:
    """An empty database; the interposer is calm again, and no fault is armed."""
    servers.tell(**CALM)
    name = f"lnm_{os.getpid()}_{next(_NUMBERS)}"
    with contextlib.closing(servers.client()) as client:
        yield Place(servers.uri, name, client, servers)
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        client.drop_database(name)


@pytest.fixture(params=["here", "real"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Anywhere]:
    """An empty database on our server, and on the cluster that ``LNM_MONGO_URI`` names.

    Without the variable the second is "not run".
    """
    if request.param == "here":
        yield request.getfixturevalue("place")
        return
    uri, name = real_uri(), f"lnm_test_{os.getpid()}_{next(_NUMBERS)}"
    with contextlib.closing(driver().MongoClient(uri)) as client:
        try:
            yield Anywhere(uri, name, client)
        finally:
            client.drop_database(name)
