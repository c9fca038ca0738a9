"""Evidence and audits cost nothing where nobody asks: verify does not import their rooms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.making import REPOSITORY, ROOT_FILE, make_kit

PROGRAM = f"""import sys; sys.path.insert(0, {os.fspath(REPOSITORY)!r})
from verifier.cli import main
status = main(sys.argv[1:])
mine = ("verifier.evidence", "verifier.catch", "verifier.audit")
print(status, [name for name in sys.modules if name.startswith(mine)])"""


def test_usual_verify_imports_nothing_of_evidence(tmp_path: Path) -> None:
    kit = make_kit(tmp_path, {"tools/run": b"#!/bin/sh\n"})
    command = [sys.executable, "-I", "-c", PROGRAM, "verify", "--quiet", os.fspath(kit.path)]
    command += ["--root", os.fspath(ROOT_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n", done.stderr
