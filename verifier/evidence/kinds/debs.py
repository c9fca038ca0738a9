"""``debs``: a flat Debian repository that apt takes from a directory, whatever the site's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone

from verifier.core.errors import KitError
from verifier.evidence.kinds.errors import (
    DebMismatch,
    DebMissing,
    DebsPackagesMalformed,
    DebsReleaseDated,
    DebsReleaseMalformed,
    DebsReleaseMismatch,
    DebUnlisted,
    KindFileMissing,
    KindFileUnexpected,
    KindUnchecked,
)
from verifier.evidence.kinds.model import Documents, Files, Want

PACKAGES, RELEASE = "Packages", "Release"
_NEEDED = ("package", "version", "architecture", "filename", "size", "sha256")
_MAX_STANZAS = 100_000
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")  # deb822(5)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# Debian Repository Format, "Date, Valid-Until": as RFC 2822, in UTC
_DATE = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})"
    r" (?:UTC|GMT|[+-]0000)"
)


class Debs:
    """See `verifier.evidence.kinds.model.Kind`."""

    name = "debs"
    promise = "package indexes name what is there"

    def wants(self, files: Files) -> Iterator[Want]:
        """Return the two documents of a repository."""
        return (Want(name) for name in (RELEASE, PACKAGES) if name in files)

    def hashed(self, files: Files) -> Iterator[str]:
        """Return nothing: apt compares SHA-256."""
        return iter(())

    def judge(self, files: Files, documents: Documents) -> Iterator[KitError]:
        """Yield what apt would stumble over, and what it would never see."""
        for name in (RELEASE, PACKAGES):
            if name not in files:
                raise KindFileMissing("is not there", where=files.where(name))
        for name in files:
            if not name.endswith(".deb") and name not in (PACKAGES, RELEASE):
                yield KindFileUnexpected("has no place beside Packages", where=files.where(name))
        yield from _release(files, documents)
        yield from _packages(files, documents)


def _release(files: Files, documents: Documents) -> Iterator[KitError]:
    where = files.where(RELEASE)
    stanzas = list(_stanzas(documents.text(RELEASE, DebsReleaseMalformed), RELEASE, where))
    if len(stanzas) != 1:
        raise DebsReleaseMalformed("is not one paragraph of fields", where=where)
    fields = stanzas[0]
    date = _moment(fields.get("date", ""))
    if date is None:
        yield DebsReleaseMalformed("has no Date in UTC", where=where)
    elif date > files.created:
        yield DebsReleaseDated(f"is of {fields['date']}, after the kit", where=where)
    if "valid-until" in fields:
        yield DebsReleaseDated("has a Valid-Until: it ends some day", where=where)
    listed = [line.split() for line in fields.get("sha256", "").split("\n")]
    mine = [line for line in listed if line[2:] in ([PACKAGES], [f"./{PACKAGES}"])]
    if not mine:
        yield DebsReleaseMalformed(f"has no SHA-256 of {PACKAGES}", where=where)
    truth = [files.sha256(PACKAGES), str(files.size(PACKAGES))]
    if any(line[:2] != truth for line in mine):
        yield DebsReleaseMismatch(f"speaks of another {PACKAGES}", where=where)


def _packages(files: Files, documents: Documents) -> Iterator[KitError]:
    where, listed = files.where(PACKAGES), set[str]()
    text = documents.text(PACKAGES, DebsPackagesMalformed)
    for fields in _stanzas(text, PACKAGES, where):
        missing = [name for name in _NEEDED if not fields.get(name)]
        if missing:
            shown = fields.get("package") or "a package"
            raise DebsPackagesMalformed(f"{shown!r:.90} has no {missing[0]}", where=where)
        name = fields["filename"]
        name = name[2:] if name.startswith("./") else name
        if name in listed:
            yield DebsPackagesMalformed(f"names {name!r:.200} twice", where=where)
            continue
        listed.add(name)
        if name not in files or not name.endswith(".deb"):
            yield DebMissing(f"names {name!r:.200}, which is not there", where=where)
        elif [files.sha256(name), str(files.size(name))] != [fields["sha256"], fields["size"]]:
            yield DebMismatch(f"is another file than {PACKAGES} says", where=files.where(name))
    for name in files:
        if name.endswith(".deb") and name not in listed:
            yield DebUnlisted(f"{PACKAGES} does not name it", where=files.where(name))


def _stanzas(text: str, name: str, where: str) -> Iterator[dict[str, str]]:
    """Yield paragraphs of fields, in lower case (deb822(5))."""
    error = DebsReleaseMalformed if name == RELEASE else DebsPackagesMalformed
    fields: dict[str, str] = {}
    last, count = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            if fields:
                count += 1
                yield fields
            fields, last = {}, ""
            if count > _MAX_STANZAS:
                raise KindUnchecked(f"has more than {_MAX_STANZAS} packages", where=where)
            continue
        if line[0] in " \t" and last:
            fields[last] += "\n" + line.strip()
            continue
        match = _FIELD.fullmatch(line)
        if match is None or match[1].lower() in fields:
            raise error(f"line {number} is no field, or one that was there", where=where)
        last = match[1].lower()
        fields[last] = match[2].strip()
    if fields:
        yield fields


def _moment(text: str) -> int | None:
    match = _DATE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[at]) for at in (1, 3, 4, 5, 6))
    try:
        month = _MONTHS.index(match[2]) + 1
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(moment.timestamp())
