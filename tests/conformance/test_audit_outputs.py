"""What audits write, read by programs that are not ours: JUnit XML, and OpenVEX.

`pages/` has a reader of JUnit XML; `go/` calls the reference library of OpenVEX, which holds each
statement to the specification and says which one answers.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_audit_pages import PAGES, run
from tests.conformance.test_audit_pages import node as node  # a fixture
from tests.hostile.test_audit_text import PAYLOADS, hostile
from tests.support.auditing import (
    CVE,
    PURL,
    answer,
    audit_of,
    dump,
    envelope,
    everything,
    grype,
    openvex,
    statement,
)
from verifier.audit.junit import audit_junit
from verifier.audit.model import Audit
from verifier.audit.vexform import audit_vex

VEX = "https://openvex.dev/ns/v0.2.0"
LATER = "2026-11-23T00:00:00Z"


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    """Return audits by name: full, empty, of a bad kit, and with hostile words in every field."""
    place = tmp_path_factory.mktemp("audits")
    evidence, data = everything()
    full = audit_of(place, evidence, data)
    made = {"full": full, "empty": audit_of(place, {})}
    made["refused"] = audit_of(place, evidence, data, signers=("alice",))
    for name, text in PAYLOADS.items():
        made[name] = hostile(full, lambda _, text=text: text)  # type: ignore[misc]
    return made


def outcomes(case: dict[str, Any]) -> str:
    return next((name for name in ("failure", "error", "skipped") if name in case), "passed")


def test_junit_counts_what_it_lists(node: str, audits: dict[str, Audit], tmp_path: Path) -> None:
    if not (PAGES / "node_modules" / "junit2json").is_dir():
        pytest.skip(f"not run: `npm ci` has not been run in {PAGES}")
    files = []
    for number, audit in enumerate(audits.values()):
        files.append(tmp_path / f"{number}.xml")
        files[-1].write_bytes(audit_junit(audit))
    done = run(node, [PAGES / "junit.mjs", *files])
    assert done.returncode == 0, done.stderr
    read = dict(zip(audits, json.loads(done.stdout), strict=True))
    for name, value in read.items():
        total = Counter[str]()
        for suite in value["testsuite"]:
            found = Counter(map(outcomes, suite["testcase"]))
            told = (suite["tests"], suite["failures"], suite["errors"], suite["skipped"])
            listed = (found.total(), found["failure"], found["error"], found["skipped"])
            assert told == listed, (name, suite["name"])
            total += found
        assert (value["tests"], value["failures"]) == (total.total(), total["failure"]), name
    names = [case["name"] for suite in read["full"]["testsuite"] for case in suite["testcase"]]
    assert any(CVE in name for name in names)
    assert read["refused"]["failures"] > 0
    assert read["full"]["failures"] == 0


# --- VEX -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> Path:
    """Return the judge that `.ci/run` builds where Go is."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = Path(cache, "offline-kit", "judges", "openvex")
    if not found.is_file():
        pytest.skip("not run: .ci/run has not built the judge of OpenVEX")
    return found


def asked(reference: Path, *documents: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([reference, *documents], capture_output=True, text=True, check=False)


def test_vex_is_held_to_the_specification(
    reference: Path, audits: dict[str, Audit], tmp_path: Path
) -> None:
    for number, (name, audit) in enumerate(audits.items()):
        path = tmp_path / f"{number}.json"
        path.write_bytes(audit_vex(audit))
        done = asked(reference, path)
        hides = name not in ("full", "empty", "refused")  # a hostile identifier may be empty
        assert done.returncode == 0 or hides, (name, done.stderr)


ANSWERS: dict[str, list[tuple[str, str]]] = {
    "nobody": [],
    "not affected": [("not_affected", "2026-11-21T00:00:00Z")],
    "fixed": [("fixed", "2026-11-21T00:00:00Z")],
    "affected": [("affected", "2026-11-21T00:00:00Z")],
    "the newest": [("not_affected", "2026-11-21T00:00:00Z"), ("affected", LATER)],
    "the newest, told first": [("affected", LATER), ("not_affected", "2026-11-21T00:00:00Z")],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_reference_takes_the_same_answer(reference: Path, tmp_path: Path, name: str) -> None:
    """What was told in several documents is one answer in ours, and the one the library takes."""
    evidence = {"scan.json": dump(grype((CVE, "High", PURL)))}
    told = [answer(status) for status, _ in ANSWERS[name]]
    for number, (said, (_, at)) in enumerate(zip(told, ANSWERS[name], strict=True)):
        document = {**openvex(said), "timestamp": at}
        evidence[f"vex-{number}.json"] = envelope(statement(VEX, document, "00" * 32), "alice")
    audit = audit_of(tmp_path, evidence)
    path = tmp_path / "vex.json"
    path.write_bytes(audit_vex(audit))
    done = asked(reference, path)
    newest = max(ANSWERS[name], key=lambda item: item[1], default=("under_investigation", ""))[0]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] == newest
    if told:  # the same of all that was told, in one document
        together = openvex(
            *({**said, "timestamp": at} for said, (_, at) in zip(told, ANSWERS[name], strict=True))
        )
        (tmp_path / "together.json").write_bytes(dump(together))
        assert asked(reference, tmp_path / "together.json").stdout.split()[-1] == newest


def test_the_reference_refuses_what_is_wrong(
    reference: Path, audits: dict[str, Audit], tmp_path: Path
) -> None:
    value = json.loads(audit_vex(audits["full"]))
    value["statements"][0]["status"] = "harmless"
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(value))
    assert asked(reference, path).returncode == 1
