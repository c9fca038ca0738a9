"""Evidence of runs: what comes home from a site."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import Json, app, note, now, say
from kit.cli.options import App
from kit.cli.wanted import KIT, ROOT, wanted

evidence_app = App(help="Judge what a run at a site leaves.", no_args_is_help=True)
app.add_typer(evidence_app, name="evidence")


@evidence_app.command("verify")
def _verify(
    evidence: Annotated[Path, typer.Argument(metavar="EVIDENCE", help="What the site exported.")],
    kit: Annotated[Path, typer.Option("--kit", metavar="KIT", help="The kit that was run.")],
    root: Annotated[Path, typer.Option("--root", metavar="FILE", help="The publisher's root.")],
    operators: Annotated[
        Path, typer.Option("--operators", metavar="FILE", help="The operators' root.")
    ],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write it as one HTML file.")
    ] = None,
    json_: Json = False,
) -> None:
    """Hold evidence to its kit: chain, seal, who, which host, every step; print a timeline."""
    from kit.runbook.evidence import evidence_html, held_evidence
    from runner.homing.words import audit_lines, audit_value
    from runner.operators import dated
    from verifier.audit.outputs import check_file, write_file

    inputs = [os.fspath(path) for path in (evidence, kit, root, operators)]
    if html is not None:
        check_file("--html", os.fspath(html), inputs, "")
    found, theirs = held_evidence(
        wanted(evidence, KIT), wanted(kit, KIT), wanted(root, ROOT), wanted(operators, ROOT)
    )
    value = audit_value(found)
    judged = dated(theirs, now())
    value["operators"] = judged.value()
    if judged.expired:
        note(judged.warning())
    if html is not None:
        write_file(os.fspath(html), evidence_html(value))
    if json_:
        say(json.dumps(value, indent=2, sort_keys=True))
        return
    for line in audit_lines(value):
        say(line)
