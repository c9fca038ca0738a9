"""What `offline-kit` loads before it answers, and that its list of commands is whole."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest
import typer

from kit import __version__, cli
from kit.cli.common import app
from kit.cli.top import COMMANDS, Top
from tests.support.making import REPOSITORY
from tests.support.program import apart

HEAVY = ("tuf", "pkcs11", "pydantic", "rich", "securesystemslib", "cryptography", "segno")
_LOADED = """\
import sys
sys.argv[0] = "offline-kit"
from kit.__main__ import main
try:
    main()
finally:
    print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""


def start(*words: str) -> subprocess.CompletedProcess[str]:
    script = _LOADED.format(heavy=HEAVY)
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--version"], f"offline-kit {__version__}\n"),
        (["--help"], "Usage: offline-kit [OPTIONS] COMMAND [ARGS]..."),
        (["-h"], "  release-note  "),
        (["explain", "no-root"], "no-root (undecided, exit status 3)\n"),
    ],
)
def test_what_needs_nothing_loads_nothing(words: list[str], said: str) -> None:
    """They took a third of a second, for libraries that none of them uses."""
    done = start(*words)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert said in done.stdout


def test_the_list_of_commands_is_whole_and_true() -> None:
    """Its sentences stand apart from the commands, so that the list loads none of them."""
    for module in pkgutil.iter_modules(cli.__path__):
        if module.name != "__main__":
            importlib.import_module(f"kit.cli.{module.name}")
    top = typer.main.get_command(app)
    assert isinstance(top, Top)
    assert set(top.loaded) == set(COMMANDS)
    commands = dict(top.commands.items())  # of all at once: one by one takes seconds
    for name, (module_name, _) in COMMANDS.items():
        command = commands[name]
        made_in = getattr(command.callback, "__module__", None)
        if not hasattr(command, "commands"):
            assert made_in == f"kit.cli.{module_name}", name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    words = {"bash": ("COMP_WORDS", "COMP_CWORD")}.get(shell, ("_TYPER_COMPLETE_ARGS", ""))
    environment = {words[0]: "offline-kit re", "COLUMNS": "80"}
    environment |= {words[1]: "1"} if words[1] else {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment["_OFFLINE_KIT_COMPLETE"] = f"complete_{shell}"
    done = apart([], REPOSITORY, int, **environment)
    assert "release-note" in done.stdout, done.stderr
    assert "build" not in done.stdout.replace("rebuild", "")


def test_a_good_spec_of_local_files_loads_no_second_parser() -> None:
    """Lines are for mistakes, and requirements for wheels: a build had to wait for both."""
    spec = REPOSITORY / "manifests" / "examples" / "minimal.toml"
    names = ("tree_sitter", "tree_sitter_toml", "packaging")
    script = (
        "import pathlib, sys, kit.build, kit.spec\n"
        f"kit.spec.load_spec(pathlib.Path({str(spec)!r}))\n"
        f"print([name for name in {names} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
