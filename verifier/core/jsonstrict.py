"""One spelling of JSON: what is parsed is what was signed, byte for byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from verifier.core import limits
from verifier.typed import Any


class NotStrict(ValueError):
    """The bytes are not the JSON they should be; the caller turns this into its own code."""


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > limits.MAX_JSON_INT:
        raise NotStrict(f"the number {digits[:24]!r} is beyond 2^53 - 1")
    return int(digits)


def _no_number(text: str) -> Any:
    raise NotStrict(f"{text[:24]!r} is not an integer")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotStrict("an object has the same name twice")
    return value


def _check_depth(data: bytes) -> None:
    """Refuse deep nesting before the recursive parser sees it; brackets in strings count too."""
    if data.count(b"[") + data.count(b"{") <= limits.MAX_JSON_DEPTH:
        return
    depth, in_string, escaped = 0, False, False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > limits.MAX_JSON_DEPTH:
                raise NotStrict(f"nested deeper than {limits.MAX_JSON_DEPTH}")
        elif byte in b"]}":
            depth -= 1


def parse_json(data: bytes) -> Any:
    """Return the value of strict JSON: UTF-8, no duplicate name, integers only, bounded depth.

    The spelling is free (white space, order, escapes); see `parse_compact` for the one spelling.
    The caller bounds ``len(data)``.

    Raises:
        NotStrict: It is not such JSON.
    """
    _check_depth(data)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        compact(value)  # a lone surrogate hides in an escape and fails only when written
    except NotStrict:
        raise
    except (ValueError, RecursionError) as error:
        raise NotStrict(f"not JSON: {str(error)[:80]!r}") from None
    return value


def compact(value: Any) -> bytes:
    """Return the compact spelling of ``value`` (FORMAT 3.1).

    Raises:
        NotStrict: A string holds a lone surrogate.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if "\\ud" in text:
        _no_surrogate(value)
    return text.encode("ascii")


def _no_surrogate(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotStrict("a string holds a lone surrogate") from None


def parse_compact(data: bytes) -> Any:
    """Return the value of ``data``, which must be in the compact spelling (FORMAT 3.1, 3.2).

    Raises:
        NotStrict: It is not JSON, or not the one spelling of it.
    """
    value = parse_json(data)
    if compact(value) != data:
        raise NotStrict("not in the compact spelling")
    return value


def parse_base64(text: Any, what: str) -> bytes:
    """Return the bytes of a string in standard base64, which must be in its one spelling.

    Raises:
        NotStrict: It is another value, or spelled otherwise: bits in the last character, another
            alphabet, padding missing.
    """
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (AttributeError, ValueError):
        raise NotStrict(f"{what} is not base64") from None
    if base64.b64encode(value).decode("ascii") != text:
        raise NotStrict(f"{what} is not in the one spelling of base64")
    return value


def olpc(value: Any) -> bytes:
    """Return OLPC canonical JSON, over which TUF metadata is signed (FORMAT 5.2).

    The one place where the bytes verified are not the bytes parsed.

    Raises:
        NotStrict: ``value`` holds something other than objects, arrays, strings, integers,
            booleans and null.
    """
    parts: list[str] = []
    _olpc(value, parts.append)
    return "".join(parts).encode("utf-8")


def _olpc_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _olpc(value: Any, put: Callable[[str], None]) -> None:
    if isinstance(value, str):
        put(_olpc_string(value))
    elif value is True or value is False or value is None:
        put({True: "true", False: "false", None: "null"}[value])
    elif isinstance(value, int):
        put(str(value))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            put("," if i else "[")
            _olpc(item, put)
        put("]" if value else "[]")
    elif isinstance(value, dict):
        for i, name in enumerate(sorted(value)):
            put("," if i else "{")
            put(_olpc_string(name) + ":")
            _olpc(value[name], put)
        put("}" if value else "{}")
    else:
        raise NotStrict(f"a {type(value).__name__} has no canonical form")
