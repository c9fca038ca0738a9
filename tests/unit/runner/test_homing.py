"""Evidence of real runs: shown, packed, sealed, held to its kit, and what it then opens."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.build import Options, build
from kit.keys import load_root_key
from kit.signing import load_signer
from kit.spec import load_spec
from runner.cli import main
from runner.homing.judge import Evidence, verify
from runner.homing.spec import spec_text
from runner.kitside import Looked, look_under
from tests.conftest import Judge
from tests.support.authenticator import Authenticator
from tests.support.homes import OPERATOR, STRANGER, operators_root, public_of, write_operators
from tests.support.making import REPOSITORY, ROOT_FILE, pinned
from tests.support.program import apart
from tests.support.running import HEAD, Grounds, step
from verifier.core.errors import KitError
from verifier.core.signature import SSHSIG_SK
from verifier.core.trust import Root, parse_root

pytestmark = pytest.mark.slow
RUNS = REPOSITORY / "fixtures" / "runs"
AFTER = HEAD.replace(
    "[environment.production]\n",
    '[environment.production]\nafter = { environment = "staging", maximum-age-days = 5 }\n',
)
BOOK = (
    step("a", expect='["/rows == 3"]', capture='["rows.txt"]', owner='"Storage Guild"')
    + ('[[step]]\nid = "open"\nkind = "gate"\nask = "Go on?"\npeople = { production = 0 }\n')
    + step("b")
)
# a step that also leaves a report and a file
STEP = b"""\
import os, sys
place, name = sys.argv[1].partition("=")[2], sys.argv[2].partition("=")[2]
mark = os.path.join(place, name)
if "--check" in sys.argv or "--undone" in sys.argv:
    sys.exit(0 if os.path.exists(mark) == ("--check" in sys.argv) else 10)
if "--undo" in sys.argv:
    os.unlink(mark)
    sys.exit(0)
print("working", name)
with open("report", "w") as file:
    file.write('{"rows": 3}')
with open("rows.txt", "w") as file:
    file.write(os.environ.get("LEAK", "") and os.environ["SMALL_SECRET"] or "1 2 3\\n")
open(mark, "w").close()
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    """Return the grounds of a run in staging that is closed, with operators."""
    grounds = Grounds(tmp_path_factory.mktemp("home"))
    grounds.make(BOOK, {"tools/step.py": STEP}, head=AFTER, environment="staging")
    write_operators(grounds.trust, grounds.top / "host")
    grounds.begin(0, "--answer", "open=yes", "--by", "olga")
    return grounds


