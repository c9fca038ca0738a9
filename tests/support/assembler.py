"""Puts a kit together part by part, and lets every part be wrong and still be signed.

`assemble` goes through the stages of FORMAT in the order in which they depend on each other; what
a stage made can be exchanged before the next one uses it.  So a fault lies behind good signatures,
digests and sizes, and is reached by whoever reads as far as that.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import zstandard

from tests.support import naive
from tests.support.naive import Entry
from tests.support.people import chain, compact, person, root_line

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MTIME = 1795478400  # 2026-11-24T00:00:00Z

Hooks = Mapping[str, Callable[[Any], Any]]
"""From the name of a stage to what is done with what the stage made; see `assemble`."""

README = Entry(b"README.txt", b"a vector; see fixtures/vectors/README.md\n", b"readme")
TOOL = Entry(b"kit-verify.pyz", b"not a program: a vector\n", b"tool")
RUNNER = Entry(b"kit-run.pyz", b"not a program either: a vector\n", b"tool")
VERIFIER = Entry(b"verifier/__init__.py", b"", b"verifier")
OWN = (README, TOOL, VERIFIER)
TOOLS = (
    Entry(b"tools/doc.txt", b"read me\r\nno line end at the end"),
    Entry(b"tools/run", b"#!/bin/sh\necho {{ name }} $HOME ~\n", mode=b"0755"),
)


@dataclass
class Frame:
    """A payload frame and what its line in the frame table says.

    Attributes:
        data: The bytes in the file.
        digest: None for the dashes.
        stored: What the line says the size is; None for what it is.
    """

    kind: bytes
    data: bytes
    digest: bytes | None
    stored: int | None = None

    @property
    def line(self) -> bytes:
        """The line in ``kit.frames``."""
        size = len(self.data) if self.stored is None else self.stored
        return naive.table_line(size, self.kind, self.digest)


@dataclass
class Part:
    """A member on its way into the tar stream."""

    header: bytes
    data: bytes
    padding: bytes
    payload: bool = False

    @property
    def whole(self) -> bytes:
        """All its tar bytes."""
        return self.header + self.data + self.padding


@dataclass(frozen=True)
class Draft:
    """What a kit is made of before anything is computed.

    Attributes:
        members: All but ``SHA256SUMS`` and its signature, in the order of the archive.
        level: zstd level; 0 for raw frames only.
        signers: Test keys that sign the page.
        chain: ``kit.roots.json``.
        sums_key: Test key that signs ``SHA256SUMS``; empty for none.
        components: None for one component with everything below ``tools``.
        plain: Whether the tar stream alone is wanted.
    """

    members: Sequence[Entry] = (*OWN, *TOOLS)
    level: int = 0
    signers: Sequence[str] = ("alice", "bob")
    chain: bytes = field(default_factory=lambda: chain(root_line()))
    sums_key: str = ""
    plain: bool = False
    page_size: int = 65536
    kit: Mapping[str, Any] = field(default_factory=dict)
    components: Sequence[Mapping[str, Any]] | None = None

    def with_data(self, *entries: Entry) -> Draft:
        """Return the draft with this payload, sorted, under the components of first parts."""
        data = sorted(entries, key=lambda entry: entry.path)
        firsts = {entry.path.split(b"/")[0] for entry in data}
        own = [entry for entry in self.members if entry.kind != b"data"]
        made = [component(f"c{i}", first.decode()) for i, first in enumerate(sorted(firsts))]
        return replace(self, members=(*own, *data), components=tuple(made))


def component(name: str, *paths: str, **more: Any) -> dict[str, Any]:
    """Return a component of the manifest."""
    return {"id": name, "version": "1", "paths": list(paths), "lands": f"/opt/{name}", **more}


def blob(data: bytes) -> dict[str, Any]:
    """Return size and digest."""
    return {"size": len(data), "digest": {"sha256": hashlib.sha256(data).hexdigest()}}


def pae(payload: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    """Return DSSE's pre-authentication encoding (FORMAT 4.4)."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def b64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode("ascii")


def zstd(content: bytes, level: int = 3, **parameters: Any) -> bytes:
    """Return a zstd frame with content size and checksum, as FORMAT 2.2 wants it.

    Args:
        parameters: Of `zstandard.ZstdCompressionParameters.from_level`, to make others.
    """
    chosen = {"write_checksum": True, "write_content_size": True, **parameters}
    made = zstandard.ZstdCompressionParameters.from_level(level, source_size=len(content), **chosen)
    return zstandard.ZstdCompressor(compression_params=made).compress(content)


