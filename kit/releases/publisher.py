"""The publisher: a key that says in which order releases came.  It stands in no root of trust."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # no __all__ there

from kit.errors import SignerArgumentInvalid
from kit.keys.kinds import Ask, tuf_key
from kit.keys.private import Variable, load_private
from kit.keys.public import load_public, load_root_key
from kit.signing import load_signer
from kit.signing.arguments import SSH, VARIABLE, parse_uri
from kit.signing.model import KitSigner
from verifier.core.signature import KEYTYPES, SSHSIG, Key, parse_material

NAME = "publisher"


def load_publishers(paths: Iterable[Path]) -> list[Key]:
    """Return the publisher's public keys: PEM, or a line of OpenSSH.

    Raises:
        KitError: A file does not serve; see `kit.keys.public`.
    """
    return [_key(load_root_key(path)) for path in paths]


def load_publisher(
    uri: str, publics: Iterable[Path] = (), *, secrets: Ask | None = None
) -> tuple[KitSigner, Key]:
    """Return who signs entries, and the public key by which readers know it.

    Args:
        uri: A key file, ``envvar:NAME``, ``ssh:PATH`` or a key service, as of ``--key``.
        publics: The public keys; what holds a key and shows none needs them.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        SignerArgumentInvalid: The public key is needed and was not given.
        KitError: The key does not serve; see `kit.signing.load_signer`.
    """
    keys = load_publishers(publics)
    scheme, path = parse_uri(uri)
    if not keys and scheme in ("", VARIABLE):
        place = Variable(uri.partition(":")[2]) if scheme == VARIABLE else path
        keys = [_key(tuf_key(load_private(place, secrets).public_key()))]
    if not keys and scheme == SSH:
        public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
        keys = [_key(tuf_key(load_public(public), SSHSIG))]
    if not keys:
        raise SignerArgumentInvalid(
            f"'{scheme}:' does not show its public key",
            fix="Give it too: --publisher FILE, the PEM that readers pin.",
        )
    targets = {key.keyid: key for key in keys}
    signer = load_signer(f"{NAME}={uri}", targets, secrets=secrets)
    return signer, targets[signer.keyid]


def _key(key: SSlibKey) -> Key:
    public = key.keyval["public"]
    material = parse_material(KEYTYPES[key.scheme][0], key.scheme, public)
    return Key(key.keyid, NAME, key.scheme, public, material)
