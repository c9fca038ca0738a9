"""A `lock` that is killed leaves the lock of before, and nothing half under a name that counts.

Two sources come from a web server and one from a registry that the test answers for; every call
that changes the disk is made the last one, and so are random moments.  Then the next `lock` ends
as one that nobody killed.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.lock import LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.spec import load_spec
from kit.store import Store
from tests.support.killing import Point, ended, fork, killed_after, killed_at, points, spread
from tests.support.making import noise, read_tree
from tests.support.registry import Layout, layer
from tests.support.specs import APP_KIT
from tests.support.webserver import Web, status, web, whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="not run: this host has no fork"),
]

FILES = {"one": noise(300_000), "two": b"small"}
PART = '\n[[component]]\nid = "{0}"\nversion = "1"\npath = "{0}"\nlands = "/opt/{0}"\n'
OLD = "[[component.source]]\nurl = '{url}/one'\nsha256 = '{digest}'\n"


def serve(server: Web, layout: Layout, image: dict[str, object]) -> None:
    """Answer as a web server and as a registry with one image do (OCI distribution-spec 1.1)."""
    for name, data in FILES.items():
        server.routes[f"/{name}"] = whole(data)
    server.routes["/v2/"] = status(200)
    for path in (layout.directory / "blobs" / "sha256").iterdir():
        for kind in ("blobs", "manifests"):
            server.routes[f"/v2/app/{kind}/sha256:{path.name}"] = whole(path.read_bytes())
    digest = str(image["digest"])
    data = (layout.directory / "blobs" / digest.replace(":", "/")).read_bytes()
    headers = {"Docker-Content-Digest": digest, "Content-Type": str(image["mediaType"])}
    server.routes["/v2/app/manifests/1"] = status(200, headers, data)


class Place:
    """A spec of several sources, its server, and the state before and after a `lock`."""

    def __init__(self, top: Path, server: Web) -> None:
        self.top, self.ready = top / "place", top / "ready"
        layout = Layout(top / "layout")
        gzip = "application/vnd.oci.image.layer.v1.tar+gzip"
        layers = [layout.blob(layer(f"f{n}", noise(20_000 + n)), gzip) for n in range(3)]
        serve(server, layout, layout.manifest(layers, "amd64"))
        first = OLD.format(url=server.url, digest=hashlib.sha256(FILES["one"]).hexdigest())
        second = OLD.replace("/one'", "/two'").format(
            url=server.url, digest=hashlib.sha256(FILES["two"]).hexdigest()
        )
        image = f"[[component.source]]\noci = '{server.url.removeprefix('http://')}/app:1'\n"
        spec = self.ready / "kit.toml"
        self.ready.mkdir()
        spec.write_text(APP_KIT + PART.format("app") + first)
        assert ended(fork(lambda: self.lock(self.ready))) == 0
        shutil.rmtree(self.ready / "store")
        spec.write_text(spec.read_text() + second + PART.format("image") + image)
        self.old = (self.ready / "kit.lock").read_bytes()
        self.reset()
        assert ended(fork(self.work)) == 0
        self.new = (self.top / "kit.lock").read_bytes()
        assert self.new != self.old
        self.files = self.named()

    def reset(self) -> None:
        """Stand before the `lock` again."""
        shutil.rmtree(self.top, ignore_errors=True)
        shutil.copytree(self.ready, self.top)

    def lock(self, place: Path) -> None:
        """Lock what is in a directory, with the store in it."""
        client = Client(Ways(proxies={}, sleep=lambda seconds: None))
        lock(
            load_spec(place / "kit.toml"),
            Store(place / "store"),
            client,
            Logins(()),
            LockOptions(),
        )

    def work(self) -> None:
        """Lock."""
        self.lock(self.top)

    def named(self) -> dict[str, bytes]:
        """Return the files that the store has under a name, each of which is what it says."""
        tree = read_tree(self.top / "store" / "sha256")
        found = {name: data for name, (_, data) in tree.items()}
        for name, data in found.items():
            assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2]
        return found

    def check(self) -> None:
        """Hold what a kill has left to what must be true, then lock again."""
        assert (self.top / "kit.lock").read_bytes() in (self.old, self.new)
        assert self.named().items() <= self.files.items()
        assert ended(fork(self.work)) == 0
        self.check_ended()

    def check_ended(self) -> None:
        """Hold what is there to a `lock` that nobody killed."""
        assert (self.top / "kit.lock").read_bytes() == self.new
        assert self.named() == self.files
        assert sorted(path.name for path in self.top.iterdir()) == ["kit.lock", "kit.toml", "store"]
        assert not list((self.top / "store" / "partial").iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with web() as server:
        yield Place(tmp_path_factory.mktemp("lock"), server)


def kill_at(place: Place, found: list[Point]) -> int:
    """Kill a `lock` at each point; return how many were killed."""
    killed = 0
    for point in found:
        place.reset()
        killed += killed_at(point, place.work)
        place.check()
    return killed


def all_points(place: Place) -> list[Point]:
    place.reset()
    return list(points(place.work))


def test_killed_at_some_calls(place: Place) -> None:
    assert kill_at(place, spread(all_points(place), 4)) >= 2


@pytest.mark.long
def test_killed_at_every_call(place: Place) -> None:
    found = all_points(place)
    assert len(found) > 30
    assert kill_at(place, found) > len(found) * 3 // 4


@pytest.mark.long
def test_killed_at_random_moments(place: Place) -> None:
    draw, killed = random.Random(11), 0
    for _ in range(int(os.environ.get("OFFLINE_KIT_KILLS", "30"))):
        place.reset()
        killed += killed_after(draw.uniform(0, 0.15), place.work)
        place.check()
    assert killed


def test_two_at_once(place: Place) -> None:
    place.reset()
    assert [ended(child) for child in [fork(place.work), fork(place.work)]] == [0, 0]
    place.check_ended()


@pytest.mark.long
def test_one_is_killed_beside_others(place: Place) -> None:
    draw = random.Random(12)
    for _ in range(10):
        place.reset()
        others = [fork(place.work) for _ in range(2)]
        killed_after(draw.uniform(0, 0.1), place.work)
        assert [ended(child) for child in others] == [0, 0]
        place.check_ended()
