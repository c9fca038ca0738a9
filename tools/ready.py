"""An `offline-kit` that has everything imported: each command of a page is a fork of it.

A page starts `offline-kit` some dozen times, and most of that time would be imports.  What runs is
the command line of this checkout, in a process of its own, with the arguments, descriptors,
environment, directory and mode mask of the shell that calls it.  `make package`, and the tests of
what a start costs, start it as users do.
"""

from __future__ import annotations

import atexit
import functools
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


@functools.cache
def caller() -> str:
    """Return what a shell script executes in the place of `offline-kit`; it goes on with "$@"."""
    place = tempfile.TemporaryDirectory(prefix="ready-")
    door = Path(place.name, "door")
    server = subprocess.Popen(
        [sys.executable, HERE / "ready_server.py", door],
        env={"PYTHONPATH": os.fspath(HERE.parent), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=place.name,
    )

    def end() -> None:
        server.kill()
        server.wait()
        place.cleanup()

    atexit.register(end)
    assert server.stdout is not None
    if not server.stdout.readline():
        raise RuntimeError("offline-kit cannot be started")
    python = getattr(sys, "_base_executable", sys.executable)
    return shlex.join([python, "-I", "-S", os.fspath(HERE / "ready_caller.py"), os.fspath(door)])
