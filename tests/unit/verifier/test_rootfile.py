"""A root from a file, a chain or a pipe; and files that stand in each other's place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.making import KEYS, REPOSITORY, ROOT_FILE
from tests.support.simulator import rotated
from verifier import cli
from verifier.core.errors import RootInvalid
from verifier.rootfile import load_root, load_roots, what_is

CHAIN = KEYS / "roots.json"
POLICY = REPOSITORY / "manifests/examples/policy-strict.json"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    path = tmp_path / "kit.tar.zst"
    path.write_bytes(rotated().kit("frank", "grace"))
    return path


def test_a_chain_stands_for_its_newest_root(kit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_root(os.fspath(CHAIN)).version == 4
    assert [root.version for root in load_roots(os.fspath(CHAIN))[0]] == [1, 2, 3, 4]
    assert cli.main([os.fspath(kit), "--root", os.fspath(ROOT_FILE)]) == 0
    capsys.readouterr()
    assert cli.main([os.fspath(kit), "--root", os.fspath(CHAIN)]) == 4
    assert "root-fork" in capsys.readouterr().out, "the fixture's fourth root is another one"


def test_a_chain_with_a_bad_step_is_no_root(tmp_path: Path) -> None:
    lines = CHAIN.read_bytes().split(b"\n")
    data = b"\n".join([lines[0], lines[1].replace(b"2040", b"2041"), b""])
    (tmp_path / "roots.json").write_bytes(data + b" " * (-len(data) % 512))
    with pytest.raises(RootInvalid, match="version 2 is signed by 0"):
        load_root(os.fspath(tmp_path / "roots.json"))


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="not run: no /dev/stdin")
def test_a_root_comes_out_of_a_pipe(kit: Path) -> None:
    command = [sys.executable, "-m", "verifier", os.fspath(kit), "--root", "/dev/stdin"]
    done = subprocess.run(
        command, input=ROOT_FILE.read_bytes(), cwd=REPOSITORY, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="not run: no FIFOs")
def test_a_fifo_under_another_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root.json")
    with pytest.raises(RootInvalid, match="not a regular file"):
        load_root(os.fspath(tmp_path / "root.json"))


def test_a_missing_root_sends_nobody_to_a_ceremony() -> None:
    with pytest.raises(RootInvalid) as refused:
        load_root("/nowhere/root.json")
    assert refused.value.fix.startswith("Check the path")


SWAPPED: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "a kit for the root": (
        lambda kit: [ROOT_FILE, "--root", kit],
        "is a kit, not a root of trust",
    ),
    "a policy for the root": (lambda kit: [kit, "--root", POLICY], "is a policy, not a root"),
    "a key for the root": (
        lambda kit: [kit, "--root", KEYS / "alice.pub"],
        "is a public key, not a root",
    ),
    "a root for the policy": (
        lambda kit: ["policy", "check", ROOT_FILE, "--root", POLICY],
        "is a root of trust, not a policy",
    ),
    "a kit to be pinned": (
        lambda kit: ["trust", "init", "--root", kit, "--fingerprint", "0" * 64],
        "is a kit, not a root of trust",
    ),
    "a chain to be pinned": (
        lambda kit: ["trust", "init", "--root", CHAIN, "--fingerprint", "0" * 64],
        "is a chain of roots, and one is pinned",
    ),
}


@pytest.mark.parametrize(("words", "says"), SWAPPED.values(), ids=SWAPPED.keys())
def test_arguments_in_each_others_place_are_named(
    words: Callable[[Path], list[object]],
    says: str,
    kit: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(list(map(str, words(kit)))) == 2
    assert says in capsys.readouterr().err


def test_an_update_takes_a_chain_and_says_who_came_and_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT_FILE, tmp_path)
    from hashlib import sha256

    number = sha256(ROOT_FILE.read_bytes()).hexdigest()
    here = ["--trust", str(tmp_path / "trust")]
    made = ["trust", "init", "--root", str(ROOT_FILE), "--fingerprint", number, "--shared-parent"]
    assert cli.main([*made, *here]) == 0
    capsys.readouterr()
    roots = rotated().roots
    data = b"".join(root + b"\n" for root in roots)
    (tmp_path / "roots.json").write_bytes(data + b" " * (-len(data) % 512))
    assert cli.main(["trust", "update", str(tmp_path / "roots.json"), *here]) == 0
    out = capsys.readouterr().out
    assert "  kit signers: 'frank' comes\n" in out
    assert "  kit signers: 'bob' goes\n" in out


def test_a_report_says_who_came_and_who_went(kit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([os.fspath(kit), "--root", os.fspath(ROOT_FILE)]) == 0
    assert "  - since version 1, kit signers: 'grace' comes\n" in capsys.readouterr().out


def test_who_was_revoked_is_named_and_a_newer_kit_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher = rotated()
    (tmp_path / "root.json").write_bytes(publisher.of(4))
    (tmp_path / "kit").write_bytes(publisher.kit("alice", "bob", roots=publisher.roots[:1]))
    told = [os.fspath(tmp_path / "kit"), "--root", os.fspath(tmp_path / "root.json")]
    assert cli.main(told) == 4
    out = capsys.readouterr().out
    assert "gone since then: 'alice', 'bob'" in out
    assert "fix: Ask the sender for a newer kit" in out


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"{}", b" " * 5000])
def test_what_is_nothing_known_is_not_guessed(data: bytes) -> None:
    assert what_is(data) == ""
