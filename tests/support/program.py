"""``offline-kit`` in this process: its status, what it printed, and what it said."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable

import pytest

from kit import cli

Run = Callable[..., tuple[int, str, str]]
"""Runs ``offline-kit`` with some words; returns exit status, output and messages."""


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs ``offline-kit`` where the test stands."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["offline-kit", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def quiet_run(*words: str) -> int:
    """Run ``offline-kit`` for a fixture that others share; what it says goes nowhere."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["offline-kit", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code
