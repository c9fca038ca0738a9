"""Both programs as people and scripts meet them: exit statuses, first lines, JSON, refusals."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest
import zstandard

from kit import cli as kit_cli
from kit.roots.metadata import build_root
from tests.support.compiled import kit_verify, write_kit_verify
from tests.support.making import (
    KEYS,
    REPOSITORY,
    ROOT_FILE,
    key,
    make_kit,
    make_sources,
    read_tree,
)
from tests.support.program import on_a_terminal
from tests.support.together import together
from tests.support.warm import warm
from verifier import cli as verifier_cli
from verifier.arguments import COMMANDS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with kits of every sort, by the names that the tables below use."""
    directory = tmp_path_factory.mktemp("cli")
    made = make_kit(directory / "made")
    (directory / "kit").write_bytes(made.path.read_bytes())
    write_kit_verify(directory)
    one = make_kit(directory / "one", signers=("alice",))
    shutil.copy(one.path, directory / "one signer")
    data = bytearray(made.path.read_bytes())
    data[-9000] ^= 1
    (directory / "tampered").write_bytes(data)
    (directory / "cut").write_bytes(data[:-100])
    (directory / "longer").write_bytes(made.path.read_bytes() + b"\0")
    (directory / "text").write_bytes(b"no kit at all\n" * 100)
    (directory / "empty").write_bytes(b"")
    with open(made.path, "rb") as source, open(directory / "plain", "wb") as sink:
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        shutil.copyfileobj(reader, sink)
    (directory / "root").write_bytes(ROOT_FILE.read_bytes())
    carols = build_root(
        [("carol", KEYS / "carol.pub")],
        1,
        expires=datetime(2040, 1, 1, tzinfo=timezone.utc),
        sign_with=[key("carol")],
    )
    (directory / "carol's root").write_bytes(carols)
    (directory / "there").mkdir()
    (directory / "SHA256SUMS").write_bytes(b"of another kit")
    os.mkfifo(directory / "fifo")
    return directory


