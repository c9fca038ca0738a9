"""SSH signatures over SHA256SUMS: made by ssh-keygen, read back before anybody relies on them.

The format is PROTOCOL.sshsig of OpenSSH.  Only Ed25519 keys serve: the same file has the same
signature every time, which ECDSA and security keys (they count) do not promise.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from pathlib import Path

from kit.errors import show
from verifier.core.errors import Undecided, Usage
from verifier.crypto.sshsig import NAMESPACE, verify

_START = b"SSHSIG\0\0\0\1"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE = 70  # characters, as ssh-keygen breaks them


class SshKeyRefused(Usage):
    """An SSH key made no Ed25519 signature: it is of another kind, or ssh-keygen refuses it.

    ssh-keygen makes the signature, so a passphrase is asked for by ssh-keygen, and a key that
    ssh-agent holds is given by its public half.
    """

    code = "ssh-key-refused"
    fix = "Give an Ed25519 key that `ssh-keygen -Y sign` takes; `ssh-keygen -t ed25519` makes one."


class SshKeygenMissing(Undecided):
    """This host has no ssh-keygen, which makes SSH signatures."""

    code = "ssh-keygen-missing"
    fix = "Install OpenSSH's client programs, or sign with another key."


def sign(key: Path, data: bytes) -> bytes:
    """Return the armored signature that ssh-keygen makes over ``data``.

    Raises:
        SshKeygenMissing: This host has none.
        SshKeyRefused: ssh-keygen refuses the key, or it is no Ed25519 key.
    """
    made = ask(key, data)
    try:
        check(made, data)
    except ValueError as reason:
        raise SshKeyRefused(str(reason), where=f"key {show(key)}") from None
    return made


def ask(key: Path, data: bytes) -> bytes:
    """Return what ssh-keygen signs with any of its keys, in hardware too; nobody has judged it.

    Raises:
        SshKeygenMissing: This host has none.
        SshKeyRefused: ssh-keygen refuses the key.
    """
    where = f"key {show(key)}"
    command: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE]
    try:
        done = subprocess.run(
            [*command, "-f", os.path.abspath(key)], input=data, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise SshKeygenMissing("is not on the PATH", where="ssh-keygen") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
        said = " ".join(line for line in lines if line.strip("@")) or f"status {done.returncode}"
        raise SshKeyRefused(f"ssh-keygen says {said!r}", where=where, fix=_fix_of(said))
    return done.stdout


_FIXES = (  # what ssh-keygen says, in lower case, and the way out
    (
        "no user exists for uid",
        "Give this user a line in /etc/passwd (in a container: one that the image has), or "
        "sign on another host: ssh-keygen runs for nobody else.",
    ),
    (
        "unprotected private key",
        "Run `chmod 600` on the key file; on a file system without modes copy it to one that has "
        "them: ssh-keygen takes no key that others may read.",
    ),
    (
        "no private key found for public key",
        'Give the private key file, or start the agent that holds the key: `eval "$(ssh-agent)"` '
        "and `ssh-add KEY`.",
    ),
    (
        "couldn't get agent socket",
        'Give the private key file, or start the agent that holds the key: `eval "$(ssh-agent)"` '
        "and `ssh-add KEY`.",
    ),
    (
        "agent refused operation",
        "Unlock the key in the agent, or confirm the signature where the agent asks for it.",
    ),
    (
        "not found in agent",
        "Run `ssh-add KEY` with the private key, or give the private key file.",
    ),
    (
        "incorrect passphrase",
        "Run it on a terminal, where ssh-keygen asks for the passphrase, or put the key into an "
        "agent with `ssh-add KEY` and give its .pub file.",
    ),
)


def _fix_of(said: str) -> str:
    """Return what to do about what ssh-keygen says; empty for what the error says anyway."""
    return next((fix for words, fix in _FIXES if words in said.lower()), "")


def check(armored: bytes, data: bytes) -> bytes:
    """Return the Ed25519 public key that made a signature over ``data``, as SSH encodes it.

    The key is the signature's own: whether it is anybody's is for `allowed_signers` to say.

    Raises:
        ValueError: It is no such signature, or not in the spelling of ssh-keygen.
    """
    blob = _unarmor(armored)
    if blob[: len(_START)] != _START:
        raise ValueError("it is no SSH signature of version 1")
    public, _ = _take(blob[len(_START) :])
    kind, key = _take(public)
    if kind != b"ssh-ed25519":
        raise ValueError(f"the key is of the kind {kind[:40]!r}, and not ssh-ed25519")
    if not verify(key[4:], data, blob):
        raise ValueError(f"the signature is not over this file for the namespace {NAMESPACE!r}")
    return public


def fingerprint(public: bytes) -> str:
    """Return what ``ssh-keygen -l`` calls a public key."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def _unarmor(armored: bytes) -> bytes:
    """Return what the armor holds; one spelling only, so that the file is the same every time."""
    text = armored.decode("ascii", "replace")
    lines = text.split("\n")
    try:
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
    except ValueError:
        raise ValueError("it is no SSH signature: the armor holds no base64") from None
    body = base64.b64encode(blob).decode("ascii")
    pieces = [body[at : at + _LINE] for at in range(0, len(body), _LINE)]
    if text != "\n".join([_BEGIN, *pieces, _END, ""]):
        raise ValueError("it is no SSH signature in the spelling of ssh-keygen")
    return blob


def _take(data: bytes) -> tuple[bytes, bytes]:
    """Return the string that ``data`` begins with, and the rest."""
    end = 4 + int.from_bytes(data[:4], "big")
    if len(data) < max(4, end):
        raise ValueError("the SSH signature ends early")
    return data[4:end], data[end:]