def packed(content: bytes, level: int) -> Frame:
    """Return the payload frame that FORMAT 8.5 makes of a content, but for mixed members."""
    if level:
        data = zstandard.ZstdCompressor(
            level=level, write_checksum=True, write_content_size=True
        ).compress(content)
        if 100 * len(data) <= 97 * len(content):
            return z_frame(data)
    return Frame(b"r", naive.raw_frame(content), None)


def z_frame(data: bytes) -> Frame:
    """Return a frame of kind ``z`` with these bytes."""
    return Frame(b"z", data, hashlib.sha256(data).digest())


def mtime_of(created: str) -> int:
    """Return the seconds of ``created``."""
    moment = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return int(moment.timestamp())


class _Run:
    """One run of `assemble`."""

    def __init__(self, draft: Draft, hooks: Hooks) -> None:
        self.draft = draft
        self._hooks = dict(hooks)
        self.kit = {
            "name": "vector",
            "version": "1",
            "line": "vectors/stable",
            "sequence": 1,
            "created": "2026-11-24T00:00:00Z",
            "summary": "a kit for verifiers to be tried with",
            **draft.kit,
        }
        self.mtime = MTIME if "created" not in draft.kit else mtime_of(draft.kit["created"])

    def stage(self, name: str, value: Any) -> Any:
        """Return what a hook makes of a value, or the value."""
        hook = self._hooks.pop(name, None)
        return value if hook is None else hook(value)

    def unused(self) -> list[str]:
        """Return the hooks that no stage has called: misspelt ones."""
        return sorted(self._hooks)

    def entries(self) -> list[Entry]:
        """Return all members behind the head."""
        members: list[Entry] = list(self.stage("members", list(self.draft.members)))
        sums = Entry(b"SHA256SUMS", self.stage("sums", naive.sums_text(members)), b"sums")
        own = [sums]
        if self.draft.sums_key:
            signature = person(self.draft.sums_key).sign(sums.data)
            own.append(Entry(b"SHA256SUMS.sig", b64(signature).encode(), b"sig"))
        entries: list[Entry] = self.stage("entries", own + members)
        return entries

    def parts(self, entries: Sequence[Entry]) -> list[Part]:
        """Return the members as pieces of tar."""
        made = []
        for entry in entries:
            size = len(entry.data)
            header = naive.headers(entry.path, size, entry.mode == b"0755", self.mtime)
            made.append(Part(header, entry.data, naive.pad(size), entry.kind == b"data"))
        parts: list[Part] = self.stage("parts", made)
        return parts

    def contents(self, parts: Sequence[Part]) -> tuple[list[bytes], list[bytes]]:
        """Return the contents of the frames of the first members and of the payload."""
        shapes = [(len(p.header), len(p.data), len(p.padding), p.payload) for p in parts]
        frames, first = naive.cut(shapes)
        made = [b"".join(parts[s.member].whole[s.start : s.end] for s in frame) for frame in frames]
        contents: list[bytes] = self.stage("contents", made)
        self.lanes = [frame[0].member for frame in frames][first:]  # which member it is part of
        return contents[:first], contents[first:]

    def payload(self, contents: Sequence[bytes]) -> list[Frame]:
        """Return the payload frames with their lines (FORMAT 8.5)."""
        made = [packed(content, self.draft.level) for content in contents]
        mixed = {lane for lane, frame in zip(self.lanes, made, strict=True) if frame.kind == b"z"}
        for lane, frame, content in zip(self.lanes, made, contents, strict=True):
            if frame.kind == b"r" and lane in mixed:
                frame.digest = hashlib.sha256(content).digest()
        frames: list[Frame] = self.stage("encode", made)
        return frames

    def statement(self, index: bytes, sums: bytes, table: bytes, roots: bytes) -> bytes:
        """Return the DSSE payload (FORMAT 9)."""
        first = {"name": "kit.index", "digest": blob(index)["digest"]}
        second = {"name": "SHA256SUMS", "digest": blob(sums)["digest"]}
        components = self.draft.components
        if components is None:
            components = [component("tools", "tools")]
        predicate = {
            "kit": self.kit,
            "index": blob(index),
            "frames": blob(table),
            "roots": blob(roots),
            "components": list(components),
            "exemptions": [],
            "requires": [],
            "pageSize": self.draft.page_size,
            "built": {"compressor": "none", "level": 0, "rules": "offline-kit-frames/1"},
        }
        value = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": "https://offline-kit.example/kit/v1",
            "subject": [first, second],
            "predicate": predicate,
        }
        payload: bytes = self.stage("payload", compact(self.stage("statement", value)))
        return payload

    def page(self, payload: bytes) -> bytes:
        """Return the signed page (FORMAT 4)."""
        message = self.stage("message", pae(payload))
        made = sorted((person(n).keyid, person(n).sign(message)) for n in self.draft.signers)
        signatures = self.stage("signatures", made)
        envelope = {
            "payload": b64(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": keyid, "sig": b64(sig)} for keyid, sig in signatures],
        }
        text = self.stage("text", compact(self.stage("envelope", envelope)))
        page: bytes = self.stage("page", text.ljust(self.draft.page_size, b" "))
        return page


def assemble(draft: Draft | None = None, /, **hooks: Callable[[Any], Any]) -> bytes:
    """Return a kit; each keyword changes what a stage made, and what follows is made to fit.

    The stages, each with what its hook is given and gives back:

    * ``members`` (list of `Entry`), ``sums`` (bytes), ``entries`` (all members), ``index`` (bytes)
    * ``parts`` (list of `Part`), ``contents`` (list of bytes, one a frame behind the head)
    * ``encode`` (list of `Frame`, the payload's), ``table`` (bytes), ``roots`` (bytes)
    * ``statement`` (object), ``payload`` (bytes), ``message`` (bytes that are signed),
      ``signatures`` (list of keyid and signature), ``envelope`` (object), ``text`` (bytes),
      ``page`` (bytes)
    * ``head`` (list of four `Part`), ``frames`` (list of bytes: every frame of the file but the
      seek table), ``seek`` (bytes), ``file`` (bytes); of a plain kit only ``head`` and ``file``

    What is changed from ``index`` on is still covered by the signatures, up to ``page``; what is
    changed behind it is not.

    Raises:
        ValueError: A keyword is no stage.
    """
    run = _Run(draft or Draft(), hooks)
    entries = run.entries()
    index = run.stage("index", naive.index_text(entries))
    first, rest = run.contents(run.parts(entries))
    payload_frames = run.payload(rest)
    table = run.stage(
        "table", b"offline-kit-frames/1\n" + b"".join(frame.line for frame in payload_frames)
    )
    roots = run.stage("roots", run.draft.chain)
    sums = next((entry.data for entry in entries if entry.kind == b"sums"), b"")
    page = run.page(run.statement(index, sums, table, roots))
    names = (b"kit.dsse.json", b"kit.roots.json", b"kit.index", b"kit.frames")
    head = [
        Part(naive.headers(name, len(data), False, run.mtime), data, naive.pad(len(data)))
        for name, data in zip(names, (page, roots, index, table), strict=True)
    ]
    head = run.stage("head", head)
    file = run.stage("file", _file(run, head, first, rest, payload_frames))
    if run.unused():
        raise ValueError(f"no such stage: {run.unused()}")
    kit: bytes = file
    return kit


def _file(
    run: _Run,
    head: Sequence[Part],
    first: Sequence[bytes],
    rest: Sequence[bytes],
    payload_frames: Sequence[Frame],
) -> bytes:
    if run.draft.plain:
        return b"".join([*(part.whole for part in head), *first, *rest, bytes(1024)])
    cuts = [
        part.whole[span.start : span.end]
        for part in head
        for (span,) in naive.cut_big(0, len(part.header), len(part.data), len(part.padding))
    ]
    raw = [*cuts, *first]
    frames = [naive.raw_frame(content) for content in raw]
    frames += [frame.data for frame in payload_frames]
    frames.append(naive.raw_frame(bytes(1024)))
    contents = [*map(len, raw), *map(len, rest), 1024]
    seek = naive.seek_table(list(zip(map(len, frames), contents, strict=True)))
    frames = run.stage("frames", frames)
    made: bytes = run.stage("seek", seek)
    return b"".join(frames) + made


def boundaries(kit: bytes) -> list[tuple[int, int]]:
    """Return where each frame of a good kit begins and ends, found through its seek table."""
    (count,) = struct.unpack("<I", kit[-9:-5])
    at, found = 0, []
    for entry in range(count):
        (stored,) = struct.unpack_from("<I", kit, len(kit) - 9 - 8 * (count - entry))
        found.append((at, at + stored))
        at += stored
    return found
