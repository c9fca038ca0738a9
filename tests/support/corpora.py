"""Files of other projects: read where they lie, beside this checkout, and never copied into it."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"


def corpus(name: str) -> Path:
    """Return the folder of one corpus; the test that asks for it is "not run" without it."""
    folder = CORPORA / name
    if not folder.is_dir():
        pytest.skip(f"not run: there is no ../shared/corpora/{name} beside this checkout")
    return folder
