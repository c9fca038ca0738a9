"""`offline-kit sbom check`: each fault has its code and its place, and good documents pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.sbom.check import check_sbom
from tests.support.program import said_by
from tests.support.sboms import (
    CYCLONEDX,
    DROP,
    KINDS,
    SPDX2,
    SPDX3,
    changed,
)
from tests.support.together import together

ZERO = "0" * 40


def faults(data: bytes, *, for_kit: bool = False) -> list[tuple[str, str]]:
    """Return code and place of each fault."""
    checked = check_sbom(data, "x", for_kit=for_kit)
    assert (checked.sbom is None) <= bool(checked.errors)
    for error in checked.errors:
        assert error.fix.endswith(".")
        assert str(error).isprintable() or "\n  fix: " in str(error)
    return [
        (error.code, error.where.removeprefix("x").removeprefix(": ")) for error in checked.errors
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_document_is_good_in_a_kit_too(kind: str) -> None:
    assert faults(changed(KINDS[kind]), for_kit=True) == []


GRAPH = "/@graph"
REF = "/packages/0/externalRefs/0/referenceLocator"
FAULTS: dict[str, tuple[dict[str, Any], str, Any, str, str]] = {
    # --- CycloneDX
    "cyclonedx of no known version": (CYCLONEDX, "/specVersion", "2.0", "sbom-unsupported", ""),
    "cyclonedx of another format": (CYCLONEDX, "/bomFormat", "Cyclone", "sbom-unsupported", ""),
    "cyclonedx without a version": (CYCLONEDX, "/specVersion", DROP, "sbom-unsupported", ""),
    "component without a name": (
        CYCLONEDX, "/components/0/name", DROP, "sbom-shape", "/components/0"
    ),
    "component of no type": (
        CYCLONEDX, "/components/0/type", "thing", "sbom-shape", "/components/0/type"
    ),
    "unknown field": (CYCLONEDX, "/components/0/colour", "red", "sbom-shape", "/components/0"),
    "the alternative that was meant is named": (
        CYCLONEDX, "/components/0/licenses", [{"license": {"id": "No-Such"}}],
        "sbom-shape", "/components/0/licenses/0/license/id",
    ),
    "dependency on nothing": (
        CYCLONEDX, "/dependencies/0/dependsOn/1", "gone", "sbom-dangling",
        "/dependencies/0/dependsOn/1",
    ),
    "dependency of nothing": (
        CYCLONEDX, "/dependencies/0/ref", "gone", "sbom-dangling", "/dependencies/0/ref"
    ),
    "bom-ref twice": (
        CYCLONEDX, "/components/1/bom-ref", "bson", "sbom-duplicate-id", "/components/1/bom-ref"
    ),
    "cyclonedx purl": (
        CYCLONEDX, "/components/0/purl", "pypi:bson", "sbom-purl-invalid", "/components/0/purl"
    ),
    "cyclonedx expression": (
        CYCLONEDX, "/components/0/licenses/0/expression", "MIT AND (", "sbom-licence-invalid",
        "/components/0/licenses/0/expression",
    ),
    # --- SPDX 2
    "spdx of no known version": (SPDX2, "/spdxVersion", "SPDX-2.1", "sbom-unsupported", ""),
    "spdx without creators": (
        SPDX2, "/creationInfo/creators", [], "sbom-shape", "/creationInfo/creators"
    ),
    "package without a name": (SPDX2, "/packages/0/name", DROP, "sbom-shape", "/packages/0"),
    "id that is none": (SPDX2, "/packages/0/SPDXID", "p", "sbom-shape", "/packages/0/SPDXID"),
    "relationship of no type": (
        SPDX2, "/relationships/0/relationshipType", "LIKES", "sbom-shape",
        "/relationships/0/relationshipType",
    ),
    "unknown algorithm": (
        SPDX2, "/files/0/checksums/0/algorithm", "CRC", "sbom-shape",
        "/files/0/checksums/0/algorithm",
    ),
    "relationship to nothing": (
        SPDX2, "/relationships/1/relatedSpdxElement", "SPDXRef-gone", "sbom-dangling",
        "/relationships/1/relatedSpdxElement",
    ),
    "relationship to a document that is not named": (
        SPDX2, "/relationships/1/relatedSpdxElement", "DocumentRef-x:SPDXRef-y", "sbom-dangling",
        "/relationships/1/relatedSpdxElement",
    ),
    "documentDescribes nothing that is there": (
        SPDX2, "/documentDescribes", ["SPDXRef-gone"], "sbom-dangling", "/documentDescribes/0"
    ),
    "hasFiles nothing that is there": (
        SPDX2, "/packages/0/hasFiles", ["SPDXRef-gone"], "sbom-dangling", "/packages/0/hasFiles/0"
    ),
    "SPDXID twice": (
        SPDX2, "/packages/1", {**SPDX2["packages"][0]}, "sbom-duplicate-id", "/packages/1/SPDXID"
    ),
    "spdx licence": (
        SPDX2, "/packages/0/licenseDeclared", "MIT AND NONE", "sbom-licence-invalid",
        "/packages/0/licenseDeclared",
    ),
    "licence in a list": (
        SPDX2, "/files/0/licenseInfoInFiles", ["MIT", "Nobody-1.0"], "sbom-licence-invalid",
        "/files/0/licenseInfoInFiles/1",
    ),
    "spdx purl": (SPDX2, REF, "pkg:deb", "sbom-purl-invalid", REF),
    # --- SPDX 3
    "context of another version": (SPDX3, "/@context", "https://x", "sbom-unsupported", ""),
    "class that is none": (SPDX3, f"{GRAPH}/3/type", "Car", "sbom-shape", f"{GRAPH}/3/type"),
    "abstract class": (SPDX3, f"{GRAPH}/3/type", "Artifact", "sbom-shape", f"{GRAPH}/3/type"),
    "property of another class": (
        SPDX3, f"{GRAPH}/3/subject", "a:b", "sbom-shape", f"{GRAPH}/3/subject"
    ),
    "property that is missing": (SPDX3, f"{GRAPH}/3/spdxId", DROP, "sbom-shape", f"{GRAPH}/3"),
    "word of no vocabulary": (
        SPDX3, f"{GRAPH}/4/relationshipType", "likes", "sbom-shape",
        f"{GRAPH}/4/relationshipType",
    ),
    "object of another class": (
        SPDX3, f"{GRAPH}/3/verifiedUsing/0", {"type": "DictionaryEntry", "key": "k"}, "sbom-shape",
        f"{GRAPH}/3/verifiedUsing/0/type",
    ),
    "one where there are several": (
        SPDX3, f"{GRAPH}/4/to", "a:b", "sbom-shape", f"{GRAPH}/4/to"
    ),
    "relationship to nothing in spdx 3": (
        SPDX3, f"{GRAPH}/4/to/0", "https://example.org/gone", "sbom-dangling", f"{GRAPH}/4/to"
    ),
    "spdxId twice": (
        SPDX3, f"{GRAPH}/3/spdxId", "https://example.org/licence", "sbom-duplicate-id",
        f"{GRAPH}/5/spdxId",
    ),
    "spdx 3 licence": (
        SPDX3, f"{GRAPH}/5/simplelicensing_licenseExpression", "A B", "sbom-licence-invalid",
        f"{GRAPH}/5/simplelicensing_licenseExpression",
    ),
    "spdx 3 purl": (
        SPDX3, f"{GRAPH}/3/software_packageUrl", "runner@1", "sbom-purl-invalid",
        f"{GRAPH}/3/software_packageUrl",
    ),
}  # fmt: skip


@together(("document", "place", "value", "code", "where"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_has_its_code_and_place(
    document: dict[str, Any], place: str, value: Any, code: str, where: str
) -> None:
    assert (code, where) in faults(changed(document, (place, value)))


FIELD: dict[str, tuple[dict[str, Any], list[tuple[str, Any]]]] = {
    "file without checksums": (SPDX2, [("/files/0/checksums", DROP)]),
    "file with a checksum of zeros": (
        SPDX2, [("/files/0/checksums/0", {"algorithm": "SHA1", "checksumValue": ZERO})]
    ),
    "categories as 2.2 spells them": (
        SPDX2, [("/packages/0/externalRefs/0/referenceCategory", "PACKAGE_MANAGER"),
                ("/spdxVersion", "SPDX-2.2")],
    ),
    "relationship to NOASSERTION": (
        SPDX2, [("/relationships/1/relatedSpdxElement", "NOASSERTION")]
    ),
    "relationship to another document": (
        SPDX2, [("/relationships/1/relatedSpdxElement", "DocumentRef-x:SPDXRef-y"),
                ("/externalDocumentRefs", [{
                    "externalDocumentId": "DocumentRef-x", "spdxDocument": "https://example.org/x",
                    "checksum": {"algorithm": "SHA1", "checksumValue": "1" * 40}}])],
    ),
    "licences that nobody lists": (
        SPDX2, [("/packages/0/licenseDeclared", "DocumentRef-x:LicenseRef-y OR GPL-2.0+")]
    ),
    "cyclonedx LicenseRef": (
        CYCLONEDX, [("/components/0/licenses/0/expression", "LicenseRef-own AND MIT")]
    ),
    "bom-link to another document": (
        CYCLONEDX, [("/dependencies/0/dependsOn/1",
                     "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#a")]
    ),
    "spdx 3 with an element of SPDX itself": (
        SPDX3, [("/@graph/4/to/0", "https://spdx.org/licenses/MIT")]
    ),
    "spdx 3 with an element of another document": (
        SPDX3, [("/@graph/4/to/0", "https://example.org/elsewhere"),
                ("/@graph/2/import", [{
                    "type": "ExternalMap", "externalSpdxId": "https://example.org/elsewhere"}])],
    ),
    "spdx 3 with an extension": (
        SPDX3, [("/@graph/3/extension", [{"type": "https://example.org/mine", "colour": "red"}])]
    ),
    "one id for a package and a file": (SPDX2, [("/files/0/SPDXID", "SPDXRef-runner"),
                                               ("/relationships/1", DROP)]),
}  # fmt: skip


@together(("document", "changes"), FIELD.values(), ids=FIELD.keys())
def test_what_the_field_writes_is_no_fault(
    document: dict[str, Any], changes: list[tuple[str, Any]]
) -> None:
    assert faults(changed(document, *changes)) == []


def test_files_analyzed_against_files_is_noted_and_no_fault() -> None:
    checked = check_sbom(changed(SPDX2, ("/packages/0/filesAnalyzed", False)), "x")
    assert not checked.errors
    assert [note.split(":")[0] for note in checked.notes] == ["/packages/0/filesAnalyzed"]


USE: dict[str, tuple[dict[str, Any], list[tuple[str, Any]], str, str]] = {
    "cyclonedx without a root": (CYCLONEDX, [("/metadata", DROP), ("/dependencies", [])],
                                 "sbom-describes-nothing", ""),
    "spdx 2 without DESCRIBES": (SPDX2, [("/relationships/0", DROP)], "sbom-describes-nothing", ""),
    "spdx 3 without a root": (SPDX3, [("/@graph/2/rootElement", DROP)],
                              "sbom-describes-nothing", ""),
    "only SHA-1": (CYCLONEDX, [("/components/0/hashes/0", {"alg": "SHA-1", "content": "1" * 40})],
                   "sbom-without-sha256", ""),
    "zeros": (SPDX2, [("/files/0/checksums/1", {"algorithm": "SHA1", "checksumValue": ZERO})],
              "sbom-zero-checksum", "/files/0"),
    "a SHA-256 of zeros covers nothing": (
        CYCLONEDX, [("/components/0/hashes/0", {"alg": "SHA-256", "content": "0" * 64})],
        "sbom-without-sha256", ""),
}  # fmt: skip


@together(("document", "changes", "code", "where"), USE.values(), ids=USE.keys())
def test_use_in_a_kit_asks_for_more(
    document: dict[str, Any], changes: list[tuple[str, Any]], code: str, where: str
) -> None:
    data = changed(document, *changes)
    assert faults(data) == []
    assert (code, where) in faults(data, for_kit=True)


def test_faults_beyond_twenty_are_counted() -> None:
    names = [f"gone{i}" for i in range(30)]
    checked = check_sbom(changed(CYCLONEDX, ("/dependencies/0/dependsOn", names)), "x")
    assert (len(checked.errors), checked.more) == (20, 10)


# --- the command -----------------------------------------------------------------------------


def run(*arguments: str | Path) -> tuple[int, str]:
    return said_by("sbom", "check", *arguments)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.json"
    path.write_bytes(changed(CYCLONEDX))
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.json"
    path.write_bytes(changed(SPDX2, ("/documentDescribes", ["SPDXRef-gone"])))
    return path


def test_each_file_is_judged_and_the_worst_decides(good: Path, bad: Path) -> None:
    status, output = run(bad, good)
    assert status == 4
    assert f"error[sbom-dangling]: {bad}: /documentDescribes/0: 'SPDXRef-gone' is not" in output
    assert f"{good}: good, CycloneDX 1.6, 3 elements" in output
    assert run(good)[0] == 0
    assert run(good, good.parent / "none")[0] == 2


def test_json_says_the_same(good: Path, bad: Path) -> None:
    status, output = run("--json", good, bad)
    assert status == 4
    one, other = json.loads(output)["files"]
    assert (one["good"], one["format"], one["version"], one["elements"]) == (
        True, "CycloneDX", "1.6", 3
    )  # fmt: skip
    assert other["good"] is False
    assert [(e["code"], e["place"]) for e in other["errors"]] == [
        ("sbom-dangling", "/documentDescribes/0")
    ]


def test_a_directory_is_no_sbom(tmp_path: Path) -> None:
    status, output = run(tmp_path)
    assert status == 2
    assert "error[sbom-missing]" in output


def test_for_kit_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    path.write_bytes(changed(CYCLONEDX, ("/metadata", DROP), ("/dependencies", DROP)))
    assert run(path)[0] == 0
    assert run("--for-kit", path)[0] == 4


def test_a_short_text_that_is_refused_is_repeated() -> None:
    refused = {
        "/components/0/type": ("librari", "'librari' is not one of"),
        "/serialNumber": ("x" * 101, "value does not match"),
        "/components/0/externalReferences": (
            [{"type": "vcs", "url": "a\x1b[2J b"}],
            "'a\\x1b[2J b' is no \"iri-reference\"",
        ),
    }
    for place, (value, said) in refused.items():
        (error,) = check_sbom(changed(CYCLONEDX, (place, value)), "x").errors
        assert error.message.startswith(said), error.message
