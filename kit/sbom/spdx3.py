"""SPDX 3.0.1: the shape by a table of the specification's terms, and meaning in one pass."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from kit.sbom.errors import (
    SbomDangling,
    SbomDuplicateId,
    SbomLicenceInvalid,
    SbomPurlInvalid,
    SbomShape,
)
from kit.sbom.findings import Findings, pointer, shown
from kit.sbom.spdx3_terms import CLASSES, VOCABULARIES
from kit.sbom.values import Values
from verifier.evidence.sbom import references, spdx3_graph, spdx3_id

_Path = tuple[str | int, ...]
_Test = Callable[[Any], bool]

# --- single values ---------------------------------------------------------------------------

_IRI = re.compile(r"(?!_:).+:.+")
_REFERENCE = re.compile(r"(_:.+|.+:.+)")  # a blank node, or an IRI
_TIME = re.compile(r"[0-9]{4}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z")
_MEDIA = re.compile(r"[^/]+/[^/]+")
_VERSION = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]*)?")


def _text_like(pattern: re.Pattern[str]) -> _Test:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) or (
        type(value) is str and _DECIMAL.fullmatch(value) is not None
    )


def _whole(least: int) -> _Test:
    return lambda value: type(value) in (int, float) and value == int(value) and int(value) >= least


_VALUES: dict[str, tuple[str, _Test]] = {
    "text": ("a string", lambda value: type(value) is str),
    "uri": ("a string", lambda value: type(value) is str),
    "time": ("a time like 2026-11-24T00:00:00Z", _text_like(_TIME)),
    "version": ("a version like 3.0.1", _text_like(_VERSION)),
    "media": ("a media type like text/plain", _text_like(_MEDIA)),
    "positive": ("a whole number from 1 on", _whole(1)),
    "natural": ("a whole number from 0 on", _whole(0)),
    "number": ("a number", _is_number),
    "bool": ("true or false", lambda value: type(value) is bool),
}

# --- the table -------------------------------------------------------------------------------


@dataclass
class _Property:
    """What one property holds: a value, a word, or a reference to an object or the object."""

    expected: str
    test: _Test
    many: bool
    least: int  # how many there must be
    object_of: str = ""  # the class, where objects may stand


@dataclass
class _Class:
    name: str
    abstract: bool
    ancestors: frozenset[str]
    properties: dict[str, _Property] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


@functools.cache
def _classes() -> dict[str, _Class]:
    """Return every class by its name, vocabularies too: the JSON form lets them be objects."""
    words = {name: frozenset(body.split()) for name, _, body in _paragraphs(VOCABULARIES)}
    made: dict[str, _Class] = {}
    for name, parent, body in _paragraphs(CLASSES):
        made[name.removeprefix("abstract ")] = _class(name, made.get(parent), body.split(), words)
    for name in words:
        made[name] = _class(name, None, [], words)
    return made


def _paragraphs(table: str) -> Iterator[tuple[str, str, str]]:
    for paragraph in re.split(r"\n(?! )", table.strip()):
        head, _, body = paragraph.partition("\n")
        name, _, parent = head.partition(" < ")
        yield name, parent, body


def _class(
    head: str, parent: _Class | None, body: list[str], words: dict[str, frozenset[str]]
) -> _Class:
    name = head.removeprefix("abstract ")
    inherited = parent.properties if parent else {}
    made = _Class(
        name,
        abstract=name != head,
        ancestors=frozenset({name}) | (parent.ancestors if parent else frozenset()),
        properties={**inherited, "type": _Property("a class", lambda value: True, False, 1)},
    )
    if name == "Element":
        made.properties["spdxId"] = _Property("an IRI", _text_like(_IRI), False, 1)
    elif "Element" not in made.ancestors:
        made.properties["@id"] = _Property(
            "an IRI or a blank node", _text_like(_REFERENCE), False, 0
        )
    for item in body:
        left, _, right = item.partition(":")
        made.properties[left.rstrip("!")] = _property(right, left.count("!"), words)
    made.required = frozenset(key for key, one in made.properties.items() if one.least)
    return made


def _property(kind: str, least: int, words: dict[str, frozenset[str]]) -> _Property:
    many, kind = kind.endswith("*"), kind.rstrip("*")
    if kind in _VALUES:
        expected, test = _VALUES[kind]
        return _Property(expected, test, many, least)
    if kind in words:
        known = words[kind]
        expected = f"one of {', '.join(sorted(known)[:5])}{', ...' if len(known) > 5 else ''}"
        return _Property(expected, lambda value: type(value) is str and value in known, many, least)
    expected = f"a reference to an object of {kind}, or one"
    return _Property(expected, _text_like(_REFERENCE), many, least, kind)


# --- the shape -------------------------------------------------------------------------------

_TOP = frozenset({"@context", "@graph"})


def check_spdx3(value: dict[str, Any], findings: Findings) -> None:
    """Add the faults of an SPDX 3 document."""
    if "@graph" in value:
        for name in value.keys() - _TOP:
            findings.add(SbomShape, pointer(name), "is unknown beside @graph")
        if not isinstance(value["@graph"], list):
            findings.add(SbomShape, "/@graph", "is no array")
            return
        for i, item in enumerate(value["@graph"]):
            _check_object(item, "", ("@graph", i), findings)
    else:
        one = {name: inner for name, inner in value.items() if name != "@context"}
        _check_object(one, "", (), findings)
    if not findings.errors:
        _check_meaning(value, findings)


def _check_object(item: Any, expected: str, path: _Path, findings: Findings) -> None:
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        findings.add(SbomShape, pointer(*path), "is no object with a type")
        return
    known = _classes().get(kind)
    if known is None or known.abstract:
        if expected != "extension_Extension" or not _IRI.fullmatch(kind):
            findings.add(SbomShape, pointer(*path, "type"), f"{shown(kind)} is no class of SPDX 3")
        return
    if expected and expected not in known.ancestors:
        findings.add(SbomShape, pointer(*path, "type"), f"{shown(kind)} is no {expected}")
        return
    properties = known.properties
    for name, value in item.items():
        rule = properties.get(name)
        if rule is None:
            findings.add(SbomShape, pointer(*path, name), f"is no property of {kind}")
        elif rule.many:
            _check_array(rule, value, (*path, name), findings)
        elif not rule.test(value):
            _look_closer(rule, value, (*path, name), findings)
    if not known.required <= item.keys():
        for name in sorted(known.required - item.keys()):
            findings.add(SbomShape, pointer(*path), f"{name} is missing, which {kind} needs")


def _check_array(rule: _Property, value: Any, path: _Path, findings: Findings) -> None:
    if not isinstance(value, list):
        findings.add(SbomShape, pointer(*path), "is no array")
    elif len(value) < rule.least:
        findings.add(SbomShape, pointer(*path), f"has {len(value)} of at least {rule.least}")
    else:
        for i, one in enumerate(value):
            if not rule.test(one):
                _look_closer(rule, one, (*path, i), findings)


def _look_closer(rule: _Property, value: Any, path: _Path, findings: Findings) -> None:
    if rule.object_of and isinstance(value, dict):
        _check_object(value, rule.object_of, path, findings)
        return
    found = shown(value) if isinstance(value, str) else f"a value of type {type(value).__name__}"
    findings.add(SbomShape, pointer(*path), f"{found} is not {rule.expected}")


# --- the meaning -----------------------------------------------------------------------------

# Properties that say how elements belong together; who made an element may be known elsewhere.
_TIES = {"from", "to", "rootElement", "element", "subject", "software_snippetFromFile"}
_INDIVIDUALS = ("https://spdx.org/", "http://spdx.org/", "spdx:")  # elements of SPDX itself


def _check_meaning(value: dict[str, Any], findings: Findings) -> None:
    """Look for faults in sets of values, which is fast, and for places only if there are any."""
    if _is_sound(list(_objects(value))):
        return
    items = list(_items(value))
    ids: set[str] = set()
    for path, item in items:
        name = spdx3_id(item)
        if name in ids:
            place = pointer(*path, "spdxId" if "spdxId" in item else "@id")
            findings.add(SbomDuplicateId, place, f"another object is {shown(name)} too")
        if name:
            ids.add(name)
    ids.update(item["externalSpdxId"] for _, item in items if item["type"] == "ExternalMap")
    for path, item in items:
        for name in _TIES & item.keys():
            _check_ties((*path, name), item[name], ids, findings)
    _check_values(items, findings)


def _is_sound(items: list[dict[str, Any]]) -> bool:
    names = [name for name in map(spdx3_id, items) if name]
    ids = set(names)
    if len(ids) != len(names):
        return False
    ids.update(item["externalSpdxId"] for item in items if item["type"] == "ExternalMap")
    for tie in _TIES:
        named = {name for item in items if tie in item for name in references(item[tie])}
        if not all(name.startswith(_INDIVIDUALS) for name in named - ids):
            return False
    found = list(_values([((), item) for item in items]))
    values = Values()
    return not (
        values.bad_licences({text for _, text, licence in found if licence})
        or values.bad_purls({text for _, text, licence in found if not licence})
    )


def _objects(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every object of SPDX's, level by level."""
    known = _classes()
    level = [item for _, item in spdx3_graph(value)]
    while level := [item for item in level if item.get("type") in known]:
        yield from level
        inside = list(chain.from_iterable(map(dict.values, level)))
        level = [item for item in inside if type(item) is dict]
        level += [one for item in inside if type(item) is list for one in item if type(one) is dict]


