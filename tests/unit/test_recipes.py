"""The recipes for continuous integration: their files have the shape, and their lines run.

What installs offline-kit is stood in for, since tests have no network: it is held to what it names,
and puts this checkout where the lines look for it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from kit.roots.metadata import build_root
from tests.conftest import JUDGES
from tests.support.making import KEYS, REPOSITORY
from tools.ready import caller

PAGE = (REPOSITORY / "docs/howto/ci.md").read_text("utf-8")
BLOCKS = {
    match[1]: match[2] for match in re.finditer(r"^```\S+ (\S+)\n(.*?)^```$", PAGE, re.M | re.S)
}
ACTION = (REPOSITORY / "action.yml").read_text("utf-8")
WORKFLOW = ".github/workflows/release.yml"
INSTALLER = """\
#!/bin/sh
# stands in for an installer: no network here
echo "$(basename "$0") $*" >> "{log}"
for word; do case $word in -*) ;; *.txt|*offline-kit) test -e "$word" || exit 9;; esac; done
"""
PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
mkdir -p "$3/bin"
cp {programs}/pip {programs}/offline-kit "$3/bin"
echo 'PATH="'$3'/bin:$PATH"' > "$3/bin/activate"
"""


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


# --- the shape of the files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("github-workflows", BLOCKS[WORKFLOW]),
        ("github-actions", ACTION),
        ("gitlab-ci", BLOCKS[".gitlab-ci.yml"]),
    ],
)
def test_a_file_has_the_shape_that_its_system_publishes(schema: str, text: str) -> None:
    place = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{schema}.json"
    judge = jsonschema_rs.validator_for(json.loads(place.read_text("utf-8")), offline=True)
    value = YAML(typ="safe", pure=True).load(text)
    assert [error.message for error in judge.iter_errors(value)] == []
    assert not judge.is_valid([value]), "it refuses something"


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    program = shutil.which("actionlint") or shutil.which("actionlint", path=os.fspath(JUDGES))
    if program is None:
        pytest.skip("not run: actionlint is not installed")
    file = tmp_path / "release.yml"
    file.write_text(BLOCKS[WORKFLOW])
    done = subprocess.run([program, "-no-color", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_foreign_is_pasted_into_a_script() -> None:
    """``${{ }}`` in a script would let the name of a branch or a tag run there."""
    steps = [*load(ACTION)["runs"]["steps"], *load(BLOCKS[WORKFLOW])["jobs"]["kit"]["steps"]]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 3
    assert not [script for script in scripts if "${{" in script]
    assert re.findall(r"sh '''", BLOCKS["Jenkinsfile"])


def test_the_action_tells_what_its_page_names() -> None:
    action = load(ACTION)
    assert set(action["outputs"]) == {"kit", "directory", "kit-id", "sealed"}
    used = load(BLOCKS[WORKFLOW])["jobs"]["kit"]["steps"][1]
    assert set(used["with"]) <= set(action["inputs"])
    assert used["uses"] == "OWNER/offline-kit@v1"  # so it stands at the top of the repository


# --- their lines ---------------------------------------------------------------------------------


class Runner:
    """A host of a pipeline: a checkout of somebody's release, and what installs stood in for."""

    def __init__(self, place: Path, threshold: int) -> None:
        self.place, self.work, self.log = place, place / "checkout", place / "installed"
        programs = place / "programs"
        for folder in (programs, self.work / "app", place / "temp"):
            folder.mkdir(parents=True)
        for name in ("kit.toml", "app/install.txt"):
            (self.work / name).write_text(BLOCKS[name])
        (self.work / "offline-kit").symlink_to(REPOSITORY)
        signers = [("ci", KEYS / "alice.pub"), ("bob", KEYS / "bob.pub")]
        root = build_root(
            signers,
            threshold,
            expires=datetime(2040, 1, 1, tzinfo=timezone.utc),
            sign_with=[f"{KEYS}/alice.pem", f"{KEYS}/bob.pem"],
        )
        (self.work / "root.json").write_bytes(root)
        kit = f'PYTHONPATH={REPOSITORY} exec {caller()} "$@"\n'
        self._write(programs / "offline-kit", f"#!/bin/sh\n{kit}")
        for name in ("pip", "pipx", "uv"):
            self._write(programs / name, INSTALLER.format(log=self.log))
        text = PYTHON.format(python=sys.executable, programs=programs)
        self._write(programs / "python3", text)
        self.environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": os.fspath(place),
            "CI_KEY": (KEYS / "alice.pem").read_text(),
            "RUNNER_TEMP": os.fspath(place / "temp"),
            **{f"GITHUB_{n}": f"{place}/{n}" for n in ("OUTPUT", "PATH", "STEP_SUMMARY")},
        }

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def run(self, script: str, **more: str) -> str:
        """Run a script as pipelines do; return what it printed."""
        done = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.work,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def release_before(self) -> None:
        """Make the first release, and keep what `seal` noted of it in the repository."""
        key = f"--key bob={KEYS}/bob.pem"
        self.run(f"offline-kit build --set kit.version=v1 --key ci {key} --out {self.place}/old")
        noted = self.work / "releases/app-v1"
        noted.mkdir(parents=True)
        shutil.copy(self.place / "old/app-v1/app-v1.sealed.json", noted)


@pytest.fixture(params=[1, 2], ids=["the pipeline alone", "a person has yet to sign"])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    host = Runner(tmp_path, request.param)
    host.release_before()
    host.environment["THRESHOLD"] = str(request.param)
    return host


def check(host: Runner) -> None:
    """Hold a release to what the recipes promise: the next sequence, one signer, sealed or not."""
    release = host.work / "out/app-v2"
    assert (release / "app-v2.tar.zst").exists()
    shown = host.run("offline-kit review show out/app-v2/app-v2.tar.zst --json")
    head = json.loads(shown)
    assert (head["kit"]["sequence"], head["signers"]) == (2, ["ci"])
    sealed = host.environment["THRESHOLD"] == "1"
    assert (release / "app-v2.sealed.json").exists() == sealed


@pytest.mark.long
def test_gitlab_lines_run(runner: Runner) -> None:
    script = load(BLOCKS[".gitlab-ci.yml"])["kit"]["script"]
    runner.run("\n".join(script), CI_COMMIT_TAG="v2")
    check(runner)
    assert "--require-hashes -r offline-kit/requirements/runtime.txt" in runner.log.read_text()


@pytest.mark.long
def test_jenkins_lines_run(runner: Runner) -> None:
    found = re.search(r"sh '''\n(.*?)'''", BLOCKS["Jenkinsfile"], re.S)
    assert found
    runner.run(found[1], VERSION="v2")
    check(runner)


def expanded(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ *(\S+) *\}\}", lambda found: values[found[1]], str(text))


