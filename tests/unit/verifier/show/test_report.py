"""The report: one shape for every verdict, and nothing in it that was not proved."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from tests.support.assembler import Draft, assemble, boundaries
from tests.support.making import REPOSITORY, ROOT_FILE
from tests.support.naive import Entry
from tests.support.people import chain, person, sign_root, signed_root
from tests.support.together import together
from verifier import decoders
from verifier.core.errors import NotAKit
from verifier.core.pipeline import Expectation, Job, Opened
from verifier.core.trust import parse_root
from verifier.host.accept import Host
from verifier.host.directory import TrustDirectory
from verifier.run import run
from verifier.show.report import Report, make_report, render_text
from verifier.show.reportvalue import report_value

SCHEMA = json.loads((REPOSITORY / "manifests" / "schema" / "report.v1.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
TEXT = Entry(b"tools/text", b"hello, world\n" * 1000)
PAPER = Entry(b"evidence/sbom/x.json", b"{}\n", b"evidence")
DRAFT = Draft(level=3, sums_key="sums").with_data(TEXT, Entry(b"data/empty", b""))
DRAFT = replace(DRAFT, members=(*DRAFT.members[:-2], PAPER, *DRAFT.members[-2:]))

Hook = Callable[[Any], Any]


def flipped(data: bytes, at: int) -> bytes:
    """Return the bytes with one bit changed."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def change(**members: Any) -> Hook:
    """Return a hook that sets members of the predicate."""

    def hook(statement: dict[str, Any]) -> dict[str, Any]:
        statement["predicate"].update(members)
        return statement

    return hook


def newer(statement: dict[str, Any]) -> dict[str, Any]:
    """Make the statement one of a later format."""
    return {**statement, "predicateType": "https://offline-kit.example/kit/v2"}


def other_root() -> bytes:
    """Return a root that is good and not the one pinned."""
    return sign_root({**signed_root(), "expires": "2041-01-01T00:00:00Z"})


def expiring(statement: dict[str, Any]) -> dict[str, Any]:
    """Give the kit a date, and the lists digests that this verifier does not all know."""
    statement["predicate"]["kit"]["expires"] = "2027-01-01T00:00:00Z"
    for name in ("index", "frames", "roots"):
        statement["predicate"][name]["digest"]["blake3"] = "00" * 32
    statement["subject"][0]["digest"]["blake3"] = "00" * 32
    statement["subject"][1]["digest"]["sha3"] = "00" * 32
    return statement


def with_artifacts(statement: dict[str, Any]) -> dict[str, Any]:
    """Name a primary artifact that is a member, and one that is none."""
    here, size = hashlib.sha256(TEXT.data).hexdigest(), {"md5": "00" * 16}
    statement["subject"] += [
        {"name": "tools/text", "digest": {"sha256": here, **size}},
        {"name": "tools/elsewhere", "digest": {"sha256": "00" * 32}},
    ]
    return statement


@dataclass(frozen=True)
class Case:
    """A run of the verifier and what its report must say.

    Attributes:
        code: Of the finding; empty for none.
        pin: Whether the host has a root.
        file: What is done with the finished file.
    """

    verdict: str
    status: int
    proof: str
    code: str = ""
    job: dict[str, Any] = field(default_factory=dict)
    pin: bool = True
    draft: Draft = DRAFT
    hooks: dict[str, Hook] = field(default_factory=dict)
    file: Hook = bytes
    decoder: bool = True


