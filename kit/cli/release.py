"""The whole way from a spec to a published release, as one command."""

from __future__ import annotations

import enum
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.build import SetOptions
from kit.cli.common import (
    Json,
    app,
    failure_value,
    now,
    say,
    seconds,
    secret,
)
from kit.cli.defaults import SPEC, Chosen, SpecArgument, StoreOption
from kit.cli.places import access
from kit.cli.wanted import SPEC as SPEC_FILE
from kit.cli.wanted import wanted
from kit.roots.files import load_roots
from kit.spec.settings import parse_settings
from verifier.core.errors import UsageError

if TYPE_CHECKING:
    from kit.pipeline.model import Event, Order
    from kit.pipeline.release import Released
    from kit.store import Store

_WIDTH = 9  # of "unchanged"


class Stage(str, enum.Enum):
    """The stages, in their order."""

    STEPS = "steps"
    LOCK = "lock"
    SBOM = "sbom"
    TEST = "test"
    BUILD = "build"
    SIGN = "sign"
    VERIFY = "verify"
    PUBLISH = "publish"


@app.command("release")
def _release(
    spec: SpecArgument = SPEC,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan; nothing is done or written.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with what was begun, whatever changed in sources."),
    ] = False,
    only: Annotated[
        list[Stage], typer.Option("--only", help="Run this stage alone; several times.")
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    until: Annotated[
        Stage | None, typer.Option("--until", help="Run this stage as the last one.")
    ] = None,
    as_site: Annotated[
        list[Path],
        typer.Option("--as-site", metavar="TRUST", help="Ask the policy of this site too."),
    ] = [],  # noqa: B006
    set_: SetOptions = [],  # noqa: B006
    store_dir: StoreOption = None,
    json_: Json = False,
) -> None:
    """Run the stages of a release that are not done: steps, lock, ..., sign, verify, publish."""
    from kit.pipeline.engine import Wanted
    from kit.pipeline.release import release

    chosen = Chosen(spec)
    order = _order(chosen, wanted(spec, SPEC_FILE), chosen.store(store_dir), as_site, set_, json_)
    which = Wanted(frozenset(one.value for one in only), until.value if until else "", resume)
    tell = (lambda event: None) if json_ else _say
    done = release(order, which, tell, dry_run=dry_run)
    if json_:
        say(json.dumps(_value(done, dry_run), indent=2, sort_keys=True))
    elif done.ran.ended_by is None:
        _say_end(done, dry_run)
    if done.ran.ended_by is not None:
        if json_:  # said already, with what was done before
            print(done.ran.ended_by, file=sys.stderr)
            raise typer.Exit(int(done.ran.ended_by.status))
        raise done.ran.ended_by


def _order(
    chosen: Chosen,
    spec: Path,
    store: Store,
    as_site: list[Path],
    set_: list[str],
    quiet: bool,
) -> Order:
    from kit.pipeline.model import Host, Order

    defaults = chosen.defaults
    plan = defaults.pipeline
    sites = {site.name: Path(site.trust) for site in plan.sites}
    for trust in as_site:
        name = trust.resolve().name
        if name in sites:
            raise UsageError(f"--as-site: there are two sites {name!r}")
        sites[name] = trust
    host = Host(
        store=store,
        access=lambda: access(
            list(plan.plain_http),
            Path(plan.ca_file) if plan.ca_file is not None else None,
            quiet,
            one_writer=plan.one_writer,
        ),
        clock=seconds,
        secrets=secret,
        settings=parse_settings(set_, now()),
        epoch=os.environ.get("SOURCE_DATE_EPOCH"),
        python=shutil.which("python3") or sys.executable,
    )
    return Order(spec, defaults, load_roots(chosen.needed_root(None)).chain, host, sites)


def _say(event: Event) -> None:
    """Say what happens to a task; long programs print between its two lines."""
    say(f"{event.what:<{_WIDTH}}  {event.task}: {event.said}")
    sys.stdout.flush()


def _say_end(done: Released, dry_run: bool) -> None:
    if done.off:
        say(f"not part of this release: {', '.join(done.off)}")
    if dry_run:
        return
    idle = all(event.what == "unchanged" for event in done.ran.events)
    say(f"{done.name} {done.version}: {'nothing to do' if idle else 'done'}")


def _value(done: Released, dry_run: bool) -> dict[str, Any]:
    error = done.ran.ended_by
    value: dict[str, Any] = {
        "name": done.name,
        "version": done.version,
        "dryRun": dry_run,
        "tasks": [
            {"task": one.task, "what": one.what, "said": one.said} for one in done.ran.events
        ],
        "off": list(done.off),
    }
    return {**value, **failure_value(error)} if error is not None else value
