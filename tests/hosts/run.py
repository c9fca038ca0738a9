"""Runs the core of the suite on a host that has less (lesser.py): ``make hosts``."""

from __future__ import annotations

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
LESS = ("-k", "not shipped_program and not page_is_in_the_docs")


def main() -> int:
    """Run it and return the exit status; arguments are handed to pytest."""
    with tempfile.TemporaryDirectory() as directory:
        # where the directory of tests is given, pytest does not ask who the user is
        base = ["--basetemp", f"{directory}/base"]
        line = [sys.executable, f"{HERE}/lesser.py", "-q", *base]
        line += sys.argv[1:] or [*CORE, *LESS]
        return subprocess.run(line, cwd=HERE.parents[1], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
