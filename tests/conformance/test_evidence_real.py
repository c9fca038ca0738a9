"""Real evidence in kits: what npm and GitHub's workflows publish meets a policy, or does not.

The files lie beside the checkout and are other people's; without them the tests are "not run".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_sigstore_real import (
    ACTIONS,
    CORPORA,
    GENERATOR,
    NPM,
    NPM_KEY,
    PROVENANCE,
    PUBLISHED,
    SLSA,
)
from tests.support.assembler import component
from tests.support.attesting import attester, kit_with, sha256
from tests.support.hosting import CLOCK, Site, code, policy, rules
from verifier.core.pipeline import Job
from verifier.host.accept import Host
from verifier.run import run
from verifier.show.report import render_text

pytestmark = pytest.mark.skipif(not SLSA.is_dir(), reason=f"not run: {SLSA} is not there")

WORKFLOW = f"{GENERATOR}delegator_lowperms-generic_slsa3.yml@refs/tags/*"


def root() -> bytes:
    return (CORPORA / "sigstore" / "trusted_root.json").read_bytes()


def workflow(identity: str) -> dict[str, Any]:
    """Return an attester: a workflow under the public-good root."""
    return attester("workflow", trustedRoot=sha256(root()), issuer=ACTIONS, identity=identity)


def wanted(kind: str, who: str, **more: Any) -> dict[str, Any]:
    by = {"of": [who], "threshold": 1}
    return {"component": "c0", "predicateType": kind, "by": by, **more}


def look(
    base: Path, data: dict[str, bytes], evidence: dict[str, bytes], who: Any, asked: Any
) -> str:
    """Return the code that a host has for a kit."""
    site = Site(base)
    site.pin(policy=policy(attesters=who, lines=rules(attestations=asked)))
    site.directory.add_trusted_roots([root()])
    kit = base / "kit.tar.zst"
    parts = [component("c0", "web")]
    kit.write_bytes(kit_with(evidence, data, components=parts))
    report = run(str(kit), Job(), host=Host(site.directory, CLOCK, "0.1.0"))
    print(render_text(report))
    return code(report)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("", ""),
        ("-invalidsigpub", "attestation-untrusted"),
        ("-invalidsigprov", "bundle-signature-invalid"),
    ],
)
def test_package_of_npm(which: str, expected: str, tmp_path: Path) -> None:
    """npm's key says that it was published, a workflow how it was built; both by SHA-512 only."""
    data = {"web/package.tgz": (NPM / "provenance-npm-test-ossf.tgz").read_bytes()}
    name = f"provenance-npm-test-ossf{which}.tgz.json"
    evidence = {name: (NPM / name).read_bytes()}
    star = WORKFLOW.replace("refs/tags/*", "*")
    who = [workflow(star), attester("npm", publicKey=NPM_KEY)]
    asked = [wanted(PUBLISHED, "npm"), wanted(PROVENANCE, "workflow")]
    assert look(tmp_path, data, evidence, who, asked) == expected


def test_older_provenance_is_named_where_the_newer_is_wanted(tmp_path: Path) -> None:
    data = {"web/package.tgz": (NPM / "provenance-npm-test-ossf.tgz").read_bytes()}
    name = "provenance-npm-test-ossf.tgz.json"
    who = [workflow(WORKFLOW.replace("refs/tags/*", "*"))]
    asked = [wanted("https://slsa.dev/provenance/v1", "workflow")]
    found = look(tmp_path, data, {name: (NPM / name).read_bytes()}, who, asked)
    assert found == "attestation-missing"


def test_another_package_is_not_what_npm_attests(tmp_path: Path) -> None:
    name = "provenance-npm-test-ossf.tgz.json"
    evidence = {name: (NPM / name).read_bytes()}
    who = [attester("npm", publicKey=NPM_KEY)]
    found = look(tmp_path, {"web/a.tgz": b"x"}, evidence, who, [wanted(PUBLISHED, "npm")])
    assert found == "attestation-missing"


def test_file_that_a_workflow_attests(tmp_path: Path) -> None:
    data = {"web/MODULE.bazel": (SLSA / "MODULE.bazel").read_bytes()}
    evidence = {"m.intoto.jsonl": (SLSA / "MODULE.bazel.intoto.jsonl").read_bytes()}
    name = "https://github.com/bazel-contrib/*/.github/workflows/publish.yaml@refs/tags/v0.0.1"
    asked = [wanted("https://slsa.dev/provenance/v1", "workflow")]
    assert look(tmp_path, data, evidence, [workflow(name)], asked) == ""
