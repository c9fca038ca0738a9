"""What the makers of predicates return, and how in-toto names a thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kit.attest.inputs import Input


@dataclass(frozen=True)
class Made:
    """A predicate.

    Attributes:
        predicate_type: The URI of its type.
        notes: What somebody should know of it, a sentence each.
    """

    predicate_type: str
    predicate: Any
    notes: tuple[str, ...] = ()


def descriptor(item: Input) -> dict[str, Any]:
    """Return a file as a ResourceDescriptor of in-toto: by name and digest, not by place."""
    return {"name": item.path.name, "digest": {"sha256": item.sha256}}
