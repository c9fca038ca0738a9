"""Reports of `dotnet test` and Visual Studio: TRX, schema TeamTest/2010 (vstst.xsd).

A test without an outcome is one of the outcome ``Error``: that is the first of their list, and the
writer leaves it out.
"""

from __future__ import annotations

from kit.attest.errors import ReportMalformed
from kit.attest.testrun import Run
from kit.attest.xml import local

NAMESPACE = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010"
_RESULTS = frozenset({"UnitTestResult", "TestResultAggregation", "ManualTestResult", "TestResult"})
_RESULTS |= {"GenericTestResult", "WebTestResult", "LoadTestResult", "OrderedTestResult"}
_SKIPPED = frozenset({"NotExecuted", "NotRunnable"})
_MUST_BE_NONE = "failed error timeout aborted inconclusive passedButRunAborted disconnected"
_MUST_BE_NONE += " inProgress pending"
_GOOD_RUNS = frozenset({"Completed", "Passed", "Warning"})


class Trx:
    """Reads a report; see `kit.attest.xml.Reader`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._inside = 0  # results of a row are inside the result of their test
        self._outer = 0  # passed tests, without their rows
        self._passed = 0
        self._results: list[tuple[str, str, str]] = []  # id, name, how it ended
        self._classes: dict[str, str] = {}  # from the id of a test to its class
        self._unit = ""
        self._summary = False
        self._counters: dict[str, str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""
        if tag != f"{{{NAMESPACE}}}{local(tag)}":
            return
        name = local(tag)
        if name in _RESULTS:
            self._result(attributes)
            self._inside += 1
        elif name == "UnitTest":
            self._unit = attributes.get("id", "")
        elif name == "TestMethod":
            self._classes[self._unit] = attributes.get("className", "").partition(",")[0]
        elif name == "ResultSummary":
            self._summary = True
            outcome = attributes.get("outcome", "")
            if outcome not in _GOOD_RUNS:
                self._run.faults.append(f"the run as a whole is {outcome[:40]!r}")
        elif name == "Counters" and self._summary:
            self._counters = attributes
        elif name == "RunInfo" and attributes.get("outcome") in ("Error", "Failed", "Aborted"):
            self._run.faults.append(f"the run notes an {attributes['outcome']!r} of its own")

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if local(tag) in _RESULTS and tag.startswith(f"{{{NAMESPACE}}}"):
            self._inside -= 1

    def _result(self, attributes: dict[str, str]) -> None:
        outcome = attributes.get("outcome", "Error")
        how = {"Passed": "passed", "Warning": "warned"}.get(outcome, f"is {outcome[:40]!r}")
        if outcome in _SKIPPED:
            how = "skipped"
        if how in ("passed", "warned"):
            self._passed += 1
            self._outer += not self._inside
        name = attributes.get("testName", "")
        self._results.append((attributes.get("testId", ""), name, how))

    def finish(self) -> Run:
        """Return what was read, its counters compared.

        Raises:
            ReportMalformed: It has no summary, so that the run may not have come to its end.
        """
        if self._counters is None:
            raise ReportMalformed("has no summary with counters", where=self._run.where)
        for test, name, how in self._results:
            of = self._classes.get(test, "")
            whole = name if not of or name.startswith(f"{of}.") else f"{of}.{name}"
            self._run.add(whole, how)
        self._check_counters(self._counters)
        return self._run

    def _check_counters(self, counters: dict[str, str]) -> None:
        for name in _MUST_BE_NONE.split():
            if counters.get(name, "0") != "0":
                self._run.faults.append(f"the run counts {counters[name][:20]!r} as {name}")
        said = [counters.get(name, "0") for name in ("passed", "warning")]
        if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in said):
            self._run.faults.append("the run does not count what passed")
        elif not self._outer <= sum(map(int, said)) <= self._passed:
            told = sum(map(int, said))
            self._run.faults.append(f"the run counts {told} that passed and lists {self._passed}")
