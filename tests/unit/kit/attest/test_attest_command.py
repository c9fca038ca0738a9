"""`offline-kit attest`, and what our own verifier makes of what it writes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kit.keys import new_key
from tests.support.making import KEYS, ROOT_FILE, make_kit
from tests.support.people import person
from tests.support.program import Run
from tests.support.reports import trx
from verifier.core.envelope import pae
from verifier.core.signature import Key, parse_material
from verifier.evidence.forms import read_evidence
from verifier.evidence.sigstore.bundle import Bundle
from verifier.evidence.sigstore.identity import make_key
from verifier.evidence.sigstore.verify import Artifact, verify_bundle
from verifier.evidence.statement import Envelope, parse_statement

LNM = KEYS.parent / "lnm"
ALICE, BOB = str(KEYS / "alice.pem"), str(KEYS / "bob.pem")
HEX = "ab" * 32


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.trx").write_bytes(trx("Passed"))
    (tmp_path / "tool.bin").write_bytes(b"a tool\n")
    return tmp_path


def attest(run: Run, *words: str, out: str = "out.json") -> tuple[int, str, str]:
    return run("attest", "run.trx", "--type", "test-result", "--out", out, *words)


def read(path: Path) -> Any:
    (found,) = read_evidence(path.read_bytes(), "it")
    return found


def test_an_envelope_of_two_signers_about_three_subjects(here: Path, offline_kit: Run) -> None:
    subjects = ["tool.bin", f"a=b=sha256:{HEX}", f"c=sha512:{'0' * 128}"]
    words = [word for subject in subjects for word in ("--subject", subject)]
    status, said, _ = attest(
        offline_kit, *words, "--key", ALICE, "--key", f"bob={BOB}", "--root", str(ROOT_FILE)
    )
    assert status == 0, said
    envelope = read(here / "out.json")
    assert isinstance(envelope, Envelope)
    statement = parse_statement(envelope, "it")
    digest = hashlib.sha256(b"a tool\n").hexdigest()
    assert [(item.name, dict(item.digest)) for item in statement.subjects] == [
        ("tool.bin", {"sha256": digest}),
        ("a=b", {"sha256": HEX}),
        ("c", {"sha512": "0" * 128}),
    ]
    assert statement.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert statement.kind == "https://in-toto.io/Statement/v1"
    keyids = {person(name).keyid for name in ("alice", "bob")}
    assert {keyid for keyid, _ in envelope.signatures} == keyids
    for name in ("alice", "bob"):
        who = person(name)
        key = who.key
        scheme, public = key["scheme"], key["keyval"]["public"]
        material = parse_material(key["keytype"], scheme, public)
        signature = dict(envelope.signatures)[who.keyid]
        judged = Key(who.keyid, name, scheme, public, material)
        assert judged.verify(pae(envelope.payload), signature, low_s=True)


def test_the_same_inputs_give_the_same_bytes_and_are_no_conflict(
    here: Path, offline_kit: Run
) -> None:
    words = ["--subject", "tool.bin", "--key", BOB]
    assert attest(offline_kit, *words)[0] == 0
    before = (here / "out.json").read_bytes()
    assert attest(offline_kit, *words)[0] == 0
    assert (here / "out.json").read_bytes() == before
    status, _, said = attest(offline_kit, "--subject", f"x=sha256:{HEX}", "--key", BOB)
    assert (status, "attestation-exists" in said) == (2, True)
    assert (here / "out.json").read_bytes() == before


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256"])
def test_a_bundle_with_a_key_that_no_root_names(here: Path, offline_kit: Run, kind: Any) -> None:
    made = new_key(kind, here, "ci", None)
    status, said, _ = attest(offline_kit, "--subject", "tool.bin", "--key", "ci.pem", "--bundle")
    assert status == 0, said
    bundle = read(here / "out.json")
    assert isinstance(bundle, Bundle)
    wanted = make_key(made.public_path.read_text())
    artifact = Artifact({"sha256": hashlib.sha256(b"a tool\n").hexdigest()})
    proved = verify_bundle(bundle, wanted, artifact=artifact)
    assert proved.statement is not None
    assert proved.statement.predicate["result"] == "PASSED"
    spki = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", made.public_path, "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    hint = json.loads((here / "out.json").read_bytes())["verificationMaterial"]["publicKey"]
    assert hint["hint"] == base64.b64encode(hashlib.sha256(spki).digest()).decode()


def test_images_components_and_kits(here: Path, offline_kit: Run) -> None:
    layout = LNM / "images" / "migration-runner"
    index = json.loads((layout / "index.json").read_bytes())
    status, said, error = attest(offline_kit, "--subject", f"image:{layout}", "--key", ALICE)
    assert status == 0, error
    assert index["manifests"][0]["digest"] in said
    made = make_kit(here / "kit")
    spec, component = str(here / "kit" / "kit.toml"), "component:tools"
    digest = offline_kit("digest", spec, "tools", "--json")[1]
    wanted = json.loads(digest)["components"][0]["digest"]["sha256"]
    for number, within in enumerate((spec, str(made.path))):
        words = ["--subject", component, "--in", within, "--key", ALICE]
        status, said, error = attest(offline_kit, *words, out=f"{number}.json")
        assert status == 0, error
        assert f"sha256:{wanted}  tools" in said
    status, _, error = attest(offline_kit, "--subject", "component:tool", *words[2:], out="x.json")
    assert (status, "Did you mean tools?" in error) == (2, True)
    status, said, _ = attest(offline_kit, "--subject", f"kit:{made.path}", "--key", ALICE, out="y")
    assert (status, f"sha256:{made.built.kit_id}" in said) == (0, True)


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("nothing-there", "report-unreadable"),
        (".", "report-unreadable"),
        ("x=sha256:AB", "subject-invalid"),
        (f"x=sha256:{HEX}0", "subject-invalid"),
        (f"x=md5:{HEX}", "report-unreadable"),
        (f"x=sha512:{HEX}", "subject-invalid"),
        ("component:x", "subject-invalid"),
        ("image:nothing", "image-file-unusable"),
        ("kit:tool.bin", "kit-truncated"),
        (f"{'x' * 2000}=sha256:{HEX}", "subject-invalid"),
        (os.fsdecode(b"\xff") + f"=sha256:{HEX}", "subject-invalid"),
    ],
)
def test_subjects_that_are_none(here: Path, offline_kit: Run, subject: str, code: str) -> None:
    status, _, said = attest(offline_kit, "--subject", subject, "--key", ALICE)
    assert code in said
    assert status != 0
    assert not (here / "out.json").exists()


def test_the_same_subject_twice_and_the_same_key_twice(here: Path, offline_kit: Run) -> None:
    twice = ["--subject", "tool.bin", "--subject", "tool.bin", "--key", ALICE]
    assert "subject-invalid" in attest(offline_kit, *twice)[2]
    keys = ["--subject", "tool.bin", "--key", ALICE, "--key", f"file:{ALICE}"]
    assert "signer-argument-invalid" in attest(offline_kit, *keys)[2]
    both = ["--subject", "tool.bin", "--key", ALICE, "--key", BOB, "--bundle"]
    assert "usage" in attest(offline_kit, *both)[2]
    assert not (here / "out.json").exists()


def test_failed_tests_are_not_attested(here: Path, offline_kit: Run) -> None:
    (here / "run.trx").write_bytes(trx("Passed", "Failed"))
    status, _, said = attest(offline_kit, "--subject", "tool.bin", "--key", ALICE)
    assert (status, "error[tests-not-passed]" in said) == (4, True)
    assert not (here / "out.json").exists()


def test_a_key_in_a_variable_and_one_of_ssh(
    here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_KEY", Path(BOB).read_text())
    assert attest(offline_kit, "--subject", "tool.bin", "--key", "envvar:CI_KEY")[0] == 0
    ssh = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id"]
    subprocess.run(ssh, check=True, cwd=here)
    words = ["--subject", "tool.bin", "--key", "ssh:id"]
    assert attest(offline_kit, *words, out="ssh.json")[0] == 0
    status, _, said = attest(offline_kit, *words, "--bundle", out="bundle.json")
    assert (status, "signer-unsupported" in said) == (2, True)
    assert {path.name for path in here.iterdir() if "json" in path.name} == {"out.json", "ssh.json"}


def test_a_service_needs_its_public_key(here: Path, offline_kit: Run) -> None:
    made = new_key("ecdsa-p256", here, "ci", None)
    uri = "hsm:2?pin-value=73914682"
    status, _, said = attest(offline_kit, "--subject", "tool.bin", "--key", uri)
    assert (status, "PUB=URI" in said, "73914682" in said) == (2, True, False)
    status, _, said = attest(
        offline_kit, "--subject", "tool.bin", "--key", f"{made.public_path}={uri}"
    )
    assert status == 2
    assert "passphrase-missing" in said  # of the token: a PIN in the URI is not taken
    assert "73914682" not in said
    assert not (here / "out.json").exists()
