"""A site whose policy demands evidence: a plan and a run of its kits read that evidence."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.making import KEYS, ROOT_FILE
from tests.support.program import quiet_run
from tests.support.running import Grounds, step

TESTS = "https://in-toto.io/attestation/test-result/v0.1"
REPORT = '<testsuite tests="1" failures="0"><testcase classname="a" name="b"/></testsuite>'
ATTESTED = """
[[attestation]]
file = "tests.dsse.json"
component = "tools"
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    """Return a site that takes no kit whose programs nobody has tested."""
    grounds = Grounds(tmp_path_factory.mktemp("strict"))
    grounds.make(step("a"))
    policy = {
        "type": "https://offline-kit.example/policy/v1",
        "name": "strict",
        "attesters": [{"name": "ci", "publicKey": (KEYS / "grace.pub").read_text()}],
        "lines": [
            {
                "line": "demo/stable",
                "attestations": [
                    {
                        "component": "tools",
                        "predicateType": TESTS,
                        "by": {"of": ["ci"], "threshold": 1},
                        "tests": "passed",
                    }
                ],
            }
        ],
    }
    (grounds.top / "policy.json").write_text(json.dumps(policy))
    grounds.trust = grounds.top / "host" / "strict"
    number = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
    words: list[str | Path] = [sys.executable, "-I", grounds.top / "host" / "kit-verify.pyz"]
    words += ["trust", "init", "--root", ROOT_FILE, "--fingerprint", number]
    words += ["--policy", grounds.top / "policy.json", "--trust", grounds.trust]
    subprocess.run(words, check=True, capture_output=True)
    return grounds


def attested(grounds: Grounds) -> Path:
    """Return the same kit with what CI says of its tests."""
    source = grounds.top / "release"
    (source / "report.xml").write_text(REPORT)
    words = ["attest", str(source / "report.xml"), "--type", "test-result", "--in"]
    words += [str(source / "kit.toml"), "--subject", "component:tools"]
    words += ["--key", str(KEYS / "grace.pem"), "--out", str(source / "tests.dsse.json")]
    assert quiet_run(*words) == 0
    spec = source / "kit.toml"
    spec.write_text(spec.read_text() + ATTESTED)
    return grounds.build(spec, "attested")


def test_plan_and_run_hear_the_evidence(strict: Grounds) -> None:
    for command in ("plan", "run"):
        done = strict.go(strict.new(command), 4)
        assert "error[attestation-missing]" in done.stderr
    assert not strict.log()
    strict.kit = attested(strict)
    strict.go(strict.new("plan"), 0)
    strict.begin(0)
    assert strict.log() == ["--apply a"]
