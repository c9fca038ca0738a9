"""Publishes a sealed release: files first, under their digests; the line's next entry last."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kit.container.head import read_head
from kit.errors import SourceUnreadable, show
from kit.note.note import ReleaseDiffers, ReleaseNote, release_note, sealed_digest
from kit.places.errors import PlaceDiffers
from kit.places.model import Measured, Progress, Reader, Taker, Writer
from kit.places.sending import Sending, measure, promised
from kit.releases.entry import Entry, make_entry, open_entry, release_statement
from kit.releases.errors import (
    EntryTaken,
    PlacesDiffer,
    ReleaseUntidy,
)
from kit.releases.history import check_history
from kit.releases.layout import ENDING
from kit.releases.record import FILE_NAME, MAX_NUMBER, File, Record
from kit.releases.same import (
    STATEMENT,
    check_same,
    check_same_kit,
    check_sequence,
    other_signatures,
)
from kit.signing.model import KitSigner
from verifier.core.envelope import parse_page
from verifier.core.errors import KitError
from verifier.core.manifest import parse_manifest
from verifier.core.signature import Key


@dataclass
class Outcome:
    """What happened at one place.

    Attributes:
        sent: Files that were put there.
        there: Files that lay there already.
        created: Whether this run created the entry.
    """

    place: Writer
    sent: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    created: bool = False


@dataclass(frozen=True)
class Published:
    """A release that is published.

    Attributes:
        others: Files that were published with other signatures than they have here.
    """

    entry: Entry
    outcomes: tuple[Outcome, ...]
    others: tuple[str, ...] = ()


def read_history(
    place: Reader, line: str, publishers: Sequence[Key], start: Sequence[Entry] = ()
) -> list[Entry]:
    """Return the history of a line at a place, each entry authenticated and in its order.

    Args:
        start: Entries that are known already; they are not asked for again.

    Raises:
        KitError: An entry is not as it must be, or the place does not say.
    """
    found = list(start)
    while len(found) < MAX_NUMBER:
        n = len(found) + 1
        data = place.entry(line, n)
        if data is None:
            break
        found.append(open_entry(data, publishers, f"{place.where}, entry {n}"))
    return check_history(found, line)


def publish(
    kit: Path,
    places: Sequence[Writer],
    signer: KitSigner,
    publisher: Key,
    *,
    owners: Sequence[str] = (),
    also: Sequence[Key] = (),
    dry_run: bool = False,
    workers: int = 0,
    progress: Progress | None = None,
    read_back: Callable[[Writer, Record], None] | None = None,
) -> Published:
    """Publish the release of a sealed kit, with all that lies beside it, at one or more places.

    A large kit is on its way to a bucket while it is proved and held to what was sealed; it becomes
    a file there only if it is.  All else is sent after that.  Done again, everything is there, or
    what is gone from a place is put back.

    Args:
        owners: Who answers for the release; no kit says that.
        also: Publishers of earlier entries.
        dry_run: Look only; the outcomes are empty.
        read_back: Compares all files at a place with the record, before its entry is created.

    Raises:
        VersionTaken: The line has this version with other contents.
        SequenceBehind: The line has a higher sequence already.
        EntryTaken: Another writer published under this number meanwhile.
        PlacesDiffer: The places have different histories.
        KitError: The release, a place or this host is at fault.
    """
    show_progress: Progress = progress or (lambda name, done, total: None)
    file, begun = _begin(kit, [] if dry_run else places)
    with Sending(kit, file, [*begun.values()], show_progress, ReleaseDiffers) as sending:
        note = release_note(
            kit,
            workers=workers,
            progress=lambda done, total: show_progress(f"proving {kit.name}", done, total),
            hashed=False,
        )
        publishers = [publisher, *also]
        histories = [read_history(place, note.kit.line, publishers) for place in places]
        if _check_early(note, histories):
            sending.drop()
        measured = [*_beside(kit, show_progress), sending.measured()]
        base = _record(kit, note, measured, owners)
        statement = release_statement(base, signer)
        base = _with_statement(base, statement)
        entry = _entry(base, histories, places, signer)
        others = other_signatures(entry, base, histories)
        if dry_run:
            return Published(entry, tuple(Outcome(place) for place in places), others)
        sending.complete()
    outcomes = []
    for place, history in zip(places, histories, strict=True):
        outcome = Outcome(place)
        outcomes.append(outcome)
        if len(history) < entry.record.n:
            if place in begun:
                outcome.sent.append(kit.name)
            place.probe()
        _put(place, measured, entry, outcome, statement)
        if read_back is not None:
            read_back(place, entry.record)
    for outcome, history in zip(outcomes, histories, strict=True):
        if len(history) < entry.record.n:
            outcome.created = _create(outcome.place, entry, publishers)
    return Published(entry, tuple(outcomes), others)


def _begin(kit: Path, places: Sequence[Writer]) -> tuple[File, dict[Writer, Taker]]:
    """Begin to put a kit where it can be, under the digest that its seal states.

    Raises:
        KitError: The kit is not sealed, or a place refuses.
    """
    sealed = sealed_digest(kit)
    try:
        file = promised(kit.name, kit.stat().st_size, sealed)
    except OSError as error:
        raise SourceUnreadable([(os.fsencode(kit), error.strerror or str(error))]) from None
    begun: dict[Writer, Taker] = {}
    try:
        for place in places:
            taker = place.begin(file)
            if taker is not None:
                begun[place] = taker
    except KitError:
        for taker in begun.values():
            with contextlib.suppress(KitError):
                taker.abort()
        raise
    return file, begun


def _check_early(note: ReleaseNote, histories: Sequence[list[Entry]]) -> bool:
    """Refuse what is not going to be published before all of it was sent for nothing.

    Returns:
        Whether it is published at every place.

    Raises:
        VersionTaken: The line has this version with other contents.
        SequenceBehind: The line has a higher sequence already.
    """
    everywhere = True
    for history in histories:
        there = [one.record for one in history if one.record.version == note.kit.version]
        for record in there:
            check_same_kit(record, note.kit_id, note.file_digest)
        if not there and history:
            check_sequence(note.kit.line, note.kit.sequence, history[-1].record)
        everywhere = everywhere and bool(there)
    return everywhere


def _beside(kit: Path, progress: Progress) -> list[Measured]:
    """Return all files of a release but its kit: those of its directory, by their names.

    Raises:
        ReleaseUntidy: Something lies there that cannot be published.
        KitError: A file cannot be read.
    """
    called = kit.name.removesuffix(ENDING)
    found = []
    for name in sorted(os.listdir(kit.parent)):
        path = kit.parent / name
        if name.startswith(".") or name in (kit.name, called + STATEMENT):
            continue  # unfinished files; and what this run makes itself
        if path.is_symlink() or not path.is_file():
            raise ReleaseUntidy("is not a regular file", where=show(path))
        if not FILE_NAME.fullmatch(name):
            raise ReleaseUntidy(
                "its name is not one that every disk and URL takes", where=show(path)
            )
        if name.endswith(ENDING):
            raise ReleaseUntidy("is another kit", where=show(path))
        found.append(measure(path, progress))
    return found


def _record(
    kit: Path, note: ReleaseNote, measured: Sequence[Measured], owners: Sequence[str]
) -> Record:
    """Return what is to be said, but for its place in the line."""
    payload = parse_page(read_head(kit)[0]).payload
    if hashlib.sha256(payload).hexdigest() != note.kit_id:
        raise PlaceDiffers("has changed while it was read", where=show(kit))
    evidence = parse_manifest(payload).evidence_index
    return Record(
        line=note.kit.line,
        n=1,
        previous="",
        name=note.kit.name,
        version=note.kit.version,
        sequence=note.kit.sequence,
        created=note.kit.created,
        kit_id=note.kit_id,
        content_id=note.content_id,
        kit_file=kit.name,
        files=tuple(sorted((one.file for one in measured), key=lambda one: one.name)),
        signers=tuple(sorted(note.signers)),
        threshold=note.threshold,
        root_version=note.root_version,
        supersedes=note.kit.supersedes,
        lock=note.lock,
        evidence=evidence.digest["sha256"] if evidence is not None else "",
        owners=tuple(owners),
    )


def _with_statement(record: Record, statement: bytes) -> Record:
    """Add the in-toto statement of the release to its files."""
    name = f"{record.name}-{record.version}{STATEMENT}"
    file = File(name, len(statement), hashlib.sha256(statement).hexdigest())
    files = sorted([*record.files, file], key=lambda one: one.name)
    return replace(record, files=tuple(files))


def _entry(
    base: Record, histories: Sequence[list[Entry]], places: Sequence[Writer], signer: KitSigner
) -> Entry:
    """Return the entry that stands for the release, or is to."""
    longest = max(histories, key=len)
    for place, history in zip(places, histories, strict=True):
        if any(a.id != b.id for a, b in zip(history, longest, strict=False)):
            raise PlacesDiffer(f"{place.where} has another history of {base.line!r}")
    for entry in longest:
        if entry.record.version == base.version:
            check_same(entry, base)
            n = entry.record.n
            break
    else:
        n = len(longest) + 1
        entry = _new_entry(base, longest, signer)
    for place, history in zip(places, histories, strict=True):
        if len(history) < n - 1:
            raise PlacesDiffer(
                f"{place.where} has {len(history)} entries of {base.line!r}, another place {n - 1}",
                fix="Bring it up first: `offline-kit mirror --from THE-OTHER --to THIS`.",
            )
    return entry


def _new_entry(base: Record, history: Sequence[Entry], signer: KitSigner) -> Entry:
    if history:
        check_sequence(base.line, base.sequence, history[-1].record)
    previous = history[-1].id if history else ""
    return make_entry(replace(base, n=len(history) + 1, previous=previous), signer)


def _put(
    place: Writer, measured: Sequence[Measured], entry: Entry, outcome: Outcome, statement: bytes
) -> None:
    """Put what the entry names; what has other signatures here is not what was published."""
    wanted = {file.name: file for file in entry.record.files}
    made = next(file for file in entry.record.files if file.name.endswith(STATEMENT))
    signed = File(made.name, len(statement), hashlib.sha256(statement).hexdigest())
    for one in [*measured, Measured(Path(), signed, data=statement)]:
        if one.file.name in outcome.sent:
            continue  # it was sent while it was proved
        if one.file == wanted.get(one.file.name):
            (outcome.sent if place.put(one) else outcome.there).append(one.file.name)


def _create(place: Writer, entry: Entry, publishers: Sequence[Key]) -> bool:
    """Create the entry; return False if the same one is there.

    Raises:
        EntryTaken: Another one is.
    """
    record = entry.record
    if place.create(record, entry.data):
        return True
    data = place.entry(record.line, record.n)
    if data == entry.data:
        return False
    where = f"{place.where}, entry {record.n}"
    if data is None:
        raise EntryTaken("was taken by another writer, and is not to be read", where=where)
    try:
        other = open_entry(data, publishers, where)
    except KitError as error:
        raise EntryTaken(f"was taken by another writer; {error.message}", where=where) from None
    if other.id == entry.id:
        return False
    raise EntryTaken(
        f"is {other.id}, {other.record.version}, by another writer; this run has {entry.id}, "
        f"{record.version}",
        where=where,
    )
