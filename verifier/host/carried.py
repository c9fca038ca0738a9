"""What a kit carries of evidence, and what that can be about: read off what was kept of it.

The rooms of evidence are imported when a policy has requirements, or for an audit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

from verifier.catch import NOT_DECODED, TOO_LARGE, Caught, Sha512
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.model import Component
from verifier.core.pipeline import Opened
from verifier.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.evidence.images import Layout
    from verifier.evidence.judgement import Contents, Document
    from verifier.evidence.judgement import Facts as KitFacts

_LAYOUT = b"/oci-layout\n"  # a path and its end, as `Index.names` has them
_BLOBS = b"blobs/sha256"
_INDEX = b"index.json"
_HASHED = b".tgz"  # members whose SHA-512 is worked out: npm names packages by nothing else
_LOCK, _PROVENANCE = "evidence/kit.lock", "evidence/provenance.json"
_LOCKED = re.compile(rb'(?m)^(?:sha256|index|commit) = "([0-9a-f]{40,64})"\r?$')


def choose(opened: Opened) -> Iterator[int | Sha512]:
    """Yield the members that evidence may be in, or that say what it is about."""
    index = opened.index
    assert index is not None
    yield from range(index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1])
    for prefix in layouts_in(index):
        at = index.find(prefix + _INDEX)
        if at is not None:
            yield at
        yield from _small_blobs(index, prefix)
    yield from map(Sha512, _hashed(index))


def _hashed(index: Index) -> Iterator[int]:
    """Yield the members whose SHA-512 is worked out, whatever their size."""
    for rank, first, last in index.runs():
        if rank == DATA:
            for member, path in enumerate(index.paths(first, last), first):
                if path.endswith(_HASHED):
                    yield member


def layouts_in(index: Index) -> Iterator[bytes]:
    """Yield the directory of each image layout in the payload, with a final ``/``."""
    at = index.names.find(_LAYOUT, index.offsets[index.bounds[DATA]])
    while at >= 0:
        first = index.names.rfind(b"\n", 0, at) + 1
        yield bytes(index.names[first : at + 1])
        at = index.names.find(_LAYOUT, at + 1)


def _blobs(index: Index, prefix: bytes) -> Iterator[int]:
    for run in index.below(prefix + _BLOBS):
        yield from run


def _small_blobs(index: Index, prefix: bytes) -> Iterator[int]:
    from verifier.evidence.images import MAX_BLOB

    return (member for member in _blobs(index, prefix) if index.sizes[member] <= MAX_BLOB)


def index_of(opened: Opened, caught: Caught) -> bytes:
    """Return the index of the evidence.

    Raises:
        EvidenceTooLarge: It is above a limit.
        EvidenceUnread: It was not read.
    """
    from verifier.evidence.index import PATH

    assert opened.index is not None
    member = opened.index.find(PATH.encode())
    assert member is not None  # the manifest names it, and the core has compared its digest
    document = _document(opened.index, member, caught)
    if document.data is None:
        raise document.unread()
    return document.data


def documents_of(opened: Opened, caught: Caught) -> Iterator[Document]:
    """Yield the evidence of a kit, but for its index."""
    from verifier.evidence.index import PATH

    index = opened.index
    assert index is not None
    for member in range(index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1]):
        if index.path(member) != PATH:
            yield _document(index, member, caught)


def _document(index: Index, member: int, caught: Caught) -> Document:
    from verifier.evidence.judgement import Document

    path = index.path(member)
    data = caught.data.get(path)
    why = caught.missed.get(path, "") if data is None else ""
    above = bool(why) and why != NOT_DECODED
    return Document(path, index.digest(member).hex(), data, why=why, above=above)


def read_layouts(opened: Opened, caught: Caught) -> Iterator[Layout]:
    """Yield the image layouts of a kit, with what is looked into of each."""
    from verifier.evidence.images import MAX_BLOB, Layout

    index = opened.index
    assert index is not None
    for prefix in layouts_in(index):
        path = prefix.decode("utf-8")
        blobs, missed = {}, {}
        for member in _blobs(index, prefix):
            digest, name = index.digest(member).hex(), index.path(member)
            if index.sizes[member] > MAX_BLOB:
                missed[digest] = TOO_LARGE.format(MAX_BLOB)
            elif name in caught.data:
                blobs[digest] = caught.data[name]
            else:
                missed[digest] = caught.missed.get(name, "")
        yield Layout(path, caught.data.get(f"{path}index.json"), blobs, missed)


def unread_in(opened: Opened, caught: Caught, layout: Layout) -> Iterator[Document]:
    """Yield what of a layout would say which images and signatures it has, and was not read."""
    index = opened.index
    assert index is not None
    at = index.find(f"{layout.path}index.json".encode())
    if at is not None and layout.index is None:
        yield _document(index, at, caught)


def facts_of(opened: Opened, caught: Caught, layouts: Sequence[Layout], now: int) -> KitFacts:
    """Return what was proved of a kit, as far as evidence is about it."""
    from verifier.evidence.images import lists_of
    from verifier.evidence.judgement import Facts as KitFacts
    from verifier.evidence.judgement import Part

    manifest, index = opened.manifest, opened.index
    assert manifest is not None
    assert index is not None
    assert opened.kit_id is not None
    below: dict[str, Sequence[str]] = {}
    blobs = [item for layout in layouts for item in layout.blobs.items()]
    inside = (data for path, data in caught.data.items() if path.startswith("evidence/"))
    papers = [(hashlib.sha256(data).hexdigest(), data) for data in inside]
    for sha256, data in (*blobs, *papers):
        listed = lists_of(data)
        if listed:
            below[sha256] = listed
    sha512: dict[str, str] = {}
    why = ""
    for member in _hashed(index):
        digits = caught.sha512.get(index.path(member))
        if digits is not None:
            sha512[digits] = index.digest(member).hex()
        else:
            why = why or f"{index.path(member)!r} was not read: {NOT_DECODED}"
    parts = tuple(
        Part(item.id, bool(item.placeholder), _finder(index, item, layouts))
        for item in manifest.components
    )
    return KitFacts(
        opened.kit_id,
        opened.content_id or "",
        parts,
        below,
        sha512,
        why,
        _locked(caught),
        now,
    )


def _finder(
    index: Index, component: Component, layouts: Sequence[Layout]
) -> Callable[[], Contents]:
    return lambda: _contents(index, component, layouts)


def _contents(index: Index, component: Component, layouts: Sequence[Layout]) -> Contents:
    from verifier.evidence.components import component_digest, members_of
    from verifier.evidence.imagelist import images_in
    from verifier.evidence.judgement import Contents

    units: set[str] = set()
    also: set[str] = set()
    unread = ""
    inside = [layout.path.encode() for layout in layouts]
    for run in members_of(index, component):
        for member, path in enumerate(index.paths(run.start, run.stop), run.start):
            of_layout = any(path.startswith(prefix) for prefix in inside)
            (also if of_layout else units).add(index.digest(member).hex())
    for layout in layouts:
        here = any(
            layout.path.startswith(f"{path}/") or layout.path == f"{path}/"
            for path in component.paths
        )
        images = images_in(layout.index, layout.blobs.get) if here else []
        if images is None:
            unread = f"the index of the images in {layout.path!r} was not read, or is none"
        units.update(images or ())
    return Contents(component_digest(index, component), frozenset(units), frozenset(also), unread)


def _locked(caught: Caught) -> frozenset[str] | None:
    """Return the SHA-256 of what the kit's lock names; None if it carries none that was read."""
    found = None
    if _LOCK in caught.data:
        found = {digits.decode() for digits in _LOCKED.findall(caught.data[_LOCK])}
    if _PROVENANCE in caught.data:
        found = (found or set()) | set(_dependencies(caught.data[_PROVENANCE]))
    return None if found is None else frozenset(found)


def _dependencies(data: bytes) -> Iterator[str]:
    from verifier.evidence.conditions import dig, objects
    from verifier.evidence.foreign import NotForeign, read_foreign

    try:
        value = read_foreign(data)
    except NotForeign:
        return
    listed = dig(value, "predicate", "buildDefinition", "resolvedDependencies")
    for each in objects(listed):
        sha256 = dig(each, "digest", "sha256")
        if isinstance(sha256, str):
            yield sha256
