"""From a ``--key`` argument to whoever attests, whom no root need name.

A policy of a site names attesters by their public keys, so a key file is enough.  Hardware and
services say nothing of their key before they sign: there its public half comes first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kit.errors import show
from kit.keys.errors import KeyUnreadable
from kit.keys.kinds import Ask, material_of, tuf_key
from kit.keys.private import Variable, load_private
from kit.keys.public import load_with_scheme
from kit.signing.arguments import SSH, VARIABLE, parse_uri
from kit.signing.errors import SignerArgumentInvalid
from kit.signing.files import maker
from kit.signing.load import load_signer
from kit.signing.model import KitSigner, Targets, evaluated, signer_of
from kit.signing.services import service_signer
from kit.signing.ssh import ssh_signer
from verifier.core.signature import KEYTYPES, SSH_SCHEMES, SSHSIG

_SELF = "attester"  # what a key that no root names is called


@dataclass(frozen=True)
class _Own:
    """A key as a root would name it."""

    keyid: str
    signer: str
    scheme: str
    public: str


def load_attester(argument: str, targets: Targets, *, secrets: Ask | None = None) -> KitSigner:
    """Return the signer that a ``--key`` argument of an attestation means.

    ``SIGNER=URI`` is a signer of the root, as for kits.  A key file (a path, ``file:PATH``,
    ``ssh:PATH``, ``envvar:NAME``) may be anybody's, and has the key id of the root where the root
    names it.  ``PUB=URI`` is for hardware and services: a file with the public key, or
    ``SCHEME:PUB``, then where the private one is.

    Args:
        argument: As the user typed it.
        targets: The keys of a root; none if there is no root.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        KitError: As `kit.signing.load.load_signer`.
    """
    before, equals, after = argument.partition("=")
    if equals and before in {key.signer for key in targets.values()} | set(targets):
        return load_signer(argument, targets, secrets=secrets)
    scheme, path = parse_uri(argument)
    if scheme == VARIABLE:
        return _by_file(Variable(argument.partition(":")[2]), targets, secrets)
    if scheme == SSH:
        return _by_ssh(path, targets)
    if not scheme and (not equals or os.path.lexists(path)):
        return _by_file(path, targets, secrets)
    if not after or not (os.path.lexists(before) or before.partition(":")[0] in KEYTYPES):
        raise SignerArgumentInvalid(
            f"{f'{scheme!r}:' if scheme else 'it'} does not say which public key it has",
            fix="Write --key PUB=URI with the file of the public key, or SIGNER=URI with --root.",
        )
    return _by_service(before, after, secrets)


def _by_file(place: Path | Variable, targets: Targets, secrets: Ask | None) -> KitSigner:
    private = load_private(place, secrets)
    wanted = material_of(private.public_key())
    key = next((key for key in evaluated(targets) if key.material == wanted), None)
    if key is None:
        named = tuf_key(private.public_key())
        own = _Own(named.keyid, _SELF, named.scheme, named.keyval["public"])
        (key,) = evaluated({own.keyid: own})
    return signer_of(key, maker(private, key.scheme))


def _by_ssh(path: Path, targets: Targets) -> KitSigner:
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    if not public.exists():
        raise KeyUnreadable(
            f"its public half {show(public)} is not there", where=f"key {show(path)}"
        )
    key, scheme = load_with_scheme(public)
    wanted, scheme = material_of(key), scheme if scheme in SSH_SCHEMES else SSHSIG
    known = {
        one.keyid: one
        for one in evaluated(targets)
        if one.material == wanted and one.scheme == scheme
    }
    if known:
        return ssh_signer(path, None, known)
    named = tuf_key(key, scheme)
    own = _Own(named.keyid, _SELF, scheme, named.keyval["public"])
    return ssh_signer(path, None, {own.keyid: own})


def _by_service(public: str, uri: str, secrets: Ask | None) -> KitSigner:
    key, scheme = load_with_scheme(Path(public))
    named = tuf_key(key, scheme)
    own = _Own(named.keyid, _SELF, scheme, named.keyval["public"])
    kind, path = parse_uri(uri)
    if kind == SSH:
        return ssh_signer(path, None, {own.keyid: own})
    if kind in ("", VARIABLE):
        return load_signer(uri, {own.keyid: own}, secrets=secrets)
    return service_signer(kind, uri, _SELF, {own.keyid: own}, secrets)
