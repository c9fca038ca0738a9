"""Who seals evidence: operators, by a key file or by ssh-keygen (agent, hardware)."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from runner.errors import OperatorUnknown
from verifier.core.envelope import pae
from verifier.core.signature import ED25519, SSH_SCHEMES, Key
from verifier.core.trust import Root
from verifier.host.attest import ask_ssh, load_seed

SSH = "ssh:"


def seal(payload: bytes, keys: Sequence[str], operators: Root, agent: str = "") -> dict[str, bytes]:
    """Return signatures over a payload by key id.

    Args:
        payload: The DSSE payload.
        keys: Files of Ed25519 keys, or ``ssh:PATH`` for a key that ssh-keygen signs with.
        operators: The root whose role `targets` names who may.
        agent: The socket of an SSH agent; empty for none.

    Raises:
        OperatorUnknown: A key is not one of theirs.
        KitError: A key cannot be read, or ssh-keygen refuses.
    """
    made: dict[str, bytes] = {}
    message = pae(payload)
    for argument in keys:
        if argument.startswith(SSH):
            keyid, signature = _by_ssh(message, argument, operators, agent)
        else:
            keyid, signature = _by_file(message, argument, operators)
        made[keyid] = signature
    return made


def _by_file(message: bytes, path: str, operators: Root) -> tuple[str, bytes]:
    from verifier.crypto import ed25519_sign

    seed = load_seed(path)
    public = ed25519_sign.public_of(seed)
    for key in operators.targets.keys.values():
        if key.scheme == ED25519 and key.material == public:
            return key.keyid, ed25519_sign.sign(seed, message)
    raise OperatorUnknown("is not a key of theirs", where=f"key {path!r}")


def _by_ssh(message: bytes, argument: str, operators: Root, agent: str) -> tuple[str, bytes]:
    keys = [key for key in operators.targets.keys.values() if key.scheme in SSH_SCHEMES]
    if not keys:
        raise OperatorUnknown("operators.json names no key of SSH", where=f"key {argument!r}")
    text = ask_ssh(argument[len(SSH) :], message, agent)
    blob = base64.b64decode(b"".join(text.strip().split(b"\n")[1:-1]))
    found: Key | None = next((k for k in keys if k.verify(message, blob, low_s=False)), None)
    if found is None:
        raise OperatorUnknown("is not a key of theirs", where=f"key {argument!r}")
    return found.keyid, blob
