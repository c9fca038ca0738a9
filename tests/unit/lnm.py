"""The LNM kit source as the tests see it: where it lies, and how its modules are imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

LNM = Path(__file__).resolve().parents[2] / "fixtures" / "lnm"
SPEC = LNM / "kit.toml"
LAYOUT = LNM / "images" / "migration-runner"
BUNDLES = LNM / "migrations"


def load(folder: str, name: str) -> Any:
    """Import a module as the programs beside it do, and leave no cache beside it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(LNM / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(LNM / folder))
        sys.dont_write_bytecode = before
