"""Operators of a site for tests: their keys, their root, and runs that end in evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from verifier.core.jsonstrict import olpc

OPERATOR = Ed25519PrivateKey.from_private_bytes(b"offline-kit operator, 32 bytes!!")
STRANGER = Ed25519PrivateKey.from_private_bytes(b"offline-kit stranger, 32 bytes!!")
_CHIEF = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def pem_of(private: Ed25519PrivateKey) -> bytes:
    """Return a private key as a file has it."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_of(private: Ed25519PrivateKey) -> str:
    """Return a public key as a root has it."""
    return private.public_key().public_bytes_raw().hex()


def operators_root(
    keys: Mapping[str, tuple[str, str]],
    threshold: int = 1,
    expires: str = "2036-11-24T00:00:00Z",
) -> bytes:
    """Return a root of operators, from name to scheme and public key; its chief signed it."""
    named = {f"{name}-key": (name, *key) for name, key in keys.items()}
    everyone = {**named, "chief-key": ("chief", "ed25519", public_of(_CHIEF))}
    role = {"keyids": ["chief-key"], "threshold": 1}
    signed: dict[str, Any] = {
        "_type": "root",
        "spec_version": "1.0",
        "version": 1,
        "expires": expires,
        "keys": {
            keyid: {
                "keytype": "ed25519",
                "scheme": scheme,
                "keyval": {"public": public},
                "x-offline-kit-signer": name,
            }
            for keyid, (name, scheme, public) in everyone.items()
        },
        "roles": {
            "root": role,
            "timestamp": role,
            "snapshot": role,
            "targets": {"keyids": sorted(named), "threshold": threshold},
        },
    }
    entry = {"keyid": "chief-key", "sig": _CHIEF.sign(olpc(signed)).hex()}
    return json.dumps({"signatures": [entry], "signed": signed}).encode()


def write_operators(trust: Path, host: Path) -> Path:
    """Put a root of operators into a trust directory; return the key file of one of them."""
    keys = {"olga": ("ed25519", public_of(OPERATOR))}
    (trust / "operators.json").write_bytes(operators_root(keys))
    for name, private in (("olga", OPERATOR), ("stranger", STRANGER)):
        path = host / f"{name}.pem"
        path.write_bytes(pem_of(private))
        path.chmod(0o600)
    return host / "olga.pem"
