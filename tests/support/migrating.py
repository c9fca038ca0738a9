"""Programs of fixtures/lnm as a run starts them, over a database of a test."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.site import LAUNCH
from tests.support.mongo import PLACE, URI_VARIABLE, driver
from tests.unit.lnm import LNM

DRIVER = PLACE / "driver"


def words(program: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return what starts a program: by the runner's launcher, the driver on the path."""
    path = LNM / program
    return [python, "-I", "-B", "-c", LAUNCH, str(path.parent), str(DRIVER), str(path), *arguments]


@dataclass(frozen=True)
class Ended:
    """How a program has ended.

    Attributes:
        report: What ``--report`` holds; None without one.
    """

    status: int
    out: str
    err: str
    report: Any

    @property
    def facts(self) -> Any:
        """The facts of its report."""
        return self.report["facts"]


def run(
    program: str, *arguments: str, uri: str, report: Path | None = None, **variables: str
) -> Ended:
    """Run a program to its end, with a report where one is asked for."""
    given = [*arguments, *([f"--report={report}"] if report else [])]
    environment = {"PATH": os.environ["PATH"], URI_VARIABLE: uri, **variables}
    done = subprocess.run(
        words(program, *given),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    value = json.loads(report.read_text("utf-8")) if report and report.exists() else None
    return Ended(done.returncode, done.stdout, done.stderr, value)


def run_here(
    program: str, *arguments: str, uri: str, report: Path | None = None, **variables: str
) -> Ended:
    """Run a program in this process: a database is asked in no time, and a start takes a second."""
    path = LNM / program
    given = [*arguments, *([f"--report={report}"] if report else [])]
    out, err = io.StringIO(), io.StringIO()
    pymongo, clients = driver(), contextlib.ExitStack()  # a program leaves its client to its end

    def client(*words: Any, **more: Any) -> Any:
        return clients.enter_context(contextlib.closing(real(*words, **more)))

    real = pymongo.MongoClient
    with clients, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pymongo, "MongoClient", client)
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.syspath_prepend(path.parent)
        for name, value in {URI_VARIABLE: uri, **variables}.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = int(runpy.run_path(str(path), run_name="program")["main"](given))
            except SystemExit as ended:  # argparse
                status = int(ended.code or 0)
    found = json.loads(report.read_text("utf-8")) if report and report.exists() else None
    return Ended(status, out.getvalue(), err.getvalue(), found)


def advisories(count: int, statements: int = 3) -> list[dict[str, Any]]:
    """Return merged advisories with so many statements each; every tenth is withdrawn somewhere."""
    made = []
    for number in range(1, count + 1):
        said = [_statement(source, number) for source in _SOURCES[:statements]]
        if number % 10 == 0:
            said[0]["withdrawnAt"] = "2026-01-01T00:00:00Z"
        key = f"CVE-2026-{number:05d}"
        made.append({"_id": number, "advisoryKey": key, "statements": said, "aliases": [key]})
    return made


_SOURCES: Sequence[str] = ("nvd", "ghsa", "osv", "redhat")


def _statement(source: str, number: int) -> dict[str, Any]:
    return {
        "source": source,
        "upstreamId": f"{source}-{number}",
        "severity": ("low", "high")[number % 2],
        "purls": [f"pkg:npm/p{number % 97}@1"],
    }
