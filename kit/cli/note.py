"""The release note: what a publisher tells its sites over another channel than the kit's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.cli.common import Jobs, Json, app, note_root, progress, say
from kit.cli.defaults import Chosen
from kit.container.output import new_file
from kit.note import medium
from kit.note.note import ROOT, VERIFIER, ReleaseNote, release_note
from kit.note.qrcode import KINDS, qr_lines, qr_picture
from runner.packing.head import write_parts
from verifier.core.errors import UsageError
from verifier.show.fingerprint import groups

_BLACK_ON_WHITE, _PLAIN = "\x1b[30;47m", "\x1b[0m"  # a code that is light on dark is hard to read


@app.command("release-note")
def _release_note(
    kit: Annotated[
        Path | None,
        typer.Argument(
            metavar="[KIT]", help="The sealed kit, or its directory; else the newest release."
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option("--root", help="The root.json that sites pin, if not beside.")
    ] = None,
    qr: Annotated[
        Path | None,
        typer.Option("--qr", metavar="FILE", help="Also write the QR code: FILE.svg or FILE.png."),
    ] = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Verify a sealed kit and print the two numbers of first contact, as text and as a QR code."""
    kind = _kind(qr) if qr is not None else ""
    with progress(json_) as show:
        note = release_note(
            Chosen().sealed_kit(kit),
            root_file=root,
            workers=jobs,
            progress=lambda done, total: show("verifying", done, total),
        )
    note_root(note.held)
    if qr is not None:
        with new_file(qr) as descriptor:
            write_parts(descriptor, [qr_picture(note.sums, kind)], 0)
    if json_:
        say(json.dumps(_value(note), indent=2, sort_keys=True))
        return
    for line in _lines(note):
        say(line)
    for line in _code(note):
        print(line)  # with colours, on a terminal
    if qr is not None:
        say(f"wrote {qr}")


def _kind(path: Path) -> str:
    kind = path.suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise UsageError(f"--qr wants a name that ends in .svg or .png, not {path.name!r}")
    return kind


def _value(note: ReleaseNote) -> dict[str, Any]:
    return {
        "kit": {
            "name": note.kit.name,
            "version": note.kit.version,
            "line": note.kit.line,
            "sequence": note.kit.sequence,
        },
        "kitId": note.kit_id,
        "contentId": note.content_id,
        "file": {"name": note.file_name, "size": note.file_size, "sha256": note.file_digest},
        "firstContact": {
            VERIFIER: {"sha256": note.verifier, "groups": groups(note.verifier)},
            ROOT: {
                "sha256": note.root,
                "groups": groups(note.root),
                "version": note.root_version,
            },
        },
        "qr": note.sums,
        "signers": list(note.signers),
        "threshold": note.threshold,
    }


def _number(title: str, digest: str) -> Iterator[str]:
    """Yield a number as people copy it: two lines, in groups of four digits."""
    digits = groups(digest)
    yield title
    yield f"    {digits[: medium.HALF]}"
    yield f"    {digits[medium.HALF + 1 :]}"


def _lines(note: ReleaseNote) -> Iterator[str]:
    info = note.kit
    yield f"{info.name} {info.version} (line {info.line}, sequence {info.sequence})"
    yield f"sealed and verified: signed by {', '.join(note.signers)} (threshold {note.threshold})"
    yield ""
    yield "First contact: give each site these two numbers, by another way than the kit."
    yield ""
    yield from _number(f"SHA-256 of {VERIFIER}", note.verifier)
    yield from _number(f"SHA-256 of {ROOT} (root of trust, version {note.root_version})", note.root)
    yield ""
    yield "To name this release, and to compare copies; these numbers need no other way."
    yield ""
    yield from _number("kitId", note.kit_id)
    yield from _number(f"SHA-256 of {note.file_name}, {note.file_size} bytes", note.file_digest)


def _code(note: ReleaseNote) -> Iterator[str]:
    lines = qr_lines(note.sums)
    yield ""
    try:
        "\n".join(lines).encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        yield "This console cannot show the QR code: --qr FILE.svg writes it into a file."
        return
    yield "The first two numbers, as `sha256sum -c` reads them:"
    shown = (_BLACK_ON_WHITE, _PLAIN) if sys.stdout.isatty() else ("", "")
    yield from (f"{shown[0]}{line}{shown[1]}" for line in lines)
