"""Runs one command in a process of its own and says what it cost, and what disturbed it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))
QUIET = 0.05  # share of all cores that others may take while we measure
BLUR = 0.03  # seconds: how exactly the kernel counts the time of others


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
        others: Seconds of the cores that everything else took meanwhile.
        fsync: Seconds inside fsync, for commands that say so, and part of ``wall``.
    """

    wall: float
    cpu: float
    rss: int
    others: float
    fsync: float = 0.0

    @property
    def quiet(self) -> bool:
        """Whether the command had the machine for itself."""
        return self.others <= QUIET * CORES * self.wall + BLUR


def busy_seconds() -> float:
    """Return the seconds that the cores have worked since the start; 0 if the host keeps none."""
    if not STAT.exists():
        return 0.0
    fields = list(map(int, STAT.read_text("ascii").split("\n", 1)[0].split()[1:9]))
    return (sum(fields) - fields[3] - fields[4]) / TICKS  # all but idle and waiting for disks


def settle(seconds: float) -> None:
    """Wait until nothing else is running, or until so many seconds have passed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(0.1)
        if busy_seconds() - before <= 0.02:
            return


def measure(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Sample:
    """Run a command and its children to their end.

    Raises:
        CommandFailed: Its exit status is not 0.
    """
    log = directory / "command.log"
    with log.open("wb") as out:
        before = busy_seconds()
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=directory, env=environment, stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        after = busy_seconds()
    child.returncode = os.waitstatus_to_exitcode(status)
    with log.open("rb") as out:
        said = out.read(2000).decode("utf-8", "replace")
    if child.returncode:
        raise CommandFailed(f"exit status {child.returncode}: {' '.join(command)}\n{said}")
    fsync = float(json.loads(said)["fsync"]) if said.startswith('{"fsync"') else 0.0
    cpu = usage.ru_utime + usage.ru_stime
    return Sample(wall, cpu, usage.ru_maxrss * 1024, max(0.0, after - before - cpu), fsync)
