"""What a signer who does not have the kit can know of it, in words and as values."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from kit.container.pyz import make_pyz, verifier_files, verifier_tool
from kit.review.head import Head
from verifier.core.lists import (
    CLASSES,
    DATA,
    EVIDENCE,
    SIG,
    VERIFIER,
    ZSTD,
    FrameTable,
    Index,
)
from verifier.core.model import Component
from verifier.core.names import quoted
from verifier.show.difftext import left_behind
from verifier.show.fingerprint import fingerprint, groups

CHECKED = (
    "the page, the manifest and the root chain have their one spelling and belong together",
    "every signature there is so far is good",
    "kit.index and kit.frames have the digests that would be signed, and obey the format",
    "SHA256SUMS and the cut into frames follow from the index",
    "every member of the payload belongs to exactly one component",
)
NOT_SEEN = (
    "the contents of any member: only their digests and sizes are here",
    "that the compressed frames decode to the index; `seal` and full verification read them",
)


@dataclass(frozen=True)
class Part:
    """A component with what the index has for it."""

    component: Component
    members: int
    size: int


@dataclass(frozen=True)
class Seen:
    """What a head says, counted.

    Attributes:
        parts: The components.
        counts: Members by class.
        payload: Bytes of class ``data``.
        frames: Frames of the payload, and how many of them are compressed.
        own_verifier: Whether the kit's verifier is the one that this program would put into it.
        tool: SHA-256 of the kit's ``kit-verify.pyz``.
    """

    head: Head
    parts: tuple[Part, ...]
    counts: dict[str, int]
    payload: int
    frames: tuple[int, int]
    own_verifier: bool
    tool: str


def see(head: Head, index: Index, table: FrameTable) -> Seen:
    """Count what a proved head says."""
    parts = []
    for component in head.manifest.components:
        runs = [run for path in component.paths for run in index.below(path.encode("utf-8"))]
        size = sum(sum(index.sizes[run.start : run.stop]) for run in runs)
        parts.append(Part(component, sum(map(len, runs)), size))
    return Seen(
        head=head,
        parts=tuple(parts),
        counts={name.decode(): index.count(rank) for rank, name in enumerate(CLASSES)},
        payload=sum(index.sizes[index.bounds[DATA] :]),
        frames=(len(table), table.kinds.count(ZSTD)),
        own_verifier=_is_own_verifier(index),
        tool=index.digest(verifier_tool(index)).hex(),
    )


def _is_own_verifier(index: Index) -> bool:
    """Whether ``kit-verify.pyz`` and ``verifier/`` are those of this program, file by file."""
    files = verifier_files()
    first, last = index.bounds[VERIFIER], index.bounds[VERIFIER + 1]
    there = {path: index.digest(first + at) for at, path in enumerate(index.paths(first, last))}
    there[b"kit-verify.pyz"] = index.digest(verifier_tool(index))
    return there == _digests(tuple(files.items()))


@functools.lru_cache(maxsize=1)  # whoever reviews two kits compares both with one verifier
def _digests(files: tuple[tuple[str, bytes], ...]) -> dict[bytes, bytes]:
    here = {f"verifier/{name}".encode(): _sha256(data) for name, data in files}
    here[b"kit-verify.pyz"] = _sha256(make_pyz(dict(files)))
    return here


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def words(seen: Seen) -> Iterator[str]:
    """Yield lines that tell a signer what a signature over this kit would be about."""
    head, info = seen.head, seen.head.manifest.kit
    yield f"{info.name} {info.version}: {quoted(info.summary)}"
    yield f"line {info.line}, sequence {info.sequence}, created {info.created}, " + (
        f"expires {info.expires}" if info.expires else "does not expire"
    )
    if info.supersedes:
        yield f"supersedes {', '.join(info.supersedes)}"
    yield "kitId, which a signature is over; read it aloud, digit by digit:"
    yield f"  {groups(head.kit_id)}"
    yield f"contentId {head.content_id}"
    yield ""
    yield from _payload(seen)
    yield from _root(head)
    yield ""
    yield "checked here:"
    yield from (f"  {item}" for item in CHECKED)
    yield "not seen here:"
    yield from (f"  {item}" for item in NOT_SEEN)


def _payload(seen: Seen) -> Iterator[str]:
    manifest = seen.head.manifest
    frames, compressed = seen.frames
    yield f"payload: {_count(seen.counts['data'], 'member')}, {_count(seen.payload, 'byte')}"
    yield f"  in {_count(frames, 'frame')}, {compressed} of them compressed, by " + (
        f"{quoted(manifest.built.compressor)} as its builder says"
    )
    for part in seen.parts:
        item = part.component
        what = f"{_count(part.members, 'member')}, {_count(part.size, 'byte')}"
        what += f", for {quoted(item.lands)}"
        if item.placeholder:
            what = f"empty for now: {quoted(item.placeholder)}"
        yield f"  {item.id} {quoted(item.version)}: {what}"
    for subject in manifest.subjects[2:]:
        yield f"  primary artifact {quoted(subject.name)}: sha256 {subject.digest['sha256']}"
    yield f"evidence: {_count(seen.counts[CLASSES[EVIDENCE].decode()], 'member')}"
    for exemption in manifest.exemptions:
        paths = _count(len(exemption.paths), "path")
        yield f"exempt from later checks: {paths}, {quoted(exemption.reason)}"
    if manifest.requires:
        yield f"needs a verifier that knows {', '.join(map(quoted, manifest.requires))}"
    if manifest.unknown:
        yield f"fields that this version does not know: {', '.join(map(quoted, manifest.unknown))}"
    signed = "is" if seen.counts[CLASSES[SIG].decode()] else "is not"
    yield f"SHA256SUMS {signed} signed for stock tools"
    if seen.own_verifier:
        yield "the verifier in it is the one that this offline-kit makes, byte for byte"
    else:
        yield "ATTENTION: the verifier in it is not the one that this offline-kit makes: find out"
        yield "  which version made the kit, and compare with what that version makes"
    yield f"  kit-verify.pyz {seen.tool}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _root(head: Head) -> Iterator[str]:
    root = head.root
    role = root.targets
    yield f"root of trust: version {root.version}, expires {root.expires}, sha256 of its root.json:"
    yield f"  {groups(hashlib.sha256(root.line).hexdigest())}"
    first = head.chain[0].version
    carried = "no older version" if first == root.version else f"the versions from {first} on"
    yield f"  the kit carries {carried}{left_behind(head.chain)}"
    names = ", ".join(map(quoted, role.signers()))
    yield f"  a kit needs {role.threshold} of {names}; SHA-256 of their public keys:"
    for key in sorted(role.keys.values(), key=lambda key: (key.signer, key.keyid)):
        yield f"  {quoted(key.signer)}, {key.scheme}"
        yield f"    {groups(fingerprint(key))}"
    signing = head.signing
    yield f"signed so far by {', '.join(map(quoted, signing.signers)) or 'nobody'}"
    for keyid, scheme in signing.not_evaluated.items():
        yield f"  and by key {quoted(keyid)}, whose scheme {quoted(scheme)} is not evaluated"
