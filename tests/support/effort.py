"""How many examples a property test looks at."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def at_least(examples: int, **more: Any) -> settings:
    """Return settings for cheap tests: this many examples, or the profile's if it has more.

    So `--hypothesis-profile=thorough` looks longer where that costs little.
    """
    return settings(max_examples=max(examples, settings().max_examples), **more)
