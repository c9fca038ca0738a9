"""The provenance that every kit carries, as bytes (SLSA 1.0): no clock, host or path (ADR 42)."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.core.errors import KitError
from verifier.core.jsonstrict import compact, parse_json
from verifier.core.model import STATEMENT_TYPE, KitInfo
from verifier.typed import Any

PROVENANCE = b"evidence/provenance.json"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://offline-kit.example/build/v1"
BUILDER = "https://offline-kit.example/builder/v1"
SPEC = "kit.toml"

Resource = dict[str, Any]


def resource(name: str, sha256: str) -> Resource:
    """Return a resource descriptor, or a subject."""
    return {"name": name, "digest": {"sha256": sha256}}


def encode_provenance(
    info: KitInfo, subjects: Iterable[Resource], dependencies: Iterable[Resource], version: str
) -> bytes:
    """Return a provenance.

    Args:
        info: What the kit is.
        subjects: Its components and images.
        dependencies: The spec, and what was fetched.
        version: That of the builder.
    """
    kit = {
        "name": info.name,
        "version": info.version,
        "line": info.line,
        "sequence": info.sequence,
        "created": info.created,
    }
    value = {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": list(subjects),
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"kit": kit},
                "internalParameters": {},
                "resolvedDependencies": list(dependencies),
            },
            "runDetails": {"builder": {"id": BUILDER, "version": {"offline-kit": version}}},
        },
    }
    return compact(value) + b"\n"


def version_in(data: bytes) -> str:
    """Return the version of the builder that a provenance names; empty if it names none."""
    try:
        version = parse_json(data)["predicate"]["runDetails"]["builder"]["version"]["offline-kit"]
    except (KitError, LookupError, TypeError, ValueError):
        return ""
    return version if isinstance(version, str) else ""
