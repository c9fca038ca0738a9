"""Files out of URLs into the store: continued after a break, several at once, never trusted.

What a client says of a body counts for nothing; digest and size are compared by us before a file
gets its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from urllib3.exceptions import HTTPError

from kit.net.client import Authorize, Client, Response
from kit.net.errors import ArtifactGone, FetchFailed, UrlRefused
from kit.store.errors import ArtifactDiffers, ArtifactTooLarge
from kit.store.store import Artifact, Partial, Store
from verifier import _compat
from verifier.core import limits
from verifier.core.errors import KitError

AT_ONCE = 6
_STEP = 1 << 18  # bytes; hashing lets other threads run from 2 KiB on
_IDLE = 5  # answers in a row that may bring nothing
_CORES = _compat.cores()
_RESUMED = frozenset({200, 206, 416})

Progress = Callable[[str, int, int], None]
"""Told (name, bytes there, bytes in all or 0), from any thread."""


@dataclass(frozen=True)
class Wanted:
    """A file to have.

    Attributes:
        name: What people call it.
        urls: Where it may be, in the order of asking.
        sha256: What it is; empty if only another digest is known yet.
        size: Bytes; None if only its digest is known yet.
        limit: Bytes that it may have at the most.
        authorize: Who gives credentials; None: netrc.
        renew: Told the challenge of a server that wants other credentials; None: that is an error.
        other: Algorithm and hexadecimal digits of another digest that it must have: npm's.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int | None = None
    limit: int = limits.MAX_MEMBER
    authorize: Authorize | None = None
    renew: Callable[[str], None] | None = None
    other: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """What the store keeps a broken transfer under."""
        if self.sha256:
            return self.sha256
        assert self.other is not None
        return hashlib.sha256(" ".join(self.other).encode()).hexdigest()


