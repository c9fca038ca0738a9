"""The LNM kit with its attestations meets a strict policy, and without one of them it does not."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from kit.build import Options, build
from kit.seal import seal
from kit.signing import load_signer
from kit.spec import parse_spec
from tests.support.making import ROOT_FILE, Made, key, pinned, run_verifier
from tests.unit.lnm import LNM

POLICY = LNM / "supply" / "policy.json"
ATTESTED = LNM / "attested.toml"


def make(place: Path, text: str) -> Made:
    """Build, sign and seal the kit of a spec that lies beside kit.toml."""
    root = pinned()
    place.mkdir()
    signers = [load_signer(key(name), root.targets.keys) for name in ("alice", "bob")]
    spec = parse_spec(text.encode(), file=ATTESTED)
    built = build(spec, [root], place, Options(workers=1), signers=signers)
    return Made(built.path, built, seal(built.path, root=root, workers=1), {}, frozenset())


def accept(made: Made, trust: Path, policy: Path = POLICY) -> Any:
    digest = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
    words = ["--root", str(ROOT_FILE), "--fingerprint", digest, "--policy", str(policy)]
    done = run_verifier(made, "trust", "init", "--trust", str(trust), *words, pin=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return run_verifier(made, "accept", made.path, "--trust", str(trust), pin=False)


def without(text: str, name: str) -> str:
    """Return a spec without the attestation in a file."""
    table = rf'\n\[\[attestation\]\]\nfile = "attestations/{re.escape(name)}"\n(?:\w+ = .*\n)*'
    shorter = re.sub(table, "", text)
    assert shorter != text
    return shorter


def test_the_kit_meets_the_strict_policy(tmp_path: Path) -> None:
    done = accept(make(tmp_path / "out", ATTESTED.read_text()), tmp_path / "trust")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("dropped", "kind"),
    [
        ("tests.dsse.json", "test-result"),
        ("provenance.dsse.json", "provenance"),
        ("scan.dsse.json", "vulns"),
        ("vex.dsse.json", "openvex"),
        ("image.sigstore.json", "cosign"),
        ("bundles.sigstore.json", "cosign"),
        ("", "in-toto:layout"),
    ],
)
def test_without_one_of_them_it_does_not(tmp_path: Path, dropped: str, kind: str) -> None:
    text = ATTESTED.read_text()
    text = without(text, dropped) if dropped else text.partition("\n[layout]")[0] + "\n"
    done = accept(make(tmp_path / "out", text), tmp_path / "trust")
    said = done.stdout + done.stderr
    # the kit's own provenance is there, and not by those whom the policy names
    code = "attestation-untrusted" if kind == "provenance" else "attestation-missing"
    assert (done.returncode, code in said, kind in said) == (4, True, True), said


def test_the_audit_shows_findings_with_their_answers(tmp_path: Path) -> None:
    made = make(tmp_path / "out", ATTESTED.read_text())
    assert accept(made, tmp_path / "trust").returncode == 0
    words: list[str | Path] = ["audit", made.path, "--trust", str(tmp_path / "trust"), "--json"]
    found = json.loads(run_verifier(made, *words, pin=False).stdout)["vulnerabilities"]
    told = {(row["id"], row["severity"], row["status"]) for row in found}
    assert told == {
        ("CVE-2007-4559", "critical", "answered"),  # by its score, which is above its word
        ("CVE-2024-5629", "high", "answered"),
        ("CVE-2025-4516", "medium", "open"),
    }
    assert {row["database"] for row in found} == {"2026-11-23T06:13:47Z"}


def test_findings_that_nobody_answers_are_refused(tmp_path: Path) -> None:
    policy = json.loads(POLICY.read_text())
    wanted = policy["lines"][0]["attestations"]
    policy["lines"][0]["attestations"] = [each for each in wanted if "noOpen" in each]
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    made = make(tmp_path / "out", without(ATTESTED.read_text(), "vex.dsse.json"))
    done = accept(made, tmp_path / "trust", tmp_path / "policy.json")
    said = done.stdout + done.stderr
    assert (done.returncode, "attestation-false" in said) == (4, True), said
    assert "CVE-2007-4559" in said
    assert "CVE-2025-4516" not in said
