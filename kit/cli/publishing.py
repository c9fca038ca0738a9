"""Releases go out and come in: publish, fetch, mirror."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.common import Jobs, Json, app, note, say, say_json, say_next, secret
from kit.cli.defaults import Chosen
from kit.cli.places import (
    CaFile,
    From,
    Pin,
    PlainHttp,
    Publisher,
    Root,
    access,
    counted_entries,
    entry_value,
    line_of,
    move_pin,
    publishers,
    read_pin,
    release_of,
)
from verifier.core.errors import UsageError

if TYPE_CHECKING:
    from kit.publish import Published
    from kit.releases.entry import Entry

OneWriter = Annotated[
    bool, typer.Option("--one-writer", help="Nobody else writes there, and the server cannot tell.")
]


@app.command("publish")
def _publish(
    kit: Annotated[
        Path | None,
        typer.Argument(metavar="[KIT]", help="The sealed kit or its directory; else the newest."),
    ] = None,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="PLACE", help="dir:PATH, s3://B/P or oci://H/R; several."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="URI", help="The publisher's key; PUB=URI for hardware."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    read_back: Annotated[
        bool, typer.Option("--read-back", help="Fetch and compare every file before the entry.")
    ] = False,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Publish a sealed release: its files under their digests, then the line's next entry.

    Earlier publishers, owners, one-writer and read-back stand in [release].
    """
    from kit.places.choose import open_writer
    from kit.places.readback import reading_back
    from kit.publish import publish
    from kit.releases.publisher import load_publisher, load_publishers

    chosen = Chosen()
    path, plan = chosen.sealed_kit(kit), chosen.defaults.pipeline
    to, key = to or list(plan.to), key or plan.publisher
    if not to or key is None:
        raise UsageError(
            f"no {'place' if not to else 'publisher'} is named",
            fix="Give --to PLACE and --key URI, or write `to` and `publisher` in [release].",
        )
    signer, own = load_publisher(key, secrets=secret)
    plain_http, ca_file = chosen.ways(plain_http, ca_file)
    with access(plain_http, ca_file, json_, one_writer=plan.one_writer) as ways:
        done = publish(
            path,
            [open_writer(text, ways) for text in to],
            signer,
            own,
            owners=plan.owners,
            also=load_publishers(map(Path, plan.publishers)),
            dry_run=dry_run,
            workers=jobs,
            progress=ways.progress,
            read_back=reading_back(ways) if read_back or plan.read_back else None,
        )
    for outcome in done.outcomes:
        if outcome.place.alone and not dry_run:
            note(f"{outcome.place.where}: one writer at a time is yours to keep there")
    if done.others:
        names = ", ".join(done.others[:5])
        note(f"published with other signatures than here, of the same kitId: {names}")
    if json_:
        say_json(_value(done, dry_run))
        return
    _say_published(done, dry_run)
    if not dry_run:
        words = ("releases", "verify", done.entry.record.line, "--from", to[0], "--publisher")
        say_next("offline-kit", *words, "FILE")


def _value(done: Published, dry_run: bool) -> dict[str, Any]:
    places = [
        {
            "place": outcome.place.where.strip("'"),
            "created": outcome.created,
            "sent": outcome.sent,
            "there": outcome.there,
        }
        for outcome in done.outcomes
    ]
    return {
        **entry_value(done.entry),
        "dryRun": dry_run,
        "otherSignatures": list(done.others),
        "places": places,
    }


def _say_published(done: Published, dry_run: bool) -> None:
    record = done.entry.record
    say(f"{record.name} {record.version}: entry {record.n} of {record.line}, {done.entry.id}")
    for outcome in done.outcomes:
        if dry_run:
            say(f"{outcome.place.where}: would get {len(record.files)} files, {record.size} bytes")
            continue
        what = "published" if outcome.created else "was published already"
        files = "file" if len(outcome.sent) == 1 else "files"
        sent = f"; {len(outcome.sent)} {files} sent, {len(outcome.there)} were there"
        say(f"{outcome.place.where}: {what}{sent if outcome.created or outcome.sent else ''}")


