"""A ceremony by its commands: files travel, the chain grows, mistakes are said."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit import cli
from kit.roots import ceremony, words
from kit.roots.files import load_roots
from tests.support.making import KEYS, REPOSITORY, make_kit
from tests.support.simulator import rotated
from verifier.core.model import parse_time

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for path in KEYS.iterdir():
        if path.suffix in (".pem", ".pub", ".json"):
            shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture
def root(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs ``offline-kit root`` in a directory with the test keys and roots."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["offline-kit", "root", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def test_a_ceremony_from_the_first_root_to_a_chain(root: Run, place: Path) -> None:
    words = ("--remove-signer", "bob", "--add-signer", "frank=frank.pub", "--expires", "2042-01-01")
    status, out, _ = root("rotate", "root.json", *words, "--out", "next.json")
    assert status == 0
    assert "kit signers: 'bob' goes" in out
    assert "next: offline-kit root sign next.json --roots root.json" in out
    (place / "copy.json").write_bytes((place / "next.json").read_bytes())

    status, out, _ = root("sign", "next.json", "--roots", "root.json", "--key", "bob=bob.pem")
    assert (status, "next.json: signed by bob" in out) == (0, True)
    assert "what it changes in version 1:" in out
    status, out, err = root("verify", "root.json", "next.json")
    assert (status, "root-unfinished" in err) == (3, True)
    assert "'bob' signed, 2 must: 1 more of 'alice', 'carol'" in out

    status, out, _ = root("sign", "copy.json", "--roots", "root.json", "--key", "alice=alice.pem",
                          "--key", "frank.pem")  # fmt: skip
    assert (status, "signed by alice, frank" in out) == (0, True)
    status, out, _ = root("verify", "root.json", "next.json", "copy.json")
    assert (status, out.splitlines()[-1]) == (
        0, "complete: offline-kit root accept root.json next.json copy.json",
    )  # fmt: skip

    status, _, err = root("accept", "root.json", "next.json", "copy.json")
    assert (status, "--out roots.json" in err) == (2, True)
    into = ("--out", "chain.json", "--newest", "newest.json")
    status, out, _ = root("accept", "root.json", "next.json", "copy.json", *into)
    assert (status, "wrote chain.json: versions 1 to 2" in out) == (0, True)
    held = load_roots(place / "chain.json")
    assert [r.version for r in held.chain] == [1, 2]
    assert load_roots(place / "newest.json").last == held.last


def test_a_chain_grows_in_place(root: Run, place: Path) -> None:
    assert root("rotate", "roots.json", "--threshold", "3", "--out", "next")[0] == 0
    keys = ("--key", "carol.pem", "--key", "grace=grace.pem", "--key", "frank.pem")
    assert root("sign", "next", "--roots", "roots.json", *keys)[0] == 0
    assert root("accept", "roots.json", "next")[0] == 0
    assert load_roots(place / "roots.json").last.targets.threshold == 3
    status, _, err = root("accept", "roots.json", "next")
    assert (status, "version 5 is in the chain already" in err) == (2, True)


def test_the_first_root_is_signed_in_turn_too(root: Run, place: Path) -> None:
    words = ["--signer", "alice=alice.pub", "--signer", "bob=bob.pub", "--threshold", "2"]
    words += ["--expires", "2041-01-01", "--out", "first.json"]
    status, _, err = root("init", *words, "--key", "alice.pem")
    assert (status, "root-incomplete" in err) == (2, True)
    status, out, _ = root("init", *words, "--partial")
    assert (status, "1: nobody signed, 2 must: 2 more of 'alice', 'bob'" in out) == (0, True)
    for name in ("alice", "bob"):
        assert root("sign", "first.json", "--key", f"{name}={name}.pem")[0] == 0
    assert load_roots(place / "first.json").last.targets.signers() == ["alice", "bob"]
    status, _, err = root("sign", "first.json", "--key", "bob.pem")
    assert (status, "root-signed-already" in err) == (2, True)


def test_roots_are_shown_from_a_file_a_chain_and_a_kit(root: Run, place: Path) -> None:
    _, out, _ = root("show", "root-3.json")
    assert "version 3, expires 2040-01-01T00:00:00Z" in out
    assert "is wrong" not in out  # version 2 is not at hand, and its signers are no fault
    _, out, _ = root("show", "roots.json")
    assert out.count("changes in version") == 3
    assert "line 'demo/stable' is reset" in out
    (place / "kit").write_bytes(rotated().kit("frank"))
    status, out, _ = root("show", "kit")
    assert (status, out.startswith("the kit's own words")) == (0, True)
    root("rotate", "root.json", "--threshold", "3", "--out", "next")
    status, out, _ = root("show", "next")
    assert (status, "signed part" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["rotate", "root.json", "--out", "n"], 2, "nothing would change"),
        (["rotate", "root.json", "--out", "bob.pub", "--threshold", "3"], 2, "file-exists"),
        (["rotate", "missing", "--out", "n"], 2, "root-invalid"),
        (["rotate", "root.json", "--out", "n", "--add-signer", "x"], 2, "NAME=PUBLIC-KEY-FILE"),
        (["rotate", "root.json", "--out", "n", "--expires", "soon"], 2, "--expires wants"),
        (["rotate", "root.json", "--out", "n", "--policy", "missing"], 2, "--policy 'missing'"),
        (["sign", "missing", "--key", "alice.pem"], 2, "root-invalid"),
        (["sign", "root-2.json", "--key", "alice.pem"], 2, "root-before-missing"),
        (["sign", "root-2.json", "--roots", "root.json", "--key", "mallory.pem"], 2,
         "key-not-in-root"),
        (["sign", "root-3.json", "--roots", "root.json", "--key", "bob.pem"], 2,
         "root-version-skipped"),
        (["verify", "root.json", "root-3.json"], 2, "root-version-skipped"),
        (["accept", "roots.json", "root-2.json"], 2, "root-version-skipped"),
        (["accept", "root.json", "root-2.json", "root-3.json", "--out", "n"], 2,
         "root-copies-differ"),
        (["accept", "root.json", "root-2.json", "--out", "bob.pub"], 2, "file-exists"),
        (["show", "bob.pub"], 2, "root-invalid"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_and_nothing_is_written(
    root: Run, place: Path, words: list[str], status: int, says: str
) -> None:
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    got, out, err = root(*words)
    assert (got, says in err) == (status, True), out + err
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_the_bytes_of_a_policy_are_bound(root: Run, place: Path) -> None:
    policy = (REPOSITORY / "manifests/examples/policy-strict.json").read_bytes()
    (place / "policy.json").write_bytes(policy)
    (place / "none at all").write_bytes(b"{}")
    status, _, err = root("rotate", "root.json", "--policy", "none at all", "--out", "n")
    assert (status, "policy-invalid" in err) == (3, True)
    status, out, _ = root("rotate", "root-3.json", "--policy", "policy.json", "--out", "n")
    assert status == 0
    assert f"policy: {hashlib.sha256(policy).hexdigest()} instead of" in out
    assert root("rotate", "root-3.json", "--policy", "none", "--out", "m")[0] == 0


def test_two_who_sign_one_file_at_once_both_have_signed(
    root: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While alice is asked for her passphrase, carol signs the same file; nothing is lost."""
    root("rotate", "root.json", "--threshold", "3", "--out", "next.json")
    with_root = ("--roots", "root.json")
    alices = ceremony.add_signatures

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        made = alices(*arguments, **named)
        monkeypatch.setattr(ceremony, "add_signatures", alices)
        assert root("sign", "next.json", *with_root, "--key", "carol=carol.pem")[0] == 0
        return made

    monkeypatch.setattr(ceremony, "add_signatures", meanwhile)
    status, out, err = root("sign", "next.json", *with_root, "--key", "alice=alice.pem")
    assert (status, err) == (0, "")
    assert "by the rules of version 1: 'alice', 'carol' signed, 2 must: enough" in out


