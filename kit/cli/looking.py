"""What only looks: verify, audit, diff, explain, schema."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import Json, app, say
from kit.cli.top import load_all
from kit.spec import schema_bytes
from verifier import cli as verifier_cli
from verifier.core.model import KitId
from verifier.core.pipeline import Job
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
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write it as one HTML file.")
    ] = None,
    json_: Json = False,
) -> None:
    """Show what is different: by component, images, packages, findings; then member by member."""
    from kit.review.compare import sided
    from verifier.audit.outputs import check_file
    from verifier.cli_look import print_difference

    if html is not None:
        check_file(
            "--html", os.fspath(html), [os.fspath(old), *([os.fspath(new)] if new else [])], ""
        )
    before = sided(old) if new is not None else None
    after = sided(new or old)
    jobs = [Job(kit_id=KitId(side[1].kit_id)) for side in (before, after) if side is not None]
    print_difference(
        before, after, jobs, as_json=json_, html=os.fspath(html) if html is not None else ""
    )


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
