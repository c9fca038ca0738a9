"""Reads a file once: what is said of it, and its parts on their way, at the same time.

A release lies under its digest, and the seal states it: so a file is begun under the name that it
has if the seal is right, while it is hashed and proved, and becomes one only if it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO

from kit.errors import SourceUnreadable, show
from kit.places.errors import PlaceDiffers
from kit.places.model import PART, Measured, Progress, Taker, base64_sha256, part_size
from kit.releases.record import File
from verifier.core.errors import KitError, Rejected, Usage

AT_ONCE = 6  # parts; each is held in memory


def measure(path: Path, progress: Progress | None = None) -> Measured:
    """Read a file once, and return all that is said of it.

    Raises:
        SourceUnreadable: It cannot be read, or grew meanwhile.
    """
    return _Reading(path, path.name, (), progress).run()


def promised(name: str, size: int, sha256: str) -> File:
    """Return a file of which somebody states the digest, and nobody knows that of its parts."""
    return File(name, size, sha256, part_size(size))


class Sending:
    """Sends a file to places, in threads of its own; a context, which ends them.

    What arrived is thrown away if the context ends with an error that says that the file must not
    be published, and kept for the next run if a place or this host was at fault.

    Args:
        file: What is promised of it.
        takers: Where it goes; none: it is only measured.
        differs: What is raised if it is not what was promised.
    """

    def __init__(
        self,
        path: Path,
        file: File,
        takers: Sequence[Taker],
        progress: Progress | None = None,
        differs: type[Rejected] = PlaceDiffers,
    ) -> None:
        self._differs = differs
        self._path, self._file, self._takers = path, file, takers
        self._reading = _Reading(path, file.name, takers, progress)
        self._thread = threading.Thread(target=self._read, name="sending", daemon=True)
        self._found: Measured | None = None
        self._failure: BaseException | None = None
        self._complete = False

    def __enter__(self) -> Sending:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        del kind, at
        self._reading.stop.set()
        self._thread.join()
        unwanted = self._reading.dropped.is_set() or isinstance(error, Rejected | Usage)
        if unwanted and not self._complete:
            for taker in self._takers:
                with contextlib.suppress(KitError):  # it stays unfinished, and the next run goes on
                    taker.abort()

    def _read(self) -> None:
        try:
            self._found = self._reading.run()
        except BaseException as error:
            self._failure = error

    def drop(self) -> None:
        """Send nothing more, and have what arrived thrown away; the file is still measured."""
        self._reading.dropped.set()

    def measured(self) -> Measured:
        """Return what the file is, as soon as all of it was read.

        Raises:
            KitError: It is not what was promised, cannot be read, or a place is at fault.
        """
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self._found is not None
        file = self._found.file
        if (file.size, file.sha256) != (self._file.size, self._file.sha256):
            raise self._differs(
                f"its SHA-256 is {file.sha256}, and {self._file.sha256!r} was promised",
                where=show(self._path),
            )
        return self._found

    def complete(self) -> None:
        """Make a file of the parts at every place, unless they were dropped.

        Raises:
            KitError: The file, or a place, is at fault.
        """
        measured = self.measured()
        if not self._reading.dropped.is_set():
            for taker in self._takers:
                taker.complete(measured)
            self._complete = True


class _Reading:
    """One reading of one file."""

    def __init__(
        self, path: Path, name: str, takers: Sequence[Taker], progress: Progress | None
    ) -> None:
        self._path, self._name, self._takers = path, name, takers
        self._progress: Progress = progress or (lambda name, done, total: None)
        self.stop, self.dropped = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self._digests: dict[int, bytes] = {}
        self._done = 0

    def run(self) -> Measured:
        """Read it.

        Raises:
            SourceUnreadable: It cannot be read, or grew meanwhile.
            KitError: A place is at fault.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb", buffering=0) as stream:
                size = os.fstat(descriptor).st_size
                whole, done = self._read(stream, size)
        except OSError as error:
            why = error.strerror or str(error)
            raise SourceUnreadable([(os.fsencode(self._path), why)]) from None
        if self._failures:
            raise self._failures[0]
        if done != size:
            raise SourceUnreadable([(os.fsencode(self._path), "changes while it is read")])
        digests = tuple(digest for _, digest in sorted(self._digests.items()))
        part = part_size(size)
        composite = f"{base64_sha256(b''.join(digests))}-{len(digests)}" if part else ""
        return Measured(self._path, File(self._name, size, whole, part, composite), digests)

    def _read(self, stream: IO[bytes], size: int) -> tuple[str, int]:
        """Return the SHA-256 of what is there, and how many bytes that are."""
        part = part_size(size)
        whole, done, number = hashlib.sha256(), 0, 0
        free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        # buffers are used again: new memory costs as much as a copy
        for _ in range(AT_ONCE + 1 if part else 1):
            free.put(bytearray(part or min(PART, size + 1)))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="part") as pool:
            while not self.stop.is_set():
                buffer = free.get()
                length = _fill(stream, buffer)
                if not length:
                    break
                whole.update(memoryview(buffer)[:length])  # hashing lets other threads run
                done, number = done + length, number + 1
                if part:
                    pool.submit(self._handle, number, buffer, length, size, free)
                else:
                    self._progress(self._name, done, size)
                    free.put(buffer)
        return whole.hexdigest(), done

    def _handle(
        self,
        number: int,
        buffer: bytearray,
        length: int,
        size: int,
        free: queue.SimpleQueue[bytearray],
    ) -> None:
        try:
            data = buffer if length == len(buffer) else bytes(memoryview(buffer)[:length])
            digest = hashlib.sha256(data).digest()
            for taker in self._takers:
                if self.stop.is_set():
                    return
                if not self.dropped.is_set():
                    taker.take(number, data, digest)
            with self._lock:
                self._digests[number] = digest
                self._done += length
                done = self._done
            self._progress(self._name, done, size)
        except BaseException as error:
            self._failures.append(error)
            self.stop.set()
        finally:
            free.put(buffer)


def _fill(stream: IO[bytes], buffer: bytearray) -> int:
    """Read until a buffer is full or the file ends; return how much of it is."""
    view, done = memoryview(buffer), 0
    while done < len(buffer):
        length: int = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not length:
            break
        done += length
    return done
