"""The report of a verification: one list of checks, as text, JSON, JUnit and a statement.

It says nothing of the moment or the host, so that the same kit with the same verdicts gives the
same bytes: a release that is published with it can be published again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from xml.sax.saxutils import quoteattr

VERIFICATION_TYPE = "https://offline-kit.example/verification/v1"
PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"


@dataclass(frozen=True)
class Check:
    """One check of a sealed kit.

    Attributes:
        name: The same from run to run.
        state: ``passed``, ``failed``, or ``not run``, which is no success.
        detail: What was found, or why it did not run.
    """

    name: str
    state: str
    detail: str


@dataclass(frozen=True)
class Verified:
    """A kit, and what its checks said.

    Attributes:
        file: The name of the kit.
        file_digest: Its SHA-256.
    """

    name: str
    version: str
    line: str
    sequence: int
    kit_id: str
    file: str
    file_digest: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if check.state == FAILED]


def text(verified: Verified) -> str:
    """Return the report for people."""
    count = dict.fromkeys((PASSED, FAILED, NOT_RUN), 0)
    for check in verified.checks:
        count[check.state] += 1
    verdict = "NOT VERIFIED" if verified.failed else "VERIFIED"
    width = max(len(check.name) for check in verified.checks)
    lines = [
        f"{verdict}: {verified.name} {verified.version}, line {verified.line}, "
        f"sequence {verified.sequence}",
        f"kitId   {verified.kit_id}",
        f"file    {verified.file_digest}  {verified.file}",
        f"checks  {', '.join(f'{number} {state}' for state, number in count.items())}",
        "",
        *(f"{check.state:<8} {check.name:<{width}}  {check.detail}" for check in verified.checks),
    ]
    return "\n".join(lines) + "\n"


def json_bytes(verified: Verified) -> bytes:
    """Return the report for programs."""
    value = {
        "type": VERIFICATION_TYPE,
        "verified": not verified.failed,
        "kit": {
            "name": verified.name,
            "version": verified.version,
            "line": verified.line,
            "sequence": verified.sequence,
        },
        "kitId": verified.kit_id,
        "file": {"name": verified.file, "sha256": verified.file_digest},
        "checks": [asdict(check) for check in verified.checks],
    }
    return json.dumps(value, indent=2, sort_keys=True).encode("ascii") + b"\n"


def junit_bytes(verified: Verified) -> bytes:
    """Return the report for build servers."""
    checks = verified.checks
    skipped = sum(check.state == NOT_RUN for check in checks)
    counts = f'tests="{len(checks)}" failures="{len(verified.failed)}" errors="0"'
    counts += f' skipped="{skipped}"'
    name = _attribute(f"{verified.name} {verified.version}")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>"]
    lines.append(f"  <testsuite name={name} {counts}>")
    lines += [f"    {_case(check)}" for check in checks]
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""]).encode("utf-8")


def _case(check: Check) -> str:
    start = f'<testcase classname="verification" name={_attribute(check.name)}'
    tag = {FAILED: "failure", NOT_RUN: "skipped"}.get(check.state)
    if tag is None:
        return f"{start}/>"
    return f"{start}><{tag} message={_attribute(check.detail)}/></testcase>"


def _attribute(value: str) -> str:
    """Return an attribute that every XML parser takes: what XML 1.0 has no place for is gone."""
    kept = "".join(c if c.isprintable() and ord(c) < 0xFFFE else " " for c in value)
    return quoteattr(kept)
