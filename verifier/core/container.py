"""One view of a kit's bytes, whether compressed or plain, from a file or a pipe (FORMAT 1, 2, 4.8).

Nothing here decides about trust: it cuts what the plan says and compares what is derived.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Sequence

from verifier.core import limits
from verifier.core.codec import (
    FULL_BLOCK,
    MAGIC,
    RAW_HEAD_SIZE,
    last_block,
    raw_content_size,
    raw_head,
    raw_size,
)
from verifier.core.errors import (
    KitTruncated,
    LayoutMismatch,
    NotAKit,
    SeekTableMismatch,
    TrailingBytes,
)
from verifier.core.header import Headers, padding
from verifier.core.names import HEAD
from verifier.typed import Protocol

_ROOT_SIZES = range(512, limits.MAX_ROOT_CHAIN + 1, 512)


class Source(Protocol):
    """Where the bytes come from.

    Attributes:
        sequential: Whether bytes can only be read in order, each once.
        size: Bytes in all; None if not known before the end.
    """

    sequential: bool
    size: int | None

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views`` with the bytes from ``offset`` on.

        Raises:
            KitTruncated: There are fewer.
            KitUnreadable: The medium failed.
        """

    def ends_at(self, offset: int) -> bool:
        """Whether there is no byte at ``offset``, all bytes before it having been read."""

    def check_unchanged(self) -> None:
        """Hold the file to what it was when it was opened.

        Raises:
            KitChanged: It was written to.
        """


