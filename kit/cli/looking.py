"""What only looks: verify, explain, schema."""

from __future__ import annotations

from typing import Annotated

import typer

from kit.cli.common import app, say
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


@app.command("explain")
def _explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="An error code; all of them if none.")
    ] = None,
) -> None:
    """Explain an error code of either program, or list them all."""
    print(explain(code) if code is not None else codes(), end="")


@app.command("schema")
def _schema() -> None:
    """Print the JSON schema of the spec, for editors."""
    say(schema_bytes().decode("utf-8").rstrip("\n"))
