"""Documents of evidence in every form of FORMAT 18.2, and every way for the index to be false.

The index of each kit stands here line by line: nothing of it is worked out by what it is to judge.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.support.assembler import b64, component
from tests.support.attesting import (
    COMPONENT,
    PROVENANCE,
    TESTS,
    VEX,
    envelope,
    provenance,
    sha256,
    statement,
)
from tests.support.bundles import Wish, make_bundle, text
from tests.support.cases.attested import (
    GOOD,
    KEYLESS,
    PolicyCase,
    asks,
    bundle,
    place,
    seeded,
)
from tests.support.people import compact

HEAD = b"offline-kit-evidence/1\n"
BY_ALICE, BY_KEYLESS = asks(PROVENANCE, "alice"), asks(PROVENANCE, "keyless")
FALSE, MALFORMED = "evidence-index-false", "evidence-malformed"
ABOUT = f"sha256:{COMPONENT['sha256']}"
STRANGE = "ab" * 32
LAYOUT_TYPE, LINK_TYPE = "in-toto:layout", "in-toto:link"
TARBALL = b"a package of npm"
SHA512 = hashlib.sha512(TARBALL).hexdigest()

Told = tuple[str, str, str]
"""Form, type and subject of a line."""


def index_of(documents: Mapping[str, tuple[bytes, list[Told]]]) -> bytes:
    """Return an index with these lines; documents by their names below ``evidence/``."""
    lines = {
        f"{sha256(data)} {form} {kind} {subject} evidence/{name}\n".encode()
        for name, (data, told) in documents.items()
        for form, kind, subject in told
    }
    return HEAD + b"".join(sorted(lines))


ASKED = {"p.json": (envelope(GOOD, "alice"), [("envelope", PROVENANCE, ABOUT)])}


# --- documents -----------------------------------------------------------------------------------


def metablock(value: Any) -> bytes:
    return compact({"signatures": [], "signed": value})


def wide(made: bytes) -> bytes:
    """Return an envelope or bundle in the alphabet of base64 that is safe in URLs."""

    def change(value: Any) -> Any:
        if isinstance(value, dict):
            spelled = {"payload", "sig"}
            return {k: swap(v) if k in spelled else change(v) for k, v in value.items()}
        return [change(item) for item in value] if isinstance(value, list) else value

    return compact(change(json.loads(made)))


def swap(spelled: str) -> str:
    return base64.urlsafe_b64encode(base64.b64decode(spelled)).decode("ascii")


def noted(value: Any = GOOD) -> Any:
    """Return a statement whose base64 has characters in which the two alphabets differ."""
    value = {**value, "predicate": {**value["predicate"], "note": "~~~???>>>" * 3}}
    assert {"+", "/"} & set(b64(compact(value)))
    return value


def mixed() -> bytes:
    """Return an envelope with both alphabets in one string."""
    value = json.loads(wide(envelope(noted(), "alice")))
    at = next(i for i, c in enumerate(value["payload"]) if c in "-_")
    other = {"-": "+", "_": "/"}[value["payload"][at]]
    assert {"-", "_"} & set(value["payload"][at + 1 :])
    value["payload"] = value["payload"][:at] + other + value["payload"][at + 1 :]
    return compact(value)


@functools.cache
def attested(kind: str = TESTS) -> Any:
    return json.loads(bundle(statement(kind)))


def pep740(value: Any) -> Any:
    """Return a bundle as PEP 740 writes it."""
    material = value["verificationMaterial"]
    return {
        "version": 1,
        "verification_material": {
            "certificate": material["certificate"]["rawBytes"],
            "transparency_entries": material["tlogEntries"],
        },
        "envelope": {
            "statement": value["dsseEnvelope"]["payload"],
            "signature": value["dsseEnvelope"]["signatures"][0]["sig"],
        },
    }


def registry(*envelopes: bytes, **more: Any) -> bytes:
    """Return what Google's Artifact Registry says of an image, as JSON of its command line."""
    image = {"digest": f"sha256:{STRANGE}", "registry": "europe.example"}
    builds: list[Any] = [
        {
            "build": {"intotoStatement": {"predicateType": "unsigned"}},
            "envelope": json.loads(each),
            "kind": "BUILD",
            "noteName": "projects/verified/notes/builder",
            "resourceUri": f"https://europe.example/lnm@sha256:{STRANGE}",
        }
        for each in envelopes
    ]
    builds += [{"kind": "BUILD", "build": {"intotoStatement": GOOD}}]  # which nobody signed
    return compact({"image_summary": image, "provenance_summary": {"provenance": builds}, **more})


