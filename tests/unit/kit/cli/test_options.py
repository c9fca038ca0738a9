"""Options of both programs: each once, whole, not empty; and nothing foreign moves a cursor."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kit import cli as kit_cli
from kit.cli.common import app
from runner.options import parser as runner_parser
from tests.support.together import together
from verifier import arguments
from verifier import cli as verifier_cli
from verifier.show.plain import plain, shell

Said = tuple[int, str]


def kit_verify(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """Run ``kit-verify``; return its status and all that it said."""
    status = verifier_cli.main(list(words))
    said = capsys.readouterr()
    return status, said.out + said.err


def offline_kit(capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, *words: str) -> Said:
    """Run ``offline-kit``; return its status and all that it said."""
    patch.setattr(sys, "argv", ["offline-kit", *words])
    with pytest.raises(SystemExit) as ended:
        kit_cli.main()
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out + said.err


VALUES = {  # every option with a value, of every command of the verifier
    "verify": (
        *("root", "trust", "expect-line", "expect", "extract", "openssl", "receipt", "jobs"),
        *("only", "fingerprint", "self-fingerprint"),
    ),
    "accept": ("trust", "expect-line", "expect", "extract", "openssl", "receipt", "jobs"),
    "list": ("root", "trust", "expect-line", "component", "match"),
    "diff": ("root", "trust"),
    "inspect": ("root", "trust", "expect-line"),
    "trust init": ("root", "fingerprint", "policy", "trust"),
    "trust show": ("trust",),
    "trust update": ("policy", "trust"),
    "trust reset": ("reason", "trust"),
    "policy check": ("root",),
}
MANY = ("--only", "--component", "--match")
EACH = [(command, f"--{name}") for command, names in VALUES.items() for name in names]


@together(("command", "option"), EACH)
def test_an_empty_value_is_a_mistake(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    """``--expect "$UNSET"`` expected nothing, and said nothing of it."""
    for given in ([option, ""], [f"{option}="]):
        status, said = kit_verify(capsys, *command.split(), "kit", *given)
        assert (status, said.startswith(f"error[usage]: the value of {option} is empty")) == (
            2,
            True,
        )


@together(("command", "option"), [one for one in EACH if one[1] not in MANY])
def test_an_option_counts_once(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    """The last one won in silence."""
    status, said = kit_verify(capsys, *command.split(), "kit", option, "1", option, "1")
    assert (status, said.startswith(f"error[usage]: {option} is given twice")) == (2, True)


@pytest.mark.parametrize("option", ["--quick", "--json", "--quiet", "--accept"])
def test_a_switch_counts_once_too(capsys: pytest.CaptureFixture[str], option: str) -> None:
    status, said = kit_verify(capsys, "kit", option, option)
    assert (status, said.startswith(f"error[usage]: {option} is given twice")) == (2, True)


@pytest.mark.parametrize("word", ["--roo", "--expec", "--q", "--self", "--tru=x"])
def test_no_option_is_abbreviated(capsys: pytest.CaptureFixture[str], word: str) -> None:
    status, said = kit_verify(capsys, "verify", "kit", word)
    name = word.partition("=")[0]
    assert (status, said.startswith(f"error[usage]: there is no option {name}\n")) == (2, True)


def test_an_empty_kit_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["verify", ""], ["verify", "--", ""], ["explain", ""]):
        assert kit_verify(capsys, *words)[0] == 2


@pytest.mark.parametrize("planted", ["--root=x", "--root", "--quick", "--trust=x", "-x"])
@pytest.mark.parametrize("program", ["kit-verify", "offline-kit"])
def test_a_file_named_like_an_option_decides_nothing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    planted: str,
    program: str,
) -> None:
    """``kit-verify *`` where somebody has left such a file; behind ``--`` it is a name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / planted).touch()
    (tmp_path / "x").touch()
    (tmp_path / "y.tar.zst").touch()
    pattern = sorted(os.listdir())
    if program == "kit-verify":
        status, said = kit_verify(capsys, *pattern)
    else:
        status, said = offline_kit(capsys, monkeypatch, "sign", *pattern)
    assert (status, "is an option, and also a file in this directory" in said) == (2, True)
    assert shlex.quote(f"./{planted}") in said
    status, said = kit_verify(capsys, "inspect", "--", planted)
    assert (status, f"error[kit-truncated]: {planted!r}" in said) == (4, True)


