"""SBOMs: check them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.common import Json, app, say
from verifier.core.errors import ExitStatus

if TYPE_CHECKING:
    from kit.sbom.check import Checked  # its libraries take a tenth of a second to load

sbom_app = typer.Typer(help="Check SBOMs.", no_args_is_help=True)
app.add_typer(sbom_app, name="sbom")


@sbom_app.command("check")
def _check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="SBOMs, as JSON.")],
    for_kit: Annotated[
        bool, typer.Option("--for-kit", help="Also say what would keep it from covering files.")
    ] = False,
    json_: Json = False,
) -> None:
    """Judge SBOMs (SPDX 2.2 to 3.0.1, CycloneDX 1.2 to 1.7); exit status 4 if one is bad."""
    from kit.sbom.check import check_file

    status = ExitStatus.VERIFIED
    values = []
    for path in files:
        checked = check_file(path, for_kit=for_kit)
        status = max(status, checked.status)
        if json_:
            values.append(_value(checked))
        else:
            _show(checked)
    if json_:
        say(json.dumps({"files": values}, indent=2, sort_keys=True))
    raise typer.Exit(int(status))


def _value(checked: Checked) -> dict[str, Any]:
    return {
        "file": checked.file,
        "good": not checked.errors,
        "format": checked.format,
        "version": checked.version,
        "elements": len(checked.sbom.elements) if checked.sbom else None,
        "errors": [
            {
                "code": error.code,
                "place": error.where.removeprefix(checked.file).removeprefix(": "),
                "message": error.message,
                "fix": error.fix,
            }
            for error in checked.errors
        ],
        "more": checked.more,
        "notes": list(checked.notes),
    }


def _show(checked: Checked) -> None:
    if checked.sbom is not None and not checked.errors:
        count = len(checked.sbom.elements)
        elements = "1 element" if count == 1 else f"{count} elements"
        say(f"{checked.file}: good, {checked.format} {checked.version}, {elements}")
    for error in checked.errors:
        for line in str(error).split("\n"):
            say(line)
    if checked.more:
        say(f"{checked.file}: and {checked.more} more")
    for note in checked.notes:
        say(f"note: {checked.file}: {note}")
