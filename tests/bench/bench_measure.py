"""Runs one command in a process of its own and says what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class CommandFailed(Exception):
    """A command of the benchmark did not succeed: a fast failure is no figure."""


@dataclass(frozen=True)
class Sample:
    """What one run of one command cost.

    Attributes:
        wall: Seconds from start to end, the interpreter's own start included.
        cpu: Seconds of all its processes, user and system.
        rss: Peak of the largest of its processes, bytes; never below that of this program, whose
            memory a new process has for a moment.
        fsync: Seconds inside fsync, for commands that say so, and part of ``wall``.
    """

    wall: float
    cpu: float
    rss: int
    fsync: float = 0.0


def measure(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Sample:
    """Run a command and its children to their end.

    Raises:
        CommandFailed: Its exit status is not 0.
    """
    log = directory / "command.log"
    with log.open("wb") as out:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=directory, env=environment, stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text("utf-8", "replace")[-2000:]
    if child.returncode:
        raise CommandFailed(f"exit status {child.returncode}: {' '.join(command)}\n{said}")
    fsync = 0.0
    if said.startswith('{"fsync"'):
        fsync = float(json.loads(said)["fsync"])
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, fsync)
