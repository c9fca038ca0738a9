"""The head of a kit, proved without its contents, from the kit itself or from a review pack.

A pack is shown to the verifier as the head of a plain kit (`verifier.pack`), and the one reader
there is judges both.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.errors import show
from verifier.core.container import Container, Source
from verifier.core.envelope import Envelope, Signing, evaluate, parse_page
from verifier.core.errors import KitChanged
from verifier.core.frames import head_frames
from verifier.core.lists import FrameTable, Index
from verifier.core.model import KitId, Manifest
from verifier.core.names import HEAD
from verifier.core.pipeline import Job, Opened, kit_id_of, prove
from verifier.core.trust import Root, parse_chain
from verifier.pack import DIFF, PACK_FILES, PackSource
from verifier.source import FileSource

__all__ = ["DIFF", "PACK_FILES", "Head", "PackSource", "index_lines", "load_head"]


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
