"""Roots of trust: every rule of the profile (FORMAT 5), and who counts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support.together import together
from verifier.core.errors import RootChainMalformed, RootInvalid
from verifier.core.jsonstrict import compact, olpc
from verifier.core.trust import chain_bytes, parse_chain, parse_root, read_root

KEYS = Path(__file__).parents[4] / "fixtures" / "keys"
ROOT: dict[str, Any] = json.loads((KEYS / "root.json").read_bytes())
FIELD = "x-offline-kit-signer"
POLICY = "x-offline-kit-policy"
RESET = "x-offline-kit-reset-lines"


def keyid_of(name: str) -> str:
    keys = ROOT["signed"]["keys"]
    return str(next(keyid for keyid in keys if keys[keyid][FIELD] == name))


def signed(value: dict[str, Any], *names: str) -> bytes:
    """Return a root signed again by Ed25519 keys of ``fixtures/keys``, after it was changed."""
    message = olpc(value["signed"])
    value["signatures"] = []
    for name in names:
        key = load_pem_private_key((KEYS / f"{name}.pem").read_bytes(), None)
        signature = key.sign(message)  # type: ignore[union-attr, call-arg]
        value["signatures"].append({"keyid": keyid_of(name), "sig": signature.hex()})
    return compact(value)


Edit = Callable[[dict[str, Any]], Any]


def edited(edit: Edit) -> bytes:
    value = copy.deepcopy(ROOT)
    edit(value["signed"])
    return signed(value, "alice", "carol")


def test_the_fixture_is_good_in_any_spelling() -> None:
    one = parse_root((KEYS / "root.json").read_bytes())
    other = parse_root(json.dumps(ROOT, indent=4).encode())
    assert one.signed == other.signed
    assert one.targets.signers() == ["alice", "bob", "carol"]
    assert one.targets.threshold == 2
    assert parse_root(edited(lambda s: None)).signed == one.signed


def key(s: dict[str, Any], name: str) -> Any:
    return s["keys"][keyid_of(name)]


def second_keyid(s: dict[str, Any], owner: str) -> None:
    s["keys"]["another"] = {**key(s, "carol"), FIELD: owner}


EDITS: dict[str, Edit] = {
    "another type": lambda s: s.update(_type="targets"),
    "another version of TUF": lambda s: s.update(spec_version="2.0"),
    "a version of TUF that is no text": lambda s: s.update(spec_version=1),
    "version 0": lambda s: s.update(version=0),
    "a version that is true": lambda s: s.update(version=True),
    "no expiry": lambda s: s.pop("expires"),
    "an expiry that is no date": lambda s: s.update(expires="2040-02-30T00:00:00Z"),
    "an expiry with a zone": lambda s: s.update(expires="2040-01-01T00:00:00+00:00"),
    "an expiry with a fraction": lambda s: s.update(expires="2040-01-01T00:00:00.5Z"),
    "a leap second": lambda s: s.update(expires="2040-12-31T23:59:60Z"),
    "a role too few": lambda s: s["roles"].pop("snapshot"),
    "a role too many": lambda s: s["roles"].update(mirrors=s["roles"]["root"]),
    "threshold 0": lambda s: s["roles"]["targets"].update(threshold=0),
    "a negative threshold": lambda s: s["roles"]["targets"].update(threshold=-1),
    "a threshold that is true": lambda s: s["roles"]["targets"].update(threshold=True),
    "a threshold beyond the signers": lambda s: s["roles"]["targets"].update(threshold=4),
    "a role without keys": lambda s: s["roles"]["timestamp"].update(keyids=[]),
    "a keyid twice": lambda s: s["roles"]["targets"]["keyids"].append(keyid_of("alice")),
    "a keyid that is not there": lambda s: s["roles"]["targets"]["keyids"].append("x"),
    "a keyid that is a number": lambda s: s["roles"]["targets"]["keyids"].append(1),
    "a key without a signer": lambda s: key(s, "bob").pop(FIELD),
    "a signer without a name": lambda s: key(s, "bob").update({FIELD: ""}),
    "a name of 65 characters": lambda s: key(s, "bob").update({FIELD: "b" * 65}),
    "a name with a control": lambda s: key(s, "bob").update({FIELD: "bob\n"}),
    "a name with a bidi override": lambda s: key(s, "bob").update({FIELD: "\u202ebob"}),
    "two names that are one to people": lambda s: key(s, "bob").update({FIELD: "Alice"}),
    "two names that are one in Unicode": lambda s: (
        key(s, "alice").update({FIELD: "caf\u00e9"}), key(s, "bob").update({FIELD: "cafe\u0301"})
    ),
    "one public key of two people": lambda s: second_keyid(s, "mallory"),
    "a threshold that counts one person twice": lambda s: (
        key(s, "bob").update({FIELD: "alice"}), s["roles"]["targets"].update(threshold=3)
    ),
    "an Ed25519 key that is too short": lambda s: key(s, "alice")["keyval"].update(public="ab"),
    "an Ed25519 key in capitals": lambda s: key(s, "alice")["keyval"].update(public="AB" * 32),
    "an Ed25519 key that is no hexadecimal": lambda s: (
        key(s, "alice")["keyval"].update(public="xy" * 32)
    ),
    "a key type that is another": lambda s: key(s, "alice").update(keytype="ecdsa"),
    "a P-256 key that is no PEM": lambda s: key(s, "bob")["keyval"].update(public="x"),
    "a key without keyval": lambda s: key(s, "bob").pop("keyval"),
    "keys that are a list": lambda s: s.update(keys=[]),
    "a policy that is a digest alone": lambda s: s.update({POLICY: "0" * 64}),
    "a policy without sha256": lambda s: s.update({POLICY: {"sha512": "0" * 128}}),
    "a policy with a short digest": lambda s: s.update({POLICY: {"sha256": "0" * 62}}),
    "a policy with a digest in capitals": lambda s: s.update({POLICY: {"sha256": "A" * 64}}),
    "a policy that is null": lambda s: s.update({POLICY: None}),
    "lines that are a text": lambda s: s.update({RESET: "a"}),
    "lines that are null": lambda s: s.update({RESET: None}),
    "a line that is a number": lambda s: s.update({RESET: [1]}),
    "a line that is none": lambda s: s.update({RESET: ["A line"]}),
    "a line that ends in LF": lambda s: s.update({RESET: ["a\n"]}),
    "one line twice": lambda s: s.update({RESET: ["a", "b", "a"]}),
}  # fmt: skip


@together("edit", EDITS.values(), ids=EDITS.keys())
def test_a_root_that_breaks_a_rule_is_refused_though_it_is_signed(edit: Edit) -> None:
    with pytest.raises(RootInvalid):
        parse_root(edited(edit))


def test_one_key_under_two_keyids_is_good_for_one_person_and_counts_once() -> None:
    def edit(s: dict[str, Any]) -> None:
        second_keyid(s, "carol")
        s["roles"]["root"]["keyids"].append("another")

    data = edited(edit)
    root = parse_root(data)
    assert root.role["root"].signers() == ["alice", "bob", "carol"]
    value = json.loads(data)
    carol = next(s for s in value["signatures"] if s["keyid"] == keyid_of("carol"))
    value["signatures"] = [carol, {**carol, "keyid": "another"}]
    with pytest.raises(RootInvalid, match="signed by 1 of the 2"):
        parse_root(compact(value))


def test_an_unknown_scheme_is_not_evaluated_and_no_error() -> None:
    root = parse_root(edited(lambda s: key(s, "bob").update(keytype="ml-dsa", scheme="ml-dsa-65")))
    bob = root.targets.keys[keyid_of("bob")]
    assert not bob.evaluated
    assert not bob.verify(b"", b"", low_s=True)


def test_unknown_members_are_kept_and_signed() -> None:
    root = parse_root(edited(lambda s: s.update(custom={"a": [1, None, True]})))
    assert b'"custom"' in root.signed


@pytest.mark.parametrize("names", [(), ("alice",), ("alice", "mallory")])
def test_a_root_below_its_own_threshold_is_refused(names: tuple[str, ...]) -> None:
    value = copy.deepcopy(ROOT)
    data = json.loads(signed(value, *[n for n in names if n != "mallory"]))
    if "mallory" in names:
        data["signatures"].append({"keyid": keyid_of("carol"), "sig": "00" * 64})
    with pytest.raises(RootInvalid, match="of the 2 signers"):
        parse_root(compact(data))


def test_a_keyid_that_signs_twice_is_refused() -> None:
    data = json.loads(signed(copy.deepcopy(ROOT), "alice", "carol", "carol"))
    with pytest.raises(RootInvalid, match="twice"):
        parse_root(compact(data))


def test_a_root_has_a_largest_size() -> None:
    with pytest.raises(RootInvalid, match="at most"):
        parse_root(b" " * 65537)


def test_a_root_that_no_kit_could_carry_is_refused_however_short_its_file_is() -> None:
    """What is not ASCII is two bytes in UTF-8 and six in compact JSON."""
    root = edited(lambda s: s.update(note="\u00e9" * 11_000))
    short = json.dumps(json.loads(root), ensure_ascii=False).encode()
    assert len(short) < 32_768 < 65_536 < len(root)
    with pytest.raises(RootInvalid, match="65536 bytes in compact JSON"):
        parse_root(short)
    with pytest.raises(RootChainMalformed, match="at most 65536"):
        parse_chain(padded(root + b"\n"))
    longest = edited(lambda s: s.update(note="n" * (65_536 - len(edited(small_note)))))
    assert len(longest) == 65_536
    assert parse_chain(padded(longest + b"\n")) == [parse_root(longest)]


def small_note(s: dict[str, Any]) -> None:
    s["note"] = ""


def test_a_root_binds_a_policy_and_resets_lines() -> None:
    plain = parse_root(edited(lambda s: None))
    assert (plain.policy_sha256, plain.reset_lines) == ("", {})
    digest = "0a" * 32
    bound = {POLICY: {"sha256": digest, "by": 1}, RESET: {"b/c": 1, "a": 1}}
    root = parse_root(edited(lambda s: s.update(bound)))
    assert (root.policy_sha256, root.reset_lines) == (digest, {"b/c": 1, "a": 1})


def test_the_signatures_of_a_root_are_those_that_could_be_one() -> None:
    value = json.loads(edited(lambda s: None))
    good = [(s["keyid"], bytes.fromhex(s["sig"])) for s in value["signatures"]]
    value["signatures"] += [{"keyid": "x", "sig": "q"}, {"keyid": "y", "sig": ""}]
    value["signatures"] += [{"keyid": "z", "sig": "AB", "more": 1}, {"keyid": "w", "sig": "ab"}]
    assert parse_root(compact(value)).signatures == (*good, ("w", b"\xab"))


def test_a_pem_may_lack_its_last_line_end() -> None:
    def shorter(s: dict[str, Any]) -> None:
        keyval = key(s, "bob")["keyval"]
        keyval["public"] = keyval["public"].rstrip("\n")

    root, whole = parse_root(edited(shorter)), parse_root(edited(lambda s: None))
    bob = keyid_of("bob")
    assert root.targets.keys[bob].material == whole.targets.keys[bob].material


def test_a_root_whose_signatures_nobody_has_judged_can_be_read() -> None:
    value = json.loads(edited(lambda s: None))
    assert read_root(compact({**value, "signatures": []})).signatures == ()


# --- the chain as a kit carries it -----------------------------------------------------------


def test_a_chain_is_written_and_read_again() -> None:
    root = parse_root((KEYS / "root.json").read_bytes())
    data = chain_bytes([root])
    assert len(data) % 512 == 0
    assert parse_chain(data) == [root]


def second_version() -> bytes:
    return edited(lambda s: s.update(version=2)) + b"\n"


def padded(lines: bytes) -> bytes:
    return lines + b" " * (-len(lines) % 512)


LINE = compact(ROOT) + b"\n"
CHAINS = {
    "empty": b"",
    "spaces only": b" " * 512,
    "no padding": LINE,
    "too much padding": padded(LINE) + b" " * 512,
    "padding of zeros": padded(LINE).replace(b" ", b"\0"),
    "no line end": padded(LINE[:-1]),
    "an empty line": padded(LINE + b"\n"),
    "CRLF": padded(LINE[:-1] + b"\r\n"),
    "another spelling": padded(json.dumps(ROOT).encode() + b"\n"),
    "the same version twice": padded(LINE + LINE),
    "a version left out": padded(LINE + edited(lambda s: s.update(version=3)) + b"\n"),
    "versions that descend": padded(second_version() + LINE),
    "too many": padded(b"{}\n" * 65),
    "too long": b" " * (262144 + 512),
}


@together("data", CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_that_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(RootChainMalformed):
        parse_chain(data)


def test_two_versions_are_a_chain() -> None:
    assert [root.version for root in parse_chain(padded(LINE + second_version()))] == [1, 2]
