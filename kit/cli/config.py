"""What the commands take where nothing is given, and where each value comes from."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from typing import Any

from kit.cli.common import Json, app, say
from kit.cli.defaults import SPEC, Chosen, SpecArgument
from kit.cli.options import App
from kit.cli.wanted import SPEC as SPEC_FILE
from kit.cli.wanted import wanted
from kit.errors import SpecMissing, show
from kit.spec.release import CONFIG, Default, Pipeline
from kit.spec.table import Table

config_app = App(help="Show what the commands take where nothing is given.", no_args_is_help=True)
app.add_typer(config_app, name="config")

_EPOCH = "SOURCE_DATE_EPOCH"


@config_app.command("show")
def _show(spec: SpecArgument = SPEC, json_: Json = False) -> None:
    """Show each default, and the file and line that it comes from; an option wins over all."""
    if spec != SPEC and not spec.exists():
        raise SpecMissing("no spec here: No such file or directory", where=show(spec))
    chosen = Chosen(wanted(spec, SPEC_FILE))
    defaults = chosen.defaults
    rows = {"root": _row(defaults.root), "out": _row(defaults.out)}
    if rows["out"] is None:
        rows["out"] = (".", "nobody: the directory where you stand")
    rows["store-dir"] = chosen.store_row()
    rows["sums-key"] = _row(defaults.sums_key)
    rows |= {f"keys.{signer}": _row(value) for signer, value in sorted(defaults.keys.items())}
    rows |= {
        name: (_hidden(value), defaults.origins[name])
        for name, value in _pipeline(defaults.pipeline)
        if name in defaults.origins
    }
    epoch = os.environ.get(_EPOCH)
    rows["created"] = (epoch, f"the variable {_EPOCH}") if epoch is not None else None
    if json_:
        say(json.dumps(_value(rows, defaults.files), indent=2, sort_keys=True))
        return
    files = ", ".join(map(str, defaults.files)) or f"neither {spec} nor {CONFIG} is here"
    say(f"read: {files}")
    for line in _lines(rows):
        say(line)


def _row(default: Default | None) -> tuple[str, str] | None:
    """Return a value as it may be shown, and its place."""
    return None if default is None else (_hidden(default.value), default.where)


def _hidden(value: str) -> str:
    """Return a value without what follows a ``?``, which may be a PIN."""
    shown, question, _ = value.partition("?")
    return shown + ("?..." if question else "")


def _pipeline(plan: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield what `release` takes, by the names that it has in TOML."""
    for name, value in (
        ("stages", plan.stages),
        ("sbom", plan.sbom),
        ("sign", plan.sign),
        ("verify.key", plan.verify_key),
        ("to", plan.to),
        ("publisher", plan.publisher),
        ("publishers", plan.publishers),
        ("owners", plan.owners),
        ("plain-http", plan.plain_http),
        ("ca-file", plan.ca_file),
        ("one-writer", str(plan.one_writer).lower()),
        ("read-back", str(plan.read_back).lower()),
    ):
        yield name, value if isinstance(value, str) else ", ".join(value or ())
    tables: list[tuple[str, Table]] = [(f"step.{step.name}", step) for step in plan.steps]
    tables += [("test", plan.test)] if plan.test is not None else []
    tables += [(f"site.{site.name}", site) for site in plan.sites]
    for name, table in tables:
        for key, value in table.model_dump(by_alias=True).items():
            if key == "run":
                yield f"{name}.{key}", shlex.join(value or ())
            elif key != "name":
                yield f"{name}.{key}", value if isinstance(value, str) else ", ".join(value)


def _lines(rows: dict[str, tuple[str, str] | None]) -> Iterator[str]:
    width = max(map(len, rows))
    shown = {name: row and (_short(row[0]), row[1]) for name, row in rows.items()}
    longest = max((len(row[0]) for row in shown.values() if row), default=0)
    for name, row in shown.items():
        if row is not None:
            yield f"{name:<{width}}  {row[0]:<{longest}}  from {row[1]}"
        elif name != "created":
            yield f"{name:<{width}}  not set"


def _short(value: str) -> str:
    """Return a value for people, with ``~`` for the home of this user, as shells have it."""
    home = os.path.expanduser("~").rstrip("/")
    return f"~{value.removeprefix(home)}" if home and value.startswith(f"{home}/") else value


def _value(rows: dict[str, tuple[str, str] | None], files: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "files": [os.fspath(path) for path in files],
        "values": {
            name: {"value": row[0], "from": row[1]} if row else None for name, row in rows.items()
        },
    }
