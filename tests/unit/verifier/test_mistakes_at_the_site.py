"""Common mistakes at the site, one by one: the code, the first sentence, and advice that helps.

Each answer was read once as if by somebody who has never seen the program.  Who changes a sentence
reads it so again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.making import KEYS, ROOT_FILE, make_kit
from tests.support.together import together
from verifier import _compat
from verifier import cli as verifier_cli

ONES = "1" * 64
HEX = "534fa8e8397a0a51bbcafc5a90bf84ccd4810e9e331314352c70d253a7c8020e"
PIN = "--root root"
Row = tuple[str, int, str, str]
# the command line, exit status, what follows `error[`, and how the fix begins
TABLE: list[Row] = [
    ("", 2, "usage]: nothing to do: there is neither a kit nor a command", "Try `kit-verify KIT"),
    (
        f"verfy kit {PIN}",
        2,
        "usage]: 'verfy' is neither a command nor a file",
        "Did you mean `kit-verify verify`",
    ),
    (
        f"lsit kit {PIN}",
        2,
        "usage]: 'lsit' is neither a command nor a file",
        "Did you mean `kit-verify list`",
    ),
    (
        f"acept kit {PIN}",
        2,
        "usage]: 'acept' is neither a command nor a file",
        "Did you mean `kit-verify accept`",
    ),
    (f"inspekt kit {PIN}", 2, "usage]: 'inspekt' is neither", "Did you mean `kit-verify inspect`"),
    ("selftst", 2, "usage]: 'selftst' is neither", "Did you mean `kit-verify selftest`"),
    (
        "verify",
        2,
        "usage]: KIT is missing",
        "Write for instance `kit-verify verify KIT --root root.json`",
    ),
    ("list", 2, "usage]: KIT is missing", "Write for instance `kit-verify list KIT"),
    (
        "accept",
        2,
        "usage]: KIT is missing",
        "Write for instance `kit-verify accept KIT --extract DIR`",
    ),
    ("inspect", 2, "usage]: KIT is missing", "Write for instance `kit-verify inspect KIT"),
    ("diff", 2, "usage]: OLD, NEW are missing", "Write for instance `kit-verify diff OLD NEW"),
    ("diff kit", 2, "usage]: NEW is missing", "Write for instance `kit-verify diff OLD NEW"),
    (
        f"kit other {PIN}",
        2,
        "usage]: 'other' is one argument too many",
        "See `kit-verify verify --help`",
    ),
    (
        "verify root --root kit",
        2,
        "root-invalid]: 'kit': is a kit, not a root of trust",
        "Give root.json or roots.json here; did two arguments change places?",
    ),
    (
        "root --root kit",
        2,
        "root-invalid]: 'kit': is a kit, not a root of trust",
        "Give root.json or roots.json here; did two arguments change places?",
    ),
    (
        "verify kit --root",
        2,
        "usage]: --root wants a value",
        "Write for instance `kit-verify verify KIT",
    ),
    ("verify kit --extract", 2, "usage]: --extract wants a value", "Write for instance"),
    (
        "verify kit --root missing",
        2,
        "root-invalid]: 'missing': No such file or directory",
        "Check the path: it is the root.json",
    ),
    (
        "verify kit --root there",
        2,
        "root-invalid]: 'there': is a directory",
        "Check the path: it is the root.json",
    ),
    (
        "verify kit --root empty",
        2,
        "root-invalid]: 'empty': the file is empty",
        "Check the path: it is the root.json",
    ),
    (
        "verify kit --root pub",
        2,
        "root-invalid]: 'pub': is a public key, not a root of trust",
        "Give root.json or roots.json here",
    ),
    (
        "verify kit --root page",
        2,
        "root-invalid]: 'page': not TUF metadata",
        "Fetch root.json again",
    ),
    (
        "verify kit --trust there --root root",
        2,
        "usage]: --trust and --root do not go together",
        "Give one of them",
    ),
    (
        "kit",
        3,
        "no-root]: nobody vouches for this kit",
        "Give the root of trust of this kit's publisher",
    ),
    ("list kit", 3, "no-root]: nobody vouches", "Give the root of trust"),
    ("inspect kit", 3, "no-root]: nobody vouches", "Give the root of trust"),
    ("diff kit kit", 3, "no-root]: 'kit': nobody vouches", "Give the root of trust"),
    (
        f"root {PIN}",
        4,
        "not-a-kit]: kit.dsse.json: the file begins neither as a kit nor",
        "This is a root of trust: give the kit as KIT",
    ),
    (f"text {PIN}", 4, "not-a-kit]: kit.dsse.json: the file begins neither", ""),
    (f"empty {PIN}", 4, "kit-truncated]: 'empty': the file ends at byte 0", "Copy the kit again"),
    (f"cut {PIN}", 4, "kit-truncated]: the file: ", "Copy the kit again"),
    (f"bad {PIN}", 4, "digest-mismatch]: member 'verifier/", "Do not use this kit; keep the file"),
    (f"longer {PIN}", 4, "trailing-bytes]: ", "Do not use this kit"),
    (
        f"missing {PIN}",
        3,
        "kit-unreadable]: 'missing': No such file or directory",
        "Check the path and the medium",
    ),
    (
        f"release {PIN}",
        3,
        "kit-unreadable]: 'release': is a directory",
        "Name the kit in it: release/demo-1.0.tar.zst.",
    ),
    (f"there {PIN}", 3, "kit-unreadable]: 'there': is a directory", "Name the kit itself"),
    (
        f"fifo {PIN}",
        3,
        "kit-unreadable]: 'fifo': is not a regular file; to read a pipe",
        "Check the path",
    ),
    (f"kit {PIN} --expct demo", 2, "usage]: there is no option --expct", "Did you mean --expect?"),
    (
        f"kit {PIN} --extrakt new",
        2,
        "usage]: there is no option --extrakt",
        "Did you mean --extract?",
    ),
    (f"kit {PIN} -q", 2, "usage]: there is no option -q", "See `kit-verify verify --help`"),
    (f"kit {PIN} {PIN}", 2, "usage]: --root is given twice", "Give it once"),
    (
        f"kit {PIN} --expect=",
        2,
        "usage]: the value of --expect is empty",
        "Look whether a variable is not set",
    ),
    (
        f"kit {PIN} --expect demo-1.0",
        4,
        "unexpected-kit]: this is 'demo', not 'demo-1.0'",
        "Name and version have an @ between them: demo@1.0.",
    ),
    (
        f"kit {PIN} --expect demo@2",
        4,
        "unexpected-kit]: this is version '1.0', not '2'",
        "Check which kit you were sent",
    ),
    (
        f"kit {PIN} --expect demo@",
        2,
        "usage]: --expect wants NAME or NAME@VERSION",
        "Write for instance --expect lnm",
    ),
    (
        f"kit {PIN} --expect-line a!b",
        2,
        "usage]: --expect-line wants the name of a line",
        "Write for instance --expect-line",
    ),
    (
        f"kit {PIN} --expect-line other/stable",
        4,
        "unexpected-kit]: this is of line 'demo/stable'",
        "Check which kit",
    ),
    (
        f"kit {PIN} --only tool",
        2,
        "no-such-member]: 'tool' is neither a component nor a path",
        "Did you mean --only tools?",
    ),
    (
        f"kit {PIN} --only /tools",
        2,
        "no-such-member]: '/tools' is neither",
        "Did you mean --only tools?",
    ),
    (
        f"kit {PIN} --only nothing",
        2,
        "no-such-member]: 'nothing' is neither",
        "Run `kit-verify list KIT",
    ),
    (
        f"kit {PIN} --extract there",
        2,
        "target-exists]: 'there': is there already",
        "Name a directory that does not exist yet",
    ),
    (
        f"kit {PIN} --openssl openssl",
        2,
        "usage]: --openssl wants an absolute path",
        "Write for instance --openssl /usr/bin/openssl",
    ),
    (
        f"kit {PIN} --openssl /no/such",
        3,
        "openssl-failed]: '/no/such': No such file",
        "Check the program",
    ),
    (
        f"kit {PIN} --receipt text",
        2,
        "usage]: --receipt: 'text' is there already",
        "Name a file that does not exist yet",
    ),
    (
        f"kit {PIN} --receipt no/such",
        2,
        "usage]: --receipt: there is no directory for 'no/such'",
        "Make the directory first",
    ),
    (f"kit {PIN} --jobs 100", 2, "usage]: --jobs wants a number from 1 to 64", "Leave it out"),
    (f"kit {PIN} --jobs x", 2, "usage]: --jobs wants a number from 1 to 64", "Leave it out"),
    (
        f"kit {PIN} --quick --extract new",
        2,
        "usage]: --quick does not go with --extract",
        "Leave --quick out",
    ),
    (f"kit {PIN} --quick --only tools", 2, "usage]: --quick does not go with", "Leave --quick out"),
    (
        f"kit {PIN} --accept --quick",
        2,
        "usage]: --accept does not go with --quick",
        "Look with --quick or --only first",
    ),
    (
        f"kit {PIN} --accept",
        2,
        "usage]: accepting needs a trust directory",
        "Name yours with --trust DIR, or make one",
    ),
    ("accept kit", 2, "usage]: accepting needs a trust directory", "Name yours with --trust DIR"),
    (
        "accept kit --root root",
        2,
        "usage]: accept believes the root that this host keeps",
        "Keep the root first",
    ),
    ("accept kit --trust there", 2, "trust-missing]: ", "Make it once with `kit-verify trust init"),
    ("kit --trust missing", 2, "trust-missing]: ", "Make it once with"),
    (
        f"kit {PIN} --fingerprint 12ab",
        2,
        "usage]: --fingerprint wants the 64 hexadecimal digits of a SHA-256, and got 4",
        "Type all of them",
    ),
    (
        f"kit {PIN} --fingerprint {ONES[:-1]}x",
        2,
        "usage]: --fingerprint wants the 64 hexadecimal digits of a SHA-256, and got 'x'",
        "Type all of them",
    ),
    (
        f"kit {PIN} --fingerprint {ONES}",
        4,
        "fingerprint-mismatch]: the file has SHA-256 534f",
        "Do not use this root.json",
    ),
    (
        f"kit --fingerprint {ONES}",
        2,
        "usage]: --fingerprint is about the file of --root",
        "Give --root root.json too",
    ),
    (f"verify {PIN} --fingerprint {HEX} kit", 2, "usage]: KIT is missing", "Write for instance"),
    (
        f"kit {PIN} --self-fingerprint {ONES}",
        2,
        "usage]: this verifier is no single file",
        "Start it as `python3 -I kit-verify.pyz`",
    ),
    (
        f"list kit {PIN} --component tool",
        2,
        "no-such-member]: 'tool' is no component",
        "Run `kit-verify list KIT",
    ),
    (
        f"list kit {PIN} --only tools",
        2,
        "usage]: there is no option --only",
        "Did you mean --long?",
    ),
    (
        f"inspect kit {PIN} --quiet",
        2,
        "usage]: there is no option --quiet",
        "See `kit-verify inspect --help`",
    ),
    (f"diff kit missing {PIN}", 3, "kit-unreadable]: 'missing': No such file", "Check the path"),
    (
        f"diff kit there {PIN}",
        3,
        "kit-unreadable]: 'there': is a directory with 0 kits in it",
        "Name the kit itself",
    ),
    (
        "explain digest-mismach",
        2,
        "usage]: no such code: 'digest-mismach'; close: digest-mismatch",
        "`explain` alone lists them all",
    ),
    (
        "explain DIGEST-MISMATCH",
        2,
        "usage]: no such code: 'DIGEST-MISMATCH'; close: digest-mismatch",
        "`explain` alone lists them all",
    ),
    ("trust", 2, "usage]: ACTION is missing", "See `kit-verify trust --help`"),
    (
        "trust sow",
        2,
        "usage]: there is no `kit-verify trust sow`",
        "Did you mean `kit-verify trust show`?",
    ),
    (
        "trust xyz",
        2,
        "usage]: there is no `kit-verify trust xyz`",
        "It is one of: init, show, update, reset",
    ),
    (
        "trust init",
        2,
        "usage]: --root, --fingerprint are missing",
        "Write for instance `kit-verify trust init --root",
    ),
    ("trust init --root root", 2, "usage]: --fingerprint is missing", "Write for instance"),
    (
        f"trust init --root missing --fingerprint {HEX} --trust t",
        2,
        "usage]: 'missing': No such file",
        "Check the path.",
    ),
    (
        f"trust init --root kit --fingerprint {HEX} --trust t",
        2,
        "usage]: 'kit': is a kit, not a root of trust",
        "Name the right file; did two arguments change places?",
    ),
    (
        "trust init --root root --fingerprint 12 --trust t",
        2,
        "usage]: --fingerprint wants the 64",
        "Type all of them",
    ),
    (
        f"trust init --root root --fingerprint {ONES} --trust t",
        4,
        "fingerprint-mismatch]: the file has SHA-256",
        "Do not use this root.json",
    ),
    ("trust show --trust missing", 2, "trust-missing]: ", "Make it once with"),
    ("trust show --trust there", 2, "trust-missing]: ", "Make it once with"),
    ("trust update kit --trust there", 2, "trust-missing]: ", "Make it once with"),
    (
        "trust update",
        2,
        "usage]: KIT is missing",
        "Give the kit that brings the newer root",
    ),
    (
        "trust reset --reason x",
        2,
        "usage]: LINE, --take are missing",
        "Write for instance `kit-verify trust reset LINE",
    ),
    ("policy", 2, "usage]: ACTION is missing", "See `kit-verify policy --help`"),
    (
        "policy chek root",
        2,
        "usage]: there is no `kit-verify policy chek`",
        "Did you mean `kit-verify policy check`?",
    ),
    ("policy check missing", 2, "usage]: 'missing': No such file", "Check the path"),
    (
        "policy check root",
        2,
        "usage]: 'root': is a root of trust, not a policy",
        "Name the right file",
    ),
    ("selftest now", 2, "usage]: 'now' is one argument too many", "See `kit-verify"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mistakes")
    made = make_kit(directory / "made")
    shutil.copytree(made.directory, directory / "release")
    data = made.path.read_bytes()
    page = (made.directory / "kit.dsse.json").read_bytes()
    for name, contents in {
        "kit": data,
        "bad": data[:-9000] + bytes([data[-9000] ^ 1]) + data[-8999:],
        "cut": data[:-100],
        "longer": data + b"\0",
        "page": page,
        "root": ROOT_FILE.read_bytes(),
        "pub": (KEYS / "alice.pub").read_bytes(),
        "text": b"no kit at all\n",
        "empty": b"",
    }.items():
        (directory / name).write_bytes(contents)
    (directory / "there").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(directory / "fifo")
    return directory


def answered(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    words, status, says, fix = row
    monkeypatch.chdir(place)
    monkeypatch.setattr(_compat, "SYSTEM_TRUST", os.fspath(place / "no system trust"))
    before = sorted(os.listdir())
    got = verifier_cli.main(words.split())
    captured = capsys.readouterr()
    lines = (captured.out + captured.err).splitlines()
    error = next((line for line in lines if line.startswith("error[")), "")
    advice = lines[lines.index(error) + 1] if error else ""
    assert (got, error[: 6 + len(says)]) == (status, f"error[{says}"), lines
    assert advice.startswith(f"  fix: {fix}"), advice
    assert advice.endswith((".", "?")), advice
    assert sorted(os.listdir()) == before


FIFOS = [row for row in TABLE if row[0].startswith("fifo")]
NAMES = ("words", "status", "says", "fix")


@together(NAMES, [row for row in TABLE if row not in FIFOS])
def test_a_mistake_is_answered_so_that_it_can_be_mended(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    status: int,
    says: str,
    fix: str,
) -> None:
    answered(place, capsys, monkeypatch, (words, status, says, fix))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="not run: this host has no FIFOs")
@together(NAMES, FIFOS)
def test_a_mistake_with_a_fifo_too(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    status: int,
    says: str,
    fix: str,
) -> None:
    answered(place, capsys, monkeypatch, (words, status, says, fix))


def test_help_is_found_where_people_look_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["help"], ["--help"], ["-h"], ["help", "verify"], ["help", "trust"]):
        with pytest.raises(SystemExit) as ended:
            verifier_cli.main(words)
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith("usage: kit-verify")


def test_the_table_is_long_enough() -> None:
    """A row that is taken away takes an answer away that somebody needed."""
    rows: Sequence[Row] = TABLE
    assert len({row[0] for row in rows}) == len(rows) >= 70
