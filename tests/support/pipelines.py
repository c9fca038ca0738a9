"""Projects with a whole pipeline: a step, tests, two signers, a directory of releases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.making import KEYS, ROOT_FILE

PASSES = """\
<testsuites tests="1" failures="0"><testsuite name="app" tests="1" failures="0">\
<testcase classname="app" name="starts"/></testsuite></testsuites>
"""
EXPORT = "import shutil; shutil.copytree('app', 'artifacts/app', dirs_exist_ok=True)"
TESTS = (
    "import pathlib; pathlib.Path('artifacts/tests.xml').write_text(open('expected.xml').read())"
)
SPEC = """\
[kit]
name = "app"
version = "1.0"
line = "app/stable"
sequence = 12
created = 2026-11-24T00:00:00Z
summary = "an app for tests"

[[component]]
id = "app"
version = "1.0"
path = "app"
lands = "/opt/app"
[[component.source]]
dir = "artifacts/app"

[[evidence]]
path = "tests"
[[evidence.source]]
file = "artifacts/tests.xml"

[[attestation]]
file = "artifacts/tests.dsse.json"
component = "app"
"""
RELEASE = f"""\
[release]
root = "{ROOT_FILE}"
out = "out"
to = ["dir:releases"]
publisher = "{KEYS}/frank.pem"
owners = ["App Guild"]

[release.keys]
alice = "{KEYS}/alice.pem"
carol = "{KEYS}/carol.pem"

[[release.step]]
name = "export"
run = ["python3", "-c", "{EXPORT}"]
materials = ["app"]
products = ["artifacts/app"]
key = "{KEYS}/frank.pem"

[release.test]
run = ["python3", "-c", "{TESTS}"]
reports = ["artifacts/tests.xml"]
inputs = ["expected.xml"]
attestation = "artifacts/tests.dsse.json"
key = "{KEYS}/frank.pem"
"""


def make_project(top: Path, release: str = RELEASE, spec: str = SPEC) -> Path:
    """Write a project; what `release` reads stands in offline-kit.toml.  Return its spec."""
    (top / "app").mkdir(parents=True)
    (top / "artifacts").mkdir()
    (top / "app" / "run.sh").write_text("echo started\n")
    (top / "expected.xml").write_text(PASSES)
    (top / "offline-kit.toml").write_text(release)
    (top / "kit.toml").write_text(spec)
    return top / "kit.toml"


def without(text: str, *headers: str) -> str:
    """Return TOML without the tables that have these headers."""
    kept, skipping = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            skipping = line.strip() in headers
        if not skipping:
            kept.append(line)
    return "".join(kept)


def tree(top: Path) -> dict[str, str]:
    """Return the digest of every file below a directory, by its path."""
    return {
        path.relative_to(top).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(top.rglob("*"))
        if path.is_file()
    }


def state(top: Path) -> Mapping[str, Any]:
    """Return what is noted of each task."""
    tasks: Mapping[str, Any] = json.loads((top / "kit.release.json").read_text())["tasks"]
    return tasks
