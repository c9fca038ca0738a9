"""New key pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.container.newfiles import create_files
from kit.keys import cosign
from kit.keys.errors import KeyNameInvalid
from kit.keys.kinds import PrivateKey, public_pem, tuf_key

Kind = Literal["ed25519", "ecdsa-p256"]
KINDS: Final[tuple[Kind, ...]] = ("ed25519", "ecdsa-p256")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class NewKey:
    """A key pair that `new_key` has written; the private half is only in its file."""

    private_path: Path
    public_path: Path
    keyid: str
    scheme: str


def new_key(kind: Kind, directory: Path, name: str, passphrase: bytes | None = None) -> NewKey:
    """Make a key pair and write it as ``NAME.pem`` (0600) and ``NAME.pub`` in ``directory``.

    With a passphrase the private half is ``NAME.key``, in the form of a cosign.key: scrypt makes a
    guess cost 64 MiB, where the PKCS#8 that our library encrypts makes it 2,048 hashes.

    The public half appears first: whatever interrupts the run, there is no private key without it.

    Raises:
        ValueError: ``kind`` is not one of `KINDS`, or the passphrase is empty.
        KeyNameInvalid: ``name`` makes no portable file name.
        ModesMissing: The file system keeps no modes, and the key would be there for everybody.
        FileExists: One of the files, or what an interrupted run left of them, is there.
        FileUnwritable: The directory is not there, or the host refused to write in it.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, got {kind!r}")
    if passphrase == b"":
        raise ValueError("an empty passphrase protects nothing")
    if not _NAME.fullmatch(name):
        raise KeyNameInvalid("makes no file name that every host can write", where=f"name {name!r}")
    private: PrivateKey
    if kind == "ed25519":
        private = Ed25519PrivateKey.generate()
    else:
        private = generate_private_key(SECP256R1())
    public = private.public_key()
    if passphrase is None:
        path = directory / f"{name}.pem"
        secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    else:
        path = directory / f"{name}.key"
        plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        secret = cosign.encrypt(plain, passphrase)
    pub = directory / f"{name}.pub"
    made = [(pub, public_pem(public).encode("ascii"), 0o644), (path, secret, 0o600)]
    create_files(made, closed=passphrase is None)
    key = tuf_key(public)
    return NewKey(path, pub, key.keyid, key.scheme)
