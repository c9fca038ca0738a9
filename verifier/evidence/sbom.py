"""Reads SBOMs: which elements a document has, with which digests, and what it is about.

SPDX 2.2, 2.3 and 3.0.1, CycloneDX 1.2 to 1.7, as JSON.  Whether a document is well formed is not
judged here: what has another shape than it should is passed over, and so covers nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from verifier.evidence.foreign import read_foreign
from verifier.typed import Any, record

SPDX2 = ("SPDX-2.2", "SPDX-2.3")
CYCLONEDX = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
SPDX3_CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_HEX = "0123456789abcdef"
_LENGTHS = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}  # hexadecimal digits


_NO_DIGESTS: Mapping[str, str] = {}


class NotAnSbom(ValueError):
    """The JSON is no SBOM, or one of a version that is not known here."""


class Element:
    """One thing that a document describes: a package, a component, a file.

    A document may have a hundred thousand, so this is no record.

    Attributes:
        id: How the document itself refers to it; the place where it has no name for it.
        place: JSON pointer of the element in the document.
        licence: The expression or the names, as written.
        digests: From algorithm (``sha256``) to hexadecimal digits in lower case; what is no digest
            of that algorithm is left out.
        zero: Algorithms with nothing but zeros: tools write that where they did not compute one.
    """

    __slots__ = ("digests", "id", "kind", "licence", "name", "place", "purl", "version", "zero")

    def __init__(
        self, kind: str, id: str, place: str, name: str, version: str, purl: str, licence: str
    ) -> None:
        self.kind, self.id, self.place = kind, id or place, place
        self.name, self.version, self.purl = name, version, purl
        self.licence = sys.intern(licence)  # there are few, each of them often
        self.digests: Mapping[str, str] = _NO_DIGESTS
        self.zero: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The SHA-256 of it; empty if the document gives none."""
        return self.digests.get("sha256", "")


@record(frozen=True)
class Sbom:
    """A document.

    Attributes:
        format: ``SPDX`` or ``CycloneDX``.
        about: Ids of the elements that the document says it is about.
    """

    format: str
    version: str
    name: str
    elements: tuple[Element, ...]
    about: frozenset[str]

    def described(self) -> Iterator[Element]:
        """Yield the elements that the document is about."""
        return (item for item in self.elements if item.id in self.about)


def parse_sbom(data: bytes) -> Sbom:
    """Read a document.

    Raises:
        NotForeign: It is no JSON that can be read here.
        NotAnSbom: It is no SBOM of a known kind.
    """
    return read_sbom(read_foreign(data))


def kind_of(value: Any) -> tuple[str, str]:
    """Return format and version of a parsed document.

    Raises:
        NotAnSbom: It has none, or one that is not known here.
    """
    if not isinstance(value, dict):
        raise NotAnSbom("is no JSON object")
    if "spdxVersion" in value:
        version = value["spdxVersion"]
        if version in SPDX2:
            return "SPDX", str(version)[5:]
        raise NotAnSbom(f"spdxVersion is {_shown(version)}, known are SPDX-2.2, SPDX-2.3, 3.0.1")
    if "bomFormat" in value or "specVersion" in value:
        if value.get("bomFormat") != "CycloneDX":
            raise NotAnSbom(f"bomFormat is {_shown(value.get('bomFormat'))}, not 'CycloneDX'")
        version = value.get("specVersion")
        if version in CYCLONEDX:
            return "CycloneDX", str(version)
        raise NotAnSbom(f"specVersion is {_shown(version)}, known are 1.2 to 1.7")
    if "@context" in value:
        if value["@context"] == SPDX3_CONTEXT:
            return "SPDX", "3.0.1"
        raise NotAnSbom(f"@context is {_shown(value['@context'])}, not that of SPDX 3.0.1")
    raise NotAnSbom("has none of spdxVersion, bomFormat and @context")


def read_sbom(value: Any) -> Sbom:
    """Read a document that is parsed already.

    Raises:
        NotAnSbom: It is no SBOM of a known kind.
    """
    kind, version = kind_of(value)
    if kind == "CycloneDX":
        elements, about, name = _cyclonedx(value)
    elif version == "3.0.1":
        elements, about, name = _spdx3(value)
    else:
        elements, about, name = _spdx2(value)
    return Sbom(kind, version, name, tuple(elements), frozenset(about))


