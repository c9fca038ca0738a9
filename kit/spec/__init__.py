"""What a release says: the spec as its author writes it, checked field by field and as a whole."""

from __future__ import annotations

from kit.spec.model import KitSpec, KitTable, load_spec, parse_spec
from kit.spec.parts import AttestationFile, Component, Evidence, Exemption, LayoutTable, SbomFile
from kit.spec.release import Release
from kit.spec.schema import schema_bytes, spec_schema
from kit.spec.sources import Source

__all__ = [
    "Component",
    "Evidence",
    "Exemption",
    "KitSpec",
    "KitTable",
    "LayoutTable",
    "Release",
    "AttestationFile",
    "SbomFile",
    "Source",
    "load_spec",
    "parse_spec",
    "schema_bytes",
    "spec_schema",
]
