"""A finding about this host."""

from __future__ import annotations

from dataclasses import dataclass

OK, MISSING, BROKEN, UNKNOWN = "ok", "missing", "broken", "not tried"


@dataclass(frozen=True)
class Finding:
    """One part of a release host.

    Attributes:
        name: What it is.
        state: `OK`; `MISSING`, which costs something; `BROKEN`, where somebody named it and it
            does not serve; `UNKNOWN`, where it was not tried.
        detail: What was found.
        costs: What cannot be done without it; empty where nothing is lost.
    """

    name: str
    state: str
    detail: str
    costs: str = ""
