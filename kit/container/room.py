"""Whether a kit has room where it goes, asked before its first byte is written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

import zstandard

from kit.errors import BuildDiskFull
from kit.sources.inputs import Inputs
from verifier import _compat
from verifier.core.lists import DATA

_SAMPLES = 64  # members that are tried
_SAMPLE = 65_536  # bytes tried of each
_SLACK = 10  # an estimate is not held against anybody by a tenth


def check_room(output: int, most: int, estimate: Callable[[], int]) -> None:
    """Refuse to begin what surely cannot be finished.

    Args:
        output: Descriptor of the file to be written; empty.
        most: Bytes that the file has if nothing can be compressed.
        estimate: Returns how many it will have, about; asked only where ``most`` is too much.

    Raises:
        BuildDiskFull: The disk has less room, or no file here may be so large.
    """
    if not _why_not(output, most):
        return
    expected = estimate()
    why = _why_not(output, expected - expected // _SLACK)
    if why:
        raise BuildDiskFull(f"the kit will have about {expected} bytes, and {why}")


def _why_not(output: int, size: int) -> str:
    """Return why a file cannot get a size; empty where it can, or where the host does not know."""
    free = _compat.Room(output, b"").bytes
    if free is not None and free < size:
        return f"{free} bytes are free"
    return _compat.too_large(output, size)


def shrinking(inputs: Inputs, level: int) -> float:
    """Return what part of the payload's bytes is left when it is compressed, about.

    The start of some members is tried; a member is as likely to be one of them as it is large.
    """
    index = inputs.index
    first = index.bounds[DATA]
    ends = list(accumulate(index.sizes[first:]))
    if not level or not ends or not ends[-1]:
        return 1.0
    compressor = zstandard.ZstdCompressor(level=level)
    before = after = 0
    for number in range(_SAMPLES):
        at = bisect_right(ends, ends[-1] * number // _SAMPLES)
        member, size = first + at, min(index.sizes[first + at], _SAMPLE)
        data, last = bytearray(size + 1), size == index.sizes[first + at]
        path = index.paths(member, member + 1)[0]
        inputs.read_piece(member, path, 0, memoryview(data)[: size + last], last=last)
        before, after = before + size, after + min(size, len(compressor.compress(data[:size])))
    return after / max(before, 1)
