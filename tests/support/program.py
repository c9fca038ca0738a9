"""``offline-kit`` in this process: its status, what it printed, and what it said."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
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
    *,
    encoding: str = "utf-8",
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``offline-kit`` in a fork that stands elsewhere: nothing is imported anew for it.

    Args:
        place: Where it stands: a directory, or a descriptor of one.
        limit: Called first, in the fork: what it may not do.
        streams: Called then: closes streams, or puts others there.
        encoding: What its streams are for, as a locale or ``PYTHONIOENCODING`` says.
        environment: What it has beside the path and the locale.
    """
    with contextlib.suppress(KeyError, IndexError):
        cli._program().commands[words[0]]  # made here once, and not in each fork
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:

        def ours() -> None:
            for number, file in ((1, out), (2, err)):
                os.dup2(file.fileno(), number)
            streams()

        status = killing.ended(_forked(words, place, limit, ours, encoding, environment))
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode(encoding, "backslashreplace"))
    return subprocess.CompletedProcess(words, status, *said)


def on_a_terminal(
    words: Sequence[str], place: Path, stream: int, /, **environment: str
) -> tuple[int, bytes]:
    """Run ``offline-kit`` in such a fork, and let a terminal be one of its streams.

    Args:
        stream: 1 or 2; the other one goes nowhere.

    Returns:
        Its exit status, and what the terminal was given.
    """
    ours, theirs = os.openpty()

    def streams() -> None:
        for number in (1, 2):
            os.dup2(theirs if number == stream else 0, number)

    child = _forked(words, place, int, streams, "utf-8", environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(ours, 1 << 16):
            shown += piece
    os.close(ours)
    return killing.ended(child), shown


def _forked(
    words: Sequence[str],
    place: Path | int,
    limit: Callable[[], object],
    streams: Callable[[], object],
    encoding: str,
    environment: Mapping[str, str],
) -> int:
    def work() -> None:
        limit()
        os.chdir(place)
        for name in set(os.environ) - {"PATH", "LC_ALL"}:
            del os.environ[name]
        os.environ.update(environment)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # to the end
        sys.argv = ["offline-kit", *words]
        streams()
        sys.stdout, sys.stderr = _stream(1, encoding), _stream(2, encoding)
        try:
            cli.main()
        except SystemExit as ended:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 1)

    return killing.fork(work)


def _stream(number: int, encoding: str) -> TextIO | None:
    """Return what Python makes of a descriptor when it starts: nothing of one that is closed."""
    try:
        return open(number, "w", 1 if number == 2 else -1, encoding=encoding, closefd=False)
    except OSError:
        return None


def quiet_run(*words: str) -> int:
    """Run ``offline-kit`` for a fixture that others share; what it says goes nowhere."""
    return said_by(*words)[0]


def said_by(*words: str | Path) -> tuple[int, str]:
    """Run ``offline-kit`` in this process; return its exit status and all that it said."""
    said = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        patch.setattr(sys, "argv", ["offline-kit", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.getvalue()
