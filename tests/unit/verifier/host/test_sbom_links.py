"""What an SBOM is linked to holds at the site: in every audit, and where a policy asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.attesting import kit_with
from tests.support.auditing import TOOL, audit_of, cyclonedx, sha256
from tests.support.hosting import Site, code, override, policy, rules
from verifier.audit.model import FAILED, UNDECIDED
from verifier.core.pipeline import Opened
from verifier.evidence.links import TYPE, SbomLink, encode_links
from verifier.host.accept import Host
from verifier.show.report import Report, render_text

DATA = {"tools/run": TOOL, "tools/other": b"other"}
DOCUMENT = "evidence/sbom/a.cdx.json"
VERIFY = rules(sbomLinks="verify")


def element(name: str, digest: str = "") -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": digest}] if digest else []
    return {"type": "file", "name": name, "bom-ref": name, "hashes": hashes}


SBOM = cyclonedx(element("run", sha256(TOOL)), element("bare"))
GOOD = SbomLink(DOCUMENT, "run", "tools/run")


def evidence(*links: SbomLink, sbom: bytes = SBOM) -> dict[str, bytes]:
    return {"sbom-links.json": encode_links(links), "sbom/a.cdx.json": sbom}


def site(place: Path, papers: dict[str, bytes], **fields: Any) -> tuple[Site, Path]:
    made = Site(place).pin(policy=policy(**{"lines": VERIFY, **fields}))
    path = place / "kit.tar.zst"
    path.write_bytes(kit_with(papers, DATA))
    return made, path


def section(report: Report, title: str) -> str:
    return render_text(report).partition(f"\n{title}:\n")[2].partition("\n\n")[0]


def test_link_that_holds(tmp_path: Path) -> None:
    host, path = site(tmp_path, evidence(GOOD))
    report = host.look(path)
    assert code(report) == ""
    assert "links of SBOMs: each element has" in section(report, "checked")
    assert "links of SBOMs" not in section(report, "NOT checked")
    audit = audit_of(tmp_path, evidence(GOOD), DATA)
    assert int(audit.report.status) == 0
    assert any("links of SBOMs" in item.message for item in audit.decisions)
    assert not any("links" in item.what for item in audit.not_checked)


def test_a_kit_without_links_owes_none(tmp_path: Path) -> None:
    host, path = site(tmp_path, {"sbom/a.cdx.json": SBOM})
    assert code(host.accept(path)) == ""


FALSE = {
    "no such element": (evidence(SbomLink(DOCUMENT, "x", "tools/run")), "is no element"),
    "no digest": (evidence(SbomLink(DOCUMENT, "bare", "tools/run")), "has no SHA-256"),
    "another member": (evidence(SbomLink(DOCUMENT, "run", "tools/other")), "another SHA-256"),
    "no member": (evidence(SbomLink(DOCUMENT, "run", "tools/x")), "does not carry"),
    "no path": (evidence(SbomLink(DOCUMENT, "run", "../../etc/passwd")), "does not carry"),
    "no document": (evidence(SbomLink("evidence/sbom/b.json", "run", "tools/run")), "is no SBOM"),
    "a document elsewhere": (evidence(SbomLink("tools/run", "run", "tools/run")), "is no SBOM"),
    "two elements": (
        evidence(GOOD, sbom=cyclonedx(element("run", sha256(TOOL)), element("run", "ab" * 32))),
        "has two elements 'run'",
    ),
    "no SBOM": (evidence(GOOD, sbom=b"{}"), "has none of spdxVersion"),
    "no JSON": (evidence(GOOD, sbom=b"{"), "line 1"),
    "not a list of links": ({"sbom-links.json": b"[]\n"}, "is no object"),
    "another type": ({"sbom-links.json": b'{"links":[],"type":"x"}\n'}, "is no object"),
    "another spelling": (
        {"sbom-links.json": encode_links([GOOD]).replace(b":", b": "), "sbom/a.cdx.json": SBOM},
        "",
    ),
    "another field": (
        {"sbom-links.json": b'{"links":[{"x":1}],"type":"%s"}\n' % TYPE.encode()},
        "other fields",
    ),
    "no text": (
        {
            "sbom-links.json": b'{"links":[{"document":1,"element":"a","member":"b"}],'
            b'"type":"%s"}\n' % TYPE.encode()
        },
        "is no text",
    ),
    "twice": (
        {
            "sbom-links.json": json.dumps(
                {"links": [vars(GOOD)] * 2, "type": TYPE}, separators=(",", ":")
            ).encode()
            + b"\n",
            "sbom/a.cdx.json": SBOM,
        },
        "is there twice",
    ),
}


@pytest.mark.parametrize("what", FALSE)
def test_link_that_does_not_hold(tmp_path: Path, what: str) -> None:
    papers, why = FALSE[what]
    host, path = site(tmp_path, papers)
    report = host.accept(path, extract=tmp_path / "out")
    assert (code(report), int(report.status)) == ("sbom-link-false", 4)
    assert why in str(report.error)
    assert not (tmp_path / "out").exists()
    audit = audit_of(tmp_path, papers, DATA)
    assert [(item.outcome, item.code) for item in audit.decisions if item.code] == [
        (FAILED, "sbom-link-false")
    ]
    assert int(audit.report.status) == 4


@pytest.mark.parametrize("lines", [[], rules(), rules(sbomLinks="report")])
def test_nobody_asks(tmp_path: Path, lines: list[Any]) -> None:
    host, path = site(tmp_path, FALSE["another member"][0], lines=lines)
    report = host.look(path)
    assert code(report) == ""
    assert "links of SBOMs: that each element has" in section(report, "NOT checked")


def test_document_that_is_not_read_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.linkjudge.LinkJudge.member", len(SBOM) - 1)
    host, path = site(tmp_path, evidence(GOOD))
    report = host.look(path)
    assert (code(report), int(report.status)) == ("sbom-link-unchecked", 3)
    audit = audit_of(tmp_path, evidence(GOOD), DATA)
    assert (UNDECIDED, "sbom-link-unchecked") in [
        (item.outcome, item.code) for item in audit.decisions
    ]
    let_pass = policy(lines=VERIFY, overrides=[override("sbom-link-unchecked")])
    (host.trust / "policy.json").write_bytes(let_pass)
    report = host.look(path)
    assert code(report) == ""
    assert "let sbom-link-unchecked pass" in section(report, "let pass or noted")


def test_sboms_are_read_up_to_64_mib() -> None:
    from verifier.evidence.foreign import MAX_BYTES
    from verifier.linkjudge import LinkJudge

    assert LinkJudge.member == MAX_BYTES == 64 << 20


def test_fractions_are_normal(tmp_path: Path) -> None:
    sbom = SBOM.replace(b'"version": 1', b'"version": 1, "x": 7.5e-3', 1)
    host, path = site(tmp_path, evidence(GOOD, sbom=sbom))
    assert code(host.look(path)) == ""


def test_policy_that_comes_to_ask_while_a_kit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, path = site(tmp_path, evidence(GOOD), lines=[])
    judge, asked = Host.judge, list[str]()

    def change_meanwhile(self: Host, opened: Opened) -> None:
        judge(self, opened)
        if not asked:
            asked.append("once")
            (host.trust / "policy.json").write_bytes(policy(lines=VERIFY))

    monkeypatch.setattr(Host, "judge", change_meanwhile)
    assert code(host.accept(path)) == "sbom-link-unchecked"
    assert code(host.accept(path)) == ""
