"""What tests reported becomes a test-result only when it shows that the tests passed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.attest.errors import ReportMalformed, ReportUnknown, TestsNotPassed
from kit.attest.inputs import read_input
from kit.attest.model import Made
from kit.attest.results import TEST_RESULT, results
from tests.support.reports import REPORTS, junit, trx
from tests.support.together import together

PASS = '<testcase classname="c" name="n"/>'
SKIP = '<testcase name="s"><skipped/></testcase>'


def made_of(place: Path, **files: bytes) -> Made:
    given = []
    for name, data in files.items():
        path = place / name.replace("_", ".")
        path.write_bytes(data)
        given.append(read_input(path))
    return results(given)


def test_trx_of_passed_tests_names_each(tmp_path: Path) -> None:
    data = trx("Passed", "Passed", "NotExecuted")
    made = made_of(tmp_path, run_trx=data, xunit_json=b"{}")
    assert made.predicate_type == TEST_RESULT
    assert made.predicate == {
        "result": "PASSED",
        "configuration": [
            {"name": "xunit.json", "digest": {"sha256": hashlib.sha256(b"{}").hexdigest()}}
        ],
        "passedTests": ["Runner.Tests.Does0", "Runner.Tests.Does1"],
        "warnedTests": [],
        "failedTests": [],
        "skippedTests": 1,
        "reports": [{"name": "run.trx", "digest": {"sha256": hashlib.sha256(data).hexdigest()}}],
    }


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (trx("Passed", "Failed", summary="Failed"), "'Runner.Tests.Does1' is 'Failed'"),
        (trx("Passed", "Error"), "is 'Error'"),
        (trx("Passed", "Timeout"), "is 'Timeout'"),
        (trx("Passed", "Aborted"), "is 'Aborted'"),
        (trx("Passed", "Inconclusive"), "is 'Inconclusive'"),
        (trx("Passed", "PassedButRunAborted"), "is 'PassedButRunAborted'"),
        (trx("Passed", "Green"), "is 'Green'"),
        (trx("Passed", None), "is 'Error'"),
        (trx("NotExecuted", "NotExecuted"), "no test passed, 2 were skipped"),
        (trx(), "no test passed, 0 were skipped"),
        (trx("Passed", summary="Aborted"), "as a whole is 'Aborted'"),
        (trx("Passed", summary="Failed"), "as a whole is 'Failed'"),
        (trx("Passed", summary=""), "as a whole is ''"),
        (trx("Passed", counters={"passed": 2}), "counts 2 that passed and lists 1"),
        (trx("Passed", counters={"passed": "-1"}), "does not count"),
        (trx("Passed", counters={"passed": "٣"}), "does not count"),
        (trx("Passed", counters={"timeout": 1}), "counts '1' as timeout"),
        (trx("Passed", counters={"aborted": 1}), "counts '1' as aborted"),
        (trx("Passed", counters={"error": "01"}), "counts '01' as error"),
        (
            trx("Passed").replace(
                b"</ResultSummary>",
                b'<RunInfos><RunInfo outcome="Error" computerName="h"><Text>host process exited'
                b"</Text></RunInfo></RunInfos></ResultSummary>",
            ),
            "notes an 'Error'",
        ),
        (junit(PASS + '<testcase name="f"><failure/></testcase>'), "'f' failed"),
        (junit(PASS + '<testcase name="f"><error/></testcase>'), "'f' ended in an error"),
        (junit('<testcase name="f"><skipped/><failure/></testcase>'), "'f' failed"),
        (junit('<testcase name="f" status="timeout"/>' + PASS), "'f' failed"),
        (junit(SKIP), "no test passed, 1 were skipped"),
        (junit('<testcase name="g" status="notrun"/>'), "no test passed, 1 were skipped"),
        (junit(""), "no test passed"),
        (junit(PASS, failures=1), "counts '1' failures"),
        (junit(PASS, errors="many"), "counts 'many' errors"),
        (junit(PASS, tests=2), "counts '2' tests and lists 1"),
        (junit(PASS + "<error>fixture</error>"), "an error of its own"),
    ],
)
def test_what_does_not_show_that_tests_passed(tmp_path: Path, report: bytes, said: str) -> None:
    with pytest.raises(TestsNotPassed) as caught:
        made_of(tmp_path, report_xml=report)
    assert said in caught.value.message
    assert caught.value.status == 4


def test_one_bad_report_among_good_ones_is_enough(tmp_path: Path) -> None:
    with pytest.raises(TestsNotPassed):
        made_of(tmp_path, a_trx=trx("Passed"), b_trx=trx("Failed"))
    with pytest.raises(TestsNotPassed):
        made_of(tmp_path, a_trx=trx("Passed"), b_trx=trx("NotExecuted"))


def test_rows_of_a_test_are_results_too(tmp_path: Path) -> None:
    inner = '<InnerResults><UnitTestResult testName="row" outcome="{}"/></InnerResults></Unit'
    good = trx("Passed", counters={"passed": 2}).replace(b"</Unit", inner.format("Passed").encode())
    assert made_of(tmp_path, a_trx=good).predicate["result"] == "PASSED"
    bad = trx("Passed").replace(b"</Unit", inner.format("Failed").encode(), 1)
    with pytest.raises(TestsNotPassed):
        made_of(tmp_path, a_trx=bad)


def test_flaky_tests_are_warned_of(tmp_path: Path) -> None:
    made = made_of(tmp_path, r_xml=junit('<testcase name="f"><flakyFailure/></testcase>', tests=1))
    assert made.predicate["result"] == "WARNED"
    assert made.predicate["warnedTests"] == ["f"]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("r.json", b"{}", ReportUnknown),
        ("r.xml", b"<html/>", ReportUnknown),
        ("r.xml", b"", ReportMalformed),
        ("r.trx", b"{}", ReportMalformed),
        ("r.txt", b"<testsuite", ReportMalformed),
        ("r.trx", trx("Passed").partition(b"<ResultSummary")[0] + b"</TestRun>", ReportMalformed),
        ("r.trx", trx("Passed").replace(b"TeamTest/2010", b"TeamTest/2006"), ReportMalformed),
    ],
)
def test_what_is_no_report(tmp_path: Path, name: str, data: bytes, kind: type[Exception]) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(kind):
        results([read_input(tmp_path / name)])


def test_what_pytest_itself_reports(tmp_path: Path) -> None:
    """A real report, of a run with every way to end; then the same without the bad ones."""
    good = "def test_a(): pass\n\nimport pytest\n@pytest.mark.skip\ndef test_b(): pass\n"
    good += "@pytest.mark.xfail\ndef test_c(): assert 0\n"
    bad = good + "def test_d(): assert 0\n@pytest.fixture\ndef f(): 1/0\ndef test_e(f): pass\n"
    made = []
    for name, text in (("good", good), ("bad", bad)):
        (tmp_path / f"test_{name}.py").write_text(text)
        report = tmp_path / f"{name}.xml"
        words = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
        subprocess.run(
            [sys.executable, "-m", "pytest", *words, f"--junitxml={report}", f"test_{name}.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            check=False,
            capture_output=True,
            timeout=60,
        )
        made.append(read_input(report))
    predicate = results(made[:1]).predicate
    assert predicate["passedTests"] == ["test_good::test_a"]
    assert predicate["skippedTests"] == 2
    with pytest.raises(TestsNotPassed) as caught:
        results(made)
    assert "'test_bad::test_d' failed" in caught.value.message
    assert "'test_bad::test_e' ended in an error" in caught.value.message


# --- as `dotnet test` writes them: VSTest's logger, MSTest's rows, Microsoft.Testing.Platform's own

WHOLE = {
    "vstest-passed": (2, 1),
    "mstest-rows": (4, 0),
    "mtp-passed": (2, 1),
}
REFUSED = {
    "vstest-failed": "'Concelier.Tests.Linksets.Grows' is 'Failed'",
    "vstest-crashed": "as a whole is 'Failed'",
    "vstest-filtered": "no test passed, 0 were skipped",
    "vstest-skipped": "no test passed, 1 were skipped",
    "vstest-aborted": "'Concelier.Tests.Linksets.Grows' is 'Aborted'",
    "mstest-row-failed": "'Concelier.Tests.Linksets.Merges (8)' is 'Failed'",
    "mstest-timeout": "'Concelier.Tests.Linksets.Grows' is 'Timeout'",
    "mstest-inconclusive": "'Concelier.Tests.Linksets.Grows' is 'Inconclusive'",
    "mtp-failed": "'Concelier.Tests.Linksets.Grows' is 'Failed'",
}


def test_every_whole_report_is_asked_about() -> None:
    assert {path.stem for path in REPORTS.glob("*.trx")} == {*WHOLE, *REFUSED}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_trx_of_tests_that_passed(name: str) -> None:
    path = REPORTS / f"{name}.trx"
    predicate = results([read_input(path)]).predicate
    assert (len(predicate["passedTests"]), predicate["skippedTests"]) == WHOLE[name]
    assert predicate["result"] == "PASSED"
    assert all(each.startswith("Concelier.Tests.Linksets.") for each in predicate["passedTests"])


@together("name", REFUSED)
def test_whole_trx_that_does_not_show_that_tests_passed(name: str) -> None:
    path = REPORTS / f"{name}.trx"
    with pytest.raises(TestsNotPassed, match=re.escape(REFUSED[name])):
        results([read_input(path)])
