"""Public keys from files, and the entry that each becomes in a root."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # no __all__ there

from kit.errors import show
from kit.keys.errors import KeyUnreadable
from kit.keys.kinds import PublicKey, describe, schemes_of, tuf_key
from kit.keys.reading import MAKE, label, parse, read, unsupported
from verifier.core.signature import KEYTYPES, SSHSIG, SSHSIG_SK
from verifier.crypto.sshsig import APPLICATION

_HALF = ("a private key", "give its public half, the .pub file")
_PRIVATE = (
    *("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    *("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY", "OPENSSH PRIVATE KEY"),
)
_SSH = b"ssh-ed25519 "
_SK = b"sk-"
_SK_SSH = b"sk-ssh-ed25519@openssh.com"


def load_public(path: Path) -> PublicKey:
    """Read a public key that a root may name: PEM of a SubjectPublicKeyInfo, or ``ssh-ed25519``.

    Raises:
        KeyUnreadable: There is no file, or it is no key.
        KeyUnsupported: It is a key that does not serve; the message says which.
    """
    return _load(path)[0]


def load_root_key(argument: Path) -> SSlibKey:
    """Return the entry of a root for a public key: a path, or ``SCHEME:PATH``.

    Raises:
        KitError: The file does not serve; see `load_with_scheme`.
    """
    return tuf_key(*load_with_scheme(argument))


def load_with_scheme(argument: Path) -> tuple[PublicKey, str]:
    """Return a public key and the scheme it is to sign with: a path, or ``SCHEME:PATH``.

    Without a scheme Ed25519 signs as such, an OpenSSH key through ssh-keygen, and RSA with PSS.

    Raises:
        KeyUnreadable: There is no file, or it is no key.
        KeyUnsupported: It is a key that does not serve, or does not go with the scheme.
    """
    scheme, _, rest = str(argument).partition(":")
    if scheme not in KEYTYPES:
        return _load(argument)
    public, own = _load(Path(rest))
    serves = (own,) if own == SSHSIG_SK else schemes_of(public)
    if scheme not in serves:
        raise unsupported(
            f"{describe(public)}, which does not sign with {scheme}",
            f"give {' or '.join(serves)}",
            f"key {show(rest)}",
        )
    return public, scheme


def _load(path: Path) -> tuple[PublicKey, str]:
    """Return a key and the scheme that its file suggests."""
    data, where = read(path)
    if data.startswith(_SK_SSH + b" "):
        return _load_sk(data, where), SSHSIG_SK
    if data.startswith(_SK):
        what = "a security key of OpenSSH that is none of Ed25519"
        raise unsupported(what, "make one with `ssh-keygen -t ed25519-sk`", where)
    if data.startswith(_SSH):
        return _load_ssh(data, where), SSHSIG
    label(data, where, wanted=frozenset({"PUBLIC KEY"}), halves=dict.fromkeys(_PRIVATE, _HALF))
    key = parse(lambda _: load_pem_public_key(data), where, None)
    if isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey):
        schemes = schemes_of(key)
        if schemes:
            return key, schemes[0]
    raise unsupported(describe(key), MAKE, where)


def _load_ssh(data: bytes, where: str) -> Ed25519PublicKey:
    lines = data.strip().split(b"\n")
    try:
        key = load_ssh_public_key(lines[0])
    except ValueError:
        raise KeyUnreadable("the line of the SSH key is damaged", where=where) from None
    if len(lines) != 1 or not isinstance(key, Ed25519PublicKey):
        raise KeyUnreadable("is not one line with one SSH key", where=where)
    return key


def _load_sk(data: bytes, where: str) -> Ed25519PublicKey:
    """Return the key of a line of a security key, whose application is the usual one."""
    words = data.strip().split(b"\n")[0].split(b" ")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (ValueError, IndexError):
        blob = b""
    begin = _string(_SK_SSH) + (32).to_bytes(4, "big")
    key, behind = blob[len(begin) : len(begin) + 32], blob[len(begin) + 32 :]
    if not blob.startswith(begin) or len(key) != 32 or data.strip().count(b"\n"):
        raise KeyUnreadable("is not one line with one SSH key", where=where)
    if behind != _string(APPLICATION):
        what = f"a security key that was not made for the application {APPLICATION.decode()!r}"
        raise unsupported(what, "make one with `ssh-keygen -t ed25519-sk`", where)
    return Ed25519PublicKey.from_public_bytes(key)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
