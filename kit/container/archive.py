"""Writes a kit into an open file: payload first, head last, into room that was kept for it.

Everything in the head has a size that is known before any byte is read (FORMAT 2.1, 6.6), so one
pass over the sources and one over the file are enough.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import zstandard

from kit.container.frames import FrameMaker, digest_mixed
from kit.container.room import check_room, shrinking
from kit.errors import KitTooLarge
from kit.sources.inputs import Inputs
from runner.packing.head import TooLarge, built_with, cut, member_bytes, planned, write_parts
from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size
from verifier.core.frames import Plan, plan_frames
from verifier.core.header import Headers, header_size
from verifier.core.lists import SIG, SUMS, FrameTable, Index
from verifier.core.model import Blob, KitId, Manifest
from verifier.typed import replace

SumsSign = Callable[[bytes], bytes]
"""Makes a DER signature of a SHA-256."""

_NO_DIGEST = {"sha256": "0" * 64}


def compressor_name() -> str:
    """Return the name and version of the compressor, which decide the bytes of zstd frames."""
    return "zstd " + ".".join(map(str, zstandard.ZSTD_VERSION))


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        payload: The DSSE payload.
        sums_signature: The line in SHA256SUMS.sig; empty if there is none.
        table: What ``kit.frames`` says.
    """

    manifest: Manifest
    payload: bytes
    kit_id: KitId
    content_id: str
    size: int
    sums_signature: bytes
    table: FrameTable


def write_archive(
    output: int,
    inputs: Inputs,
    draft: Manifest,
    chain: bytes,
    *,
    level: int,
    workers: int,
    sums_sign: SumsSign | None = None,
    signatures: dict[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a whole kit and return what it is.

    Args:
        output: Descriptor of an empty file, readable and writable.
        inputs: The members.
        draft: The manifest but for what is computed here.
        chain: ``kit.roots.json``.
        level: zstd level; 0 for raw frames only.
        workers: Threads; they do not change the bytes.
        sums_sign: Signs SHA256SUMS; given exactly when the index has a place for it.
        signatures: The page's signatures, from keyid; none for a fresh kit.
        progress: Told (bytes done, bytes in all).

    Raises:
        KitTooLarge: A limit of FORMAT is passed.
        SourceChanged: A file changed while it was read.
        OSError: The host refuses to write.
    """
    index = inputs.index
    plan = plan_frames(index)
    draft = replace(draft, built=built_with(compressor_name(), level))
    try:
        draft, head = planned(draft, index, plan, chain)
    except TooLarge as reason:
        raise KitTooLarge(str(reason)) from None
    headers = Headers(draft.kit.mtime)
    behind = sum(map(raw_size, plan.content)) + raw_size(limits.END) + 8 * (len(plan) + 16)
    data = sum(plan.content[plan.payload :])
    most = head.end + behind
    check_room(output, most, lambda: most - round((1 - shrinking(inputs, level)) * data))
    done, total = 0, sum(plan.content)

    def tell(content: int) -> None:
        nonlocal done
        done += content
        if progress is not None:
            progress(done, total)

    maker = FrameMaker(
        inputs, plan, headers, output, start=head.end, level=level, workers=workers, progress=tell
    )
    end = maker.run()
    digest_mixed(plan, maker.table, index, maker.offsets, output)
    derived = _finish_late(inputs)
    sums = _finish_sums(index, sums_sign)
    _write_deferred(output, maker, plan, headers, index, sums, derived)
    size = head.write_end(output, plan, maker.table, end)
    try:
        made = head.write(output, headers, index, maker.table, draft, chain, signatures or {})
    except TooLarge as reason:
        raise KitTooLarge(str(reason)) from None
    return Written(
        made.manifest, made.payload, made.kit_id, made.content_id, size, sums, maker.table
    )


def can_be_sums_signature(signature: bytes) -> bool:
    """Whether its line has two digits as its size, as the size of the index was planned."""
    return 10 <= 4 * -(-len(signature) // 3) <= 99


def _finish_late(inputs: Inputs) -> dict[int, bytes]:
    """Make the members that speak about others, which have their digests by now."""
    made = {}
    index = inputs.index
    for member, make in inputs.late:
        data = made[member] = make(index)
        inputs.made[index.paths(member, member + 1)[0]] = data
        if len(data) != index.sizes[member]:
            raise ValueError(f"{index.path(member)} was planned with {index.sizes[member]} bytes")
        index.digests[32 * member : 32 * member + 32] = hashlib.sha256(data).digest()
    return made


def _finish_sums(index: Index, sums_sign: SumsSign | None) -> bytes:
    """Give SHA256SUMS and its signature their digests; return the signature's line."""
    state = hashlib.sha256()
    for text in index.sums():
        state.update(text)
    at = index.bounds[SUMS]
    index.digests[32 * at : 32 * at + 32] = state.digest()
    if sums_sign is None:
        return b""
    line = base64.b64encode(sums_sign(state.digest()))
    at = index.bounds[SIG]
    if not can_be_sums_signature(base64.b64decode(line)):
        raise ValueError(f"no signature of P-256 becomes a line of {len(line)} characters")
    index.sizes[at] = len(line)
    index.digests[32 * at : 32 * at + 32] = hashlib.sha256(line).digest()
    return line


def _write_deferred(
    output: int,
    maker: FrameMaker,
    plan: Plan,
    headers: Headers,
    index: Index,
    sums: bytes,
    derived: Mapping[int, bytes],
) -> None:
    """Write SHA256SUMS, its signature and what was made late into the frames that waited."""
    member = index.bounds[SUMS]
    texts: dict[int, Iterable[bytes]] = {member: index.sums()}
    texts.update((late, [data]) for late, data in derived.items())
    for late, text in texts.items():
        size = index.sizes[late]
        if size < limits.BIG:
            continue
        frames = plan.frames_of(range(late, late + 1))
        stream = member_bytes(headers, index.path(late), size, text)
        for frame, content in zip(
            frames, cut((plan.content[f] for f in frames), stream), strict=True
        ):
            write_parts(output, raw_parts(memoryview(content)), maker.offsets[frame])
    for frame, data in maker.deferred.items():
        at = 0
        for number in range(plan.first[frame], plan.last[frame]):
            path, size = index.paths(number, number + 1)[0], index.sizes[number]
            start = at + header_size(path, size)
            if number in texts:
                data[start : start + size] = b"".join(texts[number])
            elif number == index.bounds[SIG] and index.count(SIG):
                data[at:start] = headers(path, size, False)
                data[start : start + 512] = sums.ljust(512, b"\0")
            at = start + size + (-size % 512)
        write_parts(output, raw_parts(memoryview(data)), maker.offsets[frame])


def draft_of(manifest: Manifest) -> Manifest:
    """Return a manifest without what `write_archive` computes."""
    empty = Blob(0, _NO_DIGEST)
    return replace(manifest, index=empty, frames=empty, roots=empty, subjects=manifest.subjects[2:])
