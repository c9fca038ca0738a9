"""npm packages: what a lock names is carried, and npm itself installs it without a network."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.lock import Locked, LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.support.webserver import Web, status, web, whole
from verifier.core.errors import KitError

SPEC = """\
[kit]
name = "web"
version = "1"
line = "web/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "web"

[[component]]
id = "web"
version = "1"
path = "web"
lands = "/srv/web"
[[component.source]]
npm = "project"
"""


def tarball(name: str, version: str, **more: object) -> bytes:
    """Return what ``npm pack`` makes, the same bytes every time."""
    manifest = json.dumps({"name": name, "version": version, **more}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path, data in (("package.json", manifest), ("index.js", b"module.exports = 1\n")):
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def integrity(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Web]:
    with web() as running:
        (tmp_path / "npmrc").write_text(f"registry={running.url}/\nupdate-notifier=false\n")
        monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
        monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
        yield running


class Project:
    """A project whose lock a test writes, with packages in the registry."""

    def __init__(self, directory: Path, registry: Web) -> None:
        self.directory, self.registry = directory, registry
        self.packages: dict[str, dict[str, Any]] = {}
        (directory / "project").mkdir(parents=True)
        (directory / "kit.toml").write_text(SPEC)

    def add(self, name: str, version: str, place: str = "", **more: object) -> bytes:
        data = tarball(name, version)
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self.registry.routes[path] = whole(data)
        self.packages[place or f"node_modules/{name}"] = {
            "version": version,
            "resolved": f"{self.registry.url}{path}",
            "integrity": integrity(data),
            **more,
        }
        return data

    def write(self) -> None:
        own: dict[str, Any] = {"name": "project", "version": "1.0.0"}
        for name, entry in self.packages.items():
            if name.count("node_modules/") == 1 and "version" in entry:
                group = "optionalDependencies" if entry.get("optional") else "dependencies"
                own.setdefault(group, {})[name.removeprefix("node_modules/")] = entry["version"]
        tree = {"": own, **self.packages}
        value = {"name": "project", "version": "1.0.0", "lockfileVersion": 3, "packages": tree}
        project = self.directory / "project"
        (project / "package.json").write_text(json.dumps(own))
        (project / "package-lock.json").write_text(json.dumps(value))

    def lock(self, store: str = "store", *, offline: bool = False) -> Locked:
        self.write()
        spec = load_spec(self.directory / "kit.toml")
        options = LockOptions(offline=offline)
        client = Client(Ways(proxies={}, sleep=lambda seconds: None))
        return lock(spec, Store(self.directory / store), client, Logins(), options)

    def extract(self, locked: Locked, target: Path) -> None:
        store = Store(self.directory / "store")
        for item in locked.lock.artifacts:
            path = target / item.path.removeprefix("web/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.path(item.sha256).read_bytes())


@pytest.fixture
def project(registry: Web, tmp_path: Path) -> Project:
    made = Project(tmp_path / "h", registry)
    made.add("plain", "1.0.0")
    made.add("@scope/plain", "2.0.0", dependencies={"plain": "0.9.0"})
    made.add("plain", "0.9.0", "node_modules/@scope/plain/node_modules/plain")
    made.add("only-mac", "1.0.0", optional=True, os=["darwin"])
    return made


def npms() -> list[Any]:
    """Return the npm of this host, and the older ones that .ci/run has installed."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    place = Path(cache, "offline-kit", "judges")
    older = sorted(place.glob("npm-*/node_modules/npm/bin/npm-cli.js"))
    return [
        None,
        *(pytest.param(path, marks=pytest.mark.long, id=path.parents[3].name) for path in older),
    ]


@pytest.mark.parametrize("older", npms())
def test_npm_installs_it_without_a_network(
    project: Project, judge: Judge, tmp_path: Path, older: Path | None
) -> None:
    project.extract(project.lock(), tmp_path / "site")
    project.registry.routes.clear()
    before = len(project.registry.asked)
    command: list[str | Path] = [judge("npm")] if older is None else [judge("node"), older]
    command += ["ci", "--offline", "--no-audit", "--no-fund"]
    command += ["--cache", tmp_path / "empty", "--loglevel=error"]
    subprocess.run(command, check=True, cwd=tmp_path / "site")
    assert len(project.registry.asked) == before
    tree = tmp_path / "site" / "node_modules"
    assert json.loads((tree / "plain/package.json").read_text())["version"] == "1.0.0"
    inner = tree / "@scope/plain/node_modules/plain/package.json"
    assert json.loads(inner.read_text())["version"] == "0.9.0"
    changed = tmp_path / "site" / "tarballs" / "plain-1.0.0.tgz"
    changed.write_bytes(tarball("plain", "1.0.0", evil=1))
    subprocess.run(["rm", "-rf", tree, tmp_path / "empty"], check=True)
    again = subprocess.run(command, cwd=tmp_path / "site", capture_output=True)
    assert again.returncode
    assert b"EINTEGRITY" in again.stderr


