"""Documents become predicates when they hold what their type asks for."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.attest import documents
from kit.attest.errors import PredicateInvalid
from kit.attest.inputs import read_input
from kit.attest.predicates import make_predicate
from kit.sources.errors import LockInvalid
from kit.sources.lockfile import Lock, LockedArtifact, LockedImage, render
from tests.support.reports import REPORTS
from verifier.core.errors import KitError, UsageError

PROVENANCE: dict[str, Any] = {
    "buildDefinition": {
        "buildType": "https://ci.example/workflow/v1",
        "externalParameters": {"workflow": "release.yml", "ratio": 0.5},
        "resolvedDependencies": [{"uri": "git+https://git.example/lnm", "digest": {}}],
    },
    "runDetails": {
        "builder": {"id": "https://ci.example/hosted/1"},
        "metadata": {"startedOn": "2026-11-24T00:00:00Z"},
    },
}
VEX = json.loads((REPORTS / "openvex.json").read_bytes())
RELEASE = {"purl": "pkg:pypi/lnm@2026.11.0", "packageId": "7"}
Change = Callable[[Any], object]


def written(place: Path, value: Any) -> Path:
    path = place / "given.json"
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("kind", "value", "uri"),
    [
        ("slsa-provenance", PROVENANCE, "https://slsa.dev/provenance/v1"),
        ("vex", VEX, "https://openvex.dev/ns"),
        ("release", RELEASE, "https://in-toto.io/attestation/release/v0.2"),
        ("https://example.org/any/v1", {"x": [1.5, None]}, "https://example.org/any/v1"),
    ],
)
def test_good_documents_are_predicates_as_they_are(
    tmp_path: Path, kind: str, value: Any, uri: str
) -> None:
    made = make_predicate(kind, [read_input(written(tmp_path, value))])
    assert (made.predicate_type, made.predicate) == (uri, value)


BAD: list[tuple[str, Any, Change, str]] = [
    ("slsa-provenance", PROVENANCE, lambda v: v.pop("runDetails"), "runDetails is no object"),
    ("slsa-provenance", PROVENANCE, lambda v: v["runDetails"].pop("builder"), "builder"),
    ("slsa-provenance", PROVENANCE, lambda v: v["runDetails"]["builder"].update(id="me"), "no URI"),
    ("slsa-provenance", PROVENANCE, lambda v: v["buildDefinition"].update(buildType=""), "no text"),
    (
        "slsa-provenance",
        PROVENANCE,
        lambda v: v["buildDefinition"].pop("externalParameters"),
        "externalParameters is no object",
    ),
    (
        "slsa-provenance",
        PROVENANCE,
        lambda v: v["buildDefinition"].update(resolvedDependencies=[{"name": "x"}]),
        "[0] has neither",
    ),
    (
        "slsa-provenance",
        PROVENANCE,
        lambda v: v["runDetails"]["metadata"].update(startedOn="today"),
        "startedOn is no time",
    ),
    ("vex", VEX, lambda v: v.update({"@context": "https://example.org"}), "@context"),
    ("vex", VEX, lambda v: v.pop("author"), "author"),
    ("vex", VEX, lambda v: v.update(timestamp="2026-11-24"), "timestamp"),
    ("vex", VEX, lambda v: v.update(version="1"), "version"),
    ("vex", VEX, lambda v: v.update(statements=[]), "empty"),
    ("vex", VEX, lambda v: v["statements"][0].update(status="fine"), "status is 'fine'"),
    ("vex", VEX, lambda v: v["statements"][0].update(vulnerability={}), "no name"),
    ("vex", VEX, lambda v: v["statements"][0].update(justification="we looked"), "'we looked'"),
    (
        "vex",
        VEX,
        lambda v: (
            v["statements"][0].pop("justification"),
            v["statements"][0].pop("impact_statement"),
        ),
        "without a reason",
    ),
    ("vex", VEX, lambda v: v["statements"][0].update(status="affected"), "nothing to do"),
    ("release", RELEASE, lambda v: v.update(purl="lnm 1"), "no package URL"),
    ("release", RELEASE, lambda v: v.update(purl="pkg:pypi/lnm"), "no version"),
    ("release", RELEASE, lambda v: v.update(releaseId="7"), "packageId"),
]


@pytest.mark.parametrize(("kind", "value", "change", "said"), BAD)
def test_what_a_type_requires(
    tmp_path: Path, kind: str, value: Any, change: Change, said: str
) -> None:
    value = copy.deepcopy(value)
    change(value)
    with pytest.raises(PredicateInvalid) as caught:
        make_predicate(kind, [read_input(written(tmp_path, value))])
    assert said in caught.value.message


def test_what_a_lock_names_is_what_a_build_was_made_from(tmp_path: Path) -> None:
    one, other = "aa" * 32, "bb" * 32
    image = LockedImage(
        path="images/runner",
        name="lnm:1",
        reference="registry.example/lnm:1",
        media="application/vnd.oci.image.manifest.v1+json",
        size=7,
        sha256=one,
    )
    wheel = LockedArtifact(path="tools/x.whl", purl="pkg:pypi/x@1", size=7, sha256=other)
    lock = tmp_path / "kit.lock"
    lock.write_bytes(render(Lock(version=1, image=(image,), artifact=(wheel,))))
    value = copy.deepcopy(PROVENANCE)
    del value["buildDefinition"]["resolvedDependencies"]
    bare, full = (tmp_path / name for name in ("bare.json", "full.json"))
    bare.write_text(json.dumps(value))
    full.write_text(json.dumps(PROVENANCE))
    made = make_predicate("slsa-provenance", [read_input(bare), read_input(lock)])
    assert made.predicate["buildDefinition"]["resolvedDependencies"] == [
        {"name": "images/runner", "digest": {"sha256": one}},
        {"name": "tools/x.whl", "digest": {"sha256": other}, "uri": "pkg:pypi/x@1"},
    ]
    with pytest.raises(PredicateInvalid):
        make_predicate("slsa-provenance", [read_input(full), read_input(lock)])
    lock.write_text("version = 2")
    with pytest.raises(LockInvalid):
        make_predicate("slsa-provenance", [read_input(bare), read_input(lock)])


SPDX = Path(__file__).parents[4] / "fixtures" / "lnm" / "sboms" / "runner.spdx.json"


def test_an_sbom_is_inline_and_a_large_one_named_by_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_predicate("sbom", [read_input(SPDX)])
    assert made.predicate_type == "https://spdx.dev/Document"
    assert made.predicate == json.loads(SPDX.read_bytes())
    monkeypatch.setattr(documents, "INLINE", 100)
    made = make_predicate("sbom", [read_input(SPDX)])
    assert made.predicate_type == "https://in-toto.io/attestation/reference/v0.1"
    (reference,) = made.predicate["references"]
    assert reference["digest"] == {"sha256": hashlib.sha256(SPDX.read_bytes()).hexdigest()}
    assert reference["mediaType"] == "application/spdx+json"
    assert reference["downloadLocation"].startswith("ni:///sha-256;")


def test_cyclonedx_has_a_type_of_its_own_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    good = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    made = make_predicate("sbom", [read_input(written(tmp_path, good))])
    assert made.predicate_type == "https://cyclonedx.org/bom"
    with pytest.raises(KitError) as caught:
        make_predicate("sbom", [read_input(written(tmp_path, {**good, "components": 7}))])
    assert caught.value.code.startswith("sbom-")


def test_a_mistyped_type_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        make_predicate("test-results", [])
    assert "test-result" in caught.value.fix
    with pytest.raises(UsageError):
        make_predicate("no uri", [])
