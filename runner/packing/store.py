"""Writes a kit that only stores, with the standard library (FORMAT): what evidence goes home in.

``offline-kit build --store`` makes the same bytes of the same members, and a test compares them.
Members are small files of this host; each is read twice, for its digest and for the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping

from runner.packing.head import Sealable, built_with, planned, write_parts
from runner.packing.provenance import PROVENANCE, SPEC, encode_provenance, resource
from runner.packing.pyz import make_pyz
from runner.packing.readme import readme_text
from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size
from verifier.core.frames import GROUP, Piece, plan_frames
from verifier.core.header import Headers, padding
from verifier.core.lists import (
    DATA,
    EVIDENCE,
    RAW,
    README,
    SUMS,
    TOOL,
    VERIFIER,
    VERIFIER_TOOL,
    FrameTable,
    Index,
)
from verifier.core.model import Blob, Component, KitInfo, Manifest
from verifier.typed import record

_STEP = 1 << 20


class SourceMoved(ValueError):
    """A file is not what it was a moment before."""


class SourceOther(ValueError):
    """A file is not what was recorded of it."""


@record(frozen=True)
class Source:
    """Where the contents of a member are.

    Attributes:
        data: They themselves; None for a file.
        path: The file.
        sha256: What they must have, in hexadecimal; empty for anything.
    """

    data: bytes | None = None
    path: str = ""
    sha256: str = ""

    def read(self) -> Iterator[bytes]:
        """Yield the contents in pieces.

        Raises:
            OSError: The host refuses, or it is a link.
        """
        if self.data is not None:
            yield self.data
            return
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            yield from iter(lambda: file.read(_STEP), b"")


def write_store(
    output: int,
    info: KitInfo,
    components: tuple[Component, ...],
    members: Mapping[str, Source],
    verifier: Mapping[str, bytes],
    chain: bytes,
    spec: tuple[bytes, str],
    sign: Callable[[bytes], Mapping[str, bytes]],
) -> Sealable:
    """Write a kit of stored members into an empty file, signed.

    Args:
        output: A descriptor of it, readable and writable.
        info: What the kit is.
        components: What its members belong to.
        members: The payload, from path to contents.
        verifier: The sources of the verifier, from path below ``verifier/``.
        chain: ``kit.roots.json``.
        spec: The spec that a builder would make it of, and the version of that builder.
        sign: Given the DSSE payload, returns signatures by keyid.

    Raises:
        TooLarge: A limit of FORMAT is passed.
        SourceMoved: A file changed meanwhile.
        SourceOther: A file is not what was recorded of it.
        OSError: The host refuses.
    """
    index, sources = _index(info, components, members, verifier, spec)
    sources[0] = Source(_sums(index))
    plan = plan_frames(index)
    empty = Blob(0, {"sha256": "0" * 64})
    draft = Manifest(
        kit=info,
        index=empty,
        frames=empty,
        roots=empty,
        page_size=0,
        built=built_with("", 0),
        subjects=(),
        components=components,
        exemptions=(),
    )
    draft, head = planned(draft, index, plan, chain)
    headers, table, at = Headers(info.mtime), FrameTable(), head.end
    stream = _Stream(index, sources)
    for frame in range(len(plan)):
        piece = plan[frame]
        content = bytearray().join(_content(piece, index, headers, stream))
        write_parts(output, raw_parts(memoryview(content)), at)
        at += raw_size(len(content))
        if frame >= plan.payload:
            big = piece.offset != GROUP and index.sizes[piece.first] >= limits.BOUND_BY_INDEX
            own = hashlib.sha256(content).digest() if big else None
            table.append(raw_size(len(content)), RAW, own)
    head.write_end(output, plan, table, at)
    made = head.write(output, headers, index, table, draft, chain, {})
    signatures = sign(made.payload)
    if signatures:
        made = head.write(output, headers, index, table, draft, chain, signatures)
    return made


def _index(
    info: KitInfo,
    components: tuple[Component, ...],
    members: Mapping[str, Source],
    verifier: Mapping[str, bytes],
    spec: tuple[bytes, str],
) -> tuple[Index, list[Source]]:
    """Return the members of the kit with their digests, and where their contents are."""
    payload = Index()
    data = _extend(payload, DATA, members)
    evidence = {
        path: Source(data) for path, data in own_evidence(info, components, payload, spec).items()
    }
    sources_of = {f"verifier/{path}": Source(data) for path, data in verifier.items()}
    classes: dict[int, Mapping[str, Source]] = {
        SUMS: {"SHA256SUMS": Source(b"")},
        README: {"README.txt": Source(readme_text(info).encode("utf-8"))},
        TOOL: {VERIFIER_TOOL.decode(): Source(make_pyz(verifier))},
        VERIFIER: sources_of,
        EVIDENCE: evidence,
    }
    index, sources = Index(), []
    for rank, found in classes.items():
        sources += _extend(index, rank, found)
    index.extend(DATA, payload.paths(0, len(payload)), payload.sizes, payload.executable)
    index.digests += payload.digests
    index.sizes[0] = index.sums_size()
    return index, sources + data


def _extend(index: Index, rank: int, found: Mapping[str, Source]) -> list[Source]:
    """Append members of one class with their digests; return where their contents are."""
    sources = []
    for path, name in sorted((path.encode("utf-8"), path) for path in found):
        size, digest = _measure(found[name])
        if found[name].sha256 not in ("", digest.hex()):
            raise SourceOther(f"{name} is not what was recorded of it")
        index.extend(rank, [path], [size], b"\0")
        index.digests += digest
        sources.append(found[name])
    return sources


def own_evidence(
    info: KitInfo, components: tuple[Component, ...], payload: Index, spec: tuple[bytes, str]
) -> dict[str, bytes]:
    """Return what a kit says of itself: its provenance, and the index of that (FORMAT 18).

    Args:
        info: What the kit is.
        components: What its members belong to.
        payload: An index that has its payload.
        spec: The spec that a builder would make it of, and the version of that builder.
    """
    from verifier.evidence.components import component_digest
    from verifier.evidence.index import PATH, write_index

    text, version = spec
    subjects = [
        resource(f"{item.id}@{item.version}", component_digest(payload, item))
        for item in components
    ]
    dependencies = [resource(SPEC, hashlib.sha256(text).hexdigest())]
    made = encode_provenance(info, subjects, dependencies, version)
    name = PROVENANCE.decode()
    return {name: made, PATH: write_index({name: made})}


def _measure(source: Source) -> tuple[int, bytes]:
    size, digest = 0, hashlib.sha256()
    for data in source.read():
        size += len(data)
        digest.update(data)
    return size, digest.digest()


def _sums(index: Index) -> bytes:
    """Return SHA256SUMS, and give it its digest."""
    text = b"".join(index.sums())
    index.digests[:32] = hashlib.sha256(text).digest()
    return text


class _Stream:
    """The contents of members, in order, held to the digests that the index has of them."""

    def __init__(self, index: Index, sources: list[Source]) -> None:
        self._index, self._sources = index, sources
        self._member, self._left = -1, 0
        self._pieces: Iterator[bytes] = iter(())
        self._rest, self._digest = b"", hashlib.sha256()

    def take(self, member: int, size: int) -> Iterator[bytes]:
        """Yield the next bytes of a member.

        Raises:
            SourceMoved: They are not what they were.
        """
        if member != self._member:
            self._member, self._left = member, self._index.sizes[member]
            self._pieces, self._rest = self._sources[member].read(), b""
            self._digest = hashlib.sha256()
        while size:
            self._rest = self._rest or next(self._pieces, b"")
            data, self._rest = self._rest[:size], self._rest[size:]
            if not data:
                raise SourceMoved(f"{self._index.path(member)} has become shorter")
            self._digest.update(data)
            size, self._left = size - len(data), self._left - len(data)
            yield data
        if not self._left and self._digest.digest() != self._index.digest(member):
            raise SourceMoved(f"{self._index.path(member)} has been changed")


def _content(piece: Piece, index: Index, headers: Headers, stream: _Stream) -> Iterator[bytes]:
    """Yield what a frame holds."""
    if piece.offset != GROUP:
        path, size = index.paths(piece.first, piece.last)[0], index.sizes[piece.first]
        if piece.offset == 0:
            yield headers(path, size, False)
        yield from stream.take(piece.first, piece.length)
        if piece.offset + piece.length == size:
            yield padding(size)
        return
    for member in range(piece.first, piece.last):
        path, size = index.paths(member, member + 1)[0], index.sizes[member]
        yield headers(path, size, False)
        yield from stream.take(member, size)
        yield padding(size)
