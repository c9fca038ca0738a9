"""Which element of which SBOM describes which member, as a spec says it outright (FORMAT 18.5).

A builder writes the links of a spec into one document; builder and operator hold them to SBOMs and
index by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from verifier.core.errors import KitError
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.lists import Index
from verifier.core.names import parse_member_path
from verifier.evidence.errors import SbomLinkFalse, SbomLinkUnchecked
from verifier.evidence.foreign import NotForeign
from verifier.evidence.sbom import Element, NotAnSbom, parse_sbom
from verifier.typed import record

PATH = "evidence/sbom-links.json"
BELOW = "evidence/sbom/"  # where the SBOMs of a spec lie
TYPE = "https://offline-kit.example/sbom-links/v1"
MAX_LINKS = 100_000  # of one kit
_FIELDS = ("document", "element", "member")


@record(frozen=True)
class SbomLink:
    """An element that describes a member.

    Attributes:
        document: The SBOM, by its path in the kit.
        element: Its id in the document: SPDXID, spdxId or bom-ref.
        member: The file, by its path in the kit.
    """

    document: str
    element: str
    member: str


def encode_links(links: Iterable[SbomLink]) -> bytes:
    """Return the document that holds links, the same for the same links."""
    rows = sorted({(link.document, link.element, link.member) for link in links})
    return compact({"links": [dict(zip(_FIELDS, row)) for row in rows], "type": TYPE}) + b"\n"


def parse_links(data: bytes) -> list[SbomLink]:
    """Return the links in a document, which must be in its one spelling.

    Raises:
        NotStrict: It is none.
    """
    value = parse_compact(data[:-1] if data.endswith(b"\n") else data)
    if not isinstance(value, dict) or sorted(value) != ["links", "type"] or value["type"] != TYPE:
        raise NotStrict(f"is no object of links and type {TYPE!r}")
    entries = value["links"]
    if not isinstance(entries, list) or len(entries) > MAX_LINKS:
        raise NotStrict(f"'links' is no array of at most {MAX_LINKS}")
    links = []
    for entry in entries:
        if not isinstance(entry, dict) or sorted(entry) != sorted(_FIELDS):
            raise NotStrict("a link has other fields than document, element and member")
        if not all(isinstance(text, str) and text for text in entry.values()):
            raise NotStrict("a field of a link is no text")
        links.append(SbomLink(**entry))
    if encode_links(links) != data:
        raise NotStrict("its links are not sorted, or one is there twice")
    return links


def why_broken(element: Element | None, path: str, index: Index) -> str:
    """Return why an element does not describe a member; empty if it does."""
    if element is None:
        return "is no element of the document"
    if not element.sha256:
        return "has no SHA-256, and nothing else is compared"
    try:
        member = index.find(parse_member_path(path).encode())
    except KitError:
        member = None
    if member is None:
        return f"should describe {path!r}, which the kit does not carry"
    if index.digest(member).hex() != element.sha256:
        return f"should describe {path!r}, which has another SHA-256"
    return ""


def judge_links(
    index: Index, data: Mapping[str, bytes], missed: Mapping[str, str]
) -> Iterator[KitError]:
    """Yield what stands against the links of a kit.

    Args:
        index: The proved index.
        data: The proved documents by their paths in the kit, `PATH` among them.
        missed: Why others of them were not read.
    """
    if PATH not in data:
        yield SbomLinkUnchecked(missed.get(PATH, "it was not read"), where=PATH)
        return
    try:
        links = parse_links(data[PATH])
    except NotStrict as reason:
        yield SbomLinkFalse(str(reason), where=PATH)
        return
    documents: dict[str, list[SbomLink]] = {}
    for link in links:
        documents.setdefault(link.document, []).append(link)
    for path, its in documents.items():
        try:
            elements = _elements(path, index, data, missed, {link.element for link in its})
        except KitError as fault:
            yield fault
            continue
        for link in its:
            why = why_broken(elements.get(link.element), link.member, index)
            if why:
                yield SbomLinkFalse(f"{link.element!r} {why}", where=path)


def _elements(
    path: str,
    index: Index,
    data: Mapping[str, bytes],
    missed: Mapping[str, str],
    wanted: set[str],
) -> dict[str, Element]:
    """Return the elements of a document that are linked, by their ids.

    Raises:
        SbomLinkFalse: It is no SBOM of the kit, or has two of one id.
        SbomLinkUnchecked: It was not read.
    """
    if path not in data:
        if path in missed:
            raise SbomLinkUnchecked(missed[path], where=path)
        raise SbomLinkFalse("is linked, and is no SBOM of the kit", where=path)
    try:
        sbom = parse_sbom(data[path])
    except NotForeign as error:
        kind = SbomLinkUnchecked if error.too_large else SbomLinkFalse
        raise kind(f"{error} {error.place}".rstrip(), where=path) from None
    except NotAnSbom as error:
        raise SbomLinkFalse(str(error), where=path) from None
    found: dict[str, Element] = {}
    for element in sbom.elements:
        if element.id in wanted and found.setdefault(element.id, element) is not element:
            raise SbomLinkFalse(f"has two elements {element.id!r}", where=path)
    return found
