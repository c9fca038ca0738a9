"""What a policy requires of evidence, and whom it names, in an audit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.auditing import PROVENANCE, TOOL, dump, envelope, kit_bytes, sha256, statement
from tests.support.bundles import ISSUER, NAME, STATEMENT, Wish, make_bundle, world
from tests.support.hosting import LINE, Site, moment, override, policy, rules
from tests.support.people import ROOT_FILE, root_line
from verifier.audit.jsonform import audit_value
from verifier.audit.order import approval_of, audit_kit
from verifier.audit.textform import audit_text
from verifier.cli import main
from verifier.core.pipeline import Job
from verifier.host.accept import Host
from verifier.host.attestations import Given

SECURITY: dict[str, Any] = {"name": "security", "signer": "carol"}
WANTED: dict[str, Any] = {
    "component": "c0",
    "predicateType": PROVENANCE,
    "by": {"of": ["security"], "threshold": 1},
}


def said(*names: str, about: str = sha256(TOOL)) -> bytes:
    return envelope(statement(PROVENANCE, {}, about), *names)


def audit(
    site: Site, evidence: dict[str, bytes], given: dict[str, bytes] | None = None
) -> dict[str, Any]:
    """Return the audit of a kit with this evidence, and hold its verdict to that of `verify`."""
    path = site.base / "kit"
    path.write_bytes(kit_bytes(evidence, kit={"line": LINE}))
    files = [Given(name, data) for name, data in (given or {}).items()]
    hosts = [Host(site.directory, site.clock, "0.1.0", files) for _ in range(2)]
    made = audit_kit(os.fspath(path), Job(), host=hosts[0])
    from verifier.run import run

    seen = run(os.fspath(path), Job(), host=hosts[1])
    assert made.report.status == seen.status
    codes = [report.error.code if report.error else "" for report in (made.report, seen)]
    assert codes[0] == codes[1]
    assert json.loads(approval_of(made).audit) == audit_value(made)
    return audit_value(made)


def decided(value: dict[str, Any]) -> tuple[str, str, str]:
    """Return outcome, code and what relaxed it of the one attestation that is required."""
    (row,) = [row for row in value["decisions"] if row["rule"] == "attestation"]
    assert row["about"] == "c0"
    assert PROVENANCE in row["message"]
    return row["outcome"], row["code"], row["relaxedBy"]


REQUIRED: dict[str, tuple[dict[str, bytes], dict[str, bytes], str, str]] = {
    "there": ({"a.json": said("carol")}, {}, "met", ""),
    "by another": ({"a.json": said("alice")}, {}, "failed", "attestation-untrusted"),
    "about another": (
        {"a.json": said("carol", about="00" * 32)},
        {},
        "failed",
        "attestation-missing",
    ),
    "absent": ({}, {}, "failed", "attestation-missing"),
    "given beside the kit": ({}, {"later.json": said("carol")}, "met", ""),
    "given, by another": ({}, {"later.json": said("bob")}, "failed", "attestation-untrusted"),
}


@pytest.mark.parametrize("name", REQUIRED)
def test_each_requirement_is_a_decision(name: str, tmp_path: Path) -> None:
    evidence, given, outcome, code = REQUIRED[name]
    fields: dict[str, Any] = {"attesters": [SECURITY], "lines": rules(attestations=[WANTED])}
    site = Site(tmp_path).pin(policy=policy(**fields))
    value = audit(site, evidence, given)
    assert decided(value) == (outcome, code, "")
    assert value["exitStatus"] == (0 if outcome == "met" else 4)
    against = [row for row in value["decisions"] if row["outcome"] in ("failed", "undecided")]
    assert [row["code"] for row in against] == [code] * bool(code)
    assert [row["required"] for row in value["attestations"]] == [outcome == "met"] * (
        len(evidence) + len(given)
    )


def test_override_is_a_decision_with_its_name(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "attesters": [SECURITY],
        "lines": rules(attestations=[WANTED]),
        "overrides": [override("attestation-missing")],
    }
    value = audit(Site(tmp_path).pin(policy=policy(**fields)), {})
    outcome, code, relaxed = decided(value)
    assert (outcome, code, value["exitStatus"]) == ("let pass", "attestation-missing", 0)
    assert "let attestation-missing pass" in relaxed
    assert [row["code"] for row in value["decisions"]].count("attestation-missing") == 1
    host = Host(Site(tmp_path).directory, moment("2026-11-25"), "0.1.0")
    lines = list(audit_text(audit_kit(os.fspath(tmp_path / "kit"), Job(), host=host)))
    assert any(line.startswith("decisions not met:") and ", 1 let pass" in line for line in lines)


def test_identity_that_policy_names_is_proved_and_another_one_claims(tmp_path: Path) -> None:
    root = dump(world().trusted_root())
    digest = sha256(root)
    named = {"name": "workflow", "trustedRoot": digest, "issuer": ISSUER, "identity": NAME}
    evidence = {"bundle.json": dump(make_bundle(Wish(statement=STATEMENT)))}
    site = Site(tmp_path).pin(policy=policy(attesters=[named]))
    (row,) = audit(site, evidence)["attestations"]
    assert (row["verdict"], row["code"]) == ("unjudged", "trusted-root-missing")
    assert row["claimedBy"] == [f"{NAME} ({ISSUER})"]
    site.directory.add_trusted_roots([root])
    (row,) = audit(site, evidence)["attestations"]
    assert (row["verdict"], row["signedBy"]) == ("good", [f"workflow ({NAME})"])
    assert row["timeFrom"] in ("log", "timestamp")
    assert row["signedAt"].startswith("20")


def test_files_beside_the_kit_are_given_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kit, later = tmp_path / "kit", tmp_path / "later.json"
    kit.write_bytes(kit_bytes({}))
    later.write_bytes(said("carol"))
    words = ["audit", os.fspath(kit), "--root", os.fspath(ROOT_FILE), "--json"]
    assert main([*words, "--evidence", os.fspath(later)]) == 0
    (row,) = json.loads(capsys.readouterr().out)["attestations"]
    assert (row["path"], row["signedBy"]) == (os.fspath(later), ["carol"])
    before = later.read_bytes()
    assert main([*words, "--evidence", os.fspath(later), "--html", os.fspath(later)]) == 2
    assert later.read_bytes() == before
    assert root_line()
