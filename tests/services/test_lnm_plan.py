"""The release half of the LNM plan, with a real bucket and a real registry; `make lnm` does all."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support import lnmplan
from tests.support.lnmplan import LINE, PLAN, Page, Places, make_project, places, table
from tests.support.making import KEYS, REPOSITORY
from tests.support.pipelines import tree

POLICY = lnmplan.LNM / "supply" / "policy.json"


def test_the_report_says_each_row_and_what_failed() -> None:
    page = Page(about={"Release": "<lnm> 1"})
    assert not page.is_done
    for name in PLAN:
        page.add(name, "<done> | so", 1.0)
    assert page.verdict() == f"DONE: all {len(PLAN)} rows of the plan"
    assert page.markdown().count("\n| ") == len(PLAN) + 1
    assert page.html().count("&lt;done&gt;") == len(PLAN)
    assert "<dt>Release</dt><dd>&lt;lnm&gt; 1</dd>" in page.html()
    assert "* Release: <lnm> 1\n" in page.markdown()
    page.failed = "staging: it stopped"
    assert "NOT DONE: staging: it stopped" in page.markdown()
    assert "NOT DONE: staging: it stopped" in page.html()


@pytest.mark.parametrize("command", [one for row in PLAN.values() for one in row.commands])
def test_each_command_of_the_plan_is_one(command: str) -> None:
    """What a row of the README says can be typed, but for the names in capitals."""
    program, *words = command.split()
    module = {"offline-kit": "kit.cli", "kit-run.pyz": "runner", "kit-verify.pyz": "verifier"}
    names = [*takewhile(re.compile("[a-z][a-z-]*").fullmatch, words)]
    done = subprocess.run(
        [sys.executable, "-I", "-m", module[program], *names, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", done.stdout), option


def test_the_readme_shows_the_plan_row_by_row() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert table() in readme
    assert readme.index(table()) < readme.index("## Set up"), "on its first screen"


@pytest.mark.long
def test_sources_become_a_release_that_a_strict_site_takes(tmp_path: Path, judge: Judge) -> None:
    judge("docker-registry")
    if not lnmplan.WHEELS.is_dir():
        pytest.skip("not run: `make lnm-servers` fetches the driver")
    with places(tmp_path / "servers") as where:
        host = _Host(tmp_path, where)
        host.prepare()
        assert host.run("offline-kit", "release", host.spec) == 3
        assert host.run("offline-kit", "sign", "--detached", "out/lnm-2026.11.0", *BOB) == 0
        assert host.run("offline-kit", "release", host.spec, "--resume") == 0
        for name, place in (("low", where.bucket), ("other", where.repository)):
            words = ["fetch", LINE, "--from", place, "--to", name, f"--root={KEYS}/root.json"]
            words += [f"--publisher={KEYS}/mallory.pub", "--plain-http", where.store]
            assert host.run("offline-kit", *words, "--plain-http", where.registry) == 0
    assert tree(tmp_path / "low") == tree(tmp_path / "other")
    medium = tmp_path / "low" / "lnm-2026.11.0"
    command: list[str | Path] = [sys.executable, "-I", medium / "kit-verify.pyz", "accept"]
    command += [medium / "lnm-2026.11.0.tar.zst", "--trust", tmp_path / "sites" / "hall-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "attestation in-toto:layout" in done.stdout) == (0, True)


BOB = (f"--key=bob={KEYS}/bob.pem", "--out=out")


class _Host:
    """A release host with the project of the plan."""

    def __init__(self, top: Path, where: Places) -> None:
        self._top, self._where = top, where
        self._base = make_project(top / "release", where).parent
        self.spec = "release/fixtures/lnm/plan.toml"

    def run(self, program: str, *words: str, inside: bool = False) -> int:
        real = [sys.executable, "-m", "kit.cli" if program == "offline-kit" else program, *words]
        environment = {**os.environ, **self._where.environment, "PYTHONPATH": str(REPOSITORY)}
        environment["OFFLINE_KIT_STORE"] = str(self._top / "store")
        where = self._base if inside else self._top
        return subprocess.run(real, cwd=where, env=environment, check=False).returncode

    def prepare(self) -> None:
        layout, ci = "supply/root.layout", f"--functionary={KEYS}/grace.pub"
        time = "--expires=2027-11-24T00:00:00Z"
        assert self.run("offline-kit", "layout", "init", layout, time, inside=True) == 0
        for step, made in (("image", "images/*"), ("export", "artifacts/lnm/*")):
            rules = ["--materials=ALLOW *", f"--products=ALLOW {made}", "--products=DISALLOW *"]
            words = ["layout", "add", layout, step, ci, *rules]
            assert self.run("offline-kit", *words, inside=True) == 0
        key = f"--key={KEYS}/frank.pem"
        assert self.run("offline-kit", "layout", "sign", layout, key, inside=True) == 0
        number = hashlib.sha256((KEYS / "root.json").read_bytes()).hexdigest()
        words = ["trust", "init", f"--root={KEYS}/root.json", f"--fingerprint={number}"]
        (self._top / "sites").mkdir()
        trust = f"--trust={self._top}/sites/hall-1"
        assert self.run("verifier", *words, f"--policy={POLICY}", trust) == 0
