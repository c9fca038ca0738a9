"""What all commands of the release host share: the programs, their options, how they talk."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.cli import passphrase
from kit.cli.options import App
from kit.cli.top import Top
from kit.errors import show
from verifier.core.errors import KitError, Rejected
from verifier.core.trust import Root
from verifier.show.plain import plain, shell

app = App(
    name="offline-kit",
    cls=Top,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Builds offline kits: one reproducible, signed file that a disconnected site can prove.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
key_app = App(help="Make and show keys.", no_args_is_help=True)
root_app = App(help="Make roots of trust.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(root_app, name="root")

OptionalRoot = Annotated[
    Path | None, typer.Option("--root", help="Refuse a kit that was built with another root.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, max=64, help="Threads; 0 takes all cores.")]


def secret(name: str) -> str:
    """Ask for a PIN or passphrase, where the options before the command say; never an argument."""
    return passphrase.ask(name)


@contextlib.contextmanager
def of_this_host() -> Iterator[None]:
    """Turn the advice for a site into one for those who made the kit: there is no sender here."""
    try:
        yield
    except Rejected as error:
        if error.fix == Rejected.fix:
            error.fix = "Copy the kit again from where it was built, or build it again."
        raise


def now() -> int:
    """Return the time, in seconds since 1970, for those who ask for it by name."""
    return int(time.time())


def seconds() -> float:
    """Return the seconds of a clock that only goes forward, for those who measure."""
    return time.monotonic()


def note(text: str) -> None:
    """Print what somebody should know and what stops nothing."""
    print(f"note: {plain(text)}", file=sys.stderr)


def note_root(root: Root | None, kit: Path | None = None) -> None:
    """Say if a root has expired or will soon; without one, that of a kit."""
    from kit.container.head import read_head  # here: not every command needs them
    from kit.roots.words import expiry

    if root is None and kit is not None:
        root = read_head(kit)[1]
    for line in expiry(root, now()) if root is not None else ():
        note(line)


def note_open_keys(arguments: list[str]) -> list[str]:
    """Say of each key file that others may read; ssh-keygen refuses its own by itself."""
    from kit.keys.reading import readable_by_others

    for argument in arguments:
        for text in (argument, argument.partition("=")[2]):
            path = Path(text.removeprefix("file:"))
            mode = readable_by_others(path) if text else ""
            if mode:
                note(f"others can read the private key {show(path)} (mode {mode}): chmod 600 it")
    return arguments


KeyArguments = Annotated[
    list[str],
    typer.Option(
        "--key",
        metavar="SIGNER=URI",
        help="Sign with this key; may be given several times.",
    ),
]


def say(text: str) -> None:
    """Print a line of the result, or JSON; what is foreign in a line neither moves nor ends it."""
    print(text if text.startswith("{\n") else plain(text))


def say_json(value: object) -> None:
    """Print a value for programs: sorted, so that two runs can be compared."""
    say(json.dumps(value, indent=2, sort_keys=True))


def say_next(*words: object) -> None:
    """Name the next command whole, so that it can be pasted; what is None is left out."""
    say(f"next: {shell(*(str(word) for word in words if word is not None))}")


def failure_value(error: KitError) -> dict[str, Any]:
    """Return what ``--json`` says of a command that failed; the members of a report's finding."""
    finding = {
        "code": error.code,
        "message": error.message,
        "where": error.where,
        "fix": error.fix,
    }
    return {"error": finding, "exitStatus": int(error.status)}


def with_value(option: str, value: object) -> list[object]:
    """Return an option with its value as two words; nothing if there is no value."""
    return [option, value] if value is not None else []


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows progress on a terminal and nothing elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console  # here: it is slow to load, and most runs show no progress
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(escape(what), total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show
