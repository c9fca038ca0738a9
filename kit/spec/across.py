"""Rules of a spec that take more than one field, on a document that nobody has checked yet.

They run beside the shape, not behind it, so that an author sees all mistakes at once; a field that
is not of its type is passed over here, since the shape says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kit.errors import Problem
from kit.spec.fields import parse_moment
from kit.spec.mistakes import field_name, show_value
from kit.spec.positions import Lines, Place
from verifier.core.names import fold


def check_across(values: dict[str, Any], lines: Lines) -> Iterator[Problem]:
    """Yield what is wrong between fields: ids, nested paths, times, characters."""
    yield from _ids(values, lines)
    yield from _nested(values, lines)
    yield from _attested(values, lines)
    kit = values.get("kit")
    if not isinstance(kit, dict):
        return
    created, expires = kit.get("created"), kit.get("expires")
    try:
        late = expires is not None and parse_moment(expires) <= parse_moment(created)
    except ValueError:
        late = False  # one of them is a mistake by itself, and said so
    if late:
        expected, fix = "a time after `created`", "correct one of the two"
        yield Problem(lines["kit", "expires"], "kit.expires", show_value(expires), expected, fix)
    if kit.get("names", "ascii") == "ascii":
        yield from _not_ascii(values, lines)


def _tables(values: object, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the tables of an array, if it is one."""
    entries = values.get(key) if isinstance(values, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def _ids(values: dict[str, Any], lines: Lines) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, component in _tables(values, "component"):
        name = component.get("id")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            place: Place = ("component", index, "id")
            other = f"line {lines['component', first[name], 'id']}"
            found = f"{show_value(name)}, which component[{first[name]}] has too ({other})"
            fix = "give one of the two another id"
            yield Problem(lines[place], field_name(place), found, "an id that is unique", fix)


def _attested(values: dict[str, Any], lines: Lines) -> Iterator[Problem]:
    ids = [component.get("id") for _, component in _tables(values, "component")]
    for index, entry in _tables(values, "attestation"):
        name = entry.get("component")
        if isinstance(name, str) and name not in ids:
            place: Place = ("attestation", index, "component")
            fix = "write the id of one of the [[component]] tables"
            expected = "the id of a component"
            yield Problem(lines[place], field_name(place), show_value(name), expected, fix)


def _nested(values: dict[str, Any], lines: Lines) -> Iterator[Problem]:
    """Find components that share a directory; folded, as a host that ignores case would."""
    paths = [
        (f"{fold(component['path'])}/", index, component["path"])
        for index, component in _tables(values, "component")
        if isinstance(component.get("path"), str)
    ]
    outer = ("", -1, "")
    for entry in sorted(paths):
        folded, index, path = entry
        if outer[1] < 0 or not folded.startswith(outer[0]):
            outer = entry
            continue
        (_, one, above), same = outer, folded == outer[0]
        place: Place = ("component", index, "path")
        other = f"component[{one}] (line {lines['component', one, 'path']})"
        relation = "the directory of" if same else f"inside {show_value(above)} of"
        yield Problem(
            lines[place],
            field_name(place),
            f"{show_value(path)}, which is {relation} {other}",
            "a directory that no other component's files lie in",
            "give one of the two another path",
        )


def _not_ascii(values: dict[str, Any], lines: Lines) -> Iterator[Problem]:
    for key in ("component", "evidence"):
        for index, table in _tables(values, key):
            fields: list[tuple[Place, object]] = [((key, index, "path"), table.get("path"))]
            for number, source in _tables(table, "source"):
                fields.append(((key, index, "source", number, "as"), source.get("as")))
            for place, path in fields:
                if isinstance(path, str) and not path.isascii():
                    found = f"{show_value(path)}, which is not ASCII"
                    fix = 'rename it, or write `names = "unicode"` in [kit]'
                    line = lines[place]
                    yield Problem(line, field_name(place), found, "printable ASCII", fix)
