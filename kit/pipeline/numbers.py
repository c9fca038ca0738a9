"""Which sequence each version took: ``NAME.numbers.json`` beside the spec, kept like a source.

A new version takes the highest sequence of the line plus one, and keeps it: whoever has the file
builds the same kit again without asking any index.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.container.output import replace_file
from kit.errors import show
from kit.pipeline.errors import StateUnreadable
from kit.pipeline.state import read_json
from kit.spec import KitSpec
from verifier.core.limits import MAX_SEQUENCE, MIB
from verifier.core.manifest import HEX256, LINE, NAME, VERSION
from verifier.core.model import format_time, parse_time

NUMBERS_TYPE = "https://offline-kit.example/release-numbers/v1"
_MAX_NUMBERS = 16 * MIB


@dataclass(frozen=True)
class Number:
    """What a version took.

    Attributes:
        created: As the kit has it.
        supersedes: kitIds.
    """

    name: str
    line: str
    version: str
    sequence: int
    created: str
    supersedes: tuple[str, ...] = ()


def numbers_path(spec: Path) -> Path:
    """Return where the numbers of a spec are."""
    return spec.with_name(f"{spec.stem}.numbers.json")


def load_numbers(spec: Path) -> list[Number]:
    """Return what the versions of a spec took; nothing, where there is no file.

    Raises:
        StateUnreadable: The file is none of ours.
    """
    path = numbers_path(spec)
    value = read_json(path, NUMBERS_TYPE, _MAX_NUMBERS)
    if value is None:
        return []
    try:
        found = [
            Number(**{**one, "supersedes": tuple(one["supersedes"])}) for one in value["taken"]
        ]
        good = all(map(_is_good, found))
    except (KeyError, TypeError):
        good = False
    if not good:
        raise StateUnreadable("is not what `release` writes", where=show(path))
    return found


def _is_good(number: Number) -> bool:
    texts = [(NAME, number.name), (LINE, number.line), (VERSION, number.version)]
    texts += [(HEX256, each) for each in number.supersedes]
    return (
        all(isinstance(text, str) and pattern.fullmatch(text) for pattern, text in texts)
        and type(number.sequence) is int
        and 1 <= number.sequence <= MAX_SEQUENCE
        and isinstance(number.created, str)
        and parse_time(number.created) is not None
    )


def find_number(numbers: Sequence[Number], spec: KitSpec) -> Number | None:
    """Return what the version of a spec took, if it took something."""
    kit = spec.kit
    for number in numbers:
        if (number.name, number.line, number.version) == (kit.name, kit.line, kit.version):
            return number
    return None


def keep_number(spec: Path, number: Number) -> None:
    """Note what a version took, on the disk.

    Raises:
        OutputUnwritable: The host refuses.
    """
    taken = [*load_numbers(spec), number]
    taken.sort(key=lambda one: (one.name, one.line, one.sequence, one.version))
    value = {"type": NUMBERS_TYPE, "taken": [asdict(one) for one in taken]}
    data = json.dumps(value, indent=2, sort_keys=True).encode("ascii") + b"\n"
    replace_file(numbers_path(spec), data)


def numbered(spec: KitSpec, settings: Mapping[str, str | int] | None = None) -> KitSpec:
    """Return a spec with what its version took; what was set for this run stays.

    Raises:
        StateUnreadable: The file of numbers is none of ours.
    """
    number = find_number(load_numbers(spec.file), spec)
    return spec if number is None else with_number(spec, number, settings)


def with_number(
    spec: KitSpec, number: Number, settings: Mapping[str, str | int] | None = None
) -> KitSpec:
    """Return a spec with what a version took, but for a sequence that was set."""
    seconds = parse_time(number.created)
    assert seconds is not None
    created = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    update = {"created": created, "supersedes": number.supersedes}
    if "sequence" not in (settings or {}):
        update |= {"sequence": number.sequence}
    return spec.model_copy(update={"kit": spec.kit.model_copy(update=update)})


def number_of(spec: KitSpec) -> Number:
    """Return what a spec says that its version takes."""
    kit = spec.kit
    created = format_time(int(kit.created.timestamp()))
    return Number(kit.name, kit.line, kit.version, kit.sequence, created, tuple(kit.supersedes))
