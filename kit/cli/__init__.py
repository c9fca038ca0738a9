"""The command line of the release host: the only room here that prints, reads argv or exits."""

from __future__ import annotations

import functools
import json
import sys
from typing import Annotated, Any, NoReturn

try:
    import fcntl  # noqa: F401
except ImportError:  # Windows: said here, before what needs it is imported and fails
    from kit.errors import HostUnsupported

    print(HostUnsupported("this Python has no fcntl, as on Windows"), file=sys.stderr)
    sys.exit(int(HostUnsupported.status))

import typer

from kit import __version__
from kit.cli import passphrase
from kit.cli.common import app, failure_value, say
from kit.cli.options import told
from verifier.core.errors import ExitStatus, KitError
from verifier.streams import guarded

__all__ = ["app", "main"]

_INTERRUPTED = 130  # what typer makes of Ctrl-C


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    passphrase_fd: Annotated[
        int | None,
        typer.Option(
            "--passphrase-fd", metavar="N", help="Read answers from descriptor N, a line each."
        ),
    ] = None,
    passphrase_env: Annotated[
        str | None,
        typer.Option(
            "--passphrase-env", metavar="NAME", help="Answer with the value of this variable."
        ),
    ] = None,
) -> None:
    passphrase.take_from(passphrase_fd, passphrase_env)
    if version:
        say(f"offline-kit {__version__}")
        raise typer.Exit(0)


def main() -> NoReturn:
    """Run offline-kit as a program."""
    sys.exit(guarded(_run))


@functools.cache
def _program() -> Any:
    """Return what typer makes of the commands; who calls `main` twice has it made once."""
    return typer.main.get_command(app)


def _run() -> int:
    """Run the command; where JSON was asked for, a failure is JSON too, beside its text."""
    try:
        words = passphrase.brought_forward(sys.argv[1:])
        status = told(lambda: _program()(words, prog_name="offline-kit", standalone_mode=False))
    except KitError as error:
        if "--json" in sys.argv[1:]:
            say(json.dumps(failure_value(error), indent=2, sort_keys=True))
        raise
    if status != _INTERRUPTED:
        return status
    print("interrupted; nothing was kept", file=sys.stderr)
    return int(ExitStatus.UNDECIDED)
