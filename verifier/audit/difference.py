"""What is different in the contents of two kits: images, packages, licences, findings, attesters.

`verifier.show.diff` compares what the signed lists say; this compares what lies behind them, for
kits whose evidence and image manifests were read.  It is pure, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from verifier.audit.model import OPEN, Audit, ImageRow, PackageRow
from verifier.typed import record

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
UPGRADED, DOWNGRADED = "upgraded", "downgraded"
NEW, GONE, ANSWERED, REOPENED = "new", "gone", "answered", "open again"
_RUNS = re.compile(r"[0-9]+|[^0-9.+_-]+|[.+_-]")
_LICENCE_KNOWN = ("", "NOASSERTION", "NONE")


@record(frozen=True)
class Row:
    """One thing that is not the same.

    Attributes:
        change: One of the words above.
        old: As it was; empty for nothing.
        new: As it is; empty for nothing.
    """

    change: str
    name: str
    old: str
    new: str


@record(frozen=True)
class Contents:
    """All that is different, by what it is about; each in a stable order."""

    images: tuple[Row, ...]
    packages: tuple[Row, ...]
    licences: tuple[Row, ...]
    vulnerabilities: tuple[Row, ...]
    attesters: tuple[Row, ...]
    coverage: tuple[Row, ...]


TITLES = (
    ("images", "images"),
    ("packages", "packages of SBOMs"),
    ("licences", "licences"),
    ("vulnerabilities", "vulnerabilities"),
    ("attesters", "attesters"),
    ("coverage", "not described by an SBOM"),
)


def compare_contents(old: Audit | None, new: Audit) -> Contents:
    """Return what is different; without ``old`` everything is new."""
    return Contents(
        tuple(_images(old, new)),
        tuple(_packages(old, new)),
        tuple(_licences(old, new)),
        tuple(_vulnerabilities(old, new)),
        tuple(_attesters(old, new)),
        tuple(_coverage(old, new)),
    )


# --- images --------------------------------------------------------------------------------------


def _images(old: Audit | None, new: Audit) -> Iterator[Row]:
    def keyed(audit: Audit | None) -> dict[str, ImageRow]:
        rows = audit.images if audit is not None else []
        return {f"{row.layout} {row.name or row.platform}".strip(): row for row in rows}

    before, after = keyed(old), keyed(new)
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            change = ADDED if was is None else REMOVED
            yield Row(change, name, was.digest if was else "", _with_layers(now) if now else "")
        elif was.digest != now.digest:
            yield Row(CHANGED, name, was.digest, f"{now.digest}, {_layers(was, now)}")


def _with_layers(row: ImageRow) -> str:
    return f"{row.digest}, {len(row.layers)} layers"


def _layers(was: ImageRow, now: ImageRow) -> str:
    """Return how the layers of an image have changed, in words."""
    had, has = ({layer.digest: layer.size for layer in row.layers} for row in (was, now))
    fresh = has.keys() - had.keys()
    size = sum(has[digest] for digest in fresh)
    same, gone = len(has.keys() & had.keys()), len(had.keys() - has.keys())
    return f"layers: {same} the same, {len(fresh)} new ({size} bytes), {gone} gone"


# --- packages ------------------------------------------------------------------------------------


def _name_of(row: PackageRow) -> str:
    """Return what stays the same from version to version: the package URL without the version."""
    head = row.purl.partition("?")[0].partition("#")[0]
    start, slash, last = head.rpartition("/")
    return f"{start}{slash}{last.partition('@')[0]}" if head.startswith("pkg:") else row.name


def _by_name(audit: Audit | None, of: Callable[[PackageRow], str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in audit.packages if audit is not None else ():
        found.setdefault(_name_of(row), set()).add(of(row))
    return found


def _packages(old: Audit | None, new: Audit) -> Iterator[Row]:
    def version(row: PackageRow) -> str:
        return row.version

    before, after = _by_name(old, version), _by_name(new, version)
    for name in sorted({*before, *after}):
        was, now = before.get(name, set()), after.get(name, set())
        if was == now:
            continue
        gone, come = sorted(was - now), sorted(now - was)
        change = CHANGED
        if not was or not now:
            change = REMOVED if was else ADDED
        elif len(gone) == len(come) == 1:
            order = compare_versions(gone[0], come[0])
            change = UPGRADED if order < 0 else DOWNGRADED if order > 0 else CHANGED
        yield Row(change, name, ", ".join(gone), ", ".join(come))


def _licences(old: Audit | None, new: Audit) -> Iterator[Row]:
    def licence(row: PackageRow) -> str:
        return row.licence if row.licence not in _LICENCE_KNOWN else "not named"

    before, after = _by_name(old, licence), _by_name(new, licence)
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield Row(CHANGED, name, _some(before[name]), _some(after[name]))


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def compare_versions(one: str, other: str) -> int:
    """Return -1, 0 or 1: which of two versions is the older one, as most schemes have it.

    Numbers count as numbers, ``~`` is before the end (Debian), and so is a word behind a number
    (``1.0rc1`` is before ``1.0``); what is left is compared as text.  It is told to people and
    decides nothing.
    """
    first, second = _parts(one), _parts(other)
    return (first > second) - (first < second)


def _parts(version: str) -> list[tuple[int, int, str]]:
    parts = []
    for run in _RUNS.findall(version):
        if run[0].isdecimal() and run.isascii():
            parts.append((3, int(run[:18]), run))
        elif run in ".+_-":
            continue
        else:
            parts.append((0 if run[0] == "~" else 1, 0, run))
    return [*parts, (2, 0, "")]


# --- findings, attesters, coverage ---------------------------------------------------------------


def _vulnerabilities(old: Audit | None, new: Audit) -> Iterator[Row]:
    def keyed(audit: Audit | None) -> dict[str, tuple[str, str]]:
        """Return status and severity of each finding; open where any scan leaves it open."""
        found: dict[str, tuple[str, str]] = {}
        for row in audit.vulnerabilities if audit is not None else ():
            name = f"{row.id} in {row.package or row.purl or 'something'}"
            if name not in found or row.status == OPEN:
                found[name] = row.status, row.severity
        return found

    before, after = keyed(old), keyed(new)
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            change = NEW if was is None else GONE
            yield Row(change, name, ", ".join(was or ()), ", ".join(now or ()))
        elif was[0] != now[0]:
            change = REOPENED if now[0] == OPEN else ANSWERED
            yield Row(change, name, ", ".join(was), ", ".join(now))


def _attesters(old: Audit | None, new: Audit) -> Iterator[Row]:
    def keyed(audit: Audit | None) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for row in audit.attestations if audit is not None else ():
            for who in row.signed_by or ("nobody who is proved",):
                name = f"{row.type or row.form} by {who}"
                found[name] = found.get(name, 0) + 1
        return found

    before, after = keyed(old), keyed(new)
    for name in sorted({*before, *after}):
        was, now = before.get(name, 0), after.get(name, 0)
        if was != now:
            change = ADDED if not was else REMOVED if not now else CHANGED
            yield Row(change, name, str(was or ""), str(now or ""))


def _coverage(old: Audit | None, new: Audit) -> Iterator[Row]:
    def bare(audit: Audit | None) -> set[str]:
        cover = audit.coverage if audit is not None else None
        return set(cover.uncovered) if cover is not None else set()

    if old is None or not (old.sboms or new.sboms):
        return  # where nothing is described, that is no news
    before, after = bare(old), bare(new)
    for path in sorted(before ^ after):
        yield Row(REMOVED if path in before else ADDED, path, "", "")
