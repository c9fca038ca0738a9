"""How members are cut into frames: a plan that follows from paths and sizes alone (FORMAT 8)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, repeat
from operator import sub

from verifier.core import limits
from verifier.core.codec import raw_size
from verifier.core.errors import ListMalformed
from verifier.core.header import BLOCK, MAX_SIZE, header_size
from verifier.core.lists import DATA, ZSTD, FrameTable, Index
from verifier.typed import record

GROUP = -1


@record(frozen=True)
class Piece:
    """One frame of the plan.

    Attributes:
        first: Number of its first member.
        last: One more than the number of its last member.
        offset: Where its part of the contents begins in its only member; `GROUP` for a frame of
            whole small members.
        length: Bytes of contents of its only member in this frame; 0 for a group.
        content: All its bytes: headers, contents and padding.
    """

    first: int
    last: int
    offset: int
    length: int
    content: int


class Plan:
    """The frames behind the head, without the end, in columns; see `Piece` for their meaning.

    Attributes:
        payload: Number of the first frame of class ``data``: the first line of ``kit.frames``.
    """

    def __init__(self) -> None:
        self.first = array("I")
        self.last = array("I")
        self.offset = array("q")
        self.length = array("I")
        self.content = array("I")
        self.payload = 0

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, frame: int) -> Piece:
        return Piece(
            self.first[frame],
            self.last[frame],
            self.offset[frame],
            self.length[frame],
            self.content[frame],
        )

    def _add(self, first: int, last: int, offset: int, length: int, content: int) -> None:
        self.first.append(first)
        self.last.append(last)
        self.offset.append(offset)
        self.length.append(length)
        self.content.append(content)

    def add_big(self, member: int, headers: int, size: int) -> None:
        """Cut a member at multiples of 4 MiB of its contents (FORMAT 8.2)."""
        offset, extra = 0, headers
        while True:
            length = min(limits.FRAME, size - offset)
            end = -size % 512 if offset + length == size else 0
            self._add(member, member + 1, offset, length, extra + length + end)
            offset, extra = offset + length, 0
            if offset == size:
                return

    def add_group(self, first: int, last: int, content: int) -> None:
        """Add a frame of whole small members, unless there are none."""
        if first < last:
            self._add(first, last, GROUP, 0, content)

    def frames_of(self, members: range) -> range:
        """Return the frames that hold any of ``members``, which follow one another."""
        low = _first_frame(self.last, members.start + 1)
        high = _first_frame(self.first, members.stop)
        return range(low, high)


def _first_frame(column: array[int], value: int) -> int:
    """Return the first position in an ascending column whose entry is at least ``value``."""
    low, high = 0, len(column)
    while low < high:
        middle = (low + high) // 2
        if column[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


def plan_frames(index: Index) -> Plan:
    """Return the frames behind the head (FORMAT 8.2, 8.3)."""
    plan = Plan()
    group, filled = 0, 0  # first member and tar bytes of the open group
    for rank, start, stop in index.runs():
        if rank == DATA and start == index.bounds[DATA]:
            plan.add_group(group, start, filled)
            group, filled, plan.payload = start, 0, len(plan)
        group, filled = _plan_run(plan, index, start, stop, group, filled)
    plan.add_group(group, len(index), filled)
    if not index.count(DATA):
        plan.payload = len(plan)
    return plan


def _plan_run(
    plan: Plan, index: Index, start: int, stop: int, group: int, filled: int
) -> tuple[int, int]:
    """Plan members ``start`` to ``stop - 1``; take and return the open group as `plan_frames`."""
    sizes = index.sizes[start:stop]
    headers = _header_sizes(index, start, stop)
    # where each member ends in the tar bytes of the run; the open group began at 0 or before
    ends = list(accumulate([h + s + (-s & 511) for h, s in zip(headers, sizes)], initial=0))
    bigs = [n for n, s in enumerate(sizes) if s >= limits.BIG] if max(sizes) >= limits.BIG else []
    origin, at = -filled, 0
    for big in [*bigs, stop - start]:
        while ends[big] - origin > limits.FRAME:  # not all before the big one fit
            at = bisect_right(ends, origin + limits.FRAME, at) - 1
            plan.add_group(group, start + at, ends[at] - origin)
            group, origin = start + at, ends[at]
        if start + big < stop:
            plan.add_group(group, start + big, ends[big] - origin)
            path = index.paths(start + big, start + big + 1)[0]
            plan.add_big(start + big, header_size(path, sizes[big]), sizes[big])
            at = big + 1
            group, origin = start + at, ends[at]
    return group, ends[-1] - origin


def _header_sizes(index: Index, start: int, stop: int) -> Iterable[int]:
    offsets = index.offsets[start : stop + 1]
    plain = index.names[offsets[0] : offsets[-1]].isascii()
    if (
        plain
        and max(map(sub, offsets[1:], offsets)) <= 101
        and max(index.sizes[start:stop]) < MAX_SIZE
    ):
        return repeat(BLOCK)
    return map(header_size, index.paths(start, stop), index.sizes[start:stop])


def head_frames(headers: int, size: int) -> list[int]:
    """Return the content sizes of the frames of a head member of ``size`` bytes (FORMAT 8.2)."""
    plan = Plan()
    plan.add_big(0, headers, size)
    return list(plan.content)


def check_table(table: FrameTable, plan: Plan, index: Index) -> None:
    """Hold the frame table to the plan: kinds, sizes and which frames have a digest (FORMAT 8.5).

    Raises:
        ListMalformed: They do not belong together.
    """
    if len(table) != len(plan) - plan.payload:
        raise ListMalformed("there are more or fewer frames than planned", where="kit.frames")
    frame = 0
    while frame < len(table):
        last = _last_of_member(plan, plan.payload + frame) - plan.payload
        member = plan.first[plan.payload + frame]
        bound = index.sizes[member] < limits.BOUND_BY_INDEX and ZSTD not in table.kinds[frame:last]
        for at in range(frame, last):
            content, stored = plan.content[plan.payload + at], table.stored[at]
            if table.kinds[at] == ZSTD:
                good = 100 * stored <= 97 * content and not table.dashed[at]
            else:
                good = stored == raw_size(content) and table.dashed[at] == bound
            if not good:
                raise ListMalformed(f"the line of frame {at} cannot be", where="kit.frames")
        frame = last


def _last_of_member(plan: Plan, frame: int) -> int:
    """Return the first frame behind ``frame`` that does not go on with the same big member."""
    end = frame + 1
    while end < len(plan) and plan.offset[end] > 0:
        end += 1
    return end
