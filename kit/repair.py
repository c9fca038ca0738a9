"""Answers a request of somebody whose kit is damaged: a pack with just those parts (FORMAT 16)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import read_head
from kit.container.output import new_file
from kit.errors import show
from runner.packing.head import write_parts
from verifier.core import limits
from verifier.repair.errors import KitDamaged, RequestMalformed, RequestOfAnother
from verifier.repair.papers import MAX_PAPER, Request, encode_pack, parse_request
from verifier.repair.survey import Head, Supply
from verifier.source import FileSource


@dataclass(frozen=True)
class RepairPack:
    """A pack that was made.

    Attributes:
        path: The file.
        frames: How many frames it has.
        head: Whether the head of the kit is in it.
        size: Its bytes.
    """

    path: Path
    frames: int
    head: bool
    size: int


def read_request(path: Path) -> Request:
    """Return the request in a file, which may come from anybody.

    Raises:
        RequestMalformed: It is none.
        KitUnreadable: It cannot be read.
    """
    source = FileSource(os.fspath(path))
    try:
        assert source.size is not None
        data = bytearray(min(source.size, MAX_PAPER + 1))
        source.read_into(0, [memoryview(data)])
        return parse_request(bytes(data))
    finally:
        source.close()


def repair_pack(kit: Path, request: Path, out: Path) -> RepairPack:
    """Write a pack with what a request asks for; each part is compared with what was signed.

    Args:
        kit: A sealed kit that is whole.
        request: What an operator sent.
        out: The file to make.

    Raises:
        RequestOfAnother: The request is for another kit.
        RequestMalformed: It asks for what this kit does not have.
        KitDamaged: This copy is damaged in the same place.
        KitError: The kit or the disk is at fault.
    """
    wanted = read_request(request)
    _, root = read_head(kit)
    source = FileSource(os.fspath(kit))
    try:
        head = Head(source, root)
        kit_id = str(head.opened.kit_id)
        if wanted.kit_id and wanted.kit_id != kit_id:
            raise RequestOfAnother(f"it asks for kitId {wanted.kit_id}", where=show(request))
        if wanted.frames and wanted.frames[-1].stop > len(head.stored):
            raise RequestMalformed(
                f"this kit has {len(head.stored)} frames, and it asks for number"
                f" {wanted.frames[-1].stop - 1}",
                where=show(request),
            )
        return _write(out, source, head, wanted)
    finally:
        source.close()


def _write(out: Path, source: FileSource, head: Head, wanted: Request) -> RepairPack:
    size, at = head.start if wanted.head else 0, 0
    with new_file(out) as descriptor:
        for piece in _pieces(source, head, wanted, size):
            write_parts(descriptor, [piece], at)
            at += len(piece)
        source.check_unchanged()
    return RepairPack(out, sum(map(len, wanted.frames)), bool(size), at)


def _pieces(source: FileSource, head: Head, wanted: Request, size: int) -> Iterator[bytes]:
    yield encode_pack(str(head.opened.kit_id), size, wanted.frames)
    for start in range(0, size, limits.MIB):
        piece = bytearray(min(limits.MIB, size - start))
        source.read_into(start, [memoryview(piece)])
        yield bytes(piece)
    supply, runs = Supply(source, head), iter(wanted.frames)
    run = next(runs, range(0))
    for unit in head.units():
        places: list[int] | None = None
        for frame in unit:
            if frame >= run.stop:
                run = next(runs, range(0))
            if frame not in run:
                continue
            places = places or supply.find(unit)
            if places is None:
                raise KitDamaged(f"frame {frame} is damaged here too", where="this copy")
            yield supply.copy(frame, places[frame - unit.start])
