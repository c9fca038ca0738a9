"""How both programs end: no console and no full disk makes a traceback of a verdict.

Standard output is what a run is for: when it is lost, nobody has been told, and the status is
neither "verified" nor "rejected".  Standard error only accompanies it and may fail.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from verifier import _compat
from verifier.core.errors import ExitStatus, KitError, OutputLost, StandingNowhere
from verifier.typed import Any, TextIO

_INTERRUPTED = "UNDECIDED: interrupted; nothing was decided and nothing was kept"
# Controls (an escape sequence begins with one), and what turns the direction of writing round.
_MOVING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class _Stream:
    """A stream of text; everything but writing is the stream's own."""

    def __init__(self, stream: TextIO | None, *, still: bool) -> None:
        self._stream = stream
        self._still = still
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what the console cannot show

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; what would move the cursor is escaped where the program wants no such."""
        if self._still and _MOVING.search(text):
            text = _MOVING.sub(lambda found: ascii(found[0])[1:-1], text)
        return self.raw(text)

    def raw(self, text: str) -> int:
        """Write text that is our own and may move the cursor."""
        if self._stream is None:
            self._failed("is closed", None)
            return 0
        return int(self._do(self._stream.write, text) or 0)

    def isatty(self) -> bool:
        """Whether somebody is looking."""
        return self._stream is not None and self._stream.isatty()

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self._stream is not None:
            self._do(self._stream.flush)

    def _do(self, call: Callable[..., Any], *arguments: str) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            import contextlib  # here: it takes longer to load than the rest of this module

            with contextlib.suppress(OSError):  # what is buffered must not fail again at the end
                _compat.silence(self.fileno())
            self._failed(error.strerror or str(error), error)

    def _failed(self, why: str, error: OSError | None) -> None:
        """Do nothing: there is nobody left to tell."""


def move(stream: TextIO, text: str) -> None:
    """Write text of our own that moves the cursor, and have it shown now."""
    if isinstance(stream, _Stream):
        stream.raw(text)
    else:
        stream.write(text)
    stream.flush()


class _Output(_Stream):
    def _failed(self, why: str, error: OSError | None) -> None:
        raise OutputLost(why, where="standard output") from error


def guarded(
    program: Callable[[], int], *, interrupted: str = _INTERRUPTED, still: bool = False
) -> int:
    """Run a program on the streams of this process and return its exit status.

    Errors of ours become their message and status.  A reader that has gone (``| head``) wanted no
    more and hears nothing; the status still is not 0.

    Args:
        program: What to run.
        interrupted: What to say when somebody stops it.
        still: Whether what it prints may contain nothing that moves the cursor.
    """
    _compat.occupy_standard_descriptors()
    out, err = sys.stdout, sys.stderr
    # a closed stream is None, and printing to None would print nothing and say nothing of it
    sys.stdout, sys.stderr = _Output(out, still=still), _Stream(err, still=still)
    try:
        try:
            with _compat.Interruptible():
                return program()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not _compat.stands_somewhere():
                raise StandingNowhere("the working directory is no longer there") from None
            raise
        finally:  # the program may also end by SystemExit, after --help
            sys.stdout.flush()
    except KitError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            print(error, file=sys.stderr)
        return int(error.status)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return int(ExitStatus.UNDECIDED)
    finally:
        sys.stdout, sys.stderr = out, err
