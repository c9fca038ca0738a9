"""Whether a kit has room where it goes, asked before its first byte is written."""

from __future__ import annotations

import errno
import os
import resource
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

import zstandard

from kit.errors import BuildDiskFull, OutputTooLarge
from kit.sources.inputs import Inputs
from verifier.core.lists import DATA

_FAT = (1 << 32) - 1  # bytes of the largest file on FAT32
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
        BuildDiskFull: The disk has less room.
        OutputTooLarge: No file here may be so large.
    """
    free, largest = _free(output), _largest(output, most)
    if most <= min(free, largest):
        return
    expected = estimate()
    least = expected - expected // _SLACK
    if least > free:
        raise BuildDiskFull(f"about {expected} bytes are needed, {free} are free")
    if least > largest or least > _largest(output, least):
        raise OutputTooLarge(f"the kit would have about {expected} bytes, {largest} are allowed")


def _free(output: int) -> int:
    """Return how many bytes are free; very many where the host does not know."""
    try:
        facts = os.fstatvfs(output)
    except OSError:
        return most_of_all()
    # several file systems say 0 where they do not count; a disk that is full says so at once
    return facts.f_bavail * facts.f_frsize or most_of_all()


def _largest(output: int, size: int) -> int:
    """Return the size that a file may have here, as far as ``size`` is concerned."""
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = most_of_all() if soft == resource.RLIM_INFINITY else soft
    if limit >= size > _FAT and not _takes(output, size):
        return _FAT
    return limit


def _takes(output: int, size: int) -> bool:
    """Whether a file may get a size, asked of an empty one; FAT answers without writing."""
    try:
        os.ftruncate(output, size)
        os.ftruncate(output, 0)
    except OSError as error:
        return error.errno not in (errno.EFBIG, errno.EINVAL)
    return True


def most_of_all() -> int:
    """Return more bytes than any file has."""
    return 1 << 63


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
