"""The audit: all that is known of a kit, who is proved to say it, and what nobody looked at."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, Registry

from tests.support.assembler import Draft, assemble, component
from tests.support.auditing import (
    CVE,
    PROVENANCE,
    PURL,
    TOOL,
    answer,
    audit_of,
    dump,
    envelope,
    everything,
    grype,
    job,
    kit_bytes,
    openvex,
    sha256,
    statement,
)
from tests.support.hosting import LINE, Site, policy, rules
from tests.support.making import REPOSITORY
from verifier.audit.htmlform import audit_html
from verifier.audit.jsonform import audit_bytes, audit_value
from verifier.audit.model import Audit
from verifier.audit.order import approval_of, audit_kit
from verifier.audit.textform import audit_text
from verifier.core.pipeline import Job
from verifier.host.accept import Host

SCHEMAS = REPOSITORY / "manifests" / "schema"
REPORT, SCHEMA = (
    json.loads((SCHEMAS / f"{name}.v1.json").read_text("utf-8")) for name in ("report", "audit")
)
VALIDATOR = Draft202012Validator(SCHEMA, registry=Registry([(REPORT["$id"], REPORT)]))


def value_of(audit: Audit) -> dict[str, Any]:
    """Return an audit as JSON, held to its schema."""
    value: dict[str, Any] = json.loads(audit_bytes(audit))
    assert value == audit_value(audit)
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []
    return value


def test_audit_names_who_answers_for_a_component(tmp_path: Path) -> None:
    path = tmp_path / "kit.tar.zst"
    owned = component("tools", "tools", owner="DevOps Guild")
    path.write_bytes(assemble(Draft(components=(owned,))))
    audit = audit_kit(os.fspath(path), job())
    assert [row["owner"] for row in value_of(audit)["components"]] == ["DevOps Guild"]
    assert "DevOps Guild" in "".join(audit_text(audit))


def test_audit_says_all_that_the_kit_holds(tmp_path: Path) -> None:
    evidence, data = everything()
    value = value_of(audit_of(tmp_path, evidence, data))
    assert (value["verdict"], value["exitStatus"]) == ("verified", 0)
    assert {row["outcome"] for row in value["decisions"]} == {"met"}
    assert [(row["id"], row["kinds"], row["licences"]) for row in value["components"]] == [
        ("c0", ["image"], []),
        ("c1", ["file"], ["MIT"]),
    ]
    (made,) = value["images"]
    assert (made["name"], made["platform"], made["missing"]) == ("runner:1", "linux/amd64", [])
    assert made["signedBy"] == ["alice", "bob", "carol"]
    assert [layer["carried"] for layer in made["layers"]] == [True, True]
    (sbom,) = value["sboms"]
    assert (sbom["format"], sbom["packages"], sbom["describes"]) == ("CycloneDX", 2, 1)
    assert [row["name"] for row in value["packages"]] == ["tool", "zlib"]
    coverage = value["coverage"]
    assert (coverage["units"], coverage["covered"]) == (3, 1)
    whole = f"images/runner/blobs/sha256/{made['digest'][7:]}"
    assert coverage["uncovered"] == ["tools/other", whole]
    said = {row["path"]: (row["verdict"], row["signedBy"]) for row in value["attestations"]}
    assert said == {
        "evidence/image.json": ("good", ["alice", "bob"]),
        "evidence/provenance.json": ("good", ["alice"]),
        "evidence/scan.json": ("good", ["carol"]),
        "evidence/stranger.json": ("unjudged", []),
    }
    here = {row["path"]: [one["here"] for one in row["subjects"]] for row in value["attestations"]}
    assert here["evidence/provenance.json"] == ["tools/run", ""]
    assert here["evidence/image.json"] == ["image runner:1"]
    found = {(row["path"], row["severity"]): row["status"] for row in value["vulnerabilities"]}
    assert found == {
        ("evidence/scan.json", "critical"): "open",
        ("evidence/grype.json", "high"): "answered",
    }
    assert [row["path"] for row in value["documents"]] == [
        "evidence/grype.json",
        "evidence/notes.txt",
        "evidence/vex.json",
    ]
    unchecked = {row["what"]: row["why"] for row in value["notChecked"]}
    assert "'a' is there twice" in unchecked["evidence/broken.json"]
    assert "1 signatures of attestations" in unchecked


def test_what_is_exempt_is_named_with_its_reason(tmp_path: Path) -> None:
    """A count alone signs nothing off."""

    def spare(value: Any) -> Any:
        spared = {"paths": ["tools/doc.txt", "tools/run"], "reason": "it is <b>ours</b>"}
        value["predicate"]["exemptions"] = [spared]
        return value

    path = tmp_path / "kit.tar.zst"
    path.write_bytes(assemble(Draft(), statement=spare))
    audit = audit_kit(os.fspath(path), job())
    assert "  - tools/doc.txt, tools/run; why, as the signers say: it is <b>ours</b>" in list(
        audit_text(audit)
    )
    page = audit_html(audit).decode("utf-8")
    assert "<td>tools/doc.txt, tools/run<td>it is &lt;b&gt;ours&lt;/b&gt;" in page
    strange = audit_kit(os.fspath(path), Job())  # nobody vouches for it
    assert "Exempt from SBOMs: nothing" in list(audit_text(strange))


def test_documents_are_called_as_the_index_calls_them(tmp_path: Path) -> None:
    rows = value_of(audit_of(tmp_path, {"t.TRX": b"<TestRun/>"}, {"tools/run": TOOL}))["documents"]
    assert [(row["form"], row["type"]) for row in rows] == [("report", "trx")]


def test_text_names_everything_once_in_lines_that_move_nothing(tmp_path: Path) -> None:
    evidence, data = everything()
    lines = list(audit_text(audit_of(tmp_path, evidence, data)))
    assert lines[0].startswith("VERIFIED: vector 1")
    assert all(line.isprintable() for line in lines)
    text = "\n".join(lines)
    for word in ("runner:1", CVE, "stranger.json", "tools/other", "not described by"):
        assert word in text or word == "not described by"


# --- verdict -------------------------------------------------------------------------------------

BAD = {
    "damaged": lambda data: data[:-1000] + b"\0" * 1000,
    "short": lambda data: data[:-700],
    "no kit": lambda data: b"PK" + data,
}


@pytest.mark.parametrize("name", BAD)
def test_of_a_kit_that_is_not_proved_nothing_is_read(name: str, tmp_path: Path) -> None:
    evidence, data = everything()
    path = tmp_path / "kit"
    path.write_bytes(BAD[name](kit_bytes(evidence, data)))
    audit = audit_kit(os.fspath(path), job())
    value = value_of(audit)
    assert value["exitStatus"] == 4
    for part in ("attestations", "vulnerabilities", "packages", "sboms", "images", "documents"):
        assert value[part] == []
    assert value["coverage"] is None
    assert any(row["outcome"] == "failed" for row in value["decisions"])
    assert value["notChecked"]


def test_without_a_root_nobody_vouches(tmp_path: Path) -> None:
    path = tmp_path / "kit"
    path.write_bytes(kit_bytes({}))
    value = value_of(audit_kit(os.fspath(path), Job()))
    assert (value["verdict"], value["exitStatus"]) == ("undecided", 3)
    assert value["components"] == []
    (decision,) = value["decisions"]
    assert (decision["rule"], decision["outcome"], decision["code"]) == (
        "signers",
        "undecided",
        "no-root",
    )


POLICIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "met": ({"lines": rules(signerSets=[{"name": "s", "of": ["alice"], "threshold": 1}])}, 0, ""),
    "a set that did not sign": (
        {"lines": rules(signerSets=[{"name": "s", "of": ["carol"], "threshold": 1}])},
        4,
        "signer-set-unmet",
    ),
    "another line": ({"otherLines": "refuse", "lines": rules("other/line")}, 4, "line-refused"),
    "too old": ({"lines": rules(maximumAgeDays=1)}, 3, "kit-stale"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_verdict_is_that_of_verify_and_all_of_a_refused_kit_is_shown(
    name: str, tmp_path: Path
) -> None:
    fields, status, code = POLICIES[name]
    site = Site(tmp_path, clock=1_798_000_000).pin(policy=policy(**fields))
    evidence, data = everything()
    path = tmp_path / "kit"
    path.write_bytes(kit_bytes(evidence, data, kit={"line": LINE}))
    before = site.files()
    audit = audit_kit(os.fspath(path), Job(), host=Host(site.directory, site.clock, "0.1.0"))
    value = value_of(audit)
    seen = site.look(path)
    assert value["exitStatus"] == int(seen.status) == status
    assert (seen.error.code if seen.error else "") == code
    against = [row for row in value["decisions"] if row["outcome"] in ("failed", "undecided")]
    assert [row["code"] for row in against] == [code] * bool(code)
    assert len(value["attestations"]) == 4
    assert site.files() == before


def test_kit_that_policy_refuses_and_that_is_damaged_has_both_in_its_audit(tmp_path: Path) -> None:
    site = Site(tmp_path).pin(policy=policy(otherLines="refuse"))
    path = tmp_path / "kit"
    path.write_bytes(kit_bytes({})[:-700])
    host = Host(site.directory, site.clock, "0.1.0")
    value = value_of(audit_kit(os.fspath(path), Job(), host=host))
    assert value["report"]["findings"][0]["code"] == "line-refused"
    codes = {row["code"] for row in value["decisions"]}
    assert {"line-refused", "kit-truncated"} <= codes


def test_approval_has_the_bytes_and_what_they_are_about(tmp_path: Path) -> None:
    audit = audit_of(tmp_path, {})
    made = approval_of(audit)
    assert made.audit == audit_bytes(audit)
    assert (made.verdict, made.policy_sha256) == ("verified", "")
    assert made.kit_id == json.loads(made.audit)["report"]["kitId"]


def test_same_kit_gives_the_same_bytes(tmp_path: Path) -> None:
    evidence, data = everything()
    first = audit_bytes(audit_of(tmp_path, evidence, data))
    assert first == audit_bytes(audit_of(tmp_path, evidence, data))


def test_kit_without_evidence_or_data_has_an_audit(tmp_path: Path) -> None:
    path = tmp_path / "kit"
    path.write_bytes(assemble(Draft()))
    value = value_of(audit_kit(os.fspath(path), job()))
    assert (value["verdict"], value["attestations"]) == ("verified", [])


# --- who answers ---------------------------------------------------------------------------------


def status_of(audit: Audit) -> tuple[str, list[str]]:
    """Return the status of the one finding, and who is told to have said something."""
    (row,) = audit.vulnerabilities
    return row.status, [one.by for one in row.answers]


SCAN = {"grype.json": dump(grype((CVE, "High", PURL)))}
OF_THE_IMAGE = "ab" * 32
ANSWERS = {
    "carried by the kit": (openvex(answer()), "answered"),
    "fixed": (openvex(answer("fixed")), "answered"),
    "affected": (openvex(answer("affected")), "open"),
    "looked into": (openvex(answer("under_investigation")), "open"),
    "by another name": (openvex(answer(name=f"GHSA-{CVE}")), "answered"),
    "another vulnerability": (openvex(answer(name="CVE-2026-0002")), "none"),
    "every version of it": (openvex(answer(product="pkg:deb/debian/zlib1g")), "answered"),
    "another version": (openvex(answer(product="pkg:deb/debian/zlib1g@1.3")), "none"),
    "another architecture": (
        openvex(answer(product="pkg:deb/debian/zlib1g@1.2.13?arch=arm64")),
        "none",
    ),
    "another package": (openvex(answer(product="pkg:deb/debian/zlib@1.2.13")), "none"),
    "the image": (openvex(answer(product=f"pkg:oci/x@sha256:{OF_THE_IMAGE}")), "answered"),
    "another image": (openvex(answer(product=f"pkg:oci/x@sha256:{'cd' * 32}")), "none"),
    "the package in the image": (
        openvex(
            answer(
                products=[
                    {
                        "@id": f"pkg:oci/x@sha256%3A{OF_THE_IMAGE}",
                        "subcomponents": [{"@id": "pkg:deb/debian/zlib1g"}],
                    }
                ]
            )
        ),
        "answered",
    ),
    "another package in the image": (
        openvex(
            answer(
                products=[
                    {
                        "@id": "image",
                        "hashes": {"sha-256": OF_THE_IMAGE},
                        "subcomponents": [{"@id": "pkg:deb/debian/bash"}],
                    }
                ]
            )
        ),
        "none",
    ),
    "no product": (openvex(answer(products=[])), "none"),
    "the newer one": (
        openvex(
            answer("affected", timestamp="2026-11-20T00:00:00Z"),
            answer("not_affected", timestamp="2026-11-20T00:00:00.5+00:00"),
        ),
        "answered",
    ),
    "two of one moment": (openvex(answer("not_affected"), answer("affected")), "open"),
    "an older form": (
        {
            "@context": "https://openvex.dev/ns",
            "timestamp": "2023-01-01T00:00:00Z",
            "statements": [{"vulnerability": CVE, "products": [PURL], "status": "fixed"}],
        },
        "answered",
    ),
    "a status nobody knows": (openvex(answer("harmless")), "none"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_finding_is_answered_by_what_is_about_it(name: str, tmp_path: Path) -> None:
    document, expected = ANSWERS[name]
    status, by = status_of(audit_of(tmp_path, {**SCAN, "vex.json": dump(document)}))
    assert status == ("answered" if expected == "answered" else "open")
    assert bool(by) == (expected != "none")
    assert set(by) <= {"kit signers"}


def signed_vex(*names: str) -> bytes:
    """Return VEX as a signed statement about the tool."""
    return envelope(
        statement("https://openvex.dev/ns/v0.2.0", openvex(answer()), sha256(TOOL)), *names
    )


LATER = {
    "by a kit signer": (signed_vex("carol"), "answered", ["carol"]),
    "by two": (signed_vex("carol", "alice"), "answered", ["alice, carol"]),
    "by a stranger": (signed_vex("mallory"), "open", [""]),
    "by nobody": (dump(openvex(answer())), "open", [""]),
}


@pytest.mark.parametrize("name", LATER)
def test_what_comes_later_counts_by_who_signed_it(name: str, tmp_path: Path) -> None:
    data, status, by = LATER[name]
    audit = audit_of(tmp_path, SCAN, later={"vex.json": data})
    assert status_of(audit) == (status, by)
    value_of(audit)


FORGED = {
    "of another statement": ("alice", "bad", "bundle-signature-invalid"),
    "of a stranger": ("mallory", "unjudged", ""),
}


@pytest.mark.parametrize("name", FORGED)
def test_signature_over_another_statement_is_not_good(name: str, tmp_path: Path) -> None:
    who, verdict, code = FORGED[name]
    value = json.loads(signed_vex(who))
    other = json.loads(envelope(statement(PROVENANCE, {}, sha256(TOOL)), who))
    value["signatures"] = other["signatures"]
    audit = audit_of(tmp_path, {"x.json": dump(value)})
    (row,) = audit.attestations
    assert (row.verdict, row.signed_by, row.code) == (verdict, (), code)
    assert audit.report.status == 0  # nobody asked for it
    value_of(audit)
