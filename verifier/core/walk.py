"""Checks every frame and every member, on all cores and in little memory (FORMAT 12.1).

Frames are independent, so workers load and decode them side by side.  Two things have an order:
the SHA-256 of a member of many frames is one chain, and small members are walked by one thread at
a time, because two threads in that loop only fight for the interpreter.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Callable

from verifier.core.errors import DigestMismatch
from verifier.core.frames import GROUP
from verifier.core.members import Contents, Decoder, Layout, Reader, Sink, named

_AHEAD = 64  # frames by which one reading position may be ahead of the other: 256 MiB
_PARKED = 2  # frames a worker may load ahead of a member's chain


class _Lane:
    """A member of 1 MiB or more on its way: its chain, and frames that came before their turn."""

    def __init__(self, member: int, first: int, end: int) -> None:
        self.member = member
        self.next = first  # the next frame to hand out
        self.turn = first  # the next frame to hash
        self.end = end
        self.chain = hashlib.sha256()
        self.parked: dict[int, tuple[bytearray, memoryview]] = {}
        self.busy = False


class Walk:
    """One run over frames by several workers.

    Args:
        layout: What to check.
        make_decoder: Makes one decoder for each worker; None if this host has none.
        sink: Where contents go; None to check only.
        wanted: 1 for each frame to check; None for all.
        quick: Whether frames with a digest are not decoded.
        workers: Threads.
        progress: Told the bytes of contents of each frame done; from several threads, in turn.
    """

    def __init__(
        self,
        layout: Layout,
        make_decoder: Callable[[], Decoder] | None,
        *,
        sink: Sink | None = None,
        wanted: bytearray | None = None,
        quick: bool = False,
        workers: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._layout = layout
        self._make_decoder = make_decoder
        self._sink = sink
        self._contents = Contents(layout, sink)
        self._wanted = wanted
        self._quick = quick
        self._workers = workers
        self._progress = progress
        self._change = threading.Condition()
        self._reading = threading.Lock()  # a pipe has one reader
        self._small = threading.Lock()
        self._walking = 0  # workers that have a group in hand
        self._lanes: list[_Lane] = []
        self._group = self._big = 0  # the two reading positions
        self._limit = len(layout.plan)  # no frame from here on is handed out
        self._error: BaseException | None = None
        self._buffers: list[bytearray] = []
        self._may_make = workers * (1 + _PARKED)
        stored = layout.stored()
        self._stored = stored
        self._offsets = array("Q", bytes(8 * len(stored)))
        at = layout.start
        for frame, size in enumerate(stored):
            self._offsets[frame] = at
            at += size

    def run(self) -> None:
        """Check all wanted frames; whatever the number of workers, the first fault is raised.

        Raises:
            Rejected: A frame or member is not what was signed.
            Undecided: The host could not read, decode or write.
        """
        threads: list[threading.Thread] = []
        for _ in range(self._workers - 1):
            thread = threading.Thread(target=self._guarded)
            try:
                thread.start()
            except RuntimeError:
                break  # a limit of the host, or none at all (WebAssembly): so many do it all
            threads.append(thread)
        self._guarded()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _guarded(self) -> None:
        try:
            self._work()
        except BaseException as error:  # also an interrupt: the other workers must end too
            self._fail(-1, error)

    # --- handing out frames ------------------------------------------------------------------

    def _work(self) -> None:
        worker = Reader(self._layout, self._make_decoder, self._quick)
        lane: _Lane | None = None
        while True:
            if self._layout.source.sequential:
                with self._reading:
                    task = self._take(lane)
                    good = task is not None and self._try_read(worker, *task)
            else:
                task = self._take(lane)
                good = task is not None and self._try_read(worker, *task)
            if task is None:
                return
            frame, lane, buffer = task
            if good:
                try:
                    self._process(worker, frame, lane, buffer)
                except BaseException as error:
                    self._fail(frame, error)
                    self._release(buffer)
            if lane is None:
                with self._change:
                    self._walking -= 1
                    self._change.notify_all()

    def _try_read(self, worker: Reader, frame: int, lane: _Lane | None, buffer: bytearray) -> bool:
        try:
            worker.read(frame, self._offsets[frame], self._stored[frame], buffer)
        except BaseException as error:
            self._fail(frame, error)
            self._release(buffer)
            return False
        return True

    def _take(self, own: _Lane | None) -> tuple[int, _Lane | None, bytearray] | None:
        """Return the next frame for a worker, its lane if it is part of a big member, a buffer."""
        with self._change:
            while True:
                if self._buffers or self._may_make:
                    choice = self._choose(own)
                    if choice is not None:
                        frame, lane = choice
                        if lane is None:
                            self._walking += 1
                        return frame, lane, self._buffer()
                if self._exhausted():
                    return None
                self._change.wait()

    def _buffer(self) -> bytearray:
        if self._buffers:
            return self._buffers.pop()
        self._may_make -= 1
        return bytearray(max(self._layout.plan.content, default=0))

    def _release(self, buffer: bytearray) -> None:
        with self._change:
            self._buffers.append(buffer)
            self._change.notify_all()

    def _exhausted(self) -> bool:
        self._advance_positions()
        done = self._group >= self._limit and self._big >= self._limit
        return done and all(lane.next >= min(lane.end, self._limit) for lane in self._lanes)

    def _advance_positions(self) -> None:
        """Move both positions to the next frame of their kind that is wanted."""
        offset, wanted = self._layout.plan.offset, self._wanted
        while self._group < self._limit and (
            offset[self._group] != GROUP or (wanted is not None and not wanted[self._group])
        ):
            self._group += 1
        while self._big < self._limit and (
            offset[self._big] != 0 or (wanted is not None and not wanted[self._big])
        ):
            self._big += 1

    def _choose(self, own: _Lane | None) -> tuple[int, _Lane | None] | None:
        self._advance_positions()
        group = self._group < self._limit
        big = self._big < self._limit
        lanes = [lane for lane in self._lanes if lane.next < min(lane.end, self._limit)]
        if self._layout.source.sequential:
            return self._in_order(lanes)
        if own in lanes and self._has_room(own):
            return self._from_lane(own)
        prefer_group = not self._walking or not big or self._big > self._group + _AHEAD
        if group and prefer_group and not (big and self._group > self._big + _AHEAD):
            return self._from_group()
        if big:
            return self._open_lane()
        for lane in lanes:
            if self._has_room(lane):
                return self._from_lane(lane)
        return None

    def _in_order(self, lanes: list[_Lane]) -> tuple[int, _Lane | None] | None:
        candidates = [lane.next for lane in lanes] + [self._group, self._big]
        frame = min(candidates)
        if frame >= self._limit:
            return None
        for lane in lanes:
            if lane.next == frame:
                return self._from_lane(lane)
        return self._from_group() if frame == self._group else self._open_lane()

    def _has_room(self, lane: _Lane | None) -> bool:
        return lane is not None and lane.next - lane.turn <= _PARKED * self._workers

    def _from_lane(self, lane: _Lane | None) -> tuple[int, _Lane | None]:
        assert lane is not None
        lane.next += 1
        return lane.next - 1, lane

    def _from_group(self) -> tuple[int, _Lane | None]:
        self._group += 1
        return self._group - 1, None

    def _open_lane(self) -> tuple[int, _Lane | None]:
        first = self._big
        end, offset = first + 1, self._layout.plan.offset
        while end < len(offset) and offset[end] > 0:
            end += 1
        lane = _Lane(self._layout.plan.first[first], first, end)
        self._lanes.append(lane)
        self._big = end
        return self._from_lane(lane)

    # --- what happens to a frame -------------------------------------------------------------

    def _process(self, worker: Reader, frame: int, lane: _Lane | None, buffer: bytearray) -> None:
        piece = self._layout.plan[frame]
        decided = worker.check_frame(frame, piece, buffer)
        if lane is None:
            if not decided:
                with self._small:
                    self._contents.check_group(piece, buffer)
        elif not decided:
            data = self._contents.cut(piece, buffer)
            if self._sink is not None:
                self._sink.piece(lane.member, piece.offset, data)
            self._advance(lane, frame, buffer, data)
            return
        else:
            with self._change:
                lane.turn += 1  # nothing to chain: only room for others
                if lane.next >= lane.end and lane.turn >= lane.end:
                    self._lanes.remove(lane)
        self._done(piece.content)
        self._release(buffer)

    def _done(self, content: int) -> None:
        if self._progress is not None:
            with self._change:
                self._progress(content)

    def _advance(self, lane: _Lane, frame: int, buffer: bytearray, data: memoryview) -> None:
        """Park a frame of a member; whoever finds the chain idle moves it on, nobody waits."""
        with self._change:
            if frame >= self._limit:
                self._release(buffer)
                return
            lane.parked[frame] = buffer, data
            if lane.busy or lane.turn not in lane.parked:
                return
            lane.busy = True
        while True:
            with self._change:
                item = lane.parked.pop(lane.turn, None)
                if item is None:
                    lane.busy = False
                    break
            lane.chain.update(item[1])
            self._done(self._layout.plan.content[lane.turn])
            with self._change:
                lane.turn += 1
                self._release(item[0])
        if lane.turn == lane.end:
            self._finish(lane)

    def _finish(self, lane: _Lane) -> None:
        with self._change:
            if lane not in self._lanes:
                return
            self._lanes.remove(lane)
        index = self._layout.index
        if lane.chain.digest() != index.digest(lane.member):
            path = index.paths(lane.member, lane.member + 1)[0]
            error = DigestMismatch("the contents are not what was signed", where=named(path))
            self._fail(lane.end - 1, error)

    def _fail(self, frame: int, error: BaseException) -> None:
        """Note a fault; frames before it are still checked, so that the first fault wins."""
        with self._change:
            if self._error is not None and frame >= self._limit:
                return
            self._limit, self._error = max(frame, 0), error
            for lane in self._lanes:
                for late in [key for key in lane.parked if key > frame]:
                    self._buffers.append(lane.parked.pop(late)[0])
            self._change.notify_all()
