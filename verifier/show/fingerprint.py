"""Digests as people compare them: of a public key, and in groups for reading aloud."""

from __future__ import annotations

import base64
import hashlib

from verifier.core.signature import Key

_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what precedes the 32 bytes


def fingerprint(key: Key) -> str:
    """Return the SHA-256 of a public key as DER SubjectPublicKeyInfo.

    ``openssl pkey -pubin -in KEY -outform DER | sha256sum`` gives the same.  Of a key of a scheme
    that is not known, whose form may be any, it is the SHA-256 of the text in the root.
    """
    return hashlib.sha256(_spki(key.public)).hexdigest()


def _spki(public: str) -> bytes:
    try:
        if public.startswith("-----BEGIN PUBLIC KEY-----"):
            lines = public.strip().split("\n")
            return base64.b64decode("".join(lines[1:-1]), validate=True)
        raw = bytes.fromhex(public)
    except ValueError:
        raw = b""
    return _ED25519_SPKI + raw if len(raw) == 32 else public.encode("utf-8", "backslashreplace")


def groups(digits: str) -> str:
    """Return hexadecimal digits in groups of four: what is read aloud in one breath."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
