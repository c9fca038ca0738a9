"""The history of a line: listed, shown, compared, verified, pinned."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.common import Json, app, note, say, say_json, secret
from kit.cli.defaults import Chosen
from kit.cli.options import App
from kit.cli.places import (
    CaFile,
    From,
    Line,
    Pin,
    PlainHttp,
    Publisher,
    access,
    counted_entries,
    entry_value,
    line_of,
    move_pin,
    publishers,
    read_pin,
    release_of,
)
from kit.errors import show

if TYPE_CHECKING:
    from kit.releases.entry import Entry

releases_app = App(help="Look at the history of a line, and pin it.", no_args_is_help=True)
app.add_typer(releases_app, name="releases")


def _history(
    line: str,
    place: str,
    publisher: list[Path],
    pin: Path | None,
    ways: tuple[list[str], Path | None],
) -> list[Entry]:
    from kit.places.choose import open_reader
    from kit.publish import read_history
    from kit.releases.history import check_history

    head = read_pin(pin, line_of(line))
    with access(*Chosen().ways(*ways), quiet=True) as ways_there:
        entries = read_history(open_reader(place, ways_there), line, publishers(publisher))
    return check_history(entries, line, head)


def _say_json(line: str, entries: list[Entry]) -> None:
    value = {"line": line, "entries": [entry_value(entry) for entry in entries]}
    say_json(value)


def _is_empty(line: str, entries: list[Entry]) -> bool:
    if not entries:
        say(f"{line}: nothing has been published yet")
    return not entries


@releases_app.command("verify")
def _verify(
    line: Line,
    place: From,
    publisher: Publisher = [],  # noqa: B006
    pin: Pin = None,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    json_: Json = False,
) -> None:
    """Hold every entry of a line to the publisher, to the one before it, and to a pin."""
    entries = _history(line, place, publisher, pin, (plain_http, ca_file))
    if json_:
        _say_json(line, entries)
        return
    if _is_empty(line, entries):
        return
    through = f", through the pinned {pin}" if pin is not None else ""
    count = counted_entries(len(entries))
    say(f"{line}: {count}{' follow one another' if len(entries) > 1 else ''}{through}")
    say(f"head {entries[-1].id}, {entries[-1].record.name} {entries[-1].record.version}")
    if pin is None:
        note("without --pin nobody sees that a history was cut off, or is another one than before")


@releases_app.command("list")
def _list(
    line: Line,
    place: From,
    publisher: Publisher = [],  # noqa: B006
    pin: Pin = None,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    json_: Json = False,
) -> None:
    """List the releases of a line, the newest last; its history is verified."""
    entries = _history(line, place, publisher, pin, (plain_http, ca_file))
    if json_:
        _say_json(line, entries)
        return
    _is_empty(line, entries)
    for entry in entries:
        one = entry.record
        say(
            f"{one.n:>4}  {one.version:<16} sequence {one.sequence:<6} {one.created}  "
            f"{one.size} bytes  {', '.join(one.signers)}"
        )


@releases_app.command("show")
def _show(
    release: Annotated[str, typer.Argument(metavar="LINE[@VERSION]", help="Which release.")],
    place: From,
    publisher: Publisher = [],  # noqa: B006
    pin: Pin = None,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    json_: Json = False,
) -> None:
    """Show what the entry of a release says; its history is verified."""
    from kit.releases.history import find_release

    line, version = release_of(release)
    entries = _history(line, place, publisher, pin, (plain_http, ca_file))
    entry = find_release(entries, line, version)
    if json_:
        say_json(entry_value(entry))
        return
    one = entry.record
    for what, text in (
        ("release", f"{one.name} {one.version} (line {one.line}, sequence {one.sequence})"),
        ("entry", f"{one.n}, {entry.id}"),
        ("follows", one.previous or "none"),
        ("created", one.created),
        ("kitId", one.kit_id),
        ("contentId", one.content_id),
        ("signers", f"{', '.join(one.signers)} (threshold {one.threshold})"),
        ("root", f"version {one.root_version}"),
        ("supersedes", ", ".join(one.supersedes) or "none"),
        ("lock", one.lock or "none"),
        ("evidence", one.evidence or "none"),
        ("owners", ", ".join(one.owners) or "none"),
    ):
        say(f"{what:<10} {text}")
    for file in one.files:
        parts = f"  in parts of {file.part_size}" if file.part_size else ""
        say(f"  {file.sha256}  {file.size:>12}  {file.name}{parts}")


@releases_app.command("diff")
def _diff(
    line: Line,
    old: Annotated[str, typer.Argument(help="The version before.")],
    new: Annotated[str, typer.Argument(help="The version after.")],
    place: From,
    publisher: Publisher = [],  # noqa: B006
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    json_: Json = False,
) -> None:
    """Say what is different between two releases, as far as their entries tell."""
    from kit.releases.history import differences, find_release

    entries = _history(line, place, publisher, None, (plain_http, ca_file))
    found = [find_release(entries, line, version) for version in (old, new)]
    lines = list(differences(found[0], found[1]))
    if json_:
        say_json({"old": old, "new": new, "differences": lines})
        return
    for text in lines or ["nothing is different"]:
        say(text)


@releases_app.command("pin")
def _pin(
    line: Line,
    place: From,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file with the pin.")],
    publisher: Publisher = [],  # noqa: B006
    move: Annotated[
        bool, typer.Option("--move", help="Move a pin that is there; the history must reach it.")
    ] = False,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
) -> None:
    """Keep the last entry of a line, so that a later history must go through it."""
    from kit.releases.errors import HeadPinned, ReleaseUnknown

    there = os.path.lexists(out)
    if there and not move:
        raise HeadPinned("is there already", where=show(out))
    entries = _history(line, place, publisher, out if there else None, (plain_http, ca_file))
    if not entries:
        raise ReleaseUnknown("nothing has been published yet", where=repr(line))
    move_pin(out, entries[-1])


@releases_app.command("tuf")
def _tuf(
    lines: Annotated[list[str], typer.Argument(metavar="LINE...", help="All lines of it.")],
    place: From,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where its metadata are.")],
    key: Annotated[
        str, typer.Option("--key", metavar="URI", help="Signs targets, snapshot and timestamp.")
    ],
    expires: Annotated[
        str, typer.Option("--expires", help="When readers no longer take what is written now.")
    ],
    publisher: Publisher = [],  # noqa: B006
    root_key: Annotated[
        list[str], typer.Option("--root-key", metavar="URI", help="Signs its root, the first time.")
    ] = [],  # noqa: B006
    root_expires: Annotated[
        str, typer.Option("--root-expires", help="When its root should be replaced.")
    ] = "",
    plain_http: PlainHttp = [],  # noqa: B006
) -> None:
    """Write the index of lines as a TUF repository too, with a root of its own."""
    from kit.cli.roots import ends
    from kit.releases.publisher import load_publisher
    from kit.releases.tufindex import TufKeys, targets_of, write_tuf_index

    histories = [
        _history(line_of(line), place, publisher, None, (plain_http, None)) for line in lines
    ]
    keys = TufKeys(
        [load_publisher(one, secrets=secret)[0] for one in root_key],
        load_publisher(key, secrets=secret)[0],
    )
    done = write_tuf_index(
        out,
        targets_of(histories),
        keys,
        expires=ends(expires),
        root_expires=ends(root_expires) if root_expires else None,
    )
    for name in done.written:
        say(f"wrote {out / name}")
    say(f"{'nothing new: ' if not done.written else ''}{done.targets} targets")