def message() -> bytes:
    """Return a bundle of a signature over an artifact."""
    return text(make_bundle(Wish(key=seeded("signer")), place()))


ARTIFACT = base64.b64decode(json.loads(message())["messageSignature"]["messageDigest"]["digest"])
TEST_RESULT = ("statement", TESTS, ABOUT)
RESULT = ("envelope", TESTS, ABOUT)
IN_BUNDLE = ("bundle", TESTS, ABOUT)

# name, why, name of the document, the document, what the index says of it
FORMS: list[tuple[str, str, str, bytes, list[Told]]] = [
    ("spdx2", "SPDX 2.", "a", compact({"spdxVersion": "SPDX-2.3"}),
     [("sbom", "https://spdx.dev/Document", "-")]),
    ("spdx3", "SPDX 3.", "a", compact({"@context": "https://spdx.org/rdf/3.0.1/context.jsonld"}),
     [("sbom", "https://spdx.dev/Document", "-")]),
    ("cyclonedx", "CycloneDX.", "a", compact({"bomFormat": "CycloneDX"}),
     [("sbom", "https://cyclonedx.org/bom", "-")]),
    ("vex", "OpenVEX.", "a", compact({"@context": VEX}), [("vex", VEX, "-")]),
    ("sarif", "SARIF.", "a", compact({"runs": [], "version": "2.1.0"}),
     [("report", "sarif", "-")]),
    ("grype", "Of grype.", "a", compact({"matches": [], "descriptor": {}}),
     [("report", "grype", "-")]),
    ("trivy", "Of trivy.", "a", compact({"SchemaVersion": 2, "ArtifactName": "x"}),
     [("report", "trivy", "-")]),
    ("trx", "Test results by their name; they are XML.", "a.TRX", b"<TestRun/>",
     [("report", "trx", "-")]),
    ("layout", "A layout in in-toto's older file.", "a", metablock({"_type": "layout"}),
     [("layout", LAYOUT_TYPE, "-")]),
    ("link", "A link in one.", "a", metablock({"_type": "link"}), [("link", LINK_TYPE, "-")]),
    ("layout_signed", "A layout in an envelope.", "a", envelope({"_type": "layout"}, "bob"),
     [("layout", LAYOUT_TYPE, "-")]),
    ("link_signed", "A link in one.", "a", envelope({"_type": "link"}, "bob"),
     [("link", LINK_TYPE, "-")]),
    ("statement", "A statement that nobody signed.", "a", compact(statement(TESTS)),
     [TEST_RESULT]),
    ("statement_v01", "One of an older tool.", "a",
     compact({**statement(TESTS), "_type": "https://in-toto.io/Statement/v0.1"}), [TEST_RESULT]),
    ("subjects", "Of three subjects: by SHA-256 before SHA-512, by SHA-512, by neither.", "a",
     compact(statement(TESTS, {**COMPONENT, "sha512": SHA512}, {"sha512": SHA512},
                       {"gitCommit": "a" * 40})),
     [TEST_RESULT, ("statement", TESTS, f"sha512:{SHA512}"), ("statement", TESTS, "-")]),
    ("subject_upper_case", "A digest that is spelled otherwise is none to be told.", "a",
     compact(statement(TESTS, {"sha256": STRANGE.upper()})), [("statement", TESTS, "-")]),
    ("type_unfit", "A type that does not fit into a line.", "a",
     compact(statement("a type with spaces")), [("statement", "-", ABOUT)]),
    ("bundle", "A sigstore bundle of a statement.", "a", compact(attested()), [IN_BUNDLE]),
    ("bundle_of_artifact", "A sigstore bundle of a signature over an artifact.", "a", message(),
     [("bundle", "-", f"sha256:{ARTIFACT.hex()}")]),
    ("pep740", "An attestation of PEP 740.", "a", compact(pep740(attested())), [IN_BUNDLE]),
    ("envelope", "An envelope of a statement.", "a", envelope(statement(TESTS), "bob"), [RESULT]),
    ("envelope_of_text", "An envelope of something else.", "a",
     envelope(b"words", "bob", payload_type="text/plain"), [("envelope", "text/plain", "-")]),
    ("envelope_url_safe", "An envelope in the alphabet for URLs.", "a",
     wide(envelope(noted(statement(TESTS)), "bob")), [RESULT]),
    ("several_npm", "Attestations of a package of npm.", "a",
     compact({"attestations": [{"predicateType": "-", "bundle": attested()},
                               {"predicateType": "-", "bundle": attested(VEX)}]}),
     [IN_BUNDLE, ("bundle", VEX, ABOUT)]),
    ("several_pep740", "Attestations of PEP 740, as an index of packages has them.", "a",
     compact({"version": 1, "attestation_bundles": [
         {"publisher": {}, "attestations": [pep740(attested()), pep740(attested(VEX))]}]}),
     [IN_BUNDLE, ("bundle", VEX, ABOUT)]),
    ("several_registry", "What a registry of images wraps around envelopes.", "a",
     registry(envelope(statement(TESTS), "bob"), wide(envelope(statement(VEX), "carol"))),
     [RESULT, ("envelope", VEX, ABOUT)]),
    ("several_none", "A file of several that holds none.", "a", compact({"attestations": []}),
     [("other", "-", "-")]),
    ("several_unsigned", "What a registry says of an image, and nobody signed.", "a", registry(),
     [("other", "-", "-")]),
    ("lines", "A value a line, with an empty line between and other line ends.", "a.jsonl",
     compact(statement(TESTS)) + b"\r\n\r\n" + compact({"@context": VEX}) + b"\r\n",
     [TEST_RESULT, ("vex", VEX, "-")]),
    ("lines_equal", "Two values that make one line of the index.", "a",
     (compact(statement(TESTS)) + b"\n") * 2, [TEST_RESULT]),
    ("indented", "JSON that is known by its first byte, behind white space.", "a.txt",
     b" \t\r\n" + json.dumps(statement(TESTS), indent=2).encode(), [TEST_RESULT]),
    ("json_of_nothing", "JSON that is none of these.", "a.json", b'{"a":[1.5e3,null]}',
     [("other", "-", "-")]),
    ("array", "An array.", "a.json", b"[]", [("other", "-", "-")]),
    ("text", "Text.", "a.txt", b"words, and no JSON: {}\n", [("other", "-", "-")]),
    ("empty", "Nothing.", "a.txt", b"", [("other", "-", "-")]),
]  # fmt: skip


