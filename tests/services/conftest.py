"""What tests of places share: releases to put there, and a server that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Run, runner
from tests.support.releases import releases
from tests.support.webserver import Web, web


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two sealed releases, 1.0 and 1.1, and another 1.0; to be read only."""
    return releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture
def lying() -> Iterator[Web]:
    """A server whose answers a test writes."""
    with web() as server:
        yield server


@pytest.fixture
def offline_kit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs ``offline-kit`` where the test stands."""
    return runner(capsys, monkeypatch)
