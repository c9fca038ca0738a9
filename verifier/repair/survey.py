"""Looks at each frame of a kit by itself, wherever a file may hold it (FORMAT 16.1).

A run of the verifier ends at the first fault.  Here all frames are looked at, one by one, in memory
that does not grow; a frame counts as found when its bytes are what was signed, wherever they lie.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence

from verifier.core import limits
from verifier.core.codec import raw_size
from verifier.core.container import Source
from verifier.core.errors import DigestMismatch, KitTruncated, KitUnreadable, Rejected, UsageError
from verifier.core.frames import GROUP, head_frames, plan_frames
from verifier.core.header import Headers
from verifier.core.members import Contents, Layout, Reader
from verifier.core.pipeline import Job, Opened, prove
from verifier.core.trust import Root
from verifier.repair.papers import Pack
from verifier.typed import replace


class Part:
    """A part of a file as a source of its own."""

    sequential = False

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self.size: int | None = size

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views`` from ``offset`` on; see `verifier.core.container.Source`."""
        assert self.size is not None
        if offset + sum(map(len, views)) > self.size:
            raise KitTruncated("the part ends before the kit does", where="the pack")
        self._source.read_into(self._start + offset, views)

    def ends_at(self, offset: int) -> bool:
        """Whether there is no byte at ``offset``."""
        return offset == self.size

    def check_unchanged(self) -> None:
        """See that the file is as it was."""
        self._source.check_unchanged()


class Head:
    """The head of a kit, its signatures counted, and all that follows from it.

    Attributes:
        opened: What it says.
        source: Where it was read.
        start: Bytes of the head: where the first frame behind it begins.
        stored: Bytes in the file of each frame behind it, without the end.
        offsets: Where each of them begins.
        size: Bytes of the whole kit.
    """

    def __init__(self, source: Source, root: Root | None) -> None:
        """Read and authenticate a head.

        Raises:
            KitError: It is not what the signers signed, or cannot be read.
            UsageError: The kit is a plain .tar, which has no frames to be mended.
        """
        opened = Opened()
        prove(source, Job(root=root, stop_after="index"), opened)
        if opened.plain:
            raise UsageError("a plain .tar has no frames; mend the .tar.zst that was sent")
        assert opened.manifest is not None
        assert opened.index is not None
        assert opened.table is not None
        self.opened = opened
        self.source = source
        self.index = opened.index
        lists = (opened.manifest.index.size, opened.manifest.frames.size)
        contents = [len(opened.page), len(opened.roots)]
        contents += [content for size in lists for content in head_frames(512, size)]
        self.head_contents = array("I", contents)
        self.start = sum(map(raw_size, contents))
        plan = plan_frames(opened.index)
        headers = Headers(opened.manifest.kit.mtime)
        self.layout = Layout(
            source, opened.index, plan, opened.table, headers, self.start, plain=False
        )
        self.stored = self.layout.stored()
        self.offsets = array("Q")
        at = self.start
        for size in self.stored:
            self.offsets.append(at)
            at += size
        self.end = at
        self.size = at + raw_size(limits.END) + 8 * (len(contents) + len(plan) + 1) + 17

    def units(self) -> Iterator[range]:
        """Yield frames that can only be judged together: mostly one, else all of a big member."""
        plan, frame = self.layout.plan, 0
        while frame < len(plan):
            end = frame + 1
            if plan.offset[frame] != GROUP and self.layout.digest(frame) is None:
                while end < len(plan) and plan.offset[end] > 0:
                    end += 1
            yield range(frame, end)
            frame = end

    def members(self, frames: range) -> range:
        """Return the numbers of the members that lie in some frames, in whole or in part."""
        plan = self.layout.plan
        return range(plan.first[frames.start], plan.last[frames.stop - 1])


class Supply:
    """A file that may hold frames of a kit: a copy of it, or a pack.

    Nothing in it is believed.  In a copy that lost or gained bytes somewhere, what comes after lies
    elsewhere: so each frame is looked for where it should be, and as far from the end as it
    should be.
    """

    def __init__(self, source: Source, head: Head, pack: Pack | None = None) -> None:
        self.source = source
        self._head = head
        self._pack = pack
        self._reader = Reader(replace(head.layout, source=source), None, quick=True)
        self._contents = Contents(head.layout)
        self._buffer = bytearray(max(head.layout.plan.content, default=0))
        self._shift = 0 if pack is not None else (source.size or 0) - head.size
        self._packed: dict[int, int] = {}
        if pack is not None:
            self._place_packed(pack)

    def _place_packed(self, pack: Pack) -> None:
        at = pack.start + pack.head
        for run in pack.frames:
            for frame in range(run.start, min(run.stop, len(self._head.stored))):
                self._packed[frame] = at
                at += self._head.stored[frame]

    def _places(self, unit: range) -> Iterator[list[int]]:
        """Yield where the frames of a unit may lie."""
        if self._pack is not None:
            found = [self._packed[frame] for frame in unit if frame in self._packed]
            if len(found) == len(unit):
                yield found
            return
        there = [self._head.offsets[frame] for frame in unit]
        yield there
        if self._shift and there[0] + self._shift >= 0:
            yield [place + self._shift for place in there]

    def find(self, unit: range) -> list[int] | None:
        """Return where good bytes of some frames lie; None if they are damaged or missing."""
        for places in self._places(unit):
            try:
                self._check(unit, places)
            except (Rejected, KitUnreadable):
                continue
            return places
        return None

    def _check(self, unit: range, places: list[int]) -> None:
        plan, chain = self._head.layout.plan, hashlib.sha256()
        alone = False
        for frame, place in zip(unit, places):
            piece = plan[frame]
            self._reader.read(frame, place, self._head.stored[frame], self._buffer)
            alone = self._reader.check_frame(frame, piece, self._buffer)
            if not alone and piece.offset == GROUP:
                self._contents.check_group(piece, self._buffer)
                alone = True
            elif not alone:
                chain.update(self._contents.cut(piece, self._buffer))
        if not alone and chain.digest() != self._head.index.digest(plan.first[unit.start]):
            raise DigestMismatch("the contents are not what was signed")

    def copy(self, frame: int, place: int) -> bytes:
        """Return the bytes of a frame as they lie in the file."""
        data = bytearray(self._head.stored[frame])
        self.source.read_into(place, [memoryview(data)])
        return bytes(data)