def _forms() -> list[PolicyCase]:
    """Return two vectors a form: the index says what the document is, and it says otherwise."""
    made = []
    for name, why, path, data, told in FORMS:
        documents = {**ASKED, path: (data, told)}
        files = {each: content for each, (content, _) in documents.items()}
        right = index_of(documents)
        wrong = index_of({**documents, path: (data, [("report", "pdf", "-")])})
        if len(told) > 1:  # one of several is left out
            wrong = index_of({**documents, path: (data, told[:-1])})
        common: dict[str, Any] = {"requirement": BY_ALICE, "evidence": files, "roots": ()}
        made.append(PolicyCase(f"form_{name}", why, index=right, **common))
        more = f"{why[:-1]}, and the index says something else of it."
        made.append(PolicyCase(f"form_{name}_false", more, index=wrong, code=FALSE, **common))
    return made


# --- the index -----------------------------------------------------------------------------------

PAPERS = {**ASKED, "b.txt": (b"words\n", [("other", "-", "-")])}
TRUE = index_of(PAPERS)
LINES = TRUE[len(HEAD) :].splitlines(keepends=True)
ONE = next(line for line in LINES if b"p.json" in line)


def _with(line: bytes) -> bytes:
    """Return the index with one line changed."""
    return HEAD + b"".join(sorted(line if each == ONE else each for each in LINES))


FALSE_INDEXES = {
    "no_first_line": ("No first line.", b"\n"),
    "other_list": ("The first line of another list.", TRUE.replace(b"evidence/1", b"index/1")),
    "version_zero": ("Version 0.", TRUE.replace(b"evidence/1", b"evidence/0")),
    "no_line_end": ("No line end at the end.", TRUE[:-1]),
    "blank_line": ("An empty line.", TRUE + b"\n"),
    "crlf": ("Other line ends.", TRUE.replace(b"\n", b"\r\n")),
    "order": ("Not ascending.", HEAD + b"".join(sorted(LINES, reverse=True))),
    "line_twice": ("A line twice.", HEAD + b"".join(sorted([*LINES, ONE]))),
    "document_more": ("A document that is not there.",
                      HEAD + b"".join(sorted([*LINES, ONE.replace(b"p.json", b"q.json")]))),
    "digest": ("Another SHA-256 of the document.", _with(b"0" * 64 + ONE[64:])),
    "digest_of_other": ("Another SHA-256 of a document that is not looked into.",
                        TRUE.replace(sha256(b"words\n").encode(), b"f" * 64)),
    "upper_case": ("A digest in capitals.", _with(ONE[:64].upper() + ONE[64:])),
    "form": ("Another form.", _with(ONE.replace(b" envelope ", b" bundle "))),
    "type": ("Another type.", _with(ONE.replace(b"provenance/v1", b"provenance/v2"))),
    "subject": ("Another subject.", _with(ONE.replace(ABOUT.encode(), b"sha256:" + b"a" * 64))),
    "subject_none": ("No subject.", _with(ONE.replace(ABOUT.encode(), b"-"))),
    "algorithm": ("A subject by an algorithm that no line has.",
                  _with(ONE.replace(b" sha256:", b" sha1:"))),
    "space": ("Two spaces.", _with(ONE.replace(b" envelope ", b"  envelope "))),
    "not_utf8": ("A path that is not UTF-8.", TRUE.replace(b"b.txt", b"\xff.txt")),
}  # fmt: skip


