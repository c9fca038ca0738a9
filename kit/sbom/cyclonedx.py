"""CycloneDX 1.2 to 1.7: shape by the project's own schemas, meaning by one walk.

The schemas come with cyclonedx-python-lib; its validator is not used, since it takes minutes for
what takes milliseconds here.  For 1.2 and 1.3 there is a strict schema beside the first one, which
let unknown fields pass; the strict one is taken.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import chain
from typing import Any

import jsonschema_rs

from kit.sbom.errors import SbomDangling, SbomDuplicateId, SbomLicenceInvalid, SbomPurlInvalid
from kit.sbom.findings import Findings, pointer, shown
from kit.sbom.schemas import check_shape, compile_schema
from kit.sbom.values import Values

_IDS = "http://cyclonedx.org/schema/"
_OTHERS = ("spdx", "jsf-0.82", "cryptography-defs")
_STRICT = ("1.2", "1.3")
# Where elements that dependencies can name are defined: the arrays and fields that hold them.
_KINDS = {"components": "component", "component": "component", "services": "service"}
_REFERENCES = ("dependsOn", "provides")
_BOM_LINK = "urn:cdx:"  # names an element of another document


def check_cyclonedx(value: dict[str, Any], version: str, findings: Findings) -> None:
    """Add the faults of a CycloneDX document."""
    check_shape(_validator(version), value, findings)
    if not findings.errors:
        _check_meaning(value, findings)


@functools.cache
def _validator(version: str) -> jsonschema_rs.Draft7Validator:
    name = f"bom-{version}-strict" if version in _STRICT else f"bom-{version}"
    others = {f"{_IDS}{name}.SNAPSHOT.schema.json": _schema(name) for name in _OTHERS}
    return compile_schema(_schema(name), others)


def _schema(name: str) -> dict[str, Any]:
    path = files("cyclonedx") / "schema" / "_res" / f"{name}.SNAPSHOT.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema


def _check_meaning(value: dict[str, Any], findings: Findings) -> None:
    """Look for faults in sets of values, which is fast, and for their places only if there are any.

    A bom-ref may stand in any object of the document, so each of them is looked at.
    """
    items = list(_objects(value))
    named = _texts(items, "bom-ref")
    refs = set(named)
    values = Values()
    bad = values.bad_purls(set(_texts(items, "purl")))
    bad |= values.bad_licences(set(_texts(items, "expression")))
    if bad or len(refs) != len(named):
        _place_faults(value, bad, findings)
    _check_dependencies(value, refs, findings)


def _texts(items: list[dict[str, Any]], name: str) -> list[str]:
    return [item[name] for item in items if name in item and isinstance(item[name], str)]


def _objects(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every object of the document, level by level."""
    level: list[Any] = [value]
    while level:
        objects = [item for item in level if type(item) is dict]
        arrays = [item for item in level if type(item) is list]
        yield from objects
        inside = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(arrays))
        level = [item for item in inside if type(item) is dict or type(item) is list]


def _place_faults(value: dict[str, Any], bad: dict[str, str], findings: Findings) -> None:
    seen: set[tuple[str, str]] = set()
    for path, item in _walk(value):
        ref, kind = item.get("bom-ref"), _kind(path)
        if kind and isinstance(ref, str):
            if (kind, ref) in seen:
                place = pointer(*path, "bom-ref")
                findings.add(SbomDuplicateId, place, f"another {kind} is {shown(ref)} too")
            seen.add((kind, ref))
        purl, expression = item.get("purl"), item.get("expression")
        if isinstance(purl, str) and purl in bad:
            findings.add(SbomPurlInvalid, pointer(*path, "purl"), f"{shown(purl)} {bad[purl]}")
        if isinstance(expression, str) and expression in bad and "licenses" in path[-2:]:
            place = pointer(*path, "expression")
            findings.add(SbomLicenceInvalid, place, f"{shown(expression)} {bad[expression]}")


def _walk(value: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield path and value of every object of the document, in its order."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            yield path, item
            inner = [((*path, name), one) for name, one in item.items() if isinstance(one, _NESTED)]
        else:
            inner = [((*path, i), one) for i, one in enumerate(item) if isinstance(one, _NESTED)]
        stack += inner[::-1]


_NESTED = (dict, list)


def _kind(path: tuple[str | int, ...]) -> str:
    """Return what an object is by the array or field that holds it."""
    names = [step for step in path[-2:] if isinstance(step, str)]
    return _KINDS.get(names[-1], "") if names else ""


def _check_dependencies(value: dict[str, Any], refs: set[str], findings: Findings) -> None:
    for i, item in enumerate(value.get("dependencies", ())):
        _check_reference(("dependencies", i, "ref"), item["ref"], refs, findings)
        for name in _REFERENCES:
            for k, other in enumerate(item.get(name, ())):
                _check_reference(("dependencies", i, name, k), other, refs, findings)


def _check_reference(
    path: tuple[str | int, ...], ref: str, refs: set[str], findings: Findings
) -> None:
    if ref not in refs and not ref.startswith(_BOM_LINK):
        findings.add(SbomDangling, pointer(*path), f"{shown(ref)} is no bom-ref of the document")
