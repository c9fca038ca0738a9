"""The encrypted key files of cosign, read and written (sigstore's ``cosign.key``).

A PEM block holds base64 of JSON: scrypt makes a key of the passphrase (RFC 7914), and NaCl's
secretbox (XSalsa20 and Poly1305) closes the PKCS#8 with it.  cosign's own parser, the package
``encrypted`` of go-securesystemslib, knows three costs of scrypt and no others, and so do we: a
file cannot ask for more memory than 128 MiB.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from kit.keys.errors import KeyUnreadable
from kit.keys.reading import unsupported, wrong_passphrase

LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY"
LABELS = frozenset({LABEL, "ENCRYPTED COSIGN PRIVATE KEY"})  # the second until cosign 2.0
_COSTS = frozenset({1 << 15, 1 << 16, 1 << 17})  # N; each with r = 8 and p = 1
_COST = 1 << 16  # what cosign writes
_SALT, _NONCE, _TAG = 32, 24, 16  # bytes
_LINE = 64  # characters, RFC 7468 2


@dataclass(frozen=True)
class Box:
    """What such a file holds, before anybody tries to open it."""

    cost: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes


def parse(data: bytes, where: str) -> Box:
    """Return what is in a file with one of `LABELS`.

    Raises:
        KeyUnreadable: It is damaged.
        KeyUnsupported: It was closed in a way that cosign does not use.
    """
    lines = [line.strip() for line in data.split(b"\n")]
    begin = next(at for at, line in enumerate(lines) if b"-----BEGIN " in line)
    end = next((at for at, line in enumerate(lines) if line.startswith(b"-----END ")), begin)
    try:
        value = json.loads(base64.b64decode(b"".join(lines[begin + 1 : end]), validate=True))
        kdf, cipher = value["kdf"], value["cipher"]
        named = (kdf["name"], cipher["name"])
        costs = (kdf["params"]["N"], kdf["params"]["r"], kdf["params"]["p"])
        parts = [
            base64.b64decode(text, validate=True)
            for text in (kdf["salt"], cipher["nonce"], value["ciphertext"])
        ]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise KeyUnreadable("the PEM block is damaged", where=where) from None
    if named != ("scrypt", "nacl/secretbox") or not _is_known(costs):
        what = "an encrypted key with another cipher, or another cost, than cosign's"
        raise unsupported(what, "encrypt it again with cosign or `offline-kit key new`", where)
    if len(parts[0]) != _SALT or len(parts[1]) != _NONCE or len(parts[2]) <= _TAG:
        raise KeyUnreadable("the PEM block is damaged", where=where)
    return Box(costs[0], *parts)


def _is_known(costs: tuple[Any, ...]) -> bool:
    whole = all(type(number) is int for number in costs)  # not True, not 65536.0
    return whole and costs[0] in _COSTS and costs[1:] == (8, 1)


def decrypt(box: Box, passphrase: bytes, where: str) -> bytes:
    """Return the DER of PKCS#8 in a box.

    Raises:
        PassphraseWrong: It does not open.
    """
    try:
        opened = _box(passphrase, box.salt, box.cost).decrypt(box.ciphertext, box.nonce)
    except CryptoError:
        raise wrong_passphrase(passphrase, where) from None
    return bytes(opened)


def encrypt(pkcs8: bytes, passphrase: bytes) -> bytes:
    """Return the file that closes a private key as cosign does; another one every time."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    ciphertext = _box(passphrase, salt, _COST).encrypt(pkcs8, nonce).ciphertext
    value = {
        "kdf": {"name": "scrypt", "params": {"N": _COST, "r": 8, "p": 1}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(ciphertext),
    }
    body = _text(json.dumps(value, separators=(",", ":")).encode("ascii"))
    lines = [body[at : at + _LINE] for at in range(0, len(body), _LINE)]
    return "\n".join([f"-----BEGIN {LABEL}-----", *lines, f"-----END {LABEL}-----", ""]).encode()


def _box(passphrase: bytes, salt: bytes, cost: int) -> Any:
    return SecretBox(
        Scrypt(salt=salt, length=SecretBox.KEY_SIZE, n=cost, r=8, p=1).derive(passphrase)
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
