"""The packages of the LNM kit are what pip, apt, npm and git take, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from fixtures.lnm import make_packages
from kit.build import BuiltKit, Options, build
from kit.spec import load_spec
from tests.conftest import Judge
from tests.support.hosting import Site, code, policy, rules
from tests.support.making import key, pinned
from tests.unit.lnm import LNM, SPEC

PACKAGES = LNM / "packages"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program without a network of its own choosing; return what it printed."""
    environment = {**os.environ, "NO_PROXY": "*", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"not run: {name} is not installed")
    return found


@pytest.fixture(scope="module")
def lnm(tmp_path_factory: pytest.TempPathFactory) -> BuiltKit:
    from kit.signing import load_signer

    root = pinned()
    signers = [load_signer(key(name), root.targets.keys) for name in ("alice", "bob")]
    place = tmp_path_factory.mktemp("lnm")
    return build(load_spec(SPEC), [root], place, Options(), signers=signers)


def test_kit_has_components_of_all_kinds_and_all_is_described(lnm: BuiltKit) -> None:
    kinds = {component.kind for component in lnm.manifest.components}
    assert {"oci", "wheels", "debs", "npm", "git"} <= kinds
    assert lnm.coverage is not None
    assert (lnm.coverage.uncovered, lnm.coverage.absent) == ((), ())
    exempt = [path for item in lnm.manifest.exemptions for path in item.paths]
    assert all(path.endswith((".md", ".txt")) for path in exempt), "exempt are texts only"


def test_site_that_asks_holds_all_of_them_to_their_promise(lnm: BuiltKit, tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.pin(policy=policy(lines=rules("lnm/stable", kinds="verify")))
    report = site.look(lnm.path)
    assert code(report) == ""
    assert any("runner-image (oci" in sentence for sentence in report.checked)


def test_pip_installs_the_wheel_by_its_hash(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    wheels = PACKAGES / "wheels"
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-index", "--find" + "-links", wheels, "--require-hashes"),
        *("-r", wheels / "requirements.txt", "--target", tmp_path / "site"),
    )
    (tmp_path / "a.json").write_text('{"counts": {"rows": 3}}')
    text = "import sys; sys.path.insert(0, 'site'); from lnm_reports import total\n"
    text += "from pathlib import Path; print(total([Path('a.json')] * 2))"
    assert run(sys.executable, "-I", "-c", text, cwd=tmp_path) == "{'rows': 6}\n"


def test_apt_takes_the_repository(tmp_path: Path, judge: Judge) -> None:
    apt = judge("apt-get")
    for name in ("etc", "var/lib/dpkg", "var/lib/apt/lists/partial", "var/cache/apt/archives"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text("")
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{PACKAGES / 'debs'} ./\n")
    settings = {
        "Dir": tmp_path,
        "Dir::State::status": tmp_path / "var/lib/dpkg/status",
        "Dir::Etc::SourceList": tmp_path / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
    }
    options = [word for pair in settings.items() for word in ("-o", "=".join(map(str, pair)))]
    run(apt, *options, "update")
    said = run(apt, *options, "install", "--print-uris", "-qq", "lnm-operator-tools")
    assert make_packages.DEB in said
    deb = PACKAGES / "debs" / make_packages.DEB
    run(judge("dpkg-deb"), "-x", deb, tmp_path / "out")
    (tmp_path / "report.json").write_text('{"outcome": "done"}')
    ready = tmp_path / "out/opt/lnm/operator/ready"
    assert run(ready, tmp_path / "report.json") == "ready: 1 reports\n"


def test_npm_installs_the_project_with_an_empty_cache(tmp_path: Path) -> None:
    npm, node = program("npm"), program("node")
    project = tmp_path / "project"
    shutil.copytree(PACKAGES / "npm", project)
    run(npm, "ci", "--offline", "--cache", tmp_path / "cache", cwd=project)
    text = "require('lnm-report-view').lines({migration: 'm', outcome: 'done'})"
    assert run(node, "-p", text, cwd=project) == "[ 'm: done' ]\n"


def test_git_clones_the_bundle(tmp_path: Path, judge: Judge) -> None:
    git = judge("git")
    run(git, "clone", "--quiet", PACKAGES / "git" / make_packages.BUNDLE, tmp_path / "clone")
    run(git, "-C", tmp_path / "clone", "fsck", "--strict")
    assert (tmp_path / "clone/freeze-ingest.md").read_text().startswith("# Freeze ingest\n")


def test_packages_need_no_compressor() -> None:
    """Deflate without compression: as large as what is in it, and the same bytes everywhere."""
    data = bytes(70_000)
    assert len(make_packages.deflated(data)) == len(data) + 10
    assert zlib.decompress(make_packages.zlib_stored(data)) == data
