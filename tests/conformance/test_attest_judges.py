"""cosign and securesystemslib judge what `offline-kit attest` writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # no __all__ there

from kit.keys import new_key
from kit.keys.public import load_root_key
from kit.stock.bundle import TRUSTED_ROOT
from tests.support.making import KEYS
from tests.support.program import Run, runner
from tests.support.reports import grype, trx
from tests.support.sigstoreserver import TOKEN_ISSUER, sigstore_services, token

TYPES = {
    "test-result": "https://in-toto.io/attestation/test-result/v0.1",
    "vulns": "https://in-toto.io/attestation/vulns/v0.2",
    "https://example.org/any/v1": "https://example.org/any/v1",
}


@pytest.fixture
def offline_kit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test-result").write_bytes(trx("Passed"))
    (tmp_path / "vulns").write_text(json.dumps(grype()))
    (tmp_path / "any").write_text('{"score": 9.8, "who": "Zoë"}')
    (tmp_path / "tool").write_bytes(b"a tool\n")
    (tmp_path / "other").write_bytes(b"another tool\n")
    (tmp_path / "root.json").write_bytes(TRUSTED_ROOT)
    return tmp_path


def file_of(kind: str) -> str:
    return kind if "/" not in kind else "any"


def ask(cosign: Path, kind: str, tool: str, key: Path) -> subprocess.CompletedProcess[str]:
    options = ["--key", str(key), "--bundle", "bundle.json", "--type", TYPES[kind]]
    offline = ["--insecure-ignore-tlog", "--trusted-root", "root.json"]
    if "v2." in cosign.name:
        offline.append("--new-bundle-format")
    return subprocess.run(
        [cosign, "verify-blob-attestation", *options, *offline, tool],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
def test_cosign_verifies_a_bundle(cosign: Path, here: Path, offline_kit: Run, kind: str) -> None:
    made = new_key("ecdsa-p256", here, "ci", None)
    words = [file_of(kind), "--type", kind, "--subject", "tool", "--key", "ci.pem", "--bundle"]
    assert offline_kit("attest", *words, "--out", "bundle.json")[0] == 0
    done = ask(cosign, kind, "tool", made.public_path)
    assert done.returncode == 0, done.stderr
    assert ask(cosign, kind, "other", made.public_path).returncode != 0
    assert ask(cosign, kind, "tool", KEYS / "bob.pub").returncode != 0


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_securesystemslib_verifies_an_envelope(here: Path, offline_kit: Run, name: str) -> None:
    words = ["any", "--type", "https://example.org/any/v1", "--subject", "tool"]
    assert offline_kit("attest", *words, "--key", str(KEYS / f"{name}.pem"), "--out", "o")[0] == 0
    value: dict[str, Any] = json.loads((here / "o").read_bytes())
    envelope = Envelope.from_dict(value)
    key: SSlibKey = load_root_key(KEYS / f"{name}.pub")
    assert set(envelope.verify([key], 1)) == {key.keyid}
    assert json.loads(envelope.payload)["predicate"] == {"score": 9.8, "who": "Zoë"}
    with pytest.raises(VerificationError):
        envelope.verify([load_root_key(KEYS / "mallory.pub")], 1)


@pytest.mark.slow
def test_cosign_verifies_a_bundle_of_an_identity(
    cosign: Path, here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = "https://github.com/acme/lnm/.github/workflows/release.yml@refs/tags/v1"
    monkeypatch.setenv("OIDC", token(who))
    with sigstore_services() as services:
        (here / "config.json").write_text(json.dumps(services.config()))
        words = ["test-result", "--type", "test-result", "--subject", "tool"]
        words += ["--keyless", "config.json", "--out", "bundle.json"]
        status, _, error = offline_kit("--passphrase-env", "OIDC", "attest", *words)
    assert status == 0, error
    (here / "root.json").write_text(json.dumps(services.world.trusted_root()))

    def verdict(identity: str, tool: str) -> int:
        options = ["--certificate-identity", identity, "--bundle", "bundle.json"]
        options += ["--certificate-oidc-issuer", TOKEN_ISSUER, "--trusted-root", "root.json"]
        options += ["--type", TYPES["test-result"]]
        if "v2." in cosign.name:
            options.append("--new-bundle-format")
        command: list[str | Path] = [cosign, "verify-blob-attestation", *options, tool]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    assert verdict(who, "tool") == 0
    assert verdict(who, "other") != 0
    assert verdict(f"{who}x", "tool") != 0