class Downloads:
    """Fetches files into a store, each once."""

    def __init__(self, client: Client, store: Store, progress: Progress | None = None) -> None:
        self._client, self._store = client, store
        self._progress = progress or (lambda name, done, total: None)
        self._stop = threading.Event()
        self._running = 0  # transfers; read without a lock: it decides about speed alone
        self._change = threading.Lock()

    def fetch_all(self, wanted: Sequence[Wanted]) -> list[Artifact]:
        """Fetch several files, a few at once; return what they are, in the order asked for.

        The first failure ends the others; what they received is kept and will be continued.

        Raises:
            KitError: The failure that came first.
        """
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
            # the largest first: a large one that begins last is waited for alone
            largest = sorted(range(len(wanted)), key=lambda at: -(wanted[at].size or 0))
            begun = {at: pool.submit(self.fetch, wanted[at]) for at in largest}
            jobs = [begun[at] for at in range(len(wanted))]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                if not all(job.done() and not job.exception() for job in jobs):
                    self._stop.set()
                    pool.shutdown(wait=True, cancel_futures=True)
        for job in jobs:
            if job.done() and not job.cancelled() and not isinstance(job.exception(), _Stopped):
                job.result()
        return [job.result() for job in jobs]

    def fetch(self, wanted: Wanted) -> Artifact:
        """Fetch one file, from the first of its places that has it.

        Raises:
            ArtifactDiffers: What is there is another file.
            ArtifactTooLarge: It is larger than it may be.
            KitError: No place has it; see `kit.net.client`.
        """
        with self._store.receive(wanted.key) as partial:
            size = self._store.size_of(wanted.sha256) if wanted.sha256 else None
            if size is not None and wanted.size in {None, size}:
                self._progress(wanted.name, size, size)
                return Artifact(wanted.sha256, size)
            failures: list[KitError] = []
            for url in wanted.urls:
                try:
                    with self._counted():
                        return self._fetch_from(url, wanted, partial)
                except _Stopped:
                    raise
                except KitError as error:
                    failures.append(error)
        raise _named(_worst(failures), wanted)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._change:
            self._running += 1
        try:
            yield
        finally:
            with self._change:
                self._running -= 1

    def _core_is_free(self) -> bool:
        """Whether there are fewer transfers than cores, so that hashing may go on beside them."""
        return self._running < _CORES

    def _fetch_from(self, url: str, wanted: Wanted, partial: Partial) -> Artifact:
        continued = partial.size > 0
        try:
            return self._once(url, wanted, partial)
        except ArtifactDiffers:
            if not continued:
                raise
        partial.restart()  # what an earlier run left may have been of another file
        return self._once(url, wanted, partial)

    def _once(self, url: str, wanted: Wanted, partial: Partial) -> Artifact:
        if url.startswith("file:"):
            self._copy(url, wanted, partial)
        else:
            self._receive(url, wanted, partial)
        there = partial.artifact()
        if wanted.other is not None and partial.other_digest(wanted.other[0]) != wanted.other[1]:
            partial.restart()
            kind = wanted.other[0].upper().replace("SHA", "SHA-")
            raise ArtifactDiffers(f"has another {kind} than its lock names", where=wanted.name)
        size = there.size if wanted.size is None else wanted.size
        artifact = Artifact(wanted.sha256 or there.sha256, size)
        try:
            partial.commit(artifact)
        except ArtifactDiffers as error:
            raise ArtifactDiffers(error.message, where=wanted.name) from None
        self._progress(wanted.name, artifact.size, artifact.size)
        return artifact

    def _receive(self, url: str, wanted: Wanted, partial: Partial) -> None:
        """Ask until all is there; a connection that breaks is asked on from where it broke."""
        idle, renewed = 0, wanted.renew is None
        while idle < _IDLE:
            before = partial.size
            accept = _RESUMED if renewed else _RESUMED | {401}
            headers = {"Range": f"bytes={before}-"} if before else {}
            try:
                with self._client.get(
                    url, headers, accept=accept, authorize=wanted.authorize
                ) as response:
                    if response.status == 401 and wanted.renew is not None:
                        wanted.renew(response.headers.get("WWW-Authenticate", ""))
                        renewed = True
                        continue
                    renewed = wanted.renew is None
                    if _is_all(response, partial):
                        return
                    if _follows(response, partial):
                        self._body(response, wanted, partial)
                        return
                    partial.restart()
            except (HTTPError, OSError) as error:
                why = type(error).__name__
            else:
                why = "the server sends another range than was asked for"
            idle = 0 if partial.size > before else idle + 1
            self._client.ways.sleep(0.2 * idle)
        raise FetchFailed(f"the transfer breaks again and again ({why})", where=wanted.name)

    def _body(self, response: Response, wanted: Wanted, partial: Partial) -> None:
        most = wanted.limit if wanted.size is None else wanted.size
        declared = response.length_remaining
        total = wanted.size or partial.size + (declared or 0)
        if declared is not None and partial.size + declared > most:
            raise _too_large(partial.size + declared, most, wanted)
        # what has come: a break loses none of it; and as it came: its digest is of that
        while data := response.read1(_STEP, decode_content=False):
            if self._stop.is_set():
                raise _Stopped
            if partial.size + len(data) > most:
                raise _too_large(partial.size + len(data), most, wanted)
            partial.write(data, behind=self._core_is_free())
            self._progress(wanted.name, partial.size, total)

    def _copy(self, url: str, wanted: Wanted, partial: Partial) -> None:
        """Take a file of this host (RFC 8089)."""
        parts = urlsplit(url)
        if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment:
            raise UrlRefused("is not file:///ABSOLUTE/PATH", where=repr(url))
        path = Path(unquote(parts.path))
        partial.restart()
        most = wanted.limit if wanted.size is None else wanted.size
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                while data := file.read(_STEP):
                    if partial.size + len(data) > most:
                        raise _too_large(partial.size + len(data), most, wanted)
                    partial.write(data)
        except FileNotFoundError:
            raise ArtifactGone("there is no such file on this host", where=repr(url)) from None
        except OSError as error:
            raise FetchFailed(error.strerror or str(error), where=repr(url)) from None


class _Stopped(Exception):
    """Another transfer failed, and this one was ended for it."""


def _is_all(response: Response, partial: Partial) -> bool:
    """Whether nothing is behind what is there (RFC 9110 15.5.17)."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return response.status == 416 and partial.size > 0 and total == str(partial.size)


def _follows(response: Response, partial: Partial) -> bool:
    """Whether the body follows what is there; where the server begins anew, so do we."""
    if response.status == 200:
        if partial.size:
            partial.restart()
        return True
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return response.status == 206 and first == str(partial.size)


def _too_large(size: int, most: int, wanted: Wanted) -> ArtifactTooLarge:
    if wanted.size is None:
        return ArtifactTooLarge(
            f"has at least {size} bytes, and more than {most} are not carried",
            where=wanted.name,
            fix="Check the source; what is larger than a member may be is carried in parts.",
        )
    return ArtifactTooLarge(f"has at least {size} bytes, not {most}", where=wanted.name)


def _named(error: KitError, wanted: Wanted) -> KitError:
    """Return the error that also says which file is gone; its URL may say nothing to anybody."""
    if not isinstance(error, ArtifactGone):
        return error
    digest = f" (sha256:{wanted.sha256})" if wanted.sha256 else ""
    return ArtifactGone(f"{error.message}; it was to be {wanted.name!r}{digest}", where=error.where)


def _worst(failures: Sequence[KitError]) -> KitError:
    """Return the failure that says most: a wrong file before a missing one."""
    kinds = (ArtifactDiffers, ArtifactTooLarge)
    return next((error for error in failures if isinstance(error, kinds)), failures[-1])
