"""What a policy asks of evidence, and how each question is answered (TRUST-FILES 3.7 to 3.10)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import bundles
from tests.support.assembler import component
from tests.support.attesting import (
    COMPONENT,
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
from tests.support.bundles import ISSUER, NAME, Wish, make_bundle, world
from tests.support.certificates import NOW, pem
from tests.support.hosting import CLOCK, Site, code, notices, override, policy, rules
from tests.support.people import compact
from verifier import cli
from verifier.core.pipeline import Job
from verifier.host.accept import Host
from verifier.host.attestations import Given
from verifier.host.errors import PolicyInvalid
from verifier.host.policy import parse_policy
from verifier.run import run
from verifier.show.report import Report, render_text
from verifier.show.reportvalue import report_value

ROOT = bundles.text(world().trusted_root())
SIGSTORE = {"trustedRoot": sha256(ROOT), "issuer": ISSUER, "identity": NAME}
ALICE, BOB, CI = attester("alice"), attester("bob"), attester("ci", publicKey=key_of("sums"))
KEYLESS = attester("keyless", **SIGSTORE)


def by(*names: str, threshold: int = 1) -> dict[str, Any]:
    return {"of": list(names), "threshold": threshold}


def asks(
    kind: str = PROVENANCE, by: Any = None, *, attesters: Any = (), overrides: Any = (), **more: Any
) -> bytes:
    """Return a policy with one requirement."""
    wanted = {"component": "tools", "predicateType": kind, **({"by": by} if by else {}), **more}
    extra: dict[str, Any] = {"attesters": list(attesters)} if attesters else {}
    if overrides:
        extra["overrides"] = list(overrides)
    return policy(lines=rules(attestations=[wanted]), **extra)


class Judged:
    """A host with a policy, that looks at a kit."""

    def __init__(self, base: Path) -> None:
        self.site = Site(base)

    def look(
        self,
        asked: bytes,
        evidence: Mapping[str, bytes],
        *given: bytes,
        roots: tuple[bytes, ...] = (ROOT,),
        accept: bool = False,
        job: Job | None = None,
        index: bytes | None = b"",
        **kit: Any,
    ) -> Report:
        self.site.pin(policy=asked)
        if roots:
            self.site.directory.add_trusted_roots(roots)
        path = self.site.base / "kit.tar.zst"
        path.write_bytes(kit_with(evidence, index=index, **kit))
        files = [Given(f"given-{number}", text) for number, text in enumerate(given)]
        host = Host(self.site.directory, CLOCK, "0.1.0", files)
        return run(str(path), job or Job(), host=host, accept=accept)


@pytest.fixture
def host(tmp_path: Path) -> Judged:
    return Judged(tmp_path)


GOOD = provenance()
BY_ALICE = asks(by=by("alice"), attesters=[ALICE])


def bundle(value: dict[str, Any] | None = None, **wish: Any) -> bytes:
    return bundles.text(make_bundle(Wish(statement=value or GOOD, **wish)))


# --- the table of the verdict --------------------------------------------------------------------

TABLE: list[tuple[str, str, bytes, Mapping[str, bytes]]] = [
    ("a kit signer signed", "", BY_ALICE, {"p.json": envelope(GOOD, "alice")}),
    ("another one too", "", BY_ALICE, {"p.json": envelope(GOOD, "bob", "alice")}),
    (
        "a key signed",
        "",
        asks(by=by("ci"), attesters=[CI]),
        {"p.json": envelope(GOOD, "sums")},
    ),
    ("an identity signed", "", asks(by=by("keyless"), attesters=[KEYLESS]), {"p.json": bundle()}),
    ("the kit carries it unsigned", "", asks(), {"p.json": compact(GOOD)}),
    ("the signers of the kit signed it", "", asks(), {"p.json": envelope(GOOD, "alice", "bob")}),
    ("absent", "attestation-missing", BY_ALICE, {}),
    (
        "of another type",
        "attestation-missing",
        BY_ALICE,
        {"p.json": envelope(statement(TESTS), "alice")},
    ),
    (
        "about another component",
        "attestation-missing",
        BY_ALICE,
        {"p.json": envelope(provenance({"sha256": "ab" * 32}), "alice")},
    ),
    ("by another kit signer", "attestation-untrusted", BY_ALICE, {"p.json": envelope(GOOD, "bob")}),
    ("by a stranger", "attestation-untrusted", BY_ALICE, {"p.json": envelope(GOOD, "mallory")}),
    ("by too few", "attestation-untrusted", asks(), {"p.json": envelope(GOOD, "alice")}),
    (
        "by another identity",
        "attestation-untrusted",
        asks(by=by("keyless"), attesters=[attester("keyless", **{**SIGSTORE, "identity": "x@y"})]),
        {"p.json": bundle()},
    ),
    (
        "an identity at another issuer",
        "attestation-untrusted",
        asks(
            by=by("keyless"), attesters=[attester("keyless", **{**SIGSTORE, "issuer": "https://x"})]
        ),
        {"p.json": bundle()},
    ),
    (
        "a false signature",
        "bundle-signature-invalid",
        BY_ALICE,
        {"p.json": envelope(GOOD, "alice").replace(b'"sig":"', b'"sig":"AAAA')},
    ),
    (
        "another builder",
        "attestation-false",
        asks(by=by("alice"), attesters=[ALICE], builderId="https://builder.example/2"),
        {"p.json": envelope(GOOD, "alice")},
    ),
    (
        "a condition on what says nothing of it",
        "evidence-form-unknown",
        asks(TESTS, by("alice"), attesters=[ALICE], builderId="https://builder.example/1"),
        {"p.json": envelope(statement(TESTS, predicate=PASSED), "alice")},
    ),
    (
        "an index that says something else",
        "evidence-index-false",
        BY_ALICE,
        {"p.json": envelope(GOOD, "alice"), "evidence.index": b"offline-kit-evidence/1\n"},
    ),
]


@pytest.mark.parametrize(
    ("expected", "data", "evidence"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_row_of_the_table(
    host: Judged, expected: str, data: bytes, evidence: Mapping[str, bytes]
) -> None:
    false = evidence.get("evidence.index")
    rest = {name: text for name, text in evidence.items() if name != "evidence.index"}
    report = host.look(data, rest, index=false or b"")
    assert code(report) == expected, render_text(report)
    assert int(report.status) == {"": 0, "evidence-form-unknown": 3}.get(expected, 4)
    if not expected:
        assert report.host is not None
        (decision,) = report.host.evidence.decisions  # type: ignore[union-attr]
        assert (decision.verdict, decision.component) == ("met", "tools")
        assert decision.proofs


def test_false_certificate_and_one_that_was_over(host: Judged, tmp_path: Path) -> None:
    data = asks(by=by("keyless"), attesters=[KEYLESS])
    late = bundle(signed=NOW + timedelta(hours=1))
    assert code(host.look(data, {"p.json": late})) == "certificate-expired"
    (tmp_path / "two").mkdir()
    other = Judged(tmp_path / "two")
    stranger = bundles.World()
    wish = Wish(statement=GOOD)
    foreign = bundles.text(make_bundle(wish, stranger))
    assert code(other.look(data, {"p.json": foreign})) == "log-untrusted"


UNDECIDED = [
    (
        "the trusted root is not here",
        "trusted-root-missing",
        asks(by=by("keyless"), attesters=[KEYLESS]),
        {"p.json": bundle()},
        {"roots": ()},
    ),
    (
        "it is larger than what is looked into",
        "evidence-too-large",
        BY_ALICE,
        {"p.json": envelope(provenance(builder="x" * 5_000_000), "alice")},
        {},
    ),
]


@pytest.mark.parametrize(
    ("expected", "data", "evidence", "more"),
    [row[1:] for row in UNDECIDED],
    ids=[row[0] for row in UNDECIDED],
)
def test_what_cannot_be_judged_is_undecided_and_may_be_let_pass(
    host: Judged, expected: str, data: bytes, evidence: Any, more: Any
) -> None:
    report = host.look(data, evidence, **more)
    assert (code(report), int(report.status)) == (expected, 3)
    value = json.loads(data)
    value["overrides"] = [override(expected)]
    (host.site.trust / "policy.json").write_bytes(json.dumps(value).encode())
    path = host.site.base / "kit.tar.zst"
    report = run(str(path), Job(), host=Host(host.site.directory, CLOCK, "0.1.0"))
    assert code(report) == ""
    assert expected in notices(report)
    assert any(PROVENANCE in sentence for sentence in report.not_checked)


def test_form_that_is_newer_is_undecided(host: Judged) -> None:
    newer = bundle().replace(b"bundle.v0.3+json", b"bundle.v0.9+json")
    data = asks(by=by("keyless"), attesters=[KEYLESS])
    report = host.look(data, {}, newer)
    assert (code(report), int(report.status)) == ("evidence-form-unknown", 3)


def test_missing_may_be_let_pass_and_false_may_not(host: Judged) -> None:
    relaxed = [override(name) for name in ("attestation-missing", "attestation-unchecked")]
    data = asks(by=by("alice"), attesters=[ALICE], overrides=relaxed)
    report = host.look(data, {})
    assert code(report) == ""
    assert "attestation-missing" in notices(report)
    for name in ("attestation-false", "attestation-untrusted", "evidence-index-false"):
        with pytest.raises(PolicyInvalid):
            parse_policy(asks(overrides=[override(name)]))


def test_what_is_not_asked_for_neither_raises_nor_lowers(host: Judged) -> None:
    rubbish = {
        "broken.json": b'{"payloadType": 1, "payload": 2}',
        "p.json": envelope(GOOD, "alice"),
        "text.txt": b"{ no JSON",
    }
    report = host.look(BY_ALICE, rubbish, index=None)
    assert code(report) == ""


# --- from the field ------------------------------------------------------------------------------


def test_statement_of_several_subjects_must_name_all_parts(host: Judged) -> None:
    every = envelope(provenance(*FILES, {"sha256": "cd" * 32}), "alice")
    assert code(host.look(BY_ALICE, {"p.json": every})) == ""


def test_any_part_is_enough_where_policy_says_so(host: Judged, tmp_path: Path) -> None:
    one = {"p.json": envelope(provenance(FILES[0]), "alice")}
    report = host.look(BY_ALICE, one)
    assert code(report) == "attestation-missing"
    assert "part of it" in str(report.error)
    (tmp_path / "any").mkdir()
    lax = asks(by=by("alice"), attesters=[ALICE], subjects="any")
    assert code(Judged(tmp_path / "any").look(lax, one)) == ""


def test_two_of_three_are_counted_over_people(host: Judged, tmp_path: Path) -> None:
    """Two names for one key are one attester, and so is one who signed twice."""
    attesters = [ALICE, BOB, CI, attester("alice-key", publicKey=key_of("alice"))]
    data = asks(by=by("alice", "ci", "alice-key", "bob", threshold=2), attesters=attesters)
    cases = [
        ((("alice", "alice"),), "attestation-untrusted"),
        ((("alice",), ("alice",)), "attestation-untrusted"),
        ((("alice",), ("sums",)), ""),
        ((("sums", "bob"),), ""),
    ]
    for number, (documents, expected) in enumerate(cases):
        place = tmp_path / str(number)
        place.mkdir()
        evidence = {f"{i}.json": envelope(GOOD, *names) for i, names in enumerate(documents)}
        assert code(Judged(place).look(data, evidence)) == expected, documents


def test_evidence_of_two_builds_is_not_combined(host: Judged) -> None:
    data = asks(
        by=by("alice", "bob", threshold=2),
        attesters=[ALICE, BOB],
        builderId="https://builder.example/1",
    )
    other = provenance(finished="2026-11-19T00:00:00Z")
    report = host.look(data, {"a.json": envelope(GOOD, "alice"), "b.json": envelope(other, "bob")})
    assert code(report) == "attestation-untrusted"


def test_conditions_must_hold_in_the_same_statement(host: Judged) -> None:
    data = asks(
        by=by("alice"),
        attesters=[ALICE],
        builderId="https://builder.example/1",
        sourceUri="https://git.example/lnm/tools",
    )
    one = provenance(source="git+https://git.example/other@main")
    two = provenance(builder="https://builder.example/2")
    report = host.look(data, {"a.json": envelope(one, "alice"), "b.json": envelope(two, "alice")})
    assert code(report) == "attestation-false"


@pytest.mark.parametrize(
    "old",
    [
        OLD_PROVENANCE,
        "https://slsa.dev/provenance/v0.1",
        "https://in-toto.io/Provenance/v0.1",
        "cosign.sigstore.dev/attestation/v1",  # what cosign called what had no type
        "https://cosign.sigstore.dev/attestation/vuln/v1",
    ],
)
def test_old_spelling_is_named_when_the_wanted_one_is_absent(host: Judged, old: str) -> None:
    made = envelope(statement(old, version="https://in-toto.io/Statement/v0.1"), "alice")
    report = host.look(BY_ALICE, {"p.json": made})
    assert code(report) == "attestation-missing"
    assert old in str(report.error)


def test_key_and_no_log_needs_no_trusted_root(host: Judged) -> None:
    wish = Wish(statement=GOOD, by_key=True, form=None)
    data = asks(by=by("own"), attesters=[attester("own", publicKey=pem(wish.key))])
    made = bundles.text(make_bundle(wish))
    assert code(host.look(data, {"p.json": made}, roots=())) == ""


def test_placeholder_needs_nothing(host: Judged) -> None:
    data = policy(lines=rules(attestations=[{"component": "*", "predicateType": PROVENANCE}]))
    later = component("later", "later", placeholder="to come")
    components = [component("tools", "tools"), later]
    report = host.look(data, {"p.json": compact(GOOD)}, components=components)
    assert code(report) == "", render_text(report)


def test_component_that_is_not_there_is_missing(host: Judged) -> None:
    wanted = {"component": "image", "predicateType": PROVENANCE}
    data = policy(lines=rules(attestations=[wanted]))
    assert code(host.look(data, {"p.json": compact(GOOD)})) == "attestation-missing"


# --- evidence that comes later -------------------------------------------------------------------


def test_evidence_that_came_later_counts_by_who_signed_it(host: Judged, tmp_path: Path) -> None:
    later = envelope(GOOD, "alice")
    report = host.look(BY_ALICE, {}, later, accept=True)
    assert code(report) == ""
    value = report_value(report)["trust"]
    assert value["evidenceGiven"] == [sha256(later)]
    (proof,) = value["attestations"][0]["proofs"]
    assert (proof["given"], proof["sha256"], proof["attester"]) == (True, sha256(later), "alice")
    subjects = {one["digest"]["sha256"] for one in GOOD["subject"]}
    assert proof["about"]
    assert set(proof["about"]) <= subjects
    assert proof["listing"] == []


def test_unsigned_file_that_came_later_is_nobodys_word(host: Judged) -> None:
    assert code(host.look(asks(), {}, compact(GOOD))) == "attestation-untrusted"


def test_kit_as_a_whole_is_named_by_its_kit_id(host: Judged) -> None:
    approval = "https://offline-kit.example/approval/v1"
    wanted = {"component": "@kit", "predicateType": approval, "by": by("security")}
    key = attester("security", publicKey=key_of("sums"))
    data = policy(lines=rules(attestations=[wanted]), attesters=[key])
    report = host.look(data, {})
    assert code(report) == "attestation-missing"
    kit_id = report.opened.kit_id
    assert kit_id is not None
    given = Given("approval", envelope(statement(approval, {"sha256": kit_id}), "sums"))
    path = host.site.base / "kit.tar.zst"
    again = run(str(path), Job(), host=Host(host.site.directory, CLOCK, "0.1.0", [given]))
    assert code(again) == ""


# --- conditions ----------------------------------------------------------------------------------

CONDITIONS: list[tuple[str, bool, dict[str, Any], dict[str, Any]]] = [
    ("builder", True, {"builderId": "https://builder.example/1"}, GOOD),
    ("no prefix of a builder", False, {"builderId": "https://builder.example/"}, GOOD),
    ("source", True, {"sourceUri": "https://git.example/lnm/tools"}, GOOD),
    ("source as git writes it", True, {"sourceUri": "git+https://git.example/lnm/tools/"}, GOOD),
    ("another ref", False, {"sourceUri": "https://git.example/lnm/tools@x"}, GOOD),
    (
        "a host before somebody else's",
        False,
        {"sourceUri": "https://git.example"},
        provenance(source="git+https://git.example@other.example/x@main"),
    ),
    ("no prefix of a source", False, {"sourceUri": "https://git.example/lnm"}, GOOD),
    ("no host with another's name", False, {"sourceUri": "https://git.example"}, GOOD),
    ("young enough", True, {"maximumAgeDays": 5}, GOOD),
    ("too old", False, {"maximumAgeDays": 4}, GOOD),
    (
        "still to come",
        False,
        {"maximumAgeDays": 4},
        provenance(finished="2026-12-20T00:00:00Z"),
    ),
    ("no time at all", False, {"maximumAgeDays": 4}, provenance(finished="yesterday")),
    ("materials without a lock", False, {"materials": "locked"}, provenance(materials=FILES)),
]


@pytest.mark.parametrize(
    ("good", "asked", "value"), [row[1:] for row in CONDITIONS], ids=[r[0] for r in CONDITIONS]
)
def test_condition(host: Judged, good: bool, asked: dict[str, Any], value: dict[str, Any]) -> None:
    data = asks(by=by("alice"), attesters=[ALICE], **asked)
    report = host.look(data, {"p.json": envelope(value, "alice")})
    assert code(report) == ("" if good else "attestation-false"), render_text(report)


def test_materials_are_held_to_the_lock(host: Judged, tmp_path: Path) -> None:
    data = asks(by=by("alice"), attesters=[ALICE], materials="locked")
    lock = f'version = 1\n[[artifact]]\nsha256 = "{FILES[0]["sha256"]}"\n'.encode()
    locked = {"p.json": envelope(provenance(materials=FILES[:1]), "alice"), "kit.lock": lock}
    assert code(host.look(data, locked)) == ""
    (tmp_path / "two").mkdir()
    strange = {"p.json": envelope(provenance(materials=FILES), "alice"), "kit.lock": lock}
    assert code(Judged(tmp_path / "two").look(data, strange)) == "attestation-false"


RESULTS = [
    (PASSED, ""),
    ({**PASSED, "result": "FAILED"}, "attestation-false"),
    ({**PASSED, "failedTests": ["two"]}, "attestation-false"),
    ({**PASSED, "passedTests": []}, "attestation-false"),
    ({**PASSED, "failedTests": 1}, "attestation-false"),
    ("PASSED", "attestation-false"),
]


@pytest.mark.parametrize(("predicate", "expected"), RESULTS)
def test_tests_must_have_passed(host: Judged, predicate: Any, expected: str) -> None:
    data = asks(TESTS, by("alice"), attesters=[ALICE], tests="passed")
    value = statement(TESTS, predicate=predicate)
    assert code(host.look(data, {"t.json": envelope(value, "alice")})) == expected


FOUND = [
    ([("CVE-1", "medium")], [], ""),
    ([("CVE-1", "high")], [], "attestation-false"),
    ([("CVE-1", "9.8")], [], "attestation-false"),
    ([("CVE-1", 6.9)], [], ""),
    ([("CVE-1", "who knows")], [], "attestation-false"),
    ([("CVE-1", "high")], [("CVE-1", "not_affected")], ""),
    ([("CVE-1", "high")], [("CVE-1", "fixed")], ""),
    ([("CVE-1", "high")], [("CVE-1", "under_investigation")], "attestation-false"),
    ([("CVE-1", "high")], [("CVE-2", "not_affected")], "attestation-false"),
]


@pytest.mark.parametrize(("found", "answers", "expected"), FOUND)
def test_findings_must_be_answered(host: Judged, found: Any, answers: Any, expected: str) -> None:
    rule = {"severity": "high", "vex": ["bob"]}
    data = asks(VULNS, by("alice"), attesters=[ALICE, BOB], noOpen=rule)
    evidence = {"v.json": envelope(vulns(*found), "alice")}
    for number, (name, status) in enumerate(answers):
        document = statement("https://openvex.dev/ns/v0.2.0", predicate=vex(name, status))
        evidence[f"x{number}.json"] = envelope(document, "bob")
    assert code(host.look(data, evidence)) == expected


GREASE = "pkg:deb/debian/grease@1.0?arch=amd64"
PRODUCTS = [
    ([], ""),
    ([{"@id": GREASE}], ""),
    (["pkg:deb/debian/grease"], ""),
    ([{"@id": "pkg:deb/debian/other@1.0"}], "attestation-false"),
    (["pkg:deb/debian/grease@2.0"], "attestation-false"),
    ([{"@id": f"sha256:{COMPONENT['sha256']}"}], ""),
    ([{"@id": f"sha256:{'0' * 64}"}], "attestation-false"),
    (
        [{"@id": f"sha256:{COMPONENT['sha256']}", "subcomponents": [{"@id": "pkg:npm/x"}]}],
        "attestation-false",
    ),
]


@pytest.mark.parametrize(("products", "expected"), PRODUCTS)
def test_an_answer_is_about_the_product_that_it_names(
    host: Judged, products: list[Any], expected: str
) -> None:
    """An answer for one package closed the same finding in every other one."""
    rule = {"severity": "high", "vex": ["bob"]}
    data = asks(VULNS, by("alice"), attesters=[ALICE, BOB], noOpen=rule)
    match = {
        "vulnerability": {"id": "CVE-1", "severity": "High"},
        "artifact": {"name": "grease", "version": "1.0", "purl": GREASE},
    }
    report = {"matches": [match], "descriptor": {"name": "grype"}}
    scan = statement(VULNS, predicate={"scanner": {"uri": "x", "result": report}})
    answer = vex("CVE-1", "not_affected", products=products)
    told = statement("https://openvex.dev/ns/v0.2.0", predicate=answer)
    evidence = {"v.json": envelope(scan, "alice"), "x.json": envelope(told, "bob")}
    assert code(host.look(data, evidence)) == expected


@pytest.mark.parametrize(
    "result",
    [
        {"matches": ["CVE-1"], "descriptor": {}},
        {"matches": [{"vulnerability": "CVE-1"}], "descriptor": {}},
        {"SchemaVersion": 2, "Results": [{"Vulnerabilities": ["CVE-1"]}]},
        ["CVE-1"],
        [{}],
    ],
)
def test_a_finding_of_another_shape_is_open(host: Judged, result: Any) -> None:
    """What was passed over would have met `noOpen`."""
    data = asks(VULNS, by("alice"), attesters=[ALICE], noOpen={"severity": "critical"})
    scan = statement(VULNS, predicate={"scanner": {"uri": "x", "result": result}})
    assert code(host.look(data, {"v.json": envelope(scan, "alice")})) == "attestation-false"


@pytest.mark.parametrize("result", [None, "none", {}, {"matches": []}, {"Results": []}])
def test_a_report_that_nobody_knows_is_undecided(host: Judged, result: Any) -> None:
    data = asks(VULNS, by("alice"), attesters=[ALICE], noOpen={"severity": "critical"})
    scan = statement(VULNS, predicate={"scanner": {"uri": "x", "result": result}})
    assert code(host.look(data, {"v.json": envelope(scan, "alice")})) == "evidence-form-unknown"


def test_newest_answer_counts_and_only_of_those_who_are_named(host: Judged, tmp_path: Path) -> None:
    rule = {"severity": "high", "vex": ["bob"]}
    data = asks(VULNS, by("alice"), attesters=[ALICE, BOB], noOpen=rule)
    report = {"v.json": envelope(vulns(("CVE-1", "high")), "alice")}

    def answer(status: str, day: int, who: str) -> bytes:
        document = vex("CVE-1", status, f"2026-11-{day}T00:00:00Z")
        return envelope(statement("https://openvex.dev/ns/v0.2.0", predicate=document), who)

    good = answer("not_affected", 20, "bob")
    for number, (later, expected) in enumerate(
        [
            (answer("affected", 21, "bob"), "attestation-false"),
            (answer("affected", 19, "bob"), ""),
            (answer("affected", 21, "mallory"), ""),
        ]
    ):
        place = tmp_path / str(number)
        place.mkdir()
        found = Judged(place).look(data, {**report, "x.json": good}, later)
        assert code(found) == expected
    (tmp_path / "last").mkdir()
    stranger = answer("not_affected", 22, "mallory")
    assert code(Judged(tmp_path / "last").look(data, report, stranger)) == "attestation-false"


def test_age_is_by_the_time_that_was_proved(host: Judged) -> None:
    data = asks(by=by("keyless"), attesters=[KEYLESS], maximumAgeDays=36500)
    report = host.look(data, {"p.json": bundle()})
    assert report.host is not None
    (decision,) = report.host.evidence.decisions  # type: ignore[union-attr]
    assert decision.proofs[0].time_from == "log"
    assert "proved by a log" in render_text(report)


# --- reports -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["page", "index"])
def test_list_and_inspect_leave_it_undecided(host: Judged, stage: str) -> None:
    report = host.look(BY_ALICE, {}, job=Job(stop_after=stage))
    assert (code(report), int(report.status)) == ("attestation-unchecked", 3)


def test_part_of_a_kit_is_judged_by_all_of_its_evidence(host: Judged) -> None:
    job = Job(only=("tools/run",))
    assert code(host.look(BY_ALICE, {"p.json": envelope(GOOD, "alice")}, job=job)) == ""


def test_quick_reads_evidence_too(host: Judged) -> None:
    job = Job(quick=True)
    assert code(host.look(BY_ALICE, {"p.json": envelope(GOOD, "alice")}, job=job)) == ""


def test_evidence_that_no_rule_asks_for_is_named(host: Judged) -> None:
    report = host.look(policy(), {}, envelope(GOOD, "alice"))
    assert code(report) == ""
    assert any("given beside the kit (1 file)" in line for line in report.not_checked)


# --- forms of others -----------------------------------------------------------------------------

TARBALL = b"a package of npm"
BY_SHA512 = {"sha512": hashlib.sha512(TARBALL).hexdigest()}


def in_npm_form(value: dict[str, Any]) -> bytes:
    """Return the attestations of a package, as npm's registry gives them."""
    made = json.loads(bundle(value))
    return compact({"attestations": [{"predicateType": PROVENANCE, "bundle": made}]})


