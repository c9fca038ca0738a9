"""A plugin of pytest for runs of lesser.py: what runs there is what such a host would run."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.hosts.lesser import CALLS, FLAGS, MODULES

TESTS = Path(__file__).resolve().parents[1]


class Honest:
    """A plugin of pytest that ends a run that would only look like one of such a host.

    Args:
        part, parts: Which tests this run takes: every `parts`-th, from number `part` on.
    """

    def __init__(self, part: int = 0, parts: int = 1) -> None:
        self._part, self._parts = part, parts

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave to the other runs what is theirs."""
        items[:] = items[self._part :: self._parts]

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Generator[None, object, object]:
        """Leave out a test that itself, not the verifier, wants what was taken away."""
        try:
            return (yield)
        except (AttributeError, ModuleNotFoundError) as error:
            place = traceback.extract_tb(error.__traceback__)[-1].filename
            missing = error.name in (*FLAGS, *CALLS, *MODULES)
            if missing and Path(place).is_relative_to(TESTS):
                pytest.skip(f"not run: the test itself needs {error.name}")
            raise

    def pytest_collection_finish(self) -> None:
        """See that what was taken away has not come back, and that the verifier was behind it."""
        back = [name for name in (*FLAGS, *CALLS) if hasattr(os, name)]
        assert not back, f"somebody brought back {back}"
        assert not set(MODULES).intersection(sys.modules)
        compat = importlib.import_module("verifier._compat")
        assert compat.os is os
        assert not compat.HAS_POSITIONED_READ
