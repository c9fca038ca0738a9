"""The index of a kit that is not built: what its sources are, read once, and nothing is written."""

from __future__ import annotations

import hashlib

from kit.sources.collect import collect
from kit.sources.inputs import Inputs
from kit.sources.taken import Taken
from kit.spec import KitSpec
from verifier.core.limits import BIG
from verifier.core.lists import DATA, Index

_PIECE = 4 << 20  # bytes read at once
_NOT_MADE = {b"README.txt": b"", b"kit-verify.pyz": b""}  # a build makes them


def payload_index(spec: KitSpec, taken: Taken | None, mtime: int) -> Index:
    """Return the index of what a spec names; only its payload has digests.

    Args:
        taken: What comes out of the store, for sources that are fetched.
        mtime: The time of what is in a packed tree, in seconds.

    Raises:
        KitError: A source is at fault.
    """
    inputs = Inputs(collect(spec, taken=taken), _NOT_MADE, signed_sums=False, mtime=mtime)
    index = inputs.index
    buffer = memoryview(bytearray(_PIECE + 1))
    for rank, first, last in index.runs():
        if rank != DATA:
            continue
        for member, path in enumerate(index.paths(first, last), first):
            digest = _digest(inputs, member, path, index.sizes[member], buffer)
            index.digests[32 * member : 32 * member + 32] = digest
    if taken is not None:
        taken.check(index, data_only=True)
    return index


def _digest(inputs: Inputs, member: int, path: bytes, size: int, buffer: memoryview) -> bytes:
    if size < BIG:
        inputs.read_whole(member, path, buffer[: size + 1])
        return hashlib.sha256(buffer[:size]).digest()
    state = hashlib.sha256()
    for offset in range(0, size, _PIECE):
        want = min(_PIECE, size - offset)
        last = offset + want == size
        inputs.read_piece(member, path, offset, buffer[: want + last], last=last)
        state.update(buffer[:want])
    return state.digest()
