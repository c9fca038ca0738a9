"""``offline-kit`` in this process: its status, what it printed, and what it said."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import pytest

from kit import cli
from tests.support import killing

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


def apart(
    words: Sequence[str],
    place: Path | int,
    limit: Callable[[], object] = int,
    streams: Callable[[], object] = int,
    /,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``offline-kit`` in a fork that stands elsewhere: nothing is imported anew for it.

    Args:
        place: Where it stands: a directory, or a descriptor of one.
        limit: Called first, in the fork: what it may not do.
        streams: Called then: closes streams, or puts others there.
        environment: What it has beside the path and the locale.
    """
    with contextlib.suppress(KeyError, IndexError):
        cli._program().commands[words[0]]  # made here once, and not in each fork
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:

        def work() -> None:
            limit()
            os.chdir(place)
            for name in set(os.environ) - {"PATH", "LC_ALL"}:
                del os.environ[name]
            os.environ.update(environment)
            sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # to the end
            os.dup2(sys.stdin.fileno(), 0)
            sys.argv = ["offline-kit", *words]
            for number, file in ((1, out), (2, err)):
                os.dup2(file.fileno(), number)
            streams()
            sys.stdout, sys.stderr = _stream(1), _stream(2)
            try:
                cli.main()
            except SystemExit as ended:
                for stream in (sys.stdout, sys.stderr):
                    if stream is not None:
                        stream.flush()
                os._exit(ended.code if isinstance(ended.code, int) else 1)

        status = killing.ended(killing.fork(work))
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8", "backslashreplace"))
    return subprocess.CompletedProcess(words, status, *said)


def _stream(number: int) -> TextIO | None:
    """Return what Python makes of a descriptor when it starts: nothing of one that is closed."""
    try:
        return open(number, "w", 1 if number == 2 else -1, encoding="utf-8", closefd=False)
    except OSError:
        return None


def quiet_run(*words: str) -> int:
    """Run ``offline-kit`` for a fixture that others share; what it says goes nowhere."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["offline-kit", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code