@pytest.fixture
def verify(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs ``kit-verify`` in that directory: status, output, messages."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(place)
        try:
            status = verifier_cli.main(list(words))
        except SystemExit as ended:  # argparse
            status = int(ended.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def offline_kit(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return what runs ``offline-kit`` in that directory: status, output, messages."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["offline-kit", *words])
        with pytest.raises(SystemExit) as ended:
            kit_cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


# --- kit-verify: the table of exit statuses ----------------------------------------------------

PIN = ["--root", "root"]
STATUSES: dict[str, tuple[Sequence[str], int, str]] = {
    # words, exit status, code of the finding
    "verified": (["kit", *PIN], 0, ""),
    "verified by its command": (["verify", "kit", *PIN], 0, ""),
    "options first": ([*PIN, "kit"], 0, ""),
    "quick": (["kit", *PIN, "--quick"], 0, ""),
    "a part": (["kit", *PIN, "--only", "tools"], 0, ""),
    "plain": (["plain", *PIN], 0, ""),
    "one thread": (["kit", *PIN, "--jobs", "1"], 0, ""),
    "expected name": (["kit", *PIN, "--expect", "demo"], 0, ""),
    "expected version": (["kit", *PIN, "--expect", "demo@1.0"], 0, ""),
    "inspect": (["inspect", "kit", *PIN], 0, ""),
    "inspect what is damaged further on": (["inspect", "tampered", *PIN], 0, ""),
    "list": (["list", "kit", *PIN], 0, ""),
    "explain": (["explain", "usage"], 0, ""),
    "selftest": (["selftest"], 0, ""),
    "nothing": ([], 2, "usage"),
    "an option that does not exist": (["kit", *PIN, "--fast"], 2, "usage"),
    "an option without its value": (["kit", "--root"], 2, "usage"),
    "two kits": (["kit", "plain", *PIN], 2, "usage"),
    "verify alone": (["verify"], 2, "usage"),
    "jobs no number": (["kit", *PIN, "--jobs", "many"], 2, "usage"),
    "jobs below": (["kit", *PIN, "--jobs", "-1"], 2, "usage"),
    "jobs above": (["kit", *PIN, "--jobs", "65"], 2, "usage"),
    "quick and extract": (["kit", *PIN, "--quick", "--extract", "new"], 2, "usage"),
    "quick and only": (["kit", *PIN, "--quick", "--only", "tools"], 2, "usage"),
    "quick and plain": (["plain", *PIN, "--quick"], 2, "usage"),
    "an expectation that is none": (["kit", *PIN, "--expect", "@1"], 2, "usage"),
    "no such code": (["explain", "no-such-code"], 2, "usage"),
    "no such root": (["kit", "--root", "missing"], 2, "root-invalid"),
    "a kit for a root": (["kit", "--root", "kit"], 2, "root-invalid"),
    "a directory for a root": (["kit", "--root", "there"], 2, "root-invalid"),
    "an empty root": (["kit", "--root", "empty"], 2, "root-invalid"),
    "the target is there": (["kit", *PIN, "--extract", "there"], 2, "target-exists"),
    "no such part": (["kit", *PIN, "--only", "nothing"], 2, "no-such-member"),
    "no root": (["kit"], 3, "no-root"),
    "no root, damaged further on": (["tampered"], 3, "no-root"),
    "no root, plain": (["plain"], 3, "no-root"),
    "no root, list": (["list", "kit"], 3, "no-root"),
    "no root, inspect": (["inspect", "kit"], 3, "no-root"),
    "another publisher's root": (["kit", "--root", "carol's root"], 4, "root-fork"),
    "no such kit": (["missing", *PIN], 3, "kit-unreadable"),
    "a directory": (["there", *PIN], 3, "kit-unreadable"),
    "a pipe by its name": (["fifo", *PIN], 3, "kit-unreadable"),
    "tampered": (["tampered", *PIN], 4, "digest-mismatch"),
    "tampered, quick": (["tampered", *PIN, "--quick"], 4, "digest-mismatch"),
    "cut short": (["cut", *PIN], 4, "kit-truncated"),
    "bytes more": (["longer", *PIN], 4, "trailing-bytes"),
    "no kit": (["text", *PIN], 4, "not-a-kit"),
    "no kit, no root": (["text"], 4, "not-a-kit"),
    "empty": (["empty", *PIN], 4, "kit-truncated"),
    "one signer of two": (["one signer", *PIN], 4, "threshold-not-met"),
    "one signer of two, list": (["list", "one signer", *PIN], 4, "threshold-not-met"),
    "another name": (["kit", *PIN, "--expect", "other"], 4, "unexpected-kit"),
    "another version": (["kit", *PIN, "--expect", "demo@2.0"], 4, "unexpected-kit"),
    "another version, inspect": (["inspect", "one signer", *PIN], 4, "threshold-not-met"),
}
VERDICTS = {2: "USAGE", 3: "UNDECIDED", 4: "REJECTED"}


@together(("words", "status", "code"), STATUSES.values(), ids=STATUSES.keys())
def test_exit_status_and_code(
    verify: Run, place: Path, words: Sequence[str], status: int, code: str
) -> None:
    before = sorted(path.name for path in place.iterdir())
    got, out, err = verify(*words)
    assert got == status, out + err
    said = out + err
    if code:
        assert re.search(rf"error\[{code}\]: .+\n  fix: [A-Z`].+[.]", said), said
        if out:
            assert out.startswith(f"{VERDICTS[status]}: "), out
    assert sorted(path.name for path in place.iterdir()) == before


@together(
    ("words", "status", "code"),
    [row for row in STATUSES.values() if "explain" not in row[0] and "selftest" not in row[0]],
    ids=[name for name, row in STATUSES.items() if row[0][:1] not in (["explain"], ["selftest"])],
)
def test_json_agrees_with_the_text(
    verify: Run, words: Sequence[str], status: int, code: str
) -> None:
    """What is wrong with the command line itself stays text; all else is one JSON object."""
    _, text, _ = verify(*words)
    got, out, err = verify(*words, "--json")
    assert got == status
    if not out:
        assert status == 2
        assert err
        return
    report = json.loads(out)
    assert report["exitStatus"] == status
    assert [finding["code"] for finding in report["findings"]] == ([code] if code else [])
    for finding in report["findings"]:
        assert finding["message"] in text
        assert finding["fix"] in text
        assert finding["where"] in text
    if words[0] == "list" and not status:
        return  # its text is the list
    assert text.startswith(report["verdict"].upper())
    for name in ("kitId", "contentId"):
        assert (report[name] or "") in text
    sentences = [*report["checked"], *report["notChecked"]]
    assert [line[4:] for line in text.splitlines() if line.startswith("  - ")] == sentences
    if report["kit"]:
        assert f"kit:       {report['kit']['name']} {report['kit']['version']}" in text


UNVOUCHED = ["kit", "plain", "tampered", "one signer"]


@pytest.mark.parametrize("command", [[], ["list"], ["inspect"]], ids=["verify", "list", "inspect"])
@pytest.mark.parametrize("name", UNVOUCHED)
def test_without_a_root_nobody_vouches_and_no_word_says_otherwise(
    verify: Run, command: list[str], name: str
) -> None:
    status, out, err = verify(*command, name)
    assert status == 3
    assert out.splitlines()[0] == "UNDECIDED: nobody vouches for this kit"
    assert not re.search(r"\b(verified|ok|good|valid|trusted)\b", out + err, re.I)
    claims = [line for line in out.splitlines() if "demo 1.0" in line]
    assert claims
    assert all(line.startswith("claims: ") for line in claims)


def test_below_the_threshold_the_page_is_a_claim_too(verify: Run) -> None:
    _, out, _ = verify("one signer", *PIN)
    assert out.startswith("REJECTED: threshold-not-met\n")
    assert "claims: kit:       demo 1.0" in out
    assert not re.search(r"\bverified\b", out, re.I)


FIRST_LINES = {
    "full": ([], "VERIFIED: demo 1.0, line demo/stable, sequence 7"),
    "quick": (["--quick"], "VERIFIED (quick): demo 1.0, line demo/stable, sequence 7"),
    "part": (["--only", "data"], "VERIFIED IN PART: demo 1.0, line demo/stable, sequence 7"),
}


@pytest.mark.parametrize(("words", "line"), FIRST_LINES.values(), ids=FIRST_LINES.keys())
def test_the_first_line_says_which_kit_and_how(verify: Run, words: list[str], line: str) -> None:
    _, out, _ = verify("kit", *PIN, *words)
    assert out.splitlines()[0] == line


def test_quiet_says_nothing_unless_something_is_wrong(verify: Run) -> None:
    assert verify("kit", *PIN, "--quiet") == (0, "", "")
    status, out, _ = verify("tampered", *PIN, "--quiet")
    assert (status, out.startswith("REJECTED: digest-mismatch\n")) == (4, True)


def test_list_is_what_arrives(verify: Run, place: Path) -> None:
    _, out, _ = verify("list", "kit", *PIN)
    target = place / "listed"
    assert verify("kit", *PIN, "--extract", str(target))[0] == 0
    tree = read_tree(target)
    shutil.rmtree(target)
    heads = {"kit.dsse.json", "kit.roots.json", "kit.index", "kit.frames"}
    listed = [line.split(maxsplit=2) for line in out.splitlines()]
    assert {path: (mode, int(size)) for mode, size, path in listed} == {
        path: (f"{mode:04o}", len(data)) for path, (mode, data) in tree.items() if path not in heads
    }


def test_help_names_every_command_and_the_exit_statuses(verify: Run) -> None:
    status, out, _ = verify("--help")
    assert status == 0
    for command in COMMANDS:
        assert command in out
    assert "0 verified, 2 usage, 3 undecided" in out


# --- kit-verify as a program -------------------------------------------------------------------


def program(
    place: Path, *words: str | Path, piped: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    return warm(kit_verify()).run(words, cwd=place, piped=piped)


def test_the_program_exits_with_what_it_says(place: Path) -> None:
    for name, (words, status, code) in STATUSES.items():
        if name in {"verified", "no root", "tampered", "the target is there", "nothing"}:
            done = program(place, *words)
            assert (done.returncode, code.encode() in done.stdout + done.stderr) == (status, True)


def test_a_pipe_that_ends_early_and_one_that_goes_on(place: Path) -> None:
    data = (place / "kit").read_bytes()
    for piped, status in ((data, 0), (data[:-1], 4), (data[:1000], 4), (data + b"x", 4), (b"", 4)):
        assert program(place, "-", *PIN, piped=piped).returncode == status


def test_a_reader_that_has_seen_enough_is_no_crash(place: Path, tmp_path: Path) -> None:
    """``kit-verify list KIT | head -1``: a traceback and status 1 would read as a crash."""
    made = make_kit(tmp_path, {f"a/{number:05}": b"" for number in range(4000)})
    command: list[str | Path] = [sys.executable, "-I", made.pyz, "list", made.path]
    with subprocess.Popen(
        [*command, "--root", ROOT_FILE], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (3, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="not run: this host has no /dev/full")
def test_a_verdict_that_could_not_be_written_is_no_success(place: Path) -> None:
    """``kit-verify KIT > report`` on a full disk leaves an empty report, and must not say 0."""
    command: list[str | Path] = [sys.executable, "-I", place / "kit-verify.pyz", "kit", *PIN]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=place, stdout=full, stderr=subprocess.DEVNULL)
    assert done.returncode in (1, 3, 120)  # 120: what Python says when it cannot flush at its end


@pytest.mark.parametrize(
    ("words", "status"), [(["kit"], 3), (["tampered"], 3), (["kit", "--quiet"], 0)]
)
def test_a_report_that_nobody_could_read_is_no_verdict(
    place: Path, words: list[str], status: int
) -> None:
    """Standard output is closed; where nothing is to be said, nothing is lost."""
    command: list[str | Path] = [sys.executable, "-I", place / "kit-verify.pyz", *words, *PIN]
    shell: list[str | Path] = ["sh", "-c", 'exec "$@" >&- 2>&- <&-', "sh", *command]
    assert subprocess.run(shell, cwd=place, check=False).returncode == status


def kit_verify_on_a_terminal(command: Sequence[str | Path], cwd: Path) -> tuple[int, bytes]:
    """Run a command whose messages go to a terminal; return its status and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=theirs, env={"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            shown += piece
    os.close(ours)
    return process.returncode, shown


def test_progress_is_for_terminals(place: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-I", place / "kit-verify.pyz", "kit", *PIN]
    status, shown = kit_verify_on_a_terminal(command, place)
    assert (status, b"checking 100 %" in shown) == (0, True)
    assert kit_verify_on_a_terminal([*command, "--quiet"], place) == (0, b"")
    assert program(place, "kit", *PIN).stderr == b""
    make_sources(tmp_path)
    words = ["build", "kit.toml", "--root", os.fspath(ROOT_FILE)]
    status, shown = on_a_terminal(words, tmp_path, 2, TERM="xterm")
    assert (status, b"building" in shown, b"\x1b[" in shown) == (0, True, True)
    shutil.rmtree(tmp_path / "demo-1.0")
    assert on_a_terminal([*words, "--json"], tmp_path, 2, TERM="xterm") == (0, b"")


# --- offline-kit -------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path) -> str:
    """Return the path of a spec, with its sources beside it."""
    make_sources(tmp_path)
    (tmp_path / "out").mkdir()
    return os.fspath(tmp_path / "kit.toml")


INIT = ["root", "init", "--threshold", "1", "--key", key("alice"), "--signer"]
KIT_STATUSES: dict[str, tuple[Sequence[str], int, str]] = {
    "an option that does not exist": (["build", "SPEC", *PIN, "--fast"], 2, "usage"),
    "no such command": (["make", "SPEC"], 2, ""),
    "build without a root": (["build", "SPEC"], 2, ""),
    "build, no such root": (["build", "SPEC", "--root", "missing"], 2, "root-invalid"),
    "build, no such spec": (["build", "missing.toml", *PIN], 2, "spec-missing"),
    "build, a kit for a spec": (["build", "kit", *PIN], 2, "wrong-file"),
    "build, no directory": (["build", "SPEC", *PIN, "--out", "root"], 3, "output-unwritable"),
    "build, mallory's key": (
        ["build", "SPEC", *PIN, "--key", key("mallory")],
        2,
        "key-not-in-root",
    ),
    "build, no such key": (["build", "SPEC", *PIN, "--key", "nobody.pem"], 2, "key-unreadable"),
    "build, Ed25519 for the sums": (
        ["build", "SPEC", *PIN, "--sums-key", key("alice")],
        2,
        "key-unsupported",
    ),
    "build, too many threads": (["build", "SPEC", *PIN, "--jobs", "65"], 2, ""),
    "sign without a key": (["sign", "kit"], 2, ""),
    "sign, no such kit": (["sign", "missing", "--key", key("carol")], 3, "kit-unreadable"),
    "sign, mallory's key": (["sign", "kit", "--key", key("mallory")], 2, "key-not-in-root"),
    "sign, another root": (
        ["sign", "kit", "--root", "carol's root", "--key", key("carol")],
        2,
        "root-differs",
    ),
    "sign, another kitId": (
        ["sign", "kit", "--checked", "0" * 64, "--key", key("carol")],
        4,
        "checked-another-kit",
    ),
    "sign, tampered": (["sign", "tampered", "--key", key("carol")], 4, "digest-mismatch"),
    "sign, plain": (["sign", "plain", "--key", key("carol")], 2, "kit-plain"),
    "seal, one signer of two": (["seal", "one signer"], 4, "threshold-not-met"),
    "seal, tampered": (["seal", "tampered"], 4, "digest-mismatch"),
    "seal, other files in the way": (["seal", "kit"], 2, "output-exists"),
    "rebuild, no kit": (["rebuild", "text", "SPEC", "--check"], 4, "not-a-kit"),
    "explain, no such code": (["explain", "no-such-code"], 2, "usage"),
    "key, no such kind": (["key", "new", "me", "--type", "rsa"], 2, "usage"),
    "key, no name": (["key", "new", "../me"], 2, "key-name-invalid"),
    "root, no such key": (
        [*INIT, "alice=missing.pub", "--expires", "2040-01-01"],
        2,
        "key-unreadable",
    ),
    "root, no such day": (
        [*INIT, f"alice={KEYS}/alice.pub", "--expires", "2040-02-30"],
        2,
        "usage",
    ),
    "verify": (["verify", "kit", *PIN], 0, ""),
    "verify, no root": (["verify", "kit"], 3, "no-root"),
    "verify, tampered": (["verify", "tampered", *PIN, "--json"], 4, ""),
    "verify, wrong option": (["verify", "kit", "--fast"], 2, ""),
    "version": (["--version"], 0, ""),
    "explain": (["explain", "kit-sealed"], 0, ""),
    "schema": (["schema"], 0, ""),
}


@pytest.mark.parametrize(
    ("words", "status", "code"), KIT_STATUSES.values(), ids=KIT_STATUSES.keys()
)
def test_offline_kit_exit_status_and_code(
    offline_kit: Run, spec: str, place: Path, words: Sequence[str], status: int, code: str
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    got, out, err = offline_kit(*[spec if word == "SPEC" else word for word in words])
    assert got == status, out + err
    if code:
        assert re.search(rf"error\[{code}\]: [^\0]+\n  fix: [A-Z`].+[.]", out + err), out + err
    after = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    assert after == before
    assert [path.name for path in (Path(spec).parent / "out").iterdir()] == []


def test_source_date_epoch_comes_from_the_environment(
    offline_kit: Run, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    status, _, err = offline_kit("build", spec, *PIN)
    assert (status, "error[source-date-epoch-invalid]" in err) == (2, True)


def test_verify_is_the_same_program(offline_kit: Run, verify: Run) -> None:
    for words in (["kit", *PIN], ["kit"], ["tampered", *PIN, "--json"]):
        assert offline_kit("verify", *words) == verify("verify", *words)
    assert "usage: kit-verify verify" in offline_kit("verify", "--help")[1]


def test_the_schema_is_the_one_in_the_repository(offline_kit: Run) -> None:
    out = offline_kit("schema")[1]
    assert out.encode() == (REPOSITORY / "manifests" / "schema" / "spec.v1.json").read_bytes()


def test_the_life_of_a_kit(offline_kit: Run, spec: str, tmp_path: Path) -> None:
    """Keys and a root of one's own, then build, sign, sign, seal: no step needs the next one."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for name, kind in (("ann", "ed25519"), ("ben", "ecdsa-p256"), ("sums", "ecdsa-p256")):
        assert offline_kit("key", "new", name, "--out", str(keys), "--type", kind)[0] == 0
        assert (keys / f"{name}.pem").stat().st_mode & 0o777 == 0o600
    root = str(tmp_path / "root.json")
    signers = ["--signer", f"ann={keys}/ann.pub", "--signer", f"ben={keys}/ben.pub"]
    roles = ["--threshold", "2", "--key", f"{keys}/ann.pem", "--key", f"{keys}/ben.pem"]
    status, out, err = offline_kit(
        "root", "init", *signers, *roles, "--expires", "2040-01-01", "--out", root
    )
    assert (status, "kit signers: 2 of ann, ben" in out) == (0, True), err
    out_dir = str(tmp_path / "out")
    words = ["build", spec, "--root", root, "--out", out_dir, "--sums-key", f"{keys}/sums.pem"]
    status, out, _ = offline_kit(*words)
    assert (status, "not sealed: 2 more of ann, ben must sign" in out) == (0, True)
    kit = str(tmp_path / "out" / "demo-1.0" / "demo-1.0.tar.zst")
    assert f"next: offline-kit sign {kit} --root {root} --key SIGNER=URI\n" in out
    status, out, _ = offline_kit("sign", kit, "--key", f"ann={keys}/ann.pem")
    assert (status, "1 of 2 signers: ann" in out) == (0, True)
    assert out.endswith(f"not sealed: ben must sign\nnext: offline-kit sign {kit} --key ben=URI\n")
    status, out, err = offline_kit("seal", kit)
    assert (status, out, "error[threshold-not-met]" in err) == (4, "", True)
    status, out, _ = offline_kit("sign", kit, "--key", f"{keys}/ben.pem", "--root", root)
    assert (status, "2 of 2 signers: ann, ben" in out) == (0, True)
    assert out.endswith(f"next: offline-kit seal {kit} --root {root}\n")
    status, out, _ = offline_kit("seal", kit, "--root", root)
    assert (status, out.startswith(f"sealed {kit}: signed by ann, ben (threshold 2)")) == (0, True)
    assert out.endswith(
        f"to be carried: all of {tmp_path}/out/demo-1.0\nnext: offline-kit release-note {kit}\n"
    )
    status, out, err = offline_kit("sign", kit, "--key", f"{keys}/ben.pem")
    assert (status, "error[kit-sealed]" in err) == (2, True)
    assert offline_kit("verify", kit, "--root", root)[0] == 0
    assert offline_kit("rebuild", kit, spec, "--check", "--root", root)[0] == 0


def test_json_of_each_step(offline_kit: Run, spec: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    kit = str(tmp_path / "out" / "demo-1.0" / "demo-1.0.tar.zst")
    words = ["build", spec, *PIN, "--out", out, "--sums-key", key("sums"), "--json"]
    built = json.loads(offline_kit(*words)[1])
    assert (built["kit"], built["members"], built["signers"]) == (kit, 4, [])
    assert built["sealed"] is None
    assert built["size"] == Path(kit).stat().st_size
    first = json.loads(offline_kit("sign", kit, "--key", key("alice"), "--json")[1])
    assert (first["added"], first["already"], first["threshold"]) == (["alice"], [], 2)
    words = ["sign", kit, "--key", key("alice"), "--key", key("bob"), "--json"]
    second = json.loads(offline_kit(*words)[1])
    assert (second["added"], second["already"]) == (["bob"], ["alice"])
    assert second["signers"] == ["alice", "bob"]
    assert 0 < second["bytesWritten"] < 1000
    sealed = json.loads(offline_kit("seal", kit, "--json")[1])
    assert {value["kitId"] for value in (built, first, second, sealed)} == {built["kitId"]}
    marker = json.loads((tmp_path / "out" / "demo-1.0" / "demo-1.0.sealed.json").read_bytes())
    assert sealed["fileDigest"] == marker["file"]["sha256"]
    assert sealed["outputs"] == marker["outputs"]


def test_build_with_enough_keys_does_all_of_it(
    offline_kit: Run, spec: str, tmp_path: Path, place: Path
) -> None:
    """The kit is the one that the steps make one by one."""
    words = ["build", spec, *PIN, "--out", str(tmp_path / "out"), "--sums-key", key("sums")]
    words += ["--key", key("alice"), "--key", f"bob={key('bob')}"]
    status, out, err = offline_kit(*words)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"built {tmp_path}/out/demo-1.0/demo-1.0.tar.zst: 4 members, ")
    assert any(line.startswith("sealed ") for line in lines)
    built = (tmp_path / "out" / "demo-1.0" / "demo-1.0.tar.zst").read_bytes()
    assert built == (place / "kit").read_bytes()


def test_a_directory_that_does_not_arrive_is_named(
    offline_kit: Run, spec: str, tmp_path: Path
) -> None:
    (tmp_path / "src" / "tools" / "empty").mkdir()
    path = Path(spec)
    path.write_text(path.read_text().replace('"src/tools"', '"src/tools"\nempty = "drop"'))
    out = offline_kit("build", spec, *PIN, "--out", str(tmp_path / "out"))[1]
    assert "note: empty, and does not arrive: 'tools/empty'" in out


def test_names_that_the_console_cannot_show_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_kit(tmp_path, {"a/größe": b""})
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", console)
    words = [os.fspath(made.path), "--root", os.fspath(ROOT_FILE)]
    assert verifier_cli.main(["list", *words]) == 0
    monkeypatch.undo()
    console.seek(0)
    assert "a/gr\\xf6\\xdfe" in console.read()
