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
from tests.support.mongo import Cluster, cluster

_NUMBERS = itertools.count(1)
CALM = {"lagSeconds": 0.0, "shares": [0.5, 0.5], "sharding": True, "shardKeys": {}, "requests": {}}


@dataclass(frozen=True)
class Place:
    """An empty database.

    Attributes:
        cluster: Where it is.
        name: Its name, for ``--database``.
        client: A client without credentials.
    """

    cluster: Cluster
    name: str
    client: Any

    @property
    def database(self) -> Any:
        """The database."""
        return self.client[self.name]

    def run(self, program: str, *arguments: str, report: Path | None = None) -> Ended:
        """Run a program of fixtures/lnm over it, in this process."""
        given = (*arguments, f"--database={self.name}")
        return run_here(program, *given, uri=self.cluster.uri, report=report)


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
        yield Place(servers, name, client)
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        client.drop_database(name)