@pytest.mark.long
def test_github_lines_run(runner: Runner) -> None:
    """The action's steps with the inputs of the page's workflow, and then the workflow's own."""
    action, steps = load(ACTION), load(BLOCKS[WORKFLOW])["jobs"]["kit"]["steps"]
    given = {"github.ref_name": "v2", "github.action_path": os.fspath(REPOSITORY)}
    inputs = {name: value.get("default", "") for name, value in action["inputs"].items()}
    inputs |= {name: expanded(text, given) for name, text in steps[1]["with"].items()}
    given |= {f"inputs.{name}": value for name, value in inputs.items()}
    for step in action["runs"]["steps"]:
        env = {name: expanded(text, given) for name, text in step["env"].items()}
        runner.run(step["run"], **env)
        added = runner.place / "PATH"
        runner.environment["PATH"] = f"{added.read_text().strip()}:{runner.environment['PATH']}"
    check(runner)
    told = dict(line.split("=", 1) for line in (runner.place / "OUTPUT").read_text().splitlines())
    assert told["directory"] == "out/app-v2"
    assert told["sealed"] == ("true" if runner.environment["THRESHOLD"] == "1" else "false")
    given |= {f"steps.kit.outputs.{name}": value for name, value in told.items()}
    last = steps[-1]
    runner.run(last["run"], **{name: expanded(text, given) for name, text in last["env"].items()})
    assert told["kit-id"] in (runner.place / "STEP_SUMMARY").read_text()


@pytest.mark.parametrize("name", ["install-pip", "install-pipx", "install-uv"])
def test_install_lines_run(tmp_path: Path, name: str) -> None:
    host = Runner(tmp_path, 1)
    host.run(BLOCKS[name])
    assert "offline-kit" in host.log.read_text()
