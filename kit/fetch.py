"""Fetches a release, or keeps a mirror: nothing gets its name before it is what was published.

An entry is held to the publisher's key, its history to what was seen before, each file to its
digest, and the kit to a pinned root.  Only then does the directory of the release appear, whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.output import refused, sync_directory
from kit.container.pyz import verifier_tool
from kit.errors import OutputExists, show
from kit.net.client import Client
from kit.net.download import Downloads
from kit.note import medium
from kit.note.note import VERIFIER
from kit.places.errors import PlaceDiffers
from kit.places.model import Measured, Progress, Reader, Writer
from kit.places.sending import measure
from kit.publish import read_history
from kit.releases.entry import Entry
from kit.releases.errors import EntryDiffers
from kit.releases.history import Head, check_history, find_release
from kit.releases.layout import release_name
from kit.releases.record import Record
from kit.store.store import Store
from verifier.core.pipeline import Job, Opened
from verifier.core.signature import Key
from verifier.core.trust import Root, parse_chain
from verifier.run import default_workers, prove_file

STAGING = ".offline-kit-fetch"
_UNFINISHED = ".offline-kit-partial"


@dataclass(frozen=True)
class Fetched:
    """A release that was fetched and proved.

    Attributes:
        directory: Where it is; the same as before if it was there.
        head: The last entry of the line.
        new: Whether this run fetched it.
    """

    directory: Path
    entry: Entry
    head: Entry
    new: bool


def fetch(
    place: Reader,
    line: str,
    version: str,
    out: Path,
    *,
    publishers: Sequence[Key],
    root: Root,
    client: Client,
    pin: Head | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Fetched:
    """Fetch one release of a line into ``OUT/NAME-VERSION``; what is there already is proved again.

    A run that is broken off goes on where it stopped.

    Args:
        version: Which one; empty for the last.
        root: The pinned root that the kit is held to.
        pin: The last entry that was seen; the history must go through it.

    Raises:
        KitError: The history, a file or the kit is not as it must be; nothing got its name.
    """
    history = check_history(read_history(place, line, publishers), line, pin)
    entry = find_release(history, line, version)
    record = entry.record
    directory = out / release_name(record.name, record.version)
    if os.path.lexists(directory):
        _check_there(directory, record)
        check_kit(directory / record.kit_file, directory, record, root, workers, progress)
        return Fetched(directory, entry, history[-1], False)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(error, out) from None
    store = Store(out / STAGING)
    _download(place, record, store, client, progress)
    with _unfinished(directory) as partial:
        for file in record.files:
            _link(store.path(file.sha256), partial / file.name)
        check_kit(partial / record.kit_file, partial, record, root, workers, progress)
        _appear(partial, directory)
    _clear(store, record)
    return Fetched(directory, entry, history[-1], True)


def mirror(
    place: Reader,
    target: Writer,
    line: str,
    staging: Path,
    *,
    publishers: Sequence[Key],
    client: Client,
    root: Root | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> tuple[list[Entry], list[Entry]]:
    """Bring a line at one place up to what another has; return its entries, and those that are new.

    What the target has is its pin: a source that has less, or something else, is refused.

    Args:
        staging: A directory for files on their way.
        root: Hold each kit that is new to this root too.

    Raises:
        KitError: A history or a file is not as it must be, or a place refuses.
    """
    there = read_history(target, line, publishers)
    pin = Head(line, there[-1].record.n, there[-1].id) if there else None
    history = check_history(read_history(place, line, publishers), line, pin)
    new = history[len(there) :]
    if new:
        target.probe()
    for entry in new:
        store = Store(staging / STAGING)
        _download(place, entry.record, store, client, progress)
        if root is not None:
            path = store.path(entry.record.kit.sha256)
            check_kit(path, None, entry.record, root, workers, progress)
        for file in entry.record.files:
            target.put(Measured(store.path(file.sha256), file))
        if not target.create(entry.record, entry.data):
            data = target.entry(line, entry.record.n)
            if data != entry.data:
                raise PlaceDiffers("somebody else writes there", where=target.where)
        _clear(store, entry.record)
    return history, new


def check_kit(
    kit: Path,
    directory: Path | None,
    record: Record,
    root: Root,
    workers: int,
    progress: Progress | None,
) -> None:
    """Prove a kit under a pinned root, and hold it and what people start beside it to its entry.

    Args:
        directory: Where the other files lie; None: they are not looked at.

    Raises:
        EntryDiffers: The entry says other things of the kit than the kit.
        PlaceDiffers: The verifier or the root beside the kit is not the kit's own.
        KitError: The kit does not verify.
    """
    opened = Opened()
    shown = progress or (lambda name, done, total: None)
    job = Job(
        root=root,
        workers=workers or default_workers(),
        progress=lambda done, total: shown(f"verifying {record.kit_file}", done, total),
    )
    prove_file(os.fspath(kit), job, opened)
    assert opened.manifest is not None
    assert opened.index is not None
    info = opened.manifest.kit
    for what, said, found in (
        ("kitId", record.kit_id, opened.kit_id),
        ("contentId", record.content_id, opened.content_id),
        ("name", record.name, info.name),
        ("version", record.version, info.version),
        ("line", record.line, info.line),
        ("sequence", record.sequence, info.sequence),
        ("created", record.created, info.created),
    ):
        if said != found:
            raise EntryDiffers(
                f"says {what} {said}, and the kit {found}", where=f"entry {record.n}"
            )
    if directory is None:
        return
    pyz = opened.index.digest(verifier_tool(opened.index)).hex()
    own = {file.name: file.sha256 for file in record.files}
    if own.get(VERIFIER, pyz) != pyz:
        raise PlaceDiffers("is not the verifier that the kit carries", where=VERIFIER)
    beside = directory / medium.ROOT
    if beside.exists() and beside.read_bytes() != parse_chain(opened.roots[512:])[-1].line:
        raise PlaceDiffers("is not the root that the kit carries", where=medium.ROOT)


def _download(
    place: Reader, record: Record, store: Store, client: Client, progress: Progress | None
) -> None:
    wanted = [place.wanted(record.line, record.n, file) for file in record.files if file.size]
    Downloads(client, store, progress).fetch_all(wanted)
    if any(not file.size for file in record.files):
        store.add(b"")


def _check_there(directory: Path, record: Record) -> None:
    """Hold a directory of a release to its entry, file by file.

    Raises:
        OutputExists: It is another one.
    """
    names = sorted(os.listdir(directory)) if directory.is_dir() else []
    wanted = [file.name for file in record.files]
    missing = sorted({*wanted} - {*names})
    if missing:
        raise OutputExists(f"is there already, without {show(missing[0])}", where=show(directory))
    for file in record.files:
        if measure(directory / file.name).file.sha256 != file.sha256:
            raise OutputExists(
                "is there already, with other bytes", where=show(directory / file.name)
            )


@contextlib.contextmanager
def _unfinished(directory: Path) -> Iterator[Path]:
    partial = directory.with_name(f".{directory.name}{_UNFINISHED}")
    try:
        if partial.is_dir() and not partial.is_symlink():
            shutil.rmtree(partial)  # of a run that was killed; the store has what it fetched
        partial.mkdir(mode=0o755)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise refused(error, partial) from None


def _link(stored: Path, path: Path) -> None:
    """Give a file of the store a second name, or copy it where there are none."""
    try:
        os.link(stored, path)
    except OSError:
        shutil.copyfile(stored, path)
    os.chmod(path, 0o644)


def _appear(partial: Path, directory: Path) -> None:
    sync_directory(partial)
    if os.path.lexists(directory):
        raise OutputExists("has appeared meanwhile", where=show(directory))
    os.rename(partial, directory)
    sync_directory(directory.parent)


def _clear(store: Store, record: Record) -> None:
    """Remove what was fetched from the staging directory, and it, if nothing else is in it."""
    with contextlib.suppress(OSError):
        for file in record.files:
            store.path(file.sha256).unlink(missing_ok=True)
        if not any(files for _, _, files in sorted(os.walk(store.root / "sha256"))):
            shutil.rmtree(store.root)
