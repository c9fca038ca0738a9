"""The lists of the head: held to their signed digests, then read, then held to the manifest.

Nothing of a list is interpreted before all its bytes are those that were signed (FORMAT 12.1).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from verifier.core import limits
from verifier.core.container import Container, strip_head_member
from verifier.core.errors import DigestMismatch, FormatNewer, ListMalformed, ManifestMalformed
from verifier.core.frames import head_frames
from verifier.core.header import Headers
from verifier.core.lists import DATA, FRAMES_HEAD, INDEX_HEAD, SUMS, FrameTable, Index, IndexReader
from verifier.core.model import Blob, Manifest
from verifier.core.names import HEAD

EVIDENCE_INDEX = b"evidence/evidence.index"
_STEP = 256 << 10  # bytes of a list that are parsed at once: what they become fits in caches
_KNOWN = frozenset({"sha256", "sha512"})  # algorithms that are compared (FORMAT 9.3)


def check_blob(name: str, blob: Blob, pieces: Sequence[bytes | memoryview]) -> None:
    """Hold bytes to their size and to every digest that is known (FORMAT 9.3)."""
    if sum(map(len, pieces)) != blob.size:
        raise DigestMismatch(f"is not the {blob.size} bytes that were signed", where=name)
    for algorithm in sorted(_KNOWN.intersection(blob.digest)):
        state = hashlib.new(algorithm)
        for piece in pieces:
            state.update(piece)
        if state.hexdigest() != blob.digest[algorithm]:
            raise DigestMismatch(f"{algorithm} is not what was signed", where=name)


def _read_list(container: Container, name: str, blob: Blob, headers: Headers) -> list[memoryview]:
    """Return a head member in pieces, its digest compared: only then may it be interpreted."""
    contents = head_frames(512, blob.size)
    pieces = [container.read_raw_frame(content, name) for content in contents]
    strip_head_member(name, blob.size, pieces, headers)
    check_blob(name, blob, pieces)
    return pieces


def _whole_lines(name: str, pieces: list[memoryview]) -> Iterator[bytes]:
    """Yield the text in pieces that end at line ends, giving memory back on the way.

    The first piece is the first line alone.  What is left without a line end comes last.

    Raises:
        ListMalformed: A line is so long that it cannot be one.
    """
    rest = b""
    first = True
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        for start in range(0, len(piece), _STEP):
            text = rest + bytes(piece[start : start + _STEP])
            if first:
                cut = text.find(b"\n") + 1
                yield text[:cut]
                text, first = text[cut:], False
            cut = text.rfind(b"\n") + 1
            yield text[:cut]
            rest = text[cut:]
            if len(rest) >= _STEP:
                raise ListMalformed("a line has no end", where=name)
    if rest:
        yield rest


def _lines_of(
    container: Container, name: str, blob: Blob, headers: Headers, first_line: bytes
) -> Iterator[bytes]:
    """Yield the lines of a list behind its first, which must be ``first_line``.

    Raises:
        FormatNewer: Its first line is that of a later version.
        ListMalformed: Its first line is anything else, or there is none.
    """
    lines = _whole_lines(name, _read_list(container, name, blob, headers))
    first = next(lines, b"")
    if first != first_line:
        newer = re.fullmatch(re.escape(first_line[:-2]) + rb"[1-9][0-9]{0,8}\n", first)
        kind = FormatNewer if newer else ListMalformed
        raise kind(f"the first line is not {first_line!r}", where=name)
    return lines


def read_table(container: Container, manifest: Manifest, headers: Headers) -> FrameTable:
    table = FrameTable()
    for text in _lines_of(container, HEAD[3], manifest.frames, headers, FRAMES_HEAD):
        table.feed(text)
    return table


def read_index(container: Container, manifest: Manifest, headers: Headers) -> tuple[Index, str]:
    """Return the index and the contentId; SHA256SUMS is held to it on the way (FORMAT 6.7)."""
    subject = manifest.subjects[1]
    reader = IndexReader(_KNOWN.intersection(subject.digest))
    for text in _lines_of(container, HEAD[2], manifest.index, headers, INDEX_HEAD):
        reader.feed(text)
    index, sums = reader.finish(), reader.sums
    at = index.bounds[SUMS]
    if sums["sha256"].digest() != index.digest(at) or index.sizes[at] != index.sums_size():
        raise ListMalformed("SHA256SUMS is not the one that follows from the index", where=HEAD[2])
    if any(state.hexdigest() != subject.digest[name] for name, state in sums.items()):
        raise ManifestMalformed(
            "subject SHA256SUMS has another digest than kit.index", where="manifest"
        )
    return index, reader.content.hexdigest()


def check_index(index: Index, manifest: Manifest) -> None:
    """Hold the index to the limits and to the components of the manifest (FORMAT 9.4, 9.5)."""
    if sum(index.sizes) > limits.MAX_STREAM:
        raise ListMalformed("the members are larger than any kit may be", where=HEAD[2])
    _check_named(index, manifest)
    covered = 0
    for component in manifest.components:
        for path in component.paths:
            count = sum(map(len, index.below(path.encode("utf-8"))))
            if not count and not component.placeholder:
                raise ManifestMalformed(f"component path {path!r} is empty", where="manifest")
            covered += count
    if covered != index.count(DATA):
        raise ManifestMalformed(
            f"{index.count(DATA) - covered} members belong to no component", where="manifest"
        )


def _check_named(index: Index, manifest: Manifest) -> None:
    """Hold what the manifest says of members by their names to their lines (FORMAT 9.4)."""
    evidence = manifest.evidence_index
    if evidence is not None:
        at = index.find(EVIDENCE_INDEX)
        line = None if at is None else (index.sizes[at], index.digest(at).hex())
        if line != (evidence.size, evidence.digest["sha256"]):
            raise ManifestMalformed(
                f"'predicate.evidenceIndex' is not {EVIDENCE_INDEX.decode()!r} of kit.index",
                where="manifest",
            )
    for subject in manifest.subjects[2:]:
        at = index.find(subject.name.encode("utf-8"))
        if at is not None and index.digest(at).hex() != subject.digest["sha256"]:
            raise ManifestMalformed(
                f"subject {subject.name!r} has another digest than kit.index", where="manifest"
            )
