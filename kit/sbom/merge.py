"""Makes one SBOM of all that a spec names: what the kit is made of, in one document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kit.sbom.check import check_file
from kit.sbom.errors import SbomNone, SbomRefused
from kit.sbom.writing import Draft, Part, write_cyclonedx, write_spdx
from kit.spec import KitSpec
from verifier.core.model import format_time
from verifier.evidence.foreign import read_foreign
from verifier.evidence.sbom import Element, objects, references, spdx3_graph, text

FORMATS = {"cyclonedx": write_cyclonedx, "spdx": write_spdx}
_NEEDS = ("dependsOn", "contains")  # of SPDX 3; those of SPDX 2 are the same in capitals
_SPDX2 = {  # (kind, whether it is said the other way round)
    "DEPENDS_ON": False,
    "CONTAINS": False,
    "DEPENDENCY_OF": True,
    "CONTAINED_BY": True,
}


def merge_sboms(spec: KitSpec, form: str) -> bytes:
    """Return one document of all SBOMs of a spec; ``form`` is one of `FORMATS`.

    Raises:
        SbomNone: The spec names none.
        SbomRefused: One of them is bad.
    """
    if not spec.sboms:
        raise SbomNone("has no [[sbom]]", where=str(spec.file))
    refused: list[str] = []
    parts: list[Part] = []
    edges: list[tuple[str, str]] = []
    root = Part(f"kit:{spec.kit.name}", "application", spec.kit.name, spec.kit.version)
    for number, entry in enumerate(spec.sboms):
        checked = check_file(spec.base / entry.file)
        refused += [str(error) for error in checked.errors]
        sbom = checked.sbom
        if sbom is None:
            continue
        value = read_foreign(checked.data)
        refs: dict[str, str] = {}
        for element in sbom.elements:
            ref = f"{number}:{element.place}"
            refs.setdefault(element.id, ref)
            parts.append(_part(ref, element))
        about = [refs[name] for name in sorted(sbom.about) if name in refs]
        edges += [(root.ref, ref) for ref in about or list(refs.values())]
        edges += [
            (refs[one], refs[other])
            for one, other in _edges(value)
            if one in refs and other in refs and one != other
        ]
    if refused:
        raise SbomRefused(refused)
    created = format_time(int(spec.kit.created.timestamp()))
    return FORMATS[form](Draft(root, parts, edges, created))


def _part(ref: str, element: Element) -> Part:
    kind = "library" if element.kind == "package" else element.kind
    return Part(
        ref,
        kind,
        element.name or element.place,
        element.version,
        element.purl,
        "" if element.licence in ("NONE", "NOASSERTION") else element.licence,
        dict(element.digests),
    )


def _edges(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield which element needs or holds which, by their ids."""
    if "spdxVersion" in value:
        for _, item in objects(value.get("relationships")):
            turned = _SPDX2.get(text(item.get("relationshipType")))
            if turned is not None:
                one, other = text(item.get("spdxElementId")), text(item.get("relatedSpdxElement"))
                yield (other, one) if turned else (one, other)
    elif "@context" in value:
        for _, item in spdx3_graph(value):
            if item.get("relationshipType") in _NEEDS:
                for one in references(item.get("from")):
                    yield from ((one, other) for other in references(item.get("to")))
    else:
        for _, item in objects(value.get("dependencies")):
            for other in item.get("dependsOn", ()):
                yield text(item.get("ref")), text(other)
