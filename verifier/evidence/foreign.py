"""JSON that others wrote: any spelling, fractions too, but bounded and without a name twice.

`verifier.core.jsonstrict` is for what we write and sign ourselves; its rules about depth and
numbers would refuse reports and SBOMs that are good.
"""

from __future__ import annotations

import json

from verifier.core.jsonstrict import NotStrict, refuse_surrogates
from verifier.evidence.errors import EvidenceMalformed, EvidenceTooLarge
from verifier.typed import Any

MAX_BYTES = 64 << 20
MAX_PARTS = 4 << 20  # values and names: some 60 bytes each in memory
MAX_DEPTH = 128
MAX_DIGITS = 400  # of a number; what a double can hold has 309


class _Twice(ValueError):
    """An object has one name twice: two readers may take two meanings from it."""


class _TooLong(ValueError):
    """A number has more digits than anybody needs, and time to read grows with their square."""


def parse_foreign(data: bytes, where: str) -> Any:
    """Return the value of JSON in UTF-8 that somebody else wrote.

    Raises:
        EvidenceMalformed: It is not JSON, or has a name twice in one object.
        EvidenceTooLarge: It is above a limit.
    """
    if len(data) > MAX_BYTES:
        raise EvidenceTooLarge(f"{len(data)} bytes are more than {MAX_BYTES}", where=where)
    # Each value but the first comes after one of these; those in strings only make us stricter.
    if sum(data.count(mark) for mark in (b",", b":", b"[", b"{")) > MAX_PARTS:
        raise EvidenceTooLarge(f"more than {MAX_PARTS} values", where=where)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_no_constant,
        )
        if b"\\ud" in data or b"\\uD" in data:
            refuse_surrogates(value)
    except (_TooLong, RecursionError) as error:
        raise EvidenceTooLarge(str(error)[:80] or "nested too deeply", where=where) from None
    except _Twice:
        raise EvidenceMalformed("an object has the same name twice", where=where) from None
    except NotStrict as error:
        raise EvidenceMalformed(str(error), where=where) from None
    except ValueError as error:
        raise EvidenceMalformed(f"not JSON: {str(error)[:80]!r}", where=where) from None
    if _is_deep(value):
        raise EvidenceTooLarge(f"nested deeper than {MAX_DEPTH}", where=where)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Twice
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _TooLong(f"a number of {len(digits)} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > MAX_DIGITS:
        raise _TooLong(f"a number of {len(digits)} digits")
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _TooLong(f"the number {digits[:24]} is larger than a double holds")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _is_deep(value: Any) -> bool:
    """Return whether arrays and objects are nested deeper than `MAX_DEPTH`, a level at a time."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(item for item in each.values() if isinstance(item, (dict, list)))
            elif isinstance(each, list):
                below.extend(item for item in each if isinstance(item, (dict, list)))
        if not below:
            return False
        level = below
    return True
