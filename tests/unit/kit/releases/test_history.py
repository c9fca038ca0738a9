"""A line's history: what is removed, changed, reordered or signed by somebody else is noticed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest

from kit.releases.entry import Entry, make_entry, open_entry, release_statement
from kit.releases.history import (
    check_history,
    differences,
    find_release,
    head_bytes,
    head_of,
    parse_head,
)
from kit.releases.record import File, Record, parse_record, render_record
from tests.support.making import KEYS, REPOSITORY
from tests.support.releases import LINE, entries, publisher, record, resigned, sha256
from tests.support.together import together
from verifier.core.errors import ExitStatus, KitError
from verifier.core.jsonstrict import compact
from verifier.core.signature import Key
from verifier.evidence.envelopes import signers as dsse_signers
from verifier.evidence.sigstore.identity import make_key
from verifier.evidence.statement import parse_statement, read_envelope

SCHEMA = json.loads((REPOSITORY / "manifests" / "schema" / "release.v1.json").read_bytes())
SIGNER, KEY = publisher()


def code(call: Callable[[], object]) -> str:
    with pytest.raises(KitError) as caught:
        call()
    return caught.value.code


def test_a_record_says_the_same_after_a_round_trip_and_fits_the_schema() -> None:
    made = record(
        3,
        "a" * 64,
        lock="b" * 64,
        evidence="c" * 64,
        owners=("Concelier Storage Guild",),
        supersedes=("d" * 64,),
        files=(
            File(
                "a.tar.zst",
                20 << 20,
                "e" * 64,
                8 << 20,
                base64.b64encode(b"x" * 32).decode() + "-3",
            ),
            File("demo-1.3.tar.zst", 0, sha256(b"")),
        ),
    )
    payload = render_record(made)
    assert parse_record(payload) == made
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(json.loads(payload))


def test_the_same_release_is_the_same_entry() -> None:
    assert make_entry(record(), SIGNER).data == make_entry(record(), SIGNER).data


def test_a_good_history_passes_and_gives_its_head() -> None:
    made = entries(4)
    read = [open_entry(entry.data, [KEY]) for entry in made]
    assert check_history(read, LINE) == made
    pin = parse_head(head_bytes(head_of(made[2])), LINE, "pin")
    assert check_history(read, LINE, pin)[-1].id == made[3].id


# --- what somebody does to a history ---------------------------------------------------------


def _without(n: int) -> Callable[[list[Entry]], list[Entry]]:
    return lambda made: made[: n - 1] + made[n:]


def _swapped(made: list[Entry]) -> list[Entry]:
    return [made[0], made[2], made[1], made[3]]


def _replaced(**changed: Any) -> Callable[[list[Entry]], list[Entry]]:
    def change(made: list[Entry]) -> list[Entry]:
        other = make_entry(record(4, made[2].id, **changed), SIGNER)
        return [*made[:3], other]

    return change


def _rewritten(made: list[Entry]) -> list[Entry]:
    """The publisher signs another second release, and all that follow again."""
    again = [made[0], make_entry(record(2, made[0].id, content_id="f" * 64), SIGNER)]
    for n in (3, 4):
        again.append(make_entry(record(n, again[-1].id), SIGNER))
    return again


BENT: dict[str, tuple[Callable[[list[Entry]], list[Entry]], str]] = {
    "the first is gone": (_without(1), "entry-malformed"),
    "one in the middle is gone": (_without(2), "entry-malformed"),
    "two changed places": (_swapped, "entry-malformed"),
    "the last comes twice": (lambda made: [*made, made[-1]], "entry-malformed"),
    "the last is gone": (lambda made: made[:-1], "head-behind"),
    "all are gone": (lambda made: [], "head-behind"),
    "the last is another": (_replaced(content_id="f" * 64), "head-conflict"),
    "the publisher signed two histories": (_rewritten, "head-conflict"),
    "the number is kept and the place is not": (
        lambda made: [*made[:3], make_entry(record(4, made[1].id), SIGNER)],
        "history-broken",
    ),
    "the first of another history follows": (
        lambda made: [make_entry(record(1, owners=("x",)), SIGNER), *made[1:]],
        "history-broken",
    ),
    "an older sequence": (_replaced(sequence=13), "history-broken"),
    "a version again": (_replaced(version="1.2"), "history-broken"),
    "a kit again": (_replaced(kit_id=sha256(b"kit 2")), "history-broken"),
    "another product": (_replaced(name="other"), "history-broken"),
    "another line": (_replaced(line="demo/other"), "entry-malformed"),
}


@together("case", BENT, ids=BENT.keys())
def test_a_bent_history_is_noticed(case: str) -> None:
    bend, expected = BENT[case]
    made = entries(4)
    # what a reader without a pin sees too is told as what it is
    pin = None if expected == "history-broken" else head_of(made[3])
    assert code(lambda: check_history(bend(made), LINE, pin)) == expected


def test_two_heads_of_one_number_are_both_named() -> None:
    made = entries(2)
    other = make_entry(record(2, made[0].id, content_id="f" * 64), SIGNER)
    with pytest.raises(KitError) as caught:
        check_history([made[0], other], LINE, head_of(made[1]))
    assert made[1].id in str(caught.value)
    assert other.id in str(caught.value)
    assert caught.value.status is ExitStatus.REJECTED


# --- entries that nobody should have signed --------------------------------------------------


def _set(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(value: Any) -> None:
        *way, last = path
        for step in way:
            value = value[int(step)] if step.isdigit() else value[step]
        value[last] = to

    return change


def _drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(value: Any) -> None:
        *way, last = path
        for step in way:
            value = value[int(step)] if step.isdigit() else value[step]
        del value[last]

    return change


def _rename(name: str) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        value["subject"][0]["name"] = value["predicate"]["files"][0]["name"] = name

    return change


P = "predicate"
MALFORMED: dict[str, Callable[[dict[str, Any]], None]] = {
    "no line": _drop(P, "line"),
    "a line of another form": _set(P, "line", to="../x"),
    "number 0": _set(P, "n", to=0),
    "a number that is true": _set(P, "n", to=True),
    "a number in words": _set(P, "n", to="1"),
    "a million and one": _set(P, "n", to=1_000_001),
    "the first follows one": _set(P, "previous", to="a" * 64),
    "previous is no digest": _set(P, "previous", to="x"),
    "no kit": _drop(P, "kit"),
    "the kit is a list": _set(P, "kit", to=[]),
    "sequence 0": _set(P, "kit", "sequence", to=0),
    "a day that does not exist": _set(P, "kit", "created", to="2026-02-30T00:00:00Z"),
    "a digest in capitals": _set(P, "kit", "kitId", to="A" * 64),
    "the kit is no file": _set(P, "kit", "file", to="other.tar.zst"),
    "no files": _set(P, "files", to=[]),
    "a file has more": _set(P, "files", "0", "url", to="x"),
    "a size below 0": _set(P, "files", "0", "size", to=-1),
    "a size beyond 2^53": _set(P, "files", "0", "size", to=1 << 53),
    "a file that climbs": _rename("../SHA256SUMS"),
    "a file with a slash": _rename("a/b"),
    "a hidden file": _rename(".SHA256SUMS"),
    "a file without a name": _rename(""),
    "files out of order": _rename("zzz"),
    "parts without their size": _set(P, "files", "0", "parts", to="x"),
    "no signers": _set(P, "signers", to=[]),
    "a signer twice": _set(P, "signers", to=["alice", "alice"]),
    "signers out of order": _set(P, "signers", to=["bob", "alice"]),
    "a signer with an escape": _set(P, "signers", to=["alice", "bob\x1b[2J"]),
    "threshold 0": _set(P, "threshold", to=0),
    "root version 0": _set(P, "rootVersion", to=0),
    "supersedes is text": _set(P, "supersedes", to="a" * 64),
    "a lock that is no digest": _set(P, "lock", to="kit.lock"),
    "owners are no list": _set(P, "owners", to={"a": "b"}),
    "subjects are other files": _set("subject", "0", "digest", "sha256", to="a" * 64),
    "a subject has another digest too": _set("subject", "0", "digest", "sha512", to="a" * 128),
    "subjects are missing": _set("subject", to=[]),
    "the predicate is text": _set(P, to="x"),
    "another Statement": _set("_type", to="https://in-toto.io/Statement/v0.1"),
    "another predicate": _set("predicateType", to="https://offline-kit.example/kit/v1"),
    "more beside the predicate": _set("more", to=1),
}


@together("case", MALFORMED, ids=MALFORMED.keys())
def test_a_malformed_record_is_refused_though_it_is_signed(case: str) -> None:
    value = json.loads(render_record(record()))
    MALFORMED[case](value)
    assert code(lambda: open_entry(resigned(value), [KEY])) == "entry-malformed"


def test_what_a_later_version_adds_is_listed_and_another_version_is_undecided() -> None:
    value = json.loads(render_record(record()))
    value[P]["later"] = {"a": 1}
    assert open_entry(resigned(value), [KEY]).record.unknown == ("predicate.later",)
    value["predicateType"] = "https://offline-kit.example/release/v2"
    assert code(lambda: open_entry(resigned(value), [KEY])) == "entry-newer"


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "without its line feed": lambda data: data[:-1],
    "another line feed": lambda data: data + b"\n",
    "with spaces": lambda data: json.dumps(json.loads(data)).encode() + b"\n",
    "a name twice": lambda data: data.replace(b'{"payload"', b'{"payload":"","payload"', 1),
    "no JSON": lambda data: b"404 not found\n",
    "deep": lambda data: b"[" * 100_000 + b"\n",
    "too long": lambda data: data[:-1] + b" " * (5 << 20) + b"\n",
    "another payload type": lambda data: data.replace(b"vnd.in-toto+json", b"vnd.other+json", 1),
    "url-safe base64": lambda data: _changed(data, "payload", lambda text: text[:-4] + "-_=="),
    "no signatures": lambda data: _with_signatures(data, []),
    "nine signatures": lambda data: _with_signatures(
        data, [{"keyid": str(i), "sig": "AA=="} for i in range(9)]
    ),
    "keyids out of order": lambda data: _with_signatures(
        data, [{"keyid": "b", "sig": "AA=="}, {"keyid": "a", "sig": "AA=="}]
    ),
    "an empty signature": lambda data: _with_signatures(data, [{"keyid": "a", "sig": ""}]),
    "a signature with more": lambda data: _with_signatures(
        data, [{"keyid": "a", "sig": "AA==", "cert": "x"}]
    ),
}


def _changed(data: bytes, name: str, change: Callable[[str], str]) -> bytes:
    value = json.loads(data)
    value[name] = change(value[name])
    return compact(value) + b"\n"


def _with_signatures(data: bytes, signatures: list[dict[str, str]]) -> bytes:
    return compact({**json.loads(data), "signatures": signatures}) + b"\n"


@together("case", SPELLINGS, ids=SPELLINGS.keys())
def test_an_entry_has_one_spelling(case: str) -> None:
    data = SPELLINGS[case](make_entry(record(), SIGNER).data)
    assert code(lambda: open_entry(data, [KEY])) == "entry-malformed"


def test_only_a_pinned_key_counts_whatever_the_keyid_says() -> None:
    entry = make_entry(record(), SIGNER)
    _, other = publisher("mallory")
    assert code(lambda: open_entry(entry.data, [other])) == "entry-unsigned"
    posing = Key(KEY.keyid, other.signer, other.scheme, other.public, other.material)
    assert code(lambda: open_entry(entry.data, [posing])) == "entry-unsigned"
    called = _with_signatures(
        entry.data, [{**json.loads(entry.data)["signatures"][0], "keyid": "anything"}]
    )
    assert open_entry(called, [KEY]).publishers == (KEY.keyid,)


def test_a_key_is_changed_by_pinning_both() -> None:
    value = json.loads(render_record(record()))
    entry = open_entry(resigned(value, ["sums", "mallory"]), [publisher("mallory")[1]])
    assert entry.publishers == (publisher("mallory")[1].keyid,)
    assert len(open_entry(entry.data, [KEY, publisher("mallory")[1]]).publishers) == 2


HEADS = {
    "empty": b"",
    "no JSON": b"demo/stable 3\n",
    "a list": b"[]\n",
    "more": head_bytes(head_of(entries(1)[0]))[:-2] + b',"x":1}\n',
    "another type": head_bytes(head_of(entries(1)[0])).replace(b"head/v1", b"head/v2"),
    "number 0": head_bytes(head_of(entries(1)[0])).replace(b'"n":1', b'"n":0'),
    "another line": head_bytes(head_of(entries(1)[0])).replace(b"demo/stable", b"demo/other"),
}


@together("case", HEADS, ids=HEADS.keys())
def test_a_pin_that_is_none_is_refused(case: str) -> None:
    assert code(lambda: parse_head(HEADS[case], LINE, "pin")) == "head-invalid"


def test_a_record_that_breaks_a_rule_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="signers"):
        render_record(replace(record(), signers=("alice",)))
    with pytest.raises(ValueError, match="no publisher"):
        open_entry(b"", [])


def test_releases_are_found_by_version_and_compared() -> None:
    made = entries(3)
    assert find_release(made, LINE) is made[2]
    assert find_release(made, LINE, "1.2") is made[1]
    assert code(lambda: find_release(made, LINE, "2.0")) == "release-unknown"
    assert code(lambda: find_release([], LINE)) == "release-unknown"
    changed: Record = replace(
        record(2), signers=("alice", "carol"), files=(*record(2).files, File("x.json", 1, "a" * 64))
    )
    lines = list(differences(made[0], make_entry(replace(changed, previous="b" * 64), SIGNER)))
    assert "version: 1.1 -> 1.2" in lines
    assert "signer bob is gone" in lines
    assert "signer carol is new" in lines
    assert "file x.json is new" in lines
    assert "file demo-1.2.tar.zst: other contents; 101 bytes before, 102 bytes now" in lines


def test_the_release_statement_is_one_that_the_verifier_of_statements_reads() -> None:
    envelope = read_envelope(release_statement(record(), SIGNER), "it")
    statement = parse_statement(envelope, "it")
    assert statement.predicate_type == "https://in-toto.io/attestation/release/v0.2"
    assert statement.predicate["purl"] == "pkg:generic/demo@1.1"
    assert {one.name for one in statement.subjects} == {file.name for file in record().files}
    pem = (KEYS / "sums.pub").read_text()
    assert dsse_signers(envelope, [make_key(pem)], "it")
