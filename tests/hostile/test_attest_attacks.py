"""Files that nobody should be given: each is refused by name, soon, and in little memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.attest import statement
from kit.attest.testrun import MAX_TESTS
from kit.attest.xml import MAX_ELEMENTS
from tests.support.making import KEYS
from tests.support.program import apart, runner
from tests.support.reports import grype, junit, trx

KEY = KEYS / "bob.pem"
HEX = "ab" * 32
MEMORY = 1400 << 20  # bytes of address space
SECONDS = 30  # of processor time, so that other work on the machine does not matter
LAUGHS = b"".join(b'<!ENTITY l%d "&l%d;&l%d;">' % (n, n - 1, n - 1) for n in range(1, 60))
ENTITY = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
CASE = b'<testcase name="%s"/>'

LARGE: dict[str, Callable[[], tuple[str, bytes, str]]] = {
    "laughs": lambda: (
        "billion laughs.xml",
        b'<!DOCTYPE x [<!ENTITY l0 "ha">' + LAUGHS + b"]><testsuite>&l59;</testsuite>",
        "report-malformed",
    ),
    "deep XML": lambda: ("deep.xml", b"<testsuite>" * 100_000, "report-too-large"),
    "elements": lambda: (
        "many elements.xml",
        b"<testsuite>" + b"<a/>" * (MAX_ELEMENTS + 1),
        "report-too-large",
    ),
    "tests": lambda: (
        "many tests.xml",
        junit((CASE % b"x" * (MAX_TESTS + 1)).decode()),
        "report-too-large",
    ),
    "name": lambda: (
        "a long name.xml",
        junit((CASE % (b"x" * (4 << 20))).decode()),
        "report-too-large",
    ),
    "attributes": lambda: (  # only slow, for parsers that compare each with each
        "many attributes.xml",
        b"<testsuite "
        + b" ".join(b'a%d=""' % n for n in range(200_000))
        + b'><testcase name="x"/></testsuite>',
        "",
    ),
    "deep JSON": lambda: ("deep.json", b'{"matches":' * 100_000, "report-too-large"),
    "objects": lambda: (
        "many objects.json",
        b'{"matches":[' + b"{}," * 1_100_000 + b"{}]}",
        "report-too-large",
    ),
}
"""What may take memory or time: a file's name, what is in it, and its code if it is refused."""


SMALL = {
    "a file elsewhere.xml": ENTITY + b"<testsuite>&f;</testsuite>",
    "a document type.xml": b"<!DOCTYPE testsuite><testsuite/>",
    "an unknown encoding.xml": b'<?xml version="1.0" encoding="x-no"?><a/>',
    "two roots.xml": junit("") + b"<a/>",
    "not XML at all.xml": b"<\xff" + bytes(range(256)) * 16,
    "a NUL.xml": junit('<testcase name="\\0"/>').replace(b"\\0", b"\0"),
    "cut.xml": trx("Passed")[:-30],
    "a name twice.json": b'{"matches":[],"matches":[]}',
    "NaN.json": b'{"matches":[],"descriptor":NaN}',
    "a long number.json": b'{"matches":%s}' % (b"9" * 10_000),
    "half a character.json": b'{"matches":[{"vulnerability":{"id":"\\ud800"}}]}',
    "not UTF-8.json": b'{"matches":"\xff"}',
}


