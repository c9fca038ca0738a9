"""What people read about a damaged kit."""

from __future__ import annotations

from verifier.repair.mend import Damage
from verifier.repair.papers import ranges_of
from verifier.repair.survey import Head
from verifier.show.plain import plain

MOST = 200  # lines; a medium may have a million faults, and a reader has not the time for them


def damage_lines(damage: Damage) -> list[str]:
    """Return every damaged part with its place in the file and its members; at most `MOST`."""
    head = damage.head
    if head is None:
        return ["the head of the kit is damaged: what it says of the rest cannot be known"]
    runs = ranges_of(damage.frames)
    lines = [_line(head, run) for run in runs[:MOST]]
    if len(runs) > MOST:
        lines.append(f"and {len(runs) - MOST} more such places")
    if damage.tail:
        lines.append(f"bytes from {head.end} on: the end of the file, or its size")
    return lines


def _line(head: Head, run: range) -> str:
    start, last = head.offsets[run.start], run.stop - 1
    end = head.offsets[last] + head.stored[last]
    frames = f"frame {run.start}" if len(run) == 1 else f"frames {run.start} to {last}"
    members = head.members(run)
    names = f"member {plain(head.index.path(members.start))}"
    if len(members) > 1:
        last_name = plain(head.index.path(members.stop - 1))
        names += f" to {last_name} ({count(len(members), 'member')})"
    return f"{frames}, bytes {start} to {end - 1}: {names}"


def summary(damage: Damage) -> str:
    """Return how much is damaged, in one line."""
    if damage.is_good:
        return "no damage: each part is what was signed"
    if damage.head is None:
        return f"damaged: {damage.fault.message if damage.fault else 'the head'}"
    members = set()
    for run in ranges_of(damage.frames):
        found = damage.head.members(run)
        members.add((found.start, found.stop))
    touched = sum(stop - start for start, stop in members)
    end = "; and the end of the file" if damage.tail else ""
    frames = f"{len(damage.frames)} of {count(len(damage.head.stored), 'frame')}"
    return f"damaged: {frames}, {count(touched, 'member')}{end}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
