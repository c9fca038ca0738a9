"""The digest of a component, for tools that attest files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.cli.common import Json, app, say
from kit.cli.defaults import Chosen, StoreOption
from kit.cli.wanted import SPEC, kind_of
from verifier.core.errors import UsageError
from verifier.core.lists import Index
from verifier.core.model import Component, parse_time
from verifier.evidence.components import component_digest, component_list, members_of
from verifier.options import nearest


@app.command("digest")
def _digest(
    what: Annotated[
        Path, typer.Argument(metavar="KIT|SPEC", help="A kit, a review pack, a release or a spec.")
    ],
    component: Annotated[
        str | None, typer.Argument(metavar="[COMPONENT]", help="All of them if none is given.")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Print the list alone: its SHA-256 is the digest.")
    ] = False,
    store_dir: StoreOption = None,
    json_: Json = False,
) -> None:
    """Print the digest of a component and the list that it is over, for tools that attest."""
    if list_ and (component is None or json_):
        raise UsageError("--list is the list of one component, and goes with no --json")
    components, index = components_of(what, store_dir)
    if component is not None:
        components = [named_component(components, component)]
    if json_:
        values = [_value(index, item) for item in components]
        say(json.dumps({"components": values}, indent=2, sort_keys=True))
        return
    if not list_:
        for item in components:
            say(f"{component_digest(index, item)}  {item.id}")
    if component is not None:
        for text in component_list(index, components[0]):
            typer.echo(text, nl=False)  # bytes as they are: their SHA-256 is the digest


def components_of(path: Path, store_dir: Path | None) -> tuple[Sequence[Component], Index]:
    """Return the components of a kit or a spec, and the index that their digests are over.

    Args:
        store_dir: The store for what a spec fetches, where an option names it.
    """
    return _of_spec(path, store_dir) if kind_of(path) == SPEC else _of_kit(path)


def _of_kit(path: Path) -> tuple[Sequence[Component], Index]:
    from kit.review.compare import looked_at  # here: a spec does not need it

    head, index = looked_at(path)
    return head.manifest.components, index


def _of_spec(path: Path, store_dir: Path | None) -> tuple[Sequence[Component], Index]:
    from kit.container.draft import created_of, draft_manifest  # here: a kit does not need them
    from kit.sources.digests import payload_index
    from kit.sources.taken import take
    from kit.spec import load_spec

    spec = load_spec(path)
    created = created_of(spec, os.environ.get("SOURCE_DATE_EPOCH"))
    with take(spec, Chosen(path).store(store_dir)) as taken:
        index = payload_index(spec, taken, parse_time(created) or 0)
    return draft_manifest(spec, created).components, index


def named_component(components: Sequence[Component], name: str) -> Component:
    """Return a component by its id.

    Raises:
        UsageError: There is none; the nearest is named.
    """
    for item in components:
        if item.id == name:
            return item
    near = nearest(name, [item.id for item in components])
    raise UsageError(
        f"there is no component {name!r}",
        fix=f"Did you mean {near}?" if near else "Leave it out to see them all.",
    )


def _value(index: Index, component: Component) -> dict[str, Any]:
    runs = members_of(index, component)
    return {
        "id": component.id,
        "version": component.version,
        "digest": {"sha256": component_digest(index, component)},
        "files": sum(map(len, runs)),
        "bytes": sum(index.sizes[member] for run in runs for member in run),
    }
