"""Wheels for other Pythons and platforms than this one, from an index on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.lock import Locked, LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
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
        monkeypatch.setenv("PATH", os.defpath)  # uv asks every Python there what it is
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


def test_nobody_but_the_index_is_asked(
    index: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Python 3.9 here uv would look for one of its own to download."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("UV_HTTP_TIMEOUT", "2")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        assert carried(run(tmp_path / "h", source("app<2")))
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


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


def test_a_version_that_is_gone_is_named_with_what_would_replace_it(
    index: Web, tmp_path: Path
) -> None:
    run(tmp_path / "h", source("app<2", "color"))
    files = [("app", *wheel("app", "1.5", "py3-none-any"))]
    serve(index, [*files, ("color", *wheel("color", "1.0", "py2.py3-none-any"))])
    with pytest.raises(KitError, match=r"app-1\.0-py3-none-any\.whl; it has app 1\.5") as caught:
        run(tmp_path / "h", source("app<2", "color"), "fresh")
    assert caught.value.code == "wheel-absent"
    assert "color" not in str(caught.value)


def test_a_file_that_is_not_what_the_index_says(index: Web, tmp_path: Path) -> None:
    index.routes["/files/back-1.0-py3-none-any.whl"] = whole(
        wheel("back", "1.0", "py3-none-any", ["x; python_version < '3'"])[1]
    )
    with pytest.raises(KitError) as caught:
        run(tmp_path / "h", source("back"))
    assert caught.value.code in {"artifact-differs", "artifact-too-large"}


# --- what somebody else has resolved ----------------------------------------------------------


def from_file(name: str, pythons: str = '"3.9", "3.11"', platforms: str = LINUX) -> str:
    return f'wheels_from = "{name}"\npythons = [{pythons}]\nplatforms = ["{platforms}"]'


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_requirements_file_is_its_lines(index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    (home / "requirements.txt").write_text("# ours\napp  # the newest\n\ncolor==1.0\n")
    locked = run(home, from_file("requirements.txt"))
    assert carried(locked) >= {"app-2.0-py3-none-any.whl", "color-1.0-py2.py3-none-any.whl"}
    (home / "requirements.txt").write_text("color\n")
    assert run(home, from_file("requirements.txt")).resolved == ("wheels",)


def test_digests_of_a_requirements_file_decide(index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    new, old = (wheel("app", v, "py3-none-any", n)[1] for v, n in (("2.0", NEEDS), ("1.0", ())))
    text = "app==2.0 ; python_version >= '3' \\\n    --hash=sha256:{} \\\n    --hash=sha256:{}\n"
    (home / "r.txt").write_text(text.format(digest(new), "0" * 64))
    locked = run(home, from_file("r.txt"))
    store = Store(home / "store")
    (own,) = [item for item in locked.lock.artifacts if item.path.endswith("requirements.txt")]
    said = store.read(own.artifact, 1 << 20).decode()
    assert f"--hash=sha256:{digest(new)}" in said
    assert "0" * 64 not in said, "only what is carried"
    assert "back==1.0 ; python_" in said
    (home / "r.txt").write_text(text.format(digest(old), "0" * 64))
    with pytest.raises(KitError, match=r"app 2\.0: Python 3\.9 on") as caught:
        run(home, from_file("r.txt"))
    assert caught.value.code == "wheel-absent"


UNUSABLE = {
    "another file": "-r other.txt\n",
    "constraints": "app\n-c limits.txt\n",
    "an index": "--extra-index" + "-url https://other.example/simple\napp\n",
    "a project": "-e .\n",
    "a URL": "app @ https://files.example/app-1.0-py3-none-any.whl\n",
    "a path": "./app-1.0-py3-none-any.whl\n",
    "MD5": f"app --hash=md5:{'0' * 32}\n",
    "nothing": "# nothing\n",
    "bytes": "\udcff\udcfe",
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_requirements_that_leave_something_open(what: str, index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    (home / "r.txt").write_bytes(UNUSABLE[what].encode("utf-8", "surrogateescape"))
    with pytest.raises(KitError) as caught:
        run(home, from_file("r.txt"))
    assert caught.value.code == "requirements-unusable"


def pylock(index: Web, *, python: str = ">=3.9", more: str = "", marker: str = "") -> str:
    """Return a lock of one pure package, as another tool may write it."""
    name, data = wheel("back", "1.0", "py3-none-any")
    condition = f"marker = {marker!r}\n" if marker else ""
    return (
        f'lock-version = "1.0"\ncreated-by = "test"\nrequires-python = "{python}"\n{more}'
        f'[[packages]]\nname = "back"\nversion = "1.0"\n{condition}'
        f'[[packages.wheels]]\nname = "{name}"\nurl = "{index.url}/files/{name}"\n'
        f'hashes = {{ sha256 = "{digest(data)}" }}\n'
    )


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.site.toml"])
def test_a_pylock_needs_no_resolver_and_no_index(name: str, index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    (home / name).write_text(pylock(index))
    for path in [path for path in index.routes if path.startswith("/simple/")]:
        del index.routes[path]
    locked = run(home, from_file(name))
    assert carried(locked) == {"requirements.txt", "back-1.0-py3-none-any.whl"}
    assert locked.lock.tools == {}
    assert run(home, from_file(name), "fresh").lock == locked.lock


def test_a_pylock_whose_wheels_lie_beside_it(index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    (home / "dist").mkdir(parents=True)
    name, data = wheel("back", "1.0", "py3-none-any")
    (home / "dist" / name).write_bytes(data)
    text = pylock(index).replace(f'url = "{index.url}/files/{name}"', f'path = "dist/{name}"')
    (home / "pylock.toml").write_text(text)
    assert name in carried(run(home, from_file("pylock.toml")))


PYLOCKS = {
    "for newer Pythons": ({"python": ">=3.10"}, "was not made for Python 3.9"),
    "for Windows": (
        {"more": "environments = [\"sys_platform == 'win32'\"]\n"},
        "was not made for Python 3.9",
    ),
    "for an extra": ({"marker": '"web" in extras'}, "hangs on extras"),
}


@pytest.mark.parametrize("what", PYLOCKS)
def test_a_pylock_for_something_else(what: str, index: Web, tmp_path: Path) -> None:
    change, said = PYLOCKS[what]
    home = tmp_path / "h"
    home.mkdir()
    (home / "pylock.toml").write_text(pylock(index, **change))
    with pytest.raises(KitError, match=said) as caught:
        run(home, from_file("pylock.toml"))
    assert caught.value.code == "resolve-failed"


NAMES = ("../../evil", "a/b", "back-1.0-py3-none-any.whl/x", "C:evil.whl", "e\u0301.whl")


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_whose_name_leads_elsewhere(name: str, index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    text = pylock(index).replace('name = "back-1.0-py3-none-any.whl"', f'name = "{name}"')
    (home / "pylock.toml").write_text(text)
    with pytest.raises(KitError) as caught:
        run(home, from_file("pylock.toml"))
    assert caught.value.code == "resolve-failed"
    assert not (home / "kit.lock").exists()


HOSTILE = {
    "no TOML": b"[",
    "another version": b'lock-version = "2.0"\ncreated-by = "x"\npackages = []\n',
    "no packages": b'lock-version = "1.0"\ncreated-by = "x"\n',
    "packages that are none": b'lock-version = "1.0"\ncreated-by = "x"\npackages = [1]\n',
    "bytes": b"\xff\xfe",
    "deep": b"a = " + b"[" * 100_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_pylock_that_is_none(what: str, index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    (home / "pylock.toml").write_bytes(HOSTILE[what])
    with pytest.raises(KitError) as caught:
        run(home, from_file("pylock.toml"))
    assert caught.value.code == "resolve-failed"


def test_a_project_that_uv_has_locked(index: Web, tmp_path: Path) -> None:
    project = tmp_path / "h" / "app"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "site"\nversion = "1"\nrequires-python = ">=3.9"\n'
        'dependencies = ["app<2"]\n[dependency-groups]\ndev = ["color"]\n'
    )
    program = shutil.which("uv", path=sysconfig.get_path("scripts"))
    assert program
    subprocess.run([program, "lock", "--quiet", "--project", project], check=True)
    locked = run(tmp_path / "h", from_file("app/uv.lock"))
    assert carried(locked) == {"requirements.txt", "app-1.0-py3-none-any.whl"}, "no project, no dev"
    assert locked.lock.tools["uv"]
    for path in [path for path in index.routes if path.startswith("/simple/")]:
        del index.routes[path]
    assert run(tmp_path / "h", from_file("app/uv.lock"), "fresh").lock == locked.lock
    (project / "pyproject.toml").write_text((project / "pyproject.toml").read_text() + "# new\n")
    assert run(tmp_path / "h", from_file("app/uv.lock")).resolved == ("wheels",)


def test_what_exists_as_source_alone_is_named_with_its_targets(index: Web, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    text = pylock(index).split("[[packages.wheels]]", maxsplit=1)[0]
    text += f'[packages.sdist]\nurl = "{index.url}/files/back-1.0.tar.gz"\n'
    (home / "pylock.toml").write_text(text + f'hashes = {{ sha256 = "{digest(b"no wheel")}" }}\n')
    with pytest.raises(KitError) as caught:
        run(home, from_file("pylock.toml"))
    assert caught.value.code == "wheel-absent"
    assert f"back 1.0: Python 3.9 on {LINUX}, Python 3.11 on {LINUX}" in str(caught.value)


def test_pip_resolves_only_for_the_python_that_it_runs_on(index: Web, tmp_path: Path) -> None:
    """What pip leaves out without a word, for pytest and 3.9 as for this package, is carried."""
    needs = ["color; python_version < '3.10'"]  # this Python is newer
    serve(index, [("tool", *wheel("tool", "1.0", "py3-none-any", needs))])
    serve(index, [("color", *wheel("color", "1.0", "py2.py3-none-any"))])
    command: list[str | Path] = [sys.executable, "-m", "pip", "--isolated", "download", "--quiet"]
    command += ["--python-version", "3.9", "--only-binary", ":all:", "tool"]
    command += ["--index" + "-url", f"{index.url}/simple", "--dest", tmp_path / "pip"]
    subprocess.run(command, check=True)
    assert [path.name for path in (tmp_path / "pip").iterdir()] == ["tool-1.0-py3-none-any.whl"]
    assert carried(run(tmp_path / "h", source("tool", pythons='"3.9"'))) == {
        *("requirements.txt", "tool-1.0-py3-none-any.whl", "color-1.0-py2.py3-none-any.whl")
    }


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
