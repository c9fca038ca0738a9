"""Runs the core of the suite on a host that has less (lesser.py): ``make hosts``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = (
    "tests/unit/verifier",
    "tests/hostile/test_vectors.py",
    "tests/hostile/test_changing_kit.py",
)
# those of the shipped program run in a Python of their own, which has all of this host
LESS = ("-k", "not shipped_program and not page_is_in_the_docs", "-m", "not long")


def main() -> int:
    """Run it, a process a core, and return the exit status; arguments are handed to pytest."""
    parts = max(1, len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as directory:
        runs = []
        for part in range(parts):
            line = [sys.executable, f"{HERE}/lesser.py", "--part", f"{part}/{parts}", "-q"]
            # where the directory of tests is given, pytest does not ask who the user is
            line += ["--basetemp", f"{directory}/base-{part}", *(sys.argv[1:] or [*CORE, *LESS])]
            runs.append(subprocess.Popen(line, cwd=HERE.parents[1], stdout=subprocess.PIPE))
        status = 0
        for run in runs:
            output, _ = run.communicate()
            sys.stdout.buffer.write(output)
            sys.stdout.flush()
            status = max(status, run.returncode, key=abs)
        return status


if __name__ == "__main__":
    sys.exit(main())