def test_npm_names_packages_by_sha512_only(host: Judged, tmp_path: Path) -> None:
    data = policy(
        attesters=[KEYLESS],
        lines=rules(
            attestations=[
                {"component": "c0", "predicateType": PROVENANCE, "by": by("keyless")},
            ]
        ),
    )
    parts = [component("c0", "web")]
    kit: dict[str, Any] = {"data": {"web/a.tgz": TARBALL}, "components": parts, "index": None}
    evidence = {"npm.json": in_npm_form(provenance(BY_SHA512))}
    assert code(host.look(data, evidence, **kit)) == ""
    (tmp_path / "other").mkdir()
    strange = {"npm.json": in_npm_form(provenance({"sha512": "ab" * 64}))}
    assert code(Judged(tmp_path / "other").look(data, strange, **kit)) == "attestation-missing"


@pytest.mark.parametrize(
    ("quick", "expected"), [(False, ""), (True, "evidence-unread")], ids=["whole", "quick"]
)
def test_large_package_of_npm(host: Judged, quick: bool, expected: str) -> None:
    """Its SHA-512 is worked out on the way: no limit of what is looked into bears on it."""
    large = TARBALL * 300_000  # 4.8 MB
    wanted = {"component": "c0", "predicateType": PROVENANCE, "by": by("keyless")}
    data = policy(attesters=[KEYLESS], lines=rules(attestations=[wanted]))
    evidence = {"npm.json": in_npm_form(provenance({"sha512": hashlib.sha512(large).hexdigest()}))}
    report = host.look(
        data,
        evidence,
        job=Job(quick=quick),
        index=None,
        data={"web/a.tgz": large},
        components=[component("c0", "web")],
        level=3,
    )
    assert code(report) == expected, render_text(report)


