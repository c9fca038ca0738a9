"""Files of other projects: read where they lie, beside this checkout, and never copied into it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def corpus(name: str) -> Path:
    """Return the folder of one corpus; the test that asks for it is "not run" without it."""
    return beside(f"corpora/{name}")


def beside(name: str) -> Path:
    """Return a folder of `../shared`; the test that asks for it is "not run" without it."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"not run: there is no ../shared/{name} beside this checkout")
    return folder
