"""Evidence is read before a kit is built, and listed in evidence.index (FORMAT 18)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.build import BuiltKit, Options, build
from kit.errors import SpecInvalid
from kit.evidence.errors import AttestationElsewhere, EvidenceRefused
from kit.rebuild import rebuild
from kit.signing import load_signer
from kit.spec import load_spec
from tests.support.attesting import envelope, provenance, statement
from tests.support.making import key, pinned, write_files, write_spec
from tests.support.people import compact
from verifier.core.pipeline import Job, Opened
from verifier.run import run

PAYLOAD = {"tools/run": b"#!/bin/sh\n", "tools/doc.txt": b"read me\n"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make(base: Path, evidence: Mapping[str, bytes], more: str = "", **options: Any) -> BuiltKit:
    """Build a kit with documents of evidence, signed by alice and bob."""
    write_files(base / "src", PAYLOAD)
    write_files(base / "papers", evidence)
    path = write_spec(base, ["tools"])
    text = path.read_text("utf-8")
    if evidence:
        text += '\n[[evidence]]\npath = "papers"\n[[evidence.source]]\ndir = "papers"\n'
    path.write_text(text + more, "utf-8")
    root = pinned()
    signers = [load_signer(key(name), root.targets.keys) for name in ("alice", "bob")]
    (base / "out").mkdir(exist_ok=True)
    return build(load_spec(path), [root], base / "out", Options(**options), signers=signers)


def index_of(kit: BuiltKit, out: Path) -> list[str]:
    """Return the lines of the index in a kit, proved and extracted."""
    report = run(os.fspath(kit.path), Job(root=pinned()), extract=os.fspath(out), opened=Opened())
    assert report.error is None, report.error
    text = (out / "evidence/evidence.index").read_bytes()
    assert kit.manifest.evidence_index is not None
    assert kit.manifest.evidence_index.digest == {"sha256": sha256(text)}
    own = " evidence/provenance.json"  # what the builder adds: tests/unit/kit/test_provenance.py
    return [line for line in text.decode().splitlines() if not line.endswith(own)]


def test_what_no_site_looks_into_is_named(tmp_path: Path) -> None:
    """Its policy would be undecided for ever; an SBOM of that size is nothing special."""
    about = {"sha256": sha256(PAYLOAD["tools/run"])}
    large = compact(statement("https://kinds.example/1", about)) + b" " * (4 << 20)
    sbom = compact({"bomFormat": "CycloneDX"}) + b" " * (4 << 20)
    kit = make(
        tmp_path, {"large.json": large, "sbom.json": sbom, "small.json": large[:1000].strip()}
    )
    (note,) = [note for note in kit.notes if "no site looks into it" in note]
    assert note == "evidence/papers/large.json has more than 4194304 bytes: no site looks into it"


def test_an_index_that_no_site_looks_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.evidence.index.MEMBER", 300)
    kit = make(tmp_path, {"a.txt": b"words", "b.txt": b"more words", "c.txt": b"and more"})
    (note,) = [note for note in kit.notes if "evidence.index" in note]
    assert note.startswith("evidence/evidence.index has more than 300 bytes")


def test_index_has_a_line_for_each_document_and_subject(tmp_path: Path) -> None:
    about = [{"sha256": sha256(PAYLOAD["tools/run"])}, {"sha512": "ab" * 64}]
    papers = {
        "a.json": envelope(provenance(*about), "alice"),
        "b.jsonl": compact(statement("x:y", about[0])) + b"\n" + compact({"more": 1}) + b"\n",
        "licence.txt": b"do what you like\n",
        "sbom.json": json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6"}).encode(),
        "tests.trx": b"<TestRun/>",
    }
    lines = index_of(make(tmp_path, papers), tmp_path / "there")
    digests = {name: sha256(data) for name, data in papers.items()}
    kind = "https://slsa.dev/provenance/v1"
    run_ = about[0]["sha256"]
    assert lines[0] == "offline-kit-evidence/1"
    assert lines[1:] == sorted(
        [
            f"{digests['a.json']} envelope {kind} sha256:{run_} evidence/papers/a.json",
            f"{digests['a.json']} envelope {kind} sha512:{'ab' * 64} evidence/papers/a.json",
            f"{digests['b.jsonl']} other - - evidence/papers/b.jsonl",
            f"{digests['b.jsonl']} statement x:y sha256:{run_} evidence/papers/b.jsonl",
            f"{digests['licence.txt']} other - - evidence/papers/licence.txt",
            f"{digests['sbom.json']} sbom https://cyclonedx.org/bom - evidence/papers/sbom.json",
            f"{digests['tests.trx']} report trx - evidence/papers/tests.trx",
        ]
    )


def test_every_kit_has_an_index(tmp_path: Path) -> None:
    assert make(tmp_path, {}).manifest.evidence_index is not None


def test_index_of_a_megabyte_has_frames_of_its_own(tmp_path: Path) -> None:
    about = [{"sha256": f"{number:064x}"} for number in range(6000)]
    lines = index_of(make(tmp_path, {"a.json": compact(provenance(*about))}), tmp_path / "there")
    assert len(lines) == 6001


def test_kit_with_evidence_is_built_again(tmp_path: Path) -> None:
    kit = make(tmp_path, {"a.json": compact(provenance())})
    assert rebuild(kit.path, load_spec(tmp_path / "kit.toml"), Options()).kit_id == kit.kit_id


REFUSED = {
    "no JSON": ("a.json", b"{", "evidence-malformed"),
    "a name twice": ("a.json", b'{"a": 1, "a": 2}', "evidence-malformed"),
    "text that is called JSON": ("a.json", b"words", "evidence-malformed"),
    "an envelope without a signature": (
        "a.json",
        b'{"payloadType": "x", "payload": "eA==", "signatures": []}',
        "evidence-malformed",
    ),
    "a statement about nothing": (
        "a.json",
        compact({**statement("x:y"), "subject": []}),
        "statement-malformed",
    ),
    "a statement of a later version": (
        "a.json",
        compact(statement("x:y", version="https://in-toto.io/Statement/v9")),
        "evidence-form-unknown",
    ),
    "one bad line of many": ("a.jsonl", b'{"a": 1}\n{"b": }\n', "evidence-malformed"),
}


@pytest.mark.parametrize(("name", "data", "code"), REFUSED.values(), ids=REFUSED)
def test_evidence_that_no_site_can_read_is_refused(
    tmp_path: Path, name: str, data: bytes, code: str
) -> None:
    with pytest.raises(EvidenceRefused, match=code) as refused:
        make(tmp_path, {name: data, "good.json": b"{}"})
    assert len(refused.value.files) == 1
    assert f"evidence/papers/{name}" in refused.value.files[0]
    assert not list((tmp_path / "out").iterdir())


ATTESTED = """
[[attestation]]
file = "a.json"
component = "tools"
subject = "{}"
"""


@pytest.mark.parametrize(
    ("subject", "about", "good"),
    [
        ("component", PAYLOAD["tools/run"], True),
        ("tools/run", PAYLOAD["tools/run"], True),
        ("tools/doc.txt", PAYLOAD["tools/run"], False),
        ("component", b"something else", False),
        ("image", PAYLOAD["tools/run"], False),
        ("tools/nothing", b"", False),
    ],
)
def test_attestation_is_about_what_the_spec_says(
    tmp_path: Path, subject: str, about: bytes, good: bool
) -> None:
    write_files(tmp_path, {"a.json": compact(provenance({"sha256": sha256(about)}))})
    more = ATTESTED.format(subject)
    if good:
        lines = index_of(make(tmp_path, {}, more), tmp_path / "there")
        assert lines[1].endswith(" evidence/attestations/tools/a.json")
        return
    with pytest.raises(AttestationElsewhere, match=r"kit\.toml"):
        make(tmp_path, {}, more)
    assert not list((tmp_path / "out").iterdir())


def test_attestation_of_a_component_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecInvalid, match=r"attestation\[0\].component"):
        make(tmp_path, {}, ATTESTED.format("component").replace('"tools"', '"tool"'))


def test_statement_about_nothing_here_is_named(tmp_path: Path) -> None:
    kit = make(
        tmp_path,
        {
            "here.json": compact(provenance({"sha256": sha256(PAYLOAD["tools/run"])})),
            "there.json": compact(provenance({"sha256": "ab" * 32})),
        },
    )
    (note,) = [note for note in kit.notes if "attests nothing" in note]
    assert note.startswith("evidence/papers/there.json ")
