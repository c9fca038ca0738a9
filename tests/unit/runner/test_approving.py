"""Two people at a gate: real ssh-keygen, a real root of operators, and what is no proof."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runner.chain import line_of, read_chain
from tests.conftest import Judge
from tests.support.people import compact, person
from tests.support.running import Grounds, step
from tests.support.simulator import root_of
from verifier.core.jsonstrict import olpc

pytestmark = pytest.mark.slow
GATE = '[[step]]\nid = "go"\nkind = "gate"\nask = "Go on?"\npeople = { production = 2 }\n'


def ssh_key(place: Path, name: str) -> tuple[Path, str]:
    """Make a key by ssh-keygen; return it and its public key in hexadecimal."""
    path = place / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True)
    words = path.with_suffix(".pub").read_text("ascii").split()
    return path, base64.b64decode(words[1])[19:].hex()


POLICY = {
    "type": "https://offline-kit.example/policy/v1",
    "name": "hall 2",
    "otherLines": "allow",
    "rootExpiry": "enforce",
}
LATE = {
    "name": "late",
    "code": "root-expired",
    "line": "demo/stable",
    "reason": "the ceremony is on Friday",
}


def operators(
    keys: dict[str, tuple[str, str]], scheme: str, expires: str = "2036-11-24T00:00:00Z"
) -> bytes:
    """Return a root of operators: from name to scheme and public key; self-signed."""
    own = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = own.public_key().public_bytes_raw().hex()
    named = {f"{name}-key": (name, *key) for name, key in keys.items()}
    table = {
        keyid: {
            "keytype": "ed25519",
            "scheme": kind,
            "keyval": {"public": text},
            "x-offline-kit-signer": name,
        }
        for keyid, (name, kind, text) in {**named, "own": ("chief", "ed25519", public)}.items()
    }
    role = {"keyids": ["own"], "threshold": 1}
    targets = {"keyids": sorted(named), "threshold": 1}
    signed = {
        "_type": "root",
        "spec_version": "1.0",
        "version": 1,
        "expires": expires,
        "keys": table,
        "roles": {"root": role, "timestamp": role, "snapshot": role, "targets": targets},
    }
    entry = {"keyid": "own", "sig": own.sign(olpc(signed)).hex()}
    return json.dumps({"signatures": [entry], "signed": signed}).encode()


def sign(key: Path, message: Path, namespace: str = "offline-kit") -> Path:
    """Sign a file as a person does."""
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), str(message)]
    subprocess.run(command, check=True, capture_output=True)
    made = message.with_name(f"{message.name}.sig")
    return made.rename(message.with_name(f"{key.name}-{namespace}.sig"))


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory, judge: Judge
) -> tuple[Grounds, dict[str, Path]]:
    """Return a run that waits at a gate for two people, and their keys."""
    judge("ssh-keygen")
    grounds = Grounds(tmp_path_factory.mktemp("approving")).make(step("a") + GATE + step("b"))
    keys, public = {}, {}
    for name in ("ann", "bob", "eve"):
        keys[name], text = ssh_key(grounds.top, name)
        public[name] = ("x-offline-kit-sshsig-ed25519", text)
    del public["eve"]
    (grounds.trust / "operators.json").write_bytes(operators(public, "ssh"))
    grounds.begin(6)
    return grounds, keys


@pytest.fixture
def waiting(
    begun: tuple[Grounds, dict[str, Path]], tmp_path: Path
) -> Iterator[tuple[Grounds, dict[str, Path]]]:
    """Return that run; everything is as it was when the test has ended."""
    grounds, _ = begun
    shutil.copytree(grounds.top, tmp_path / "kept", dirs_exist_ok=True)
    yield begun
    shutil.rmtree(grounds.top)
    shutil.move(tmp_path / "kept", grounds.top)


def test_two_people_open_a_gate_and_one_twice_does_not(
    waiting: tuple[Grounds, dict[str, Path]],
) -> None:
    grounds, keys = waiting
    message, trust = grounds.top / "approval", ["--trust", str(grounds.trust)]
    grounds.then("resume", 6, "--answer", "go=yes")  # a typed name is a claim
    grounds.then("approve", 0, "go", "--out", str(message))
    value = json.loads(message.read_bytes())
    assert (value["step"], value["run"], value["target"]) == ("go", "one", "a directory of a test")
    for name, said in (("ann", "1 of 2"), ("ann", "1 of 2"), ("bob", "2 of 2")):
        if name == "bob":
            grounds.then("resume", 6)
        signature = sign(keys[name], message)
        done = grounds.then("approve", 0, "go", "--signature", str(signature), *trust)
        assert said in done.stdout
    grounds.then("resume")
    assert grounds.log() == ["--apply a", "--apply b"]


def test_what_is_no_approval_is_refused(waiting: tuple[Grounds, dict[str, Path]]) -> None:
    grounds, keys = waiting
    message, trust = grounds.top / "approval", ["--trust", str(grounds.trust)]
    grounds.then("approve", 0, "go", "--out", str(message))
    other = grounds.top / "other"
    value = json.loads(message.read_bytes())
    bad = [sign(keys["eve"], message), sign(keys["ann"], message, "file")]
    for name, change in (("step", "open"), ("run", "two"), ("plan", "0" * 64)):
        other.write_bytes(compact({**value, name: change}))
        signature = sign(keys["ann"], other)
        bad.append(signature.rename(grounds.top / f"{name}.sig"))
    (grounds.top / "noise").write_bytes(b"\xff noise")
    for signature in [*bad, grounds.top / "noise"]:
        done = grounds.then("approve", 4, "go", "--signature", str(signature), *trust)
        assert "error[approval-invalid]" in done.stderr
    done = grounds.then("approve", 2, "a", "--out", str(grounds.top / "x"))
    assert "is no gate that asks for people" in done.stderr
    grounds.then("resume", 6)


def test_an_expired_root_of_operators_is_named_and_refused_where_the_policy_says_so(
    waiting: tuple[Grounds, dict[str, Path]],
) -> None:
    grounds, keys = waiting
    public = {
        name: (
            "x-offline-kit-sshsig-ed25519",
            base64.b64decode(keys[name].with_suffix(".pub").read_text("ascii").split()[1])[
                19:
            ].hex(),
        )
        for name in ("ann", "bob")
    }
    late = operators(public, "ssh", "2026-01-01T00:00:00Z")
    (grounds.trust / "operators.json").write_bytes(late)
    message, policy = grounds.top / "approval", grounds.trust / "policy.json"
    said = "warning: the operators' root, version 1, expired on 2026-01-01T00:00:00Z"
    assert said in grounds.go(grounds.new("plan")).stdout
    assert said in grounds.then("status").stdout
    assert grounds.state()["operators"]["expired"] is True
    grounds.then("approve", 0, "go", "--out", str(message))
    signed = ["go", "--trust", str(grounds.trust), "--signature"]
    ann, bob = (str(sign(keys[name], message)) for name in ("ann", "bob"))
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    done = grounds.then("approve", 3, *signed, ann)
    assert "error[root-expired]" in done.stderr
    assert grounds.then("approve", 0, "go", "--out", f"{message}2").stdout.startswith("wrote")
    policy.write_text(json.dumps({**POLICY, "overrides": [LATE]}), encoding="utf-8")
    done = grounds.then("approve", 0, *signed, ann)
    assert "let pass: root-expired: override 'late': the ceremony is on Friday" in done.stdout
    policy.write_text(json.dumps({**POLICY, "rootExpiry": "report"}), encoding="utf-8")
    done = grounds.then("approve", 0, *signed, bob)
    assert said in done.stdout
    assert "2 of 2" in done.stdout
    assert said in grounds.then("resume").stdout
    assert grounds.state()["overrides"] == [
        "root-expired: override 'late': the ceremony is on Friday"
    ]


def test_a_key_of_the_publisher_is_no_operators(waiting: tuple[Grounds, dict[str, Path]]) -> None:
    grounds, keys = waiting
    message = grounds.top / "approval"
    grounds.then("approve", 0, "go", "--out", str(message))
    words = ["go", "--signature", str(sign(keys["ann"], message)), "--trust", str(grounds.trust)]
    alice = person("alice").key
    both = operators({"alice": (alice["scheme"], alice["keyval"]["public"])}, "")
    publishers = root_of(1, "alice", "bob", by=["alice", "bob"])
    share = "operators-share-key"
    for data, code in ((both, share), (None, "operators-missing"), (publishers, share)):
        (grounds.trust / "operators.json").unlink(missing_ok=True)
        if data is not None:
            (grounds.trust / "operators.json").write_bytes(data)
        done = grounds.then("approve", 2, *words)
        assert f"error[{code}]" in done.stderr


def test_approvals_of_a_journal_are_held_to_their_signatures_again(
    waiting: tuple[Grounds, dict[str, Path]],
) -> None:
    """Who can write the journal can write names and the chain, but no signature."""
    grounds, keys = waiting
    message, trust = grounds.top / "approval", ["--trust", str(grounds.trust)]
    grounds.then("approve", 0, "go", "--out", str(message))
    signature = sign(keys["ann"], message)
    grounds.then("approve", 0, "go", "--signature", str(signature), *trust)
    journal = grounds.run_directory / "journal"
    honest = journal.read_bytes()
    found = read_chain(honest)
    approval = next(one for one in found.records if one["type"] == "approval")
    eve = sign(keys["eve"], message).read_text("ascii")
    for change in (
        {"signer": "bob"},  # the signature of ann
        {"signer": "bob", "signature": eve},
        {"signer": "bob", "operatorsVersion": 7},
        {"signer": "bob", "step": "a"},
    ):
        line = line_of(len(found.records), found.head, {**approval, **change})
        journal.write_bytes(honest + line)
        assert "error[approval-invalid]" in grounds.then("resume", 4).stderr
    journal.write_bytes(honest)
    kept = (grounds.trust / "operators.json").read_bytes()
    (grounds.trust / "operators.json").unlink()
    assert "error[operators-missing]" in grounds.then("resume", 2).stderr
    elsewhere = grounds.top / "trust"
    shutil.copytree(grounds.trust, elsewhere)
    (elsewhere / "operators.json").write_bytes(kept)
    grounds.then("resume", 6, "--trust", str(elsewhere))
    assert grounds.log() == ["--apply a"]
