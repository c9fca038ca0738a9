"""Answering requests for parts of a damaged kit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import Json, app, say
from kit.repair import repair_pack
from verifier.repair.words import count


@app.command("repair-pack")
def _repair_pack(
    kit: Annotated[Path, typer.Argument(metavar="KIT", help="The sealed kit, whole.")],
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="What the operator sent.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Default: REQUEST.pack.")
    ] = None,
    json_: Json = False,
) -> None:
    """Write a file with just the parts of a kit that somebody asks for."""
    made = repair_pack(kit, request, out or request.with_name(f"{request.name}.pack"))
    if json_:
        value = {"path": str(made.path), "frames": made.frames, "head": made.head}
        say(json.dumps({**value, "size": made.size}, indent=2, sort_keys=True))
        return
    head = "the head and " if made.head else ""
    say(f"wrote {made.path}: {head}{count(made.frames, 'frame')}, {made.size} bytes")
