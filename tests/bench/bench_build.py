"""Builds a kit in a process of its own and says how long fsync took: ``bench_build.py SPEC ROOT``.

With ``--check`` the finished file is verified before it gets its name, as a real build does; the
time inside fsync is the disk's, so it is measured apart.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from kit.build import Options, build
from kit.spec import load_spec
from verifier.rootfile import load_root


def main() -> None:
    """Build beside the spec, unsigned."""
    spec, root = map(Path, sys.argv[1:3])
    seconds = 0.0
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal seconds
        start = time.perf_counter()
        real(descriptor)
        seconds += time.perf_counter() - start

    setattr(os, "fsync", fsync)  # noqa: B010 - the checker knows another type for it
    options = Options(self_check="--check" in sys.argv)
    build(load_spec(spec), [load_root(os.fspath(root))], spec.parent / "out", options)
    print(json.dumps({"fsync": seconds}))


if __name__ == "__main__":
    main()