PLAIN = replace(DRAFT, plain=True)
CASES = {
    "full": Case("verified", 0, "full"),
    "quick": Case("verified", 0, "quick", job={"quick": True}),
    "part": Case("verified", 0, "partial", job={"only": ("tools/text",)}),
    "list": Case("verified", 0, "index", job={"stop_after": "index"}),
    "inspect": Case("verified", 0, "page", job={"stop_after": "page"}),
    "plain": Case("verified", 0, "full", draft=PLAIN),
    "raw frames only": Case("verified", 0, "full", draft=replace(DRAFT, level=0), decoder=False),
    "quick without a decoder": Case("verified", 0, "quick", job={"quick": True}, decoder=False),
    "unknown members": Case("verified", 0, "full", hooks={"statement": change(colour="red")}),
    "a date and other digests": Case("verified", 0, "full", hooks={"statement": expiring}),
    "primary artifacts": Case("verified", 0, "full", hooks={"statement": with_artifacts}),
    "no root": Case("undecided", 3, "none", "no-root", pin=False),
    "another root": Case(
        "rejected",
        4,
        "none",
        "root-fork",
        draft=replace(DRAFT, chain=chain(other_root())),
    ),
    "a later format": Case("undecided", 3, "none", "format-newer", hooks={"statement": newer}),
    "a feature": Case(
        "undecided", 3, "none", "format-newer", hooks={"statement": change(requires=["x"])}
    ),
    "no decoder": Case("undecided", 3, "index", "decoder-missing", decoder=False),
    "no such part": Case("usage", 2, "index", "no-such-member", job={"only": ("nothing",)}),
    "quick and plain": Case("usage", 2, "none", "usage", job={"quick": True}, draft=PLAIN),
    "one signer": Case(
        "rejected", 4, "none", "threshold-not-met", draft=replace(DRAFT, signers=("alice",))
    ),
    "one signer nobody knows": Case(
        "rejected", 4, "none", "threshold-not-met", draft=replace(DRAFT, signers=("mallory",))
    ),
    "a signer too much": Case(
        "rejected",
        4,
        "none",
        "signature-invalid",
        draft=replace(DRAFT, signers=("alice", "bob", "mallory")),
    ),
    "another kit": Case(
        "rejected", 4, "page", "unexpected-kit", job={"expect": Expectation("other")}
    ),
    "a payload bit": Case(
        "rejected", 4, "index", "digest-mismatch", file=lambda d: flipped(d, -1200)
    ),
    "a bit of the index": Case(
        "rejected",
        4,
        "page",
        "digest-mismatch",
        file=lambda d: flipped(d, boundaries(d)[2][0] + 600),
    ),
    "a byte short": Case("rejected", 4, "index", "kit-truncated", file=lambda d: d[:-1]),
    "a byte too much": Case("rejected", 4, "index", "trailing-bytes", file=lambda d: d + b"\0"),
    "something else": Case("rejected", 4, "none", "not-a-kit", file=lambda d: b"PK" + d),
    "nothing": Case("rejected", 4, "none", "kit-truncated", file=lambda d: b""),
    "hostile words": Case(
        "rejected",
        4,
        "none",
        "threshold-not-met",
        draft=replace(DRAFT, signers=()),
        hooks={
            "statement": lambda s: change(
                kit={**s["predicate"]["kit"], "summary": "\u202ek\u2066o"}
            )(s)
        },
    ),
}

