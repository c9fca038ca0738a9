"""Small values of a runbook: durations, sizes, words with places for values, conditions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from verifier.typed import Any, record

MAX_WORD = 4096  # characters
MAX_WORDS = 256
MAX_CONDITION = 500  # characters
MAX_MILLISECONDS = 366 * 24 * 3600 * 1000
BUILT_IN = ("kit", "report", "run", "environment", "step", "attempt", "scratch")
_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"([1-9][0-9]{0,11})(d|h|m|s|ms)")
_SIZES = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
_SIZE = re.compile(r"([1-9][0-9]{0,11})(TiB|GiB|MiB|KiB|B)")
PLACE = re.compile(r"\{([a-z0-9][a-z0-9._-]{0,63})\}")
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CONDITION = re.compile(r"((?:/[^\s]*)?) (==|!=|<=|>=|<|>) (.+)", re.S)
_RISES = re.compile(r"((?:/[^\s]*)?) rises")
_POINTER = re.compile(r"(?:/(?:[^~/\s]|~[01])*)*")


def parse_duration(text: str) -> int | None:
    """Return the milliseconds of ``90s``, ``12h`` and the like; None if it is no such text."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    value = int(found[1]) * _UNITS[found[2]]
    return value if value <= MAX_MILLISECONDS else None


def render_duration(milliseconds: int) -> str:
    """Return the one spelling of a duration: with the largest unit that divides it."""
    unit = next(unit for unit, size in _UNITS.items() if milliseconds % size == 0)
    return f"{milliseconds // _UNITS[unit]}{unit}"


def parse_size(text: str) -> int | None:
    """Return the bytes of ``20GiB`` and the like; None if it is no such text."""
    found = _SIZE.fullmatch(text)
    value = int(found[1]) * _SIZES[found[2]] if found else 0
    return value if 0 < value <= 1 << 60 else None


def render_size(size: int) -> str:
    """Return the one spelling of a size."""
    unit = next(unit for unit, one in _SIZES.items() if size % one == 0)
    return f"{size // _SIZES[unit]}{unit}"


# --- words ---------------------------------------------------------------------------------------


def why_no_word(word: str) -> str:
    """Return what is wrong with a word of a command; empty if nothing is."""
    if not word or len(word) > MAX_WORD:
        return f"has no character, or more than {MAX_WORD}"
    if _CONTROL.search(word):
        return "has a control character, or one that turns the direction of writing"
    rest = PLACE.sub("", word)
    if "{" in rest or "}" in rest:
        return "has a brace that is no place for a value, {name}"
    first = PLACE.search(word)
    if first is None or first.start() == 0:  # no value begins with a -
        return ""
    if "=" not in word[: first.start()]:
        return "has a place for a value that neither begins the word nor stands behind a ="
    return ""


def places(words: Sequence[str]) -> list[str]:
    """Return the names of the values that words have places for."""
    return [found[1] for word in words for found in PLACE.finditer(word)]


def why_no_value(value: str) -> str:
    """Return what is wrong with a value that shall stand in a word; empty if nothing is."""
    if not value or len(value) > MAX_WORD:
        return f"has no character, or more than {MAX_WORD}"
    if _CONTROL.search(value):
        return "has a control character, or one that turns the direction of writing"
    if value.startswith("-"):
        return "begins with a -, and would be read as an option"
    return ""


def fill(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return words with their values in place; a value is never split and never makes a word.

    Raises:
        KeyError: There is no such value; the rules of a runbook have looked.
    """
    return [PLACE.sub(lambda found: values[found[1]], word) for word in words]


# --- conditions ----------------------------------------------------------------------------------


class NotFound(LookupError):
    """A JSON pointer finds nothing."""


@record(frozen=True)
class Condition:
    """What must hold of a JSON document: ``/facts/counts/failed == 0``, or ``/backlog rises``.

    Attributes:
        pointer: RFC 6901; empty for the whole document.
        operator: One of ``== != < <= > >= rises``.
        value: The other side; None for ``rises``.
    """

    pointer: str
    operator: str
    value: Any = None

    def __str__(self) -> str:
        if self.operator == "rises":
            return f"{self.pointer} rises"
        shown = json.dumps(self.value, separators=(",", ":"), ensure_ascii=False)
        return f"{self.pointer} {self.operator} {shown}"

    def holds(self, document: Any) -> bool:
        """Whether it holds of one document.

        Raises:
            NotFound: The pointer finds nothing, or something that cannot be compared so.
        """
        found = look_up(document, self.pointer)
        if self.operator in ("==", "!="):
            same = type_of(found) == type_of(self.value) and found == self.value
            return same if self.operator == "==" else not same
        compare = _ORDERS[self.operator]
        if type_of(found) != "number" or type_of(self.value) != "number":
            raise NotFound(f"{self.pointer or 'the document'} is no number")
        return compare(found, self.value)

    def number(self, document: Any) -> float:
        """Return the number that the pointer finds, for rules over several samples.

        Raises:
            NotFound: It finds nothing, or no number.
        """
        found = look_up(document, self.pointer)
        if type_of(found) != "number":
            raise NotFound(f"{self.pointer or 'the document'} is no number")
        return float(found)


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def type_of(value: Any) -> str:
    """Return what JSON calls the type of a value: true is no number."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "null"


def parse_condition(text: str) -> Condition | None:
    """Return the condition that a text is; None if it is none."""
    if len(text) > MAX_CONDITION or _CONTROL.search(text):
        return None
    found = _RISES.fullmatch(text)
    if found and _POINTER.fullmatch(found[1]):
        return Condition(found[1], "rises")
    found = _CONDITION.fullmatch(text)
    if not found or not _POINTER.fullmatch(found[1]):
        return None
    try:
        value = json.loads(found[3], parse_float=_refuse, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return None
    if isinstance(value, (list, dict)) or (found[2] in _ORDERS and type_of(value) != "number"):
        return None
    return Condition(found[1], found[2], value)


def _refuse(text: str) -> Any:
    raise ValueError(text)


def look_up(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer finds (RFC 6901, 4).

    Raises:
        NotFound: It finds nothing.
    """
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif (
            isinstance(document, list)
            and re.fullmatch("0|[1-9][0-9]{0,8}", name)
            and int(name) < len(document)
        ):
            document = document[int(name)]
        else:
            raise NotFound(f"there is no {pointer}")
    return document


def read_report(data: bytes) -> tuple[Any, str]:
    """Return the JSON in a report; or why it is none."""
    try:
        return json.loads(data.decode("utf-8")), ""
    except (ValueError, RecursionError):
        return None, "the report is no JSON"
