"""The head of a kit, proved without its contents, from the kit itself or from a review pack.

The four files of a pack are the four head members, and the head of a kit is a function of them
(FORMAT 1.3).  So a pack is shown to the verifier as the head of a plain kit, and the one reader
there is judges both.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from kit.errors import show
from kit.review.errors import ReviewPackIncomplete
from verifier.core.container import Container, Source
from verifier.core.envelope import Envelope, Signing, evaluate, parse_page
from verifier.core.errors import DigestMismatch, KitChanged, NotAKit
from verifier.core.frames import head_frames
from verifier.core.header import Headers, padding
from verifier.core.limits import PAGE_SIZES
from verifier.core.lists import FrameTable, Index
from verifier.core.manifest import parse_manifest
from verifier.core.model import KitId, Manifest
from verifier.core.names import HEAD
from verifier.core.pipeline import Job, Opened, kit_id_of, prove
from verifier.core.trust import Root, parse_chain
from verifier.source import FileSource

DIFF = "diff.txt"
PACK_FILES = (*HEAD, DIFF)


@dataclass(frozen=True)
class Head:
    """What is known of a kit without its contents.

    Attributes:
        path: The kit, or the review pack.
        page: ``kit.dsse.json``, as it was read once; what is signed comes from here.
        roots: ``kit.roots.json``.
        chain: The roots in it; the last one names who signs this kit.
        content_id: As the index gives it.
    """

    path: Path
    page: bytes
    roots: bytes
    envelope: Envelope
    kit_id: KitId
    content_id: str
    manifest: Manifest
    chain: tuple[Root, ...]

    @property
    def root(self) -> Root:
        """The root the kit was built with."""
        return self.chain[-1]

    @property
    def signing(self) -> Signing:
        """Who has signed, under the kit's own root."""
        return evaluate(self.envelope, self.root.targets)


class PackSource:
    """A review pack as the source of a plain kit that ends behind its head.

    Args:
        path: The directory.

    Raises:
        ReviewPackIncomplete: One of the files is not there.
        KitError: The page is no page, or a file has not the size that the page gives.
    """

    sequential = False

    def __init__(self, path: Path) -> None:
        for name in PACK_FILES:
            if not os.path.lexists(path / name):
                raise ReviewPackIncomplete(f"{name} is not there", where=show(path))
        self._files: list[FileSource] = []
        try:
            for name in HEAD:
                self._files.append(FileSource(os.fspath(path / name)))
            page = _read_page(self._files[0])
            self.kit_id = kit_id_of(parse_page(page))
            manifest = parse_manifest(parse_page(page).payload)
            self._parts = self._lay_out(manifest)
        except BaseException:
            self.close()
            raise
        self._starts = list(accumulate([size for size, _ in self._parts], initial=0))
        self.size: int | None = self._starts[-1]

    def _lay_out(self, manifest: Manifest) -> list[tuple[int, bytes | FileSource]]:
        blobs = (manifest.roots, manifest.index, manifest.frames)
        for name, file, blob in zip(HEAD[1:], self._files[1:], blobs, strict=True):
            if file.size != blob.size:
                raise DigestMismatch(f"has {file.size} bytes, not {blob.size}", where=name)
        headers, parts = Headers(manifest.kit.mtime), list[tuple[int, bytes | FileSource]]()
        for name, file in zip(HEAD, self._files, strict=True):
            assert file.size is not None
            header, end = headers(name.encode(), file.size, False), padding(file.size)
            parts += [(len(header), header), (file.size, file), (len(end), end)]
        return parts

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views`` from ``offset`` on; see `verifier.core.container.Source`."""
        for view in views:
            done = 0
            while done < len(view):
                part = bisect_right(self._starts, offset) - 1
                if part >= len(self._parts):
                    raise NotAKit("nothing is behind the head", where="the review pack")
                size, source = self._parts[part]
                inside = offset - self._starts[part]
                piece = view[done : done + min(len(view) - done, size - inside)]
                if isinstance(source, bytes):
                    piece[:] = source[inside : inside + len(piece)]
                else:
                    source.read_into(inside, [piece])
                done, offset = done + len(piece), offset + len(piece)

    def ends_at(self, offset: int) -> bool:
        """Whether the head ends at ``offset``."""
        return offset == self._starts[-1]

    def check_unchanged(self) -> None:
        """Hold the files to what they were when they were opened."""
        for file in self._files:
            file.check_unchanged()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def left_behind(chain: Sequence[Root]) -> str:
    """Return in words which hosts cannot follow a root chain (FORMAT 5.6); empty if all can."""
    first = chain[0].version
    return f"; hosts at version {first - 2} or before cannot follow" if first > 2 else ""


def _read_page(file: FileSource) -> bytes:
    """Return the page; what a page cannot be is not read."""
    if file.size not in PAGE_SIZES:
        raise NotAKit("has no size that a page may have", where=HEAD[0])
    page = bytearray(file.size)
    file.read_into(0, [memoryview(page)])
    return bytes(page)


def _open(path: Path) -> PackSource | FileSource:
    return PackSource(path) if path.is_dir() else FileSource(os.fspath(path))


def load_head(path: Path) -> tuple[Head, Index, FrameTable]:
    """Prove all of a kit that can be proved without its contents.

    That is the form of the page, the root chain, every signature there is, both lists with their
    digests and rules, and that SHA256SUMS and the frames follow from them.  Nobody has vouched for
    any of it: who reads this is about to decide whether to.

    Args:
        path: A kit, of which only the head is read, or a review pack.

    Raises:
        KitError: Something is not as it must be.
    """
    source = _open(path)
    try:
        kit_id = source.kit_id if isinstance(source, PackSource) else _kit_id(source)
        opened = Opened()
        prove(source, Job(kit_id=kit_id, stop_after="index"), opened)
        source.check_unchanged()
    finally:
        source.close()
    assert opened.index is not None
    assert opened.table is not None
    assert opened.manifest is not None
    assert opened.envelope is not None
    assert opened.content_id is not None
    head = Head(
        path,
        opened.page[512:],
        opened.roots[512:],
        opened.envelope,
        kit_id,
        opened.content_id,
        opened.manifest,
        tuple(parse_chain(opened.roots[512:])),
    )
    return head, opened.index, opened.table


def _kit_id(source: Source) -> KitId:
    return kit_id_of(parse_page(Container(source).read_page()[512:]))


def index_lines(head: Head) -> Iterator[list[bytes]]:
    """Yield the lines of a head's index again, some thousands at once, in little memory.

    `load_head` has held the list to every rule; here only its digest is compared once more, since
    the file may have been changed since.

    Raises:
        KitChanged: It was.
    """
    blob = head.manifest.index
    state, rest, left = hashlib.sha256(), b"", blob.size
    source = _open(head.path)
    try:
        container = Container(source)
        container.read_page()
        container.read_roots()
        skip = 512  # the header, in the first frame only
        for content in head_frames(512, blob.size):
            piece = container.read_raw_frame(content, HEAD[2])[skip:][:left]
            state.update(piece)
            left, skip = left - len(piece), 0
            lines = (rest + bytes(piece)).split(b"\n")
            rest = lines.pop()
            yield lines
    finally:
        source.close()
    if state.hexdigest() != blob.digest["sha256"]:
        raise KitChanged("was written to while it was compared", where=show(head.path))
