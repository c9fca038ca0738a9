"""Reports of tests in JUnit's XML, as pytest, gotestsum, surefire, jest and googletest write it.

There is no standard, so that this takes what they share and is strict where it counts: a test that
did not pass is seen whatever else is odd, and a suite must list what it counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.attest.testrun import Run
from kit.attest.xml import local

_ENDS = {  # a child of a test, and how the test ended
    "failure": "failed",
    "error": "ended in an error",
    "rerunFailure": "failed",
    "rerunError": "ended in an error",
    "skipped": "skipped",
    "disabled": "skipped",
    "flakyFailure": "warned",
    "flakyError": "warned",
}
_WORST = ("passed", "skipped", "warned", "ended in an error", "failed")
_NOT_RUN = {"notrun", "disabled", "suppressed", "skipped"}
_FAILED = {"failed", "fail", "error", "errored", "timeout", "aborted", "broken", "crashed"}


@dataclass
class _Suite:
    """A suite that is being read: what it says it has, and what it lists."""

    name: str
    counts: dict[str, str]
    own: int = 0
    all: int = 0


class JUnit:
    """Reads a report; see `kit.attest.xml.Reader`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._suites: list[_Suite] = []
        self._tags: list[str] = []
        self._case: tuple[str, str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""
        name = local(tag)
        parent = self._tags[-1] if self._tags else ""
        self._tags.append(name)
        if name in ("testsuites", "testsuite"):
            self._suites.append(_Suite(attributes.get("name", ""), attributes))
        elif name == "testcase":
            self._case = (_name(attributes), _first(attributes))
        elif parent == "testcase" and self._case is not None and name in _ENDS:
            case, how = self._case
            self._case = case, max(how, _ENDS[name], key=_WORST.index)
        elif parent == "testsuite" and name in ("error", "failure"):
            self._run.faults.append(f"suite {self._suites[-1].name[:99]!r} has an error of its own")

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        self._tags.pop()
        if local(tag) == "testcase" and self._case is not None:
            self._run.add(*self._case)
            self._case = None
            if self._suites:
                self._suites[-1].own += 1
                self._suites[-1].all += 1
        elif local(tag) in ("testsuites", "testsuite"):
            suite = self._suites.pop()
            self._check(suite)
            if self._suites:
                self._suites[-1].all += suite.all

    def finish(self) -> Run:
        """Return what was read."""
        return self._run

    def _check(self, suite: _Suite) -> None:
        what = f"suite {suite.name[:100]!r}"
        for count in ("failures", "errors", "timeouts", "aborted"):
            if suite.counts.get(count, "0").strip() not in ("", "0"):
                self._run.faults.append(f"{what} counts {suite.counts[count][:20]!r} {count}")
        told = suite.counts.get("tests", "").strip()
        if told and told not in (str(suite.own), str(suite.all)):
            self._run.faults.append(f"{what} counts {told[:20]!r} tests and lists {suite.all}")


def _name(attributes: dict[str, str]) -> str:
    parts = [attributes.get("classname", ""), attributes.get("name", "")]
    return "::".join(filter(None, parts))


def _first(attributes: dict[str, str]) -> str:
    """Return how a test ended as far as its own attributes say."""
    words = {attributes.get(name, "").lower() for name in ("status", "result")}
    if words & _FAILED:
        return "failed"
    return "skipped" if words & _NOT_RUN else "passed"
