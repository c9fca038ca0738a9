"""Holds the runbooks of a spec to what its kit will carry: the build refuses a bad one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kit.runbook.source import MEMBER, Written, load_runbook
from kit.sources.collect import collect
from kit.spec import KitSpec, load_spec
from runner.book.needs import DIRECTORY, FILE, PROGRAM, kind_in, missing
from runner.errors import Mistake
from verifier.core.lists import Index


def runbooks_of(spec: KitSpec) -> Iterator[tuple[str, Written]]:
    """Yield the path in the kit and the runbook of each source that is one.

    Raises:
        KitError: One cannot be read, or has mistakes.
    """
    for component in spec.components:
        for source in component.sources:
            if source.runbook is not None:
                written = load_runbook(Path(spec.base, source.runbook))
                yield f"{component.path}/{MEMBER}", written


def check_runbooks(spec: KitSpec, index: Index) -> None:
    """Hold the runbooks of a spec to the members of its kit.

    Raises:
        RunbookInvalid: A program or file that one names is not there.
    """
    names = {component.id for component in spec.components}
    for number, (_, written) in enumerate(runbooks_of(spec)):
        if number:
            what = Mistake((), "is the second runbook of one kit", "keep one")
            written.refuse([what])
        written.refuse(missing(written.book, lambda path: kind_in(index, path), names.__contains__))


def check_against(written: Written, spec_file: Path) -> None:
    """Hold a runbook to the kit that a spec will make; sources that are fetched must be there.

    Raises:
        KitError: The spec is bad, or the kit will not have what the runbook names.
    """
    spec = load_spec(spec_file)
    collected = collect(spec)
    data = collected.data

    def look(path: str) -> str:
        raw = path.encode("utf-8", "surrogateescape")
        at = data.find(raw)
        if at >= 0:
            return PROGRAM if data.executable[at] else FILE
        return DIRECTORY if data.has_below(raw) else ""

    names = {component.id for component in spec.components}
    written.refuse(missing(written.book, look, names.__contains__))