def _items(value: dict[str, Any]) -> Iterator[tuple[_Path, dict[str, Any]]]:
    """Yield path and value of every object of SPDX's, also of those within others."""
    top = spdx3_graph(value)
    prefix: _Path = ("@graph",) if "@graph" in value else ()
    stack: list[tuple[_Path, dict[str, Any]]] = [
        ((*prefix, i) if prefix else (), item) for i, (_, item) in enumerate(top)
    ][::-1]
    while stack:
        path, item = stack.pop()
        if item.get("type") not in _classes():
            continue  # an extension: nobody knows what its properties mean
        yield path, item
        for name, inner in item.items():
            if type(inner) is dict:
                stack.append(((*path, name), inner))
            elif type(inner) is list:
                stack += [
                    ((*path, name, i), one) for i, one in enumerate(inner) if type(one) is dict
                ]


def _check_ties(path: _Path, value: Any, ids: set[str], findings: Findings) -> None:
    for name in references(value):
        if name not in ids and not name.startswith(_INDIVIDUALS):
            findings.add(SbomDangling, pointer(*path), f"{shown(name)} is not in the document")


def _values(items: list[tuple[_Path, dict[str, Any]]]) -> Iterator[tuple[_Path, str, bool]]:
    for path, item in items:
        if "simplelicensing_licenseExpression" in item:
            name = "simplelicensing_licenseExpression"
            yield (*path, name), item[name], True
        if "software_packageUrl" in item:
            yield (*path, "software_packageUrl"), item["software_packageUrl"], False
        if item.get("externalIdentifierType") == "packageUrl":
            yield (*path, "identifier"), item["identifier"], False


def _check_values(items: list[tuple[_Path, dict[str, Any]]], findings: Findings) -> None:
    values = Values()
    found = list(_values(items))
    bad = values.bad_licences({text for _, text, licence in found if licence})
    bad |= values.bad_purls({text for _, text, licence in found if not licence})
    for path, text, licence in found:
        if text in bad:
            kind = SbomLicenceInvalid if licence else SbomPurlInvalid
            findings.add(kind, pointer(*path), f"{shown(text)} {bad[text]}")
