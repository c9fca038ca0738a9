"""All vectors, by the directory that they are kept in."""

from __future__ import annotations

from tests.support.cases import (
    file,
    frames,
    good,
    goodpage,
    kinds,
    lax,
    lists,
    manifest,
    names,
    page,
    roots,
    rotation,
    schemes,
    signatures,
    spelling,
    table,
    tar,
    trust,
)
from tests.support.vector import Case

MODULES = (
    file,
    frames,
    good,
    goodpage,
    kinds,
    lax,
    lists,
    manifest,
    names,
    page,
    roots,
    rotation,
    schemes,
    signatures,
    spelling,
    table,
    tar,
    trust,
)


def every_case() -> dict[str, Case]:
    """Return all vectors from the names of their directories.

    Raises:
        ValueError: Two have one name.
    """
    found: dict[str, Case] = {}
    for module in MODULES:
        for case in module.CASES:
            if found.setdefault(case.directory, case) is not case:
                raise ValueError(f"two vectors are called {case.directory}")
    return dict(sorted(found.items()))
