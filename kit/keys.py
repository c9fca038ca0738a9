"""Key files: made, read, and named for what they are when they are not what is needed.

Kits are signed with Ed25519 or ECDSA P-256 (FORMAT 4.5).  A private key is a PEM file of PKCS#8
(RFC 5958), a public key one of SubjectPublicKeyInfo (RFC 5280 4.1); openssl reads both.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # no __all__ there

from kit.errors import show
from verifier.core.errors import Undecided, Usage

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
Kind = Literal["ed25519", "ecdsa-p256"]

KINDS: Final[tuple[Kind, ...]] = ("ed25519", "ecdsa-p256")
ED25519_SCHEME: Final = "ed25519"  # schemes as TUF roots name them (FORMAT 5.4)
P256_SCHEME: Final = "ecdsa-sha2-nistp256"

MAX_KEY_FILE = 64 * 1024  # bytes; a key of any kind is far smaller
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BEGIN = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?-----BEGIN ([A-Z0-9 ]+)-----")  # a BOM: Windows
_CURVES = {"secp384r1": "P-384", "secp521r1": "P-521"}  # NIST's names; the rest keep theirs

_INTERRUPTED = "is being written by another run, or was left by one that was interrupted"
_MAKE = "make a key with `offline-kit key new`"
_FOREIGN = {  # label of the PEM block: what it is, and the way out
    "ENCRYPTED PRIVATE KEY": (
        "an encrypted private key",
        "write an unencrypted copy with `openssl pkey -in FILE -out COPY`",
    ),
    "ENCRYPTED SIGSTORE PRIVATE KEY": ("an encrypted cosign key", _MAKE),
    "ENCRYPTED COSIGN PRIVATE KEY": ("an encrypted cosign key", _MAKE),
    "OPENSSH PRIVATE KEY": ("a private key in OpenSSH's own format", _MAKE),
    "RSA PRIVATE KEY": ("an RSA private key", _MAKE),
    "DSA PRIVATE KEY": ("a DSA private key", _MAKE),
    "PGP PRIVATE KEY BLOCK": ("an OpenPGP private key", _MAKE),
    "CERTIFICATE": (
        "a certificate",
        "take its public key with `openssl x509 -in FILE -noout -pubkey`",
    ),
    "RSA PUBLIC KEY": ("an RSA public key", _MAKE),
    "PGP PUBLIC KEY BLOCK": ("an OpenPGP public key", _MAKE),
    "SSH2 PUBLIC KEY": ("a public key in the format of RFC 4716", _MAKE),
}


class KeyUnreadable(Usage):
    """A key file is missing, cannot be read, or holds nothing that is a key.

    The file named is not there, is a directory, may not be read by this user, is empty or damaged.
    """

    code = "key-unreadable"
    fix = "Check the path and the file; a key file begins with `-----BEGIN` and is PEM text."


class KeyUnsupported(Usage):
    """The file holds a key, but not one that this command can use.

    Kits are signed with Ed25519 or ECDSA P-256, from private keys in unencrypted PKCS#8 PEM, and
    roots are made of public keys in SubjectPublicKeyInfo PEM.  The message says what the file is.
    """

    code = "key-unsupported"
    fix = "Give an Ed25519 or ECDSA P-256 key; `offline-kit key new` makes both halves."


class KeyNameInvalid(Usage):
    """The name asked for a new key cannot be the name of its two files."""

    code = "key-name-invalid"
    fix = "Use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit."


class FileExists(Usage):
    """A file that would be written is there already; nothing was changed.

    Keys and roots are never overwritten: nobody can make a lost one again.
    """

    code = "file-exists"
    fix = "Choose another name or directory, or move the file named away first."


class FileUnwritable(Undecided):
    """The host refused to write a file; nothing is left behind."""

    code = "file-unwritable"
    fix = "Check the directory, its permissions and the space left, then run again."


@dataclass(frozen=True)
class NewKey:
    """A key pair that `new_key` has written; the private half is only in its file."""

    private_path: Path
    public_path: Path
    keyid: str
    scheme: str


def new_key(kind: Kind, directory: Path, name: str) -> NewKey:
    """Make a key pair and write it as ``NAME.pem`` (0600) and ``NAME.pub`` in ``directory``.

    The public half appears first: whatever interrupts the run, there is no private key without it.

    Raises:
        ValueError: ``kind`` is not one of `KINDS`.
        KeyNameInvalid: ``name`` makes no portable file name.
        FileExists: One of the files, or what an interrupted run left of them, is there.
        FileUnwritable: The directory is not there, or the host refused to write in it.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, got {kind!r}")
    if not _NAME.fullmatch(name):
        raise KeyNameInvalid("makes no file name that every host can write", where=f"name {name!r}")
    private: PrivateKey
    if kind == "ed25519":
        private = Ed25519PrivateKey.generate()
    else:
        private = generate_private_key(SECP256R1())
    public = private.public_key()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem, pub = directory / f"{name}.pem", directory / f"{name}.pub"
    create_files([(pub, public_pem(public).encode("ascii"), 0o644), (pem, secret, 0o600)])
    key = tuf_key(public)
    return NewKey(pem, pub, key.keyid, key.scheme)


def load_private(path: Path) -> PrivateKey:
    """Read an Ed25519 or ECDSA P-256 private key: unencrypted PEM, PKCS#8 or SEC 1.

    Raises:
        KeyUnreadable: There is no file, or it is no key.
        KeyUnsupported: It is a key that does not serve; the message says which.
    """
    data, where = _read(path)
    _check_label(
        data,
        where,
        wanted={"PRIVATE KEY", "EC PRIVATE KEY"},
        halves={"PUBLIC KEY": ("a public key", "give its private half, the .pem file")},
    )
    key = _load(lambda: load_pem_private_key(data, None), where)
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise _unsupported(_describe(key), _MAKE, where)


