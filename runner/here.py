"""Who runs the runner, and where: handed in, so that a test may say otherwise."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping

from verifier.typed import field, record

RUNS = "/var/lib/offline-kit/runs"
Clock = Callable[[], int]
"""Returns seconds since the epoch."""


@record(frozen=True)
class Here:
    """Who runs this, and where.

    Attributes:
        environment: The variables that the runner was started with: for secrets only.
        top: The directory or zipapp that `runner` is imported from.
        descriptors: What was read from descriptors by now: a pipe says it once.
    """

    operator: str
    host: str
    clock: Clock
    environment: Mapping[str, str]
    top: str
    descriptors: dict[int, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """The version of this Python."""
        return ".".join(map(str, sys.version_info[:3]))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def runner_sha256(place: str) -> str:
    """Return the SHA-256 of the file that runs; empty where it is a directory of sources."""
    if not os.path.isfile(place):
        return ""
    with open(place, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
