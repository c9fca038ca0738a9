"""Tests: they run before anything is signed, and the kit carries what they say, attested."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from kit.attest.inputs import read_input
from kit.attest.predicates import make_predicate
from kit.attest.statement import Subject, envelope_bytes, statement_bytes
from kit.container.output import refused, replace_file
from kit.errors import show
from kit.pipeline import digests
from kit.pipeline.children import ERRORS, bound_to_us
from kit.pipeline.errors import (
    CommandUnusable,
    ReportNotCarried,
    ReportStale,
    StageUnready,
    TestCommandFailed,
)
from kit.pipeline.model import Digests, Order, counted
from kit.pipeline.payload import component_digests
from kit.signing.model import KitSigner
from kit.spec import KitSpec
from kit.spec.stages import TestTable

Facts = tuple[int, int, int]  # inode, time of change in nanoseconds, size


class TestTask:
    """The tests of a release, and their attestation."""

    __test__ = False  # pytest would take it for a class of tests
    stage = label = "test"

    def __init__(self, order: Order) -> None:
        if order.plan.test is None:
            raise StageUnready("there is no [release.test]", where="test")
        self._order, self._table = order, order.plan.test

    @cached_property
    def _signer(self) -> KitSigner:
        return self._order.signer(self._table.key)

    @cached_property
    def _spec(self) -> KitSpec:
        return self._order.load()

    def prepare(self) -> None:
        """Nothing is to be settled."""

    def inputs(self) -> Digests:
        """Return the command, what is tested, and who says so; reports too, if they just come."""
        table, base = self._table, self._order.base
        found = {
            "the command": digests.of_value(list(table.run or ())),
            "the key": self._signer.keyid,
            **digests.of_paths(base, table.inputs),
        }
        if table.run is None:
            found |= digests.of_paths(base, table.reports)
        digest = component_digests(self._spec, self._order)
        return found | {f"component {name}": one for name, one in digest.items()}

    def outputs(self) -> Digests:
        """Return the reports and the attestation."""
        paths = [*self._table.reports, self._table.attestation]
        return {path: digests.of_file(self._order.base / path) for path in paths}

    def run(self, *, interrupted: bool) -> str:
        """Run the tests, hold their reports to having passed, and attest it.

        Raises:
            TestCommandFailed: The command did not end well.
            ReportStale: It wrote no report.
            TestsNotPassed: A report does not show that they passed.
            ReportNotCarried: The kit would lack the report or the attestation.
        """
        del interrupted  # tests are run as often as one likes
        table, spec = self._table, self._spec
        about = _subjects_of(spec, table)
        paths = [self._order.base / report for report in table.reports]
        if table.run is not None:
            before = [_facts(path) for path in paths]
            self._command(table.run)
            _check_written(paths, before)
        made = make_predicate("test-result", [read_input(path) for path in paths])
        digest = component_digests(spec, self._order)
        subjects = [Subject(name, (("sha256", digest[name]),)) for name in about]
        data = envelope_bytes(statement_bytes(subjects, made), [self._signer])
        target = self._order.base / table.attestation
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, target) from None
        replace_file(target, data)
        passed = len(made.predicate["passedTests"]) + len(made.predicate["warnedTests"])
        skipped = made.predicate["skippedTests"]
        said = counted(passed, "test") + " passed" + (f", {skipped} skipped" if skipped else "")
        return f"{said}; attested for {', '.join(about)}"

    def _command(self, words: Sequence[str]) -> None:
        try:
            done = subprocess.run(
                list(words),
                cwd=self._order.base,
                stdin=subprocess.DEVNULL,
                stdout=ERRORS,
                check=False,
                preexec_fn=bound_to_us(),
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise CommandUnusable(f"cannot be run: {why}", where=show(words[0])) from None
        if done.returncode:
            how = f"status {done.returncode}"
            if done.returncode < 0:
                how = f"signal {-done.returncode}"
            raise TestCommandFailed(f"ended with {how}", where=show(words[0]))


def _subjects_of(spec: KitSpec, table: TestTable) -> list[str]:
    """Return the components that the attestation is about: those that the spec says.

    Raises:
        ReportNotCarried: The spec does not carry it, or not the reports.
    """
    about = [one.component for one in spec.attestations if one.file == table.attestation]
    if not about:
        raise ReportNotCarried("is the `file` of no [[attestation]]", where=table.attestation)
    for one in spec.attestations:
        if one.file == table.attestation and one.subject != "component":
            raise ReportNotCarried("is about components as a whole", where=table.attestation)
    sources = [source for entry in spec.evidence for source in entry.sources]
    files = {os.path.normpath(source.file) for source in sources if source.file is not None}
    for report in table.reports:
        if os.path.normpath(report) not in files:
            raise ReportNotCarried("is the `file` of no [[evidence.source]]", where=report)
    return list(dict.fromkeys(about))


def _facts(path: Path) -> Facts | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _check_written(paths: Sequence[Path], before: Sequence[Facts | None]) -> None:
    for path, was in zip(paths, before, strict=True):
        now = _facts(path)
        if now is None:
            raise ReportStale("was not written", where=show(path))
        if now == was:
            raise ReportStale("is that of an earlier run", where=show(path))
