"""From a ``--key`` argument to a signer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from kit.keys.kinds import Ask
from kit.keys.private import Variable
from kit.signing.arguments import SSH, VARIABLE, parse_uri, split
from kit.signing.errors import SignerArgumentInvalid
from kit.signing.files import file_signer
from kit.signing.model import KitSigner, Targets
from kit.signing.services import service_signer
from kit.signing.ssh import ssh_signer


def load_signer(argument: str, targets: Targets, *, secrets: Ask | None = None) -> KitSigner:
    """Return the signer that a ``--key`` argument means under a root.

    ``SIGNER=URI`` names the signer, or the key id of one of its keys; a key file may stand alone,
    as a path or as ``file:PATH``, ``file2:PATH``, ``ssh:PATH`` or, for a key in a variable,
    ``envvar:NAME``, and is matched by its public key.
    What follows these schemes is the path as it is: nothing is decoded or looked up in the
    environment.  For a signer with several keys and a URI that is no file, the first one (by key
    id) counts whose scheme the signer can make and that securesystemslib takes;
    `KitSigner.keyid` says which.

    Args:
        argument: As the user typed it.
        targets: The keys that count, by key id.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        SignerArgumentInvalid: It is not clear whose key it is.
        SignerNotInRoot: SIGNER is not in the root; the message lists who is.
        KeyNotInRoot: The root does not name the key.
        KeyOfAnotherSigner: The root names the key for somebody else.
        KeyUnreadable: The key file is missing or no key.
        KeyUnsupported: The key file holds a key that does not serve.
        PassphraseMissing: The key file is encrypted, and nobody is there to be asked.
        PassphraseWrong: The key file is encrypted, and not with this passphrase.
        SignerUnsupported: This kind of signer cannot sign kits.
        SignerUnavailable: It could, but not now.
    """
    name, uri = split(argument, targets)
    scheme, path = parse_uri(uri)
    if scheme == VARIABLE:
        return file_signer(Variable(uri.partition(":")[2]), name, targets, secrets)
    if not scheme and name is None and not os.path.lexists(path):
        _not_only_a_name(argument, targets)
    if not scheme:
        return file_signer(path, name, targets, secrets)
    if scheme == SSH:
        return ssh_signer(path, name, targets)
    if name is None:
        raise SignerArgumentInvalid(f"'{scheme}:' does not say whose key it is")
    return service_signer(scheme, uri, name, targets, secrets)


def _not_only_a_name(argument: str, targets: Targets) -> None:
    """Refuse the name of a signer where a key is wanted.

    Raises:
        SignerArgumentInvalid: It is one.
    """
    if argument in {key.signer for key in targets.values()}:
        raise SignerArgumentInvalid(
            "is a signer of the root, and says nothing of the key",
            where=repr(argument),
            fix=f"Write --key {argument}=URI, or name the key in [release.keys] of the spec.",
        )


def key_files(arguments: Iterable[str], targets: Targets) -> list[Path]:
    """Return the files that ``--key`` arguments name; services have none."""
    found = (parse_uri(split(argument, targets)[1]) for argument in arguments)
    return [path for scheme, path in found if scheme in ("", SSH)]
