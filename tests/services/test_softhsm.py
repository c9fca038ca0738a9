"""A kit signed by a PKCS#11 token: SoftHSM, with keys that never leave it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.keys import load_public, spki_sha256
from tests.conftest import Judge
from tests.support.making import REPOSITORY, make_sources

pytestmark = pytest.mark.slow

PIN = "47110815"
IMPORT = """
import sys
from pathlib import Path
from securesystemslib.signer import HSMSigner
_, key = HSMSigner.import_(int(sys.argv[1]), "kits", lambda name: sys.argv[2])
Path(sys.argv[3]).write_text(key.keyval["public"])
"""
MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)


@dataclass(frozen=True)
class Token:
    """A token in a temporary directory."""

    directory: Path
    environment: dict[str, str]

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program that sees the token and no terminal."""
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**self.environment, **more},
            timeout=120,
        )

    def kit(self, *arguments: str | Path, pin: str = PIN) -> subprocess.CompletedProcess[str]:
        """Run offline-kit with the PIN in a variable."""
        command = [sys.executable, "-m", "kit.cli", "--passphrase-env", "TOKEN_PIN"]
        return self.run(*command, *arguments, TOKEN_PIN=pin)


@pytest.fixture(scope="module")
def token(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Token:
    """Return a token with a P-256 key (id 02) and a P-384 key (id 03), and their public files."""
    softhsm, pkcs11, openssl = judge("softhsm2-util"), judge("pkcs11-tool"), judge("openssl")
    pytest.importorskip("pkcs11", reason="not run: python-pkcs11 is not installed")
    module = next((path for path in MODULES if os.path.exists(path)), "")
    assert module, "softhsm2-util is there, and its library is in none of the known places"
    directory = tmp_path_factory.mktemp("token")
    (directory / "tokens").mkdir()
    config = directory / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {directory}/tokens\nobjectstore.backend = file\n")
    environment = {
        **os.environ,
        "SOFTHSM2_CONF": str(config),
        "PYKCS11LIB": module,
        "PYTHONPATH": str(REPOSITORY),
    }
    made = Token(directory, environment)
    steps: list[list[str | Path]] = [
        [softhsm, "--init-token", "--free", "--label", "kits", "--so-pin", PIN, "--pin", PIN]
    ]
    on: list[str | Path] = [
        pkcs11,
        "--module",
        module,
        "--token-label",
        "kits",
        "--login",
        "--pin",
        PIN,
    ]
    for number, curve in (("02", "secp256r1"), ("03", "secp384r1")):
        steps.append([*on, "--keypairgen", "--key-type", f"EC:{curve}", "--id", number])
    der, pem = directory / "02.der", directory / "02.pub"
    steps.append([*on, "--read-object", "--type", "pubkey", "--id", "02", "-o", der])
    steps.append([openssl, "pkey", "-pubin", "-inform", "DER", "-in", der, "-out", pem])
    # pkcs11-tool 0.23 cannot read P-384
    steps.append([sys.executable, "-c", IMPORT, "3", PIN, str(directory / "03.pub")])
    for step in steps:
        done = made.run(*step)
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    return made


@pytest.mark.parametrize(("number", "scheme"), [("02", "nistp256"), ("03", "nistp384")])
def test_a_token_signs_root_and_kit_end_to_end(
    token: Token, tmp_path: Path, number: str, scheme: str
) -> None:
    uri = f"hana=hsm:{int(number)}?label=kits"
    public = token.directory / f"{number}.pub"
    shown = token.kit("key", "show", public)
    assert f"ecdsa-sha2-{scheme}" in shown.stdout
    assert spki_sha256(load_public(public))[:4] in shown.stdout

    root = tmp_path / "root.json"
    done = token.kit(
        "root", "init", "--signer", f"hana={public}", "--threshold", "1", "--key", uri,
        "--expires", "2040-01-01", "--out", root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    make_sources(tmp_path / "release")
    spec = tmp_path / "release" / "kit.toml"
    out = tmp_path / "out" / "demo-1.0"
    done = token.kit("build", spec, "--root", root, "--out", out.parent, "--key", uri)
    assert done.returncode == 0, done.stderr
    kit = next(out.glob("*.tar.zst"))
    verified = token.run(sys.executable, "-I", out / "kit-verify.pyz", kit, "--root", root)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "hana" in verified.stdout


def refuse(token: Token, tmp_path: Path, uri: str, pin: str = PIN) -> str:
    """Try to sign a root with a token's key in a way that must fail; return what was said."""
    public = token.directory / "02.pub"
    done = token.kit(
        "root", "init", "--signer", f"hana={public}", "--threshold", "1", "--key", uri,
        "--expires", "2040-01-01", "--out", tmp_path / "root.json", pin=pin,
    )  # fmt: skip
    assert done.returncode in (2, 3)
    assert not (tmp_path / "root.json").exists()
    assert pin not in done.stdout + done.stderr
    return done.stderr


def test_a_wrong_pin_is_refused_and_not_shown(token: Token, tmp_path: Path) -> None:
    said = refuse(token, tmp_path, "hana=hsm:2?label=kits", pin="00000000")
    assert "error[signer-unavailable]" in said


def test_a_token_that_is_not_there_is_named(token: Token, tmp_path: Path) -> None:
    assert "No PKCS#11 token found" in refuse(token, tmp_path, "hana=hsm:2?label=other")


def test_a_key_that_is_not_on_the_token_is_named(token: Token, tmp_path: Path) -> None:
    said = refuse(token, tmp_path, "hana=hsm:9?label=kits")
    assert "could not find ECDSA private key" in said


def test_another_key_of_the_token_signs_nothing(token: Token, tmp_path: Path) -> None:
    said = refuse(token, tmp_path, "hana=hsm:3?label=kits")
    assert "error[signature-self-check]" in said or "error[signer-unavailable]" in said
