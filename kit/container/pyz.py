"""The sources that a kit carries of its verifier and its runner, and the programs made of them."""

from __future__ import annotations

import functools
import os
from types import ModuleType

import runner
import verifier
from runner.packing.pyz import make_pyz, make_runner_pyz, sources_in
from verifier.core.lists import VERIFIER, Index

__all__ = ["make_pyz", "make_runner_pyz", "runner_files", "verifier_files", "verifier_tool"]


def verifier_tool(index: Index) -> int:
    """Return the number of ``kit-verify.pyz``: the last of its class (FORMAT 6.1, 6.2)."""
    return index.bounds[VERIFIER] - 1


def verifier_files() -> dict[str, bytes]:
    """Return the verifier's sources, from path below ``verifier/`` to contents."""
    return _sources(verifier)


def runner_files() -> dict[str, bytes]:
    """Return the runner's sources, from path below ``runner/`` to contents."""
    return _sources(runner)


def _sources(package: ModuleType) -> dict[str, bytes]:
    return dict(_read(package))  # a caller may add to it


@functools.cache  # those of this program: what is written there meanwhile is of another
def _read(package: ModuleType) -> dict[str, bytes]:
    assert package.__file__ is not None
    top = os.path.dirname(os.path.dirname(package.__file__))
    return sources_in(top, package.__name__)