def test_a_file_that_became_another_root_is_not_signed_over(
    root: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root("rotate", "root.json", "--threshold", "3", "--out", "next.json")
    root("rotate", "root.json", "--threshold", "1", "--out", "other.json")
    made = ceremony.add_signatures

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        os.replace(place / "other.json", place / "next.json")
        return made(*arguments, **named)

    monkeypatch.setattr(ceremony, "add_signatures", meanwhile)
    other = (place / "other.json").read_bytes()
    status, _, err = root("sign", "next.json", "--roots", "root.json", "--key", "alice=alice.pem")
    assert (status, "root-copies-differ" in err) == (2, True)
    assert (place / "next.json").read_bytes() == other


def test_a_key_file_that_others_read_is_named(root: Run, place: Path) -> None:
    root("rotate", "root.json", "--threshold", "3", "--out", "next.json")
    for mode, said in ((0o600, ""), (0o644, "note: others can read the private key 'alice.pem'")):
        (place / "alice.pem").chmod(mode)
        root("rotate", "root.json", "--threshold", "3", "--out", f"{mode}.json")
        _, _, err = root("sign", f"{mode}.json", "--roots", "root.json", "--key", "alice.pem")
        assert err.startswith(said)
        assert bool(err) is bool(said)


def test_a_root_ends_in_the_future(root: Run, place: Path) -> None:
    signer = ("--signer", "alice=alice.pub", "--key", "alice.pem", "--threshold", "1")
    status, _, err = root("init", *signer, "--out", "x", "--expires", "2020-01-01")
    assert (status, "lies in the past" in err, (place / "x").exists()) == (2, True, False)
    status, _, err = root("rotate", "root.json", "--out", "x", "--expires", "2020-01-01")
    assert (status, "lies in the past" in err, (place / "x").exists()) == (2, True, False)


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ("2039-01-01T00:00:00Z", []),
        ("2039-12-22T00:00:00Z", ["expires on 2040-01-01T00:00:00Z, in 10 days"]),
        ("2040-01-01T00:00:00Z", ["expired on 2040-01-01T00:00:00Z:"]),
    ],
)
def test_a_root_that_ends_soon_is_named(now: str, says: list[str]) -> None:
    moment = parse_time(now)
    assert moment is not None
    told = words.expiry(load_roots(KEYS / "root.json").last, moment)
    assert len(told) == len(says)
    assert all(say in line for say, line in zip(says, told, strict=True))


def test_every_command_about_a_release_names_a_root_that_has_expired(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_kit(place / "made").path
    monkeypatch.setattr("kit.cli.common.now", lambda: parse_time("2041-01-01T00:00:00Z"))
    for command in (
        ["sign", str(made), "--key", "carol.pem", "--reopen"],
        ["seal", str(made)],
        ["release-note", str(made)],
        ["review", str(made)],
        ["root", "verify", "root.json"],
        ["root", "show", "root.json"],
        ["root", "rotate", "root.json", "--threshold", "1", "--out", "next.json"],
        ["root", "sign", "next.json", "--roots", "root.json", "--key", "alice.pem"],
        ["root", "sign", "next.json", "--roots", "root.json", "--key", "bob.pem"],
        ["root", "accept", "root.json", "next.json", "--out", "longer.json"],
    ):
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["offline-kit", *command])
        with pytest.raises(SystemExit):
            cli.main()
        version = 2 if {"rotate", "sign", "accept"} & {*command[1:2]} else 1
        expired = f"note: root version {version} expired on 2040-01-01T00:00:00Z"
        assert expired in capsys.readouterr().err, command
