"""From pydantic's errors to sentences for the author of a spec: line, field, expected, fix."""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from kit.errors import Problem
from kit.spec.positions import Lines, Place

MAX_FOUND = 80  # characters of a value that a message repeats

_MAX_BITS = 200
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def mistake(why: str, *, fix: str = "", expected: str = "") -> PydanticCustomError:
    """Return the error that a validator of the spec raises; ``why`` follows "which"."""
    # the text of a custom error is a template: what is not ours goes in as a value
    return PydanticCustomError("spec", "{why}", {"why": why, "fix": fix, "expected": expected})


def field_name(place: Place) -> str:
    """Return ``place`` as people write it: ``component[0].source[1].dir``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else repr(part)
            text += f".{key}" if text else key
    return text


def show_value(value: object) -> str:
    """Return ``value`` on one line, as TOML has it where that is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "a number of more than 60 digits"  # some Pythons refuse to write it
    text = repr(value)
    return text if len(text) <= MAX_FOUND else f"{text[: MAX_FOUND - 3]}..."


def explain(error: ValidationError, top: type[BaseModel], lines: Lines) -> Iterator[Problem]:
    """Yield one problem for each mistake that pydantic found in a document for ``top``."""
    for detail in error.errors(include_url=False):
        place: Place = detail["loc"]
        model, info = _at(place, top)
        found, expected, fix = _sentence(detail, place, model, info, top)
        yield Problem(lines[place], field_name(place), found, expected, fix)


def _sentence(
    detail: ErrorDetails,
    place: Place,
    model: type[BaseModel],
    info: FieldInfo,
    top: type[BaseModel],
) -> tuple[str, str, str]:
    """Return what was found, what was expected and the fix."""
    kind, value = detail["type"], detail["input"]
    if kind == "missing":
        return "is missing", _expected(info), f"write {_example(place, info)}"
    if kind == "extra_forbidden":
        known = _keys(model)
        fix = _unknown(str(place[-1]), known, top)
        return "is not known here", f"one of {', '.join(known)}", fix
    found, expected, fix = show_value(value), _expected(info), f"write {_example(place, info)}"
    if kind == "spec":
        context = detail["ctx"]
        found = f"{found}, which {context['why']}"
        return found, context["expected"] or expected, context["fix"] or fix
    if kind == "tuple_type" and isinstance(value, dict):
        fix = f"write [[{_header(place)}]] with two brackets"
    elif kind == "model_type" and isinstance(value, list):
        fix = f"write [{_header(place)}] with one bracket"
    elif kind == "string_type" and isinstance(value, (int, float, datetime.date)):
        fix = f'put it in quotes: "{found}"'
    elif kind == "int_type" and isinstance(value, str) and value.isdecimal():
        fix = f"write it without quotes: {value}"
    return found, expected, fix


def _expected(info: FieldInfo) -> str:
    return info.description or "a table"


def _header(place: Place) -> str:
    return ".".join(part for part in place if isinstance(part, str))


def _example(place: Place, info: FieldInfo) -> str:
    """Return what the author could write for the field at ``place``."""
    if not info.examples:
        many = "tuple" in str(info.annotation)
        return f"a table [[{_header(place)}]]" if many else f"a table [{_header(place)}]"
    value = info.examples[0]
    if isinstance(place[-1], int):
        value = value[0]
    if isinstance(value, datetime.datetime):
        text = f"{value:%Y-%m-%dT%H:%M:%SZ}"
    else:
        text = json.dumps(value)
    return f"it like {text}" if isinstance(place[-1], int) else f"it like `{place[-1]} = {text}`"


def _unknown(key: str, known: list[str], top: type[BaseModel]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    for name, field in top.model_fields.items():
        inner = _model_of(field.annotation)
        header = field.alias or name
        if inner and key in _keys(inner):
            many = "tuple" in str(field.annotation)
            return f"it belongs in {'[[' if many else '['}{header}{']]' if many else ']'}"
    return "remove it"


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _at(place: Place, top: type[BaseModel]) -> tuple[type[BaseModel], FieldInfo]:
    """Return the table that ``place`` is in, and the field nearest to it."""
    model, info, inside = top, FieldInfo(annotation=top, description="a table"), top
    for part in place:
        if isinstance(part, int):
            continue
        model = inside
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part not in fields:
            break
        info = fields[part]
        inside = _model_of(info.annotation) or inside
    return model, info


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_of, get_args(annotation))), None)
