"""Documents of evidence in the forms of others, and what is found in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.bundles import ISSUER, NAME, STATEMENT, Wish, make_bundle, text, world
from tests.support.making import REPOSITORY
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.evidence.forms import MAX_DOCUMENTS, read_evidence
from verifier.evidence.sigstore.bundle import Bundle
from verifier.evidence.sigstore.identity import Identity
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import verify_bundle
from verifier.evidence.statement import Envelope

SLSA = REPOSITORY.parent / "shared" / "corpora" / "slsa"
BUNDLE = make_bundle(Wish(STATEMENT, form=("dsse", "0.0.1")))
ENVELOPE = BUNDLE["dsseEnvelope"]


def pep740(bundle: Any = BUNDLE) -> dict[str, Any]:
    """Return a bundle as PEP 740 writes it."""
    material = bundle["verificationMaterial"]
    return {
        "version": 1,
        "verification_material": {
            "certificate": material["certificate"]["rawBytes"],
            "transparency_entries": material["tlogEntries"],
        },
        "envelope": {
            "statement": bundle["dsseEnvelope"]["payload"],
            "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
        },
    }


def of_an_index() -> dict[str, Any]:
    publisher = {"kind": "GitHub", "repository": "acme/tool", "workflow": "release.yml"}
    both = [{"publisher": publisher, "attestations": [pep740(), pep740()]}]
    return {"version": 1, "attestation_bundles": both}


def of_npm() -> dict[str, Any]:
    one = {"predicateType": STATEMENT["predicateType"], "bundle": BUNDLE}
    return {"attestations": [one, one, one]}


def of_registry() -> dict[str, Any]:
    """Return what Google's registry says of an image; one of its builds is not signed."""
    builds = [{"kind": "BUILD", "envelope": ENVELOPE}] * 2
    return {
        "image_summary": {"digest": "sha256:" + "ab" * 32},
        "provenance_summary": {"provenance": [*builds, {"kind": "BUILD", "build": {}}]},
    }


FORMS: dict[str, tuple[bytes, list[type]]] = {
    "bundle": (text(BUNDLE), [Bundle]),
    "bundle over several lines": (json.dumps(BUNDLE, indent=2).encode(), [Bundle]),
    "envelope": (text(ENVELOPE), [Envelope]),
    "lines": (text(BUNDLE) + b"\n" + text(ENVELOPE) + b"\n", [Bundle, Envelope]),
    "lines of another system": (text(BUNDLE) + b"\r\n\r\n" + text(BUNDLE), [Bundle, Bundle]),
    "one line": (text(ENVELOPE) + b"\n", [Envelope]),
    "npm": (text(of_npm()), [Bundle] * 3),
    "PEP 740": (text(pep740()), [Bundle]),
    "PEP 740 of an index": (text(of_an_index()), [Bundle] * 2),
    "a registry of images": (text(of_registry()), [Envelope] * 2),
}


@together("name", FORMS)
def test_forms_are_read(name: str) -> None:
    data, kinds = FORMS[name]
    found = read_evidence(data, "evidence/a")
    assert [type(each) for each in found] == kinds
    root = parse_trusted_root(text(world().trusted_root()))
    for each in found:
        if isinstance(each, Bundle):
            assert verify_bundle(each, Identity(ISSUER, NAME), [root]).signer == NAME


def bent(make: Callable[[], Any], *path: Any, value: Any) -> bytes:
    document = copy.deepcopy(make())
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return text(document)


REFUSED = {
    "nothing": (b"", "evidence-malformed"),
    "an array": (b"[]", "evidence-malformed"),
    "no form": (b'{"a":1}', "evidence-form-unknown"),
    "a line that is none": (text(BUNDLE) + b"\n{}\n", "evidence-form-unknown"),
    "a line that is no JSON": (text(BUNDLE) + b"\n{a}\n", "evidence-malformed"),
    "something behind it": (text(BUNDLE) + b"\nx\n", "evidence-malformed"),
    "too many lines": (b"{}\n" * (MAX_DOCUMENTS + 1), "evidence-too-large"),
    "PEP 740, version 2": (bent(pep740, "version", value=2), "evidence-form-unknown"),
    "PEP 740, no version": (bent(pep740, "version", value=None), "evidence-malformed"),
    "PEP 740, no certificate": (
        bent(pep740, "verification_material", "certificate", value=None),
        "evidence-malformed",
    ),
    "PEP 740, no envelope": (bent(pep740, "envelope", value=1), "evidence-malformed"),
    "index, version 2": (bent(of_an_index, "version", value=2), "evidence-form-unknown"),
    "npm without a bundle": (bent(of_npm, "attestations", 1, value={}), "evidence-malformed"),
    "a registry with something else": (
        bent(of_registry, "provenance_summary", "provenance", 1, "envelope", value=[]),
        "evidence-malformed",
    ),
    "a bundle's type of something else": (
        bent(of_npm, "mediaType", value="application/x").replace(b'"attestations"', b'"a"'),
        "evidence-form-unknown",
    ),
    "npm with something else": (bent(of_npm, "attestations", 1, value=[]), "evidence-malformed"),
}


@together("name", REFUSED)
def test_other_forms_are_refused(name: str) -> None:
    data, code = REFUSED[name]
    with pytest.raises(KitError) as refused:
        read_evidence(data, "evidence/a")
    assert (refused.value.code, refused.value.where != "") == (code, True)


def test_a_line_is_named() -> None:
    with pytest.raises(KitError) as refused:
        read_evidence(text(BUNDLE) + b"\n{}\n", "evidence/a")
    assert refused.value.where == "evidence/a, line 2"


def test_a_changed_attestation_of_pep_740_is_refused() -> None:
    value = pep740()
    value["envelope"]["statement"] = value["envelope"]["signature"]
    (found,) = read_evidence(text(value), "a")
    assert isinstance(found, Bundle)
    root = parse_trusted_root(text(world().trusted_root()))
    with pytest.raises(KitError) as refused:
        verify_bundle(found, Identity(ISSUER, NAME), [root])
    assert refused.value.code == "bundle-signature-invalid"


REAL = {
    "npm/provenance-npm-test-ossf.tgz.json": 2,
    "MODULE.bazel.intoto.jsonl": 1,
    "container-based/binary-linux-amd64-workflow_dispatch.intoto.sigstore": 1,
}


@pytest.mark.parametrize("path", REAL)
def test_real_documents_are_read(path: str) -> None:
    if not Path(SLSA, path).is_file():
        pytest.skip(f"not run: {SLSA} is not there")
    found = read_evidence(Path(SLSA, path).read_bytes(), path)
    assert [type(each) for each in found] == [Bundle] * REAL[path]