def _indexes() -> list[PolicyCase]:
    files = {name: data for name, (data, _) in PAPERS.items()}
    common: dict[str, Any] = {"requirement": BY_ALICE, "evidence": files, "roots": ()}
    made = [PolicyCase("index_true", "The index as it is.", index=TRUE, **common)]
    for name, (why, data) in FALSE_INDEXES.items():
        made.append(PolicyCase(f"index_{name}", why, index=data, code=FALSE, **common))
    return made


BY_SHA512 = bundle(provenance({"sha512": SHA512}))

# --- forms that decide ---------------------------------------------------------------------------

DECIDING = [
    PolicyCase(
        "url_safe", "Signed, in the alphabet of base64 for URLs.", BY_ALICE,
        {"p.json": wide(envelope(noted(), "alice"))}, roots=(),
        index=index_of({"p.json": (wide(envelope(noted(), "alice")),
                                   [("envelope", PROVENANCE, ABOUT)])}),
    ),
    PolicyCase(
        "url_safe_mixed", "In a mixture of both alphabets.", BY_ALICE,
        {"p.json": mixed()},
        index=index_of({"p.json": (mixed(), [("envelope", PROVENANCE, ABOUT)])}),
        code=MALFORMED, roots=(),
    ),
    PolicyCase(
        "url_safe_bundle", "A sigstore bundle in that alphabet: it has one spelling.", BY_KEYLESS,
        given=(wide(bundle(noted())),), attesters=(KEYLESS,), code=MALFORMED,
    ),
    PolicyCase(
        "in_npm", "Among the attestations of a package, which is named by SHA-512 only.",
        {**BY_KEYLESS, "component": "web"},
        {"a.json": compact({"attestations": [
            {"predicateType": "-", "bundle": attested()},
            {"predicateType": "-", "bundle": json.loads(BY_SHA512)}]})},
        attesters=(KEYLESS,), index=None,
        kit={"data": {"web/a.tgz": TARBALL}, "components": [component("web", "web")]},
    ),
    PolicyCase(
        "in_npm_of_other", "SHA-512 alone counts for packages of npm only.",
        {**BY_KEYLESS, "component": "web"},
        {"a.json": bundle(provenance({"sha512": SHA512}))},
        attesters=(KEYLESS,), code="attestation-missing", index=None,
        kit={"data": {"web/a.zip": TARBALL}, "components": [component("web", "web")]},
    ),
    PolicyCase(
        "in_pep740", "An attestation of PEP 740.", BY_KEYLESS,
        {"a.publish.attestation": compact(pep740(json.loads(bundle())))},
        attesters=(KEYLESS,), index=None,
    ),
    PolicyCase(
        "in_registry", "What a registry of images wraps around an envelope.", BY_ALICE,
        {"a.json": registry(envelope(statement(TESTS), "bob"), wide(envelope(noted(), "alice")))},
        index=None, roots=(),
    ),
    PolicyCase(
        "in_registry_unsigned", "What stands there beside an envelope is nobody's word.", BY_ALICE,
        {"a.json": registry(envelope(statement(TESTS), "alice"))},
        index=None, roots=(), code="attestation-missing",
    ),
    PolicyCase(
        "in_registry_by_others", "The envelope there is by a stranger.", BY_ALICE,
        {"a.json": registry(envelope(GOOD, "mallory"))},
        index=None, roots=(), code="attestation-untrusted",
    ),
]  # fmt: skip

TABLE: list[PolicyCase] = [*_forms(), *_indexes(), *DECIDING]
