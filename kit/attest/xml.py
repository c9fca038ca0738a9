"""XML that others wrote, event by event, so that no report becomes a tree in memory.

defusedxml refuses document types, entities and what lies elsewhere; what is left is bounded here.
"""

from __future__ import annotations

from typing import Protocol

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser, ParseError  # type: ignore[import-untyped]

from kit.attest.errors import ReportMalformed, ReportTooLarge
from kit.attest.inputs import Input

MAX_DEPTH = 64
MAX_ELEMENTS = 1_000_000
_PIECE = 1 << 16  # bytes handed over at once


class Reader(Protocol):
    """Is told of elements, from outside to inside; text is not of interest."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...


class _Bounded:
    """What the parser tells; counts, and passes it on."""

    def __init__(self, reader: Reader, where: str) -> None:
        self._reader, self._where = reader, where
        self._depth = self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise ReportTooLarge(f"has more than {MAX_DEPTH} levels", where=self._where)
        if self._count > MAX_ELEMENTS:
            raise ReportTooLarge(f"has more than {MAX_ELEMENTS} elements", where=self._where)
        self._reader.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._reader.end(tag)

    def close(self) -> None:
        """Nothing: no tree was made."""


def read_xml(given: Input, reader: Reader) -> None:
    """Tell ``reader`` of every element of a document.

    Raises:
        ReportMalformed: It is no XML, or has a document type.
        ReportTooLarge: It is above a bound.
    """
    parser = DefusedXMLParser(target=_Bounded(reader, given.where), forbid_dtd=True)
    try:
        for at in range(0, len(given.data), _PIECE):
            parser.feed(given.data[at : at + _PIECE])
        parser.close()
    except DefusedXmlException as error:
        what = type(error).__name__
        raise ReportMalformed(f"has a document type ({what})", where=given.where) from None
    except (ParseError, ValueError, LookupError) as error:
        raise ReportMalformed(f"is no XML: {str(error)[:200]}", where=given.where) from None


def local(tag: str) -> str:
    """Return the name of an element without its namespace."""
    return tag.rpartition("}")[2]