class Container:
    """The frames of one kit, read in order up to the payload.

    Attributes:
        plain: Whether the kit is the tar stream alone, without frames.
        position: Where the next frame begins.
        stored: Bytes in the file of each frame read so far.
        content: Bytes of contents of each frame read so far.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.position = 0
        self.stored = array("I")
        self.content = array("I")
        self._peeked = bytearray(RAW_HEAD_SIZE)
        self._read(self._peeked)
        self.plain = self._peeked[:4] != MAGIC
        if self.plain and not self._peeked.startswith(HEAD[0].encode() + b"\0"):
            raise NotAKit("the file begins neither as a kit nor as its tar", where="kit.dsse.json")

    def _read(self, buffer: bytearray | memoryview) -> None:
        self.source.read_into(self.position, [memoryview(buffer)])
        self.position += len(buffer)

    def _note(self, content: int) -> None:
        self.stored.append(content if self.plain else raw_size(content))
        self.content.append(content)

    def read_page(self) -> bytes:
        """Return headers and page: the content of the first frame.

        Raises:
            NotAKit: It has none of the sizes that a page may have.
        """
        return self._first(HEAD[0], limits.PAGE_SIZES, bytes(self._peeked))

    def read_roots(self) -> bytes:
        """Return headers and root chain: the content of the second frame.

        Raises:
            NotAKit: It has no size that a root chain may have.
        """
        peeked = bytearray(RAW_HEAD_SIZE)
        self._read(peeked)
        return self._first(HEAD[1], _ROOT_SIZES, bytes(peeked))

    def _first(self, name: str, sizes: Sequence[int], peeked: bytes) -> bytes:
        """Return a frame whose size only it knows; ``peeked`` is its start, already read."""
        start = b""
        if self.plain:
            header = bytearray(512 - len(peeked))
            self._read(header)
            start = peeked + header
            fields = {b"%011o\0" % size: size for size in sizes}  # compared, never parsed
            size = fields.get(start[124:136], 0)
        else:
            size = (raw_content_size(peeked) or 0) - 512
        if size not in sizes:
            raise NotAKit("its first frame has no size that it may have", where=name)
        self._note(512 + size)
        rest = bytearray(512 + size - len(start))
        if self.plain:
            self._read(rest)
        else:
            self.position -= len(peeked)
            read_raw(self.source, self.position, memoryview(rest), peeked, name)
            self.position += raw_size(len(rest))
        return start + bytes(rest)

    def read_raw_frame(self, content: int, where: str) -> memoryview:
        """Return the content of the next frame, which is raw and has ``content`` bytes.

        Each has pages of its own, so that what a long list took goes back to the host piece by
        piece while it is parsed; an allocator might keep it.

        Raises:
            LayoutMismatch: It is not that frame.
        """
        buffer = memoryview(mmap.mmap(-1, content))
        if self.plain:
            self._read(buffer)
        else:
            read_raw(self.source, self.position, buffer, b"", where)
            self.position += raw_size(content)
        self._note(content)
        return buffer

    def read_end(self, seek_table: bytes) -> None:
        """Read the end and the seek table, and see that nothing follows (FORMAT 10).

        Raises:
            LayoutMismatch: The end is not 1,024 zeros.
            SeekTableMismatch: The seek table is not the derived one.
            TrailingBytes: Something follows.
        """
        if any(self.read_raw_frame(limits.END, "the end")):
            raise LayoutMismatch("the archive does not end in zeros", where="the end")
        if not self.plain:
            for at in range(0, len(seek_table), limits.MIB):
                piece = bytearray(len(seek_table[at : at + limits.MIB]))
                self._read(piece)
                if piece != seek_table[at : at + limits.MIB]:
                    raise SeekTableMismatch(
                        "not the table that follows from the frames", where="seek table"
                    )
        if not self.source.ends_at(self.position):
            raise TrailingBytes("bytes follow the end of the kit", where=f"offset {self.position}")

    def check_size(self, frames: int, stored: int) -> None:
        """Compare the size of a file with what is to come, before reading it.

        Args:
            frames: How many frames are still to come, without the end.
            stored: Their bytes in the file.

        Raises:
            KitTruncated: It is too short.
            TrailingBytes: It is too long.
        """
        end = limits.END if self.plain else raw_size(limits.END)
        table = 0 if self.plain else 8 * (len(self.stored) + frames + 1) + 17
        size = self.position + stored + end + table
        if self.source.size is not None and self.source.size < size:
            raise KitTruncated(f"{self.source.size} of {size} bytes are there", where="the file")
        if self.source.size is not None and self.source.size > size:
            extra = self.source.size - size
            raise TrailingBytes(f"{extra} bytes follow the end of the kit", where=f"offset {size}")


def check_head_member(name: str, content: bytes, headers: Headers) -> None:
    """Hold the header of one of the first two members to the derived one.

    Raises:
        LayoutMismatch: It differs.
    """
    if content[:512] != headers(name.encode(), len(content) - 512, False):
        raise LayoutMismatch("the tar header is not the derived one", where=name)


def strip_head_member(name: str, size: int, frames: list[memoryview], headers: Headers) -> None:
    """Cut header and padding off the frames of a head member, in place, after comparing them.

    Raises:
        LayoutMismatch: They are not the derived ones.
    """
    header, end = headers(name.encode(), size, False), padding(size)
    first, last = frames[0][: len(header)], frames[-1][len(frames[-1]) - len(end) :]
    if first != header or last != end:
        raise LayoutMismatch("the tar header or padding is not the derived one", where=name)
    frames[0] = frames[0][len(header) :]
    frames[-1] = frames[-1][: len(frames[-1]) - len(end)]


def read_raw(source: Source, offset: int, content: memoryview, peeked: bytes, where: str) -> None:
    """Fill ``content`` from a raw frame, comparing everything else in the frame (FORMAT 2.1).

    The block headers are scattered away while reading, so the contents land without a copy.

    Args:
        peeked: The first bytes of the frame if they were read before, else empty.

    Raises:
        LayoutMismatch: The frame is not the raw frame of that size.
    """
    size = len(content)
    expected = raw_head(size) + FULL_BLOCK * max(0, -(-size // limits.BLOCK) - 1) + last_block(size)
    heads = memoryview(bytearray(len(expected) - len(peeked)))
    at = RAW_HEAD_SIZE + 3 - len(peeked)
    views = [heads[:at], content[: limits.BLOCK]]
    for start in range(limits.BLOCK, size, limits.BLOCK):
        views += [heads[at : at + 3], content[start : start + limits.BLOCK]]
        at += 3
    source.read_into(offset + len(peeked), views)
    if heads != expected[len(peeked) :]:
        raise LayoutMismatch("not the raw frame that was planned", where=where)
