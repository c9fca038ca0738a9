"""An audit always judges kinds, by SHA-512 too, whatever the policy asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cases.kinds import kit_of, package
from tests.support.hosting import Site, override, policy, rules
from tests.support.judging import pinned
from tests.support.kindfiles import GOOD, Files, integrity, oci
from verifier.audit.model import FAILED, Audit
from verifier.audit.order import audit_kit
from verifier.core.pipeline import Job
from verifier.host.accept import Host

OTHER = package("file:tarballs/x-1.tgz", integrity(b"y"))  # its SHA-512 is not the one named


def audited(place: Path, kind: str, files: Files, host: Host | None = None) -> Audit:
    path = place / "kit.tar.zst"
    path.write_bytes(kit_of(kind, files))
    return audit_kit(os.fspath(path), Job(root=pinned() if host is None else None), host=host)


def outcomes(audit: Audit) -> list[tuple[str, str]]:
    return [(item.outcome, item.code) for item in audit.decisions if item.code]


@pytest.mark.parametrize("kind", GOOD)
def test_good_component_is_said_to_be_good(tmp_path: Path, kind: str) -> None:
    audit = audited(tmp_path, kind, GOOD[kind]())
    assert (int(audit.report.status), outcomes(audit)) == (0, [])
    assert any(f"c ({kind}:" in item.message for item in audit.decisions)
    assert not any("kinds promise" in item.what for item in audit.not_checked)


def test_each_broken_promise_is_a_decision(tmp_path: Path) -> None:
    audit = audited(tmp_path, "oci", {**oci(), "a": b"a", "b": b"b"})
    assert outcomes(audit) == [(FAILED, "kind-file-unexpected")] * 2
    assert int(audit.report.status) == 4


@pytest.mark.parametrize("lines", [[], rules(kinds="verify")])
def test_sha512_is_compared_by_an_audit_alone(tmp_path: Path, lines: list[object]) -> None:
    site = Site(tmp_path).pin(policy=policy(lines=lines))
    audit = audited(tmp_path, "npm", OTHER, Host(site.directory, site.clock, "0.1.0"))
    assert outcomes(audit) == [(FAILED, "npm-integrity-mismatch")]
    assert int(site.look(tmp_path / "kit.tar.zst").status) == 0


def test_policy_may_let_pass_what_could_not_be_looked_into(tmp_path: Path) -> None:
    large = {**oci(), "index.json": oci()["index.json"] + b" " * (4 << 20)}
    assert int(audited(tmp_path, "oci", large).report.status) == 3
    site = Site(tmp_path).pin(policy=policy(overrides=[override("kind-unchecked")]))
    audit = audited(tmp_path, "oci", large, Host(site.directory, site.clock, "0.1.0"))
    assert int(audit.report.status) == 0
