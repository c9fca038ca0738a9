"""What a place for releases can do, and how things are called there (RELEASES 6)."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from kit.errors import SourceUnreadable
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


def measure(path: Path, progress: Progress | None = None) -> Measured:
    """Read a file once, and return all that is said of it.

    Raises:
        SourceUnreadable: It cannot be read, or grew meanwhile.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            part = part_size(size)
            whole, digests, done = hashlib.sha256(), [], 0
            with ThreadPoolExecutor(1) as beside:  # hashing lets other threads run
                while data := stream.read(part if part else PART):
                    one = beside.submit(hashlib.sha256, data) if part else None
                    whole.update(data)
                    if one is not None:
                        digests.append(one.result().digest())
                    done += len(data)
                    if progress is not None:
                        progress(path.name, done, size)
    except OSError as error:
        raise SourceUnreadable([(os.fsencode(path), error.strerror or str(error))]) from None
    if done != size:
        raise SourceUnreadable([(os.fsencode(path), "changes while it is read")])
    composite = f"{base64_sha256(b''.join(digests))}-{len(digests)}" if part else ""
    return Measured(path, File(path.name, size, whole.hexdigest(), part, composite), tuple(digests))


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

    def put(self, measured: Measured) -> bool:
        """Put a file under its digest; return False if it was there.

        Raises:
            KitError: It could not be put; what arrived is kept for the next run.
        """

    def create(self, record: Record, data: bytes) -> bool:
        """Create an entry; return False if there is one with its number.

        Raises:
            KitError: It is not known whether it was created.
        """