every_case = together("name", CASES)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Return the report of each case, made by a whole run."""
    made = {}
    root = parse_root(ROOT_FILE.read_bytes())
    for name, case in CASES.items():
        path = tmp_path_factory.mktemp("report") / "kit.tar.zst"
        path.write_bytes(case.file(assemble(case.draft, **case.hooks)))
        with pytest.MonkeyPatch.context() as patch:
            if not case.decoder:
                patch.setattr(decoders, "FINDERS", {})
            made[name] = run(str(path), Job(root=root if case.pin else None, **case.job))
    return made


@every_case
def test_report_says_what_happened(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    case, value = CASES[name], report_value(report)
    assert value["findings"][0]["code"] if value["findings"] else case.code == ""
    assert [finding["code"] for finding in value["findings"]] == [case.code] * bool(case.code)
    assert (value["verdict"], value["exitStatus"], value["proof"]) == (
        case.verdict,
        case.status,
        case.proof,
    )
    assert value["container"] == ("tar" if case.draft.plain else "tar.zst")


@every_case
def test_report_is_of_the_schema(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    value = json.loads(json.dumps(report_value(report)))
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []


@every_case
def test_text_has_the_verdict_first_and_all_of_the_sentences(
    name: str, reports: dict[str, Report]
) -> None:
    report = reports[name]
    case, text = CASES[name], render_text(report)
    first, *lines = text.splitlines()
    assert first.startswith(f"{case.verdict.upper()}")
    assert text.endswith("\n")
    for sentence in (*report.checked, *report.not_checked):
        assert f"  - {sentence}" in lines
    if case.verdict == "verified":
        how = {"full": "", "partial": " IN PART", "quick": " (quick)"}.get(
            case.proof, f" ({case.proof} only)"
        )
        assert first.startswith(f"VERIFIED{how}: vector 1")
    else:
        assert "verified" not in text.lower()
        assert f"error[{case.code}]" in text
        assert "\n  fix: " in text


NOT_AUTHENTICATED = "the manifest is not authenticated"


def case_is_usage(name: str) -> bool:
    """Whether a run ended before anything of the kit was read."""
    return CASES[name].code == "usage"


@every_case
def test_only_what_is_authenticated_is_not_a_claim(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    value, text = report_value(report), render_text(report)
    said = [line for line in text.splitlines() if "kitId:" in line]
    if value["authenticated"]:
        assert value["signatures"]["signers"] == ["alice", "bob"]
        assert not any(line.startswith("claims:") for line in text.splitlines())
        assert value["checked"]
    else:
        assert value["checked"] == []
        assert value["contentId"] is None
        assert value["members"] is None
        why = "the kit was not looked at" if case_is_usage(name) else NOT_AUTHENTICATED
        assert value["notChecked"] == [f"everything: {why}"]
        assert all(line.startswith("claims: ") for line in said)


@every_case
def test_terminal_gets_nothing_that_could_turn_it(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    assert render_text(report).replace("\n", "").isprintable()


# --- sentences ---------------------------------------------------------------------------------


def not_checked(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a run says that it left out."""
    case = CASES[name]
    path = tmp_path / "kit"
    path.write_bytes(assemble(case.draft, **case.hooks))
    if not case.decoder:
        monkeypatch.setattr(decoders, "FINDERS", {})
    return list(run(str(path), Job(parse_root(ROOT_FILE.read_bytes()), **case.job)).not_checked)


