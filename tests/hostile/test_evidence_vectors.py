"""Every vector of `fixtures/evidence`: a kit, a policy, and what a host must say."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.compiled import kit_verify
from tests.support.hosting import Site, code, moment, notices, override, policy
from tests.support.making import REPOSITORY, ROOT_FILE
from tests.support.together import together
from tests.support.warm import warm
from verifier.audit.order import audit_kit
from verifier.core.errors import all_errors
from verifier.core.pipeline import Job
from verifier.evidence import errors as evidence_errors
from verifier.evidence.sigstore import errors as sigstore_errors
from verifier.host.accept import Host
from verifier.host.attestations import Given
from verifier.host.errors import PolicyInvalid
from verifier.host.policy import parse_policy
from verifier.run import run
from verifier.show.report import Report

VECTORS = REPOSITORY / "fixtures" / "evidence"
NAMES = sorted(path.name for path in VECTORS.iterdir() if (path / "expected.json").is_file())


@functools.cache
def expected_of(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((VECTORS / name / "expected.json").read_bytes())
    return value


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
        roots = self.site.trust / "sigstore"
        roots.mkdir(0o755)
        for file in self.expected["trustedRoots"]:  # as they lie there, also what is none
            data = self._read(file)
            (roots / f"{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)

    def _read(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    @property
    def given(self) -> list[Path]:
        """Files of evidence given beside the kit."""
        return [self.directory / name for name in self.expected["evidence"]]

    def look(self, monkeypatch: pytest.MonkeyPatch) -> Report:
        """Return what the host says of the kit, read as the vector wants it."""
        given = [Given(path.name, path.read_bytes()) for path in self.given]
        host = Host(self.site.directory, self.site.clock, "0.1.0", given)
        how = self.expected["how"]
        job = Job(quick=how == "quick", stop_after="index" if how == "index" else "members")
        with self.kit.open("rb") as kit:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(kit))
            return run("-" if how == "pipe" else os.fspath(self.kit), job, host=host)


def place(base: Path, name: str) -> Path:
    """Return a directory of its own for a vector."""
    made = base / name
    made.mkdir()
    return made


@together("name", NAMES)
def test_vector(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = Vector(name, place(tmp_path, name))
    report = vector.look(monkeypatch)
    assert (int(report.status), code(report)) == (
        vector.expected["exitStatus"],
        vector.expected["code"] or "",
    )
    assert (vector.expected["verdict"] == "verified") != name.endswith("_fail")


UNDECIDED = [name for name in NAMES if expected_of(name)["exitStatus"] == 3]


@together("name", UNDECIDED)
def test_what_is_undecided_may_be_let_pass_and_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second row of the table: one override of its code, and nothing else stands against it."""
    vector = Vector(name, place(tmp_path, name))
    said = vector.expected["code"]
    value = json.loads((vector.directory / vector.expected["policy"]).read_bytes())
    value["overrides"] = [*value["overrides"], override(said)]
    (vector.site.trust / "policy.json").write_bytes(json.dumps(value).encode())
    report = vector.look(monkeypatch)
    assert (int(report.status), code(report)) == (0, "")
    assert said in notices(report)


REJECTED = sorted(
    {expected_of(name)["code"] for name in NAMES if expected_of(name)["exitStatus"] == 4}
)


@together("said", REJECTED)
def test_what_is_rejected_may_not_be_let_pass_unless_it_is_absent(said: str) -> None:
    value = policy(overrides=[override(said)])
    if said == "attestation-missing":
        assert parse_policy(value).overrides
        return
    with pytest.raises(PolicyInvalid):
        parse_policy(value)


# What no policy about evidence can meet: it is said by commands that look at one bundle.
OF_ONE_BUNDLE = {
    "artifact-needed",  # what is asked of a policy is a statement, which its bundle holds
    "subject-mismatch",
    "signer-kind-mismatch",  # by somebody else: attestation-untrusted
    "identity-mismatch",
    "issuer-mismatch",
    "sbom-link-unchecked",  # above 64 MiB; test_sbom_links has it
}


def test_each_code_of_evidence_has_a_vector() -> None:
    """So that a second verifier can be held to each."""
    rooms = (evidence_errors.__name__, sigstore_errors.__name__)
    defined = {kind.code for kind in all_errors() if kind.__module__ in rooms}
    shown = {expected_of(name)["code"] for name in NAMES}
    assert defined - shown == OF_ONE_BUNDLE


def test_vectors_are_those_that_are_generated() -> None:
    from tests.support.cases.evidence import every_policy_case  # a tenth of a second

    assert list(every_policy_case()) == NAMES, "run fixtures/evidence/generate.py --write"


def test_an_audit_shows_what_an_override_let_pass_of_the_contents(tmp_path: Path) -> None:
    """It stood in the report alone, and in none of the tables that are read."""
    vector = Vector("override_kinds", tmp_path)
    host = Host(vector.site.directory, vector.site.clock, "0.1.0")
    audit = audit_kit(os.fspath(vector.kit), Job(), host=host)
    passed = [row for row in audit.decisions if row.outcome == "let pass"]
    assert [row.code for row in passed] == ["kind-unchecked"]
    assert "let kind-unchecked pass" in passed[0].relaxed_by
    assert any("requirements.txt" in f"{row.what} {row.why}" for row in audit.not_checked)
    accepted = run(os.fspath(vector.kit), Job(), host=host, accept=True)
    assert (code(accepted), list(notices(accepted))) == ("", ["kind-unchecked"])


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


def test_what_was_met_in_the_field_is_where_the_readme_of_the_tests_says() -> None:
    text = (REPOSITORY / "tests" / "README.md").read_text("utf-8")
    rows = text.partition("met in the field")[2].partition("\n## ")[0].splitlines()
    places = [row.split("|")[2] for row in rows if row.startswith("| ")][1:]
    named = [re.findall("`([^`]+)`", place) for place in places]
    assert len(named) == 7
    assert all(named)
    places_of_tests = ("tests/unit/verifier/host", "tests/hostile")
    files = (path for place in places_of_tests for path in (REPOSITORY / place).glob("test_*.py"))
    tests = "".join(path.read_text("utf-8") for path in files)
    for name in itertools.chain.from_iterable(named):
        if name.endswith(".py"):
            assert (REPOSITORY / "tests" / name).is_file(), name
        elif name.startswith("test_"):
            assert f"def {name}(" in tests, name
        else:
            assert name in NAMES, name
