"""Who runs the runner, and where: handed in, so that a test may say otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from verifier.typed import record

RUNS = "/var/lib/offline-kit/runs"
Clock = Callable[[], int]
"""Returns seconds since the epoch."""


@record(frozen=True)
class Here:
    """Who runs this, and where.

    Attributes:
        environment: The variables that the runner was started with: for secrets only.
        top: The directory or zipapp that `runner` is imported from.
    """

    operator: str
    host: str
    clock: Clock
    environment: Mapping[str, str]
    top: str

    @property
    def python(self) -> str:
        """The version of this Python."""
        return ".".join(map(str, sys.version_info[:3]))
