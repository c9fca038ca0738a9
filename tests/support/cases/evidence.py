"""The table of `attested`: what a policy asks of a kit's evidence, and what the host must say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.support.attesting import (
    FILES,
    OLD_PROVENANCE,
    PASSED,
    PROVENANCE,
    TESTS,
    VULNS,
    attester,
    envelope,
    key_of,
    provenance,
    statement,
    vex,
    vulns,
)
from tests.support.bundles import (
    NAME,
    text,
)
from tests.support.cases import (
    evidencechains,
    evidenceforms,
    evidencerules,
    evidencesigstore,
)
from tests.support.cases.attested import (
    ALICE,
    ANY_TAG,
    BOB,
    GOOD,
    KEY,
    KEYLESS,
    ROOT,
    PolicyCase,
    asks,
    bundle,
    image_layout,
    logged_by,
    place,
    seeded,
)
from tests.support.certificates import NOW
from tests.support.hosting import override
from tests.support.people import compact

BY_ALICE, BY_KEYLESS = asks(PROVENANCE, "alice"), asks(PROVENANCE, "keyless")
IDENTITY: dict[str, Any] = {"attesters": (KEYLESS,)}
P = "p.json"
MISSING, UNTRUSTED, FALSE = "attestation-missing", "attestation-untrusted", "attestation-false"


def case(name: str, why: str, requirement: Any, evidence: Any = None, **more: Any) -> PolicyCase:
    return PolicyCase(name, why, requirement, evidence or {}, **more)


def one(value: Any, *names: str) -> dict[str, bytes]:
    return {P: envelope(value, *names)}


NEWER = bundle().replace(b"bundle.v0.3+json", b"bundle.v0.9+json")
SCANNED = asks(VULNS, "alice", noOpen={"severity": "high", "vex": ["bob"]})
FOUND = envelope(vulns(("CVE-1", "high")), "alice")
WHO_VEX: dict[str, Any] = {"attesters": (ALICE, BOB)}


def answer(status: str, who: str = "bob", at: str = "2026-11-21T00:00:00Z") -> bytes:
    return envelope(
        statement("https://openvex.dev/ns/v0.2.0", predicate=vex("CVE-1", status, at)), who
    )


NOT_YET = envelope(statement(TESTS), "alice")
IMAGE_DIGEST = next(
    each["digest"].partition(":")[2]
    for each in json.loads(image_layout(NOT_YET)["image/index.json"])["manifests"]
)
OF_IMAGE = {**asks(PROVENANCE, "alice"), "component": "image"}
ATTESTED = envelope(provenance({"sha256": IMAGE_DIGEST}), "alice")
WIDE = 5 << 20  # bytes, above what is looked into of a member

TABLE: list[PolicyCase] = [
    case("signer", "By a kit signer.", BY_ALICE, one(GOOD, "alice")),
    case("signer_among_others", "By him and a stranger.", BY_ALICE, one(GOOD, "mallory", "alice")),
    case("key", "By a key.", asks(PROVENANCE, "key"), one(GOOD, "sums"), attesters=(KEY,)),
    case("identity", "By an identity, logged by Rekor v1.", BY_KEYLESS, {P: bundle()}, **IDENTITY),
    case(
        "identity_star",
        "By an identity whose repository and ref may be any.",
        BY_KEYLESS,
        {P: bundle()},
        attesters=({**KEYLESS, "identity": ANY_TAG},),
    ),
    case(
        "identity_second_root",
        "The host has two trusted roots, and the policy names the second.",
        BY_KEYLESS,
        {P: bundle()},
        roots=(text(place("two").trusted_root()), ROOT),
        **IDENTITY,
    ),
    case("kit_signers", "The kit carries it unsigned.", asks(), {P: compact(GOOD)}),
    case("kit_signers_envelope", "Two kit signers signed it.", asks(), one(GOOD, "alice", "carol")),
    case(
        "statement_v01",
        "Of an older tool.",
        BY_ALICE,
        one({**GOOD, "_type": "https://in-toto.io/Statement/v0.1"}, "alice"),
    ),
    case("later", "Given beside the kit.", BY_ALICE, given=(envelope(GOOD, "alice"),)),
    case("all_files", "It names every file.", BY_ALICE, one(provenance(*FILES), "alice")),
    case(
        "any_file",
        "It names one file, and any is enough.",
        asks(PROVENANCE, "alice", subjects="any"),
        one(provenance(FILES[0]), "alice"),
    ),
    case(
        "lines_of_several",
        "Two statements, a line each.",
        BY_ALICE,
        {"p.jsonl": envelope(statement(TESTS), "alice") + b"\n" + envelope(GOOD, "alice") + b"\n"},
    ),
    case("no_index", "A kit of an older builder.", BY_ALICE, one(GOOD, "alice"), index=None),
    case(
        "unasked_rubbish",
        "What nobody asks for is broken.",
        BY_ALICE,
        {**one(GOOD, "alice"), "broken.json": b'{"payloadType": "x", "payload": "?"}'},
        index=None,
    ),
    # --- absent
    case("absent", "There is none.", BY_ALICE, code=MISSING),
    case("wrong_type", "Of another type.", BY_ALICE, one(statement(TESTS), "alice"), code=MISSING),
    case(
        "old_type",
        "Of an older type.",
        BY_ALICE,
        one(statement(OLD_PROVENANCE), "alice"),
        code=MISSING,
    ),
    case(
        "wrong_subject",
        "About something else: replayed from another kit.",
        BY_ALICE,
        one(provenance({"sha256": "ab" * 32}), "alice"),
        code=MISSING,
    ),
    case(
        "one_file_of_two",
        "About one file.",
        BY_ALICE,
        one(provenance(FILES[0]), "alice"),
        code=MISSING,
    ),
    case(
        "unsigned_later",
        "Given beside the kit, and unsigned.",
        asks(),
        given=(compact(GOOD),),
        code=UNTRUSTED,
    ),
    # --- others
    case("other_signer", "By another kit signer.", BY_ALICE, one(GOOD, "bob"), code=UNTRUSTED),
    case("stranger", "By a stranger.", BY_ALICE, one(GOOD, "mallory"), code=UNTRUSTED),
    case("one_kit_signer", "By one kit signer of two.", asks(), one(GOOD, "alice"), code=UNTRUSTED),
    case(
        "unsigned",
        "Unsigned in the kit, and alice must sign.",
        BY_ALICE,
        {P: compact(GOOD)},
        code=UNTRUSTED,
    ),
    case(
        "other_identity",
        "By another identity.",
        BY_KEYLESS,
        {P: bundle()},
        attesters=({**KEYLESS, "identity": NAME.replace("tags/v1", "tags/v2")},),
        code=UNTRUSTED,
    ),
    case(
        "other_issuer",
        "By the identity, at another issuer.",
        BY_KEYLESS,
        {P: bundle()},
        attesters=({**KEYLESS, "issuer": "https://other.example"},),
        code=UNTRUSTED,
    ),
    case(
        "star_is_whole",
        "A * does not stand for two parts of a repository's name.",
        BY_KEYLESS,
        {P: bundle()},
        attesters=({**KEYLESS, "identity": ANY_TAG.replace("acme", "other")},),
        code=UNTRUSTED,
    ),
    # --- m of n
    case(
        "two_of_two",
        "Two envelopes of one statement.",
        asks(PROVENANCE, "alice", "key", threshold=2),
        {"a.json": envelope(GOOD, "alice"), "b.json": envelope(GOOD, "sums")},
        attesters=(ALICE, KEY),
    ),
    case(
        "one_person_twice",
        "The key of a kit signer under another name.",
        asks(PROVENANCE, "alice", "again", threshold=2),
        one(GOOD, "alice"),
        attesters=(ALICE, attester("again", publicKey=key_of("alice"))),
        code=UNTRUSTED,
    ),
    case(
        "one_identity_twice",
        "Two names fit one identity.",
        asks(PROVENANCE, "keyless", "any tag", threshold=2),
        {P: bundle()},
        attesters=(KEYLESS, {**KEYLESS, "name": "any tag", "identity": ANY_TAG}),
        code=UNTRUSTED,
    ),
    case(
        "two_builds",
        "Two signed, of two builds.",
        asks(PROVENANCE, "alice", "bob", threshold=2),
        {
            "a.json": envelope(GOOD, "alice"),
            "b.json": envelope(provenance(finished="2026-11-21T00:00:00Z"), "bob"),
        },
        attesters=(ALICE, BOB),
        code=UNTRUSTED,
    ),
    # --- conditions
    case(
        "conditions",
        "Builder, source and age.",
        asks(
            PROVENANCE,
            "alice",
            builderId="https://builder.example/1",
            sourceUri="https://git.example/lnm/tools",
            maximumAgeDays=5,
        ),
        one(GOOD, "alice"),
    ),
    case(
        "builder",
        "Another builder.",
        asks(PROVENANCE, "alice", builderId="https://builder.example/"),
        one(GOOD, "alice"),
        code=FALSE,
    ),
    case(
        "source",
        "Another source.",
        asks(PROVENANCE, "alice", sourceUri="https://git.example/lnm"),
        one(GOOD, "alice"),
        code=FALSE,
    ),
    case(
        "age",
        "A day too old.",
        asks(PROVENANCE, "alice", maximumAgeDays=4),
        one(GOOD, "alice"),
        code=FALSE,
    ),
    case(
        "conditions_of_two",
        "One statement has the builder, another the source.",
        asks(
            PROVENANCE,
            "alice",
            builderId="https://builder.example/1",
            sourceUri="https://git.example/lnm/tools",
        ),
        {
            "a.json": envelope(provenance(source="git+https://git.example/x@main"), "alice"),
            "b.json": envelope(provenance(builder="https://builder.example/2"), "alice"),
        },
        code=FALSE,
    ),
    case(
        "tests",
        "Tests passed.",
        asks(TESTS, "alice", tests="passed"),
        one(statement(TESTS, predicate=PASSED), "alice"),
    ),
    case(
        "tests_skipped",
        "All tests were left out.",
        asks(TESTS, "alice", tests="passed"),
        one(statement(TESTS, predicate={**PASSED, "passedTests": []}), "alice"),
        code=FALSE,
    ),
    case("finding", "A finding is open.", SCANNED, {"v.json": FOUND}, code=FALSE, **WHO_VEX),
    case(
        "finding_answered",
        "It is answered.",
        SCANNED,
        {"v.json": FOUND, "x.json": answer("not_affected")},
        **WHO_VEX,
    ),
    case(
        "finding_answered_by_others",
        "By a stranger.",
        SCANNED,
        {"v.json": FOUND, "x.json": answer("fixed", "mallory")},
        code=FALSE,
        **WHO_VEX,
    ),
    case(
        "finding_answered_anew",
        "The newest answer counts, and it came later.",
        SCANNED,
        {"v.json": FOUND, "x.json": answer("not_affected")},
        given=(answer("affected", at="2026-11-22T00:00:00Z"),),
        code=FALSE,
        **WHO_VEX,
    ),
    case(
        "finding_unknown",
        "A severity that nobody knows is above all.",
        asks(VULNS, "alice", noOpen={"severity": "critical"}),
        {"v.json": envelope(vulns(("CVE-2", "odd")), "alice")},
        code=FALSE,
    ),
    # --- false
    case(
        "signature",
        "The signature is not one.",
        BY_ALICE,
        {P: envelope(GOOD, "alice").replace(b'"sig":"', b'"sig":"AAAA')},
        code="bundle-signature-invalid",
    ),
    case(
        "certificate_expired",
        "Signed an hour after the certificate.",
        BY_KEYLESS,
        {P: bundle(signed=NOW + timedelta(hours=1))},
        code="certificate-expired",
        **IDENTITY,
    ),
    case(
        "certificate_of_others",
        "By an authority of another root, logged here.",
        BY_KEYLESS,
        {P: bundle(certificate=place("two").issue(seeded("signer")).make(place().log))},
        code="certificate-untrusted",
        **IDENTITY,
    ),
    case(
        "not_logged",
        "No log has seen it.",
        BY_KEYLESS,
        {P: bundle(form=None)},
        code="signing-time-missing",
        **IDENTITY,
    ),
    case(
        "no_sct",
        "No certificate log has seen the certificate.",
        BY_KEYLESS,
        {P: bundle(certificate=place().issue(seeded("signer")).make())},
        code="sct-missing",
        **IDENTITY,
    ),
    case(
        "index_short",
        "The index leaves a document out.",
        BY_ALICE,
        one(GOOD, "alice"),
        index=b"offline-kit-evidence/1\n",
        code="evidence-index-false",
    ),
    case(
        "index_newer",
        "An index of a later version.",
        BY_ALICE,
        one(GOOD, "alice"),
        index=b"offline-kit-evidence/2\n",
        code="evidence-form-unknown",
    ),
    # --- undecided
    case(
        "root_missing",
        "Its trusted root is not on the host.",
        BY_KEYLESS,
        {P: bundle()},
        roots=(),
        code="trusted-root-missing",
        **IDENTITY,
    ),
    case(
        "form_newer",
        "A bundle of a later version.",
        BY_KEYLESS,
        given=(NEWER,),
        code="evidence-form-unknown",
        **IDENTITY,
    ),
    case(
        "predicate_unknown",
        "A condition on a predicate that says nothing of it.",
        asks(TESTS, "alice", builderId="https://builder.example/1"),
        one(statement(TESTS), "alice"),
        code="evidence-form-unknown",
    ),
    case(
        "algorithm_unknown",
        "Logged by a digest that this verifier does not know.",
        BY_KEYLESS,
        {P: logged_by("sha3-256")},
        code="evidence-algorithm-unknown",
        **IDENTITY,
    ),
    case(
        "large",
        "Larger than what is looked into of a member.",
        BY_ALICE,
        {P: envelope(GOOD, "alice").rstrip() + b" " * WIDE},
        code="evidence-too-large",
    ),
    case(
        "large_by_others",
        "Another document is larger than that; the one that is asked for is not.",
        BY_ALICE,
        {P: envelope(GOOD, "alice"), "x.json": NOT_YET.rstrip() + b" " * WIDE},
    ),
    case(
        "large_index",
        "The index of the evidence is larger than that.",
        BY_ALICE,
        one(GOOD, "alice"),
        index=b"offline-kit-evidence/1\n" + b"#" * WIDE,
        code="evidence-too-large",
    ),
    case(
        "large_deep",
        "Nested deeper than what is read.",
        BY_ALICE,
        given=(b"[" * 200 + b"]" * 200,),
        code="evidence-too-large",
    ),
    case(
        "large_beside_image",
        "Beside its image lies an attestation that is larger than what is looked into of a blob.",
        OF_IMAGE,
        image=ATTESTED.rstrip() + b" " * (300 << 10),
        code="evidence-too-large",
    ),
    case("beside_image", "It lies beside its image.", OF_IMAGE, image=ATTESTED),
    case("pipe", "The kit comes through a pipe.", OF_IMAGE, image=ATTESTED, how="pipe"),
    case(
        "pipe_absent",
        "The kit comes through a pipe, and there is none.",
        BY_ALICE,
        how="pipe",
        code=MISSING,
    ),
    case(
        "quick",
        "What would decide is compressed, and was not decoded.",
        OF_IMAGE,
        image=ATTESTED,
        how="quick",
        code="evidence-unread",
    ),
    case(
        "quick_by_others",
        "It is there by another; what may lie beside the image is compressed, and was not decoded.",
        {**BY_ALICE, "component": "image"},
        one(provenance({"sha256": IMAGE_DIGEST}), "bob"),
        image=NOT_YET,
        how="quick",
        code="evidence-unread",
    ),
    case(
        "only_listed",
        "The members were listed, and none was read.",
        BY_ALICE,
        one(GOOD, "alice"),
        how="index",
        code="attestation-unchecked",
    ),
    # --- overrides
    case(
        "override_large",
        "An override lets a limit pass.",
        BY_ALICE,
        {P: envelope(GOOD, "alice").rstrip() + b" " * WIDE},
        overrides=(override("evidence-too-large"),),
    ),
    case(
        "override_missing",
        "An override lets it be absent.",
        BY_ALICE,
        overrides=(override(MISSING),),
    ),
    case(
        "override_undecided",
        "An override lets it be undecided.",
        BY_KEYLESS,
        {P: bundle()},
        roots=(),
        overrides=(override("trusted-root-missing"),),
        **IDENTITY,
    ),
    case(
        "override_of_another",
        "An override for absence is none for falsehood.",
        BY_ALICE,
        one(GOOD, "bob"),
        overrides=(override(MISSING),),
        code=UNTRUSTED,
    ),
]


def every_policy_case() -> dict[str, Callable[[], dict[str, bytes]]]:
    """Return what makes the files of each vector, by its directory."""
    tables = (TABLE, evidenceforms.TABLE, evidencerules.TABLE, evidencesigstore.TABLE)
    every = [each for table in (*tables, evidencechains.TABLE) for each in table]
    cases = {each.directory: each.files for each in sorted(every, key=lambda each: each.directory)}
    assert len({each.name for each in every}) == len(every)
    return cases
