"""The publisher: a key that says in which order releases came.  It should stand in no root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kit.keys.kinds import Ask
from kit.keys.public import load_root_key
from kit.signing.attesters import load_attester
from kit.signing.model import KitSigner
from verifier.core.signature import KEYTYPES, Key, parse_material

_NAME = "publisher"


def load_publishers(paths: Iterable[Path]) -> list[Key]:
    """Return the public keys of publishers: PEM, or a line of OpenSSH.

    Raises:
        KitError: A file does not serve; see `kit.keys.public`.
    """
    found = []
    for path in paths:
        key = load_root_key(path)
        public = key.keyval["public"]
        material = parse_material(KEYTYPES[key.scheme][0], key.scheme, public)
        found.append(Key(key.keyid, _NAME, key.scheme, public, material))
    return found


def load_publisher(argument: str, *, secrets: Ask | None = None) -> tuple[KitSigner, Key]:
    """Return who signs entries, and the public key by which readers know it.

    Args:
        argument: A key file, ``envvar:NAME``, ``ssh:PATH``; ``PUB=URI`` for hardware or services.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        KitError: The key does not serve; see `kit.signing.attesters.load_attester`.
    """
    signer = load_attester(argument, {}, secrets=secrets)
    return signer, signer.key