def limit() -> None:
    """Leave so much memory and so many seconds, beside what the fork has already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.alarm(10 * SECONDS)


def words_for(*files: str, kind: str = "", subject: str = f"x=sha256:{HEX}") -> list[str]:
    kind = kind or ("vulns" if files[0].endswith(".json") else "test-result")
    words = ["attest", *files, "--type", kind, "--subject", subject]
    return [*words, "--key", str(KEY), "--out", "o"]


def attest(place: Path, *files: str, **how: str) -> subprocess.CompletedProcess[str]:
    """Run the command in little memory, and hold it to its time."""
    done = apart(words_for(*files, **how), place, limit)
    assert done.returncode >= 0, "a signal ended it: it took too long"
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=pytest.mark.long) if what in {"elements", "tests"} else what
        for what in LARGE
    ],
)
def test_large_files(tmp_path: Path, what: str) -> None:
    """In a process of its own, which may take so much memory and no more."""
    name, data, code = LARGE[what]()
    (tmp_path / name).write_bytes(data)
    done = attest(tmp_path, name)
    if not code:
        assert done.returncode == 0, done.stderr
        return
    assert f"error[{code}]" in done.stderr
    assert done.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    assert len(done.stderr) < 4000


def test_malformed_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = runner(capsys, monkeypatch)
    wrong = []
    for name, data in SMALL.items():
        (tmp_path / name).write_bytes(data)
        status, _, said = run(*words_for(name))
        if (status, "error[report-malformed]" in said, len(said) < 4000) != (2, True, True):
            wrong.append(f"{name}: {status} {said[:300]}")
    assert "\n".join(wrong) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SMALL)


@pytest.mark.parametrize(
    ("bound", "report"),
    [
        ("xml.MAX_ELEMENTS", b"<testsuite>" + b"<a/>" * 100 + b"</testsuite>"),
        ("testrun.MAX_TESTS", junit((CASE % b"x" * 101).decode())),
    ],
)
def test_elements_and_tests_are_counted(
    bound: str,
    report: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against smaller bounds; `test_large_files` has the real ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"kit.attest.{bound}", 100)
    (tmp_path / "r.xml").write_bytes(report)
    status, _, said = runner(capsys, monkeypatch)(*words_for("r.xml"))
    assert (status, "error[report-too-large]" in said) == (2, True), said


@pytest.mark.slow
def test_a_report_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "run.trx", "wb") as file:
        file.write(trx("Passed"))
        file.truncate(1 << 30)
    done = attest(tmp_path, "run.trx")
    assert (done.returncode, "report-too-large" in done.stderr) == (2, True)


@pytest.mark.slow
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "loop.xml").symlink_to("loop.xml")
    for name in ("pipe.xml", "loop.xml", "/dev/zero", ".", "nothing"):
        done = attest(tmp_path, name, kind="test-result")
        assert (done.returncode, "report-unreadable" in done.stderr) == (2, True), name


@pytest.mark.slow
def test_names_move_no_cursor_and_stay_what_they_are(tmp_path: Path) -> None:
    odd = "x\x1b[2J\u202e\n"
    case = f'<testcase name="{odd[:1]}&#10;\u202e"><failure/></testcase>'
    (tmp_path / "r.xml").write_bytes(junit(case))
    done = attest(tmp_path, "r.xml")
    assert (done.returncode, "\u202e" in done.stderr) == (4, False)
    (tmp_path / odd).write_bytes(b"odd\n")
    (tmp_path / "r.xml").write_bytes(trx("Passed"))
    done = attest(tmp_path, "r.xml", subject=odd)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.slow
def test_many_findings(tmp_path: Path) -> None:
    match = grype()["matches"][0]
    (tmp_path / "s.json").write_text(json.dumps(grype(matches=[match] * 2_000)))
    done = attest(tmp_path, "s.json")
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_long_statement(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"text": "x" * (50 << 20)}))
    done = attest(tmp_path, "p.json", kind="https://example.org/any")
    assert (done.returncode, "attestation-too-large" in done.stderr) == (2, True)


def test_a_statement_longer_than_the_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a smaller bound; the test above has the real one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(statement, "_MOST", 500)
    run = runner(capsys, monkeypatch)
    for size, status in ((10, 0), (500, 2)):
        (tmp_path / "p.json").write_text(json.dumps({"text": "x" * size}))
        done = run(*words_for("p.json", kind="https://example.org/any"))
        assert (done[0], "attestation-too-large" in done[2]) == (status, bool(status)), done
