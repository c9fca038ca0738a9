"""How both programs end: no console and no full disk makes a traceback of a verdict.

Standard output is what a run is for: when it is lost, nobody has been told, and the status is
neither "verified" nor "rejected".  Standard error only accompanies it and may fail.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from verifier import _compat
from verifier.core.errors import ExitStatus, KitError, OutputLost
from verifier.typed import Any, TextIO

_INTERRUPTED = "UNDECIDED: interrupted; nothing was decided and nothing was kept"


class _Stream:
    """A stream of text; everything but writing is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):  # a name that the console cannot show is escaped
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        return int(self._do(self._stream.write, text) or 0)

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._do(self._stream.flush)

    def _do(self, call: Callable[..., Any], *arguments: str) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            import contextlib  # here: it takes longer to load than the rest of this module

            with contextlib.suppress(OSError):  # what is buffered must not fail again at the end
                _compat.silence(self._stream.fileno())
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Do nothing: there is nobody left to tell."""


class _Output(_Stream):
    def _failed(self, error: OSError) -> None:
        raise OutputLost(error.strerror or str(error), where="standard output") from error


def guarded(program: Callable[[], int], *, interrupted: str = _INTERRUPTED) -> int:
    """Run a program on the streams of this process and return its exit status.

    Errors of ours become their message and status.  A reader that has gone (``| head``) wanted no
    more and hears nothing; the status still is not 0.
    """
    out, err = sys.stdout, sys.stderr
    # closed streams are None, and printing to None prints nothing
    sys.stdout = _Output(out) if out is not None else out
    sys.stderr = _Stream(err) if err is not None else err
    try:
        try:
            return program()
        finally:  # the program may also end by SystemExit, after --help
            if sys.stdout is not None:
                sys.stdout.flush()
    except KitError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            _tell(str(error))
        return int(error.status)
    except KeyboardInterrupt:
        _tell(interrupted)
        return int(ExitStatus.UNDECIDED)
    finally:
        sys.stdout, sys.stderr = out, err


def _tell(text: str) -> None:
    if sys.stderr is not None:  # else print would take standard output
        print(text, file=sys.stderr)
