"""What the commands take where nothing is given, and where each value comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from kit.cli.common import Json, app, say
from kit.cli.defaults import SPEC, SpecArgument
from kit.cli.options import App
from kit.cli.wanted import SPEC as SPEC_FILE
from kit.cli.wanted import wanted
from kit.errors import SpecMissing, show
from kit.spec.release import CONFIG, Default, load_defaults

config_app = App(help="Show what the commands take where nothing is given.", no_args_is_help=True)
app.add_typer(config_app, name="config")

_EPOCH = "SOURCE_DATE_EPOCH"


@config_app.command("show")
def _show(spec: SpecArgument = SPEC, json_: Json = False) -> None:
    """Show each default, and the file and line that it comes from; an option wins over all."""
    if spec != SPEC and not spec.exists():
        raise SpecMissing("no spec here: No such file or directory", where=show(spec))
    defaults = load_defaults(wanted(spec, SPEC_FILE))
    named = {"root": defaults.root, "out": defaults.out, "sums-key": defaults.sums_key}
    rows = {name: _row(value) for name, value in named.items()}
    if rows["out"] is None:
        rows["out"] = (".", "nobody: the directory where you stand")
    rows |= {f"keys.{signer}": _row(value) for signer, value in sorted(defaults.keys.items())}
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
    """Return a value as it may be shown, and its place; what follows a ``?`` may be a PIN."""
    if default is None:
        return None
    shown, question, _ = default.value.partition("?")
    return shown + ("?..." if question else ""), default.where


def _lines(rows: dict[str, tuple[str, str] | None]) -> Iterator[str]:
    width = max(map(len, rows))
    longest = max((len(row[0]) for row in rows.values() if row), default=0)
    for name, row in rows.items():
        if row is not None:
            yield f"{name:<{width}}  {row[0]:<{longest}}  from {row[1]}"
        elif name != "created":
            yield f"{name:<{width}}  not set"


def _value(rows: dict[str, tuple[str, str] | None], files: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "files": [os.fspath(path) for path in files],
        "values": {
            name: {"value": row[0], "from": row[1]} if row else None for name, row in rows.items()
        },
    }
