"""Signatures of ``ssh-keygen -Y sign`` by Ed25519 keys (OpenSSH's PROTOCOL.sshsig; FORMAT 4.5).

A page has the blob, which is what stands in base64 between the two lines of an armoured signature.
"""

from __future__ import annotations

import hashlib

from verifier.crypto import ed25519

NAMESPACE = "offline-kit"
HASHES = ("sha512", "sha256")  # what ssh-keygen makes by itself, and with -O hashalg=sha256
_MAGIC = b"SSHSIG"
_TYPE = b"ssh-ed25519"


def verify(public: bytes, message: bytes, blob: bytes) -> bool:
    """Return whether ``blob`` is a signature of ``public`` over ``message`` for `NAMESPACE`.

    Nothing in the blob is parsed: everything before the 64 bytes of the signature follows from the
    key and the hash, so it is written and compared, and no blob has a second spelling.  Whatever
    the bytes are, the answer is True or False.
    """
    for name in HASHES:
        if blob[:-64] == head(public, name):
            return ed25519.verify(public, to_be_signed(message, name), blob[-64:])
    return False


def head(public: bytes, hash_name: str) -> bytes:
    """Return everything of a blob but the 64 bytes at its end."""
    key = _string(_TYPE) + _string(public)
    return (
        _MAGIC
        + (1).to_bytes(4, "big")
        + _string(key)
        + _string(NAMESPACE.encode("ascii"))
        + _string(b"")  # reserved
        + _string(hash_name.encode("ascii"))
        + (4 + len(_TYPE) + 4 + 64).to_bytes(4, "big")
        + _string(_TYPE)
        + (64).to_bytes(4, "big")
    )


def to_be_signed(message: bytes, hash_name: str) -> bytes:
    """Return what the key signs in place of ``message``."""
    digest = hashlib.new(hash_name, message).digest()
    parts = (NAMESPACE.encode("ascii"), b"", hash_name.encode("ascii"), digest)
    return _MAGIC + b"".join(map(_string, parts))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
