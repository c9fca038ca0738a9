"""Signatures of ``ssh-keygen -Y sign`` by Ed25519 keys (OpenSSH's PROTOCOL.sshsig; FORMAT 4.5).

The key is a file, or it is in hardware (PROTOCOL.u2f), which signs a counter and whether somebody
touched it too.  A page has the blob, which is what stands in base64 between the two lines of an
armoured signature.
"""

from __future__ import annotations

import hashlib

from verifier.crypto import ed25519

NAMESPACE = "offline-kit"
HASHES = ("sha512", "sha256")  # what ssh-keygen makes by itself, and with -O hashalg=sha256
_MAGIC = b"SSHSIG"
_TYPE = b"ssh-ed25519"
_SK_TYPE = b"sk-ssh-ed25519@openssh.com"
APPLICATION = b"ssh:"  # what ssh-keygen gives a key in hardware unless told otherwise
_TOUCHED = (b"\x01", b"\x05")  # flags: somebody was there, and perhaps proved by a PIN who
_SK_TAIL = 64 + 1 + 4  # bytes of signature, flags and counter


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


def verify_sk(public: bytes, message: bytes, blob: bytes) -> bool:
    """Return whether ``blob`` is a signature of a key in hardware, made with a touch.

    Flags and counter stand behind the signature and are signed by it; everything before it is
    written and compared, as in `verify`.  The counter proves nothing here: nobody remembers it.
    """
    at = len(blob) - _SK_TAIL
    signature, flags, counter = blob[at : at + 64], blob[at + 64 : at + 65], blob[at + 65 :]
    if at < 0 or flags not in _TOUCHED:
        return False
    for name in HASHES:
        if blob[:at] == sk_head(public, name):
            signed = sk_to_be_signed(to_be_signed(message, name), flags, counter)
            return ed25519.verify(public, signed, signature)
    return False


def head(public: bytes, hash_name: str) -> bytes:
    """Return everything of a blob but the 64 bytes at its end."""
    return _head(_TYPE, _string(_TYPE) + _string(public), hash_name, 64)


def sk_head(public: bytes, hash_name: str) -> bytes:
    """Return everything of a blob of a key in hardware but signature, flags and counter."""
    key = _string(_SK_TYPE) + _string(public) + _string(APPLICATION)
    return _head(_SK_TYPE, key, hash_name, _SK_TAIL)


def _head(kind: bytes, key: bytes, hash_name: str, tail: int) -> bytes:
    return (
        _MAGIC
        + (1).to_bytes(4, "big")
        + _string(key)
        + _string(NAMESPACE.encode("ascii"))
        + _string(b"")  # reserved
        + _string(hash_name.encode("ascii"))
        + (4 + len(kind) + 4 + tail).to_bytes(4, "big")
        + _string(kind)
        + (64).to_bytes(4, "big")
    )


def sk_to_be_signed(message: bytes, flags: bytes, counter: bytes) -> bytes:
    """Return what a key in hardware signs in place of a message (PROTOCOL.u2f)."""
    application = hashlib.sha256(APPLICATION).digest()
    return application + flags + counter + hashlib.sha256(message).digest()


def to_be_signed(message: bytes, hash_name: str) -> bytes:
    """Return what the key signs in place of ``message``."""
    digest = hashlib.new(hash_name, message).digest()
    parts = (NAMESPACE.encode("ascii"), b"", hash_name.encode("ascii"), digest)
    return _MAGIC + b"".join(map(_string, parts))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
