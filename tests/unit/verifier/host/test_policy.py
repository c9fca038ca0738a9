"""Policies: what is one, what it says in words, and what it decides (TRUST-FILES 3, 5)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from tests.support.attesting import key_of
from tests.support.hosting import (
    CLOCK,
    LINE,
    Site,
    binding,
    code,
    moment,
    notices,
    override,
    policy,
    rules,
)
from tests.support.making import REPOSITORY, ROOT_FILE
from tests.support.people import sign_root, signed_root
from tests.support.together import together
from verifier import cli
from verifier.core.errors import ExitStatus, KitError, all_errors
from verifier.core.trust import parse_root
from verifier.host.errors import PolicyInvalid, PolicyMismatch, PolicyMissing
from verifier.host.policy import BUILT_IN, OVERRIDABLE, choose, parse_policy, release
from verifier.show.policy import policy_lines, unmeetable
from verifier.show.report import render_text

SCHEMA = json.loads((REPOSITORY / "manifests/schema/policy.v1.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = sorted((REPOSITORY / "manifests" / "examples").glob("policy-*.json"))
SET = {"name": "builder", "of": ["alice", "bob"], "threshold": 1}
WANTED = {"component": "*", "predicateType": "https://slsa.dev/provenance/v1"}
PEM = key_of("sums")
WHO = {"trustedRoot": "ab" * 32, "issuer": "https://oidc.example", "identity": "a@b.example"}
WORKFLOW = "https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main"
DAY = 86_400


def one_line(**fields: Any) -> bytes:
    return policy(lines=rules(**fields))


def attesters(*who: dict[str, Any], **wanted: Any) -> bytes:
    """Return a policy with attesters and one requirement."""
    return policy(attesters=list(who), lines=rules(attestations=[{**WANTED, **wanted}]))


GOOD = {
    "nothing but a name": policy(),
    "a set": one_line(signerSets=[SET]),
    "a requirement": one_line(attestations=[WANTED]),
    "an age": one_line(maximumAgeDays=36_500),
    "the signers of the kit": one_line(attestations=[{**WANTED, "by": "kit-signers"}]),
    "attesters of each kind": attesters(
        {"name": "a", "signer": "alice"},
        {"name": "b", "publicKey": PEM, "trustedRoot": "cd" * 32},
        {"name": "c", **WHO},
        {"name": "d", **WHO, "identity": WORKFLOW},
    ),
    "every condition": attesters(
        {"name": "a", "signer": "alice"},
        by={"of": ["a", "kit-signers"], "threshold": 2},
        component="@kit",
        subjects="any",
        builderId="https://builder.example/1",
        sourceUri="https://git.example/x",
        materials="locked",
        tests="passed",
        maximumAgeDays=3,
        noOpen={"severity": "high", "vex": ["a", "kit-signers"]},
    ),
    "a version": policy(minimumVerifier="1.10.0"),
    "an override for a kit": policy(overrides=[override("kit-older", kitId="ab" * 32)]),
    "an override that ends": policy(
        overrides=[override("kit-older", until="2027-01-01T00:00:00Z")]
    ),
    "every word": policy(
        otherLines="refuse", downgrade="allow", state="optional", rootExpiry="enforce"
    ),
}
BAD = {
    "no object": b"[]",
    "no JSON": b"{",
    "a name twice": b'{"type": "x", "type": "y"}',
    "a fraction": policy().replace(b'"tried"', b"1.5"),
    "too long": policy() + b" " * 300_000,
    "no name": json.dumps({"type": "https://offline-kit.example/policy/v1"}).encode(),
    "an empty name": policy(""),
    "a control in the name": policy("a\u202eb"),
    "another type": policy(type="https://offline-kit.example/policy/v2"),
    "an unknown field": policy(sbomCoverage=True),
    "an unknown field of a line": one_line(colour="red"),
    "an unknown field of a set": one_line(signerSets=[{**SET, "or": []}]),
    "an unknown word": policy(downgrade="maybe"),
    "true for allow": policy(downgrade=True),
    "a line twice": policy(lines=rules() + rules()),
    "a line that is none": policy(lines=rules("Vectors")),
    "a set of nobody": one_line(signerSets=[{**SET, "of": []}]),
    "a set of numbers": one_line(signerSets=[{**SET, "of": [7]}]),
    "threshold 0": one_line(signerSets=[{**SET, "threshold": 0}]),
    "threshold true": one_line(signerSets=[{**SET, "threshold": True}]),
    "a threshold above the set": one_line(signerSets=[{**SET, "threshold": 3}]),
    "one signer twice in a set": one_line(signerSets=[{**SET, "of": ["alice", "alice"]}]),
    "one signer in two sets": one_line(
        signerSets=[SET, {"name": "security", "of": ["bob"], "threshold": 1}]
    ),
    "two sets of one name": one_line(signerSets=[SET, {**SET, "of": ["carol"]}]),
    "an age of 0": one_line(maximumAgeDays=0),
    "an age as text": one_line(maximumAgeDays="30"),
    "an attester who is nobody": attesters({"name": "a"}),
    "an attester who is two": attesters({"name": "a", "signer": "alice", "publicKey": PEM}),
    "an attester called as the signers": attesters({"name": "kit-signers", "signer": "alice"}),
    "an attester twice": attesters(*[{"name": "a", "signer": "alice"}] * 2),
    "a signer under two names": attesters(*({"name": n, "signer": "alice"} for n in "ab")),
    "a key under two names": attesters(*({"name": n, "publicKey": PEM} for n in "ab")),
    "an identity under two names": attesters(*({"name": n, **WHO} for n in "ab")),
    "a key that is none": attesters({"name": "a", "publicKey": PEM[:-40]}),
    "an identity without a trusted root": attesters(
        {"name": "a", "issuer": "https://x", "identity": "y"}
    ),
    "an issuer with a star": attesters({"name": "a", **WHO, "issuer": "https://*"}),
    "a star in half a name": attesters(
        {"name": "a", **WHO, "identity": WORKFLOW.replace("/*", "/a*")}
    ),
    "a signer with a trusted root": attesters(
        {"name": "a", "signer": "alice", "trustedRoot": "ab" * 32}
    ),
    "a requirement by nobody": attesters(by={"of": [], "threshold": 1}),
    "a requirement by a stranger": attesters(by={"of": ["b"], "threshold": 1}),
    "more than there are": attesters(by={"of": ["kit-signers"], "threshold": 2}),
    "one twice": attesters(by={"of": ["kit-signers"] * 2, "threshold": 1}),
    "a severity that is none": attesters(noOpen={"severity": "bad"}),
    "a condition that is not known": attesters(signedBy="x"),
    "no predicate type": one_line(attestations=[{"component": "*"}]),
    "a predicate type that is no URI": one_line(attestations=[{**WANTED, "predicateType": "x"}]),
    "a version that is none": policy(minimumVerifier="v1"),
    "an override of a signature": policy(overrides=[override("signature-invalid")]),
    "an override of the threshold": policy(overrides=[override("threshold-not-met")]),
    "an override of the state": policy(overrides=[override("state-missing")]),
    "an override for nothing": policy(overrides=[{**override("kit-older"), "line": None}]),
    "an override for an empty kit": policy(overrides=[override("kit-older", kitId="")]),
    "an override for both": policy(overrides=[override("kit-older", kitId="ab" * 32, line=LINE)]),
    "an override without a reason": policy(overrides=[override("kit-older", reason="")]),
    "an override until a day that is none": policy(
        overrides=[override("kit-older", until="2027-02-30T00:00:00Z")]
    ),
    "one override twice": policy(overrides=[override("kit-older")] * 2),
}
BEYOND_THE_SCHEMA = {
    "an attester twice",
    "a signer under two names",
    "a key under two names",
    "an identity under two names",
    "a key that is none",
    "an issuer with a star",
    "a star in half a name",
    "a requirement by a stranger",
    "more than there are",
    "one twice",
    "a name twice",
    "too long",
    "a control in the name",
    "a line twice",
    "a threshold above the set",
    "one signer twice in a set",
    "one signer in two sets",
    "two sets of one name",
    "an override until a day that is none",
    "one override twice",
}


@together("data", GOOD.values(), ids=GOOD)
def test_policy_is_read(data: bytes) -> None:
    assert parse_policy(data).name == "tried"
    VALIDATOR.validate(json.loads(data))


@together("case", BAD)
def test_what_is_no_policy_is_undecided(case: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(BAD[case])
    assert refused.value.status is ExitStatus.UNDECIDED
    if case not in BEYOND_THE_SCHEMA | {"no JSON"}:
        assert not VALIDATOR.is_valid(json.loads(BAD[case]))


def test_schema_is_one_and_names_what_may_be_overridden() -> None:
    meta.validate(SCHEMA)
    codes = SCHEMA["properties"]["overrides"]["items"]["properties"]["code"]["enum"]
    assert tuple(codes) == OVERRIDABLE


def test_missing_fields_mean_the_strict_word_and_the_report() -> None:
    made = parse_policy(policy(otherLines="refuse"))
    assert (made.other_lines, made.downgrade, made.state_required) == (False, False, True)
    assert (made.enforce_root_expiry, made.enforce_kit_expiry) == (False, False)


@pytest.mark.parametrize(
    ("older", "newer"), [("0.1.0", "0.2"), ("0.9", "0.10"), ("1", "1.0.1"), ("0", "0.0.1")]
)
def test_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert release(older) < release(newer)
    assert release("1.0") == release("1")
    assert release(f"{newer}rc1") == release(newer)


# --- which one is in force -------------------------------------------------------------------

ONE, TWO = policy("one"), policy("two")


def root_with(**fields: Any) -> Any:
    return parse_root(sign_root({**signed_root(), **fields}))


def test_root_says_which_policy_counts() -> None:
    free, bound = root_with(), root_with(**binding(TWO))
    assert choose(free, None, None).policy is BUILT_IN
    assert choose(free, ONE, TWO).bound_by == "host"
    assert choose(free, None, TWO).bound_by == "nobody"
    for files in ((TWO, None), (ONE, TWO), (None, TWO)):
        chosen = choose(bound, *files)
        assert (chosen.policy.name, chosen.bound_by) == ("two", "root")
    with pytest.raises(PolicyMissing):
        choose(bound, None, None)
    with pytest.raises(PolicyMismatch):
        choose(bound, ONE, ONE)
    with pytest.raises(PolicyMismatch):
        choose(bound, TWO + b"\n", None)


# --- what it decides ---------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def decide(site: Site, data: bytes, **kit: Any) -> tuple[str, dict[str, str]]:
    """Return the code, and what was let pass, for a kit at a new host with a policy."""
    report = site.pin(policy=data).look(site.kit(**kit))
    return code(report), notices(report)


CLAUSES: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("no rule", policy(), {}, ""),
    ("the line is named", policy(otherLines="refuse", lines=rules()), {}, ""),
    ("another line", policy(otherLines="refuse", lines=rules("x/y")), {}, "line-refused"),
    ("no line at all", policy(otherLines="refuse"), {}, "line-refused"),
    ("a set is met", one_line(signerSets=[SET]), {}, ""),
    (
        "both sets are met",
        one_line(signerSets=[SET, {**SET, "name": "security", "of": ["carol"]}]),
        {"signers": ("alice", "carol")},
        "",
    ),
    (
        "one of two sets is met",
        one_line(signerSets=[SET, {**SET, "name": "security", "of": ["carol"]}]),
        {},
        "signer-set-unmet",
    ),
    (
        "one signed where two must",
        one_line(signerSets=[{**SET, "of": ["alice", "carol"], "threshold": 2}]),
        {},
        "signer-set-unmet",
    ),
    ("nobody of the root", one_line(signerSets=[{**SET, "of": ["zoe"]}]), {}, "signer-set-unmet"),
    ("an attestation", one_line(attestations=[WANTED]), {}, "attestation-missing"),
    (
        "one of a component that is not there",
        one_line(attestations=[{**WANTED, "component": "image"}]),
        {},
        "attestation-missing",
    ),
    ("this verifier will do", policy(minimumVerifier="0.1"), {}, ""),
    ("a newer verifier", policy(minimumVerifier="0.1.1"), {}, "verifier-too-old"),
    ("kit past its date", policy(), {"expires": "2026-11-24T12:00:00Z"}, ""),
    (
        "kit past its date, enforced",
        policy(kitExpiry="enforce"),
        {"expires": "2026-11-25T00:00:00Z"},
        "kit-expired",
    ),
    (
        "kit in its last second",
        policy(kitExpiry="enforce"),
        {"expires": "2026-11-25T00:00:01Z"},
        "",
    ),
    ("age on the day", one_line(maximumAgeDays=1), {}, ""),
    (
        "age a second later",
        one_line(maximumAgeDays=1),
        {"created": "2026-11-23T23:59:59Z"},
        "kit-stale",
    ),
    (
        "rejection before undecided",
        policy(otherLines="refuse", minimumVerifier="9"),
        {},
        "line-refused",
    ),
]


@pytest.mark.parametrize(
    ("data", "kit", "expected"), [c[1:] for c in CLAUSES], ids=[c[0] for c in CLAUSES]
)
def test_clause_decides(site: Site, data: bytes, kit: dict[str, Any], expected: str) -> None:
    assert decide(site, data, **kit)[0] == expected


RELAXED = [
    ("line-refused", {"otherLines": "refuse"}, {}),
    ("signer-set-unmet", {"lines": rules(signerSets=[{**SET, "of": ["carol"]}])}, {}),
    ("attestation-missing", {"lines": rules(attestations=[WANTED])}, {}),
    ("kit-expired", {"kitExpiry": "enforce"}, {"expires": "2026-11-24T12:00:00Z"}),
    ("kit-stale", {"lines": rules(maximumAgeDays=1)}, {"created": "2026-01-01T00:00:00Z"}),
    ("clock-differs", {"lines": rules(maximumAgeDays=1)}, {"created": "2026-12-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("kind", "fields", "kit"), RELAXED, ids=[r[0] for r in RELAXED])
def test_override_lets_one_code_pass_and_the_report_says_so(
    site: Site, kind: str, fields: dict[str, Any], kit: dict[str, Any]
) -> None:
    assert decide(site, policy(**fields), **kit)[0] == kind
    until = "2026-11-25T00:00:00Z"  # this very second: the last one
    (site.trust / "policy.json").write_bytes(
        policy(overrides=[override(kind, until=until)], **fields)
    )
    path = site.kit(**kit)
    report = site.look(path)
    assert code(report) == ""
    assert notices(report) == {kind: f"override 'let {kind} pass': a test"}
    assert f"(let pass by override 'let {kind} pass': a test)" in render_text(report)
    assert code(site.look(path, clock=CLOCK + 1)) == kind


def test_override_is_for_its_kit_only(site: Site) -> None:
    first, second = site.kit(sequence=1), site.kit(sequence=2)
    kit_id = site.pin().look(first).opened.kit_id
    data = policy(otherLines="refuse", overrides=[override("line-refused", kitId=kit_id)])
    (site.trust / "policy.json").write_bytes(data)
    assert code(site.look(first)) == ""
    assert code(site.look(second)) == "line-refused"


def test_waived_attestation_counts_as_not_checked(site: Site) -> None:
    data = policy(lines=rules(attestations=[WANTED]), overrides=[override("attestation-missing")])
    report = site.pin(policy=data).look(site.kit())
    assert any("slsa.dev" in sentence for sentence in report.not_checked)


def test_all_that_refuses_is_reported(site: Site) -> None:
    data = policy(otherLines="refuse", minimumVerifier="9", kitExpiry="enforce")
    report = site.pin(policy=data).look(site.kit(expires="2026-11-24T00:00:01Z"))
    assert [fault.code for fault in report.faults] == [
        "line-refused",
        "verifier-too-old",
        "kit-expired",
    ]


def test_policy_lets_nothing_pass_that_the_root_refuses(site: Site) -> None:
    overrides = [override(kind) for kind in OVERRIDABLE]
    site.pin(policy=policy(downgrade="allow", state="optional", overrides=overrides))
    assert code(site.look(site.kit(signers=("alice",)))) == "threshold-not-met"
    assert code(site.look(site.kit(signers=("alice", "mallory")))) == "threshold-not-met"


# --- in words ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_is_a_policy(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    VALIDATOR.validate(json.loads(path.read_bytes()))
    assert cli.main(["policy", "check", str(path), "--root", str(ROOT_FILE)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"policy {path.stem.split('-')[1]!r}, SHA-256 of its file:\n")
    assert "WARNING" not in said


def test_examples_decide_as_their_names_say(tmp_path: Path) -> None:
    permissive, strict = (path.read_bytes() for path in EXAMPLES)
    late: dict[str, Any] = {"sequence": 2, "line": "demo/stable", "expires": "2026-11-24T00:00:01Z"}
    loose = Site(tmp_path / "loose")
    loose.base.mkdir()
    loose.pin(policy=permissive)
    assert code(loose.accept(loose.kit(**late))) == ""
    assert notices(loose.look(loose.kit(sequence=1, line="demo/stable"))) == {
        "kit-older": "downgrade: allow"
    }
    tight = Site(tmp_path / "tight")
    tight.base.mkdir()
    tight.pin(policy=strict)
    assert code(tight.look(tight.kit())) == "line-refused"
    assert code(tight.look(tight.kit(**late))) == "kit-expired"
    assert code(tight.accept(tight.kit(sequence=2, line="demo/stable"))) == ""
    assert code(tight.look(tight.kit(sequence=1, line="demo/stable"))) == "kit-older"
    assert code(tight.look(tight.kit(line="demo/stable", signers=("bob", "carol")))) == (
        "signer-set-unmet"
    )
    assert notices(tight.look(tight.kit(line="demo/next"))) == {
        "attestation-missing": "override 'next without provenance': "
        "the builder makes provenance from the second quarter on"
    }


UNMEETABLE: dict[str, tuple[bytes, str]] = {
    "no line at all": (policy(otherLines="refuse"), "no kit at all: no line is named"),
    "a newer verifier": (policy(minimumVerifier="99"), "no kit at all: this verifier is version"),
    "an attestation": (
        attesters({"name": "z", "signer": "zoe"}, by={"of": ["z"], "threshold": 1}),
        "no kit of line vectors/stable: 0 of the 1 attesters that https://slsa.dev/provenance/v1",
    ),
    "people who cannot sign": (
        one_line(signerSets=[{**SET, "of": ["alice", "zoe"], "threshold": 2}]),
        "no kit of line vectors/stable: 1 of the 2 people that 'builder' wants can sign",
    ),
}


@pytest.mark.parametrize(("data", "says"), UNMEETABLE.values(), ids=UNMEETABLE.keys())
def test_a_policy_that_no_kit_can_meet_is_not_0(
    data: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.json").write_bytes(data)
    told = ["policy", "check", str(tmp_path / "policy.json"), "--root", str(ROOT_FILE)]
    assert cli.main(told) == 3
    said = capsys.readouterr()
    assert "error[policy-unmeetable]" in said.err
    assert says in said.err
    assert said.out.startswith("policy 'tried'")


def test_a_policy_that_an_override_makes_meetable_is_0() -> None:
    item = override("attestation-missing")
    by = {"of": ["z"], "threshold": 1}
    lines = rules(attestations=[{**WANTED, "by": by}])
    who = [{"name": "z", "signer": "zoe"}]
    made = parse_policy(policy(attesters=who, lines=lines, overrides=[item]))
    assert unmeetable(made, root_with(), "", "1") == []


def test_a_policy_that_the_root_does_not_name_is_not_0() -> None:
    root = root_with(**binding(b"another"))
    assert unmeetable(parse_policy(policy()), root, "00" * 32, "1") == [
        "no kit at all: root version 1 names another policy"
    ]


def test_words_name_every_override() -> None:
    data = policy(overrides=[override(kind) for kind in OVERRIDABLE])
    lines = policy_lines(parse_policy(data), None, hashlib.sha256(data).hexdigest())
    assert sum(line.startswith("override ") for line in lines) == len(OVERRIDABLE)


def test_check_refuses_what_is_no_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(BAD["an unknown field"])
    assert cli.main(["policy", "check", str(path)]) == 3
    assert "error[policy-invalid]: policy.json: 'sbomCoverage' is not known" in (
        capsys.readouterr().err
    )
    assert cli.main(["policy", "check", str(tmp_path / "nothing")]) == 2


def test_every_code_that_may_be_overridden_is_one() -> None:
    import verifier.evidence.kinds.errors  # noqa: F401

    known: dict[str, type[KitError]] = {kind.code: kind for kind in all_errors()}
    assert set(OVERRIDABLE) < set(known)


def test_moment_of_the_tests_is_the_day_after_the_kits() -> None:
    assert moment("2026-11-24") + DAY == CLOCK
