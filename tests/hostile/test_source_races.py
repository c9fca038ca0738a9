"""Somebody who may write in a source directory exchanges it for a link, again and again.

The builder may refuse or carry what the source holds; it never carries what a link leads to.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.errors import SourceChanged, SourceMissing, SourceUnsupported
from kit.sources.collect import Collected, collect
from kit.sources.inputs import Inputs
from kit.spec import KitSpec
from tests.support.making import make_sources
from verifier.core.lists import DATA

PRIVATE = b"private, of somebody who may read more than the one who exchanges"
OWN = {
    b"README.txt": b"readme",
    b"kit-verify.pyz": b"tool",
    b"verifier/a.py": b"a",
}
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="not run: this host has no fork")


@pytest.fixture
def spec(tmp_path: Path) -> KitSpec:
    """Return the spec of some files; what is private lies beside them under the same names."""
    names = [f"a/in/{number}/file" for number in range(8)]
    made = make_sources(tmp_path / "here", dict.fromkeys(names, b"public"))
    for name in names:
        target = tmp_path / "private" / name.removeprefix("a/in/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(PRIVATE[: len("public")])
    return made


@contextlib.contextmanager
def exchanging(directory: Path, private: Path) -> Iterator[None]:
    """Exchange a directory for a link and back, in another process, at any moment."""
    aside = directory.with_name("aside")
    child = os.fork()
    if not child:
        pauses = random.Random(0)
        while True:
            with contextlib.suppress(OSError):
                time.sleep(pauses.random() / 1000)
                os.rename(directory, aside)
                os.symlink(private, directory)
                time.sleep(pauses.random() / 100)
                os.unlink(directory)
                os.rename(aside, directory)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def contents(collected: Collected) -> Iterator[bytes]:
    """Read everything as the builder does."""
    inputs = Inputs(collected, OWN, signed_sums=False)
    index = inputs.index
    for member in range(index.bounds[DATA], len(index)):
        buffer = bytearray(index.sizes[member] + 1)
        inputs.read_whole(member, index.paths(member, member + 1)[0], memoryview(buffer))
        yield bytes(buffer[:-1])


@pytest.mark.parametrize("seconds", [0.3, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("level", ["src/a/in", "src/a/in/3"])
def test_what_a_link_leads_to_is_never_carried(
    spec: KitSpec, tmp_path: Path, level: str, seconds: float
) -> None:
    private = tmp_path / "private" / level.removeprefix("src/a/in").lstrip("/")
    carried, refused = 0, 0
    with exchanging(spec.base / level, private):
        end = time.monotonic() + seconds
        while time.monotonic() < end or not refused:
            try:
                for data in contents(collect(spec)):
                    assert data == b"public"
                    carried += 1
            except (SourceChanged, SourceMissing, SourceUnsupported):
                refused += 1
    assert carried, "nothing was carried beside what was refused"


def test_what_is_exchanged_after_the_walk_is_refused(spec: KitSpec, tmp_path: Path) -> None:
    """The same size and times do not help: it is another file; what is held stays what it was."""
    collected = collect(spec)
    inside = spec.base / "src/a/in"
    for number in range(8):
        facts = (inside / str(number) / "file").stat()
        target = tmp_path / "private" / str(number) / "file"
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    inside.rename(inside.with_name("aside"))
    inside.symlink_to(tmp_path / "private")
    with contextlib.suppress(SourceChanged):
        assert set(contents(collected)) == {b"public"}
