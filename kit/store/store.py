"""A store of files under their SHA-256, shared by several processes at once.

Below the root stand::

    sha256/ab/abcd...    a whole file, read-only, under its digest
    partial/KEY          what is being received; held by `flock`, continued after a break
    holds/NAME           the digests that one running process needs; held by `flock`
    gc.lock              exclusive while files are removed

A file gets its name only when its digest is the name.  The store is a cache: a power cut may leave
a file short or zeroed, so who takes one compares its size, and a build compares its digest while
it makes the index, which costs nothing more.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.errors import show
from kit.store.errors import ArtifactAbsent, ArtifactDiffers, StoreUnusable
from kit.store.partial import NEW, STEP, Artifact, Partial, feed, guarding, open_locked, refused
from verifier.core.manifest import HEX256

_OLD = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Removed:
    """What `Store.collect_garbage` took away.

    Attributes:
        files: How many.
        size: Bytes that they had.
        held: Files that a running process needs, and that therefore stayed.
    """

    files: int
    size: int
    held: int


@dataclass(frozen=True)
class Damaged:
    """What `Store.verify` found.

    Attributes:
        checked: Files that were read.
        size: Bytes that were read.
        damaged: Digests whose file was another one; they are no longer there.
    """

    checked: int
    size: int
    damaged: tuple[str, ...]


def default_root(environment: Mapping[str, str]) -> Path:
    """Return where the store of this user is (XDG Base Directory Specification 0.8)."""
    cache = environment.get("XDG_CACHE_HOME", "")
    if not cache.startswith("/"):  # "all paths must be absolute"; others are ignored
        cache = os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".cache")
    return Path(cache, "offline-kit", "store")


class Store:
    """The store below one directory, which is made when it is first written to."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # --- reading

    def path(self, sha256: str) -> Path:
        """Return where the file with this digest is, or would be."""
        if not HEX256.fullmatch(sha256):
            raise ValueError(f"no SHA-256: {sha256!r}")
        return self.root / "sha256" / sha256[:2] / sha256

    def has(self, artifact: Artifact) -> bool:
        """Whether the file is there and has its size; its digest is compared by who uses it."""
        try:
            facts = os.lstat(self.path(artifact.sha256))
        except OSError:
            return False
        return stat.S_ISREG(facts.st_mode) and facts.st_size == artifact.size

    def size_of(self, sha256: str) -> int | None:
        """Return the size of a file that is there."""
        try:
            facts = os.lstat(self.path(sha256))
        except OSError:
            return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    def read(self, artifact: Artifact, limit: int) -> bytes:
        """Return a small file, compared with its digest.

        Raises:
            ArtifactAbsent: It is not there.
            ArtifactDiffers: It is there and is another.
        """
        if artifact.size > limit:
            raise ValueError(f"{artifact.size} bytes are more than {limit}")
        try:
            with open(os.open(self.path(artifact.sha256), _OLD), "rb") as file:
                data = file.read(artifact.size + 1)
        except FileNotFoundError:
            raise ArtifactAbsent(f"sha256:{artifact.sha256}", where=show(self.root)) from None
        except OSError as error:
            raise refused(error, self.root) from error
        if len(data) != artifact.size or hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise ArtifactDiffers(f"sha256:{artifact.sha256} is not that", where=show(self.root))
        return data

    # --- holding

    @contextlib.contextmanager
    def hold(self, artifacts: Iterable[Artifact]) -> Iterator[tuple[Artifact, ...]]:
        """Keep files from being removed while this process needs them; yield those that lack.

        Raises:
            StoreUnusable: The directory cannot be written.
        """
        wanted = tuple(artifacts)
        name = self._directory("holds") / f"{os.getpid()}-{secrets.token_hex(8)}"
        with self._removal(fcntl.LOCK_SH), guarding(name):
            file = open(os.open(name, NEW | os.O_EXCL, 0o600), "wb")  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("".join(f"{item.sha256}\n" for item in wanted).encode())
            file.flush()
            missing = tuple(item for item in wanted if not self.has(item))
            self._used(item for item in wanted if self.has(item))
        with file:
            try:
                yield missing
            finally:
                name.unlink(missing_ok=True)

    def _used(self, artifacts: Iterable[Artifact]) -> None:
        """Note that files were needed now, for `collect_garbage` by age."""
        for item in artifacts:
            with contextlib.suppress(OSError):  # a store that may only be read serves as well
                os.utime(self.path(item.sha256))

    # --- writing

    @contextlib.contextmanager
    def receive(self, key: str, *, fresh: bool = False) -> Iterator[Partial]:
        """Give a file to receive into, which no other process has meanwhile.

        What a broken transfer left under the same key is in it, unless ``fresh``.

        Args:
            key: 64 hexadecimal digits that say what is received: its SHA-256, or one of its source.

        Raises:
            StoreBusy: Another process has been receiving it for too long.
            StoreUnusable: The directory cannot be written.
        """
        if not HEX256.fullmatch(key):
            raise ValueError(f"no key: {key!r}")
        name = self._directory("partial") / key
        with guarding(name):
            file = open_locked(name)
        with file:
            if fresh:
                file.truncate(0)
            partial = Partial(self.path, name, file)
            try:
                yield partial
            finally:
                partial.settle()
                if partial.size == 0:  # nothing to continue
                    name.unlink(missing_ok=True)

    def add(self, data: bytes) -> Artifact:
        """Put a small file of our own making into the store."""
        artifact = Artifact(hashlib.sha256(data).hexdigest(), len(data))
        if not self.has(artifact):
            with self.receive(artifact.sha256, fresh=True) as partial:
                partial.write(data)
                partial.commit(artifact)
        return artifact

    def take(self, path: Path) -> Artifact:
        """Move a file of our own making into the store.

        Raises:
            StoreUnusable: It cannot be read, or the store cannot be written.
        """
        digest = hashlib.sha256()
        with guarding(path), open(path, "rb") as file:
            size = feed(digest, file)
            artifact = Artifact(digest.hexdigest(), size)
            if not self.has(artifact):
                file.seek(0)
                with self.receive(artifact.sha256, fresh=True) as partial:
                    while data := file.read(STEP):
                        partial.write(data)
                    partial.commit(artifact)
        return artifact

    # --- looking after it

    def verify(self) -> Damaged:
        """Read every file and remove those whose digest is another than their name.

        Raises:
            StoreUnusable: The directory cannot be read.
        """
        checked, size, damaged = 0, 0, []
        for path in self._files():
            digest = hashlib.sha256()
            with guarding(path), open(os.open(path, _OLD), "rb") as file:
                size += feed(digest, file)
            checked += 1
            if digest.hexdigest() != path.name:
                damaged.append(path.name)
                path.unlink(missing_ok=True)
        return Damaged(checked, size, tuple(damaged))

    def collect_garbage(
        self, *, older_than_seconds: float | None, keep_bytes: int | None
    ) -> Removed:
        """Remove what was not needed for long, or the longest unneeded above a size.

        Never what a running process holds.

        Args:
            older_than_seconds: Files that no run has needed for so long go; None: age is no reason.
            keep_bytes: So many bytes stay at the most; None: size is no reason.

        Raises:
            StoreUnusable: The directory cannot be read or written.
        """
        self._directory("holds")
        with self._removal(fcntl.LOCK_EX):
            held = self._held()
            found = sorted((path.stat().st_mtime, path) for path in self._files())
            sizes = {path: path.stat().st_size for _, path in found}
            total, files, size, kept = sum(sizes.values()), 0, 0, 0
            oldest = time.time() - older_than_seconds if older_than_seconds is not None else None
            for used, path in found:
                old = oldest is not None and used < oldest
                large = keep_bytes is not None and total > keep_bytes
                if not (old or large):
                    continue
                if path.name in held:
                    kept += 1
                    continue
                path.unlink()
                files, size, total = files + 1, size + sizes[path], total - sizes[path]
            self._drop_partials(oldest)
        return Removed(files, size, kept)

    def _drop_partials(self, oldest: float | None) -> None:
        """Remove broken transfers that are old, or all of them, if nobody holds them."""
        for path in _entries(self.root / "partial"):
            if oldest is None or path.stat().st_mtime < oldest:
                with contextlib.suppress(OSError), _if_free(path):
                    path.unlink()

    def _held(self) -> set[str]:
        """Return the digests that running processes need; notes of dead ones are removed."""
        held: set[str] = set()
        for path in _entries(self.root / "holds"):
            try:
                with _if_free(path):
                    path.unlink()
            except BlockingIOError:
                held.update(path.read_text("ascii").split())
        return held

    def _files(self) -> Iterator[Path]:
        for directory in _entries(self.root / "sha256"):
            for path in _entries(directory):
                if HEX256.fullmatch(path.name) and not path.is_symlink():
                    yield path

    def _directory(self, name: str) -> Path:
        """Make a directory of the store.

        Raises:
            StoreUnusable: It cannot be made, or is one that others may write to.
        """
        path = self.root / name
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            facts = self.root.stat()
        except OSError as error:
            raise refused(error, self.root) from error
        if facts.st_mode & 0o022 or facts.st_uid not in {os.geteuid(), 0}:
            raise StoreUnusable("others may write in it", where=show(self.root))
        return path

    @contextlib.contextmanager
    def _removal(self, kind: int) -> Iterator[None]:
        """Hold the lock between those who need files and the one who removes them."""
        with guarding(self.root):
            file = open(os.open(self.root / "gc.lock", NEW, 0o600), "rb")  # noqa: SIM115
        with file:
            fcntl.flock(file, kind)
            yield


@contextlib.contextmanager
def _if_free(path: Path) -> Iterator[None]:
    """Go on only if no process holds the file; otherwise BlockingIOError."""
    with open(os.open(path, _OLD), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []


__all__ = ["Artifact", "Damaged", "Partial", "Removed", "Store", "default_root"]
