"""JSON that others wrote: any spelling, fractions too, but bounded and without two meanings.

`verifier.core.jsonstrict` reads what builders of kits write and allows whole numbers only.  SBOMs,
attestations and reports hold fractions (CVSS scores) and are large, so they have a reader of their
own.  What two readers could understand differently is refused: a name twice in one object, text
that is not UTF-8, half of a surrogate pair, NaN, a number without end.
"""

from __future__ import annotations

import codecs
import gc
import json
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from json.scanner import py_make_scanner  # type: ignore[attr-defined]

from verifier.evidence.errors import EvidenceMalformed, EvidenceTooLarge
from verifier.typed import Any

MAX_BYTES = 64 << 20  # of one document
MAX_DEPTH = 128
MAX_CONTAINERS = 1_000_000  # objects and arrays of one document: about 250 MB in Python
MAX_VALUES = 4_000_000  # commas of one document: about as much again
_MAX_INTEGER = 1 << 63
_RESCAN = 8 << 20  # bytes up to which an error is worth a second, slower look for its line

_SPACED = re.compile(rb'"[ \t\r\n]+:')
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_HALVES = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]")


class NotForeign(ValueError):
    """The bytes are no JSON that is safe to read; the caller turns this into its own code.

    Attributes:
        place: ``line 3, column 9``, both counted from 1; empty if it is about the whole.
        too_large: Whether a bound was met, so that the text may be right and is not read.
    """

    def __init__(self, message: str, place: str = "", *, too_large: bool = False) -> None:
        super().__init__(message)
        self.place, self.too_large = place, too_large


def parse_foreign(data: bytes, where: str) -> Any:
    """Return the value of somebody else's JSON, as `read_foreign` does.

    Raises:
        EvidenceMalformed: It is no JSON, or could be read in two ways.
        EvidenceTooLarge: It is above a bound.
    """
    try:
        return read_foreign(data)
    except NotForeign as error:
        kind = EvidenceTooLarge if error.too_large else EvidenceMalformed
        raise kind(f"{error}{', ' if error.place else ''}{error.place}", where=where) from None


def read_foreign(data: bytes, *, max_size: int = MAX_BYTES) -> Any:
    """Return the value of somebody else's JSON.

    Takes time and memory in proportion to ``data``, which has a bound.

    Raises:
        NotForeign: It is larger or deeper than the bounds, no JSON, or could be read in two ways.
    """
    if len(data) > max_size:
        raise NotForeign(f"more than {max_size} bytes", too_large=True)
    if data.startswith(codecs.BOM_UTF8):
        raise NotForeign("begins with a byte order mark", "line 1, column 1")
    if data.count(b"{") + data.count(b"[") > MAX_CONTAINERS:
        raise NotForeign(f"more than {MAX_CONTAINERS} objects and arrays", too_large=True)
    if data.count(b",") > MAX_VALUES:
        raise NotForeign(f"more than {MAX_VALUES} values", too_large=True)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise NotForeign("is not UTF-8", _place(before, len(before))) from None
    value = _parse(text, _QUICK)
    if _names(value) != _spelled_names(data):
        _parse(text, _EXACT)
    if _HALF.search(data):
        _check_surrogates(value, text)
    return value


# --- parsing ---------------------------------------------------------------------------------


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) >= _MAX_INTEGER:
        raise NotForeign(f"the number {digits[:24]!r} is beyond 2^63")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if len(digits) > 64 or value in (float("inf"), float("-inf")):
        raise NotForeign(f"the number {digits[:24]!r} is too long or too large")
    return value


def _no_constant(text: str) -> Any:
    raise NotForeign(f"{text!r} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotForeign(f"the name {name[:100]!r} is there twice in one object")
            seen.add(name)
    return value


def _decoder(hook: Callable[[list[tuple[str, Any]]], Any] | None) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=hook,
        parse_int=_integer,
        parse_float=_fraction,
        parse_constant=_no_constant,
    )


_QUICK = _decoder(None)  # takes the last of two equal names, as JSON readers do, in half the time
_EXACT = _decoder(_object)


def _parse(text: str, decoder: json.JSONDecoder) -> Any:
    collecting = gc.isenabled()
    gc.disable()  # it would look for cycles again and again in a tree that has none
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise NotForeign(f"is no JSON: {error.msg}", _place(text, error.pos)) from None
    except RecursionError:
        raise NotForeign(f"nested deeper than {MAX_DEPTH}", too_large=True) from None
    except NotForeign as error:
        raise NotForeign(str(error), _line_of(text)) from None
    finally:
        if collecting:
            gc.enable()


def _spelled_names(data: bytes) -> int:
    """Count what is spelled as a name; never too few, and too many where strings look like one."""
    return data.count(b'":') + len(_SPACED.findall(data))


def _place(before: str, end: int) -> str:
    line = before.count("\n", 0, end) + 1
    return f"line {line}, column {end - before.rfind(chr(10), 0, end)}"


def _line_of(text: str) -> str:
    """Find the object or array where a number or a name is refused, by the slow Python scanner."""
    if len(text) > _RESCAN:
        return ""
    decoder = _decoder(_object)
    found: list[int] = []

    def noting(parse: Callable[..., Any]) -> Callable[..., Any]:
        def noted(start: tuple[str, int], *rest: Any) -> Any:
            try:
                return parse(start, *rest)
            except NotForeign:
                found.append(start[1] - 1)
                raise

        return noted

    decoder.parse_object = noting(decoder.parse_object)  # type: ignore[attr-defined]
    decoder.parse_array = noting(decoder.parse_array)  # type: ignore[attr-defined]
    decoder.scan_once = py_make_scanner(decoder)  # type: ignore[attr-defined]
    with suppress(NotForeign, RecursionError):
        decoder.decode(text)
    return _place(text, found[0]) if found else ""


# --- after parsing ---------------------------------------------------------------------------


def _names(value: Any) -> int:
    """Count the names of all objects, level by level: no recursion may depend on a stranger."""
    names, level = 0, [value]
    for _ in range(MAX_DEPTH + 1):
        objects = [item for item in level if type(item) is dict]
        arrays = [item for item in level if type(item) is list]
        if not objects and not arrays:
            return names
        names += sum(map(len, objects))
        inside = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(arrays))
        level = [item for item in inside if type(item) is dict or type(item) is list]
    raise NotForeign(f"nested deeper than {MAX_DEPTH}", too_large=True)


def _check_surrogates(value: Any, text: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        single = (match.start() for match in _HALVES.finditer(text) if len(match[0]) == 4)
        place = _place(text, next(single, 0))
        raise NotForeign("a string holds half of a surrogate pair", place) from None
