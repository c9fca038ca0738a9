"""Security signs a kit off under a policy, and a site's policy can ask for that."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from kit.approve import APPROVAL
from kit.attest.model import Made
from kit.attest.statement import Subject, envelope_bytes, statement_bytes
from kit.keys import new_key
from kit.signing.attesters import load_attester
from tests.support.making import ROOT_FILE, make_kit, run_verifier
from tests.support.making import Made as MadeKit
from tests.support.program import Run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    new_key("ed25519", tmp_path, "security", None)
    new_key("ed25519", tmp_path, "stranger", None)
    return tmp_path


@pytest.fixture
def made(here: Path) -> MadeKit:
    return make_kit(here / "made")


def policy(*requirements: dict[str, Any], line: str = "demo/stable", **more: Any) -> bytes:
    key = Path("security.pub").read_text()
    value = {
        "type": "https://offline-kit.example/policy/v1",
        "name": "security",
        "attesters": [{"name": "security", "publicKey": key}],
        "lines": [{"line": line, "attestations": list(requirements), **more}],
    }
    return json.dumps(value).encode()


ASKED = {
    "component": "@kit",
    "predicateType": APPROVAL,
    "by": {"of": ["security"], "threshold": 1},
    "maximumAgeDays": 30,
}


def approve(run: Run, made: MadeKit, *words: str) -> tuple[int, str, str]:
    kit = str(made.path)
    options = ["--policy", "policy.json", "--root", str(ROOT_FILE), "--key", "security.pem"]
    return run("approve", kit, *options, *words)


def accept(made: MadeKit, place: Path, *words: str) -> Any:
    """Accept a kit at a site whose policy asks for an approval."""
    if not place.exists():
        digest = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
        setup = ["--root", str(ROOT_FILE), "--fingerprint", digest, "--policy", "policy.json"]
        done = run_verifier(made, "trust", "init", "--trust", str(place), *setup, pin=False)
        assert done.returncode == 0, done.stderr
    return run_verifier(made, "accept", made.path, "--trust", str(place), *words, pin=False)


def test_what_is_signed_and_written(here: Path, made: MadeKit, offline_kit: Run) -> None:
    Path("policy.json").write_bytes(policy(ASKED))
    status, said, error = approve(offline_kit, made)
    assert status == 0, error
    audit = Path("audit.json").read_bytes()
    assert json.loads(audit)["verdict"] == "verified"
    envelope = json.loads(Path("approval.dsse.json").read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["subject"] == [{"name": "kitId", "digest": {"sha256": made.built.kit_id}}]
    assert statement["predicateType"] == APPROVAL
    assert statement["predicate"] | {"at": ""} == {
        "at": "",
        "audit": {"sha256": hashlib.sha256(audit).hexdigest()},
        "policy": {"sha256": hashlib.sha256(policy(ASKED)).hexdigest()},
        "verdict": "verified",
    }
    assert made.built.kit_id in said


def test_a_site_asks_for_it(here: Path, made: MadeKit, offline_kit: Run) -> None:
    Path("policy.json").write_bytes(policy(ASKED))
    done = accept(made, here / "site")
    assert (done.returncode, "attestation-missing" in done.stdout + done.stderr) == (4, True)
    assert approve(offline_kit, made)[0] == 0
    done = accept(made, here / "site", "--evidence", "approval.dsse.json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_approval_by_somebody_else_or_of_another_kit(
    here: Path, made: MadeKit, offline_kit: Run
) -> None:
    Path("policy.json").write_bytes(policy(ASKED))
    for key, digest in (("stranger", str(made.built.kit_id)), ("security", "ab" * 32)):
        subject = Subject("kitId", (("sha256", digest),))
        at = {"at": "2026-11-29T00:00:00Z", "verdict": "verified"}
        data = statement_bytes([subject], Made(APPROVAL, at))
        Path("a.json").write_bytes(envelope_bytes(data, [load_attester(f"{key}.pem", {})]))
        done = accept(made, here / "site", "--evidence", "a.json")
        assert done.returncode == 4, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "more", "code"),
    [
        ("another/line", {}, "line-refused"),
        (
            "demo/stable",
            {"signerSets": [{"name": "build", "of": ["carol"], "threshold": 1}]},
            "signer-set-unmet",
        ),
    ],
)
def test_a_kit_that_the_policy_refuses_is_not_approved(
    here: Path, made: MadeKit, offline_kit: Run, line: str, more: dict[str, Any], code: str
) -> None:
    Path("policy.json").write_bytes(policy(ASKED, line=line, **more))
    status, _, error = approve(offline_kit, made)
    assert (status, "error[approval-refused]" in error, code in error) == (4, True, True)
    assert json.loads(Path("audit.json").read_bytes())["verdict"] == "rejected"
    assert not Path("approval.dsse.json").exists()


def test_other_evidence_is_asked_for_all_the_same(
    here: Path, made: MadeKit, offline_kit: Run
) -> None:
    kind = "https://example.org/review/v1"
    review = {
        "component": "@kit",
        "predicateType": kind,
        "by": {"of": ["security"], "threshold": 1},
    }
    Path("policy.json").write_bytes(policy(ASKED, review))
    status, _, error = approve(offline_kit, made)
    assert (status, "attestation-missing" in error) == (4, True), error
    Path("review.json").write_text("{}")
    words = ["--type", kind, "--subject", f"kit:{made.path}", "--key", "security.pem"]
    assert offline_kit("attest", "review.json", *words, "--out", "r.json")[0] == 0
    status, _, error = approve(offline_kit, made, "--evidence", "r.json")
    assert status == 0, error


def test_a_damaged_kit_and_one_of_strangers(here: Path, made: MadeKit, offline_kit: Run) -> None:
    Path("policy.json").write_bytes(policy(ASKED))
    data = bytearray(made.path.read_bytes())
    data[-9000] ^= 1
    made.path.write_bytes(data)
    status, _, error = approve(offline_kit, made)
    assert status != 0, error
    assert "error[approval-" in error
    assert not Path("approval.dsse.json").exists()
    Path("policy.json").write_text("{}")
    status, _, error = approve(offline_kit, made)
    assert (status, "error[policy-invalid]" in error) == (3, True)
