"""Encrypted key files in both directions: what cosign wrote we open, what we wrote it opens.

`.ci/run` builds two versions of cosign where Go is; one on the PATH is asked too.  No network.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.keys import (
    KINDS,
    Kind,
    PassphraseWrong,
    PrivateKey,
    load_private,
    load_public,
    new_key,
    public_pem,
    tuf_key,
)
from kit.roots.metadata import RootKey
from kit.signing import load_signer
from tests.support.rsakeys import rsa_key
from verifier.core.signature import P256, Key, parse_material

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse battery"


def run(
    cosign: Path, directory: Path, *arguments: str | Path, passphrase: str = PASSPHRASE
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cosign, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COSIGN_PASSWORD": passphrase, "HOME": str(directory)},
        timeout=120,
    )


def test_we_open_what_cosign_made_and_sign_for_a_root(cosign: Path, tmp_path: Path) -> None:
    """Its keys are P-256: what it made is put into a root and signs a kit's page."""
    done = run(cosign, tmp_path, "generate-key-pair")
    assert done.returncode == 0, done.stderr
    with pytest.raises(PassphraseWrong):
        load_private(tmp_path / "cosign.key", lambda name: PASSPHRASE + "!")
    named = tuf_key(load_public(tmp_path / "cosign.pub"))
    public = named.keyval["public"]
    assert public == (tmp_path / "cosign.pub").read_text()
    targets = {named.keyid: RootKey(named.keyid, "zoe", named.scheme, public)}
    signer = load_signer(f"zoe={tmp_path}/cosign.key", targets, secrets=lambda name: PASSPHRASE)
    key = Key(named.keyid, "zoe", P256, public, parse_material("ecdsa", P256, public))
    assert key.verify(b"pae", signer.sign(b"pae"), low_s=True)


OTHERS: dict[str, Callable[[], PrivateKey]] = {
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": rsa_key,
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.long) if kind != "Ed25519" else kind for kind in OTHERS],
)
def test_we_open_what_cosign_imported(cosign: Path, tmp_path: Path, kind: str) -> None:
    key = OTHERS[kind]()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "plain.pem").write_bytes(pem)
    done = run(cosign, tmp_path, "import-key-pair", "--key", "plain.pem")
    assert done.returncode == 0, done.stderr
    private = load_private(tmp_path / "import-cosign.key", lambda name: PASSPHRASE)
    assert public_pem(private.public_key()) == public_pem(key.public_key())


@pytest.mark.parametrize("kind", KINDS)
def test_cosign_opens_what_we_made(cosign: Path, tmp_path: Path, kind: Kind) -> None:
    made = new_key(kind, tmp_path, "alice", PASSPHRASE.encode())
    done = run(cosign, tmp_path, "public-key", "--key", made.private_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == made.public_path.read_text().strip()
    if kind == KINDS[0]:
        wrong = run(cosign, tmp_path, "public-key", "--key", made.private_path, passphrase="wrong")
        assert wrong.returncode != 0
