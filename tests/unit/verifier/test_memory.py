"""Which file systems are memory: nothing has to reach a disk there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from verifier import _compat


@pytest.mark.parametrize("directory", ["/", "/dev/shm", "/proc", "/tmp"])
def test_the_host_is_believed(directory: str) -> None:
    if not Path(directory).is_dir():
        pytest.skip(f"not run: this host has no {directory}")
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        from tests.bench.run import place_of  # here: a lesser host has not what it asks

        expected = place_of(Path(directory)) in {"tmpfs", "ramfs"}
        assert _compat.is_in_memory(descriptor) is expected
    finally:
        os.close(descriptor)


def test_where_nobody_can_say_it_is_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _compat.is_in_memory(-1)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not _compat.is_in_memory(0)


def test_writing_back_may_begin_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"text")
        file.flush()
        _compat.WriteBack()(file.fileno(), 0, 4)
        _compat.WriteBack()(file.fileno(), 1 << 40, 1 << 40)
        _compat.WriteBack()(-1, 0, 4)  # the answer is for nobody: what is lost is asked for later
        monkeypatch.setattr(sys, "platform", "darwin")
        _compat.WriteBack()(file.fileno(), 0, 4)
    assert (tmp_path / "file").read_bytes() == b"text"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has the call")
def test_linux_has_the_call(tmp_path: Path) -> None:
    """Asked of the very file: the C library answers, with 0."""
    with (tmp_path / "file").open("wb") as file:
        file.write(b"text")
        file.flush()
        begin = _compat.WriteBack()
        assert begin.call is not None
        assert begin.call(file.fileno(), 0, 4, 2) == 0
        assert begin.call(-1, 0, 4, 2) == -1
