"""A run of tests as a report tells it, whatever the report's form."""

from __future__ import annotations

from dataclasses import dataclass, field

from kit.attest.errors import ReportTooLarge

MAX_TESTS = 100_000
_MAX_NAME = 1000  # characters


@dataclass
class Run:
    """What one report says.

    Attributes:
        passed: Names of tests.
        warned: Names of tests that passed, though not at once or not without a warning.
        failed: Names of tests that did not pass, each with how it ended.
        skipped: How many did not run.
        faults: What else keeps the report from showing that all is well, a sentence each.
    """

    where: str
    passed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    skipped: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, name: str, how: str) -> None:
        """Note a test: ``passed``, ``warned``, ``skipped``, or how else it ended.

        Raises:
            ReportTooLarge: There are too many, or one has too long a name.
        """
        if len(name) > _MAX_NAME:
            raise ReportTooLarge(f"a test has a name of {len(name)} characters", where=self.where)
        if how == "skipped":
            self.skipped += 1
        elif how in ("passed", "warned"):
            (self.passed if how == "passed" else self.warned).append(name)
        else:
            self.failed.append((name, how))
        if len(self.passed) + len(self.warned) + len(self.failed) + self.skipped > MAX_TESTS:
            raise ReportTooLarge(f"has more than {MAX_TESTS} tests", where=self.where)
