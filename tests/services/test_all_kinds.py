"""One kit of every kind of source: locked, built, proved, and built again out of itself."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.services.test_git_sources import Repository
from tests.services.test_npm_sources import Project
from tests.services.test_registry_sources import GZIP
from tests.support.debs import control, write_repository
from tests.support.making import KEYS, ROOT_FILE
from tests.support.program import Run, runner
from tests.support.pyindex import wheel
from tests.support.registry import Layout, layer
from tests.support.webserver import web

HEAD = """\
[kit]
name = "all"
version = "1"
line = "all/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "every kind of source"
"""
PYLOCK = """\
lock-version = "1.0"
created-by = "test"
[[packages]]
name = "tool"
version = "1.0"
[[packages.wheels]]
path = "{name}"
hashes = {{ sha256 = "{digest}" }}
"""


def component(name: str, source: str) -> str:
    return (
        f'[[component]]\nid = "{name}"\nversion = "1"\npath = "{name}"\nlands = "/srv/{name}"\n'
        f"[[component.source]]\n{source}\n"
    )


def write_sources(directory: Path, git: Path) -> str:
    """Make something of each kind on this host; return the spec that names all of it."""
    (directory / "own.txt").write_text("ours")
    (directory / "tool").write_bytes(b"a tool")
    digest = hashlib.sha256(b"a tool").hexdigest()
    image = Layout(directory / "image")
    image.finish(app=image.manifest([image.blob(layer("app", b"app"), GZIP)], "amd64"))
    repository = Repository(git, directory / "scripts")
    repository.commit("hello.sh", "echo hello\n")
    name, data = wheel("tool", "1.0", "py3-none-any")
    (directory / name).write_bytes(data)
    wheel_digest = hashlib.sha256(data).hexdigest()
    (directory / "pylock.toml").write_text(PYLOCK.format(name=name, digest=wheel_digest))
    debs = write_repository(directory / "debs", [control("tool", "1:1.0", "amd64")])
    (directory / "debs.list").write_text(f"deb [trusted=yes] {debs.as_uri()} stable main\n")
    targets = 'pythons = ["3.11"]\nplatforms = ["manylinux_2_28_x86_64"]'
    suite = 'suite = "stable"\narchitecture = "amd64"\nrepositories = "debs.list"'
    sources = {
        "files": 'file = "own.txt"',
        "url": f'url = "{(directory / "tool").as_uri()}"\nsha256 = "{digest}"',
        "images": 'oci = "oci:image:app"',
        "scripts": f'git = "{repository.directory.as_uri()}"\nrev = "main"',
        "wheels": f'wheels_from = "pylock.toml"\n{targets}',
        "debs": f'debs = ["tool"]\n{suite}',
        "web": 'npm = "project"',
    }
    return HEAD + "".join(component(name, text) for name, text in sources.items())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OFFLINE_KIT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return runner(capsys, monkeypatch)


def test_a_kit_of_every_kind(run: Run, judge: Judge, tmp_path: Path) -> None:
    judge("apt-get")
    with web() as registry:
        (tmp_path / "npmrc").write_text(f"registry={registry.url}/\n")
        project = Project(tmp_path, registry)
        project.add("plain", "1.0.0")
        project.write()
        (tmp_path / "kit.toml").write_text(write_sources(tmp_path, judge("git")))
        status, out, err = run("lock")
        assert (status, err) == (0, ""), out
    assert run("lock", "--check")[0] == 0
    for name in ("image", "scripts", "debs", "tool"):  # none of it is needed any more
        path = tmp_path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    keys = [f"--key={KEYS / name}.pem" for name in ("alice", "bob")]
    status, _, err = run("build", "kit.toml", "--root", str(ROOT_FILE), "--out", "out", *keys)
    assert status == 0, err
    kit = tmp_path / "out" / "all-1" / "all-1.tar.zst"
    command: list[str | Path] = [sys.executable, "-I", kit.with_name("kit-verify.pyz"), kit]
    command += ["--root", ROOT_FILE, "--extract", tmp_path / "site"]
    subprocess.run(command, check=True, capture_output=True)
    site = tmp_path / "site"
    for name in (
        *("files/own.txt", "url/tool", "images/index.json", "scripts/scripts.bundle"),
        *("wheels/requirements.txt", "debs/Packages", "debs/tool_1.0_amd64.deb"),
        *("web/package-lock.json", "web/tarballs/plain-1.0.0.tgz", "evidence/kit.lock"),
    ):
        assert (site / name).is_file(), name
    shutil.rmtree(tmp_path / "store")
    status, out, err = run("rebuild", "--check", str(kit), "kit.toml")
    assert (status, err) == (0, "")
    assert "taken out of the kit, which was proved before" in out
    assert "identical" in out
