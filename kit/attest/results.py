"""Results of tests as `https://in-toto.io/attestation/test-result/v0.1` has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.attest.errors import ReportUnknown, TestsNotPassed
from kit.attest.inputs import Input
from kit.attest.junit import JUnit
from kit.attest.model import Made, descriptor
from kit.attest.testrun import Run
from kit.attest.trx import Trx
from kit.attest.xml import local, read_xml

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
_SHOWN = 10  # of what did not pass


def results(given: Sequence[Input]) -> Made:
    """Return the predicate of runs that passed.

    Args:
        given: Reports; what is neither XML nor called so is configuration, and named by digest.

    Raises:
        ReportUnknown: There is no report, or one is of no form that is known.
        ReportMalformed: One is not of its form.
        ReportTooLarge: One is above a bound.
        TestsNotPassed: They do not show that the tests passed.
    """
    reports = [item for item in given if _is_report(item)]
    if not reports:
        raise ReportUnknown("is no report of tests", where=given[0].where)
    runs = [_read(item) for item in reports]
    for run in runs:
        check_passed(run)
    warned = sorted(name for run in runs for name in run.warned)
    predicate: dict[str, Any] = {
        "result": "WARNED" if warned else "PASSED",
        "configuration": [descriptor(item) for item in given if item not in reports],
        "passedTests": sorted(name for run in runs for name in run.passed),
        "warnedTests": warned,
        "failedTests": [],
        "skippedTests": sum(run.skipped for run in runs),  # ours: a count, for people
        "reports": [descriptor(item) for item in reports],  # ours: what this was read from
    }
    count = len(predicate["passedTests"]) + len(warned)
    notes = [f"{count} tests passed, {predicate['skippedTests']} were skipped"]
    return Made(TEST_RESULT, predicate, tuple(notes))


def _is_report(item: Input) -> bool:
    """Whether a file is a report, or would be one if it were whole."""
    if item.path.suffix.lower() in (".trx", ".xml"):
        return True
    return item.data[:256].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")


def _read(item: Input) -> Run:
    class Either:
        """Finds out by its first element what a report is."""

        reader: JUnit | Trx | None = None

        def start(self, tag: str, attributes: dict[str, str]) -> None:
            if self.reader is None:
                if local(tag) in ("testsuites", "testsuite"):
                    self.reader = JUnit(Run(item.where))
                elif local(tag) == "TestRun":
                    self.reader = Trx(Run(item.where))
                else:
                    what = f"is no report of tests: its first element is {tag[:80]!r}"
                    raise ReportUnknown(what, where=item.where)
            self.reader.start(tag, attributes)

        def end(self, tag: str) -> None:
            assert self.reader is not None
            self.reader.end(tag)

    either = Either()
    read_xml(item, either)
    assert either.reader is not None
    return either.reader.finish()


def check_passed(run: Run) -> None:
    """Hold a run to what may be attested as passed.

    Raises:
        TestsNotPassed: A test did not pass, or none did.
    """
    said = [f"{name[:100]!r} {how}" for name, how in run.failed] + run.faults
    if not said and not run.passed and not run.warned:
        said = [f"no test passed, {run.skipped} were skipped"]
    if said:
        more = [f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else []
        raise TestsNotPassed("; ".join([*said[:_SHOWN], *more]), where=run.where)