# --- what all of them need -------------------------------------------------------------------


def _shown(value: Any) -> str:
    return repr(value[:100]) if isinstance(value, str) else f"no text but {type(value).__name__}"


def text(value: Any) -> str:
    """Return a string; anything else is empty."""
    return value if isinstance(value, str) else ""


def objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and value of the objects in an array; anything else is passed over."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            if isinstance(item, dict):
                yield i, item


def _add_digests(element: Element, given: Any, algorithm: str, digits: str) -> None:
    """Note the digests in an array of hashes, and which of them are nothing but zeros."""
    if not isinstance(given, list):
        return
    found: dict[str, str] = {}
    for item in given:
        if not isinstance(item, dict):
            continue
        name = text(item.get(algorithm)).lower().replace("-", "")
        value = text(item.get(digits)).lower()
        if not value or value.strip(_HEX) or len(value) != _LENGTHS.get(name, len(value)):
            continue
        if value.strip("0"):
            found[name] = value
        else:
            element.zero += (name,)
    element.digests = found


# --- SPDX 2 ----------------------------------------------------------------------------------


def _spdx2(value: dict[str, Any]) -> tuple[list[Element], set[str], str]:
    elements = []
    for kind, name in (("package", "name"), ("file", "fileName")):
        for i, item in objects(value.get(f"{kind}s")):
            concluded = text(item.get("licenseConcluded"))
            declared = text(item.get("licenseDeclared"))
            element = Element(
                kind,
                text(item.get("SPDXID")),
                f"/{kind}s/{i}",
                text(item.get(name)),
                text(item.get("versionInfo")),
                spdx2_purl(item),
                declared if concluded in ("", "NOASSERTION") else concluded,
            )
            _add_digests(element, item.get("checksums"), "algorithm", "checksumValue")
            elements.append(element)
    return elements, spdx2_about(value), text(value.get("name"))


def spdx2_purl(package: Mapping[str, Any]) -> str:
    """Return the package URL among the external references of an SPDX 2 package."""
    for _, item in objects(package.get("externalRefs")):
        if text(item.get("referenceType")).rpartition("/")[2] == "purl":
            return text(item.get("referenceLocator"))
    return ""


def spdx2_about(value: Mapping[str, Any]) -> set[str]:
    """Return the ids that an SPDX 2 document describes, in each of the three ways to say so."""
    described = value.get("documentDescribes")
    about = {text(one) for one in described} if isinstance(described, list) else set()
    document = text(value.get("SPDXID"))
    for _, item in objects(value.get("relationships")):
        one, other = text(item.get("spdxElementId")), text(item.get("relatedSpdxElement"))
        kind = item.get("relationshipType")
        if kind == "DESCRIBES" and one == document:
            about.add(other)
        elif kind == "DESCRIBED_BY" and other == document:
            about.add(one)
    return about - {""}


# --- CycloneDX -------------------------------------------------------------------------------