@app.command("fetch")
def _fetch(
    release: Annotated[str, typer.Argument(metavar="LINE[@VERSION]", help="Which release.")],
    place: From,
    out: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="The directory for releases.")
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option("--media", metavar="DIR", help="Instead: a medium, with a label to print."),
    ] = None,
    root: Root = None,
    publisher: Publisher = [],  # noqa: B006
    pin: Pin = None,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Fetch a release; its entry, its history and its kit are verified before it has a name."""
    from kit.fetch import fetch
    from kit.places.choose import open_reader
    from kit.roots.files import load_roots

    line, version = release_of(release)
    if (out is None) == (media is None):
        raise UsageError("give either --to or --media", fix="Say where: --to DIR or --media DIR.")
    chosen = Chosen()
    trusted = load_roots(chosen.needed_root(root)).last
    head = read_pin(pin, line) if pin is not None and os.path.lexists(pin) else None
    with access(*chosen.ways(plain_http, ca_file), json_) as ways:
        done = fetch(
            open_reader(place, ways),
            line,
            version,
            out or media or Path(),
            publishers=publishers(publisher),
            root=trusted,
            client=ways.client,
            pin=head,
            workers=jobs,
            progress=ways.progress,
        )
    label = _label(done.directory, done.entry) if media is not None else None
    if json_:
        value = {
            **entry_value(done.entry),
            "directory": os.fspath(done.directory),
            "new": done.new,
        }
        say_json(value)
    else:
        one = done.entry.record
        say(f"{one.name} {one.version}: entry {one.n} of {one.line}, {done.entry.id}")
        say(f"{'fetched' if done.new else 'was there'} and proved: {done.directory}")
        if label is not None:
            say(f"wrote {label}: print it")
    if pin is not None:
        move_pin(pin, done.head, quiet=json_)


def _label(directory: Path, entry: Entry) -> Path:
    from kit.container.output import replace_file
    from kit.note.label import label

    path = directory.parent / f"{directory.name}.label.txt"
    replace_file(path, label(entry.record))
    return path


@app.command("mirror")
def _mirror(
    lines: Annotated[list[str], typer.Argument(metavar="LINE...", help="The lines to keep.")],
    place: From,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="Where the mirror is.")],
    root: Root = None,
    publisher: Publisher = [],  # noqa: B006
    one_writer: OneWriter = False,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    json_: Json = False,
) -> None:
    """Bring lines at one place up to what another has; what is there already is its pin."""
    from kit.fetch import mirror
    from kit.places.choose import open_reader, open_writer
    from kit.roots.files import load_roots

    trusted = load_roots(root).last if root is not None else None
    keys, values = publishers(publisher), list[dict[str, Any]]()
    near = Path(to[len("dir:") :]) if to.startswith("dir:") else None
    plain_http, ca_file = Chosen().ways(plain_http, ca_file)
    with (
        access(plain_http, ca_file, json_, one_writer=one_writer) as ways,
        _staging(near) as staging,
    ):
        for line in lines:
            history, new = mirror(
                open_reader(place, ways),
                open_writer(to, ways),
                line_of(line),
                staging,
                publishers=keys,
                client=ways.client,
                root=trusted,
                progress=ways.progress,
            )
            values.append({"line": line, "entries": len(history), "new": len(new)})
    if json_:
        say_json({"lines": values})
        return
    for value in values:
        say(f"{value['line']}: {counted_entries(value['entries'])}, {value['new']} new")


@contextlib.contextmanager
def _staging(near: Path | None) -> Iterator[Path]:
    """Give a directory for files on their way: near where they go, where there is such a place."""
    if near is not None:
        near.mkdir(parents=True, exist_ok=True)
        yield near
        return
    with tempfile.TemporaryDirectory(prefix="offline-kit-mirror-") as directory:
        yield Path(directory)
