"""Signing with an identity, at a Fulcio, a Rekor and a timestamp authority on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sigstore.models import Bundle as TheirBundle
from sigstore.models import TrustedRoot as TheirRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as TheirIdentity

from kit.net import keyless
from tests.support.making import REPOSITORY
from tests.support.program import Run
from tests.support.reports import trx
from tests.support.sigstoreserver import TOKEN_ISSUER, Services, sigstore_services, token
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.errors import IdentityMismatch
from verifier.evidence.sigstore.identity import Identity
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, verify_bundle

WHO = "https://github.com/acme/lnm/.github/workflows/release.yml@refs/tags/v1"
HEX = "ab" * 32


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIDC", token(WHO))
    (tmp_path / "run.trx").write_bytes(trx("Passed"))
    return tmp_path


def attest(run: Run, services: Services, *words: str) -> tuple[int, str, str]:
    Path("config.json").write_text(json.dumps(services.config()))
    return run(
        *("--passphrase-env", "OIDC", "attest", "run.trx", "--type", "test-result"),
        *("--subject", f"x=sha256:{HEX}", "--keyless", "config.json", "--out", "b.json", *words),
    )


@pytest.mark.slow
@pytest.mark.parametrize("v2", [False, True], ids=["rekor-1", "rekor-2-with-timestamps"])
def test_a_bundle_of_an_identity_verifies_here_and_there(
    here: Path, offline_kit: Run, v2: bool
) -> None:
    begun = time.monotonic()
    with sigstore_services(v2=v2) as services:
        status, said, error = attest(offline_kit, services)
        assert status == 0, error
        asked = [path for path, _ in services.asked]
    assert time.monotonic() - begun < 20
    assert f"signed  {WHO}" in said
    last = ["/api/v1/timestamp", "/api/v2/log/entries"] if v2 else ["/api/v1/log/entries"]
    assert asked == ["/api/v2/signingCert", *last]
    data = (here / "b.json").read_bytes()
    root = json.dumps(services.world.trusted_root()).encode()
    trusted = [parse_trusted_root(root)]
    bundle, artifact = parse_bundle(data), Artifact({"sha256": HEX})
    proved = verify_bundle(bundle, Identity(TOKEN_ISSUER, WHO), trusted, artifact)
    assert (proved.signer, proved.issuer, proved.logged) == (WHO, TOKEN_ISSUER, 1)
    assert proved.statement is not None
    assert proved.statement.predicate["result"] == "PASSED"
    assert proved.signed_at is not None
    assert abs(proved.signed_at - time.time()) < 300
    with pytest.raises(IdentityMismatch):
        verify_bundle(bundle, Identity(TOKEN_ISSUER, WHO + "x"), trusted, artifact)
    Path("root.json").write_bytes(root)
    judge = Verifier(trusted_root=TheirRoot.from_file("root.json"))
    who = TheirIdentity(identity=WHO, issuer=TOKEN_ISSUER)
    assert judge.verify_dsse(TheirBundle.from_json(data), who)[0] == "application/vnd.in-toto+json"


def test_services_that_refuse(
    here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = token(WHO)
    monkeypatch.setenv("OIDC", secret)
    for path in ("/api/v2/signingCert", "/api/v1/log"):
        with sigstore_services() as services:
            services.refuse[path] = 403
            status, said, error = attest(offline_kit, services)
        assert (status, "error[keyless-failed]" in error) == (3, True)
        assert secret not in said + error
        assert not (here / "b.json").exists()


def test_a_service_that_never_answers(
    here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyless, "WAIT_SECONDS", 1)
    with sigstore_services() as services:
        services.silent = True
        status, _, error = attest(offline_kit, services)
    assert (status, "no answer within 1 seconds" in error) == (3, True)


def test_nobody_listens(here: Path, offline_kit: Run) -> None:
    with sigstore_services() as services:
        pass
    status, _, error = attest(offline_kit, services)
    assert (status, "error[keyless-failed]" in error) == (3, True)


@pytest.mark.parametrize(
    "bad",
    ["", "no token", token(WHO, audience="another"), token(WHO, seconds=-60), "a.b.c"],
)
def test_tokens_that_are_none(
    here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setenv("OIDC", bad)
    with sigstore_services() as services:
        status, said, error = attest(offline_kit, services)
    assert (status, "error[identity-token-invalid]" in error) == (2, True)
    assert services.asked == []
    assert not bad or bad not in said + error


def test_a_token_goes_to_nobody_by_plain_http(here: Path, offline_kit: Run) -> None:
    with sigstore_services() as services:
        services.url = "http://ca.example"
        status, _, error = attest(offline_kit, services)
    assert (status, "neither HTTPS nor on loopback" in error) == (2, True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"trustedRoot":{}}', '{"a":1,"a":2}', "{" * 1000]
)
def test_configurations_that_are_none(here: Path, text: str) -> None:
    Path("config.json").write_text(text)
    with pytest.raises(KitError) as caught:
        keyless.sign_keyless(b"{}", Path("config.json"), lambda name: token(WHO))
    assert caught.value.code == "trust-config-invalid"


def test_what_does_not_verify_is_not_written(here: Path, offline_kit: Run) -> None:
    """A certificate authority that issues for another one than the trusted root names."""
    with sigstore_services() as services:
        honest = services.config

        def lying() -> dict[str, object]:
            value = honest()
            for each in value["trustedRoot"]["tlogs"]:
                each["publicKey"]["validFor"]["end"] = "2024-06-01T00:00:00Z"
            return value

        services.config = lying  # type: ignore[method-assign]
        status, _, error = attest(offline_kit, services)
    assert (status, "error[keyless-failed]" in error) == (3, True)
    assert not (here / "b.json").exists()


def test_keys_and_an_identity_do_not_go_together(here: Path, offline_kit: Run) -> None:
    with sigstore_services() as services:
        status, _, error = attest(offline_kit, services, "--key", "some.pem")
    assert (status, "error[usage]" in error) == (2, True)
    words = ["attest", "run.trx", "--type", "test-result", "--subject", f"x=sha256:{HEX}"]
    status, _, error = offline_kit(*words, "--out", "o")
    assert (status, "--key" in error) == (2, True)


def test_without_the_extra(here: Path) -> None:
    Path("config.json").write_text("{}")
    code = (
        "import sys; sys.modules['sigstore.models'] = None\n"
        "from pathlib import Path\nfrom kit.net.keyless import sign_keyless\n"
        "sign_keyless(b'{}', Path('config.json'), lambda name: '')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error[extra-missing]" in done.stderr
    assert "offline-kit[sigstore]" in done.stderr
