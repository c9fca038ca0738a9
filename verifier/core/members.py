"""Reads and decodes one frame, and holds what is in it to the index (FORMAT 12.1)."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable

from verifier.core.codec import check_zstd_frame, raw_size
from verifier.core.container import Source, read_raw
from verifier.core.errors import DecoderMissing, DigestMismatch, FrameInvalid, LayoutMismatch
from verifier.core.frames import GROUP, Piece, Plan
from verifier.core.header import Headers, padding
from verifier.core.lists import ZSTD, FrameTable, Index
from verifier.typed import Protocol, record


class Decoder(Protocol):
    """Decodes one zstd frame into a buffer; one instance serves one thread."""

    name: str

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        """Fill ``destination`` exactly from exactly one frame; False if no decoder could.

        Raises:
            DecoderMissing: This one could not, and that says nothing about others.
        """


class Sink(Protocol):
    """Where contents go while they are being checked; called from several threads at once."""

    def small(self, member: int, data: memoryview) -> None:
        """Take a whole member."""

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Take a part of a member of 1 MiB or more."""


@record(frozen=True)
class Layout:
    """Everything that is known about the frames behind the head before they are read.

    Attributes:
        start: Where the first of them begins in the file.
        plain: Whether the file is the tar stream alone.
    """

    source: Source
    index: Index
    plan: Plan
    table: FrameTable
    headers: Headers
    start: int
    plain: bool

    def is_zstd(self, frame: int) -> bool:
        """Whether a frame is compressed in the file."""
        at = frame - self.plan.payload
        return not self.plain and at >= 0 and self.table.kinds[at] == ZSTD

    def digest(self, frame: int) -> bytes | None:
        """Return the digest of a frame, or None where it has none that applies to this file."""
        at = frame - self.plan.payload
        if at < 0 or self.table.dashed[at] or (self.plain and self.table.kinds[at] == ZSTD):
            return None
        return self.table.digest(at)

    def stored(self) -> array[int]:
        """Return the bytes in the file of each frame."""
        if self.plain:
            return self.plan.content
        first = map(raw_size, self.plan.content[: self.plan.payload])
        return array("I", first) + self.table.stored

    def where(self, frame: int) -> str:
        """Return how to name a frame to people."""
        names = f"member {self.index.path(self.plan.first[frame])!r}"
        return f"frame {frame} ({names}{' and others' if self.plan.offset[frame] == GROUP else ''})"


class Contents:
    """Holds the decoded content of frames to the index: headers, contents and padding.

    Args:
        layout: What they shall be.
        sink: Where contents of whole small members go; None to check only.
    """

    def __init__(self, layout: Layout, sink: Sink | None = None) -> None:
        self._layout = layout
        self._sink = sink

    def check_group(self, piece: Piece, buffer: bytearray) -> None:
        """Check whole small members: header, contents, padding, one behind the other."""
        index, headers, sink = self._layout.index, self._layout.headers, self._sink
        starts, sha256, view = buffer.startswith, hashlib.sha256, memoryview(buffer)
        digests = bytes(index.digests[32 * piece.first : 32 * piece.last])
        at = d = 0
        zeros = b""  # the padding of the member before
        first, last = piece.first, piece.last
        columns = zip(
            index.paths(first, last), index.sizes[first:last], index.executable[first:last]
        )
        for path, size, executable in columns:
            head = zeros + headers(path, size, executable == 1)
            if not starts(head, at):
                if starts(zeros, at):
                    raise LayoutMismatch("the tar header is not the derived one", where=named(path))
                raise self._bad_padding(first + d // 32 - 1)
            at += len(head)
            end = at + size
            if sha256(view[at:end]).digest() != digests[d : d + 32]:
                raise DigestMismatch("the contents are not what was signed", where=named(path))
            if sink is not None:
                sink.small(first + d // 32, view[at:end])
            zeros = padding(size)
            d += 32
            at = end
        if not starts(zeros, at):
            raise self._bad_padding(last - 1)

    def _bad_padding(self, member: int) -> LayoutMismatch:
        path = self._layout.index.path(member)
        return LayoutMismatch("the padding is not zeros", where=f"member {path!r}")

    def cut(self, piece: Piece, buffer: bytearray) -> memoryview:
        """Return the contents in a frame of a big member, after comparing all else in it."""
        index = self._layout.index
        path, size = index.paths(piece.first, piece.last)[0], index.sizes[piece.first]
        start = 0
        if piece.offset == 0:
            header = self._layout.headers(path, size, index.executable[piece.first] == 1)
            if not buffer.startswith(header):
                raise LayoutMismatch("the tar header is not the derived one", where=named(path))
            start = len(header)
        end = start + piece.length
        if piece.content > end and not buffer.startswith(bytes(piece.content - end), end):
            raise self._bad_padding(piece.first)
        return memoryview(buffer)[start:end]


def named(path: bytes) -> str:
    """Return how a member is named to people."""
    return f"member {path.decode('utf-8')!r}"


class Reader:
    """What one thread needs of its own: a buffer for compressed bytes and a decoder."""

    def __init__(
        self, layout: Layout, make_decoder: Callable[[], Decoder] | None, quick: bool
    ) -> None:
        self._layout = layout
        self._decoder = make_decoder() if make_decoder is not None else None
        self._quick = quick
        self._compressed = bytearray()
        self._size = 0

    def read(self, frame: int, offset: int, stored: int, buffer: bytearray) -> None:
        """Read one frame: a raw one into ``buffer``, a compressed one into the worker's own."""
        layout = self._layout
        content = memoryview(buffer)[: layout.plan.content[frame]]
        if layout.is_zstd(frame):
            if len(self._compressed) < stored:
                self._compressed = bytearray(max(layout.table.stored))
            self._size = stored
            layout.source.read_into(offset, [memoryview(self._compressed)[:stored]])
        elif layout.plain:
            layout.source.read_into(offset, [content])
        else:
            try:  # the name of a frame is only made for an error: it takes as long as this call
                read_raw(layout.source, offset, content, b"", "")
            except LayoutMismatch as error:
                raise LayoutMismatch(error.message, where=layout.where(frame)) from None

    def check_frame(self, frame: int, piece: Piece, buffer: bytearray) -> bool:
        """Check a frame's own digest, then decode it; True if nothing is left to check (quick)."""
        layout = self._layout
        content = memoryview(buffer)[: piece.content]
        digest = layout.digest(frame)
        zstd = layout.is_zstd(frame)
        bytes_ = memoryview(self._compressed)[: self._size] if zstd else content
        if digest is not None and hashlib.sha256(bytes_).digest() != digest:
            raise DigestMismatch("the frame is not what was signed", where=layout.where(frame))
        if digest is not None and self._quick:
            return True
        if zstd:
            try:
                check_zstd_frame(bytes_, piece.content, "")
            except FrameInvalid as error:
                raise FrameInvalid(error.message, where=layout.where(frame)) from None
            if self._decoder is None:
                raise DecoderMissing("no decoder for zstd", where=layout.where(frame))
            try:
                decoded = self._decoder.frame(bytes_, content)
            except DecoderMissing as error:
                where = error.where or layout.where(frame)
                raise DecoderMissing(error.message, where=where) from None
            if not decoded:
                raise FrameInvalid(
                    "the frame does not decode as planned", where=layout.where(frame)
                )
        return False
