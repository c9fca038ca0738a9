"""The second opinion on P-256 signatures: the real openssl, and programs that only look like it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.assembler import Draft, assemble
from tests.support.making import Made, make_kit, pinned
from verifier import openssl
from verifier.core.envelope import pae
from verifier.core.errors import ExitStatus, UsageError
from verifier.core.pipeline import Job, Opened
from verifier.run import run
from verifier.show.report import Report, render_text
from verifier.show.reportvalue import report_value

StandIn = Callable[[str], Path]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit signed by alice (Ed25519) and bob (P-256)."""
    return make_kit(tmp_path_factory.mktemp("openssl"))


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Return what writes a program of a shell that is run instead of openssl."""

    def write(script: str) -> Path:
        path = tmp_path / "openssl"
        path.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n{script}\n')
        path.chmod(0o755)
        return path

    return write


def ask(kit: Path, program: Path, root: bytes | None = b"") -> Report:
    job = Job(root=None if root is None else pinned())
    return run(os.fspath(kit), job, openssl=os.fspath(program))


def code_of(report: Report) -> str:
    assert report.error is not None
    return report.error.code


def left_behind() -> set[Path]:
    return set(Path("/tmp").glob("kit-verify-*"))


def test_real_openssl_agrees_and_the_report_says_whose_signature(kit: Made, judge: Judge) -> None:
    program = judge("openssl")
    before = left_behind()
    report = ask(kit.path, program)
    assert report.error is None
    assert f"P-256 signatures of bob: {program} dgst agrees" in report.checked
    assert "openssl on alice's signature: its scheme is ed25519" in report.not_checked
    assert f"{program} dgst agrees" in render_text(report)
    assert f"{program} dgst agrees" in json.dumps(report_value(report)["checked"])
    assert left_behind() == before


def test_real_openssl_refuses_what_is_not_signed(kit: Made, judge: Judge) -> None:
    """Asked as the verifier asks, about bytes that nobody signed: it can say no."""
    opened = Opened()
    run(os.fspath(kit.path), Job(root=pinned()), opened=opened)
    assert opened.envelope is not None
    (bob,) = [key for key in pinned().targets.keys.values() if key.signer == "bob"]
    signature = opened.envelope.signatures[bob.keyid]
    program = os.fspath(judge("openssl"))
    message = pae(opened.envelope.payload)
    assert openssl._agrees(program, bob.public, message, signature)
    assert not openssl._agrees(program, bob.public, message[:-1], signature)


NO_VERDICT = {
    "says yes to everything": "echo Verified OK",
    "succeeds and says nothing": "exit 0",
    "says yes and fails": "echo Verified OK; exit 1",
    "says no and succeeds": "echo Verification failure",
    "says yes in other words": "echo 'Verified OK, probably'",
    "fails with another status": "echo Verification failure; exit 2",
    "cannot read the key": "echo 'unable to load key file' >&2; exit 1",
    "is killed": "kill -9 $$",
    "gives no answer": "exec sleep 600",
}


@pytest.mark.parametrize("script", NO_VERDICT.values(), ids=NO_VERDICT.keys())
def test_program_without_a_verdict_is_undecided(
    kit: Made, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(openssl, "TIMEOUT_SECONDS", 2)
    before = left_behind()
    report = ask(kit.path, stand_in(script))
    assert (code_of(report), report.status) == ("openssl-failed", ExitStatus.UNDECIDED)
    assert report.proof == "page", "nothing after the page was read"
    assert left_behind() == before


@pytest.mark.parametrize("said", ["Verification failure", "Verification Failure"])
def test_program_that_disagrees_rejects(kit: Made, stand_in: StandIn, said: str) -> None:
    report = ask(kit.path, stand_in(f"echo {said}; exit 1"))
    assert (code_of(report), report.status) == ("openssl-disagrees", ExitStatus.REJECTED)
    assert "'bob'" in str(report.error)
    assert report.proof == "page"


def test_program_that_is_not_there_is_undecided(kit: Made, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    for path in (tmp_path / "gone", tmp_path / "text", tmp_path):
        assert code_of(ask(kit.path, path)) == "openssl-failed"


def test_kit_without_p256_signature_is_undecided(tmp_path: Path, stand_in: StandIn) -> None:
    """What was asked for and could not be done is not passed over."""
    path = tmp_path / "kit"
    path.write_bytes(assemble(Draft(signers=("alice", "carol"))))
    assert run(os.fspath(path), Job(root=pinned())).error is None
    assert code_of(ask(path, stand_in("echo Verified OK"))) == "openssl-failed"
    assert not (tmp_path / "asked").exists()


def test_what_we_refuse_is_never_asked_about(tmp_path: Path, stand_in: StandIn) -> None:
    path = tmp_path / "kit"
    path.write_bytes(assemble(Draft(signers=("bob",))))
    program = stand_in("echo Verified OK")
    assert code_of(ask(path, program)) == "threshold-not-met"
    assert code_of(ask(path, program, root=None)) == "no-root"
    assert not (tmp_path / "asked").exists()


def test_program_sees_no_environment_and_private_files(
    kit: Made, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", os.fspath(tmp_path / "theirs"))
    monkeypatch.setenv("OPENSSL_CONF", "evil")
    (tmp_path / "theirs").mkdir()
    ask(
        kit.path,
        stand_in(
            f'/usr/bin/env > {tmp_path}/env; stat -c %a "${{4%/*}}" "$4" "$6" > '
            f"{tmp_path}/modes; echo Verified OK"
        ),
    )
    assert "OPENSSL_CONF" not in (tmp_path / "env").read_text()
    assert (tmp_path / "modes").read_text().split() == ["700", "600", "600"]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0].startswith("dgst -sha256 -verify /tmp/kit-verify-")
    assert list((tmp_path / "theirs").iterdir()) == []


@pytest.mark.parametrize("program", ["openssl", "./openssl", "bin/openssl"])
def test_program_is_named_by_its_absolute_path(kit: Made, program: str) -> None:
    with pytest.raises(UsageError, match="absolute path"):
        run(os.fspath(kit.path), Job(root=pinned()), openssl=program)
