"""TOML with line numbers: the values from the standard library, the lines from a second parser.

`tomllib` is the judge of what a document says and keeps no positions; the tree-sitter grammar keeps
positions of everything and judges nothing.  A field whose line the grammar does not know (it is
of TOML 1.0, and a newer `tomllib` may read more) has the line of the nearest table around it.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kit.errors import Problem, SpecInvalid

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:  # loaded when a line is asked for: a good document never asks
    from tree_sitter import Node

Place = tuple[str | int, ...]
"""Keys and array indices from the top of a document to a value."""

MAX_DEPTH = 32  # tables and arrays inside each other; a spec has five
# more keys in one than that: parsers need memory for the square of their number
_DEEP = re.compile(
    rb"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){%d}"""
    % MAX_DEPTH
)
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class Lines:
    """The line, counted from 1, of every key, table and array entry of a document.

    Args:
        raw: The document, valid TOML; it is parsed when the first line is asked for.
    """

    def __init__(self, raw: bytes = b"") -> None:
        self._raw = raw
        self._lines: dict[Place, int] = {}
        self._entries: dict[Place, int] = {}  # tables seen so far of each array of tables

    def __getitem__(self, place: Place) -> int:
        """Return the line of ``place``; of what is nearest around it if it is not there."""
        if not self._lines:
            self._lines[()] = 1
            self._read()
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def _read(self) -> None:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        parser = Parser(Language(tree_sitter_toml.language()))
        for node in parser.parse(self._raw).root_node.named_children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                self._table(node)

    def _table(self, node: Node) -> None:
        line = node.start_point.row + 1
        place: Place = ()
        *parents, last = _keys(node.named_children[0])
        for key in parents:
            place = self._latest((*place, key), line)
        place = (*place, last)
        if node.type == "table_array_element":
            index = self._entries.get(place, 0)
            self._entries[place] = index + 1
            self._lines.setdefault(place, line)
            place = (*place, index)
        else:
            place = self._latest(place, line)
        self._lines[place] = line
        for child in node.named_children[1:]:
            if child.type == "pair":
                self._pair(child, place)

    def _latest(self, place: Place, line: int) -> Place:
        """Return the table that ``place`` means here: of an array of tables, its last entry."""
        self._lines.setdefault(place, line)
        entries = self._entries.get(place, 0)
        return (*place, entries - 1) if entries else place

    def _pair(self, node: Node, place: Place) -> None:
        # a comment behind the value is a child too
        children = [child for child in node.named_children if child.type != "comment"]
        line = node.start_point.row + 1
        for key in _keys(children[0]):
            place = (*place, key)
            self._lines.setdefault(place, line)
        self._value(children[-1], place)

    def _value(self, node: Node, place: Place) -> None:
        if node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self._pair(child, place)
        elif node.type == "array":
            values = (child for child in node.named_children if child.type != "comment")
            for index, child in enumerate(values):
                entry = (*place, index)
                self._lines[entry] = child.start_point.row + 1
                self._value(child, entry)


def _keys(node: Node) -> Iterator[str]:
    text = (node.text or b"").decode("utf-8")
    if node.type == "dotted_key":
        for child in node.named_children:
            yield from _keys(child)
    elif node.type == "quoted_key":
        yield from tomllib.loads(f"{text} = 0")
    else:
        yield text


def parse_toml(raw: bytes, *, where: str) -> tuple[dict[str, Any], Lines]:
    """Return the values of a TOML document and their lines.

    Raises:
        SpecInvalid: ``raw`` is not TOML in UTF-8; ``where`` is the name that the message uses.
    """
    if raw.startswith(codecs.BOM_UTF8):
        raise _not_toml(1, "a byte order mark", "save the file as UTF-8 without one", where)
    deep = _DEEP.search(raw)
    if deep is not None:
        raise _too_deep(raw.count(b"\n", 0, deep.start()) + 1, where)
    try:
        values = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise _not_toml(line, found, "save the file as UTF-8", where) from None
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        match = _WHERE.search(reason)
        line = int(match["line"]) if match and match["line"] else raw.rstrip().count(b"\n") + 1
        found = reason[: match.start()] if match else reason
        raise _not_toml(line, found, "correct the text near this line", where) from None
    except RecursionError:
        raise _too_deep(1, where) from None
    except ValueError:  # of Python itself, which reads no number of thousands of digits
        found = "a number has too many digits"
        raise _not_toml(1, found, "correct the longest number", where) from None
    if _is_too_deep(values):
        raise _too_deep(1, where)
    return values, Lines(raw)


def _is_too_deep(values: object) -> bool:
    level = [values]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        level = inner
    return bool(level)


def _too_deep(line: int, where: str) -> SpecInvalid:
    found = f"arrays, tables or dotted keys are more than {MAX_DEPTH} deep"
    return _not_toml(line, found, "nest less: manifests/examples/ shows what is enough", where)


def _not_toml(line: int, found: str, fix: str, where: str) -> SpecInvalid:
    problem = Problem(line=line, field="", found=found, expected="TOML (https://toml.io)", fix=fix)
    return SpecInvalid([problem], where=where)
