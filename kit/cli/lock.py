"""What a kit takes from elsewhere: `lock`, and the store that keeps it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.common import Json, app, say
from kit.cli.defaults import Chosen
from kit.cli.options import App
from kit.sources.moved import moved_images
from kit.spec import load_spec
from kit.store.errors import StoreDamaged
from verifier.core.errors import UsageError

if TYPE_CHECKING:
    from kit.lock import Locked

store_app = App(help="Look after the store of fetched files.", no_args_is_help=True)
app.add_typer(store_app, name="store")

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store-dir", "--store", metavar="DIR", help="The store; otherwise that of this user."
    ),
]
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_DAY_SECONDS = 86_400
_NO_MANIFEST = "docker-archive:"  # how an image is named that comes without one


@app.command("lock")
def _lock(
    spec: Annotated[Path, typer.Argument(help="The spec: a TOML file.")] = Path("kit.toml"),
    update: Annotated[
        list[str],
        typer.Option("--update", metavar="NAME", help="Resolve this component's sources anew."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the lock fits and the store is full.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use no network: answer from the store alone.")
    ] = False,
    plain_http: Annotated[
        list[str],
        typer.Option("--plain-http", metavar="HOST", help="Ask this host without TLS."),
    ] = [],  # noqa: B006
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="Trust these authorities too (PEM).")
    ] = None,
    store: StoreOption = None,
    json_: Json = False,
) -> None:
    """Find out what every source is, write kit.lock, and fetch what the store lacks."""
    # slow to load, and no other command needs them
    from kit.lock import LockOptions, lock
    from kit.net.certs import cert_directories
    from kit.net.client import Client, Ways
    from kit.net.logins import Logins, login_files

    ways = Ways(
        plain_http=frozenset(plain_http),
        ca_file=ca_file,
        certs=cert_directories(os.environ),
        netrc=Path(os.environ.get("NETRC") or Path.home() / ".netrc"),
    )
    options = LockOptions(frozenset(update), check=check, offline=offline)
    loaded = load_spec(spec)
    with transfers(json_) as progress:
        locked = lock(
            loaded,
            Chosen(spec).store(store),
            Client(ways),
            Logins(login_files(os.environ)),
            options,
            progress,
        )
    notes = [*_notes(locked), *moved_images(loaded, locked.lock)]
    if json_:
        say(json.dumps({**_value(locked), "notes": notes}, indent=2, sort_keys=True))
        return
    _show(locked, notes, check=check)


def _value(locked: Locked) -> dict[str, Any]:
    return {
        "lock": os.fspath(locked.path),
        "changed": locked.changed,
        "resolved": list(locked.resolved),
        "fetched": locked.fetched,
        "artifacts": len(locked.lock.artifacts),
        "size": sum({item.sha256: item.size for item in locked.lock.artifacts}.values()),
    }


def _show(locked: Locked, notes: Sequence[str], *, check: bool) -> None:
    files = len(locked.lock.artifacts)
    if not files and not locked.resolved:
        say("nothing in this spec is fetched: it needs no lock")
        return
    count = f"{files} file{'' if files == 1 else 's'}"
    for text in notes:
        say(f"note: {text}")
    if check:
        say(f"{locked.path} fits the spec, and the store has its {count}")
        return
    for path in locked.resolved:
        say(f"resolved {path}")
    if locked.fetched:
        say(f"fetched {locked.fetched} that the store lacked")
    say(f"{'wrote' if locked.changed else 'unchanged:'} {locked.path}: {count}")
    if locked.changed:
        say(f"next: look at the difference of {locked.path}, and keep it in version control")


def _notes(locked: Locked) -> Iterator[str]:
    """Yield what somebody should know of what was resolved now."""
    for image in locked.lock.images:
        if image.reference.startswith(_NO_MANIFEST) and image.path in locked.resolved:
            yield (
                f"{image.name!r} had no manifest in its archive: sha256:{image.sha256} is that of"
                " one of ours, which nobody else has signed"
            )


class _Events:
    """Says on standard error when a file begins to come, and when it is there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun, self._done = set[str](), set[str]()

    def tell(self, name: str, done: int, total: int) -> None:
        """Take a report of any thread."""
        with self._lock:
            if name not in self._begun:
                self._begun.add(name)
                self._say("begins", name, total)
            if done == total and name not in self._done:
                self._done.add(name)
                self._say("done", name, total)

    def _say(self, event: str, name: str, size: int) -> None:
        line = json.dumps({"event": event, "name": name, "size": size}, sort_keys=True)
        print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def transfers(events: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show what is being fetched: on a terminal as bars, for programs as lines of JSON."""
    if events:
        yield _Events().tell
        return
    if not sys.stderr.isatty():
        yield None
        return
    # slow to load, and a run whose output is piped shows nothing
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        everything = bar.add_task("in all", total=0)
        tasks: dict[str, Any] = {}
        there: dict[str, tuple[int, int]] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(escape(name), total=total)
            there[name] = done, total
            bar.update(tasks[name], completed=done, total=total, visible=done < total)
            sums = [sum(column) for column in zip(*there.values(), strict=True)]
            bar.update(everything, completed=sums[0], total=sums[1])

        yield show


@store_app.command("path")
def _path(
    digest: Annotated[str, typer.Argument(metavar="[SHA256]", help="A file by its digest.")] = "",
    store: StoreOption = None,
) -> None:
    """Print where the store is, or a file in it."""
    opened = Chosen().store(store)
    if not digest:
        say(os.fspath(opened.root))
        return
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise UsageError("a SHA-256 is 64 hexadecimal digits in lower case")
    if opened.size_of(digest) is None:
        raise UsageError(f"the store has no file sha256:{digest}")
    say(os.fspath(opened.path(digest)))


@store_app.command("verify")
def _verify(store: StoreOption = None, json_: Json = False) -> None:
    """Read every file of the store and remove those that are damaged."""
    found = Chosen().store(store).verify()
    if json_:
        value = {"checked": found.checked, "size": found.size, "damaged": list(found.damaged)}
        say(json.dumps(value, indent=2, sort_keys=True))
    else:
        say(f"checked {found.checked} files, {found.size} bytes: {len(found.damaged)} damaged")
    if found.damaged:
        raise StoreDamaged(f"removed {', '.join(found.damaged[:20])}")


@store_app.command("gc")
def _gc(
    days: Annotated[
        int | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="What no run needed for so long."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="SIZE", help="Keep at most so much: 500M, 20G."),
    ] = None,
    store: StoreOption = None,
    json_: Json = False,
) -> None:
    """Remove files that were not needed for long; never those that a running process needs."""
    if days is None and keep is None:
        raise UsageError("say what goes: --older-than DAYS, --keep SIZE, or both")
    removed = (
        Chosen()
        .store(store)
        .collect_garbage(
            older_than_seconds=None if days is None else days * _DAY_SECONDS,
            keep_bytes=None if keep is None else _bytes(keep),
        )
    )
    if json_:
        value = {"files": removed.files, "size": removed.size, "held": removed.held}
        say(json.dumps(value, indent=2, sort_keys=True))
        return
    held = f"; {removed.held} are in use and stayed" if removed.held else ""
    say(f"removed {removed.files} files, {removed.size} bytes{held}")


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)", text)
    if not match:
        raise UsageError("--keep takes a number of bytes, or one with K, M, G or T behind it")
    return int(match[1]) * _UNITS[match[2]]
