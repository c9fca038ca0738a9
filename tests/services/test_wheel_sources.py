"""Wheels for other Pythons and platforms than this one, from an index on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.lock import Locked, LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.registry import Logins
from kit.spec import load_spec
from kit.store import Store
from tests.support.pyindex import serve, wheel
from tests.support.webserver import Web, web, whole
from verifier.core.errors import KitError

SPEC = """\
[kit]
name = "wheels"
version = "1"
line = "wheels/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "wheels"

[[component]]
id = "wheels"
version = "1"
path = "wheels"
lands = "/opt/packages"
[[component.source]]
"""
LINUX = "manylinux_2_28_x86_64"
OLD = "manylinux_2_17_x86_64.manylinux2014_x86_64"
NEEDS = ["back; python_version < '3.11'", "color; sys_platform == 'win32'", "fast"]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Web]:
    made = [
        ("app", *wheel("app", "2.0", "py3-none-any", NEEDS)),
        ("app", *wheel("app", "1.0", "py3-none-any")),
        ("back", *wheel("back", "1.0", "py3-none-any")),
        ("color", *wheel("color", "1.0", "py2.py3-none-any")),
        *[
            ("fast", *wheel("fast", "1.0", f"cp3{minor}-cp3{minor}-{platform}"))
            for minor in (9, 11)
            for platform in (OLD, "manylinux_2_34_x86_64", "win_amd64", "macosx_11_0_arm64")
        ],
        ("source", "source-1.0.tar.gz", b"no wheel"),
    ]
    with web() as running:
        address = serve(running, made)
        for name in ("UV_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "UV_EXTRA_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        yield running


def source(*requirements: str, pythons: str = '"3.9", "3.11"', platforms: str = LINUX) -> str:
    wheels = ", ".join(f'"{item}"' for item in requirements)
    return f'wheels = [{wheels}]\npythons = [{pythons}]\nplatforms = ["{platforms}"]'


def run(directory: Path, text: str, store: str = "store", *, offline: bool = False) -> Locked:
    directory.mkdir(exist_ok=True)
    (directory / "kit.toml").write_text(SPEC + text)
    client = Client(Ways(proxies={}))
    spec = load_spec(directory / "kit.toml")
    options = LockOptions(offline=offline)
    return lock(spec, Store(directory / store), client, Logins(), options)


def carried(locked: Locked) -> set[str]:
    return {item.path.removeprefix("wheels/") for item in locked.lock.artifacts}


def test_what_each_target_takes_and_nothing_else(index: Web, tmp_path: Path) -> None:
    assert carried(run(tmp_path / "h", source("app"))) == {
        "requirements.txt",
        "app-2.0-py3-none-any.whl",
        "back-1.0-py3-none-any.whl",  # for 3.9 alone, whatever this Python is
        f"fast-1.0-cp39-cp39-{OLD}.whl",
        f"fast-1.0-cp311-cp311-{OLD}.whl",  # not the one for glibc 2.34
    }


def test_another_platform_has_other_needs(index: Web, tmp_path: Path) -> None:
    text = source("app", pythons='"3.11"', platforms="win_amd64")
    assert carried(run(tmp_path / "h", text)) == {
        "requirements.txt",
        "app-2.0-py3-none-any.whl",
        "color-1.0-py2.py3-none-any.whl",
        "fast-1.0-cp311-cp311-win_amd64.whl",
    }


def test_pip_installs_from_the_directory_alone(index: Web, tmp_path: Path) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    locked = run(tmp_path / "h", source("app<2", "color", pythons=f'"{version}"'))
    store, site = Store(tmp_path / "h" / "store"), tmp_path / "site"
    site.mkdir()
    for item in locked.lock.artifacts:
        name = item.path.rpartition("/")[2]
        (site / name).write_bytes(store.path(item.sha256).read_bytes())
    command: list[str | Path] = [sys.executable, "-m", "pip", "--isolated", "install", "--quiet"]
    command += ["--no-index", "--find" + "-links", site, "--require-hashes"]
    command += ["-r", site / "requirements.txt", "--target", tmp_path / "installed"]
    subprocess.run(command, check=True)
    assert (tmp_path / "installed" / "app.py").exists()
    (site / "color-1.0-py2.py3-none-any.whl").write_bytes(b"another file")
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_a_second_lock_needs_no_index(index: Web, tmp_path: Path) -> None:
    first = run(tmp_path / "h", source("app"))
    assert first.lock.tools["uv"]
    index.routes.clear()
    second = run(tmp_path / "h", source("app"), offline=True)
    assert (second.lock, second.changed) == (first.lock, False)


def test_a_fresh_machine_asks_the_index_where_and_takes_the_same(
    index: Web, tmp_path: Path
) -> None:
    first = run(tmp_path / "h", source("app"))
    new = [("app", *wheel("app", "3.0", "py3-none-any"))]
    files = [("app", *wheel("app", "2.0", "py3-none-any", NEEDS)), *new]
    serve(index, files)  # a newer one has come out
    again = run(tmp_path / "h", source("app"), "fresh")
    assert (again.lock, again.changed) == (first.lock, False)
    assert again.fetched == len(first.lock.artifacts)


def test_a_file_that_the_index_exchanged_is_named(index: Web, tmp_path: Path) -> None:
    run(tmp_path / "h", source("app<2"))
    serve(index, [("app", *wheel("app", "1.0", "py3-none-any", ["back"]))])
    with pytest.raises(KitError, match="which is another file now") as caught:
        run(tmp_path / "h", source("app<2"), "fresh")
    assert caught.value.code == "wheel-absent"


def test_a_file_that_is_not_what_the_index_says(index: Web, tmp_path: Path) -> None:
    index.routes["/files/back-1.0-py3-none-any.whl"] = whole(
        wheel("back", "1.0", "py3-none-any", ["x; python_version < '3'"])[1]
    )
    with pytest.raises(KitError) as caught:
        run(tmp_path / "h", source("back"))
    assert caught.value.code in {"artifact-differs", "artifact-too-large"}


MISSING = [
    (
        source("fast", pythons='"3.9", "3.12"'),
        "wheel-absent",
        "Python 3.12 on manylinux_2_28_x86_64",
    ),
    (source("fast", platforms="musllinux_1_2_x86_64"), "wheel-absent", "musllinux_1_2_x86_64"),
    (source("source"), "resolve-failed", "source"),
    (source("nowhere"), "resolve-failed", "nowhere"),
    (source("app>5"), "resolve-failed", "app"),
    (source("app @ https://files.example/a.whl"), "spec-invalid", "names a URL"),
    (source("no requirement!"), "spec-invalid", "is no requirement"),
    (source("app", platforms="linux/amd64"), "spec-invalid", "manylinux_2_28_x86_64"),
    (source("app", pythons='"2.7"'), "spec-invalid", "pythons"),
    ('wheels = ["app"]', "spec-invalid", "does not say what it is for"),
]


@pytest.mark.parametrize(("text", "code", "said"), MISSING)
def test_what_cannot_be_had_is_named(
    text: str, code: str, said: str, index: Web, tmp_path: Path
) -> None:
    with pytest.raises(KitError) as caught:
        run(tmp_path / "h", text)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert not (tmp_path / "h" / "kit.lock").exists()
