"""What a kit was made of, by what: a provenance of SLSA 1.0 over its components.

It is made while the kit is built, of nothing but the spec, the lock and the contents: no clock, no
host, no path, no compressor.  So a rebuild makes the same bytes, and kit signers vouch for it as
they do for all evidence.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit import __version__
from kit.sources.inputs import Inputs
from kit.sources.walk import LOCK_PATH
from runner.packing.provenance import Resource, encode_provenance, resource
from verifier.core.limits import BIG
from verifier.core.lists import Index
from verifier.core.model import Component, KitInfo
from verifier.evidence.components import component_digest, component_list, members_of
from verifier.evidence.foreign import NotForeign, read_foreign
from verifier.evidence.sbom import objects, text

if TYPE_CHECKING:
    from kit.sources.lockfile import Lock  # slow to load

_REF_NAME = "org.opencontainers.image.ref.name"
_MAX_INDEX = 4 << 20  # bytes of an index.json that are read
_PIECE = 4 << 20
_HEX = 64


@dataclass(frozen=True)
class Made:
    """What a provenance speaks of, but for the digests that only a build knows.

    Attributes:
        spec: Name and SHA-256 of the spec.
        lock: What was fetched; None if nothing was.
    """

    info: KitInfo
    components: Sequence[Component]
    spec: tuple[str, str]
    lock: Lock | None = None


class Provenance:
    """The provenance of a kit that is being built.

    Args:
        made: What it speaks of.
        inputs: What the kit will carry; the indexes of its images are read now.

    Attributes:
        draft: It as it will be, but for digests; what differs then differs in it too.
    """

    def __init__(self, made: Made, inputs: Inputs) -> None:
        self._made = made
        index = inputs.index
        self._components = [item for item in made.components if members_of(index, item)]
        self._images = [
            image for item in self._components for image in _images(item, inputs)
        ]  # in the order of components, then of names
        twins = _twins(self._components, inputs)
        zeros = {item.id: f"{twins[item.id]:0{_HEX}x}" for item in self._components}
        self.draft = self._encoded(zeros, "0" * _HEX)

    def make(self, index: Index) -> bytes:
        """Return it, when the payload has its digests."""
        digests = {item.id: component_digest(index, item) for item in self._components}
        lock = index.find(LOCK_PATH)
        return self._encoded(digests, index.digest(lock).hex() if lock is not None else "0" * _HEX)

    def _encoded(self, digests: dict[str, str], lock: str) -> bytes:
        subjects = [
            resource(f"{item.id}@{item.version}", digests[item.id]) for item in self._components
        ]
        dependencies = self._dependencies(lock)
        return encode_provenance(
            self._made.info, subjects + self._images, dependencies, __version__
        )

    def _dependencies(self, lock: str) -> Iterator[Resource]:
        yield resource(*self._made.spec)
        if self._made.lock is None:
            return
        yield resource(LOCK_PATH.decode().rpartition("/")[2], lock)
        for item in self._made.lock.artifacts:
            found = resource(item.path, item.sha256)
            if item.commit:
                found["digest"]["gitCommit"] = item.commit
            if item.purl:
                found["uri"] = item.purl
            yield found


def _images(component: Component, inputs: Inputs) -> Iterator[Resource]:
    """Yield the images of a component that is an image layout, as its index names them."""
    path = f"{component.paths[0]}/index.json".encode()
    member = inputs.index.find(path)
    size = inputs.index.sizes[member] if member is not None else 0
    if member is None or component.kind != "oci" or size > _MAX_INDEX:
        return
    try:
        value = read_foreign(read_member(inputs, member, path))
    except NotForeign:
        return  # the judge of kinds says so
    entries = value.get("manifests") if isinstance(value, dict) else None
    found: dict[str, Resource] = {}
    for _, entry in objects(entries):
        notes = entry.get("annotations")
        name = text(notes.get(_REF_NAME)) if isinstance(notes, dict) else ""
        digest = text(entry.get("digest"))
        if digest.startswith("sha256:") and len(digest) == 7 + _HEX:
            found.setdefault(digest, resource(f"{component.id}/{name}", digest[7:]))
    yield from found.values()


def _twins(components: Sequence[Component], inputs: Inputs) -> dict[str, int]:
    """Number components so that two have one number if they will have one digest.

    That is known of components with different names or sizes in them; the few others are read.
    """
    if len(components) == 1:
        return {components[0].id: 1}
    alike: dict[bytes, list[Component]] = defaultdict(list)
    index = inputs.index
    for item in components:
        shape = hashlib.sha256()
        for part in component_list(index, item):  # all its digests are zeros yet
            shape.update(part)
        alike[shape.digest()].append(item)
    numbers: dict[str, int] = {}
    known: dict[tuple[bytes, bytes], int] = {}
    for shape_digest, items in alike.items():
        for item in items:
            contents = _contents(item, inputs) if len(items) > 1 else b""
            number = known.setdefault((shape_digest, contents), len(known) + 1)
            numbers[item.id] = number
    return numbers


def _contents(component: Component, inputs: Inputs) -> bytes:
    state = hashlib.sha256()
    for run in members_of(inputs.index, component):
        for member, path in enumerate(inputs.index.paths(run.start, run.stop), run.start):
            for piece in _pieces(inputs, member, path):
                state.update(piece)
            state.update(b"%d\0" % inputs.index.sizes[member])
    return state.digest()


def read_member(inputs: Inputs, member: int, path: bytes) -> bytes:
    """Return the contents of a member that is not large."""
    return b"".join(bytes(piece) for piece in _pieces(inputs, member, path))


def _pieces(inputs: Inputs, member: int, path: bytes) -> Iterator[memoryview]:
    size = inputs.index.sizes[member]
    if size < BIG:
        buffer = memoryview(bytearray(size + 1))
        inputs.read_whole(member, path, buffer)
        yield buffer[:size]
        return
    for offset in range(0, size, _PIECE):
        want = min(_PIECE, size - offset)
        last = offset + want == size
        buffer = memoryview(bytearray(want + last))
        inputs.read_piece(member, path, offset, buffer, last=last)
        yield buffer[:want]