OFFLINE: list[tuple[Sequence[str], str]] = [
    (("build", "kit.toml", "--root", ""), "the value of --root is empty"),
    (("build", "kit.toml", "--root", "r", "--out="), "the value of --out is empty"),
    (("build", "kit.toml", "--root", "r", "--key", ""), "the value of --key is empty"),
    (("build", "", "--root", "r"), "the value of SPEC is empty"),
    (("build", "kit.toml", "--root", "r", "--sums-key", ""), "the value of --sums-key is empty"),
    (("sign", "kit", "--key", "k", "--checked", ""), "the value of --checked is empty"),
    (("seal", "kit", "--attach", ""), "the value of --attach is empty"),
    (("root", "init", "--threshold", "1", "--signer="), "the value of --signer is empty"),
    (("review", "pack", "kit", "--against", ""), "the value of --against is empty"),
    (("--passphrase-env", "", "key", "new", "x"), "the value of --passphrase-env is empty"),
    (("build", "kit.toml", "--root", "r", "--root", "s"), "--root is given twice"),
    (("build", "kit.toml", "--root", "r", "--json", "--json"), "--json is given twice"),
    (("--version", "--version"), "--version is given twice"),
    (("key", "new", "x", "--out", "a", "--out", "b"), "--out is given twice"),
    (("build", "kit.toml", "--roo", "r"), "no such option: --roo"),
    (("bulid", "kit.toml"), "there is no command 'bulid' of offline-kit"),
    (("key", "nwe"), "there is no command 'nwe' of offline-kit key"),
    (("verify", "kit", "--expect", ""), "the value of --expect is empty"),
    (("verify", "kit", "--root", "a", "--root", "b"), "--root is given twice"),
]


EVERYWHERE = {  # what means the same in every command of a program
    "offline-kit": {"--json", "--jobs", "--plain-http", "--ca-file", "--store-dir"},
    "kit-verify": {"--json", "--jobs", "--quiet", "--root", "--trust", "--expect-line"},
    "kit-run": {"--json", "--by", "--settings", "--answer", "--yes", "--reason", "--trust"},
}
MORE = {"kit-verify verify", "offline-kit root rotate"}  # ADR 53 says why


def options(words: list[str], command: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield the commands of typer's, and of argparse, with their options."""
    inner: dict[str, Any] = {}
    if isinstance(command, TyperGroup):
        inner = dict(command.commands.items())  # of all at once: one by one takes seconds
    elif isinstance(command, argparse.ArgumentParser):
        found = [one for one in command._actions if isinstance(one, argparse._SubParsersAction)]
        inner = dict(found[0].choices) if found else {}
    for name, each in inner.items():
        yield from options([*words, name], each)
    if isinstance(command, argparse.ArgumentParser):
        strings = [one.option_strings[-1] for one in command._actions if one.option_strings]
    else:
        strings = [one.opts[-1] for one in command.params if one.param_type_name == "option"]
    if not inner:
        yield " ".join(words), {*strings} - {"--help"}


def test_a_command_has_at_most_eight_options_of_its_own() -> None:
    """More than that nobody reads; what belongs to places and people stands in [release]."""
    programs = {
        "offline-kit": get_command(app),
        "kit-verify": arguments._parser(),
        "kit-run": runner_parser(),
    }
    found = {
        name: own - EVERYWHERE[program]
        for program, command in programs.items()
        for name, own in options([program], command)
    }
    assert len(found) > 70
    assert {name for name, own in found.items() if len(own) > 8} == MORE


@together(("words", "sentence"), OFFLINE)
def test_the_other_program_has_the_same_rules(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: Sequence[str],
    sentence: str,
) -> None:
    status, said = offline_kit(capsys, monkeypatch, *words)
    assert (status, f"error[usage]: {sentence}" in said) == (2, True), said  # behind JSON, perhaps


# --- what is foreign ---------------------------------------------------------------------------

EVIL = [
    "x\nVERIFIED: lnm 1",
    "\x1b[2Jx",
    "x\r\rVERIFIED",
    "\u202etsil",
    "\udcff",
    "--x\x1b]0;t\x07",
]
PLACES = [["verify", "kit", "EVIL"], ["EVIL"], ["EVIL", "kit"], ["--EVIL", "kit"], ["list", "EVIL"]]
PLACES += [["verify", "kit", "--root", "EVIL"], ["verify", "kit", "--trust", "EVIL"]]
PLACES += [["verify", "kit", "--jobs", "EVIL"], ["trust", "EVIL"], ["explain", "EVIL"]]
PLACES += [["verify", "kit", "--expect", "EVIL"], ["trust", "show", "--trust", "EVIL"]]


@together("evil", EVIL, ids=ascii)
@together("words", PLACES, ids=" ".join)
@pytest.mark.parametrize("program", ["kit-verify", "offline-kit"])
def test_no_argument_moves_the_cursor_or_begins_a_line(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    words: Sequence[str],
    evil: str,
) -> None:
    given = [word.replace("EVIL", evil) for word in words]
    if program == "kit-verify":
        status, said = kit_verify(capfd, *given)
    else:
        status, said = offline_kit(capfd, monkeypatch, *given)
    assert status in (2, 3)
    assert said.replace("\n", "").isprintable()
    assert not [line for line in said.splitlines() if line.startswith("VERIFIED")]


@together("word", ["plain", "a b", "it's", "$x `y`", "", "a\nb", "\x1b[2J", "\udcff"])
def test_a_command_can_be_pasted(word: str) -> None:
    """Whatever a file is called: the shell makes the same word of it."""
    typed = shell("printf", "%s", word)
    assert typed.isprintable()
    done = subprocess.run(["bash", "-c", typed], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)
    assert plain(word).isprintable()
