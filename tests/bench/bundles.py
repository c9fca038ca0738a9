"""How long 100 sigstore bundles take, and in how much memory, beside the limits: 6 s, 30 MB.

    .venv/bin/python tests/bench/bundles.py [PYTHON]

They are by 100 signers, with entries of both kinds of log, and are verified by a bare interpreter,
one after the other.  The time is that of the processor, the memory what the whole process needed at
most.  It exits with 1 above a limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.bundles import ISSUER, NAME, STATEMENT, Wish, make_bundle, text, world

TOP = Path(__file__).resolve().parents[2]
COUNT, MAX_SECONDS, MAX_MEMORY = 100, 6.0, 30_000_000
_CHILD = """
import glob, sys, time
sys.path.insert(0, sys.argv[1])
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import make_identity
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import verify_bundle
root = parse_trusted_root(open(sys.argv[2] + "/root", "rb").read())
who, done = make_identity(sys.argv[3], sys.argv[4]), 0
for path in glob.glob(sys.argv[2] + "/*.json"):
    verify_bundle(parse_bundle(open(path, "rb").read()), who, [root])
    done += 1
line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print('[%d, %f, %d]' % (done, time.process_time(), int(line.split()[1]) * 1024))
"""


def main() -> int:
    """Make the bundles, verify them in a process of its own, print what that took."""
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    with tempfile.TemporaryDirectory() as place:
        Path(place, "root").write_bytes(text(world().trusted_root()))
        for number in range(COUNT):
            statement = {**STATEMENT, "predicate": {"number": number}}
            form = ("hashedrekord", "0.0.2") if number % 2 else ("dsse", "0.0.1")
            made = make_bundle(Wish(statement, form=form))
            Path(place, f"{number:03}.json").write_bytes(text(made))
        command = [python, "-I", "-S", "-c", _CHILD, str(TOP), place, ISSUER, NAME]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count, seconds, memory = json.loads(told)
    print(f"{count} bundles: {seconds:.1f} s of {MAX_SECONDS:.0f}, {memory / 1e6:.0f} MB of 30")
    return int(count != COUNT or seconds > MAX_SECONDS or memory > MAX_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
