"""JSON schemas, compiled: fast, and without any way to a network."""

from __future__ import annotations

from itertools import islice
from typing import Any

import jsonschema_rs

from kit.sbom.errors import SbomShape, SbomTooLarge
from kit.sbom.findings import MAX_SHOWN, Findings, pointer, shown
from verifier.show.plain import plain

_MASK = "value"
_MAX_TEXT = 100  # characters of a text that a message repeats
_DEPTH = 8  # alternatives within alternatives that are looked into for a better message


def compile_schema(
    schema: dict[str, Any], others: dict[str, dict[str, Any]]
) -> jsonschema_rs.Draft7Validator:
    """Return a validator; ``others`` are the schemas that ``$ref`` may name, from their ids."""
    registry = jsonschema_rs.Registry(list(others.items()), draft=jsonschema_rs.Draft7)
    return jsonschema_rs.Draft7Validator(
        schema,
        registry=registry,
        retriever=_retrieve_nothing,
        validate_formats=True,
        mask=_MASK,  # messages hold none of the document, which may be large and hostile
        pattern_options=jsonschema_rs.RegexOptions(),  # linear time
    )


def _retrieve_nothing(uri: str) -> Any:
    raise ValueError(f"{uri!r} is not among the schemas that are installed")


def check_shape(validator: jsonschema_rs.Draft7Validator, value: Any, findings: Findings) -> None:
    """Add what the schema refuses in ``value``."""
    try:
        if validator.is_valid(value):
            return
        for error in islice(validator.iter_errors(value), MAX_SHOWN + 1):
            best = _innermost(error, _DEPTH)
            findings.add(SbomShape, pointer(*best.instance_path), _message(best, value))
    except ValueError as error:  # nested deeper than the validator goes
        findings.add(SbomTooLarge, "", shown(str(error)))


def _innermost(error: Any, depth: int) -> Any:
    """Return what is wrong in the alternative that came furthest, which is the one that was meant.

    "Not valid under any of the schemas" helps nobody.
    """
    context = getattr(error.kind, "context", None)
    if not depth or not context or isinstance(error.kind, _SEVERAL):
        return error
    inner = [one for branch in context for one in branch]
    if not inner:
        return error
    return _innermost(max(inner, key=lambda one: len(one.instance_path)), depth - 1)


_SEVERAL = jsonschema_rs.ValidationErrorKind.OneOfMultipleValid


def _message(error: Any, value: Any) -> str:
    """Return what is wrong, with a short text that is refused in place of the word for it."""
    for step in error.instance_path:
        value = value[step]
    text = str(error.message)
    if text.startswith(_MASK) and isinstance(value, str) and len(value) <= _MAX_TEXT:
        said = text.removeprefix(_MASK).replace(' is not a "', ' is no "')
        return shown(value) + plain(said[:300])
    return plain(text if len(text) <= 300 else text[:300] + "...")
