"""The head of a kit as a writer has to make it: sizes first, bytes when digests are known.

Everything in the head has a size that is known before any byte is read (FORMAT 2.1, 6.6).
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping

from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size, seek_table
from verifier.core.envelope import Envelope, encode_page, page_size_for
from verifier.core.frames import Plan, head_frames
from verifier.core.header import Headers, padding
from verifier.core.headlists import EVIDENCE_INDEX
from verifier.core.lists import FRAME_LINE, FRAMES_HEAD, SIG, SUMS, FrameTable, Index
from verifier.core.manifest import encode_manifest
from verifier.core.model import Blob, Built, KitId, KitInfo, Manifest, Subject
from verifier.core.names import HEAD
from verifier.typed import record, replace

_ZEROS = "0" * 64


class TooLarge(ValueError):
    """A limit of FORMAT is passed."""


@record(frozen=True)
class Sealable:
    """A kit that was written, and what its signers sign.

    Attributes:
        payload: The DSSE payload.
    """

    manifest: Manifest
    payload: bytes
    kit_id: KitId
    content_id: str


class Head:
    """The room of the four head members.

    Attributes:
        sizes: Bytes of each.
        end: Where what follows begins in the file.
    """

    def __init__(self, page: int, roots: int, index: int, frames: int) -> None:
        self.sizes = dict(zip(HEAD, (page, roots, index, frames)))
        self.start: dict[str, int] = {}
        self.stored = array("I")
        self.content = array("I")
        at = 0
        for name, size in self.sizes.items():
            self.start[name] = at
            for content in head_frames(512, size):
                self.content.append(content)
                self.stored.append(raw_size(content))
                at += raw_size(content)
        self.end = at

    def write(
        self,
        output: int,
        headers: Headers,
        index: Index,
        table: FrameTable,
        draft: Manifest,
        chain: bytes,
        signatures: Mapping[str, bytes],
    ) -> Sealable:
        """Write all of it, when every digest is known.

        Raises:
            TooLarge: The signatures do not fit into the page.
            OSError: The host refuses to write.
        """
        index_digest = self._list(output, HEAD[2], headers, index.text())
        frames_digest = self._list(output, HEAD[3], headers, table.text())
        self._list(output, HEAD[1], headers, [chain])
        frames = self.sizes[HEAD[3]]
        manifest = finished(draft, index, chain, index_digest, frames_digest, frames)
        payload = encode_manifest(manifest)
        try:
            page = encode_page(Envelope(payload, signatures), self.sizes[HEAD[0]])
        except ValueError as reason:
            raise TooLarge(str(reason)) from None
        self._list(output, HEAD[0], headers, [page])
        kit_id = KitId(hashlib.sha256(payload).hexdigest())
        return Sealable(manifest, payload, kit_id, _content_id(index, index_digest))

    def _list(self, output: int, name: str, headers: Headers, pieces: Iterable[bytes]) -> str:
        """Write one head member into its room and return the SHA-256 of its contents."""
        state = hashlib.sha256()

        def hashed() -> Iterator[bytes]:
            for piece in pieces:
                state.update(piece)
                yield piece

        size, at = self.sizes[name], self.start[name]
        stream = member_bytes(headers, name, size, hashed())
        for content in cut(head_frames(512, size), stream):
            write_parts(output, raw_parts(memoryview(content)), at)
            at += raw_size(len(content))
        return state.hexdigest()

    def write_end(self, output: int, plan: Plan, table: FrameTable, end: int) -> int:
        """Write the end and the seek table; return the size of the file."""
        first = [raw_size(content) for content in plan.content[: plan.payload]]
        last = array("I", [limits.END])
        stored = self.stored + array("I", first) + table.stored + array("I", [raw_size(last[0])])
        seek = seek_table(stored, self.content + plan.content + last)
        write_parts(output, [*raw_parts(memoryview(bytes(limits.END))), seek], end)
        size = end + raw_size(limits.END) + len(seek)
        os.ftruncate(output, size)
        return size


def _content_id(index: Index, index_digest: str) -> str:
    """Return the SHA-256 of ``kit.index`` without its signatures (FORMAT 11.1)."""
    if not index.count(SIG):
        return index_digest
    content = hashlib.sha256()
    for text in index.text(signatures=False):
        content.update(text)
    return content.hexdigest()


def file_name(info: KitInfo) -> str:
    """Return the file name of a kit (FORMAT 1.1)."""
    return f"{info.name}-{info.version}.tar.zst"


def planned(draft: Manifest, index: Index, plan: Plan, chain: bytes) -> tuple[Manifest, Head]:
    """Return the draft with its page size, and the room of the head.

    Args:
        draft: The manifest but for what is computed here; its ``built`` is as it will be.
        index: All members, with their sizes.

    Raises:
        TooLarge: A limit of FORMAT is passed.
    """
    frames = len(FRAMES_HEAD) + FRAME_LINE * (len(plan) - plan.payload)
    for what, size in (
        ("kit.index", index.text_size()),
        ("kit.frames", frames),
        ("SHA256SUMS", index.sums_size()),
    ):
        if size > limits.MAX_LIST:
            raise TooLarge(f"{what} would have {size} bytes, {limits.MAX_LIST} are allowed")
    if len(index) > limits.MAX_MEMBERS:
        raise TooLarge(f"{len(index)} files, {limits.MAX_MEMBERS} are allowed")
    draft = _fit_page(draft, index, chain, frames)
    return draft, Head(draft.page_size, len(chain), index.text_size(), frames)


def _fit_page(draft: Manifest, index: Index, chain: bytes, frames: int) -> Manifest:
    """Return the draft with its page size; digests do not change the length of a manifest."""
    for size in limits.PAGE_SIZES:
        sized = replace(draft, page_size=size)
        length = len(encode_manifest(finished(sized, index, chain, _ZEROS, _ZEROS, frames)))
        try:
            if page_size_for(length) == size:
                return sized
        except ValueError:
            break
    raise TooLarge("the components and texts of the spec do not fit into the signed page")


def built_with(compressor: str, level: int) -> Built:
    """Return what a manifest says of the compressor.

    A kit that is only stored is the same whatever the compressor would have been.
    """
    return Built(compressor if level else "none", level)


def finished(
    draft: Manifest, index: Index, chain: bytes, index_digest: str, frames_digest: str, frames: int
) -> Manifest:
    """Return a manifest with what follows from the members."""
    index_blob = Blob(index.text_size(), {"sha256": index_digest})
    evidence = index.find(EVIDENCE_INDEX)
    digest = {"sha256": index.digest(evidence).hex()} if evidence is not None else {}
    return replace(
        draft,
        evidence_index=None if evidence is None else Blob(index.sizes[evidence], digest),
        index=index_blob,
        frames=Blob(frames, {"sha256": frames_digest}),
        roots=Blob(len(chain), {"sha256": hashlib.sha256(chain).hexdigest()}),
        subjects=(
            Subject(HEAD[2], index_blob.digest),
            Subject("SHA256SUMS", {"sha256": index.digest(index.bounds[SUMS]).hex()}),
            *draft.subjects,
        ),
    )


def cut(sizes: Iterable[int], stream: Iterator[bytes]) -> Iterator[bytearray]:
    """Yield a stream of bytes cut into pieces of the given sizes."""
    rest = bytearray()
    for size in sizes:
        while len(rest) < size:
            rest += next(stream)
        yield rest[:size]
        del rest[:size]


def member_bytes(
    headers: Headers, name: str, size: int, pieces: Iterable[bytes]
) -> Iterator[bytes]:
    """Yield the tar bytes of a member: headers, contents, padding."""
    yield headers(name.encode(), size, False)
    yield from pieces
    yield padding(size)


def write_parts(output: int, parts: list[bytes | memoryview], offset: int) -> None:
    """Write pieces one behind the other at ``offset``.

    Raises:
        OSError: The host refuses; the caller knows the file's name.
    """
    left = [memoryview(part) for part in parts]
    while left:
        done = os.pwritev(output, left[:1000], offset)
        offset += done
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if done:
            left[0] = left[0][done:]
