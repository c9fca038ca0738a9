"""Passphrases on the command line: a terminal, a descriptor, a variable; never an argument."""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit import cli
from kit.cli import passphrase
from kit.errors import PassphraseMissing
from kit.keys import cosign, load_private, new_key
from kit.keys.errors import PassphraseWrong
from tests.support.killing import ended
from tests.support.making import REPOSITORY, ROOT_FILE, make_kit
from tests.support.program import Run, apart
from verifier.core.errors import UsageError

SECRET = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scrypt take a sixtieth of what cosign asks for: this is about who is asked for what."""
    monkeypatch.setattr(cosign, "_COSTS", cosign._COSTS | {1 << 10})
    monkeypatch.setattr(cosign, "_COST", 1 << 10)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    passphrase.take_from(None, None)


def pipe_with(data: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


def test_each_question_takes_a_line_and_the_same_question_the_same_one() -> None:
    reader = pipe_with(b"one\n two \r\n\xc3\xa9")
    passphrase.take_from(reader, None)
    names = ["a", "b", "a", "c", "b"]
    assert [passphrase.ask(name) for name in names] == [
        "one",
        " two \r",
        "one",
        "\u00e9",
        " two \r",
    ]
    with pytest.raises(PassphraseMissing, match=f"--passphrase-fd {reader} has no further line"):
        passphrase.ask("d")
    os.close(reader)


def test_a_descriptor_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="--passphrase-fd 987"):
        passphrase.take_from(987, None)
    with pytest.raises(UsageError, match="exclude each other"):
        passphrase.take_from(0, "X")


def test_bytes_that_are_no_text_go_through_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passphrase is bytes: Latin-1 from a file or a variable opens what Latin-1 closed."""
    made = new_key("ed25519", tmp_path, "k", b"caf\xe9")
    reader = pipe_with(b"caf\xe9\n")
    passphrase.take_from(reader, None)
    assert load_private(made.private_path, passphrase.ask)
    os.close(reader)
    monkeypatch.setitem(os.environb, b"LATIN", b"caf\xe9")
    passphrase.take_from(None, "LATIN")
    assert load_private(made.private_path, passphrase.ask)


@pytest.mark.parametrize("descriptor", [-1, 2**31, 2**80])
def test_a_number_that_can_be_no_descriptor_is_refused(descriptor: int) -> None:
    with pytest.raises(UsageError, match="no such file descriptor is open"):
        passphrase.take_from(descriptor, None)


@pytest.mark.parametrize(("end", "named"), [("\r", "carriage return"), ("\n", "line feed")])
def test_a_line_end_in_a_passphrase_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, named: str
) -> None:
    made = new_key("ed25519", tmp_path, "k", SECRET.encode())
    monkeypatch.setenv("TYPED", SECRET + end)
    passphrase.take_from(None, "TYPED")
    with pytest.raises(PassphraseWrong, match=named) as refused:
        load_private(made.private_path, passphrase.ask)
    assert "without the line end" in refused.value.fix
    assert SECRET not in str(refused.value)
    with pytest.raises(UsageError, match="ends in a line end"):
        passphrase.ask_new("new")


def test_a_variable_answers_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_SECRET", SECRET)
    passphrase.take_from(None, "KIT_SECRET")
    assert passphrase.ask("a") == passphrase.ask_new("b") == SECRET
    monkeypatch.setenv("KIT_SECRET", "")
    with pytest.raises(UsageError, match="protects nothing"):
        passphrase.ask_new("b")
    monkeypatch.delenv("KIT_SECRET")
    with pytest.raises(PassphraseMissing, match="'KIT_SECRET' is not set"):
        passphrase.ask("a")


def answering(*answers: str) -> Callable[[str], str]:
    left = list(answers)
    return lambda prompt: left.pop(0)


