"""The history of a line: whether its entries follow one another, and reach what was pinned.

Pure functions of entries that were authenticated (RELEASES 4).  A history says in which order
releases came and that none is missing; it says nothing of any kit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kit.releases.entry import Entry
from kit.releases.errors import (
    EntryMalformed,
    HeadBehind,
    HeadConflict,
    HeadInvalid,
    HistoryBroken,
    ReleaseUnknown,
)
from kit.releases.record import MAX_NUMBER, EntryId
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.manifest import HEX256, LINE

HEAD_TYPE = "https://offline-kit.example/release-head/v1"
MAX_HEAD = 4096  # bytes of the file


@dataclass(frozen=True)
class Head:
    """The last entry of a line that somebody has seen and keeps.

    Attributes:
        n: Its number.
        id: Its EntryId.
    """

    line: str
    n: int
    id: EntryId


def head_of(entry: Entry) -> Head:
    """Return an entry as a head to keep."""
    return Head(entry.record.line, entry.record.n, entry.id)


def head_bytes(head: Head) -> bytes:
    """Return the file that keeps a head: compact JSON and an LF."""
    value = {"type": HEAD_TYPE, "line": head.line, "n": head.n, "entryId": head.id}
    return compact(value) + b"\n"


def parse_head(data: bytes, line: str, where: str) -> Head:
    """Return the head in a file, which must be of this line.

    Raises:
        HeadInvalid: It is none, or of another line.
    """
    try:
        value = parse_compact(data[:-1] if data.endswith(b"\n") else data)
    except NotStrict as reason:
        raise HeadInvalid(str(reason), where=where) from None
    if not isinstance(value, dict) or set(value) != {"type", "line", "n", "entryId"}:
        raise HeadInvalid("is not the head of a line", where=where)
    named, n, digest = value["line"], value["n"], value["entryId"]
    good = value["type"] == HEAD_TYPE and isinstance(named, str) and LINE.fullmatch(named)
    good = good and type(n) is int and 1 <= n <= MAX_NUMBER
    if not good or not isinstance(digest, str) or not HEX256.fullmatch(digest):
        raise HeadInvalid("is not the head of a line", where=where)
    if named != line:
        raise HeadInvalid(f"is the head of {named!r}, not of {line!r}", where=where)
    return Head(named, n, EntryId(digest))


def check_history(entries: Iterable[Entry], line: str, pin: Head | None = None) -> list[Entry]:
    """Return the entries of a line from the first on, each held to the one before it.

    Args:
        entries: In the order of the numbers under which they were found, from 1 without a gap.
        pin: What was seen last; the history must go through it.

    Raises:
        EntryMalformed: An entry is of another line, or has another number than its name.
        HistoryBroken: An entry does not follow the one before it.
        HeadConflict: An entry is another one than the one pinned under its number.
        HeadBehind: The history ends before the pinned entry.
    """
    found: list[Entry] = []
    versions: dict[str, int] = {}
    kits: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        check_follows(entry, found[-1] if found else None, line, number)
        if pin is not None and pin.n == number and pin.id != entry.id:
            raise HeadConflict(
                f"entry {number} is {entry.id}, and {pin.id} was pinned", where=_at(line, number)
            )
        record = entry.record
        for what, value, seen in (
            ("version", record.version, versions),
            ("kit", record.kit_id, kits),
        ):
            if value in seen:
                raise HistoryBroken(
                    f"{what} {value} is that of entry {seen[value]} already",
                    where=_at(line, number),
                )
            seen[value] = number
        found.append(entry)
    if pin is not None and len(found) < pin.n:
        last = f"ends with entry {len(found)}" if found else "has no entry"
        raise HeadBehind(f"{last}, and entry {pin.n} was pinned: {pin.id}", where=repr(line))
    return found


def check_follows(entry: Entry, before: Entry | None, line: str, number: int) -> None:
    """Hold an entry to its place, and to the entry before it.

    Raises:
        EntryMalformed: It is of another line, or has another number than its name.
        HistoryBroken: It does not follow the one before it.
    """
    record, where = entry.record, _at(line, number)
    if record.line != line:
        raise EntryMalformed(f"is of the line {record.line!r}", where=where)
    if record.n != number:
        raise EntryMalformed(f"is entry {record.n} of its line", where=where)
    expected = before.id if before is not None else ""
    if record.previous != expected:
        raise HistoryBroken(
            f"follows {record.previous or 'none'}, and entry {number - 1} is {expected or 'none'}",
            where=where,
        )
    if before is None:
        return
    last = before.record
    if record.sequence <= last.sequence:
        raise HistoryBroken(
            f"sequence {record.sequence} is not higher than {last.sequence} before it", where=where
        )
    if record.name != last.name:
        raise HistoryBroken(
            f"is of {record.name!r}, and the one before of {last.name!r}", where=where
        )


def find_release(entries: Sequence[Entry], line: str, version: str = "") -> Entry:
    """Return the release of a version, or the last one.

    Raises:
        ReleaseUnknown: There is none.
    """
    if not version:
        if not entries:
            raise ReleaseUnknown("nothing has been published yet", where=repr(line))
        return entries[-1]
    for entry in entries:
        if entry.record.version == version:
            return entry
    there = ", ".join(entry.record.version for entry in entries[-5:]) or "none"
    raise ReleaseUnknown(f"there is no {version!r}; the last ones are {there}", where=repr(line))


def differences(old: Entry, new: Entry) -> Iterator[str]:
    """Yield what is different between two releases, a sentence each."""
    was, now = old.record, new.record
    for what, before, after in (
        ("version", was.version, now.version),
        ("sequence", was.sequence, now.sequence),
        ("created", was.created, now.created),
        ("contentId", was.content_id, now.content_id),
        ("kitId", was.kit_id, now.kit_id),
        ("root version", was.root_version, now.root_version),
        ("threshold", was.threshold, now.threshold),
        ("lock", was.lock or "none", now.lock or "none"),
        ("evidence.index", was.evidence or "none", now.evidence or "none"),
    ):
        if before != after:
            yield f"{what}: {before} -> {after}"
    yield from _lists("signer", was.signers, now.signers)
    yield from _lists("owner", was.owners, now.owners)
    before_files = {_plain(file.name, was.version): file for file in was.files}
    after_files = {_plain(file.name, now.version): file for file in now.files}
    yield from _lists("file", sorted(before_files), sorted(after_files))
    for name in sorted(before_files.keys() & after_files.keys()):
        one, two = before_files[name], after_files[name]
        if one.sha256 != two.sha256:
            yield f"file {two.name}: other contents; {one.size} bytes before, {two.size} bytes now"


def _plain(name: str, version: str) -> str:
    """Return a file's name without its version, so that it has a counterpart."""
    return name.replace(f"-{version}.", "-VERSION.", 1)


def _lists(what: str, was: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    yield from (f"{what} {one} is gone" for one in was if one not in now)
    yield from (f"{what} {one} is new" for one in now if one not in was)


def _at(line: str, number: int) -> str:
    return repr(f"lines/{line}/{number}.json")
