"""What tests of the release host may ask for."""

from __future__ import annotations

import pytest

from tests.support.program import Run, runner


@pytest.fixture
def offline_kit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs ``offline-kit`` where the test stands."""
    return runner(capsys, monkeypatch)
