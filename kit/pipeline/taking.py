"""Takes the number of a version: the highest sequence of its line plus one, or its own again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.pipeline.model import Order
from kit.pipeline.numbers import Number, load_numbers, number_of
from kit.places.choose import open_reader
from kit.publish import read_history
from kit.releases.previous import noted_releases
from kit.releases.publisher import load_publishers
from kit.releases.record import Record
from kit.spec import KitSpec

MAX_SUPERSEDED = 64  # as the spec has it


@dataclass(frozen=True)
class _Seen:
    """A release of the line: published, or sealed here."""

    sequence: int
    version: str
    kit_id: str


def next_number(spec: KitSpec, order: Order) -> Number:
    """Return what a version takes that has taken nothing, by the index and by what lies here.

    A version that is published keeps what its entry says.  A sequence of the spec that is higher
    than all others stays, and one that was set for this run does in any case.

    Raises:
        KitError: A place does not say, or its history is not as it must be.
    """
    published = list(_published(spec, order))
    for record in published:
        if record.version == spec.kit.version:
            named = record.name, record.line, record.version
            return Number(*named, record.sequence, record.created, record.supersedes)
    seen = [_Seen(one.sequence, one.version, one.kit_id) for one in published]
    seen += _here(spec, order.out)
    taken = [one.sequence for one in load_numbers(spec.file) if one.line == spec.kit.line]
    highest = max([*taken, *(one.sequence for one in seen)], default=0)
    made = number_of(spec)
    sequence, supersedes = made.sequence, made.supersedes
    if "sequence" not in order.host.settings and sequence <= highest:
        sequence = highest + 1
    if seen:
        newest = max(seen, key=lambda one: one.sequence).kit_id
        if newest not in supersedes:
            supersedes = (*supersedes, newest)[-MAX_SUPERSEDED:]
    return Number(made.name, made.line, made.version, sequence, made.created, supersedes)


def _published(spec: KitSpec, order: Order) -> Iterator[Record]:
    """Yield what the places have of the line; each of them is asked."""
    plan = order.plan
    if not plan.to or plan.publisher is None:
        return
    keys = [order.signer(plan.publisher).key, *load_publishers(map(Path, plan.publishers))]
    with order.host.access() as ways:
        for text in plan.to:
            history = read_history(open_reader(text, ways), spec.kit.line, keys)
            yield from (entry.record for entry in history)


def _here(spec: KitSpec, out: Path) -> Iterator[_Seen]:
    """Yield the releases of the line that are sealed here, but for the version itself."""
    mine = spec.kit.name, spec.kit.line
    for known in noted_releases(out):
        if (known.name, known.line) == mine and known.version != spec.kit.version:
            yield _Seen(known.sequence, known.version, known.kit_id)
