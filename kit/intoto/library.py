"""The library in-toto, which is an extra: loaded when it is asked for, and silent."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from kit.attest.errors import ExtraMissing
from kit.intoto.errors import StepUnusable

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Library:
    """Modules of in-toto, which has no types."""

    runlib: Any
    rulelib: Any
    verifylib: Any
    layout: Any
    link: Any
    metadata: Any


def library() -> Library:
    """Return the library.

    Raises:
        ExtraMissing: It is not installed.
    """
    try:
        from in_toto import (  # type: ignore[import-untyped]
            rulelib,
            runlib,
            verifylib,
        )
        from in_toto.models import layout, link, metadata  # type: ignore[import-untyped]
    except ImportError:
        raise ExtraMissing(
            "in-toto is not installed: it is the extra `intoto`",
            fix="Install it with `pip install 'offline-kit[intoto]'`.",
        ) from None
    logging.getLogger("in_toto").setLevel(logging.CRITICAL)  # what counts is raised
    return Library(runlib, rulelib, verifylib, layout, link, metadata)


def check_name(name: str) -> None:
    """Hold the name of a step to what may be the name of a file.

    Raises:
        StepUnusable: It may not.
    """
    if not NAME.fullmatch(name):
        raise StepUnusable(f"the name {name[:80]!r} is none", where="step")


def short(error: Exception) -> str:
    """Return the first line of what the library says: behind it come traces of its rules."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return ascii(text[:400])[1:-1]
