"""What the commands about places share: their options, how a place is reached, what they print."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.common import say
from kit.errors import show
from verifier.core.errors import UsageError
from verifier.core.manifest import LINE, VERSION

if TYPE_CHECKING:
    from kit.places.choose import Access
    from kit.releases.entry import Entry
    from kit.releases.history import Head
    from verifier.core.signature import Key

Publisher = Annotated[
    list[Path],
    typer.Option(
        "--publisher", metavar="FILE", help="The publisher's public key; several while it changes."
    ),
]
From = Annotated[
    str,
    typer.Option("--from", metavar="PLACE", help="dir:PATH, s3://B/P, oci://H/R or https://H/P."),
]
Line = Annotated[str, typer.Argument(metavar="LINE", help="The line, such as lnm/stable.")]
Pin = Annotated[
    Path | None,
    typer.Option("--pin", metavar="FILE", help="What was seen last; the history must reach it."),
]
PlainHttp = Annotated[
    list[str], typer.Option("--plain-http", metavar="HOST", help="Ask this host without TLS.")
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="Trust these authorities too (PEM).")
]
Root = Annotated[Path | None, typer.Option("--root", help="The pinned root that a kit is held to.")]


@contextlib.contextmanager
def access(
    plain_http: list[str], ca_file: Path | None, quiet: bool, *, one_writer: bool = False
) -> Iterator[Access]:
    from kit.cli.lock import transfers
    from kit.net.client import Client, Ways
    from kit.net.logins import Logins, login_files
    from kit.places.choose import Access

    ways = Ways(
        plain_http=frozenset(plain_http),
        ca_file=ca_file,
        netrc=Path(os.environ.get("NETRC") or Path.home() / ".netrc"),
    )
    state = os.environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    with contextlib.nullcontext() if quiet else transfers(False) as progress:
        yield Access(
            Client(ways),
            Logins(login_files(os.environ)),
            state=Path(state, "offline-kit", "uploads"),
            one_writer=one_writer,
            progress=progress,
        )


def publishers(paths: list[Path]) -> list[Key]:

    from kit.releases.publisher import load_publishers  # slow to load

    if not paths:
        raise UsageError(
            "no publisher is named",
            fix="Give --publisher FILE, the public key that the publisher of this line told you.",
        )
    return load_publishers(paths)


def line_of(text: str) -> str:
    if not LINE.fullmatch(text):
        raise UsageError(
            f"{text!r} is not the name of a line", fix="Write for instance lnm/stable."
        )
    return text


def read_pin(path: Path | None, line: str) -> Head | None:
    from kit.releases.errors import HeadInvalid
    from kit.releases.history import MAX_HEAD, parse_head

    if path is None:
        return None
    try:
        with open(path, "rb") as stream:
            return parse_head(stream.read(MAX_HEAD), line, show(path))
    except OSError as error:
        raise HeadInvalid(error.strerror or str(error), where=show(path)) from None


def move_pin(path: Path, head: Entry, *, quiet: bool = False) -> None:
    from kit.container.output import replace_file
    from kit.releases.history import head_bytes, head_of

    replace_file(path, head_bytes(head_of(head)))
    if not quiet:
        say(f"pinned entry {head.record.n} of {head.record.line}: {head.id}")


def release_of(text: str) -> tuple[str, str]:
    line, at, version = text.partition("@")
    if at and not VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is not a version", fix="Write LINE@VERSION, or LINE alone.")
    return line_of(line), version


def entry_value(entry: Entry) -> dict[str, Any]:
    from kit.releases.record import file_value  # slow to load

    one = entry.record
    return {
        "line": one.line,
        "n": one.n,
        "entryId": entry.id,
        "previous": one.previous,
        "name": one.name,
        "version": one.version,
        "sequence": one.sequence,
        "created": one.created,
        "kitId": one.kit_id,
        "contentId": one.content_id,
        "kitFile": one.kit_file,
        "signers": list(one.signers),
        "threshold": one.threshold,
        "rootVersion": one.root_version,
        "supersedes": list(one.supersedes),
        "lock": one.lock or None,
        "evidence": one.evidence or None,
        "owners": list(one.owners),
        "files": [file_value(file) for file in one.files],
    }


def counted_entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"
