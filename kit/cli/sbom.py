"""SBOMs: check them, write what is missing, make one of all."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.common import Json, app, say
from kit.cli.defaults import SPEC, Chosen, SpecArgument, StoreOption
from kit.cli.options import App, Group
from kit.spec import load_spec
from verifier.core.errors import ExitStatus

if TYPE_CHECKING:
    from kit.sbom.check import Checked  # its libraries take a tenth of a second to load


class _Sbom(Group):
    """A group of commands whose first one may be left out: `sbom SPEC` is `sbom write SPEC`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["write", *args]
        return super().parse_args(ctx, args)


class Form(str, enum.Enum):
    """What `sbom merge` writes."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


sbom_app = App(
    cls=_Sbom,
    help="Check SBOMs, write what is missing, make one of all. `sbom SPEC` is `sbom write SPEC`.",
    no_args_is_help=True,
)
app.add_typer(sbom_app, name="sbom")


@sbom_app.command("check")
def _check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="SBOMs, as JSON.")],
    for_kit: Annotated[
        bool, typer.Option("--for-kit", help="Also say what would keep it from covering files.")
    ] = False,
    inside: Annotated[
        str,
        typer.Option(
            "--inside", metavar="IMAGE", help="Also compare files with this image: oci:DIR:NAME."
        ),
    ] = "",
    json_: Json = False,
) -> None:
    """Judge SBOMs (SPDX 2.2 to 3.0.1, CycloneDX 1.2 to 1.7); exit status 4 if one is bad."""
    from kit.sbom.check import check_file, check_inside

    status = ExitStatus.VERIFIED
    values = []
    there = _files_of(inside) if inside else None
    for path in files:
        checked = check_file(path, for_kit=for_kit)
        if there is not None:
            checked = check_inside(checked, there)
        status = max(status, checked.status)
        if json_:
            values.append(_value(checked))
        else:
            _show(checked)
    if json_:
        say(json.dumps({"files": values}, indent=2, sort_keys=True))
    raise typer.Exit(int(status))


def _files_of(image: str) -> dict[str, dict[str, str]]:
    from kit.sbom.inside import files_of  # here: it loads what can speak to registries

    return files_of(image, Path())


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


@sbom_app.command("write")
def _write(
    spec: SpecArgument = SPEC,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if something would be written.")
    ] = False,
    store_dir: StoreOption = None,
) -> None:
    """Write an SBOM for each component that has files no other one describes, and list it."""
    from kit.sbom.generate import check_plan, plan_sboms, write_sboms
    from kit.sources.taken import take

    loaded = load_spec(spec)
    with take(loaded, Chosen(spec).store(store_dir)) as taken:
        plan = plan_sboms(loaded, taken)
    if check:
        check_plan(loaded, plan)
    else:
        write_sboms(loaded, plan)
    for made in plan.made:
        done = "wrote" if made.file in plan.stale else "fresh"
        say(f"{done} {made.file}: {made.files} files, {made.packages} packages")
    for name in plan.unlisted:
        say(f"listed {name} in {spec}")
    for name in plan.idle:
        say(f"note: {name} describes nothing any more; remove it and its [[sbom]]")
    if not plan.made:
        say("nothing to describe: all of it is in another SBOM, or exempt")


@sbom_app.command("merge")
def _merge(
    spec: SpecArgument = SPEC,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; if not given, it is printed.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="CycloneDX 1.6 or SPDX 2.3.")] = (
        Form.CYCLONEDX
    ),
) -> None:
    """Make one SBOM for the whole kit of all that the spec names."""
    from kit.container.output import replace_file
    from kit.sbom.merge import merge_sboms

    data = merge_sboms(load_spec(spec), form.value)
    if out is None:
        say(data.decode("ascii").rstrip("\n"))
        return
    replace_file(out, data)
    say(f"wrote {out}")
