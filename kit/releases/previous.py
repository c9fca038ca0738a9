"""Releases that are known on this host: by what `seal` noted, or by the head of their kit.

Nothing here is believed: it is told to the publisher of these releases, who makes the next one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import sealed_marker
from kit.errors import show
from kit.releases.layout import ENDING
from kit.review.head import PACK_FILES, Head, load_head
from verifier.core import limits
from verifier.core.errors import KitError, Usage
from verifier.core.manifest import HEX256, LINE, NAME, VERSION

_MARKER = ".sealed.json"


class PreviousMissing(Usage):
    """What was named as the release before this one is not there, or is none.

    It may be a kit, the NAME-VERSION.sealed.json beside it, its directory, a review pack, or a
    directory of releases: of these the sealed one of this line with the highest sequence counts.
    """

    code = "previous-missing"
    fix = "Name the kit before this one, or leave out --after for the first release of a line."


class PreviousOfAnotherLine(Usage):
    """What was named as the release before this one belongs to another line, or to another name.

    Sequences of different lines say nothing about each other.
    """

    code = "previous-of-another-line"
    fix = "Name a release of the same `name` and `line`, or correct them in the spec."


@dataclass(frozen=True)
class Known:
    """A release as this host knows it.

    Attributes:
        path: What it was found by.
        sealed: Whether `seal` has noted it.
        head: All that its kit says without its contents; None if only the note is here.
    """

    path: Path
    name: str
    version: str
    line: str
    sequence: int
    kit_id: str
    sealed: bool
    head: Head | None


def previous_release(path: Path, name: str, line: str) -> Known:
    """Return the release that the next one of ``name`` and ``line`` follows.

    Raises:
        PreviousMissing: There is none.
        PreviousOfAnotherLine: It is one of another line.
        KitError: A kit is not as it must be.
    """
    if not os.path.lexists(path):
        raise PreviousMissing("is not there", where=show(path))
    if path.is_dir() and not all((path / part).exists() for part in PACK_FILES):
        own = path / f"{path.resolve().name}{ENDING}"
        if own.exists():
            path = own
        else:
            return _newest(path, name, line)
    known = _read(path)
    if (known.name, known.line) != (name, line):
        raise PreviousOfAnotherLine(
            f"is {known.name}, line {known.line}; this is {name}, line {line}", where=show(path)
        )
    return known


def _newest(directory: Path, name: str, line: str) -> Known:
    noted = [one for one in noted_releases(directory) if (one.name, one.line) == (name, line)]
    if not noted:
        raise PreviousMissing(
            f"holds no sealed release of {name}, line {line}", where=show(directory)
        )
    return _read(max(noted, key=lambda known: known.sequence).path)


def noted_releases(directory: Path) -> Iterator[Known]:
    """Yield the sealed releases below a directory, by their names; what cannot be read is none."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        marker = directory / name / f"{name}{_MARKER}"
        known = _noted(marker)
        if known is not None:
            yield known


def open_releases(directory: Path) -> Iterator[Path]:
    """Yield the kits below a directory that are not sealed yet, by their names."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        kit = directory / name / f"{name}{ENDING}"
        if kit.is_file() and not sealed_marker(kit).exists():
            yield kit


def _read(path: Path) -> Known:
    """Return a release from its kit where that is at hand, else from what was noted of it."""
    if path.name.endswith(_MARKER):
        noted = _noted(path)
        if noted is None:
            raise PreviousMissing("is not what `seal` writes", where=show(path))
        kit = path.with_name(path.name.removesuffix(_MARKER) + ENDING)
        return _of_head(kit) if kit.exists() else noted
    return _of_head(path)


def _of_head(path: Path) -> Known:
    try:
        head, _, _ = load_head(path)
    except KitError as error:
        raise PreviousMissing(f"is no kit: {error.message}", where=show(path)) from None
    info = head.manifest.kit
    sealed = path.is_file() and sealed_marker(path).exists()
    return Known(path, info.name, info.version, info.line, info.sequence, head.kit_id, sealed, head)


def _noted(marker: Path) -> Known | None:
    """Return what a marker says, if it has the form that `seal` gives it."""
    try:
        # a FIFO of that name must not be waited for
        descriptor = os.open(marker, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            value = json.loads(stream.read(limits.MIB))
        kit = value["kit"]
        texts = {NAME: kit["name"], VERSION: kit["version"], LINE: kit["line"]}
        texts[HEX256] = value["kitId"]
        good = all(pattern.fullmatch(text) for pattern, text in texts.items())
        sequence = kit["sequence"]
        if not good or type(sequence) is not int or sequence < 1:
            return None
        return Known(
            marker, kit["name"], kit["version"], kit["line"], sequence, value["kitId"], True, None
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
