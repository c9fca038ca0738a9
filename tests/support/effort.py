"""How many examples a property test looks at."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def at_least(examples: int, **more: Any) -> settings:
    """Return settings for cheap tests: this many examples, or the profile's if it has more.

    So `--hypothesis-profile=thorough` looks longer where that costs little.  A profile with fewer
    than a hundred, as at a developer's desk, where every run has other ones, takes as small a
    share of these.
    """
    usual = settings().max_examples
    return settings(max_examples=max(examples * min(usual, 100) // 100, usual), **more)


def at_most(examples: int, **more: Any) -> settings:
    """Return settings for dear tests: this many examples, or the profile's share of a hundred."""
    usual = settings().max_examples
    return settings(max_examples=max(examples * min(usual, 100) // 100, 3), **more)
