"""Signatures by OpenSSH: a key file of its own, an agent, or hardware behind the agent."""

from __future__ import annotations

import base64
from pathlib import Path

from kit.errors import show
from kit.keys.errors import KeyUnreadable
from kit.keys.kinds import material_of
from kit.keys.public import load_with_scheme
from kit.signing.errors import KeyNotInRoot, KeyOfAnotherSigner
from kit.signing.model import KitSigner, Make, Targets, evaluated, signer_of
from kit.stock import sshsig
from verifier.core.signature import SSH_SCHEMES, SSHSIG


def ssh_signer(path: Path, name: str | None, targets: Targets) -> KitSigner:
    """Return the signer of an SSH key, which ssh-keygen or its agent will ask for.

    ``path`` is the private file, with its ``.pub`` beside it, or the ``.pub`` of a key that only
    the agent has.

    Raises:
        KeyUnreadable: There is no public half.
        KeyNotInRoot: The root does not name the key as an SSH key.
        KeyOfAnotherSigner: The root names it for somebody else.
    """
    where = f"key {show(path)}"
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    if not public.exists():
        raise KeyUnreadable(f"its public half {show(public)} is not there", where=where)
    loaded, scheme = load_with_scheme(public)
    wanted, scheme = material_of(loaded), scheme if scheme in SSH_SCHEMES else SSHSIG
    keys = [key for key in evaluated(targets) if key.material == wanted]
    named = [key for key in keys if key.scheme == scheme]
    if not named:
        other = f", but with the scheme {keys[0].scheme}" if keys else ""
        raise KeyNotInRoot(f"the root does not name it as an SSH key{other}", where=where)
    for key in named:
        if name is None or name in (key.signer, key.keyid):
            return signer_of(key, _asks(path, scheme))
    owner = named[0].signer
    raise KeyOfAnotherSigner(f"the root names it for {owner!r}, not for {name!r}", where=where)


def sign_ssh(path: Path, message: bytes) -> bytes:
    """Return the blob that ``ssh-keygen -Y sign`` makes over ``message`` for our namespace.

    Raises:
        SshKeygenMissing: This host has none.
        SshKeyRefused: ssh-keygen refuses the key, or it is no Ed25519 key.
    """
    return _unarmored(sshsig.sign(path, message))


def _unarmored(text: bytes) -> bytes:
    return base64.b64decode(b"".join(text.split(b"\n")[1:-2]))


def _asks(path: Path, scheme: str) -> Make:
    if scheme == SSHSIG:
        return lambda message: sign_ssh(path, message)
    return lambda message: _unarmored(sshsig.ask(path, message))  # hardware; the key of it is known
