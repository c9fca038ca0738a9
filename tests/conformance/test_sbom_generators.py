"""What other tools write of a small project is decided good, in every version that they write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kit.sbom.check import check_file
from tests.conftest import Judge

INTEGRITY = "sha512-" + "A" * 86 + "=="
FORMATS = [
    *(f"cyclonedx-json@1.{minor}" for minor in (2, 3, 4, 5, 6)),
    *(f"spdx-json@2.{minor}" for minor in (2, 3)),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return an npm project that nothing has to be fetched for."""
    own: dict[str, Any] = {"name": "mini", "version": "1.0.0", "license": "(MIT OR Apache-2.0)"}
    own["dependencies"] = {"left": "1.0.0", "@scope/right": "2.0.0"}
    left = {"version": "1.0.0", "integrity": INTEGRITY, "license": "ISC"}
    right = {**left, "version": "2.0.0", "dependencies": {"left": "1.0.0"}}
    packages = {"": own, "node_modules/left": left, "node_modules/@scope/right": right}
    lock = {"name": "mini", "version": "1.0.0", "lockfileVersion": 3, "packages": packages}
    (tmp_path / "package.json").write_text(json.dumps(own))
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    return tmp_path


def good(path: Path, kind: str, version: str) -> None:
    checked = check_file(path)
    assert checked.errors == ()
    assert (checked.format, checked.version) == (kind, version)
    assert checked.sbom is not None
    assert len(checked.sbom.elements) >= 3


@pytest.mark.parametrize(
    ("form", "kind", "version"),
    [
        ("cyclonedx", "CycloneDX", "1.5"),
        pytest.param("spdx", "SPDX", "2.3", marks=pytest.mark.long),
    ],
)
def test_what_npm_writes(form: str, kind: str, version: str, project: Path, judge: Judge) -> None:
    command: list[str | Path] = [
        judge("npm"),
        "sbom",
        "--package-lock-only",
        "--offline",
        f"--sbom-format={form}",
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, check=True)
    (project / "sbom.json").write_bytes(done.stdout)
    good(project / "sbom.json", kind, version)


@pytest.mark.long
def test_what_syft_writes(project: Path) -> None:
    outputs = [f"--output={form}={project / form}" for form in FORMATS]
    # syft passes over all that lies below /dev, where tests have their files if that is memory
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        shutil.copytree(project, place, dirs_exist_ok=True)
        syft_looks(place, outputs)
    for form in FORMATS:
        name, _, version = form.partition("-json@")
        good(project / form, {"spdx": "SPDX", "cyclonedx": "CycloneDX"}[name], version)


def syft_looks(place: str, outputs: list[str]) -> None:
    """Have syft describe a directory."""
    program = Path(sysconfig.get_path("scripts"), "syft")
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    command: list[str | Path] = [program, "scan", f"dir:{place}", "--quiet", *outputs]
    subprocess.run(command, env=environment, check=True)
