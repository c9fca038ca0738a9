"""The types that have a name of their own, and how each is made of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kit.attest.inputs import Input
from kit.attest.model import Made
from verifier.core.errors import UsageError
from verifier.options import nearest

TYPES = ("test-result", "slsa-provenance", "sbom", "vex", "vulns", "release")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,490}")  # as a policy writes it


def make_predicate(kind: str, given: Sequence[Input]) -> Made:
    """Return the predicate that files are made into.

    Args:
        kind: One of `TYPES`, or the URI of a type whose predicate is in the one file.

    Raises:
        UsageError: There is no such type.
        KitError: The files do not make one.
    """
    if kind in TYPES:
        return _maker(kind)(given)
    if _URI.fullmatch(kind):
        from kit.attest.documents import any_predicate

        return any_predicate(given, kind)
    near = nearest(kind, TYPES)
    raise UsageError(
        f"--type {kind!r} is no type",
        fix=f"Did you mean {near}?" if near else f"Give a URI, or {', '.join(TYPES)}.",
    )


def _maker(kind: str) -> Callable[[Sequence[Input]], Made]:
    """Return what makes a type; each is loaded when it is asked for."""
    if kind == "test-result":
        from kit.attest.results import results

        return results
    if kind == "vulns":
        from kit.attest.vulns import vulns

        return vulns
    from kit.attest import documents

    return {
        "slsa-provenance": documents.provenance,
        "sbom": documents.sbom,
        "vex": documents.vex,
        "release": documents.release,
    }[kind]