def test_a_terminal_is_asked_twice_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", answering(SECRET, SECRET))
    assert passphrase.ask_new("a") == SECRET
    monkeypatch.setattr(getpass, "getpass", answering(SECRET, SECRET + " "))
    with pytest.raises(UsageError, match="differ"):
        passphrase.ask_new("a")
    monkeypatch.setattr(getpass, "getpass", answering("", ""))
    with pytest.raises(UsageError, match="protects nothing"):
        passphrase.ask_new("a")


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run offline-kit without any terminal; a fork has all descriptors that the test has."""
    return apart([*map(str, arguments)], Path.cwd(), os.setsid, **environment)


def test_a_kit_is_signed_with_encrypted_keys_end_to_end(tmp_path: Path) -> None:
    reader = pipe_with(b"the first\n")
    done = run(
        "--passphrase-fd", str(reader), "key", "new", "zoe", "--out", tmp_path, "--encrypt",
    )  # fmt: skip
    os.close(reader)
    assert done.returncode == 0, done.stderr
    assert "zoe.key" in done.stdout
    assert load_private(tmp_path / "zoe.key", lambda name: "the first")

    done = run(
        "--passphrase-env", "ZOE", "root", "init", "--signer", f"zoe={tmp_path}/zoe.pub",
        "--threshold", "1", "--key", tmp_path / "zoe.key", "--expires", "2040-01-01",
        "--out", tmp_path / "root.json", ZOE="the first",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    made = make_kit(tmp_path / "made", signers=())
    refused = run("sign", made.path, "--key", f"alice={tmp_path}/zoe.key", "--root", ROOT_FILE)
    assert refused.returncode == 2
    assert "error[passphrase-missing]" in refused.stderr
    wrong = run(
        "--passphrase-env", "ZOE", "sign", made.path, "--key", f"alice={tmp_path}/zoe.key",
        ZOE="the second",
    )  # fmt: skip
    assert wrong.returncode == 2
    assert "error[passphrase-wrong]" in wrong.stderr
    assert "the second" not in wrong.stderr + wrong.stdout


def test_a_terminal_shows_no_answer(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if not child:  # pragma: no cover - another process
        try:
            sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
            sys.argv = ["offline-kit", "key", "new", "zoe", "--out", str(tmp_path), "--encrypt"]
            cli.main()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        finally:
            os._exit(70)
    shown = b""
    for prompt in (b"new passphrase of zoe: ", b"new passphrase of zoe, again: "):
        while prompt not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, SECRET.encode() + b"\n")
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(terminal, 1000):
            shown += piece
    os.close(terminal)
    assert ended(child) == 0, shown
    assert SECRET.encode() not in shown
    assert load_private(tmp_path / "zoe.key", lambda name: SECRET)


def test_a_public_key_is_shown_for_reading_aloud(offline_kit: Run) -> None:
    """The fingerprint is what ``openssl pkey -pubin -outform DER | sha256sum`` prints."""
    keys = REPOSITORY / "fixtures" / "keys"
    shown = {}
    for given in ("carol.pub", "erin.pub"):
        status, said, why = offline_kit("key", "show", str(keys / given))
        assert status == 0, why
        shown[given] = dict(line.split(maxsplit=1) for line in said.splitlines())
    carol, erin = shown["carol.pub"], shown["erin.pub"]
    assert (carol["scheme"], erin["scheme"]) == ("ed25519", "rsassa-pss-sha256")
    assert carol["keyid"] in ROOT_FILE.read_text()
    assert carol["SSH"].startswith("SHA256:")
    assert "SSH" not in erin
    der = base64.b64decode("".join((keys / "carol.pub").read_text().splitlines()[1:-1]))
    assert carol["fingerprint"].replace(" ", "") == hashlib.sha256(der).hexdigest()
    _, other, _ = offline_kit("key", "show", f"rsa-pkcs1v15-sha256:{keys}/erin.pub")
    assert erin["fingerprint"] in other
    assert erin["keyid"] not in other
    assert offline_kit("key", "show", str(keys / "carol.pem"))[0] == 2
