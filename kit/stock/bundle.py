"""Sigstore bundles of signatures that exist already (bundle format v0.3, with a plain key).

A bundle here holds no certificate and no entry of a log: the public key is the checker's own, and
`hint` only says which of them to take.  So nothing of it needs a network.
"""

from __future__ import annotations

import base64
import hashlib

from kit.stock.keys import hint_of
from verifier.core.envelope import PAYLOAD_TYPE
from verifier.core.jsonstrict import compact

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
TRUSTED_ROOT = b'{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}\n'
"""A root that trusts no authority: with it cosign asks for none, and makes no network call."""


def message_bundle(key: str, data: bytes, signature: bytes) -> bytes:
    """Return the bundle of a signature over ``data``; ``key`` as `kit.stock.keys` has it."""
    digest = {"algorithm": "SHA2_256", "digest": _base64(hashlib.sha256(data).digest())}
    return _bundle(
        key, "messageSignature", {"messageDigest": digest, "signature": _base64(signature)}
    )


def dsse_bundle(key: str, payload: bytes, signature: bytes) -> bytes:
    """Return the bundle of one signature of a DSSE envelope.

    It has no `keyid`: cosign refuses one that is not its own name of the key, and any second
    signature.
    """
    envelope = {
        "payload": _base64(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": _base64(signature)}],
    }
    return _bundle(key, "dsseEnvelope", envelope)


def _bundle(key: str, kind: str, content: object) -> bytes:
    material = {"publicKey": {"hint": hint_of(key)}}
    value = {"mediaType": BUNDLE_TYPE, "verificationMaterial": material, kind: content}
    return compact(value) + b"\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
