"""What a place for releases can do, and how things are called there (RELEASES 6)."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from kit.net.download import Wanted
from kit.releases.record import File, Record
from verifier.core.limits import MIB

PART = 8 * MIB  # eight at once are 64 MiB; S3 takes no part below 5 MiB
MOST_PARTS = 10_000  # S3
TITLE = "org.opencontainers.image.title"
ARTIFACT = "application/vnd.offline-kit.release.v1"
CONFIG = "application/vnd.offline-kit.release.v1+json"
LAYER = "application/vnd.offline-kit.file.v1"

Progress = Callable[[str, int, int], None]
"""Told (name, bytes there, bytes in all), from any thread."""


def object_key(file: File) -> str:
    """Return where a file lies below the prefix of a place."""
    return f"objects/sha256/{file.sha256}/{file.name}"


def entry_key(line: str, n: int) -> str:
    """Return where an entry lies; a line is one name, and cannot climb."""
    return f"lines/{line.replace('/', '~')}/{n}.json"


def entry_tag(line: str, n: int) -> str:
    """Return the tag of an entry in a registry; a line has no capital letters (FORMAT 9.2)."""
    return f"{line.replace('/', 'Z')}-{n}"


def part_size(size: int) -> int:
    """Return the size of the parts that a file is put in; 0 for one piece.

    It depends on the size alone, so everybody who publishes a file gets the same parts.
    """
    if size <= 2 * PART:
        return 0
    part = PART
    while -(-size // part) > MOST_PARTS:
        part *= 2
    return part


@dataclass(frozen=True)
class Measured:
    """A file of a release as it lies here.

    Attributes:
        path: Where it is; not looked at where ``data`` is there.
        digests: SHA-256 of each part, where it is put in parts.
        data: Its bytes, of a small file that is on no disk.
    """

    path: Path
    file: File
    digests: tuple[bytes, ...] = ()
    data: bytes | None = None

    def open(self) -> IO[bytes]:
        """Open it for reading.

        Raises:
            OSError: It cannot be.
        """
        if self.data is not None:
            return io.BytesIO(self.data)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return open(os.open(self.path, flags), "rb")


def base64_sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes in base64, as S3 writes it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


class Reader(Protocol):
    """A place that releases are read from."""

    @property
    def where(self) -> str:
        """What people call it; without secrets."""

    def entry(self, line: str, n: int) -> bytes | None:
        """Return an entry as it lies there; None if there is none.

        Raises:
            KitError: The place does not say.
        """

    def wanted(self, line: str, n: int, file: File) -> Wanted:
        """Return how a file of an entry is fetched."""


class Taker(Protocol):
    """Takes the parts of one file at one place; nobody sees it there before `complete`."""

    def take(self, number: int, data: bytes | bytearray, digest: bytes) -> None:
        """Take a part, from any thread and in any order; ``data`` is lent until it returns.

        Raises:
            KitError: It did not arrive.
        """

    def complete(self, measured: Measured) -> None:
        """Make the file of its parts, and see that the place has what was measured.

        Raises:
            KitError: It has not.
        """

    def abort(self) -> None:
        """Have what arrived thrown away.

        Raises:
            KitError: The place does not say that it was.
        """


class Writer(Reader, Protocol):
    """A place that releases are published to."""

    @property
    def alone(self) -> bool:
        """Whether the place cannot create exclusively, so that its operator keeps one writer."""

    def probe(self) -> None:
        """See whether entries can be created there, before anything is sent.

        Raises:
            NoConditionalWrite: The place would let two writers win.
            KitError: It cannot be written.
        """

    def rights(self) -> tuple[str, ...]:
        """Try all that publishing needs, leave nothing, and return what this host may do there.

        Raises:
            KitError: It may not do something, which is named.
        """

    def put(self, measured: Measured) -> bool:
        """Put a file under its digest; return False if it was there.

        Raises:
            KitError: It could not be put; what arrived is kept for the next run.
        """

    def begin(self, file: File) -> Taker | None:
        """Begin to take a file in parts under the digest that is promised for it.

        Returns:
            None where the place does not, or has something there: then it is put when it is known.

        Raises:
            KitError: It cannot be written.
        """

    def create(self, record: Record, data: bytes) -> bool:
        """Create an entry; return False if there is one with its number.

        Raises:
            KitError: It is not known whether it was created.
        """
