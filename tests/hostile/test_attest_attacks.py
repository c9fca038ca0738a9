"""Files that nobody should be given: each is refused by name, soon, and in little memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.making import KEYS
from tests.support.program import apart
from tests.support.reports import grype, junit, trx

KEY = KEYS / "bob.pem"
HEX = "ab" * 32
MEMORY = 1400 << 20  # bytes of address space
SECONDS = 60
LAUGHS = b"".join(b'<!ENTITY l%d "&l%d;&l%d;">' % (n, n - 1, n - 1) for n in range(1, 60))
ENTITY = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
CASE = b'<testcase name="%s"/>'

XML = {
    "billion laughs": (
        b'<!DOCTYPE x [<!ENTITY l0 "ha">' + LAUGHS + b"]><testsuite>&l59;</testsuite>",
        "report-malformed",
    ),
    "a file elsewhere": (ENTITY + b"<testsuite>&f;</testsuite>", "report-malformed"),
    "a document type": (b"<!DOCTYPE testsuite><testsuite/>", "report-malformed"),
    "deep": (b"<testsuite>" * 100_000, "report-too-large"),
    "many elements": (b"<testsuite>" + b"<a/>" * 1_100_000, "report-too-large"),
    "many tests": (junit((CASE % b"x" * 100_001).decode()), "report-too-large"),
    "a long name": (junit((CASE % (b"x" * (8 << 20))).decode()), "report-too-large"),
    "many attributes": (
        b"<testsuite "
        + b" ".join(b'a%d=""' % n for n in range(300_000))
        + b'><testcase name="x"/></testsuite>',
        "",  # is only slow for parsers that compare each with each
    ),
    "an unknown encoding": (b'<?xml version="1.0" encoding="x-no"?><a/>', "report-malformed"),
    "two roots": (junit("") + b"<a/>", "report-malformed"),
    "not XML at all": (b"<\xff" + bytes(range(256)) * 16, "report-malformed"),
    "a NUL": (junit('<testcase name="\\0"/>').replace(b"\\0", b"\0"), "report-malformed"),
    "cut": (trx("Passed")[:-30], "report-malformed"),
}
JSON = {
    "deep": (b'{"matches":' * 100_000, "report-too-large"),
    "a name twice": (b'{"matches":[],"matches":[]}', "report-malformed"),
    "NaN": (b'{"matches":[],"descriptor":NaN}', "report-malformed"),
    "a long number": (b'{"matches":%s}' % (b"9" * 10_000), "report-malformed"),
    "half a character": (b'{"matches":[{"vulnerability":{"id":"\\ud800"}}]}', "report-malformed"),
    "many objects": (b'{"matches":[' + b"{}," * 1_100_000 + b"{}]}", "report-too-large"),
    "not UTF-8": (b'{"matches":"\xff"}', "report-malformed"),
}


def limit() -> None:
    """Leave so much memory and so many seconds, beside what the fork has already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    signal.alarm(SECONDS * 3)


def attest(
    place: Path, kind: str, *files: str, subject: str = f"x=sha256:{HEX}"
) -> subprocess.CompletedProcess[str]:
    """Run the command in little memory, and hold it to its time."""
    begun = time.monotonic()
    words = ["attest", *files, "--type", kind, "--subject", subject]
    words += ["--key", str(KEY), "--out", "o"]
    done = apart(words, place, limit)
    assert time.monotonic() - begun < SECONDS
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "data", "code"),
    [("test-result", f"{name}.xml", data, code) for name, (data, code) in XML.items()]
    + [("vulns", f"{name}.json", data, code) for name, (data, code) in JSON.items()],
)
def test_hostile_files(tmp_path: Path, kind: str, name: str, data: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(data)
    done = attest(tmp_path, kind, name)
    if not code:
        assert done.returncode == 0, done.stderr
        return
    assert f"error[{code}]" in done.stderr
    assert done.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    assert len(done.stderr) < 4000


@pytest.mark.slow
def test_a_report_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "run.trx", "wb") as file:
        file.write(trx("Passed"))
        file.truncate(1 << 30)
    done = attest(tmp_path, "test-result", "run.trx")
    assert (done.returncode, "report-too-large" in done.stderr) == (2, True)


@pytest.mark.slow
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "loop.xml").symlink_to("loop.xml")
    for name in ("pipe.xml", "loop.xml", "/dev/zero", ".", "nothing"):
        done = attest(tmp_path, "test-result", name)
        assert (done.returncode, "report-unreadable" in done.stderr) == (2, True), name


@pytest.mark.slow
def test_names_move_no_cursor_and_stay_what_they_are(tmp_path: Path) -> None:
    odd = "x\x1b[2J\u202e\n"
    case = f'<testcase name="{odd[:1]}&#10;\u202e"><failure/></testcase>'
    (tmp_path / "r.xml").write_bytes(junit(case))
    done = attest(tmp_path, "test-result", "r.xml")
    assert (done.returncode, "\u202e" in done.stderr) == (4, False)
    (tmp_path / odd).write_bytes(b"odd\n")
    (tmp_path / "r.xml").write_bytes(trx("Passed"))
    done = attest(tmp_path, "test-result", "r.xml", subject=odd)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.slow
def test_many_findings_and_a_long_statement(tmp_path: Path) -> None:
    match = grype()["matches"][0]
    (tmp_path / "s.json").write_text(json.dumps(grype(matches=[match] * 5_000)))
    done = attest(tmp_path, "vulns", "s.json")
    assert done.returncode == 0, done.stderr
    (tmp_path / "o").unlink()
    (tmp_path / "p.json").write_text(json.dumps({"text": "x" * (50 << 20)}))
    done = attest(tmp_path, "https://example.org/any", "p.json")
    assert (done.returncode, "attestation-too-large" in done.stderr) == (2, True)
