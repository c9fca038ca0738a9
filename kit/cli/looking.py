"""What only looks: verify, audit, diff, explain, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import Json, app, say
from kit.cli.top import load_all
from kit.spec import schema_bytes
from verifier import cli as verifier_cli
from verifier.show.explain import codes, explain


@app.command(
    "verify",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def _verify(context: typer.Context) -> None:
    """Verify a kit; the same program as kit-verify: see `offline-kit verify --help`."""
    raise typer.Exit(verifier_cli.main(["verify", *context.args]))


@app.command(
    "audit",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def _audit(context: typer.Context) -> None:
    """Say all that is known of a kit, to sign it off: see `offline-kit audit --help`."""
    raise typer.Exit(verifier_cli.main(["audit", *context.args]))


@app.command("diff")
def _diff(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="A kit, a review pack, or a release's directory.")
    ],
    new: Annotated[
        Path | None,
        typer.Argument(metavar="NEW", help="The later one; without it, OLD as a first release."),
    ] = None,
    json_: Json = False,
) -> None:
    """Show what is different: by component and directory first, then member by member."""
    from kit.review.compare import load_compared
    from verifier.cli_look import difference_json
    from verifier.show.diff import compare, text

    made = compare(load_compared(old) if new is not None else None, load_compared(new or old))
    for piece in difference_json(made) if json_ else (f"{line}\n" for line in text(made)):
        print(piece, end="")


@app.command("explain")
def _explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="An error code; all of them if none.")
    ] = None,
) -> None:
    """Explain an error code of either program, or list them all."""
    load_all()
    print(explain(code) if code is not None else codes(), end="")


@app.command("schema")
def _schema() -> None:
    """Print the JSON schema of the spec, for editors."""
    say(schema_bytes().decode("utf-8").rstrip("\n"))
