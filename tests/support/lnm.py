"""The programs of fixtures/lnm as a site runs them, and what they read and must write."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.migrating import run_here, words
from tests.support.mongo import URI_VARIABLE, program
from tests.unit.lnm import load

BACKFILL = "migrations/21-102/backfill.py"
ROLLBACK = "migrations/21-102/rollback.py"
MOVE = "seeds/object-store/move.py"
MOVE_BACK = "seeds/object-store/move_back.py"

model: Any = load("migrations/21-102", "lnm_model")
common: Any = load("migrations/21-102", "lnm_common")
Exit: Any = common.Exit
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
Tables = dict[str, dict[Any, Any]]


@dataclass(frozen=True)
class Ran:
    """What a program left.

    Attributes:
        report: What it reported on standard output; None if it reported nothing.
    """

    status: int
    report: dict[str, Any] | None
    errors: str

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of the report."""
        assert self.report is not None, self.errors
        facts: dict[str, Any] = self.report["facts"]
        return facts

    @property
    def run(self) -> dict[str, Any]:
        """What the report says of that process alone."""
        assert self.report is not None, self.errors
        run: dict[str, Any] = self.report["run"]
        return run

    @property
    def sha256(self) -> str:
        """The hash of the facts, as the program printed it."""
        assert self.report is not None, self.errors
        return str(self.report["factsSha256"])


def start(
    name: str, *arguments: str, uri: str, more: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a program as the runner does: isolated, with its driver and no other variables."""
    program()  # or the test is not run
    return subprocess.Popen(
        words(name, *arguments),
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", URI_VARIABLE: uri, **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Ran:
    """Wait for a program."""
    out, errors = process.communicate(timeout=120)
    return _ran(process.returncode, out, errors)


def run(name: str, *arguments: str, uri: str, more: Mapping[str, str] | None = None) -> Ran:
    """Run a program in this process, which gets its signals back."""
    held = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        ended = run_here(name, *arguments, uri=uri, report=None, **(more or {}))
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    return _ran(ended.status, ended.out, ended.err)


def _ran(status: int, out: str, errors: str) -> Ran:
    return Ran(status, json.loads(out) if out.strip() else None, errors)


def advisory(number: int, **more: Any) -> dict[str, Any]:
    """Return an advisory; of ten one is deleted, and of seven one has a withdrawn statement."""
    when = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    statements: list[dict[str, Any]] = [
        {"source": "nvd", "upstreamId": f"NVD-{number}", "severity": "high", "fetchedAt": when},
        {"source": "ghsa", "upstreamId": f"GHSA-{number}", "severity": "low", "purls": ["pkg:a/b"]},
    ]
    if number % 7 == 0:
        statements[0]["withdrawnAt"] = when
    if number % 10 == 0:
        more = {"deleted": True, **more}
    return {"_id": number, "advisoryKey": f"CVE-{number}", "statements": statements, **more}


def expected(advisories: Iterable[dict[str, Any]], run_id: str) -> Tables:
    """Return all that a backfill must have written, document by document."""
    made: Tables = {name: {} for name in model.WRITE_ORDER}
    for one in advisories:
        for name, documents in model.plan_advisory(one, run_id).by_collection().items():
            for document in documents:
                made[name].setdefault(document["_id"], document)
    return made


def tables(database: Any, names: Iterable[str] = model.WRITE_ORDER) -> Tables:
    """Return all that a database holds in some collections."""
    from bson.codec_options import CodecOptions  # type: ignore[import-not-found,unused-ignore]

    aware: Any = CodecOptions(tz_aware=True)
    return {
        name: {d["_id"]: d for d in database.get_collection(name, codec_options=aware).find()}
        for name in names
    }