def load_public(path: Path) -> PublicKey:
    """Read an Ed25519 or ECDSA P-256 public key: PEM of a SubjectPublicKeyInfo.

    Raises:
        KeyUnreadable: There is no file, or it is no key.
        KeyUnsupported: It is a key that does not serve; the message says which.
    """
    data, where = _read(path)
    half = ("a private key", "give its public half, the .pub file")
    private = ("PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
    _check_label(data, where, wanted={"PUBLIC KEY"}, halves=dict.fromkeys(private, half))
    key = _load(lambda: load_pem_public_key(data), where)
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise _unsupported(_describe(key), _MAKE, where)


def public_pem(public: PublicKey) -> str:
    """Return ``public`` as PEM of a SubjectPublicKeyInfo, the point uncompressed, a final LF."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def tuf_key(public: PublicKey) -> SSlibKey:
    """Return ``public`` as TUF metadata holds it; securesystemslib computes the key id."""
    return SSlibKey.from_crypto(public)


def create_files(files: Sequence[tuple[Path, bytes, int]]) -> None:
    """Write new files (path, bytes, mode), all or none, in one directory and in the order given.

    Each is complete and on the disk before it has its name, and nothing is ever overwritten.  The
    temporary names are fixed, so that two runs exclude each other and what a killed run left (it
    may be a private key) is found by the next one instead of lying about unseen.

    Raises:
        FileExists: One of the paths, or of the temporary ones, is there.
        FileUnwritable: The host refused something; what had been written is gone again.
    """
    where = f"file {show(files[0][0])}"
    try:
        with contextlib.ExitStack() as parts, contextlib.ExitStack() as undo:
            for path, _, _ in files:
                _refuse_existing(_part(path), _INTERRUPTED)
            for path, _, _ in files:
                _refuse_existing(path, "is there already")
            for path, data, mode in files:
                where = f"file {show(path)}"
                _write_part(_part(path), data, mode, parts)
            for path, _, _ in files:
                where = f"file {show(path)}"
                _publish(_part(path), path)
                undo.callback(path.unlink, missing_ok=True)
            _sync_directory(files[0][0].parent)
            undo.pop_all()
    except OSError as error:
        raise FileUnwritable(error.strerror or type(error).__name__, where=where) from error


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _refuse_existing(path: Path, why: str) -> None:
    if os.path.lexists(path):
        raise FileExists(why, where=f"file {show(path)}")


def _write_part(part: Path, data: bytes, mode: int, undo: contextlib.ExitStack) -> None:
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise FileExists(_INTERRUPTED, where=f"file {show(part)}") from None
    undo.callback(part.unlink, missing_ok=True)
    with open(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def _publish(part: Path, path: Path) -> None:
    """Give a finished file its name; a link, unlike a rename, never replaces what has the name."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise FileExists("is there already", where=f"file {show(path)}") from None
    except OSError:  # FAT has no links; the .part file still keeps a second run of ours away
        _refuse_existing(path, "is there already")
        part.rename(path)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[bytes, str]:
    where = f"key {show(path)}"
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise KeyUnreadable(error.strerror or type(error).__name__, where=where) from error
    except ValueError:  # a NUL in the path
        raise KeyUnreadable("is not a path", where=where) from None
    if not data:
        raise KeyUnreadable("the file is empty", where=where)
    if len(data) > MAX_KEY_FILE:
        raise KeyUnreadable(f"the file has more than {MAX_KEY_FILE} bytes", where=where)
    return data, where


def _check_label(
    data: bytes, where: str, *, wanted: set[str], halves: dict[str, tuple[str, str]]
) -> None:
    """Refuse by its label what is not wanted, before anybody's parser gives a vaguer reason."""
    if data.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-")):
        raise _unsupported("a public key in OpenSSH's own format", _MAKE, where)
    labels = [found.decode("ascii") for found in _BEGIN.findall(data)]
    if not labels and data[:1] == b"\x30":
        way = "write it as PEM with `openssl pkey -inform DER -in FILE` (-pubin for a public key)"
        raise _unsupported("DER, or something else that is not text", way, where)
    if not labels:
        raise KeyUnreadable("there is no PEM block in the file", where=where)
    if wanted.isdisjoint(labels):
        default = (f"a PEM block of the kind {labels[0]!r}", _MAKE)
        raise _unsupported(*(halves.get(labels[0]) or _FOREIGN.get(labels[0], default)), where)


def _load(load: Callable[[], object], where: str) -> object:
    try:
        return load()
    except TypeError:  # how `cryptography` says that there is a passphrase
        raise _unsupported(*_FOREIGN["ENCRYPTED PRIVATE KEY"], where) from None
    except UnsupportedAlgorithm as error:
        raise _unsupported(f"a key of an unknown kind ({error})", _MAKE, where) from None
    except ValueError:
        raise KeyUnreadable("the PEM block is damaged, or no known key", where=where) from None


def _unsupported(what: str, way_out: str, where: str) -> KeyUnsupported:
    return KeyUnsupported(f"is {what}; {way_out}", where=where)


def _describe(key: object) -> str:
    """Say what kind of key it is; nothing of the key itself."""
    name = type(key).__name__
    half = "private" if name.endswith("PrivateKey") else "public"
    kind = name.removesuffix("PrivateKey").removesuffix("PublicKey")
    curve = getattr(key, "curve", None)
    if curve is not None:
        return f"an ECDSA {half} key on the curve {_CURVES.get(curve.name, curve.name)}"
    if kind == "RSA":
        return f"an RSA {half} key"
    return f"a {half} key of the kind {kind}"
