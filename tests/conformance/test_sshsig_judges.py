"""Our SSH signatures against OpenSSH's: ``ssh-keygen -Y sign`` makes them, ``-Y verify`` judges."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kit.signing.files import maker
from kit.signing.ssh import sign_ssh
from tests.conftest import Judge
from tests.support.effort import A_FEW_BITS_OR_ALL
from tests.support.together import together
from verifier.core.signature import SSHSIG
from verifier.crypto import sshsig

MESSAGE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"offline-kit ssh judge, 32 bytes!")
PUBLIC = PRIVATE.public_key().public_bytes_raw()


@pytest.fixture(scope="module")
def ssh_keygen(judge: Judge) -> Path:
    return judge("ssh-keygen")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the private file of OpenSSH, with its public half and a list of allowed signers."""
    path = tmp_path_factory.mktemp("ssh") / "id_ed25519"
    path.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    line = PRIVATE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_name("id_ed25519.pub").write_bytes(line + b" carol@example\n")
    path.with_name("allowed").write_bytes(b'carol namespaces="offline-kit" ' + line + b"\n")
    return path


def judged(program: Path, key: Path, blob: bytes, message: bytes = MESSAGE) -> bool:
    """Return whether ssh-keygen accepts a signature by carol for our namespace."""
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    path = key.with_name("signature")
    path.write_text(
        "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])
    )
    command: list[str | Path] = [program, "-Y", "verify", "-n", "offline-kit", "-I", "carol"]
    command += ["-f", key.with_name("allowed"), "-s", path]
    return subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0


def test_signatures_of_ssh_keygen_are_accepted(ssh_keygen: Path, key: Path) -> None:
    blob = sign_ssh(key, MESSAGE)
    assert judged(ssh_keygen, key, blob)
    assert sshsig.verify(PUBLIC, MESSAGE, blob)
    assert not sshsig.verify(PUBLIC, MESSAGE + b" ", blob)
    assert blob == maker(PRIVATE, SSHSIG)(MESSAGE)  # what a PEM of the same key signs


@pytest.mark.parametrize("name", sshsig.HASHES)
def test_both_hashes_are_accepted(ssh_keygen: Path, key: Path, name: str) -> None:
    command: list[str | Path] = [ssh_keygen, "-q", "-Y", "sign", "-n", "offline-kit"]
    command += ["-O", f"hashalg={name}", "-f", key]
    done = subprocess.run(command, input=MESSAGE, capture_output=True, check=True)
    blob = base64.b64decode(b"".join(done.stdout.split(b"\n")[1:-2]))
    assert judged(ssh_keygen, key, blob)
    assert sshsig.verify(PUBLIC, MESSAGE, blob)


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def blob_of(
    *,
    magic: bytes = b"SSHSIG",
    version: int = 1,
    kind: bytes = b"ssh-ed25519",
    public: bytes = PUBLIC,
    namespace: bytes = b"offline-kit",
    reserved: bytes = b"",
    hash_name: bytes = b"sha512",
    signed_hash: bytes = b"sha512",
    made_by: bytes = b"ssh-ed25519",
    message: bytes = MESSAGE,
    more: bytes = b"",
    inside: bytes = b"",
) -> bytes:
    """Return a signature whose every part can be another, and which is right for what it says."""
    digest = hashlib.new(signed_hash.decode(), message).digest()
    parts = b"".join(map(string, (namespace, reserved, hash_name, digest)))
    signature = string(made_by) + string(PRIVATE.sign(b"SSHSIG" + parts)) + inside
    return (
        magic
        + version.to_bytes(4, "big")
        + string(string(kind) + string(public))
        + b"".join(map(string, (namespace, reserved, hash_name, signature)))
        + more
    )


OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
BAD = {
    "another magic": blob_of(magic=b"SSHSIg"),
    "version 2": blob_of(version=2),
    "another namespace": blob_of(namespace=b"file"),
    "no namespace": blob_of(namespace=b""),
    "another hash than it says": blob_of(signed_hash=b"sha256"),
    "sha256, and says sha512": blob_of(hash_name=b"sha256", signed_hash=b"sha512"),
    "sha1": blob_of(hash_name=b"sha1", signed_hash=b"sha1"),
    "sha384": blob_of(hash_name=b"sha384", signed_hash=b"sha384"),
    "another key": blob_of(public=OTHER),
    "another kind of key": blob_of(kind=b"ssh-rsa"),
    "another kind of signature": blob_of(made_by=b"ssh-rsa"),
    "another message": blob_of(message=MESSAGE + b" "),
    "bytes behind": blob_of(more=b"\0"),
    "bytes behind the signature": blob_of(inside=b"\0"),
    "cut": blob_of()[:-1],
    "nothing": b"",
    "only the signature": blob_of()[-64:],
    "armoured": base64.b64encode(blob_of()),
    "certificate": blob_of(kind=b"ssh-ed25519-cert-v01@openssh.com"),
    "security key": blob_of(kind=b"sk-ssh-ed25519@openssh.com"),
}
STRICTER = {  # what ssh-keygen lets pass, and one spelling does not
    "reserved bytes": blob_of(reserved=b"later"),
    "version 0": blob_of(version=0),
}


def test_the_maker_of_cases_makes_good_ones(ssh_keygen: Path, key: Path) -> None:
    for hash_name in (b"sha512", b"sha256"):
        good = blob_of(hash_name=hash_name, signed_hash=hash_name)
        assert judged(ssh_keygen, key, good)
        assert sshsig.verify(PUBLIC, MESSAGE, good)


@together("blob", BAD.values(), ids=BAD.keys())
def test_bad_signatures_are_refused_by_both(ssh_keygen: Path, key: Path, blob: bytes) -> None:
    assert not judged(ssh_keygen, key, blob)
    assert not sshsig.verify(PUBLIC, MESSAGE, blob)


@together("blob", STRICTER.values(), ids=STRICTER.keys())
def test_second_spellings_are_refused_on_purpose(blob: bytes) -> None:
    assert not sshsig.verify(PUBLIC, MESSAGE, blob)


@pytest.mark.parametrize("step", A_FEW_BITS_OR_ALL)
def test_every_flipped_bit_is_noticed(step: int) -> None:
    good = blob_of()
    for bit in range(0, 8 * len(good), step):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not sshsig.verify(PUBLIC, MESSAGE, bytes(flipped)), bit


def test_flipped_bytes_are_refused_by_both(ssh_keygen: Path, key: Path) -> None:
    good = blob_of()
    for at in range(0, len(good), 7):
        changed = good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]
        assert not judged(ssh_keygen, key, changed), at
