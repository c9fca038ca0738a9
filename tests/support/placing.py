"""Releases at a place of any kind: put there, got from there, and what is said when that fails."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kit.fetch import Fetched, fetch, mirror
from kit.net.client import Client, Ways
from kit.places.directory import DirectoryPlace
from kit.places.model import Reader, Writer
from kit.places.readback import read_back
from kit.publish import Published, publish, read_history
from tests.support.making import pinned
from tests.support.releases import LINE, kit_of, publisher, release
from verifier.core.errors import KitError

SIGNER, PUBLISHER = publisher()
CLIENT = Client(Ways(proxies={}, sleep=lambda seconds: None))


def put(kit: Path, *places: Writer, read: bool = False, **more: Any) -> Published:
    """Publish a release.

    Args:
        read: Read it back before its entry is created.
        more: As `publish` takes it.
    """
    back = partial(read_back, client=CLIENT, progress=lambda name, done, total: None)
    more = {"workers": 1, "read_back": back if read else None, **more}
    return publish(kit, places, SIGNER, PUBLISHER, **more)


def get(where: Reader, out: Path, version: str = "", **more: Any) -> Fetched:
    """Fetch a release of the line, the newest if none is named; ``more`` as `fetch` takes it."""
    more = {"publishers": [PUBLISHER], "root": pinned(), "client": CLIENT, "workers": 1, **more}
    return fetch(where, more.pop("line", LINE), version, out, **more)


def code(call: Callable[[], object]) -> str:
    """Return the code of the error that a call ends with."""
    with pytest.raises(KitError) as caught:
        call()
    return caught.value.code


def flip(path: Path) -> None:
    """Turn one bit in the middle of a file, as a disk does."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def race(directory: Path, where: Callable[[], Writer]) -> list[str]:
    """Have eight publishers publish different kits under one number; return what each was told."""
    kits = [release(directory / f"r{i}", f"2.{i}", 20, b"%d" % i) for i in range(8)]
    results: list[str] = []

    def run(kit: Path) -> None:
        try:
            results.append("won" if put(kit, where()).outcomes[0].created else "was there")
        except KitError as error:
            results.append(error.code)

    threads = [threading.Thread(target=run, args=(kit,)) for kit in kits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def killed_in(phase: str, where: Writer, kit: Path, low: Path) -> None:
    """Have a publisher killed as it begins a phase: nobody sees a thing, and the next one ends it.

    Args:
        phase: A method of the place.
        low: Where the release is fetched to.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - it is killed
        setattr(where, phase, lambda *given: os.kill(os.getpid(), signal.SIGKILL))
        try:
            put(kit, where)
        finally:
            os._exit(1)
    _, ended = os.waitpid(child, 0)
    assert os.WTERMSIG(ended) == signal.SIGKILL
    assert read_history(where, LINE, [PUBLISHER]) == []
    assert put(kit, where).outcomes[0].created
    assert get(where, low).new


def there_and_back(where: Writer, other: Writer, made: Path, low: Path) -> None:
    """Publish two releases, each once, fetch the newer one, and be refused a third; mirror them.

    Args:
        where: An empty place.
        other: Another one of its kind, which a mirror of it is copied to.
        made: From `tests.support.releases.releases`.
        low: Where it is fetched to.
    """
    first = put(kit_of(made, "one"), where)
    assert first.outcomes[0].created
    again = put(kit_of(made, "one"), where)
    assert (again.outcomes[0].created, again.entry.id) == (False, first.entry.id)
    assert put(kit_of(made, "two"), where).entry.record.n == 2
    done = get(where, low)
    for path in sorted(kit_of(made, "two").parent.iterdir()):
        assert (done.directory / path.name).read_bytes() == path.read_bytes()
    assert code(lambda: put(kit_of(made, "other"), where)) == "version-taken"
    copy = DirectoryPlace(low / "mirror")
    for source, target in ((where, copy), (copy, other)):
        for new in (2, 0):
            found = mirror(
                source, target, LINE, low, publishers=[PUBLISHER], client=CLIENT, root=pinned()
            )
            assert [len(each) for each in found] == [2, new]
    assert [other.entry(LINE, n) for n in (1, 2, 3)] == [where.entry(LINE, n) for n in (1, 2, 3)]
    assert get(other, low / "copied").entry.id == done.entry.id
