"""What the rooms of evidence cost a `verify` that does not ask for them, beside the limit of 5 ms.

    .venv/bin/python tests/bench/start.py [--runs 21]

Two programs verify one small kit: `kit-verify.pyz` as it is shipped, and one without the rooms
`verifier/evidence` and `verifier/audit`.  Told are the modules of ours that each imports, the least
time of the processor of so many runs, taken in turn, and the instructions that valgrind counts,
where it is installed: they do not depend on who else uses the machine.  It exits with 1 above the
limit, and if one program imports what the other does not.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kit.container.pyz import make_pyz, verifier_files
from tests.support.assembler import Draft, assemble
from tests.support.making import ROOT_FILE

LIMIT = 0.005  # seconds
ROOMS = ("verifier/evidence/", "verifier/audit/", "evidence/", "audit/")
_COUNTED = re.compile(r"I\s+refs:\s+([0-9,]+)")


def processor(command: list[str]) -> float:
    """Return the seconds of the processor that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def modules(command: list[str]) -> set[str]:
    """Return the modules of ours that a command imports."""
    told = [*command[:1], "-X", "importtime", *command[1:]]
    done = subprocess.run(told, check=True, capture_output=True, text=True)
    names = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines())
    return {name for name in names if name.partition(".")[0] == "verifier"}


def instructions(command: list[str]) -> int:
    """Return how many instructions a command takes; 0 where valgrind is not installed."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return 0
    tool = [valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*tool, *command], check=True, capture_output=True, text=True, env=environment
    )
    found = _COUNTED.search(done.stderr)
    return int(found[1].replace(",", "")) if found else 0


def main() -> int:
    """Make both programs, run them in turn, print what that took."""
    parser = argparse.ArgumentParser(description="What evidence costs who does not ask for it.")
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    files = verifier_files()
    without = {name: data for name, data in files.items() if not name.startswith(ROOMS)}
    assert len(without) < len(files), "no room was left out"
    with tempfile.TemporaryDirectory() as place:
        kit = Path(place, "kit.tar.zst")
        kit.write_bytes(assemble(Draft()))
        commands: dict[str, list[str]] = {}
        for name, sources in (("as shipped", files), ("without", without)):
            path = Path(place, f"{len(commands)}", "kit-verify.pyz")
            path.parent.mkdir()
            path.write_bytes(make_pyz(sources))
            verify = ["verify", os.fspath(kit), "--root", os.fspath(ROOT_FILE)]
            commands[name] = [sys.executable, "-I", os.fspath(path), *verify]
        least = dict.fromkeys(commands, float("inf"))
        for _ in range(runs):
            for name, command in commands.items():
                least[name] = min(least[name], processor(command))
        imported = {name: modules(command) for name, command in commands.items()}
        counted = {name: instructions(command) for name, command in commands.items()}
        sizes = {name: Path(command[2]).stat().st_size for name, command in commands.items()}
    for name in commands:
        number = f"{counted[name] / 1e6:.1f} million" if counted[name] else "uncounted"
        print(
            f"{name}: {sizes[name]} bytes, {len(imported[name])} modules, "
            f"{1000 * least[name]:.1f} ms of the processor, {number} instructions"
        )
    difference = least["as shipped"] - least["without"]
    print(f"{1000 * difference:+.1f} ms of {1000 * LIMIT:.0f}")
    same = imported["as shipped"] == imported["without"]
    return int(difference > LIMIT or not same)


if __name__ == "__main__":
    sys.exit(main())
