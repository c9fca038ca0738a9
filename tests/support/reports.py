"""Reports of tests and scanners: as tools write them, and as nobody should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPORTS = Path(__file__).parents[1] / "unit" / "kit" / "attest" / "reports"
DATABASE = {
    "status": {
        "schemaVersion": "v6.1.2",
        "from": "https://grype.example/databases/v6/vulnerability-db.tar.zst?checksum=sha256%3A00",
        "built": "2026-11-20T06:13:47Z",
        "path": "/home/builder/.cache/grype/db/6/vulnerability.db",
        "valid": True,
    },
    "providers": {"nvd": {"captured": "2026-11-20T00:06:55Z", "input": "xxh64:0"}},
}

TRX_HEAD = """\
<?xml version="1.0" encoding="utf-8"?>
<TestRun id="7d2fd4b2-04a1-4ef6-9bd0-12d3a3e8b1c7" name="ci@host 2026-11-24 10:00:00"
  xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">
  <Times creation="2026-11-24T10:00:00.0000000+00:00" queuing="2026-11-24T10:00:00.0000000+00:00"
    start="2026-11-24T10:00:00.0000000+00:00" finish="2026-11-24T10:00:01.0000000+00:00" />
"""


def trx(
    *outcomes: str | None, summary: str = "Completed", counters: dict[str, Any] | None = None
) -> bytes:
    """Return the report of a run of tests with these outcomes; None for one that has none."""
    results, definitions = [], []
    for number, outcome in enumerate(outcomes):
        said = f' outcome="{outcome}"' if outcome is not None else ""
        results.append(
            f'<UnitTestResult executionId="e{number}" testId="t{number}" testName="Does{number}"'
            f' computerName="host" duration="00:00:00.0010000"'
            f' testType="13cdc9d9-ddb5-4fa4-a97d-d965ccfc6d4b"{said}'
            f' testListId="8c84fa94-04c1-424b-9868-57a2d4851a1d"><Output><StdOut>x &lt; y</StdOut>'
            f"</Output></UnitTestResult>"
        )
        definitions.append(
            f'<UnitTest name="Does{number}" storage="runner.dll" id="t{number}"><Execution'
            f' id="e{number}" /><TestMethod codeBase="runner.dll" className="Runner.Tests"'
            f' name="Does{number}" /></UnitTest>'
        )
    passed = sum(outcome == "Passed" for outcome in outcomes)
    skipped = sum(outcome == "NotExecuted" for outcome in outcomes)
    other = len(outcomes) - passed - skipped
    counts = {
        "total": len(outcomes),
        "executed": len(outcomes) - skipped,
        "passed": passed,
        "failed": other,
        "error": 0,
        "timeout": 0,
        "aborted": 0,
        "inconclusive": 0,
        "passedButRunAborted": 0,
        "notRunnable": 0,
        "notExecuted": skipped,
        "disconnected": 0,
        "warning": 0,
        "completed": 0,
        "inProgress": 0,
        "pending": 0,
        **(counters or {}),
    }
    told = " ".join(f'{name}="{count}"' for name, count in counts.items())
    return (
        TRX_HEAD
        + f"<Results>{''.join(results)}</Results>"
        + f"<TestDefinitions>{''.join(definitions)}</TestDefinitions>"
        + f'<ResultSummary outcome="{summary}"><Counters {told} /></ResultSummary></TestRun>'
    ).encode()


def junit(body: str, **counts: object) -> bytes:
    """Return a report with one suite."""
    told = "".join(f' {name}="{count}"' for name, count in counts.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="s"{told}>{body}'
        "</testsuite></testsuites>"
    ).encode()


def grype(**changes: Any) -> dict[str, Any]:
    """Return a report of grype's own tests, with the database that a real run names."""
    value: dict[str, Any] = json.loads((REPORTS / "grype.json").read_bytes())
    value["descriptor"] |= {
        "version": "0.121.2",
        "db": DATABASE,
        "timestamp": "2026-11-23T09:12:01.5+01:00",
    }
    return {**value, **changes}
