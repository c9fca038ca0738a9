"""Every vector of `fixtures/evidence`: a kit, a policy, and what a host must say."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases.evidence import every_policy_case
from tests.support.compiled import kit_verify
from tests.support.hosting import Site, code, moment
from tests.support.making import REPOSITORY, ROOT_FILE
from tests.support.warm import warm
from verifier.core.pipeline import Job
from verifier.host.accept import Host
from verifier.host.attestations import Given
from verifier.run import run

VECTORS = REPOSITORY / "fixtures" / "evidence"
NAMES = sorted(path.name for path in VECTORS.iterdir() if (path / "expected.json").is_file())


class Vector:
    """A vector as somebody else finds it: by its files alone."""

    def __init__(self, name: str, base: Path) -> None:
        self.directory = VECTORS / name
        self.expected: dict[str, Any] = json.loads(self._read("expected.json"))
        self.kit = base / "kit.tar.zst"
        self.kit.write_bytes(gzip.decompress(self._read("kit.gz")))
        self.site = Site(base, moment(self.expected["clock"]))
        root = (self.directory / self.expected["root"]).read_bytes()
        policy = self._read(self.expected["policy"])
        self.site.directory.make(root, hashlib.sha256(root).hexdigest(), policy)
        self.site.directory.add_trusted_roots(
            [self._read(file) for file in self.expected["trustedRoots"]]
        )

    def _read(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    @property
    def given(self) -> list[Path]:
        """Files of evidence given beside the kit."""
        return [self.directory / name for name in self.expected["evidence"]]


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = Vector(name, tmp_path)
    given = [Given(path.name, path.read_bytes()) for path in vector.given]
    host = Host(vector.site.directory, vector.site.clock, "0.1.0", given)
    how = vector.expected["how"]
    job = Job(quick=how == "quick", stop_after="index" if how == "index" else "members")
    with vector.kit.open("rb") as kit:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(kit))
        path = "-" if how == "pipe" else os.fspath(vector.kit)
        report = run(path, job, host=host)
    assert (int(report.status), code(report)) == (
        vector.expected["exitStatus"],
        vector.expected["code"] or "",
    )
    assert (vector.expected["verdict"] == "verified") != name.endswith("_fail")


def test_vectors_are_those_that_are_generated() -> None:
    assert list(every_policy_case()) == NAMES, "run fixtures/evidence/generate.py --write"


CODES = {"identity": 0, "absent_fail": 4, "root_missing_fail": 3, "finding_answered_anew_fail": 4}


@pytest.mark.parametrize("name", CODES)
def test_vector_with_the_shipped_program(name: str, tmp_path: Path) -> None:
    vector = Vector(name, tmp_path)
    command = [os.fspath(vector.kit), "--json"]
    command += ["--trust", os.fspath(vector.site.trust)]
    for path in vector.given:
        command += ["--evidence", os.fspath(path)]
    before = vector.site.files()
    done = warm(kit_verify()).run(command)
    assert done.returncode == CODES[name], done.stderr
    report = json.loads(done.stdout)
    codes = [finding["code"] for finding in report["findings"]]
    assert codes == ([vector.expected["code"]] if vector.expected["code"] else [])
    (decision,) = report["trust"]["attestations"]
    assert decision["verdict"] == {0: "met", 3: "undecided", 4: "rejected"}[CODES[name]]
    assert vector.site.files() == before, "looking writes nothing"
    assert ROOT_FILE.exists()
