"""How long an audit takes, how much memory, and how large its HTML is, beside the limits.

    .venv/bin/python tests/bench/audit.py

One kit with 1,000 attestations (100 keyless sigstore bundles, 900 DSSE envelopes by a kit signer)
and 50 SBOMs of 1 MB; the limits are 20 s, 300 MiB and 10 MB.  The time is that of the processor, as
the machine may be shared.  It exits with 1 above a limit.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.sbom import cyclonedx, spdx2
from tests.support.auditing import PROVENANCE, TOOL, dump, envelope, kit_bytes, sha256, statement
from tests.support.bundles import STATEMENT, Wish, make_bundle
from tests.support.people import ROOT_FILE

_CHILD = """
import sys
from verifier.cli import main
status = main(sys.argv[1:])
line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
sys.exit(status or print(line.split()[1], file=sys.stderr))
"""
BUNDLES, ENVELOPES, SBOMS, SIZE = 100, 900, 50, 1_000_000
MAX_SECONDS, MAX_MEMORY, MAX_HTML = 20.0, 300 << 20, 10_000_000


def evidence() -> dict[str, bytes]:
    """Return the evidence, by path: each document is another one."""
    made: dict[str, bytes] = {}
    bundle = dump(make_bundle(Wish(statement=STATEMENT)))
    for i in range(BUNDLES):
        made[f"bundles/{i:03}.json"] = bundle.replace(b"\n", b"\n" + b" " * i, 1)
    for i in range(ENVELOPES):
        said = statement(PROVENANCE, {"number": i}, sha256(TOOL))
        made[f"dsse/{i:03}.json"] = envelope(said, "alice" if i % 2 else "bob")
    for i in range(SBOMS):
        data = (cyclonedx if i % 2 else spdx2)(SIZE)
        name = b"bson" if i % 2 else b"runner"
        made[f"sbom/{i:02}.json"] = data.replace(name, b"n%02d-" % i + name)
    return made


def main() -> int:
    """Make the kit, audit it in a process of its own, print what that took."""
    if sys.argv[1:2] == ["--make"]:
        Path(sys.argv[2]).write_bytes(kit_bytes(evidence()))
        return 0
    with tempfile.TemporaryDirectory() as place:
        kit, page = Path(place, "kit.tar.zst"), Path(place, "audit.html")
        # not here: a process that is started counts the memory of the one that starts it
        subprocess.run([sys.executable, __file__, "--make", kit], check=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", _CHILD, "audit", os.fspath(kit), "--root"]
        command += [os.fspath(ROOT_FILE), "--html", os.fspath(page), "--json"]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, check=True)
        clock = time.monotonic() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        memory = int(done.stderr.split()[-1]) * 1024
        html, size = page.stat().st_size, kit.stat().st_size
    print(f"kit of {size / 1e6:.0f} MB; JSON of {len(done.stdout) / 1e6:.1f} MB")
    print(f"{seconds:.1f} s of the processor of {MAX_SECONDS:.0f}, {clock:.1f} s by the clock")
    print(f"{memory / 2**20:.0f} MiB of {MAX_MEMORY >> 20}")
    print(f"HTML of {html / 1e6:.1f} MB of {MAX_HTML / 1e6:.0f}")
    return int(seconds > MAX_SECONDS or memory > MAX_MEMORY or html > MAX_HTML)


if __name__ == "__main__":
    raise SystemExit(main())
