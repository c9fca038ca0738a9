"""The public suite's cases are decided right by its own command line, each for the intended reason.

The cases lie beside the checkout and are other people's; without them the tests are "not run".
"""

from __future__ import annotations

import hashlib
import itertools
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import ARTIFACT, Wish, make_bundle, text
from tests.support.certificates import pem
from tests.support.making import REPOSITORY
from tests.support.together import together

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


def artifact_of(case: Path, by: str) -> str:
    """Return what the client is given: the file, or its digest."""
    artifact = case / "artifact"
    if not artifact.is_file():
        artifact = SUITE / "a.txt"
    if by == "file":
        return str(artifact)
    return f"sha256:{hashlib.sha256(artifact.read_bytes()).hexdigest()}"


def decided(case: Path, status: object, said: str) -> None:
    """Hold what the client said to what the suite says, and why."""
    found = re.match(r"error\[([a-z0-9-]+)\]: ", said)
    reason = REASONS.get(case.name, "")
    assert (status, found[1] if found else "") == (4 if reason else 0, reason), said
    assert bool(reason) == case.name.endswith("_fail")


def here(words: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the client in this process; return its exit status."""
    for name, value in (
        ("argv", [str(CLIENT), *words]),
        ("path", [*sys.path]),
        ("dont_write_bytecode", False),
    ):
        monkeypatch.setattr(sys, name, value)  # the client changes the last two
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CLIENT), run_name="__main__")
    return ended.value.code


@together("by,case", itertools.product(("file", "digest"), cases()))
def test_case(
    by: str,
    case: Path | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run in this process; two are programs, below."""
    if case is None:
        pytest.skip(f"not run: {SUITE} is not there")
    status = here([*map(str, command(case)[4:]), artifact_of(case, by)], monkeypatch)
    decided(case, status, capsys.readouterr().err)


@pytest.mark.parametrize("name", ["happy-path-v0.3", "message-digest-mismatch_fail"])
@pytest.mark.parametrize("by", ["file", "digest"])
def test_case_as_the_suite_runs_it(name: str, by: str) -> None:
    case = SUITE / name
    if not case.is_dir():
        pytest.skip(f"not run: {SUITE} is not there")
    done = subprocess.run(
        [*command(case), artifact_of(case, by)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    decided(case, done.returncode, done.stderr)


def test_client_takes_the_public_root_where_none_is_named(tmp_path: Path) -> None:
    if not (SUITE / "happy-path-v0.3").is_dir():
        pytest.skip(f"not run: {SUITE} is not there")
    words = command(SUITE / "happy-path-v0.3")[:-2]
    assert subprocess.run([*words, SUITE / "a.txt"], timeout=60, check=False).returncode == 0
    words.insert(5, "--staging")  # another root, if there is one at all
    done = subprocess.run([*words, SUITE / "a.txt"], capture_output=True, timeout=60, check=False)
    assert done.returncode in (3, 4)


BY_KEY = ["verify-bundle", "--bundle", "bundle.json", "--key", "key.pub"]


@together(
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
def test_client_wants_to_be_asked_properly(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wish = Wish(by_key=True)
    (tmp_path / "bundle.json").write_bytes(text(make_bundle(wish)))
    (tmp_path / "key.pub").write_text(pem(wish.key))
    (tmp_path / "a.txt").write_bytes(ARTIFACT)
    monkeypatch.chdir(tmp_path)
    assert here(words, monkeypatch) == 2
    assert "usage: " in capsys.readouterr().err
