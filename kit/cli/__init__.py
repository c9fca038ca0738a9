"""The command line of the release host: the only room here that prints, reads argv or exits."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from kit import __version__
from kit.cli import keys, kits, looking, roots
from kit.cli.common import app, say
from verifier.core.errors import ExitStatus, KitError

__all__ = ["app", "keys", "kits", "looking", "main", "roots"]

_INTERRUPTED = 130  # what typer makes of Ctrl-C


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        say(f"offline-kit {__version__}")
        raise typer.Exit(0)


def main() -> NoReturn:
    """Run offline-kit as a program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except KitError as error:
        print(error, file=sys.stderr)
        sys.exit(int(error.status))
    except SystemExit as ended:
        if ended.code != _INTERRUPTED:
            raise
        print("interrupted; nothing was kept", file=sys.stderr)
        sys.exit(int(ExitStatus.UNDECIDED))
    sys.exit(0)
