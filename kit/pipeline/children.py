"""Programs that stages start: they stand in the directory of the spec, and die with us.

What a killed pipeline leaves running would still write while the next one already does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable

ERRORS = 2  # the descriptor that what they print goes to: output is for results
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG (prctl(2))


def bound_to_us() -> Callable[[], None]:
    """Return what a new process calls to end when we do; where a host cannot, nothing."""
    prctl = None
    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def bind() -> None:
        if prctl is not None:
            prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != parent:  # we were killed before it was said
                os.kill(os.getpid(), signal.SIGKILL)

    return bind
