"""How long an audit takes, how much memory, and how large its HTML is, beside the limits.

    .venv/bin/python tests/bench/audit.py

One kit with 1,000 attestations (100 keyless sigstore bundles, 900 DSSE envelopes by a kit signer)
and 50 SBOMs of 1 MB; the limits are 20 s, 300 MiB and 10 MB.  It exits with 1 above one of them.
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
from tests.support.bundles import Wish, make_bundle
from tests.support.people import ROOT_FILE

BUNDLES, ENVELOPES, SBOMS, SIZE = 100, 900, 50, 1_000_000
MAX_SECONDS, MAX_MEMORY, MAX_HTML = 20.0, 300 << 20, 10_000_000


def evidence() -> dict[str, bytes]:
    """Return the evidence, by path: each document is another one."""
    made: dict[str, bytes] = {}
    bundle = dump(make_bundle(Wish()))
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
    with tempfile.TemporaryDirectory() as place:
        kit, page = Path(place, "kit.tar.zst"), Path(place, "audit.html")
        papers = evidence()
        kit.write_bytes(kit_bytes(papers))
        command = [sys.executable, "-m", "verifier", "audit", os.fspath(kit), "--root"]
        command += [os.fspath(ROOT_FILE), "--html", os.fspath(page), "--json"]
        start = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        seconds = time.monotonic() - start
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        html = page.stat().st_size
    size = sum(map(len, papers.values()))
    print(f"{len(papers)} documents, {size / 1e6:.0f} MB; JSON of {len(done.stdout) / 1e6:.1f} MB")
    print(f"{seconds:.1f} s of {MAX_SECONDS:.0f}")
    print(f"{memory / 2**20:.0f} MiB of {MAX_MEMORY >> 20}")
    print(f"HTML of {html / 1e6:.1f} MB of {MAX_HTML / 1e6:.0f}")
    return int(seconds > MAX_SECONDS or memory > MAX_MEMORY or html > MAX_HTML)


if __name__ == "__main__":
    raise SystemExit(main())
