"""Which file systems are memory: nothing has to reach a disk there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.bench.run import place_of
from verifier import _compat


@pytest.mark.parametrize("directory", ["/", "/dev/shm", "/proc", "/tmp"])
def test_the_host_is_believed(directory: str) -> None:
    if not Path(directory).is_dir():
        pytest.skip(f"not run: this host has no {directory}")
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        expected = place_of(Path(directory)) in {"tmpfs", "ramfs"}
        assert _compat.is_in_memory(descriptor) is expected
    finally:
        os.close(descriptor)


def test_where_nobody_can_say_it_is_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _compat.is_in_memory(-1)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not _compat.is_in_memory(0)
