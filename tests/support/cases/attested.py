"""Kits with evidence, policies, and what a host must say: TRUST-FILES 3.7 to 3.10 as vectors."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

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
    kit_with,
    provenance,
    sha256,
    statement,
    vex,
    vulns,
)
from tests.support.bundles import (
    HOST_1,
    HOST_2,
    ISSUER,
    NAME,
    ORIGIN_1,
    Transparency,
    Wish,
    World,
    make_bundle,
    text,
)
from tests.support.certificates import NOW, Log
from tests.support.hosting import LINE, override
from tests.support.people import compact

CLOCK = "2026-11-25T00:00:00Z"
UNDECIDED = frozenset(
    {"trusted-root-missing", "evidence-form-unknown", "evidence-unread", "attestation-unchecked"}
)


def seeded(name: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return a key that is the same everywhere, and no secret."""
    digits = hashlib.sha512(f"offline-kit vectors: {name}".encode()).digest()[:30]
    return ec.derive_private_key(int.from_bytes(digits, "big"), curve or ec.SECP256R1())


@functools.cache
def place(name: str = "one") -> World:
    """Return authorities and logs whose keys are the same everywhere."""
    edward = hashlib.sha256(f"offline-kit vectors: {name}".encode()).digest()
    return World(
        root_key=seeded(f"{name} root", ec.SECP384R1()),
        ca_key=seeded(f"{name} authority"),
        stamp_root_key=seeded(f"{name} stamp root", ec.SECP384R1()),
        stamp_key=seeded(f"{name} stamps"),
        log=Log(seeded(f"{name} certificates")),
        rekor=Transparency(seeded(f"{name} log"), HOST_1, ORIGIN_1, v2=False),
        rekor2=Transparency(
            ed25519.Ed25519PrivateKey.from_private_bytes(edward), HOST_2, HOST_2, v2=True
        ),
    )


def bundle(value: Any = None, at: str = "one", **wish: Any) -> bytes:
    """Return a sigstore bundle of a statement, made at a place by the identity of the vectors."""
    made = Wish(statement=value or GOOD, key=seeded("signer"), **wish)
    return text(make_bundle(made, place(at)))


GOOD = provenance()
ROOT = text(place().trusted_root())
SIGSTORE = {"trustedRoot": sha256(ROOT), "issuer": ISSUER, "identity": NAME}
ALICE, BOB, CAROL = (attester(name) for name in ("alice", "bob", "carol"))
KEY = attester("key", publicKey=key_of("sums"))
KEYLESS = attester("keyless", **SIGSTORE)
ANY_TAG = "https://github.com/acme/*/.github/workflows/release.yml@*"


@dataclass(frozen=True)
class PolicyCase:
    """One vector.

    Attributes:
        name: Of its directory, but for ``_fail``.
        why: What is special or wrong.
        requirement: What the policy asks for.
        evidence: Documents below ``evidence/``.
        code: Of what decides; empty if the kit is verified.
        attesters: Whom the policy names.
        overrides: What it lets pass.
        given: Evidence given beside the kit.
        roots: Trusted roots of the host.
        index: What evidence.index says; empty for the truth, None for none.
    """

    name: str
    why: str
    requirement: Mapping[str, Any]
    evidence: Mapping[str, bytes] = field(default_factory=dict)
    code: str = ""
    attesters: tuple[Mapping[str, Any], ...] = (ALICE,)
    overrides: tuple[Mapping[str, Any], ...] = ()
    given: tuple[bytes, ...] = ()
    roots: tuple[bytes, ...] = (ROOT,)
    index: bytes | None = b""

    @property
    def directory(self) -> str:
        """Its name below `fixtures/evidence`."""
        return f"{self.name}_fail" if self.code else self.name

    def policy(self) -> bytes:
        """Return the policy of the host."""
        value: dict[str, Any] = {
            "type": "https://offline-kit.example/policy/v1",
            "name": "vector",
            "attesters": list(self.attesters),
            "lines": [{"line": LINE, "attestations": [dict(self.requirement)]}],
            "overrides": list(self.overrides),
        }
        return (json.dumps(value, indent=1) + "\n").encode()

    def files(self) -> dict[str, bytes]:
        """Return what belongs into the directory; the kit is not compressed here."""
        kit = kit_with(self.evidence, index=self.index if self.evidence else None)
        verdict = "verified" if not self.code else "rejected"
        verdict = "undecided" if self.code in UNDECIDED else verdict
        status = {"verified": 0, "undecided": 3, "rejected": 4}[verdict]
        files = {"kit.gz": kit, "policy.json": self.policy()}
        roots = {f"trusted-root-{n}.json": data for n, data in enumerate(self.roots)}
        given = {f"evidence-{n}.json": data for n, data in enumerate(self.given)}
        value = {
            "description": self.why,
            "kitSha256": sha256(kit),
            "root": "../../keys/root.json",
            "policy": "policy.json",
            "clock": CLOCK,
            "trustedRoots": sorted(roots),
            "evidence": sorted(given),
            "verdict": verdict,
            "exitStatus": status,
            "code": self.code or None,
        }
        files.update(roots)
        files.update(given)
        files["expected.json"] = (json.dumps(value, indent=2) + "\n").encode()
        return files


def asks(kind: str = PROVENANCE, *of: str, threshold: int = 1, **more: Any) -> dict[str, Any]:
    """Return a requirement of the small kit's component."""
    by = {"by": {"of": list(of), "threshold": threshold}} if of else {}
    return {"component": "tools", "predicateType": kind, **by, **more}


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
    # --- overrides
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
    return {each.directory: each.files for each in sorted(TABLE, key=lambda each: each.directory)}
