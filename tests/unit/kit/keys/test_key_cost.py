"""An encrypted key that asks for more work than a host can bear is named, and not tried."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.keys import KeyUnsupported, load_private, new_key
from tests.support.making import KEYS
from verifier.crypto.der import OBJECT_IDENTIFIER, SEQUENCE, element, encode_number

OCTETS = 0x04
PBES2 = bytes.fromhex("2a864886f70d01050d")
PBKDF2 = bytes.fromhex("2a864886f70d01050c")
SCRYPT = bytes.fromhex("2b06010401da47040b")
PKCS12 = bytes.fromhex("2a864886f70d010c0103")


def file_of(name: bytes, parameters: bytes) -> bytes:
    """Return an EncryptedPrivateKeyInfo with some algorithm and nothing that could be opened."""
    algorithm = element(SEQUENCE, element(OBJECT_IDENTIFIER, name) + parameters)
    der = element(SEQUENCE, algorithm + element(OCTETS, bytes(64)))
    body = base64.encodebytes(der)
    return b"".join(
        [
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
            body,
            b"-----END ENCRYPTED PRIVATE KEY-----\n",
        ]
    )


def pbes2(name: bytes, *numbers: int) -> bytes:
    salt = element(OCTETS, bytes(8))
    derivation = element(SEQUENCE, salt + b"".join(map(encode_number, numbers)))
    kdf = element(SEQUENCE, element(OBJECT_IDENTIFIER, name) + derivation)
    return file_of(PBES2, element(SEQUENCE, kdf))


HUGE = {
    "rounds of PBKDF2": (pbes2(PBKDF2, 2**31), "2147483648 rounds"),
    "rounds beyond every number": (pbes2(PBKDF2, 2**400), "rounds of key derivation"),
    "memory of scrypt": (pbes2(SCRYPT, 2**30, 8, 1), "scrypt with N = 1073741824, r = 8, p = 1"),
    "scrypt in a row": (pbes2(SCRYPT, 2**14, 8, 2**20), "p = 1048576"),
    "rounds of PKCS#12": (
        file_of(PKCS12, element(SEQUENCE, element(OCTETS, bytes(8)) + encode_number(2**30))),
        "1073741824 rounds",
    ),
}


@pytest.mark.parametrize(("data", "says"), HUGE.values(), ids=HUGE.keys())
def test_a_key_that_would_take_an_hour_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "key.pem").write_bytes(data)
    with pytest.raises(KeyUnsupported, match=says):
        load_private(tmp_path / "key.pem", lambda _: "passphrase")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="not run: no openssl")
@pytest.mark.parametrize("how", [["-scrypt"], ["-iter", "600000"], ["-v1", "PBE-SHA1-3DES"]])
def test_what_openssl_writes_opens(tmp_path: Path, how: list[str]) -> None:
    made = tmp_path / "key.pem"
    command = ["openssl", "pkcs8", "-topk8", *how, "-in", str(KEYS / "alice.pem"), "-out"]
    subprocess.run([*command, str(made), "-passout", "pass:x"], check=True)
    assert load_private(made, lambda _: "x").public_key() == (
        load_private(KEYS / "alice.pem").public_key()
    )


def test_a_new_key_is_not_left_open_on_a_file_system_without_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT shows every file with the mode of its mount: 0755."""
    import os

    from kit.errors import ModesMissing

    make = os.open

    def as_on_fat(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        descriptor = make(path, flags, mode, **more)
        if flags & os.O_CREAT:
            os.fchmod(descriptor, 0o755)
        return descriptor

    monkeypatch.setattr(os, "open", as_on_fat)
    with pytest.raises(ModesMissing, match="others could read it"):
        new_key("ed25519", tmp_path, "k")
    assert list(tmp_path.iterdir()) == []
    assert new_key("ed25519", tmp_path, "k", b"closed by a passphrase").private_path.exists()
