"""Roots of trust: init."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import KeyArguments, root_app, say, secret
from kit.rootmeta import build_root, write_root
from verifier.core.errors import UsageError
from verifier.core.model import parse_time
from verifier.run import load_root


def _named(arguments: Sequence[str], option: str) -> list[tuple[str, Path]]:
    named = []
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not (name and equals and path):
            raise UsageError(f"{option} wants NAME=PUBLIC-KEY-FILE, not {argument!r}")
        named.append((name, Path(path)))
    return named


def _moment(text: str) -> datetime:
    seconds = parse_time(text if "T" in text else text + "T00:00:00Z")
    if seconds is None:
        raise UsageError(f"--expires wants YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, not {text!r}")
    return datetime.fromtimestamp(seconds, timezone.utc)


@root_app.command("init")
def _root_init(
    signer: Annotated[
        list[str],
        typer.Option(
            "--signer", metavar="NAME=PUB", help="A kit signer; a person may have two keys."
        ),
    ],
    threshold: Annotated[int, typer.Option("--threshold", min=1, help="Signers a kit needs.")],
    key: KeyArguments,
    expires: Annotated[str, typer.Option("--expires", help="When the root should be replaced.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("root.json"),
    root_signer: Annotated[
        list[str],
        typer.Option("--root-signer", metavar="NAME=PUB", help="Who may change the root."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    root_threshold: Annotated[
        int | None, typer.Option("--root-threshold", min=1, help="How many of them it takes.")
    ] = None,
) -> None:
    """Make root.json, version 1: who signs kits, and how many of them it takes."""
    data = build_root(
        _named(signer, "--signer"),
        threshold,
        expires=_moment(expires),
        sign_with=key,
        root_signers=_named(root_signer, "--root-signer") if root_signer else None,
        root_threshold=root_threshold,
        secrets=secret,
    )
    write_root(out, data)
    root = load_root(os.fspath(out))
    say(f"wrote {out}: version {root.version}, expires {root.expires}")
    say(f"kit signers: {root.targets.threshold} of {', '.join(root.targets.signers())}")
