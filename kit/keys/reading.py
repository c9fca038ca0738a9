"""Keys as bytes, from files and variables, and refusals that say what a file is."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from kit.errors import PassphraseMissing, show
from kit.keys.errors import (
    KeyUnreadable,
    KeyUnsupported,
    KeyVariableUnset,
    PassphraseWrong,
)
from kit.keys.kinds import Ask

MAX_KEY_FILE = 64 * 1024  # bytes; a key of any kind is far smaller
MAKE = "make a key with `offline-kit key new`"
_BEGIN = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?-----BEGIN ([A-Z0-9 ]+)-----")  # a BOM: Windows
_FOREIGN = {  # label of the PEM block: what it is, and the way out
    "OPENSSH PRIVATE KEY": (
        "a private key in OpenSSH's own format",
        "give it as ssh:PATH for a signer whose key in the root is an SSH key",
    ),
    "DSA PRIVATE KEY": ("a DSA private key", MAKE),
    "PGP PRIVATE KEY BLOCK": ("an OpenPGP private key", MAKE),
    "CERTIFICATE": (
        "a certificate",
        "take its public key with `openssl x509 -in FILE -noout -pubkey`",
    ),
    "RSA PUBLIC KEY": (
        "an RSA public key without its frame",
        "write it with `openssl rsa -RSAPublicKey_in -in FILE -pubout`",
    ),
    "PGP PUBLIC KEY BLOCK": ("an OpenPGP public key", MAKE),
    "SSH2 PUBLIC KEY": ("a public key in the format of RFC 4716", MAKE),
}


def read(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a key file and how messages call it.

    Raises:
        KeyUnreadable: There is no file, or it is empty or far too large.
    """
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


def read_variable(name: str) -> tuple[bytes, str]:
    """Return the key in a variable, as PEM or as base64 of it, and how messages call it.

    Base64 is for systems that hide only what is on one line.

    Raises:
        KeyVariableUnset: There is no such variable, or nothing is in it.
        KeyUnreadable: It is far too large.
    """
    where = f"variable {name!r}"
    text = os.environ.get(name, "")
    if not text.strip():
        raise KeyVariableUnset("is empty" if name in os.environ else "is not set", where=where)
    if len(text) > MAX_KEY_FILE:
        raise KeyUnreadable(f"it has more than {MAX_KEY_FILE} characters", where=where)
    data = os.fsencode(text)
    if b"-----BEGIN" not in data:
        with contextlib.suppress(ValueError):
            decoded = base64.b64decode(b"".join(data.split()), validate=True)
            data = decoded if b"-----BEGIN" in decoded else data
    return data, where


def readable_by_others(path: Path) -> str:
    """Return the mode of a private key in the clear that others may read; empty for all else."""
    try:
        with open(path, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode) or not mode & 0o077:
                return ""
            found = _BEGIN.findall(stream.read(MAX_KEY_FILE))
    except (OSError, ValueError):
        return ""
    private = any(name.endswith(b"PRIVATE KEY") and b"ENCRYPTED" not in name for name in found)
    return f"{stat.S_IMODE(mode):04o}" if private else ""


def label(
    data: bytes, where: str, *, wanted: frozenset[str], halves: dict[str, tuple[str, str]]
) -> str:
    """Return the label of the PEM block; refuse what is not wanted before a parser is vague.

    Raises:
        KeyUnreadable: There is no PEM block.
        KeyUnsupported: There is one of another kind.
    """
    if data.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-")):
        raise unsupported("a public key in OpenSSH's own format", MAKE, where)
    labels: list[str] = [found.decode("ascii") for found in _BEGIN.findall(data)]
    if not labels and data[:1] == b"\x30":
        way = "write it as PEM with `openssl pkey -inform DER -in FILE` (-pubin for a public key)"
        raise unsupported("DER, or something else that is not text", way, where)
    if not labels:
        raise KeyUnreadable("there is no PEM block in the file", where=where)
    for found in labels:
        if found in wanted:
            return found
    default = (f"a PEM block of the kind {labels[0]!r}", MAKE)
    raise unsupported(*(halves.get(labels[0]) or _FOREIGN.get(labels[0], default)), where)


def parse(load: Callable[[bytes | None], object], where: str, ask: Ask | None) -> object:
    """Return what ``load`` makes of a file, with a passphrase if it turns out to need one.

    Raises:
        KeyUnreadable: It is damaged.
        KeyUnsupported: It is of an unknown kind.
        PassphraseMissing: It is encrypted, and nobody is there to be asked.
        PassphraseWrong: It is encrypted, and not with this passphrase.
    """
    try:
        try:
            return load(None)
        except TypeError:  # how `cryptography` says that there is a passphrase
            passphrase = ask_for(where, ask)
        try:
            return load(passphrase)
        except (ValueError, TypeError):  # the second for an empty one
            raise wrong_passphrase(passphrase, where) from None
    except UnsupportedAlgorithm as error:
        raise unsupported(f"a key of an unknown kind ({error})", MAKE, where) from None
    except ValueError:
        raise KeyUnreadable("the PEM block is damaged, or no known key", where=where) from None


def ask_for(where: str, ask: Ask | None) -> bytes:
    """Return the passphrase of a key file.

    Raises:
        PassphraseMissing: Nobody is there to be asked.
    """
    if ask is None:
        raise PassphraseMissing("is encrypted, and nobody is there to be asked", where=where)
    return secret_bytes(ask(f"passphrase of {where}"))


def secret_bytes(text: str) -> bytes:
    """Return a passphrase as bytes; what was no UTF-8 where it came from is what it was."""
    return text.encode("utf-8", "surrogateescape")


def wrong_passphrase(passphrase: bytes, where: str) -> PassphraseWrong:
    """Return the refusal of a passphrase; a line end in it is named, and nothing else of it."""
    ends = {b"\r": "a carriage return (CR)", b"\n": "a line feed (LF)"}.get(passphrase[-1:])
    if ends is None:
        return PassphraseWrong("does not open with this passphrase", where=where)
    return PassphraseWrong(
        f"does not open with this passphrase, which ends in {ends}",
        where=where,
        fix="Give it without the line end: `printf %s` writes none, `tr -d '\\r'` takes out CR.",
    )


def unsupported(what: str, way_out: str, where: str) -> KeyUnsupported:
    """Return the refusal of a key that does not serve."""
    return KeyUnsupported(f"is {what}; {way_out}", where=where)
