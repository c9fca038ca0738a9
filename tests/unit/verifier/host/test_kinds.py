"""Kinds are judged where a policy asks for it, and else named as what nobody looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases.kinds import kit_of
from tests.support.hosting import Site, code, override, policy, rules
from tests.support.kindfiles import GOOD, Files, debs, oci
from verifier.core.errors import KitError
from verifier.core.pipeline import Opened
from verifier.host.accept import Host
from verifier.show.report import Report, render_text
from verifier.show.reportvalue import report_value

VERIFY = rules(kinds="verify")
BAD: Files = {**oci(), "README": b"x"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def kit(site: Site, kind: str, files: Files) -> Path:
    path = site.base / "kit.tar.zst"
    path.write_bytes(kit_of(kind, files))
    return path


def section(report: Report, title: str) -> str:
    text = render_text(report)
    return text.partition(f"\n{title}:\n")[2].partition("\n\n")[0]


@pytest.mark.parametrize("kind", GOOD)
def test_good_component_is_said_to_be_good(site: Site, kind: str) -> None:
    site.pin(policy=policy(lines=VERIFY))
    report = site.look(kit(site, kind, GOOD[kind]()))
    assert code(report) == ""
    assert f"what kinds promise: c ({kind}" in section(report, "checked")
    assert "kind" not in section(report, "NOT checked")


@pytest.mark.parametrize("asked", [None, policy(), policy(lines=rules()), b""])
def test_kind_that_nobody_asks_about_is_named(site: Site, asked: bytes | None) -> None:
    site.pin(policy=policy(lines=rules(kinds="report")) if asked == b"" else asked)
    report = site.look(kit(site, "oci", BAD))
    assert code(report) == ""
    assert "what kinds promise: c (oci)" in section(report, "NOT checked")
    assert report_value(report)["kit"]["components"][0]["kind"] == "oci"


def test_unknown_kind_is_carried_and_named(site: Site) -> None:
    site.pin(policy=policy(lines=VERIFY))
    report = site.look(kit(site, "x-new", BAD))
    assert code(report) == ""
    assert "what kind 'x-new' of component 'c' promises" in section(report, "NOT checked")
    assert "component: c 1 (x-new) -> /opt/c" in render_text(report)


def test_runbook_is_said_to_be_judged_by_who_runs_it(site: Site) -> None:
    site.pin(policy=policy(lines=VERIFY))
    report = site.look(kit(site, "runbook", {"runbook.json": b"{}"}))
    assert "the runbook 'c': kit-run.pyz judges it" in section(report, "NOT checked")
    assert "not known here" not in section(report, "NOT checked")


def test_broken_promise_refuses_and_leaves_nothing(site: Site) -> None:
    site.pin(policy=policy(lines=VERIFY))
    before = site.files()
    report = site.accept(kit(site, "oci", BAD), extract=site.base / "out")
    assert (code(report), int(report.status), report.proof) == ("kind-file-unexpected", 4, "full")
    assert not (site.base / "out").exists()
    assert site.files() == before, "a kit that is refused is not remembered"


def test_all_that_is_broken_is_named_and_a_rejection_comes_first(site: Site) -> None:
    site.pin(policy=policy(lines=VERIFY))
    files = {**debs(), "x.txt": b"x", "Packages": debs()["Packages"] + bytes(4 << 20)}
    report = site.look(kit(site, "debs", files))
    found = [item["code"] for item in report_value(report)["findings"]]
    assert found == ["kind-file-unexpected", "debs-release-mismatch", "kind-unchecked"]


def test_what_is_too_large_is_undecided_and_can_be_let_pass(site: Site) -> None:
    large = {**oci(), "index.json": oci()["index.json"] + b" " * (4 << 20)}
    path = kit(site, "oci", large)
    site.pin(policy=policy(lines=VERIFY))
    report = site.look(path)
    assert (code(report), int(report.status)) == ("kind-unchecked", 3)
    assert "4194304 bytes" in str(report.error)
    (site.trust / "policy.json").write_bytes(
        policy(lines=VERIFY, overrides=[override("kind-unchecked")])
    )
    report = site.look(path)
    assert code(report) == ""
    assert "let kind-unchecked pass" in section(report, "let pass or noted")


def test_policy_that_comes_to_ask_while_a_kit_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin(policy=policy())
    path = kit(site, "oci", oci())
    judge, asked = Host.judge, list[str]()

    def change_meanwhile(self: Host, opened: Opened) -> None:
        judge(self, opened)
        if not asked:
            asked.append("once")
            (site.trust / "policy.json").write_bytes(policy(lines=VERIFY))

    monkeypatch.setattr(Host, "judge", change_meanwhile)
    assert code(site.accept(path)) == "kind-unchecked"
    assert code(site.accept(path)) == ""


@pytest.mark.parametrize("value", ["Verify", "", True, None])
def test_other_words_are_no_policy(site: Site, value: Any) -> None:
    site.pin(policy=policy())
    data = json.loads(policy(lines=[{"line": "a", "kinds": "verify"}]))
    data["lines"][0]["kinds"] = value
    (site.trust / "policy.json").write_bytes(json.dumps(data).encode())
    with pytest.raises(KitError) as raised:
        Host(site.directory, site.clock, "0.1.0")._trusted.choose(
            Host(site.directory, site.clock, "0.1.0").root
        )
    assert raised.value.code == "policy-invalid"
