"""Whether the SBOMs of a spec describe what its kit carries: files and images, both ways."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from kit.errors import SourceChanged, show
from kit.sbom.check import check_file
from kit.sbom.errors import SbomCoverage, SbomLinkBroken, SbomRefused
from kit.sources.inputs import Inputs
from kit.spec import KitSpec
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.evidence.coverage import (
    Coverage,
    Exempt,
    Link,
    Uncovered,
    compare,
    units,
)
from verifier.evidence.imagelist import ReadBlob, images_in
from verifier.evidence.links import why_broken
from verifier.evidence.sbom import Sbom

MAX_SHOWN = 20  # files named in one message; the rest is counted
MAX_LAYOUT_INDEX = 4 << 20  # bytes of an index.json, or a manifest, that are read
_LAYOUT = "/oci-layout"


@dataclass(frozen=True)
class Document:
    """An SBOM of the spec that was found good.

    Attributes:
        path: Where it will lie in the kit.
        sha256: Of its bytes as they were judged.
    """

    path: str
    sha256: str
    sbom: Sbom


def load_documents(spec: KitSpec) -> list[Document]:
    """Judge every SBOM of a spec, before anything is built.

    Raises:
        SbomRefused: One of them is bad, or cannot cover anything; all of them are named.
    """
    refused: list[str] = []
    documents = []
    for entry in spec.sboms:
        checked = check_file(spec.base / entry.file, for_kit=True)
        refused += [str(error) for error in checked.errors]
        if checked.sbom is not None:
            digest = hashlib.sha256(checked.data).hexdigest()
            documents.append(Document(entry.kit_path, digest, checked.sbom))
    if refused:
        raise SbomRefused(refused)
    return documents


def judge_coverage(spec: KitSpec, documents: list[Document], inputs: Inputs) -> Coverage:
    """Compare the SBOMs of a spec with what was written into the kit.

    Raises:
        SourceChanged: A document is another one than was judged.
        SbomLinkBroken: A link of the spec does not hold.
        SbomCoverage: The spec demands that everything is covered, and something is not.
    """
    index = inputs.index
    for document in documents:
        member = index.find(document.path.encode())
        if member is None or index.digest(member).hex() != document.sha256:
            raise SourceChanged("was written to while the kit was built", where=document.path)
    _check_links(spec, documents, index)
    wanted = {
        bytes.fromhex(element.sha256)
        for document in documents
        for element in document.sbom.described()
    }
    members = chain(_members(index, DATA), _members(index, EVIDENCE))
    carried = wanted.intersection(map(index.digest, members))
    found = compare(
        units(inputs.index, _layouts(inputs), [(item.path, item.what) for item in spec.components]),
        [(document.path, document.sbom) for document in documents],
        Exempt(path for entry in spec.exemptions for path in entry.paths),
        lambda sha256: bytes.fromhex(sha256) in carried,
    )
    if spec.kit.coverage == "require" and (found.uncovered or found.absent):
        raise SbomCoverage(list(describe(found)), where=spec.where("kit", "coverage"))
    return found


def _check_links(spec: KitSpec, documents: list[Document], index: Index) -> None:
    """Hold each ``[[sbom.link]]`` to document and kit (element to member)."""
    broken = []
    for number, (entry, document) in enumerate(zip(spec.sboms, documents, strict=True)):
        elements = {element.id: element for element in document.sbom.elements}
        for at, link in enumerate(entry.links):
            why = why_broken(elements.get(link.element), link.member, index)
            if why:
                where = spec.where("sbom", number, "link", at)
                broken.append(f"{where}: {entry.file}: {link.element!r} {why}")
    if broken:
        raise SbomLinkBroken(broken)


def describe(found: Coverage) -> Iterator[str]:
    """Yield a line for each thing that is not covered or not there, the first ones of each."""
    yield from _lines([_uncovered(one) for one in found.uncovered[:MAX_SHOWN]], found.uncovered)
    yield from _lines([_absent(one) for one in found.absent[:MAX_SHOWN]], found.absent)


def _lines(shown: list[str], all_: tuple[object, ...]) -> Iterator[str]:
    yield from shown
    if len(all_) > len(shown):
        yield f"and {len(all_) - len(shown)} more"


def _uncovered(one: Uncovered) -> str:
    line = f"{show(one.unit.path)} is described by no SBOM"
    if one.named_by is None:
        return line
    element = one.named_by.element
    given = "another SHA-256" if element.sha256 else ", ".join(sorted(element.digests)).upper()
    gives = f"gives {given} for it" if given else "gives no digest for it"
    return f"{line}: {one.named_by.document} {element.place} {gives}"


def _absent(link: Link) -> str:
    element = link.element
    return f"{link.document} is about {element.name!r}, and the kit has no {element.sha256}"


def _members(index: Index, rank: int) -> range:
    return range(index.bounds[rank], index.bounds[rank + 1])


# --- images ----------------------------------------------------------------------------------


def _layouts(inputs: Inputs) -> dict[str, list[str]]:
    """Return each directory that is an OCI layout, with the SHA-256 of the images in it."""
    index = inputs.index
    found: dict[str, list[str]] = {}
    for member in _members(index, DATA):
        path = index.path(member)
        if path.endswith(_LAYOUT):
            directory = path[: -len(_LAYOUT) + 1]
            images = images_in(_small(inputs, f"{directory}index.json"), _blobs(inputs, directory))
            if images is not None:
                found[directory] = images
    return found


def _blobs(inputs: Inputs, directory: str) -> ReadBlob:
    return lambda digest: _small(inputs, f"{directory}blobs/sha256/{digest}")


def _small(inputs: Inputs, path: str) -> bytes | None:
    """Return a member that may be an index or a manifest; None if it is not there, or is large."""
    member = inputs.index.find(path.encode())
    if member is None or inputs.index.sizes[member] > MAX_LAYOUT_INDEX:
        return None
    buffer = bytearray(inputs.index.sizes[member] + 1)
    inputs.read_whole(member, path.encode(), memoryview(buffer))
    return bytes(buffer[:-1])
