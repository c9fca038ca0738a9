"""Nothing is ever fetched, whatever is missing: evidence is judged without a socket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.container.pyz import make_pyz, verifier_files
from tests.hostile.test_evidence_vectors import Vector
from tests.services.test_no_network import TALKING, strace, trace, without_network

__all__ = ["strace", "without_network"]  # fixtures

# What is missing, and the exit status of `verify` and `audit`.
MISSING = {
    "identity": 0,
    "absent_fail": 4,  # the attestation
    "root_missing_fail": 3,  # the trusted root
    "not_logged_fail": 4,  # the log's entry
    "sigstore_proof_none_fail": 4,  # its proof
    "sigstore_time_none_fail": 4,  # a timestamp
    "layout_no_link_fail": 4,
    "form_spdx3": 0,  # the document that its context names
    "kinds_broken_fail": 4,
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "kit-verify.pyz"
    path.write_bytes(make_pyz(verifier_files()))
    return path


@pytest.mark.parametrize("command", [[], ["audit"]], ids=["verify", "audit"])
@pytest.mark.parametrize("name", MISSING)
def test_nothing_is_fetched(
    name: str,
    command: Sequence[str],
    program: Path,
    strace: Path,
    without_network: list[str],
    tmp_path: Path,
) -> None:
    vector = Vector(name, tmp_path)
    words: list[str | Path] = [sys.executable, "-I", program, *command, vector.kit]
    words += ["--trust", vector.site.trust]
    log = tmp_path / "trace"
    done = subprocess.run(
        [*without_network, *trace(strace, log, "network,io_uring_setup", words)],
        capture_output=True,
        text=True,
        check=False,
        env={},
        cwd=os.fspath(tmp_path),
    )
    assert done.returncode == MISSING[name], done.stdout + done.stderr
    assert [line for line in log.read_text().splitlines() if TALKING.search(line)] == []
