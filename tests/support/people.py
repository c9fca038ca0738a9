"""Who signs in tests: the public test keys, with every way to sign badly."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from kit.keys import load_private, public_pem

KEYS = Path(__file__).resolve().parents[2] / "fixtures" / "keys"
ROOT_FILE = KEYS / "root.json"
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # order of P-256's group
L = 2**252 + 27742317777372353535851937790883648493  # order of Ed25519's group
SIGNER = "x-offline-kit-signer"
ROLES = ("root", "snapshot", "targets", "timestamp")


@dataclass(frozen=True)
class Person:
    """A test key and its owner.

    Attributes:
        keyid: What `root.json` calls the key; for the others a name of the same form.
    """

    name: str
    keyid: str
    private: Ed25519PrivateKey | EllipticCurvePrivateKey

    @property
    def key(self) -> dict[str, Any]:
        """The public key as a root names it (FORMAT 5.4)."""
        public = self.private.public_key()
        if isinstance(self.private, Ed25519PrivateKey):
            raw = self.private.public_key().public_bytes_raw()
            value = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": raw.hex()}}
        else:
            pem = {"public": public_pem(public)}
            value = {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": pem}
        return {**value, SIGNER: self.name}

    def sign(self, message: bytes) -> bytes:
        """Return the signature that a kit carries: deterministic, with the smaller ``s``."""
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(message)
        r, s = self.numbers(message)
        return encode_dss_signature(r, min(s, N - s))

    def numbers(self, message: bytes) -> tuple[int, int]:
        """Return ``r`` and ``s`` of an ECDSA signature, the same ones every time (RFC 6979)."""
        assert isinstance(self.private, EllipticCurvePrivateKey)
        algorithm = ECDSA(SHA256(), deterministic_signing=True)
        return decode_dss_signature(self.private.sign(message, algorithm))


@functools.cache
def person(name: str) -> Person:
    """Return alice, bob or carol, whom `root.json` names, or mallory or sums, whom it does not."""
    private = load_private(KEYS / f"{name}.pem")
    assert not isinstance(private, RSAPrivateKey)
    for keyid, key in signed_root()["keys"].items():
        if key[SIGNER] == name:
            return Person(name, keyid, private)
    return Person(name, (name.encode().hex() * 64)[:64], private)


@functools.cache
def _root_text() -> str:
    return ROOT_FILE.read_text("utf-8")


def signed_root() -> dict[str, Any]:
    """Return a copy of the ``signed`` part of the test root, to be changed and signed again."""
    value: dict[str, Any] = json.loads(_root_text())["signed"]
    return value


def olpc(value: Any) -> bytes:
    """Return OLPC canonical JSON of what has only printable ASCII and LF (FORMAT 5.2)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("\\n", "\n").encode()


def compact(value: Any) -> bytes:
    """Return compact JSON (FORMAT 3.1)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def sign_root(signed: dict[str, Any], names: Sequence[str] = ("alice", "bob")) -> bytes:
    """Return a root in compact JSON, signed by some of the test keys."""
    signatures = [
        {"keyid": who.keyid, "sig": who.sign(olpc(signed)).hex()} for who in map(person, names)
    ]
    return compact({"signatures": signatures, "signed": signed})


def chain(*roots: bytes) -> bytes:
    """Return ``kit.roots.json`` of roots in compact JSON (FORMAT 5.1)."""
    text = b"".join(root + b"\n" for root in roots)
    return text + b" " * (-len(text) % 512)


def root_line() -> bytes:
    """Return the test root as a kit carries it, without the LF."""
    return compact(json.loads(_root_text()))