def test_all_platforms_are_carried_each_tarball_once(project: Project) -> None:
    again = project.packages["node_modules/plain"]
    project.packages["node_modules/only-mac/node_modules/plain"] = again
    paths = {item.path for item in project.lock().lock.artifacts}
    assert paths == {
        "web/package.json",
        "web/package-lock.json",
        "web/tarballs/plain-1.0.0.tgz",
        "web/tarballs/plain-0.9.0.tgz",
        "web/tarballs/scope-plain-2.0.0.tgz",
        "web/tarballs/only-mac-1.0.0.tgz",
    }


def test_two_packages_that_fold_to_one_name_have_two(registry: Web, tmp_path: Path) -> None:
    project = Project(tmp_path / "h", registry)
    project.add("a-b", "1.0.0")
    project.add("@a/b", "1.0.0")
    project.add("@A/B", "1.0.0")
    names = {item.path for item in project.lock().lock.artifacts if item.path.endswith(".tgz")}
    assert len({name.casefold() for name in names}) == 3


def test_a_lock_without_places_is_fetched_from_the_registry_of_npm(
    project: Project, judge: Judge
) -> None:
    judge("npm")
    for entry in project.packages.values():
        del entry["resolved"]
    assert project.lock().changed


def test_a_second_lock_asks_nobody_and_a_fresh_machine_gets_the_same(project: Project) -> None:
    first = project.lock()
    fresh = project.lock("fresh")
    assert (fresh.lock, fresh.changed) == (first.lock, False)
    project.registry.routes.clear()
    assert project.lock(offline=True).lock == first.lock


def test_a_lock_that_npm_wrote_again_is_locked_again(project: Project) -> None:
    first = project.lock()
    project.add("new", "1.0.0")
    with pytest.raises(KitError) as caught:
        project.lock(offline=True)
    assert caught.value.code == "lock-stale"
    assert len(project.lock().lock.artifacts) == len(first.lock.artifacts) + 1


def test_a_tarball_that_is_gone_is_named_with_what_would_replace_it(
    project: Project, judge: Judge
) -> None:
    judge("npm")  # says which registry is asked
    project.lock()
    del project.registry.routes["/@scope/plain/-/plain-2.0.0.tgz"]
    tags = "/-/package/@scope%2Fplain/dist-tags"
    project.registry.routes[tags] = status(200, {}, b'{"latest": "2.0.1"}')
    with pytest.raises(KitError, match=r"the latest of @scope/plain is 2\.0\.1") as caught:
        project.lock("fresh")
    assert caught.value.code == "artifact-gone"
    assert "web/tarballs/scope-plain-2.0.0.tgz" in str(caught.value)
    project.registry.routes[tags] = status(200, {}, b'{"latest": "\\u001b[2J"}')
    with pytest.raises(KitError, match="says of no other @scope/plain"):
        project.lock("fresh")


HOSTILE_NAMES = ["../../evil", "@a/../b", "a/b/c", ".", "..", "C:evil", "a\x00b", "a\u202eb"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_leads_elsewhere(name: str, project: Project) -> None:
    project.add("odd", "1.0.0")
    project.packages["node_modules/odd"]["name"] = name
    with pytest.raises(KitError) as caught:
        project.lock()
    assert caught.value.code == "npm-lock-unusable"
    assert not (project.directory / "kit.lock").exists()


@pytest.mark.parametrize("version", ["../1", "1/2", "", "1 2", "1.0.0\n", "x" * 200])
def test_a_version_that_leads_elsewhere(version: str, project: Project) -> None:
    project.add("odd", "1.0.0")
    project.packages["node_modules/odd"]["version"] = version
    with pytest.raises(KitError) as caught:
        project.lock()
    assert caught.value.code == "npm-lock-unusable"


def test_a_tarball_that_is_another_one(project: Project) -> None:
    project.registry.routes["/plain/-/plain-1.0.0.tgz"] = whole(tarball("plain", "1.0.0", evil=1))
    with pytest.raises(KitError, match="another SHA-512") as caught:
        project.lock()
    assert caught.value.code == "artifact-differs"


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "git": ("node_modules/g", {"version": "1.0.0", "resolved": "git+ssh://git@h/a.git"}, "git+ssh"),
    "a file": ("node_modules/g", {"version": "1.0.0", "resolved": "file:../g.tgz"}, "file:../g"),
    "a link": ("node_modules/g", {"resolved": "packages/g", "link": True}, "workspace"),
    "a workspace": ("packages/g", {"version": "1.0.0"}, "workspace"),
    "no integrity": ("node_modules/g", {"version": "1.0.0"}, "no integrity"),
    "SHA-1": ("node_modules/g", {"version": "1.0.0", "integrity": "sha1-AAAA"}, "no integrity"),
    "a short one": ("node_modules/g", {"version": "1", "integrity": "sha512-AAAA"}, "no integrity"),
    "no version": ("node_modules/g", {}, "no version"),
    "a way up": ("node_modules/../../x", {"version": "1.0.0"}, "no name"),
    "a version up": ("node_modules/g", {"version": "../../x"}, "no version"),
    "no entry": ("node_modules/g", [], "no entry"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_carried_is_named(what: str, project: Project) -> None:
    place, entry, said = BAD[what]
    project.packages[place] = entry
    with pytest.raises(KitError) as caught:
        project.lock()
    assert caught.value.code == "npm-lock-unusable"
    assert said in str(caught.value)
    assert repr(place) in str(caught.value)
