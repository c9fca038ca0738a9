"""The judges that several files here ask."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest


def cosigns() -> list[Any]:
    """Return every cosign of this host: that of the PATH, and those that .ci/run has built.

    The last one is asked in the quick tests, the others in the long ones.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = sorted(Path(cache, "offline-kit", "judges").glob("cosign-v*"))
    on_path = shutil.which("cosign")
    every = [*([Path(on_path)] if on_path else []), *filter(Path.is_file, found)]
    return [*(pytest.param(path, marks=pytest.mark.long) for path in every[:-1]), *every[-1:]] or [
        None
    ]


@pytest.fixture(scope="module", params=cosigns(), ids=lambda path: path and path.name)
def cosign(request: pytest.FixtureRequest) -> Path:
    """Return one cosign after the other."""
    if request.param is None:
        pytest.skip("not run: cosign is not installed, and .ci/run has built none")
    assert isinstance(request.param, Path)
    return request.param
