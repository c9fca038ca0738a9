"""What this host has, and what each missing part costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import Json, app, now, say
from kit.cli.defaults import SPEC, Chosen, StoreOption
from kit.cli.places import CaFile, PlainHttp, access
from verifier.core.errors import ExitStatus


@app.command("doctor")
def _doctor(
    spec: Annotated[
        Path, typer.Argument(metavar="[SPEC]", help="The spec whose [release] is looked at.")
    ] = SPEC,
    place: Annotated[
        list[str],
        typer.Option(
            "--place", metavar="PLACE", help="Where releases lie, beside `to` of [release]."
        ),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    probe_write: Annotated[
        bool, typer.Option("--probe-write", help="Try to create at each place.")
    ] = False,
    plain_http: PlainHttp = [],  # noqa: B006
    ca_file: CaFile = None,
    store_dir: StoreOption = None,
    json_: Json = False,
) -> None:
    """Say what this host has, what each missing part costs, and whether places can be reached.

    The exit status is 3 where something that was named does not serve.
    """
    from kit.doctor.host import look_at_disk, look_at_host
    from kit.doctor.model import BROKEN
    from kit.doctor.release import (
        look_at_clock,
        look_at_keys,
        look_at_place,
        look_at_publisher,
        look_at_root,
    )

    chosen, clock = Chosen(spec), now()
    defaults = chosen.defaults
    root = Path(defaults.root.value) if defaults.root is not None else None
    found = [
        *look_at_host(),
        look_at_disk("out", chosen.out(None)),
        look_at_disk("store", chosen.store(store_dir).root),
        *look_at_root(root, clock),
        *look_at_keys({name: one.value for name, one in defaults.keys.items()}),
    ]
    plan = defaults.pipeline
    found += look_at_publisher(plan.publisher)
    with access(*chosen.ways(plain_http, ca_file), True, one_writer=plan.one_writer) as ways:
        for text in dict.fromkeys([*plan.to, *place]):
            found += look_at_place(text, ways, clock, write=probe_write)
    found += look_at_clock(found, clock)
    if json_:
        values = [
            {"name": one.name, "state": one.state, "detail": one.detail, "costs": one.costs}
            for one in found
        ]
        say(json.dumps({"findings": values}, indent=2, sort_keys=True))
    else:
        for one in found:
            say(f"{one.state:<9}  {one.name}: {one.detail}")
            if one.costs:
                say(f"           without it: {one.costs}")
    broken = [one.name for one in found if one.state == BROKEN]
    if broken:  # what is only missing is no failure
        if not json_:
            say(f"does not serve: {', '.join(broken)}")
        raise typer.Exit(int(ExitStatus.UNDECIDED))