@pytest.fixture(scope="module")
def evidence(closed: Grounds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return evidence of that run, sealed by olga."""
    return sealed(closed, tmp_path_factory.mktemp("evidence"))


def invoke(*words: str) -> str:
    """Return what `offline-kit` prints."""
    done = apart(words, Path.cwd())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def export(grounds: Grounds, status: int, out: Path, *more: str) -> str:
    """Export the run; return what was said."""
    out.mkdir(exist_ok=True)
    words = ["export", str(grounds.run_directory), "--site", "hall-2", "--out", str(out)]
    words += ["--trust", str(grounds.trust), *more]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        found = main(words, {})
    assert found == status, said.getvalue()
    return said.getvalue()


def sealed(grounds: Grounds, out: Path, *more: str) -> Path:
    """Export the run, sealed by olga."""
    key = str(grounds.top / "host" / "olga.pem")
    assert "SEALED by olga" in export(grounds, 0, out, "--key", key, "--yes", *more)
    return out / "evidence-hall-2-one.tar.zst"


def audited(grounds: Grounds, evidence: Path) -> Evidence:
    """Return evidence held to the kit of the grounds."""
    operators = parse_root((grounds.trust / "operators.json").read_bytes())
    return verify(str(evidence), operators, look_under(str(grounds.kit), pinned()))


def test_it_is_shown_first_and_goes_nowhere_without_a_yes(closed: Grounds, tmp_path: Path) -> None:
    said = closed.then("export", 0, "--site", "hall-2").stdout
    for text in ("which is closed", "line demo/stable/evidence/hall-2", "rows.txt: 6 bytes"):
        assert text in said
    assert "what stays: settings" in said
    said = export(closed, 6, tmp_path / "out")
    assert "nothing was written" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_sealed_evidence_says_every_step(closed: Grounds, evidence: Path) -> None:
    found = audited(closed, evidence)
    assert (found.site, found.signers, found.carried) == ("hall-2", ("olga",), True)
    assert found.state.phase == "closed"
    assert [one.status for one in found.state.steps.values()] == ["done"] * 3


def test_builder_and_runner_pack_the_same_bytes(
    closed: Grounds, evidence: Path, tmp_path: Path
) -> None:
    manifest = audited(closed, evidence).opened.manifest
    assert manifest is not None
    command = [sys.executable, "-I", str(closed.top / "host" / "kit-verify.pyz"), str(evidence)]
    command += ["--root", str(closed.trust / "operators.json"), "--extract", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    text = spec_text(manifest.kit, manifest.components)
    (tmp_path / "out" / "kit.toml").write_bytes(text)
    operators = parse_root((closed.trust / "operators.json").read_bytes())
    signer = load_signer(str(closed.top / "host" / "olga.pem"), operators.targets.keys)
    options = Options(store=True, workers=1)
    spec = load_spec(tmp_path / "out" / "kit.toml")
    built = build(spec, [operators], tmp_path / "built", options, signers=[signer])
    assert built.path.name == evidence.name
    assert built.path.read_bytes() == evidence.read_bytes()


def test_digests_only_keeps_outputs_here(closed: Grounds, tmp_path: Path) -> None:
    evidence = sealed(closed, tmp_path, "--digests-only")
    assert not audited(closed, evidence).carried
    assert b"1 2 3\n" not in evidence.read_bytes()


def test_production_opens_after_staging_only(closed: Grounds, evidence: Path) -> None:
    value = json.loads(closed.settings.read_text("utf-8"))
    try:
        other = {**value, "environment": "production", "target": "the real one"}
        closed.write_settings(other)
        assert "error[staging-missing]" in closed.go(closed.new("plan"), 3).stderr
        done = closed.go(closed.new("plan", "--after", str(evidence)))
        assert "opened by run one in staging at hall-2 (olga)" in done.stdout
        closed.write_settings({**other, "target": value["target"]})
        done = closed.go(closed.new("plan", "--after", str(evidence)), 4)
        assert "error[staging-unfit]: run 'one': it changed the same target" in done.stderr
    finally:
        closed.write_settings(value)


def test_the_release_team_reads_it_as_text_json_and_a_page(
    closed: Grounds, evidence: Path, tmp_path: Path
) -> None:
    words = ["evidence", "verify", str(evidence), "--kit", str(closed.kit)]
    words += ["--root", str(ROOT_FILE), "--operators", str(closed.trust / "operators.json")]
    page = tmp_path / "run.html"
    said = invoke(*words, "--html", str(page))
    assert said.startswith("SEALED by olga, site hall-2\n")
    assert "CLOSED: every step is done" in said
    assert re.search(r"  done +a, owner Storage Guild\n", said)
    assert re.search(r"Z a: done \(exited 0\) after", said)
    value = json.loads(invoke(*words, "--json"))
    assert value["closed"]
    good = {"expired": False, "expires": "2036-11-24T00:00:00Z", "version": 1}
    assert value["operators"] == good
    assert [one["id"] for one in value["steps"]] == ["a", "open", "b"]
    assert [one.get("owner") for one in value["steps"]] == ["Storage Guild", None, None]
    assert "<td>gate:open: olga said yes" in page.read_text("utf-8")
    assert "<td>Storage Guild" in page.read_text("utf-8")


def test_what_is_said_of_operators_is_of_the_root_that_it_was_held_to(
    closed: Grounds, evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read a second time, it could be another one by then."""
    operators = tmp_path / "operators.json"
    operators.write_bytes((closed.trust / "operators.json").read_bytes())

    def held_then_gone(path: str, root: Root, kit: Looked) -> Evidence:
        operators.unlink()
        return verify(path, root, kit)

    monkeypatch.setattr("kit.runbook.evidence.verify", held_then_gone)
    words = ["evidence", "verify", str(evidence), "--kit", str(closed.kit)]
    said = invoke(*words, "--root", str(ROOT_FILE), "--operators", str(operators), "--json")
    assert json.loads(said)["operators"]["version"] == 1


def test_hardware_and_agents_seal_it(closed: Grounds, tmp_path: Path, judge: Judge) -> None:
    judge("ssh-keygen")
    key = Authenticator(b"offline-kit in hardware 32 bytes")
    before = (closed.trust / "operators.json").read_bytes()
    names = {"olga": (SSHSIG_SK, key.public.hex())}
    public = tmp_path / "olga.pub"
    public.write_text(key.line, encoding="ascii")
    try:
        (closed.trust / "operators.json").write_bytes(operators_root(names))
        words = ["export", str(closed.run_directory), "--site", "hall-2", "--out", str(tmp_path)]
        words += ["--trust", str(closed.trust), "--key", f"ssh:{public}", "--yes"]
        with key.agent() as socket:
            done = closed.go(closed.command(*words), 0, SSH_AUTH_SOCK=socket)
        assert "SEALED by olga" in done.stdout
        assert audited(closed, tmp_path / "evidence-hall-2-one.tar.zst").signers == ("olga",)
    finally:
        (closed.trust / "operators.json").write_bytes(before)


def test_what_does_not_seal_is_said(closed: Grounds, tmp_path: Path) -> None:
    host = closed.top / "host"
    said = export(closed, 2, tmp_path, "--yes", "--key", str(host / "stranger.pem"))
    assert "error[operator-unknown]" in said
    assert list(tmp_path.iterdir()) == []
    said = export(closed, 6, tmp_path, "--yes")
    assert "NOT SEALED" in said
    assert "error[evidence-exists]" in export(closed, 2, tmp_path, "--yes")
    before = (closed.trust / "operators.json").read_bytes()
    try:
        (closed.trust / "operators.json").write_bytes(ROOT_FILE.read_bytes())
        assert "error[operators-share-key]" in export(closed, 2, tmp_path / "x", "--yes")
    finally:
        (closed.trust / "operators.json").write_bytes(before)


def test_a_secret_that_a_program_wrote_stays_here(closed: Grounds, tmp_path: Path) -> None:
    attempt = closed.run_directory / "attempts" / "a.apply.1" / "scratch" / "rows.txt"
    before = attempt.read_bytes()
    try:
        attempt.write_bytes(b"4 5 6\n")
        assert "error[run-changed]" in export(closed, 4, tmp_path, "--yes")
        (closed.top / "host" / "secret").write_text("working", encoding="ascii")
        said = export(closed, 4, tmp_path, "--yes")
        assert "error[evidence-holds-secret]" in said
        assert list(tmp_path.iterdir()) == []
    finally:
        attempt.write_bytes(before)
        (closed.top / "host" / "secret").write_text("hunter2hunter2\n", encoding="ascii")


def test_a_run_of_production_names_the_evidence(closed: Grounds, evidence: Path) -> None:
    value = json.loads(closed.settings.read_text("utf-8"))
    place = closed.top / "real"
    place.mkdir(mode=0o755)
    try:
        other = {**value, "environment": "production", "target": "the real one"}
        closed.write_settings({**other, "inputs": {"place": str(place)}})
        more = ["--after", str(evidence), "--name", "two", "--answer", "open=yes"]
        assert "closed" in closed.go(closed.new("run", *more)).stdout
    finally:
        closed.write_settings(value)
    run = closed.run_directory.with_name("two")
    first = json.loads((run / "journal").read_bytes().split(b"\n")[0])
    assert first["after"]["evidence"] == audited(closed, evidence).kit_id
    assert first["after"]["signers"] == ["olga"]


def test_two_people_seal_one_after_the_other(closed: Grounds, tmp_path: Path) -> None:
    before = (closed.trust / "operators.json").read_bytes()
    host = closed.top / "host"
    names = {"olga": ("ed25519", public_of(OPERATOR)), "otto": ("ed25519", public_of(STRANGER))}
    try:
        (closed.trust / "operators.json").write_bytes(operators_root(names, 2))
        key = str(host / "olga.pem")
        assert "NOT SEALED" in export(closed, 6, tmp_path, "--yes", "--key", key)
        path = tmp_path / "evidence-hall-2-one.tar.zst"
        with pytest.raises(KitError, match="1 of 2"):
            audited(closed, path)
        invoke("sign", str(path), "--key", f"otto={host / 'stranger.pem'}")
        assert audited(closed, path).signers == ("olga", "otto")
    finally:
        (closed.trust / "operators.json").write_bytes(before)


def test_a_key_of_ssh_seals_it(closed: Grounds, tmp_path: Path, judge: Judge) -> None:
    program = judge("ssh-keygen")
    path = tmp_path / "id"
    command = [str(program), "-q", "-t", "ed25519", "-N", "", "-C", "olga", "-f", str(path)]
    subprocess.run(command, check=True)
    key = load_root_key(path.with_suffix(".pub"))
    before = (closed.trust / "operators.json").read_bytes()
    try:
        names = {"olga": (key.scheme, key.keyval["public"])}
        (closed.trust / "operators.json").write_bytes(operators_root(names))
        said = export(closed, 0, tmp_path / "out", "--yes", "--key", f"ssh:{path}")
        assert "SEALED by olga" in said
        found = audited(closed, tmp_path / "out" / "evidence-hall-2-one.tar.zst")
        assert found.signers == ("olga",)
    finally:
        (closed.trust / "operators.json").write_bytes(before)


def planned(grounds: Grounds, evidence: Path, status: int) -> str:
    """Plan a run after evidence; return what was said."""
    words = ["plan", str(grounds.kit), "--trust", str(grounds.trust)]
    words += ["--settings", str(grounds.settings), "--after", str(evidence)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        found = main(words, {})
    assert found == status, said.getvalue()
    return said.getvalue()


def test_an_expired_root_of_operators_seals_nothing_where_the_policy_says_so(
    closed: Grounds, tmp_path: Path
) -> None:
    policy, theirs = closed.trust / "policy.json", closed.trust / "operators.json"
    value = {
        "type": "https://offline-kit.example/policy/v1",
        "name": "hall 2",
        "otherLines": "allow",
        "rootExpiry": "enforce",
    }
    late = {"name": "late", "code": "root-expired", "line": "demo/stable", "reason": "on Friday"}
    said, good = "warning: the operators' root, version 1, expired on", theirs.read_bytes()
    key = ["--key", str(closed.top / "host" / "olga.pem"), "--yes"]
    try:
        keys = {"olga": ("ed25519", public_of(OPERATOR))}
        theirs.write_bytes(operators_root(keys, expires="2026-01-01T00:00:00Z"))
        assert said in export(closed, 0, tmp_path / "reported", *key)
        policy.write_text(json.dumps(value), encoding="utf-8")
        refused = export(closed, 3, tmp_path / "refused", *key)
        assert said in refused
        assert "error[root-expired]: operators.json" in refused
        assert list((tmp_path / "refused").iterdir()) == []
        assert "NOT SEALED" in export(closed, 6, tmp_path / "unsealed", "--yes")
        policy.write_text(json.dumps({**value, "overrides": [late]}), encoding="utf-8")
        passed = export(closed, 0, tmp_path / "passed", *key)
        assert "let pass: root-expired: override 'late': on Friday" in passed
    finally:
        policy.unlink(missing_ok=True)
        theirs.write_bytes(good)


def test_an_override_lets_unfit_evidence_pass_and_no_foreign_one(
    closed: Grounds, evidence: Path, tmp_path: Path
) -> None:
    value = json.loads(closed.settings.read_text("utf-8"))
    policy = {
        "type": "https://offline-kit.example/policy/v1",
        "name": "hall 2",
        "otherLines": "allow",
        "overrides": [
            {"name": code, "code": code, "line": "demo/stable", "reason": "there is one"}
            for code in ("staging-unfit", "staging-missing")
        ],
    }
    foreign = tmp_path / "foreign.tar.zst"
    foreign.write_bytes(gzip.decompress((RUNS / "closed" / "evidence.gz").read_bytes()))
    edited = tmp_path / "edited.tar.zst"
    edited.write_bytes(evidence.read_bytes().replace(b"a directory", b"A directory"))
    try:
        closed.write_settings({**value, "environment": "production"})
        assert "error[staging-unfit]" in planned(closed, evidence, 4)
        (closed.trust / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
        said = planned(closed, evidence, 0)
        assert "let pass: staging-unfit: override 'staging-unfit': there is one" in said
        assert "error[evidence-foreign]" in planned(closed, foreign, 4)
        assert "error[digest-mismatch]" in planned(closed, edited, 4)
    finally:
        (closed.trust / "policy.json").unlink(missing_ok=True)
        closed.write_settings(value)
