"""`kit-verify selftest`: every answer is right, and a verifier that is broken anywhere fails it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tools import selftest_answers
from verifier import cli, decoders, selftest
from verifier.core import container, headlists, members, pipeline
from verifier.crypto import ecdsa, ed25519


def bad() -> list[str]:
    """Return the checks whose answer is wrong."""
    return [name for name, good in selftest.run() if not good]


def test_every_answer_is_right_and_none_is_missing() -> None:
    results = selftest.run()
    assert bad() == []
    assert len(results) == selftest.EXPECTED
    assert len({name for name, _ in results}) == selftest.EXPECTED


def test_signed_answers_are_those_that_everybody_can_make() -> None:
    text = selftest_answers.SOURCE.read_text("utf-8")
    assert selftest_answers.fresh(text) == text, "run tools/selftest_answers.py --write"
    assert selftest_answers.signature() == selftest.SIGNATURE


@pytest.mark.parametrize("name", ["ROOT", "SIGNATURE"])
def test_another_answer_is_noticed(name: str) -> None:
    text = selftest_answers.SOURCE.read_text("utf-8")
    at = re.search(rf"^{name} = .*\n.*?([0-9a-f]{{16}})", text, re.M)
    assert at
    damaged = text[: at.start(1)] + "0123456789abcdef" + text[at.end(1) :]
    assert damaged != text
    assert selftest_answers.fresh(damaged) == text


# --- a broken verifier ---------------------------------------------------------------------


def always(value: object) -> Callable[..., Any]:
    """Return a function that gives one answer whatever it is asked."""
    return lambda *arguments, **options: value


class Agreeable:
    """Equal to everything: the digest of a verifier that compares nothing."""

    def digest(self) -> Any:
        return self

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


class Guesser:
    """A decoder that says "done" and has done nothing."""

    name = "guesser"

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        return True


BREAKS: dict[str, tuple[object, str, object]] = {
    "every Ed25519 signature is good": (ed25519, "verify", always(True)),
    "no Ed25519 signature is good": (ed25519, "verify", always(False)),
    "every P-256 signature is good": (ecdsa, "verify", always(True)),
    "no P-256 signature is good": (ecdsa, "verify", always(False)),
    "no threshold is counted": (pipeline, "check_threshold", always(None)),
    "a path may climb": (selftest, "parse_member_path", always("x")),
    "lists are not compared": (headlists, "check_blob", always(None)),
    "members are not compared": (
        members,
        "hashlib",
        SimpleNamespace(sha256=always(Agreeable())),
    ),
    "no header is right": (pipeline, "Headers", always(always(b"\1" * 512))),
    "the seek table is not compared": (container.Container, "read_end", always(None)),
    "frames are cut elsewhere": (headlists, "head_frames", always([512])),
    "the decoder guesses": (selftest, "find_decoder", always(("guesser", Guesser))),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_verifier_fails(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(*BREAKS[name])
    assert cli.main(["selftest"]) == 3
    printed = capsys.readouterr()
    assert "BAD " in printed.out
    assert "FAILED" in printed.err
    assert "good" not in printed.out.splitlines()[-1]


def test_check_that_went_missing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = selftest._answers

    def fewer() -> Iterator[tuple[str, bool]]:
        yield from list(answers())[:-1]

    monkeypatch.setattr(selftest, "_answers", fewer)
    assert cli.main(["selftest"]) == 3
    assert "FAILED" in capsys.readouterr().err


# --- what it says --------------------------------------------------------------------------


def test_it_names_the_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = decoders.find_decoder()
    assert found, "the lock has no decoder, but every host that builds has libzstd or Python 3.14"
    assert lines[-2:] == [
        f"decoder for zstd: {found[0]}",
        f"selftest: {selftest.EXPECTED} of {selftest.EXPECTED} good",
    ]
    assert [line[:4] for line in lines[:-2]] == ["ok  "] * selftest.EXPECTED


def test_host_without_decoder_is_good_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(decoders, "FINDERS", {})
    assert cli.main(["selftest"]) == 0
    assert "decoder for zstd: none: " in capsys.readouterr().out
