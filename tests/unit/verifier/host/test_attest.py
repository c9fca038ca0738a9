"""Receipts: what they are of, that none is written over, and signatures of the host on them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.making import KEYS, ROOT_FILE, make_kit
from verifier import cli

Told = tuple[int, str, str]
Run = Callable[..., Told]


@pytest.fixture
def kit_verify(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> Told:
        status = cli.main(list(map(str, words)))
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kit(tmp_path_factory.mktemp("attest")).path


@pytest.fixture
def receipt(kit: Path, tmp_path: Path, kit_verify: Run) -> Path:
    path = tmp_path / "receipt.json"
    assert kit_verify(kit, "--root", ROOT_FILE, "--receipt", path, "--quiet")[0] == 0
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "host.pem"
    shutil.copy(KEYS / "alice.pem", path)
    path.chmod(0o600)
    return path


def test_there_is_no_receipt_of_a_part(kit: Path, tmp_path: Path, kit_verify: Run) -> None:
    """The rest may be damaged, and nobody looked."""
    path = tmp_path / "receipt.json"
    status, _, err = kit_verify(
        kit, "--root", ROOT_FILE, "--receipt", path, "--only", "kit-verify.pyz"
    )
    assert (status, "--receipt does not go with --only" in err, path.exists()) == (2, True, False)


@pytest.mark.parametrize(("more", "proof"), [((), "full"), (("--quick",), "quick")])
def test_a_receipt_says_how_much_was_proved(
    kit: Path, tmp_path: Path, kit_verify: Run, more: tuple[str, ...], proof: str
) -> None:
    path = tmp_path / "receipt.json"
    assert kit_verify(kit, "--root", ROOT_FILE, "--receipt", path, *more)[0] == 0
    assert json.loads(path.read_bytes())["predicate"]["proof"] == proof


def test_a_receipt_is_never_written_over(
    kit: Path, tmp_path: Path, kit_verify: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(b"of an earlier kit")
    status, _, err = kit_verify(kit, "--root", ROOT_FILE, "--receipt", path)
    assert (status, "is there already" in err) == (2, True)
    monkeypatch.setattr("verifier.host.receipt.check_receipt", lambda path: None)  # it came later
    status, out, _ = kit_verify(kit, "--root", ROOT_FILE, "--receipt", path)
    assert (status, "receipt-unwritable" in out) == (3, True)
    assert path.read_bytes() == b"of an earlier kit"
    assert os.listdir(tmp_path) == ["receipt.json"]


def test_a_receipt_is_signed_and_checked_with_plain_python(
    receipt: Path, key: Path, kit_verify: Run
) -> None:
    status, out, err = kit_verify("receipt", "sign", receipt, "--key", key)
    assert (status, out, err) == (0, f"wrote {receipt}.dsse.json\n", "")
    signed = f"{receipt}.dsse.json"
    status, out, _ = kit_verify("receipt", "verify", signed, "--key", KEYS / "alice.pub")
    assert status == 0
    assert "the signature is good (DSSE)" in out
    assert "'verified', proof 'full'" in out
    status, _, err = kit_verify("receipt", "verify", signed, "--key", KEYS / "carol.pub")
    assert (status, "error[receipt-invalid]" in err) == (4, True)
    assert kit_verify("receipt", "sign", receipt, "--key", key)[0] == 2, "nothing is overwritten"


def test_a_signed_receipt_that_was_changed_is_refused(
    receipt: Path, key: Path, kit_verify: Run
) -> None:
    kit_verify("receipt", "sign", receipt, "--key", key)
    signed = Path(f"{receipt}.dsse.json")
    value = json.loads(signed.read_bytes())
    payload = base64.b64decode(value["payload"]).replace(b'"full"', b'"fuII"')
    value["payload"] = base64.b64encode(payload).decode()
    signed.write_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
    status, _, err = kit_verify("receipt", "verify", signed, "--key", KEYS / "alice.pub")
    assert (status, "error[receipt-invalid]" in err) == (4, True)


@pytest.mark.parametrize(
    "data",
    [
        b'{"payload":1}',
        b'{"payload":"","payloadType":"application/vnd.in-toto+json","signatures":[]}',
        b'{"payload":"","payloadType":"application/vnd.in-toto+json","signatures":[1]}',
        b'{"payload":"AA==","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":1}]}',
        b"{}",
        b"[" * 5000,
    ],
)
def test_what_is_no_signed_receipt_is_refused_by_an_error_of_ours(
    data: bytes, tmp_path: Path, kit_verify: Run
) -> None:
    (tmp_path / "x").write_bytes(data)
    status, _, err = kit_verify("receipt", "verify", tmp_path / "x", "--key", KEYS / "alice.pub")
    assert (status, "error[receipt-invalid]" in err) == (4, True)


def test_a_statement_of_another_type_is_no_receipt(
    tmp_path: Path, key: Path, kit_verify: Run
) -> None:
    statement = b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"a:b"}'
    (tmp_path / "x").write_bytes(statement)
    status, _, err = kit_verify("receipt", "sign", tmp_path / "x", "--key", key)
    assert (status, "Statement of another type" in err) == (4, True)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="not run: a host without users")
def test_a_key_that_others_read_signs_nothing(receipt: Path, key: Path, kit_verify: Run) -> None:
    key.chmod(0o644)
    status, _, err = kit_verify("receipt", "sign", receipt, "--key", key)
    assert (status, "error[key-exposed]" in err, "mode 0644" in err) == (2, True, True)


def test_a_key_of_another_kind_is_named(receipt: Path, tmp_path: Path, kit_verify: Run) -> None:
    shutil.copy(KEYS / "bob.pem", tmp_path)
    (tmp_path / "bob.pem").chmod(0o600)
    status, _, err = kit_verify("receipt", "sign", receipt, "--key", tmp_path / "bob.pem")
    assert (status, "ssh-keygen" in err) == (2, True)
    swapped = ("receipt", "verify", tmp_path / "bob.pem", "--key", receipt)
    status, _, err = kit_verify(*swapped)
    assert (status, "is a receipt, not a public key" in err) == (2, True)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="not run: no ssh-keygen")
def test_ssh_keygen_signs_and_what_it_signed_by_itself_is_checked(
    receipt: Path, tmp_path: Path, kit_verify: Run
) -> None:
    key = tmp_path / "host"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.fspath(key)]
    subprocess.run(make, check=True)
    status, out, err = kit_verify("receipt", "sign", receipt, "--key", f"ssh:{key}")
    assert (status, out, err) == (0, f"wrote {receipt}.sig\n", "")
    public = tmp_path / "host.pub"
    status, out, _ = kit_verify("receipt", "verify", receipt, "--key", public)
    assert (status, "the signature is good (SSH)" in out) == (0, True)
    check = ["ssh-keygen", "-Y", "check-novalidate", "-n", "offline-kit", "-s", f"{receipt}.sig"]
    subprocess.run(check, input=receipt.read_bytes(), check=True, capture_output=True)
    receipt.write_bytes(receipt.read_bytes().replace(b'"full"', b'"fuII"'))
    status, _, err = kit_verify("receipt", "verify", receipt, "--key", public)
    assert (status, "error[receipt-invalid]" in err) == (4, True)
    status, _, err = kit_verify("receipt", "sign", receipt, "--key", "ssh:/nowhere", "--out", "x")
    assert (status, "error[signing-failed]" in err) == (3, True)
