"""What a run costs beside its programs, how fast 10,000 steps are resumed, and the memory of both.

    .venv/bin/python tests/bench/steps.py

The bars: 10 ms a step beside what its programs take, a second to resume 10,000 steps, and 64 MiB,
whatever the kit has.  Seconds are those of the processor, of the runner and its children, as the
machine may be shared; the clock stands beside them.  It exits with 1 above a bar.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.running import NO_SECRET, Grounds

STEPS, GATES, PADDING = 200, 10_000, 256 << 20
MAX_STEP, MAX_RESUME, MAX_MEMORY = 0.010, 1.0, 64 << 20
# a check that a file is there, and a work that makes it
STEP = b"""\
#!/bin/sh
case "$2" in --check) test -e "$1" || exit 10;; *) : > "$1";; esac
"""


class Took:
    """Seconds by the clock and of the processor, and the peak of memory, of children."""

    def __init__(self, command: list[str], status: int) -> None:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.memory = 0
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while child.poll() is None:  # ru_maxrss has what this process had when it forked
            self.memory = max(self.memory, _peak(child.pid))
            time.sleep(0.01)
        assert child.returncode == status, command
        self.clock = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _peak(process: int) -> int:
    """Return the most that a process has had in memory so far, in bytes."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def programs(place: Path, script: Path) -> tuple[float, float]:
    """Start what the steps start, by hand: check, work, check; return clock and processor."""
    place.mkdir()
    before, began = os.times(), time.monotonic()
    for number in range(STEPS):
        for more in (["--check"], [], ["--check"]):
            subprocess.run([script, place / str(number), *more], check=False)
    after = os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    return time.monotonic() - began, cpu


def step(number: int) -> str:
    """Return a step that makes a file."""
    word = f"{{place}}/{number}"
    text = f'[[step]]\nid = "s{number}"\napply = ["tools/go", "{word}"]\n'
    return text + f'check = ["tools/go", "{word}", "--check"]\nundo = {{ none = "small" }}\n'


def gate(number: int) -> str:
    """Return a gate that `--yes` answers; the last one waits for somebody."""
    last = number == GATES - 1
    return f'[[step]]\nid = "g{number}"\nkind = "gate"\nask = "?"\nyes = {str(not last).lower()}\n'


def main() -> int:
    """Make both kits, run them, and print what that took."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as top:
        small = Grounds(Path(top, "small"))
        small.top.mkdir()
        book = "".join(map(step, range(STEPS)))
        small.make(book, {"tools/go": STEP}, executable=("tools/go",), head=NO_SECRET)
        script = Path(top, "go")
        script.write_bytes(STEP)
        script.chmod(0o755)
        start = Took(small.new("plan"), 0)
        by_hand, by_hand_cpu = programs(Path(top, "by-hand"), script)
        run = Took(small.new("run"), 0)
        clock = (run.clock - start.clock - by_hand) / STEPS
        cpu = (run.cpu - start.cpu - by_hand_cpu) / STEPS

        large = Grounds(Path(top, "large"))
        large.top.mkdir()
        noise = {f"data/{n}": os.urandom(1 << 20) for n in range(PADDING >> 20)}
        large.make("".join(map(gate, range(GATES))), noise, head=NO_SECRET)
        first = Took(large.new("run", "--yes"), 6)
        resumed = min(
            (Took(large.command("resume", large.run_directory), 6) for _ in range(3)),
            key=lambda took: took.cpu,
        )
        journal = (large.run_directory / "journal").stat().st_size
    print(
        f"{STEPS} steps of three programs: {1000 * cpu:.1f} ms of the processor a step beside its"
    )
    print(f"programs ({1000 * by_hand_cpu / STEPS:.1f} ms), {1000 * clock:.1f} ms by the clock")
    print(f"resume of {GATES:,} steps (journal {journal / 1e6:.1f} MB, kit {PADDING >> 20} MiB):")
    print(f"{resumed.cpu:.2f} s of the processor, {resumed.clock:.2f} s by the clock")
    mebibytes = [took.memory / 2**20 for took in (run, first, resumed)]
    print("peak: run {:.0f}, run of 10,000 {:.0f}, resume {:.0f} MiB".format(*mebibytes))
    bad = cpu > MAX_STEP or resumed.cpu > MAX_RESUME or resumed.memory > MAX_MEMORY
    return int(bad or run.memory > MAX_MEMORY)


if __name__ == "__main__":
    raise SystemExit(main())
