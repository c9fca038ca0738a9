"""Runbooks: check one against its kit, and draw it."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import Json, app, say
from kit.cli.options import App

runbook_app = App(help="Check a runbook, and draw it.", no_args_is_help=True)
app.add_typer(runbook_app, name="runbook")

RunbookArgument = Annotated[Path, typer.Argument(metavar="RUNBOOK", help="A runbook, as TOML.")]


class Picture(str, enum.Enum):
    """What `runbook graph` writes."""

    MERMAID = "mermaid"
    SVG = "svg"


@runbook_app.command("check")
def _check(
    runbook: RunbookArgument,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", metavar="SPEC", help="Also see that its kit has what it names."),
    ] = None,
    json_: Json = False,
) -> None:
    """Hold a runbook to every rule; with --spec also to what the kit will carry."""
    from kit.runbook.carried import check_against
    from kit.runbook.source import load_runbook
    from kit.runbook.words import outline, summary

    written = load_runbook(runbook)
    if spec is not None:
        check_against(written, spec)
    if json_:
        say(json.dumps(summary(written.book), indent=2, sort_keys=True))
        return
    for line in outline(written.book):
        say(line)
    if spec is None:
        say("not looked at: whether the kit has its programs (give --spec SPEC)")


@runbook_app.command("graph")
def _graph(
    runbook: RunbookArgument,
    form: Annotated[Picture, typer.Option("--format", help="What to write.")] = Picture.MERMAID,
) -> None:
    """Print a runbook as a picture: its steps, gates and ways back."""
    from kit.runbook.graph import mermaid, svg
    from kit.runbook.source import load_runbook

    book = load_runbook(runbook).book
    for line in (svg if form is Picture.SVG else mermaid)(book).splitlines():
        say(line)