def test_pep_740_and_lines_of_bundles(host: Judged, tmp_path: Path) -> None:
    data = asks(by=by("keyless"), attesters=[KEYLESS])
    made = json.loads(bundle())
    material = made["verificationMaterial"]
    envelope_ = made["dsseEnvelope"]
    attestation = {
        "version": 1,
        "verification_material": {
            "certificate": material["certificate"]["rawBytes"],
            "transparency_entries": material["tlogEntries"],
        },
        "envelope": {
            "statement": envelope_["payload"],
            "signature": envelope_["signatures"][0]["sig"],
        },
    }
    assert code(host.look(data, {"a.publish.attestation": compact(attestation)}, index=None)) == ""
    (tmp_path / "lines").mkdir()
    lines = bundle(statement(TESTS)) + b"\n" + bundle() + b"\n"
    assert code(Judged(tmp_path / "lines").look(data, {"github.jsonl": lines})) == ""


def test_policy_says_requirements_in_words(tmp_path: Path, capsys: Any) -> None:
    data = asks(
        PROVENANCE,
        by("alice", "ci", threshold=2),
        attesters=[ALICE, CI, KEYLESS],
        builderId="https://builder.example/1",
        materials="locked",
        maximumAgeDays=3,
        noOpen={"severity": "high", "vex": ["alice"]},
    )
    (tmp_path / "policy.json").write_bytes(data)
    assert cli.main(["policy", "check", str(tmp_path / "policy.json")]) == 0
    said = capsys.readouterr().out
    assert "attester 'alice' is the kit signer 'alice'" in said
    assert f"attester 'keyless' is '{NAME}', as '{ISSUER}' says" in said
    assert (
        f"component 'tools' needs {PROVENANCE} by 2 of 'alice', 'ci'; built by "
        "'https://builder.example/1'; of nothing that is not in the lock; at most 3 days old; "
        "with no open finding of high or above, but for what VEX of 'alice' answers"
    ) in said


def test_index_of_a_later_version_may_be_let_pass(host: Judged) -> None:
    newer = b"offline-kit-evidence/2\n"
    overrides = [override("evidence-form-unknown")]
    data = asks(by=by("alice"), attesters=[ALICE], overrides=overrides)
    report = host.look(data, {"p.json": envelope(GOOD, "alice")}, index=newer)
    assert code(report) == ""
    assert "evidence-form-unknown" in notices(report)


def test_key_under_a_trusted_root_needs_what_the_root_has(host: Judged, tmp_path: Path) -> None:
    who = attester("ci", publicKey=key_of("sums"), trustedRoot=sha256(ROOT))
    data = asks(by=by("ci"), attesters=[who])
    report = host.look(data, {"p.json": envelope(GOOD, "sums")})
    assert code(report) == "log-entry-missing"
    (tmp_path / "bundle").mkdir()
    wish = Wish(statement=GOOD, by_key=True)
    who = attester("ci", publicKey=pem(wish.key), trustedRoot=sha256(ROOT))
    made = bundles.text(make_bundle(wish))
    asked = asks(by=by("ci"), attesters=[who])
    assert code(Judged(tmp_path / "bundle").look(asked, {"p.json": made})) == ""
