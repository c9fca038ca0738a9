"""The shape of a spec as JSON Schema, for editors."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from kit.spec.model import KitSpec

SCHEMA_ID = "https://offline-kit.example/schema/spec.v1.json"  # a name, not an address


class _Schema(GenerateJsonSchema):
    """Without the titles that pydantic makes of attribute names, and without null, as TOML is."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def spec_schema() -> dict[str, Any]:
    """Return the shape of a spec as JSON Schema 2020-12, for editors.

    A date-time of TOML is a string there, as editors hand it over.  What a schema cannot say
    (unique ids, disjoint paths, dates that exist, ...) is checked by `load_spec` alone.
    """
    made = KitSpec.model_json_schema(by_alias=True, schema_generator=_Schema)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "offline-kit spec, version 1",
    }
    return {**head, **_without_titles(made)}


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's titles of tables, and defaults that TOML cannot write."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and (key, value) != ("default", None)
    }


def schema_bytes() -> bytes:
    """Return manifests/schema/spec.v1.json as it should be."""
    return (json.dumps(spec_schema(), indent=2, ensure_ascii=True) + "\n").encode()