def cyclonedx_components(value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and value of every component, the root first, nested ones after their parent."""
    metadata = value.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    stack = [(f"/components/{i}", item) for i, item in objects(value.get("components"))][::-1]
    if isinstance(root, dict):
        stack.append(("/metadata/component", root))
    while stack:
        place, item = stack.pop()
        yield place, item
        if "components" in item:
            inner = [(f"{place}/components/{i}", one) for i, one in objects(item["components"])]
            stack += inner[::-1]


def _cyclonedx(value: dict[str, Any]) -> tuple[list[Element], set[str], str]:
    elements = []
    about: set[str] = set()
    name = ""
    for place, item in cyclonedx_components(value):
        found = Element(
            text(item.get("type")),
            text(item.get("bom-ref")),
            place,
            _full_name(item),
            text(item.get("version")),
            text(item.get("purl")),
            _cyclonedx_licence(item),
        )
        _add_digests(found, item.get("hashes"), "alg", "content")
        if place == "/metadata/component":
            about.add(found.id)
            name = found.name
        elements.append(found)
    return elements, about, name


def _full_name(item: Mapping[str, Any]) -> str:
    group, name = text(item.get("group")), text(item.get("name"))
    return f"{group}/{name}" if group else name


def _cyclonedx_licence(item: Mapping[str, Any]) -> str:
    given = item.get("licenses")
    if not isinstance(given, list):
        return ""
    parts = []
    for choice in given:
        if isinstance(choice, dict):
            licence = choice.get("license")
            inner = licence if isinstance(licence, dict) else {}
            found = choice.get("expression") or inner.get("id") or inner.get("name")
            parts.append(text(found))
    return ", ".join(filter(None, parts))


# --- SPDX 3 ----------------------------------------------------------------------------------

_ARTIFACTS = {
    "software_Package": "package",
    "ai_AIPackage": "package",
    "dataset_DatasetPackage": "package",
    "software_File": "file",
}
_COLLECTIONS = ("SpdxDocument", "software_Sbom", "Bom", "Bundle")
_LICENCES = ("hasConcludedLicense", "hasDeclaredLicense")  # the first one found wins


def spdx3_id(item: Mapping[str, Any]) -> str:
    """Return the identifier of an SPDX 3 object; elements and the rest spell it differently."""
    return text(item.get("spdxId")) or text(item.get("@id"))


def spdx3_graph(value: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return place and value of the objects at the top of an SPDX 3 document."""
    if "@graph" in value:
        return [(f"/@graph/{i}", item) for i, item in objects(value["@graph"])]
    return [("", dict(value))]


def references(value: Any) -> list[str]:
    """Return the ids that a property refers to, be it one or an array, a name or an object."""
    given = value if isinstance(value, list) else [value]
    names = (spdx3_id(one) if isinstance(one, dict) else text(one) for one in given)
    return [name for name in names if name]


def _spdx3(value: dict[str, Any]) -> tuple[list[Element], set[str], str]:
    graph = spdx3_graph(value)
    by_id = {spdx3_id(item): item for _, item in graph}
    licences = _spdx3_licences(graph, by_id)
    elements = []
    for place, item in graph:
        kind = _ARTIFACTS.get(text(item.get("type")))
        if kind is None:
            continue
        methods = item.get("verifiedUsing")
        if isinstance(methods, list):
            methods = [by_id.get(one) if isinstance(one, str) else one for one in methods]
        hashes = [one for _, one in objects(methods) if one.get("type") == "Hash"]
        element = Element(
            kind,
            spdx3_id(item),
            place,
            text(item.get("name")),
            text(item.get("software_packageVersion")),
            spdx3_purl(item),
            licences.get(spdx3_id(item), ""),
        )
        _add_digests(element, hashes, "algorithm", "hashValue")
        elements.append(element)
    document = next((item for _, item in graph if item.get("type") == "SpdxDocument"), {})
    return elements, spdx3_about(graph, by_id), text(document.get("name"))


def spdx3_purl(item: Mapping[str, Any]) -> str:
    """Return the package URL of an SPDX 3 element, from either of the two places for it."""
    if text(item.get("software_packageUrl")):
        return text(item.get("software_packageUrl"))
    for _, one in objects(item.get("externalIdentifier")):
        if one.get("externalIdentifierType") == "packageUrl":
            return text(one.get("identifier"))
    return ""


def spdx3_about(
    graph: list[tuple[str, dict[str, Any]]], by_id: Mapping[str, dict[str, Any]]
) -> set[str]:
    """Return the ids that an SPDX 3 document is about: roots of collections, and `describes`."""
    about: set[str] = set()
    for _, item in graph:
        if item.get("type") in _COLLECTIONS:
            about.update(references(item.get("rootElement")))
        elif item.get("relationshipType") == "describes":
            about.update(references(item.get("to")))
    return {name for name in about if by_id.get(name, {}).get("type") not in _COLLECTIONS}


def _spdx3_licences(
    graph: list[tuple[str, dict[str, Any]]], by_id: Mapping[str, dict[str, Any]]
) -> dict[str, str]:
    found: dict[str, str] = {}
    related = [item for _, item in graph if item.get("relationshipType") in _LICENCES]
    for wanted in _LICENCES:
        for item in related:
            if item["relationshipType"] != wanted:
                continue
            for subject in references(item.get("from")):
                for name in references(item.get("to")):
                    licence = by_id.get(name, {}).get("simplelicensing_licenseExpression")
                    found.setdefault(subject, text(licence) or name)
    return found
