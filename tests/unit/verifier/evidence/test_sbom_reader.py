"""The operator's reader of SBOMs: elements, digests, what the document is about; never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sboms import CYCLONEDX, KINDS, ONE, SPDX2, SPDX3, TWO, changed
from tests.support.together import together
from verifier.evidence.sbom import Element, NotAnSbom, parse_sbom, read_sbom


def only(document: dict[str, Any], name: str, *changes: tuple[str, Any]) -> Element:
    sbom = parse_sbom(changed(document, *changes))
    return next(element for element in sbom.elements if element.name == name)


def test_elements_of_cyclonedx() -> None:
    sbom = parse_sbom(changed(CYCLONEDX))
    assert (sbom.format, sbom.version, sbom.name) == ("CycloneDX", "1.6", "runner")
    assert [element.place for element in sbom.elements] == [
        "/metadata/component",
        "/components/0",
        "/components/1",
    ]
    assert [element.name for element in sbom.described()] == ["runner"]
    bson = only(CYCLONEDX, "bson")
    assert (bson.version, bson.purl, bson.licence, bson.sha256) == (
        "4.18.3",
        "pkg:pypi/bson@4.18.3",
        "MIT OR Apache-2.0",
        ONE,
    )


def test_components_within_components_are_elements() -> None:
    inner = {"type": "library", "name": "inner", "group": "g", "version": "1"}
    nested = only(CYCLONEDX, "g/inner", ("/components/1/components", [inner]))
    assert nested.place == nested.id == "/components/1/components/0"


def test_elements_of_spdx_2() -> None:
    sbom = parse_sbom(changed(SPDX2))
    assert (sbom.format, sbom.version, sbom.name) == ("SPDX", "2.3", "runner")
    assert [(one.kind, one.name, one.sha256) for one in sbom.elements] == [
        ("package", "runner", ONE),
        ("file", "./bin/runner", TWO),
    ]
    assert only(SPDX2, "runner").licence == "MIT AND LicenseRef-own"
    assert only(SPDX2, "runner").purl == "pkg:deb/debian/runner@1.4.2?arch=amd64"


def test_each_way_of_spdx_2_to_say_what_it_is_about() -> None:
    backwards = {
        "spdxElementId": "SPDXRef-file",
        "relationshipType": "DESCRIBED_BY",
        "relatedSpdxElement": "SPDXRef-DOCUMENT",
    }
    data = changed(SPDX2, ("/relationships/1", backwards), ("/documentDescribes", ["SPDXRef-else"]))
    assert parse_sbom(data).about == {"SPDXRef-runner", "SPDXRef-file", "SPDXRef-else"}


def test_elements_of_spdx_3() -> None:
    sbom = parse_sbom(changed(SPDX3))
    assert (sbom.format, sbom.version, sbom.name) == ("SPDX", "3.0.1", "runner")
    (runner,) = sbom.elements
    assert list(sbom.described()) == [runner]
    assert (runner.version, runner.purl, runner.licence, runner.sha256) == (
        "1.4.2",
        "pkg:generic/runner@1.4.2",
        "Apache-2.0 WITH LLVM-exception",
        ONE,
    )


def test_spdx_3_follows_references_to_hashes_and_through_collections() -> None:
    hashed = {"type": "Hash", "@id": "_:hash", "algorithm": "sha256", "hashValue": TWO}
    sbom = {
        "type": "software_Sbom",
        "spdxId": "https://example.org/sbom",
        "creationInfo": "_:made",
        "rootElement": ["https://example.org/runner"],
    }
    data = changed(
        SPDX3,
        ("/@graph/6", hashed),
        ("/@graph/7", sbom),
        ("/@graph/2/rootElement/0", "https://example.org/sbom"),
        ("/@graph/3/verifiedUsing/0", "_:hash"),
    )
    read = parse_sbom(data)
    assert [element.sha256 for element in read.described()] == [TWO]


@together(
    ("algorithm", "content", "digests", "zero"),
    [
        ("SHA-256", ONE, {"sha256": ONE}, ()),
        ("SHA-256", "A" * 64, {"sha256": "a" * 64}, ()),
        ("SHA-256", "0" * 64, {}, ("sha256",)),
        ("SHA-256", ONE[1:], {}, ()),
        ("SHA-256", "g" * 64, {}, ()),
        ("SHA-256", "", {}, ()),
        ("SHA-1", "1" * 40, {"sha1": "1" * 40}, ()),
        ("SHA-1", "0" * 40, {}, ("sha1",)),
        ("SHA3-256", ONE, {"sha3256": ONE}, ()),
    ],
)
def test_what_counts_as_a_digest(
    algorithm: str, content: str, digests: dict[str, str], zero: tuple[str, ...]
) -> None:
    given_ = [{"alg": algorithm, "content": content}]
    element = only(CYCLONEDX, "bson", ("/components/0/hashes", given_))
    assert (element.digests, element.zero) == (digests, zero)


@together(
    "value",
    [
        [],
        "x",
        {},
        {"spdxVersion": "SPDX-1.2"},
        {"spdxVersion": ["SPDX-2.3"]},
        {"bomFormat": "CycloneDX"},
        {"bomFormat": "CycloneDX", "specVersion": 1.6},
        {"specVersion": "1.6"},
        {"@context": ["https://spdx.org/rdf/3.0.1/spdx-context.jsonld"]},
    ],
)
def test_what_is_no_sbom(value: Any) -> None:
    with pytest.raises(NotAnSbom):
        read_sbom(value)


JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just([]), st.just({})
)
NAMES = st.sampled_from(
    """components metadata component hashes alg content licenses license expression id name
    packages files SPDXID checksums externalRefs referenceType relationships spdxElementId
    documentDescribes @graph type verifiedUsing rootElement relationshipType from to spdxId @id
    externalIdentifier software_Package SpdxDocument describes Hash""".split()
)
ODD = st.recursive(
    JUNK | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(kind=st.sampled_from(sorted(KINDS)), odd=st.dictionaries(NAMES, ODD, max_size=6))
def test_documents_of_any_shape_are_read_without_a_crash(kind: str, odd: dict[str, Any]) -> None:
    """The operator's side has no schema: what has another shape is passed over."""
    head = {
        name: value
        for name, value in KINDS[kind].items()
        if name in ("spdxVersion", "bomFormat", "specVersion", "@context")
    }
    for element in read_sbom({**odd, **head}).elements:
        assert isinstance(element.sha256, str)
