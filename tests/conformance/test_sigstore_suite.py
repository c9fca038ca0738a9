"""The public suite's cases are decided right by its own command line, each for the intended reason.

The cases lie beside the checkout and are other people's; without them the tests are "not run".
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import ARTIFACT, Wish, make_bundle, text
from tests.support.certificates import pem
from tests.support.making import REPOSITORY

CLIENT = REPOSITORY / "tests" / "conformance" / "sigstore-client"
SUITE = REPOSITORY.parent / "shared" / "corpora" / "sigstore" / "bundle-verify"
IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github"
    "/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"

# Why each case must be refused; a case that is not here must be accepted.
REASONS = {
    "bundle-empty-certificate-chain_fail": "evidence-malformed",
    "bundle-invalid-base64-signature_fail": "evidence-malformed",
    "bundle-negative-log-index_fail": "evidence-malformed",
    "bundle-with-root-cert_fail": "checkpoint-missing",  # its root certificate is no fault
    "checkpoint-bad-keyhint_fail": "checkpoint-invalid",
    "dsse-invalid-sig_fail": "bundle-signature-invalid",
    "dsse-mismatch-sig_fail": "log-entry-mismatch",
    "inclusion-proof-corrupted-hash_fail": "log-proof-invalid",
    "integrated-time-in-future_fail": "certificate-expired",
    "intoto-log-entry-mismatch_fail": "log-entry-mismatch",
    "intoto-set-outside-signing-cert-validity_fail": "certificate-expired",
    "invalid-ct-key_fail": "sct-untrusted",
    "message-digest-mismatch_fail": "subject-mismatch",
    "rekor2-checkpoint-missing-log-signature_fail": "checkpoint-invalid",
    "rekor2-checkpoint-missing-root-hash_fail": "checkpoint-malformed",
    "rekor2-dsse-mismatch-sig_fail": "log-entry-mismatch",
    "rekor2-no-inclusion-proof_fail": "log-proof-missing",
    "rekor2-timestamp-outside-trust-root-tsa-validity_fail": "timestamp-untrusted",
    "rekor2-timestamp-payload-mismatch_fail": "timestamp-invalid",
    "rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": "timestamp-untrusted",
    "signature-mismatch_fail": "bundle-signature-invalid",
    "wrong-hashedrekord-artifact_fail": "log-entry-mismatch",
    "wrong-hashedrekord-entry_fail": "log-entry-mismatch",
}


def cases() -> list[Path | None]:
    """Return every case, or nothing in place of one where there are none."""
    return [path.parent for path in sorted(SUITE.glob("*/bundle.sigstore.json"))] or [None]


def command(case: Path) -> list[str | Path]:
    """Return what the suite runs, but for the artifact."""

    def said(name: str, otherwise: str) -> str:
        path = case / name
        return path.read_text("utf-8").strip() if path.is_file() else otherwise

    words: list[str | Path] = [sys.executable, "-I", "-S", CLIENT, "verify-bundle", "--bundle"]
    words.append(case / "bundle.sigstore.json")
    if (case / "key.pub").is_file():
        words += ["--key", case / "key.pub"]
    else:
        words += ["--certificate-identity", said("identity", IDENTITY)]
        words += ["--certificate-oidc-issuer", said("issuer", ISSUER)]
    own = case / "trusted_root.json"
    return [*words, "--trusted-root", own if own.is_file() else SUITE.parent / "trusted_root.json"]


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.name if path else "")
def test_case(case: Path | None) -> None:
    decided(case, "file")


@pytest.mark.parametrize(
    "case",
    [
        path
        if path is None or path.name in {"happy-path-v0.3", "message-digest-mismatch_fail"}
        else pytest.param(path, marks=pytest.mark.long)
        for path in cases()
    ],
    ids=lambda path: path.name if path else "",
)
def test_case_by_digest(case: Path | None) -> None:
    decided(case, "digest")


def decided(case: Path | None, by: str) -> None:
    """Run the client on a case, and hold it to what the suite says and why."""
    if case is None:
        pytest.skip(f"not run: {SUITE} is not there")
    artifact: str | Path = case / "artifact"
    if not Path(artifact).is_file():
        artifact = SUITE / "a.txt"
    if by == "digest":
        artifact = f"sha256:{hashlib.sha256(Path(artifact).read_bytes()).hexdigest()}"
    done = subprocess.run(
        [*command(case), artifact], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.match(r"error\[([a-z0-9-]+)\]: ", done.stderr)
    reason = REASONS.get(case.name, "")
    assert (done.returncode, found[1] if found else "") == (4 if reason else 0, reason), done.stderr
    assert bool(reason) == case.name.endswith("_fail")


def test_client_takes_the_public_root_where_none_is_named(tmp_path: Path) -> None:
    if not (SUITE / "happy-path-v0.3").is_dir():
        pytest.skip(f"not run: {SUITE} is not there")
    words = command(SUITE / "happy-path-v0.3")[:-2]
    assert subprocess.run([*words, SUITE / "a.txt"], timeout=60, check=False).returncode == 0
    words.insert(5, "--staging")  # another root, if there is one at all
    done = subprocess.run([*words, SUITE / "a.txt"], capture_output=True, timeout=60, check=False)
    assert done.returncode in (3, 4)


BY_KEY = ["verify-bundle", "--bundle", "bundle.json", "--key", "key.pub"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["verify-bundle"],
        ["verify-bundle", "--bundle", "none", "none"],
        ["verify-bundle", "--bundle", "none", "--key", "none", "none"],
        ["verify-bundle", "--bundle", "none", "--certificate-identity", "a", "none"],
        # managed-key-and-client-identity_fail: both are given, and each alone would do
        [*BY_KEY, "--certificate-identity", "a", "--certificate-oidc-issuer", "b", "a.txt"],
        [*BY_KEY, "--certificate-identity", "a", "a.txt"],
    ],
)
def test_client_wants_to_be_asked_properly(words: list[str], tmp_path: Path) -> None:
    wish = Wish(by_key=True)
    (tmp_path / "bundle.json").write_bytes(text(make_bundle(wish)))
    (tmp_path / "key.pub").write_text(pem(wish.key))
    (tmp_path / "a.txt").write_bytes(ARTIFACT)
    done = subprocess.run(
        [sys.executable, "-I", "-S", CLIENT, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
