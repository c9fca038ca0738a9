"""Makes the frames of a kit: reads, hashes, compresses and writes, each byte once, on all cores.

Each worker takes the next frame of the plan, fills a buffer, compresses it and, when its frame
closes the gap behind what is written, writes it and all that waited behind it.  There is no writer
thread: whoever closes a gap owns the offsets.  The SHA-256 of a big member is one chain, moved on
by whoever finds it idle.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import zstandard

from kit.sources.inputs import Inputs
from runner.packing.head import write_parts
from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size
from verifier.core.frames import GROUP, Piece, Plan
from verifier.core.header import Headers, padding
from verifier.core.lists import RAW, SIG, SUMS, ZSTD, FrameTable, Index

_WINDOW = 12  # frames that may be taken and not yet written; 4 MiB each
_PROBES = 32  # places where a frame is tried before all of it is compressed
_PROBE = 4096  # bytes tried at each


@dataclass
class _Buffer:
    """Memory for one frame; it is free when nobody uses it."""

    data: bytearray
    uses: int = 0


@dataclass
class _Made:
    """A frame that waits for its place in the file."""

    parts: list[bytes | memoryview]
    size: int
    kind: int
    digest: bytes | None
    buffer: _Buffer | None  # held because `parts` points into it


@dataclass
class _Chain:
    """The SHA-256 of a big member; frames that came early wait."""

    turn: int = 0
    state: hashlib._Hash = field(default_factory=hashlib.sha256)
    parked: dict[int, tuple[memoryview, _Buffer]] = field(default_factory=dict)
    busy: bool = False


class FrameMaker:
    """One run over the frames behind the head.

    Args:
        output: Descriptor of the file; written with positions only.
        start: Where the first frame goes.
        level: zstd level; 0 for raw frames only.
        progress: Told the bytes of contents of each frame written; in turn.

    Attributes:
        table: The payload's lines, complete when `run` returns, except the digests of mixed
            members (see `digest_mixed`).
        deferred: Frames that hold SHA256SUMS, its signature or a member that is made late: filled
            but for these, not written.
    """

    def __init__(
        self,
        inputs: Inputs,
        plan: Plan,
        headers: Headers,
        output: int,
        *,
        start: int,
        level: int,
        workers: int,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._inputs = inputs
        self._index: Index = inputs.index
        self._plan = plan
        self._headers = headers
        self._output = output
        self._level = level
        self._workers = workers
        self._progress = progress
        self._change = threading.Condition()
        self._small = threading.Lock()
        self._next = self._written = 0
        self._offset = start
        self._waiting: dict[int, _Made] = {}
        self._free: list[_Buffer] = []
        self._may_make = _WINDOW + workers
        self._chains: dict[int, _Chain] = {}
        self._error: BaseException | None = None
        self.table = FrameTable()
        self.offsets: list[int] = []
        self.deferred: dict[int, bytearray] = {}
        derived = [self._index.bounds[SUMS]]
        if self._index.count(SIG):
            derived.append(self._index.bounds[SIG])
        derived += [member for member, _ in inputs.late]
        self._derived = frozenset(derived)

    def run(self) -> int:
        """Make all frames and return where the next part of the file begins.

        Raises:
            SourceChanged: A file is not what it was when it was found.
            OutputUnwritable: The host refuses to write.
        """
        threads: list[threading.Thread] = []
        for _ in range(self._workers - 1):
            thread = threading.Thread(target=self._guarded)
            try:
                thread.start()
            except RuntimeError:
                break  # a limit of the host: so many do it all
            threads.append(thread)
        self._guarded()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._offset

    def _guarded(self) -> None:
        try:
            self._work()
        except BaseException as error:  # also an interrupt: the other workers must end too
            with self._change:
                self._error = self._error or error
                self._change.notify_all()

    def _work(self) -> None:
        compressor = zstandard.ZstdCompressor(
            level=self._level or 1, write_checksum=True, write_content_size=True
        )
        while True:
            task = self._take()
            if task is None:
                return
            frame, buffer = task
            piece = self._plan[frame]
            if piece.offset == GROUP:
                with self._small:  # one thread at a time in the Python-heavy part
                    self._fill_group(piece, buffer.data)
                data = None
            else:
                data = self._fill_piece(piece, buffer.data)
            made = self._compress(compressor, frame, piece, buffer)
            self._hand_over(frame, made, buffer, data)
            if data is not None:
                self._advance(piece, data, buffer)

    def _take(self) -> tuple[int, _Buffer] | None:
        with self._change:
            while self._error is None and self._next < len(self._plan):
                near = self._next - self._written < _WINDOW
                if near and (self._free or self._may_make):
                    self._next += 1
                    return self._next - 1, self._buffer()
                self._change.wait()
            return None

    def _buffer(self) -> _Buffer:
        if self._free:
            buffer = self._free.pop()
        else:
            self._may_make -= 1
            # one byte more than any content: a short read then means the end of the file
            buffer = _Buffer(bytearray(max(self._plan.content) + 1))
        buffer.uses = 1
        return buffer

    def _release(self, buffer: _Buffer) -> None:
        buffer.uses -= 1
        if not buffer.uses:
            self._free.append(buffer)
            self._change.notify_all()

    # --- filling -----------------------------------------------------------------------------

    def _fill_group(self, piece: Piece, data: bytearray) -> None:
        index, headers, inputs = self._index, self._headers, self._inputs
        view, sha256, digests = memoryview(data), hashlib.sha256, index.digests
        first, last = piece.first, piece.last
        at, member = 0, first
        columns = zip(
            index.paths(first, last),
            index.sizes[first:last],
            index.executable[first:last],
            strict=True,
        )
        for path, size, executable in columns:
            header = headers(path, size, executable == 1)
            start = at + len(header)
            data[at:start] = header
            end = start + size
            if member not in self._derived:
                inputs.put_whole(member, path, data, start)
                digests[32 * member : 32 * member + 32] = sha256(view[start:end]).digest()
            zeros = padding(size)
            at = end + len(zeros)
            data[end:at] = zeros
            member += 1

    def _fill_piece(self, piece: Piece, data: bytearray) -> memoryview | None:
        member, index = piece.first, self._index
        path, size = index.paths(member, member + 1)[0], index.sizes[member]
        start = 0
        if piece.offset == 0:
            header = self._headers(path, size, index.executable[member] == 1)
            start = len(header)
            data[:start] = header
        end = start + piece.length
        if member not in self._derived:
            last = piece.offset + piece.length == size
            view = memoryview(data)[start : end + last]
            self._inputs.read_piece(member, path, piece.offset, view, last=last)
        data[end : piece.content] = bytes(piece.content - end)
        return None if member in self._derived else memoryview(data)[start:end]

    # --- compressing and writing -------------------------------------------------------------

    def _compress(
        self, compressor: zstandard.ZstdCompressor, frame: int, piece: Piece, buffer: _Buffer
    ) -> _Made:
        content = memoryview(buffer.data)[: piece.content]
        if frame >= self._plan.payload and self._level and _may_shrink(compressor, content):
            packed = compressor.compress(content)
            if _pays(len(packed), piece.content):
                digest = hashlib.sha256(packed).digest()
                return _Made([packed], len(packed), ZSTD, digest, None)
        own = None
        if self._index.sizes[piece.first] >= limits.BOUND_BY_INDEX and piece.offset != GROUP:
            own = hashlib.sha256(content).digest()
        return _Made(raw_parts(content), raw_size(piece.content), RAW, own, buffer)

    def _hand_over(self, frame: int, made: _Made, buffer: _Buffer, data: memoryview | None) -> None:
        """Queue a frame; if it closes the gap, write it and what waited behind it."""
        piece = self._plan[frame]
        ready: list[tuple[int, int, _Made]] = []
        if self._derived.intersection(range(piece.first, piece.last)):
            if piece.offset == GROUP:
                self.deferred[frame] = buffer.data[: piece.content]
            made.parts = []
        with self._change:
            if made.buffer is not None:
                made.buffer.uses += 1
            if data is not None:
                buffer.uses += 1
            self._waiting[frame] = made
            while self._written in self._waiting:
                next_made = self._waiting.pop(self._written)
                ready.append((self._written, self._offset, next_made))
                self._note(self._written, next_made)
            self._release(buffer)
            self._change.notify_all()
        for number, offset, item in ready:
            if item.parts:
                write_parts(self._output, item.parts, offset)
            with self._change:
                if item.buffer is not None:
                    self._release(item.buffer)
                if self._progress is not None:
                    self._progress(self._plan.content[number])

    def _note(self, frame: int, made: _Made) -> None:
        self.offsets.append(self._offset)
        if frame >= self._plan.payload:
            self.table.append(made.size, made.kind, made.digest)
        self._offset += made.size
        self._written += 1

    # --- the chain of a big member -----------------------------------------------------------

    def _advance(self, piece: Piece, data: memoryview, buffer: _Buffer) -> None:
        with self._change:
            chain = self._chains.setdefault(piece.first, _Chain())
            chain.parked[piece.offset] = data, buffer
            if chain.busy or chain.turn not in chain.parked:
                return
            chain.busy = True
        while True:
            with self._change:
                item = chain.parked.pop(chain.turn, None)
                if item is None:
                    chain.busy = False
                    break
            chain.state.update(item[0])
            with self._change:
                chain.turn += len(item[0])
                self._release(item[1])
        with self._change:
            done = chain.turn == self._index.sizes[piece.first]
            if done and self._chains.pop(piece.first, None) is not None:
                at = 32 * piece.first
                self._index.digests[at : at + 32] = chain.state.digest()


def _pays(packed: int, size: int) -> bool:
    """Whether compressing is worth it: else storing is nearly as small, and faster to check."""
    return 100 * packed <= 97 * size


def _may_shrink(compressor: zstandard.ZstdCompressor, content: memoryview) -> bool:
    """Whether any of some places in a frame shrinks.

    Most bytes of a real kit are compressed already, and finding that out by compressing all of
    them is half the time of building it.
    """
    if len(content) < 2 * _PROBES * _PROBE:
        return True
    step = len(content) // _PROBES
    first = (step - _PROBE) // 2  # not at the edges: a header and padding shrink by themselves
    return any(
        _pays(len(compressor.compress(content[at : at + _PROBE])), _PROBE)
        for at in range(first, _PROBES * step, step)
    )


def digest_mixed(
    plan: Plan, table: FrameTable, index: Index, offsets: list[int], file: int
) -> None:
    """Give their digest to raw frames of members that have compressed ones too (FORMAT 8.5).

    Only at a member's end is it known to be mixed, so these few frames are read again.
    """
    frame = plan.payload
    while frame < len(plan):
        end = frame + 1
        while end < len(plan) and plan.offset[end] > 0:
            end += 1
        kinds = table.kinds[frame - plan.payload : end - plan.payload]
        if (
            ZSTD in kinds
            and RAW in kinds
            and index.sizes[plan.first[frame]] < limits.BOUND_BY_INDEX
        ):
            for at in range(frame, end):
                line = at - plan.payload
                if table.kinds[line] == RAW:
                    content = read_content(file, offsets[at], plan.content[at])
                    table.digests[32 * line : 32 * line + 32] = hashlib.sha256(content).digest()
                    table.dashed[line] = 0
        frame = end


def read_content(file: int, offset: int, size: int) -> bytearray:
    """Return the content of a raw frame that was just written."""
    stored = memoryview(os.pread(file, raw_size(size), offset))
    content = bytearray()
    at = 14
    while len(content) < size:
        block = min(limits.BLOCK, size - len(content))
        content += stored[at + 3 : at + 3 + block]
        at += 3 + block
    return content
