"""``--set kit.FIELD=VALUE``: fields of a spec that change with every release, for those who script.

Time comes in as an argument, also for ``now``: nothing here looks at a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.core.errors import UsageError
from verifier.core.model import format_time

Settings = Mapping[str, str | int]
"""From the name of a field of ``[kit]`` to its value."""

FIELDS = ("version", "sequence", "created", "expires", "summary")
NOW = "now"
_TIMES = ("created", "expires")


def parse_settings(arguments: Sequence[str], now: int) -> dict[str, str | int]:
    """Return what ``--set`` arguments say; whether the values are good is judged with the spec.

    Args:
        now: The time, in seconds since 1970, that ``now`` stands for.

    Raises:
        UsageError: One is not KEY=VALUE, or names what cannot be set, or comes twice.
    """
    settings: dict[str, str | int] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        name = key.removeprefix("kit.")
        if not equals or not value:
            raise UsageError(f"--set wants kit.FIELD=VALUE, such as kit.version=1.5, not {key!r}")
        if name not in FIELDS or name == key:
            known = ", ".join(f"kit.{field}" for field in FIELDS)
            raise UsageError(f"--set {key!r}: these can be set: {known}")
        if name in settings:
            raise UsageError(f"--set kit.{name} is given twice")
        if name == "sequence":
            settings[name] = _whole(value)
        else:
            settings[name] = format_time(now) if (name in _TIMES and value == NOW) else value
    return settings


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 13:
        raise UsageError(f"--set kit.sequence wants a whole number from 1 to 2^40, not {value!r}")
    return int(value)


def apply(settings: Settings, values: dict[str, Any]) -> None:
    """Put settings into a document that nobody has checked yet."""
    kit = values.setdefault("kit", {}) if settings else None
    if isinstance(kit, dict):
        kit.update(settings)