ALWAYS = [
    "what the evidence says (1 file): only that it is as signed",
    "SHA256SUMS.sig: it is for openssl and cosign",
    "expiry of the root of trust: it says 2040-01-01T00:00:00Z",
    "policy, age and downgrade: no trust directory was given",
]
LEFT_OUT = {
    "full": ALWAYS,
    "quick": [
        "that compressed frames decode to the index (--quick): the signers say so",
        *ALWAYS,
    ],
    "part": ["the contents of all other members (--only)", *ALWAYS],
    "list": ["the contents of the members", *ALWAYS],
    "inspect": ["the contents of the members", *ALWAYS[2:]],
    "plain": ["digests of zstd frames: the kit is a plain .tar", *ALWAYS],
    "unknown members": [*ALWAYS, "unknown field 'predicate.colour'"],
    "a date and other digests": [
        *ALWAYS[:2],
        "expiry: the kit says 2027-01-01T00:00:00Z",
        *ALWAYS[2:],
        *(f"digest 'blake3' of {name}" for name in ("index", "frames", "roots")),
        "digest 'sha3' of subject 'SHA256SUMS'",
    ],
    "primary artifacts": [
        *ALWAYS,
        "digest 'md5' of subject 'tools/text'",
        "primary artifact 'tools/elsewhere': it is no member of this kit",
    ],
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_report_names_what_was_not_checked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not_checked(name, tmp_path, monkeypatch) == LEFT_OUT[name]


def test_key_that_is_not_evaluated_is_named(tmp_path: Path) -> None:
    """A root may hold keys of schemes to come; what they sign counts for nothing."""
    signed = signed_root()
    keyid = person("carol").keyid
    signed["keys"][keyid] |= {"keytype": "ml-dsa", "scheme": "ml-dsa-65"}
    root = sign_root(signed)
    path = tmp_path / "kit"
    path.write_bytes(assemble(replace(DRAFT, chain=chain(root), signers=("alice", "bob", "carol"))))
    made = run(str(path), Job(parse_root(root)))
    value = report_value(made)
    assert (value["verdict"], value["signatures"]["notEvaluated"]) == ("verified", [keyid])
    assert any(f"{keyid!r}: its scheme 'ml-dsa-65'" in line for line in made.not_checked)
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []


def test_extraction_says_where(tmp_path: Path) -> None:
    path = tmp_path / "kit"
    path.write_bytes(assemble(DRAFT))
    target = str(tmp_path / "new")
    made = run(str(path), Job(parse_root(ROOT_FILE.read_bytes())), extract=target)
    assert report_value(made)["extractedTo"] == target
    assert render_text(made).endswith(f"\nextracted to {target}\n")
    assert [error.message for error in VALIDATOR.iter_errors(report_value(made))] == []


def test_medium_at_fault_is_undecided(tmp_path: Path) -> None:
    made = run(str(tmp_path / "missing"), Job(parse_root(ROOT_FILE.read_bytes())))
    value = report_value(made)
    assert (value["verdict"], value["kit"], value["kitId"]) == ("undecided", None, None)
    assert "\nthe kit could not be read\n" in render_text(made)
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []


def test_report_says_nothing_untrue_of_a_kit_that_was_not_looked_at(tmp_path: Path) -> None:
    """These three said that the page at the head could not be read."""
    path = tmp_path / "kit"
    path.write_bytes(assemble(DRAFT))
    (tmp_path / "file").write_bytes(b"")
    job = parse_root(ROOT_FILE.read_bytes())
    for target, code in (
        (tmp_path, "target-exists"),
        (tmp_path / "file" / "x", "target-unwritable"),
    ):
        made = run(str(path), Job(job), extract=str(target))
        assert made.error is not None
        assert made.error.code == code
        text = render_text(made)
        assert "could not be read" not in text
        assert "\nthe kit was not looked at\n" in text
        assert list(made.not_checked) == ["everything: the kit was not looked at"]
    path.write_bytes(b"{}" * 60_000)
    assert "the page at the head is not one" in render_text(run(str(path), Job(job)))


def test_a_host_that_was_not_asked_is_not_said_to_be_missing(tmp_path: Path) -> None:
    """``--trust DIR --expect wrong`` said that no trust directory was given."""
    path = tmp_path / "kit"
    path.write_bytes(assemble(DRAFT))
    directory = TrustDirectory(str(tmp_path / "trust"))
    root = ROOT_FILE.read_bytes()
    directory.make(root, hashlib.sha256(root).hexdigest(), None)
    host = Host(directory, 1_800_000_000, "1.0.0")
    made = run(str(path), Job(expect=Expectation("other")), host=host)
    assert made.error is not None
    assert made.error.code == "unexpected-kit"
    assert "policy, age and downgrade: the run ended before" in made.not_checked
    assert "no trust directory" not in render_text(made)


def test_words_survive_any_console(tmp_path: Path) -> None:
    """A name that the console cannot show is escaped there, and stays itself in the JSON."""

    def hook(statement: dict[str, Any]) -> dict[str, Any]:
        statement["predicate"]["kit"]["summary"] = "Größe 😀"
        return statement

    path = tmp_path / "kit"
    path.write_bytes(assemble(DRAFT, statement=hook))
    made = run(str(path), Job(parse_root(ROOT_FILE.read_bytes())))
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    console.write(render_text(made))
    assert report_value(made)["kit"]["summary"] == "Größe 😀"


# --- the schema ----------------------------------------------------------------------------------


def test_schema_is_a_schema() -> None:
    meta.validate(SCHEMA)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the JSON of a kit that is verified."""
    path = tmp_path_factory.mktemp("good") / "kit"
    path.write_bytes(assemble(DRAFT))
    return report_value(run(str(path), Job(parse_root(ROOT_FILE.read_bytes()))))


FINDING = {"code": "no-root", "where": "", "message": "m", "fix": "f."}
FORGED: dict[str, dict[str, Any]] = {
    "verified with the status of a rejection": {"exitStatus": 4},
    "verified and undecided at once": {"exitStatus": 3},
    "verified with a finding": {"findings": [FINDING]},
    "verified and not authenticated": {"authenticated": False},
    "verified by nobody": {"signatures": None},
    "verified without a root": {"root": None},
    "verified with no proof": {"proof": "none"},
    "claims with a contentId": {
        "verdict": "rejected",
        "exitStatus": 4,
        "authenticated": False,
        "proof": "none",
        "checked": [],
        "members": None,
        "findings": [FINDING],
    },
    "claims that were checked": {
        "verdict": "rejected",
        "exitStatus": 4,
        "authenticated": False,
        "proof": "none",
        "contentId": None,
        "members": None,
        "findings": [FINDING],
    },
    "verified without a kit": {"kit": None},
    "verified without a kitId": {"kitId": None},
    "rejected without a finding": {"verdict": "rejected", "exitStatus": 4},
    "rejected with status 0": {"verdict": "rejected", "findings": [FINDING]},
    "rejected with the status of undecided": {
        "verdict": "rejected",
        "exitStatus": 3,
        "findings": [FINDING],
    },
    "undecided with the status of a rejection": {
        "verdict": "undecided",
        "exitStatus": 4,
        "findings": [FINDING],
    },
    "usage with the status of undecided": {
        "verdict": "usage",
        "exitStatus": 3,
        "findings": [FINDING],
    },
    "the status of a crash": {"exitStatus": 1},
    "another verdict": {"verdict": "ok"},
    "another proof": {"proof": "sampled"},
    "another shape": {"type": "https://offline-kit.example/report/v2"},
    "a word more": {"trusted": True},
    "a kitId in capitals": {"kitId": "A" * 64},
    "a kitId that is short": {"kitId": "a" * 63},
    "a contentId that is no digest": {"contentId": "none"},
    "a number as text": {"exitStatus": "0"},
    "a member count below 0": {"members": {"count": -1, "payload": 0, "bytes": 0}},
    "a finding without a fix": {
        "verdict": "rejected",
        "exitStatus": 4,
        "findings": [{"code": "x"}],
    },
}


@together("name", FORGED)
def test_schema_refuses_what_no_report_says(name: str, good: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(good)
    assert not VALIDATOR.is_valid({**good, **FORGED[name]})


def test_schema_refuses_a_report_that_lacks_anything(good: dict[str, Any]) -> None:
    for name in good:
        assert not VALIDATOR.is_valid({key: good[key] for key in good if key != name}), name


def objects(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all objects in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if isinstance(value, dict) else []
    for key, item in items:
        if isinstance(item, (dict, list)):
            found += objects(item, (*path, key))
    return found


def test_schema_knows_every_member_of_every_object(good: dict[str, Any]) -> None:
    for path in objects(good):
        changed = copy.deepcopy(good)
        place: Any = changed
        for key in path:
            place = place[key]
        place["more"] = 1
        assert not VALIDATOR.is_valid(changed), path


# --- what a report is made of -----------------------------------------------------------------


def test_report_of_nothing_proves_nothing() -> None:
    made = make_report(Job(), Opened(), NotAKit("nothing was opened"))
    assert (made.proof, made.authenticated, made.kit, made.checked) == ("none", False, None, ())
    assert [error.message for error in VALIDATOR.iter_errors(report_value(made))] == []
