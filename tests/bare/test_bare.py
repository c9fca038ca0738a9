"""The verifier on every Python that this machine has, with nothing installed; see run.py."""

from __future__ import annotations

import pytest

from tests.bare.run import OLDEST, Bare, Python, pythons

FOUND = pythons()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """Return a kit and what every Python must make of it."""
    return Bare(tmp_path_factory.mktemp("bare"))


def test_this_python_is_among_those_found() -> None:
    assert any(python.version[:2] >= OLDEST for python in FOUND)


@pytest.mark.long
@pytest.mark.parametrize("python", FOUND, ids=[python.name for python in FOUND])
def test_every_python_proves_the_kit_or_says_that_it_is_too_old(bare: Bare, python: Python) -> None:
    for _, check in bare.checks(python):
        check(python)
