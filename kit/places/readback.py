"""Reads back what was put at a place: the bytes that it gives, not what it says of them.

A server that keeps what it received in memory may give that, and not what its disk has.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kit.net.client import Client
from kit.net.download import Downloads
from kit.net.errors import ArtifactGone, FetchFailed
from kit.places.choose import Access
from kit.places.errors import PlaceDiffers, PlaceUnreachable
from kit.places.model import Progress, Reader, Writer
from kit.releases.record import Record
from kit.store.errors import ArtifactDiffers, ArtifactTooLarge
from kit.store.store import Store


def reading_back(access: Access) -> Callable[[Writer, Record], None]:
    """Return what reads releases back over the ways that this host has."""
    progress: Progress = access.progress or (lambda name, done, total: None)
    return partial(read_back, client=access.client, progress=progress)


def read_back(place: Reader, record: Record, client: Client, progress: Progress) -> None:
    """Fetch every file of a release into a temporary directory, one after the other.

    Raises:
        PlaceDiffers: A file there is not the one that the record names, or there is none.
        PlaceUnreachable: The place took a file, and does not give it.
        KitError: The place does not answer, or the disk here is full.
    """
    for file in record.files:
        if not file.size:
            continue
        where = f"{place.where}, {file.name}"
        with tempfile.TemporaryDirectory(prefix="offline-kit-read-back-") as directory:
            downloads = Downloads(
                client,
                Store(Path(directory)),
                lambda name, done, total: progress(f"reading {name} back", done, total),
            )
            try:
                downloads.fetch(place.wanted(record.line, record.n, file))
            except (ArtifactDiffers, ArtifactTooLarge, ArtifactGone) as error:
                raise PlaceDiffers(f"what was read back {error.message}", where=where) from None
            except FetchFailed as error:
                raise PlaceUnreachable(
                    f"cannot be read back: {error.message}", where=where
                ) from None
