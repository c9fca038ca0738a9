"""How much a test looks at: examples of a property, bits of a signature."""

from __future__ import annotations

from typing import Any

import pytest
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


A_FEW_BITS_OR_ALL = [
    pytest.param(3, id="a few"),
    pytest.param(1, id="all", marks=pytest.mark.long),
]
"""Every which bit is tried: each third one is one of every byte, and of every place in a byte."""
