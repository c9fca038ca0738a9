"""Writes a kit into an open file: payload first, head last, into room that was kept for it.

Everything in the head has a size that is known before any byte is read (FORMAT 2.1, 6.6), so one
pass over the sources and one over the file are enough.
"""

from __future__ import annotations

import base64
import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import zstandard

from kit.container.frames import FrameMaker, digest_mixed, write_parts
from kit.container.room import check_room, shrinking
from kit.errors import KitTooLarge
from kit.sources.inputs import Inputs
from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size, seek_table
from verifier.core.envelope import Envelope, encode_page, page_size_for
from verifier.core.frames import Plan, head_frames, plan_frames
from verifier.core.header import Headers, header_size, padding
from verifier.core.lists import FRAME_LINE, FRAMES_HEAD, SIG, SUMS, FrameTable, Index
from verifier.core.manifest import encode_manifest
from verifier.core.model import Blob, Built, KitId, Manifest, Subject
from verifier.core.names import HEAD
from verifier.core.pipeline import EVIDENCE_INDEX
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


class _Head:
    """The room of the four head members."""

    def __init__(self, page: int, roots: int, index: int, frames: int) -> None:
        self.sizes = dict(zip(HEAD, (page, roots, index, frames), strict=True))
        self.start: dict[str, int] = {}
        self.stored = array("I")
        self.content = array("I")
        at = 0
        for name, size in self.sizes.items():
            self.start[name] = at
            for content in head_frames(512, size):
                self.content.append(content)
                self.stored.append(raw_size(content))
                at += raw_size(content)
        self.end = at


def _digest(blob: hashlib._Hash) -> dict[str, str]:
    return {"sha256": blob.hexdigest()}


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
    frames_size = len(FRAMES_HEAD) + FRAME_LINE * (len(plan) - plan.payload)
    _check_limits(index, frames_size)
    draft, page_size = _fit_page(draft, index, chain, frames_size, level)
    head = _Head(page_size, len(chain), index.text_size(), frames_size)
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
    size = _write_end(output, head, plan, maker, end)
    index_digest = _write_list(output, head, HEAD[2], headers, index.text())
    frames_digest = _write_list(output, head, HEAD[3], headers, maker.table.text())
    _write_list(output, head, HEAD[1], headers, [chain])
    manifest = _manifest(draft, index, chain, index_digest, frames_digest, frames_size)
    payload = encode_manifest(manifest)
    try:
        page = encode_page(Envelope(payload, signatures or {}), page_size)
    except ValueError as reason:
        raise KitTooLarge(str(reason)) from None
    _write_list(output, head, HEAD[0], headers, [page])
    content = hashlib.sha256()
    for text in index.text(signatures=False):
        content.update(text)
    kit_id = KitId(hashlib.sha256(payload).hexdigest())
    return Written(manifest, payload, kit_id, content.hexdigest(), size, sums, maker.table)


def _check_limits(index: Index, frames_size: int) -> None:
    for what, size in (
        ("kit.index", index.text_size()),
        ("kit.frames", frames_size),
        ("SHA256SUMS", index.sums_size()),
    ):
        if size > limits.MAX_LIST:
            raise KitTooLarge(f"{what} would have {size} bytes, {limits.MAX_LIST} are allowed")
    if len(index) > limits.MAX_MEMBERS:
        raise KitTooLarge(f"{len(index)} files, {limits.MAX_MEMBERS} are allowed")


def _manifest(
    draft: Manifest, index: Index, chain: bytes, index_digest: str, frames_digest: str, frames: int
) -> Manifest:
    index_blob = Blob(index.text_size(), {"sha256": index_digest})
    evidence = index.find(EVIDENCE_INDEX)
    digest = {"sha256": index.digest(evidence).hex()} if evidence is not None else {}
    return replace(
        draft,
        evidence_index=None if evidence is None else Blob(index.sizes[evidence], digest),
        index=index_blob,
        frames=Blob(frames, {"sha256": frames_digest}),
        roots=Blob(len(chain), {"sha256": hashlib.sha256(chain).hexdigest()}),
        subjects=(
            Subject(HEAD[2], index_blob.digest),
            Subject("SHA256SUMS", {"sha256": index.digest(index.bounds[SUMS]).hex()}),
            *draft.subjects,
        ),
    )


def _fit_page(
    draft: Manifest, index: Index, chain: bytes, frames: int, level: int
) -> tuple[Manifest, int]:
    """Return the draft with its page size; digests do not change the length of a manifest."""
    # a kit that is only stored is the same whatever the compressor would have been
    draft = replace(draft, built=Built(compressor_name() if level else "none", level))
    for size in limits.PAGE_SIZES:
        sized = replace(draft, page_size=size)
        zeros = "0" * 64
        length = len(encode_manifest(_manifest(sized, index, chain, zeros, zeros, frames)))
        try:
            if page_size_for(length) == size:
                return sized, size
        except ValueError:
            break
    raise KitTooLarge("the components and texts of the spec do not fit into the signed page")


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


def _contents(sizes: Iterable[int], stream: Iterator[bytes]) -> Iterator[bytearray]:
    """Yield a stream of bytes cut into pieces of the given sizes."""
    rest = bytearray()
    for size in sizes:
        while len(rest) < size:
            rest += next(stream)
        yield rest[:size]
        del rest[:size]


def _member(headers: Headers, name: str, size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield headers(name.encode(), size, False)
    yield from pieces
    yield padding(size)


def _write_list(
    output: int, head: _Head, name: str, headers: Headers, pieces: Iterable[bytes]
) -> str:
    """Write one head member into its room and return the SHA-256 of its contents."""
    state = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for piece in pieces:
            state.update(piece)
            yield piece

    size, at = head.sizes[name], head.start[name]
    stream = _member(headers, name, size, hashed())
    for content in _contents(head_frames(512, size), stream):
        write_parts(output, raw_parts(memoryview(content)), at)
        at += raw_size(len(content))
    return state.hexdigest()


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
        stream = _member(headers, index.path(late), size, text)
        for frame, content in zip(
            frames, _contents((plan.content[f] for f in frames), stream), strict=True
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


def _write_end(output: int, head: _Head, plan: Plan, maker: FrameMaker, end: int) -> int:
    """Write the end and the seek table; return the size of the file."""
    first = [raw_size(content) for content in plan.content[: plan.payload]]
    last = array("I", [limits.END])
    stored = head.stored + array("I", first) + maker.table.stored + array("I", [raw_size(last[0])])
    table = seek_table(stored, head.content + plan.content + last)
    write_parts(output, [*raw_parts(memoryview(bytes(limits.END))), table], end)
    size = end + raw_size(limits.END) + len(table)
    os.ftruncate(output, size)
    return size


def draft_of(manifest: Manifest) -> Manifest:
    """Return a manifest without what `write_archive` computes."""
    empty = Blob(0, _NO_DIGEST)
    return replace(manifest, index=empty, frames=empty, roots=empty, subjects=manifest.subjects[2:])
