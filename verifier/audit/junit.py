"""The decisions of an audit as JUnit XML, so that a pipeline shows them one by one.

A failure is what refuses the kit, an error what could not be decided; what nobody asked for, and
what nobody has looked at, is skipped and never passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from verifier.audit.model import FAILED, GOOD, MET, OPEN, UNDECIDED, Audit
from verifier.audit.tables import shown
from verifier.typed import record

_PASSED, _FAILURE, _ERROR, _SKIPPED = "", "failure", "error", "skipped"
_OUTCOMES = {MET: _PASSED, FAILED: _FAILURE, UNDECIDED: _ERROR}


@record(frozen=True)
class _Case:
    suite: str
    name: str
    outcome: str
    message: str
    type: str = ""


def audit_junit(audit: Audit) -> bytes:
    """Return the audit as JUnit XML in UTF-8."""
    suites: dict[str, list[_Case]] = {}
    for case in _cases(audit):
        suites.setdefault(case.suite, []).append(case)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_counts(_cases(audit))}>"]
    for name, cases in suites.items():
        lines.append(f'<testsuite name="{_text(name)}"{_counts(iter(cases))}>')
        lines += map(_case, cases)
        lines.append("</testsuite>")
    return ("\n".join([*lines, "</testsuites>"]) + "\n").encode("utf-8")


def _counts(cases: Iterator[_Case]) -> str:
    found = [case.outcome for case in cases]
    return (
        f' tests="{len(found)}" failures="{found.count(_FAILURE)}"'
        f' errors="{found.count(_ERROR)}" skipped="{found.count(_SKIPPED)}"'
    )


def _cases(audit: Audit) -> Iterator[_Case]:
    for row in audit.decisions:
        outcome = _OUTCOMES.get(row.outcome, _SKIPPED)
        message = f"{row.message} ({row.relaxed_by})" if row.relaxed_by else row.message
        name = f"{row.rule} {row.about}".strip()
        name = name if row.rule != "proof" or row.outcome != MET else f"proof: {row.message}"
        yield _Case("decisions", name, outcome, message, row.code)
    for item in audit.attestations:
        name = f"{item.type or item.form}: {item.path} {item.place}".strip()
        outcome = _PASSED if item.verdict == GOOD else _SKIPPED
        yield _Case("attestations", name, outcome, item.message, item.code)
    for found in audit.vulnerabilities:
        name = f"{found.id} in {found.package} {found.version}".strip()
        outcome = _SKIPPED if found.status == OPEN else _PASSED
        yield _Case("vulnerabilities", f"{name} ({found.path})", outcome, "open, not asked for")
    for thing in audit.not_checked:
        yield _Case("not checked", thing.what, _SKIPPED, thing.why)


def _case(case: _Case) -> str:
    head = f'<testcase classname="{_text(case.suite)}" name="{_text(case.name)}"'
    if case.outcome == _PASSED:
        return f"{head}/>"
    kind = f' type="{_text(case.type)}"' if case.type and case.outcome != _SKIPPED else ""
    return f'{head}><{case.outcome} message="{_text(case.message)}"{kind}/></testcase>'


def _text(text: str) -> str:
    """Return text for an attribute; XML 1.0 2.2 has no place for most controls, however escaped."""
    return escape(shown(text), quote=True)
