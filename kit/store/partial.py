"""A file of the store that is being received: held by one process, continued after a break."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kit.errors import show
from kit.store.errors import ArtifactDiffers, StoreBusy, StoreFull, StoreUnusable
from verifier.core.errors import KitError

STEP = 1 << 20  # bytes hashed at a time
_AHEAD = 16  # pieces that are written and not hashed yet
NEW = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_PATIENCE_SECONDS = 600.0  # for a file that another process is receiving


@dataclass(frozen=True)
class Artifact:
    """A file by what it is.

    Attributes:
        sha256: 64 hexadecimal digits.
        size: Bytes.
    """

    sha256: str
    size: int


class Partial:
    """A file that is being received, open and held; its digest is made as the bytes pass.

    Attributes:
        size: Bytes that it has.
    """

    def __init__(self, place: Callable[[str], Path], path: Path, file: IO[bytes]) -> None:
        self._place, self._path, self._file = place, path, file
        self._digest = hashlib.sha256()
        self._hasher: ThreadPoolExecutor | None = None
        self._hashing: deque[Future[None]] = deque()
        self.size = feed(self._digest, file)  # what a broken transfer left

    def write(self, data: bytes, *, behind: bool = False) -> None:
        """Append bytes.

        Args:
            behind: Whether another thread hashes them while the caller goes on: where a core is
                free, a file comes in nearly twice as fast.

        Raises:
            StoreFull: The disk is full; what is there stays for the next run.
        """
        left = memoryview(data)
        with guarding(self._path):
            while left:  # the file has no buffer: copying takes as long as writing
                left = left[self._file.write(left) :]
        self.size += len(data)
        if not behind:
            self.settle()
            self._digest.update(data)
            return
        if self._hasher is None:
            self._hasher = ThreadPoolExecutor(1, thread_name_prefix="hash")
        if len(self._hashing) >= _AHEAD:
            self._hashing.popleft().result()
        self._hashing.append(self._hasher.submit(self._digest.update, data))

    def settle(self) -> None:
        """Wait until all that was written is hashed; ends the thread for it."""
        if self._hasher is not None:
            self._hasher.shutdown()
            self._hasher = None
            while self._hashing:
                self._hashing.popleft().result()

    def restart(self) -> None:
        """Drop what is there: it does not belong to what comes."""
        self.settle()
        self._file.seek(0)
        self._file.truncate(0)
        self._digest, self.size = hashlib.sha256(), 0

    def artifact(self) -> Artifact:
        """Return what is there so far, by what it is."""
        self.settle()
        return Artifact(self._digest.hexdigest(), self.size)

    def other_digest(self, kind: str) -> str:
        """Return another digest of all that is there so far: SHA-512 for npm, say."""
        digest = hashlib.new(kind)
        self._file.seek(0)
        feed(digest, self._file)
        return digest.hexdigest()

    def commit(self, artifact: Artifact) -> Path:
        """Give the file its name, if it is what it should be; else drop what is there.

        Raises:
            ArtifactDiffers: It has another digest or size.
        """
        found = self.artifact()
        if found != artifact:
            self.restart()
            sizes = f"; {found.size} bytes, not {artifact.size}"
            raise ArtifactDiffers(
                f"has SHA-256 {found.sha256}, not {artifact.sha256}"
                f"{sizes if found.size != artifact.size else ''}"
            )
        path = self._place(artifact.sha256)
        with guarding(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.fchmod(self._file.fileno(), 0o444)
            os.replace(self._path, path)
        return path


def open_locked(name: Path) -> IO[bytes]:
    """Open a file that this process alone receives into, waiting for others."""
    patience = time.monotonic() + _PATIENCE_SECONDS
    while True:
        file = open(os.open(name, NEW, 0o600), "r+b", buffering=0)  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            if time.monotonic() > patience:
                raise StoreBusy("is being received by another run", where=show(name)) from None
            time.sleep(0.05)
            continue
        facts = os.fstat(file.fileno())
        if facts.st_nlink == 1 and stat.S_ISREG(facts.st_mode) and _is_at(facts, name):
            return file
        file.close()  # another run has just given it its name, or removed it
        if facts.st_nlink > 1 or not stat.S_ISREG(facts.st_mode):
            raise StoreUnusable("is no file of ours", where=show(name))


def _is_at(facts: os.stat_result, name: Path) -> bool:
    try:
        there = os.lstat(name)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (facts.st_dev, facts.st_ino)


@contextlib.contextmanager
def guarding(path: Path) -> Iterator[None]:
    """Turn what the host says about a file into an error of ours."""
    try:
        yield
    except OSError as error:
        raise refused(error, path) from error


def feed(digest: hashlib._Hash, file: IO[bytes]) -> int:
    """Take the rest of a file into a digest; return its bytes."""
    size = 0
    while data := file.read(STEP):
        digest.update(data)
        size += len(data)
    return size


def refused(error: OSError, path: Path) -> KitError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StoreFull(error.strerror or str(error), where=show(path))
    return StoreUnusable(error.strerror or str(error), where=show(path))
