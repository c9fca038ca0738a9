"""Reads back what was put at a place: what its disks give, not what it says of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kit.net.client import Client
from kit.net.download import Downloads
from kit.places.errors import PlaceDiffers
from kit.places.model import Progress, Reader
from kit.releases.record import Record
from kit.store.errors import ArtifactDiffers, ArtifactTooLarge
from kit.store.store import Store


def read_back(place: Reader, record: Record, client: Client, progress: Progress) -> None:
    """Fetch every file of a release into a temporary directory, one after the other.

    Raises:
        PlaceDiffers: A file there is not the one that the record names.
        KitError: The place does not give it, or the disk here is full.
    """
    for file in record.files:
        if not file.size:
            continue
        with tempfile.TemporaryDirectory(prefix="offline-kit-read-back-") as directory:
            downloads = Downloads(
                client,
                Store(Path(directory)),
                lambda name, done, total: progress(f"reading {name} back", done, total),
            )
            try:
                downloads.fetch(place.wanted(record.line, record.n, file))
            except (ArtifactDiffers, ArtifactTooLarge) as error:
                where = f"{place.where}, {file.name}"
                raise PlaceDiffers(f"what was read back {error.message}", where=where) from None
