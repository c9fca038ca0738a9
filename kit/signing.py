"""Signers: whoever makes a signature for a key that the root names, file or hardware.

A key is a signer URI of securesystemslib.  Key files are signed with here, so that the same kit has
the same signature twice (RFC 8032; RFC 6979 for P-256, where securesystemslib takes a random
nonce); every other URI goes to securesystemslib.  Whoever made a signature, it is checked against
the public key *in the root* before anybody sees it: a wrong slot of a hardware module gives a
signature too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    SIGNER_FOR_URI_SCHEME,
    Signer,
    SSlibKey,
)

from kit.errors import show
from kit.keys import (
    ED25519_SCHEME,
    P256_SCHEME,
    KeyUnsupported,
    PrivateKey,
    PublicKey,
    load_private,
    public_pem,
)
from verifier.core import ecdsa
from verifier.core.errors import Undecided, Usage

SecretsHandler = Callable[[str], str]
"""Asks a person for the secret named (``pin``, ``passphrase``) and returns it."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # RFC 3986 3.1; one letter is a Windows drive
_FILE_SCHEMES = frozenset({"file", "file2"})
_REFUSED = {
    "gnupg": "GnuPG signs OpenPGP packets, not the DSSE encoding, and no root can name such a key",
    "tkey": "a TKey signs with ML-DSA-44, and kits are signed with Ed25519 or ECDSA P-256",
    "sigstore": "sigstore signs with one-time keys, and a root names keys",
}
_MAKES = {  # what the signers of securesystemslib 1.6 can make, of the two schemes of kits
    "hsm": frozenset({P256_SCHEME}),
    "awskms": frozenset({P256_SCHEME}),
    "azurekms": frozenset({P256_SCHEME}),
    "gcpkms": frozenset({P256_SCHEME}),
    "hv": frozenset({ED25519_SCHEME}),
}
_BOTH = frozenset({ED25519_SCHEME, P256_SCHEME})
_KEY_TYPES = {ED25519_SCHEME: "ed25519", P256_SCHEME: "ecdsa"}  # FORMAT 5.4
_EXTRAS = {"hv": "vault"}  # extras of securesystemslib that are not called like the URI scheme
_SHORTEST_HIDDEN = 4  # characters of a part of a URI; hiding less would only garble the message


class SignerArgumentInvalid(Usage):
    """What was given for ``--key`` does not say which key signs for whom.

    A file key is found by its public half, so its path is enough.  Every other URI says nothing
    about the person, and needs the name that the root gives to the signer.
    """

    code = "signer-argument-invalid"
    fix = (
        "Write --key SIGNER=URI with a name out of the root, or --key with the path of a key file."
    )


class SignerNotInRoot(Usage):
    """The root names no signer, and no key, like the one before the ``=``."""

    code = "signer-not-in-root"
    fix = "Use one of the names listed, exactly as the root spells it."


class KeyNotInRoot(Usage):
    """The root does not name this key, so nobody who relies on it would count the signature."""

    code = "key-not-in-root"
    fix = "Sign with a key that the root names, or use the root that names this key."


class KeyOfAnotherSigner(Usage):
    """The root names this key, but for somebody else than the signer it was given for."""

    code = "key-of-another-signer"
    fix = "Give each signer's own key; leave SIGNER= away to have a key file matched by its key."


class SignerUnsupported(Usage):
    """This kind of signer cannot make the signatures that kits carry.

    Kits are signed over the DSSE encoding with Ed25519 or ECDSA P-256 (FORMAT 4.4, 4.5).
    """

    code = "signer-unsupported"
    fix = "Sign with a key file, or with an HSM or KMS key for ECDSA P-256 that the root names."


class SignerUnavailable(Undecided):
    """The signer exists, but this host could not use it now.

    A package or a library is missing, a token is not plugged in, a service did not answer.
    """

    code = "signer-unavailable"
    fix = "Provide what the message says is missing, then sign again; nothing was changed."


class SignatureSelfCheckFailed(Usage):
    """The signer made a signature that is not valid under the key in the root; it was dropped.

    The URI most likely names another slot, key or version than the one whose public half was put
    into the root.
    """

    code = "signature-self-check"
    fix = "Check the key that the URI names; of a signer with several, choose with --key KEYID=URI."


class RootKeyLike(Protocol):
    """A key as a root names it: `kit.rootmeta.RootKey`, or anything that looks the same."""

    @property
    def keyid(self) -> str: ...
    @property
    def signer(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def public(self) -> str:
        """TUF's ``keyval.public``: 64 hexadecimal digits, or a PEM (FORMAT 5.4)."""


Targets = Mapping[str, RootKeyLike]


@dataclass(frozen=True)
class KitSigner:
    """One key of one signer of the root, able to sign.

    Attributes:
        keyid: The key's id in the root.
        signer: The person or team that the root names for it.
        scheme: ``ed25519`` or ``ecdsa-sha2-nistp256``.
    """

    keyid: str
    signer: str
    scheme: str
    _make: Callable[[bytes], bytes] = field(repr=False)
    _public: PublicKey = field(repr=False)

    def sign(self, pae: bytes) -> bytes:
        """Return the signature over ``pae``: 64 bytes, or DER with ``s <= n / 2`` (FORMAT 4.5).

        Raises:
            SignerUnavailable: The signer failed.
            SignatureSelfCheckFailed: It signed with another key than the root's.
        """
        signature = self._make(pae)
        try:
            if isinstance(self._public, Ed25519PublicKey):
                self._public.verify(signature, pae)
            else:
                signature = _with_low_s(signature)
                self._public.verify(signature, pae, ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            raise SignatureSelfCheckFailed(
                f"the signature is not valid under key {self.keyid} of the root",
                where=f"signer {self.signer!r}",
            ) from None
        return signature


@dataclass(frozen=True)
class SumsSigner:
    """The key that signs ``SHA256SUMS`` for stock tools (FORMAT 6.7); no root names it.

    Attributes:
        public_pem: SubjectPublicKeyInfo, for ``openssl dgst -verify`` and ``cosign --key``.
    """

    public_pem: str
    _private: EllipticCurvePrivateKey = field(repr=False)
    _algorithm: ECDSA = field(repr=False)

    def sign_digest(self, sha256: bytes) -> bytes:
        """Return the DER signature over a file with this SHA-256, the same one every time.

        Raises:
            ValueError: ``sha256`` is not 32 bytes.
        """
        if len(sha256) != 32:
            raise ValueError(f"a SHA-256 is 32 bytes, got {len(sha256)}")
        return _with_low_s(self._private.sign(sha256, self._algorithm))


def load_signer(
    argument: str, targets: Targets, *, secrets: SecretsHandler | None = None
) -> KitSigner:
    """Return the signer that a ``--key`` argument means under a root.

    ``SIGNER=URI`` names the signer, or the key id of one of its keys; a key file may stand alone,
    as a path or as ``file:PATH`` or ``file2:PATH``, and is matched by its public key.  What follows
    these two schemes is the path as it is: nothing is decoded or looked up in the environment.
    For a signer with several keys and a URI that is no file, the first one (by key id) counts whose
    scheme the signer can make and that securesystemslib takes; `KitSigner.keyid` says which.

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
        SignerUnsupported: This kind of signer cannot sign kits.
        SignerUnavailable: It could, but not now.
    """
    name, uri = _split(argument, targets)
    scheme, path = _parse_uri(uri)
    if not scheme:
        return _file_signer(path, name, targets)
    if name is None:
        raise SignerArgumentInvalid(f"'{scheme}:' does not say whose key it is")
    return _uri_signer(scheme, uri, name, targets, secrets)


def load_sums_signer(uri_or_path: str) -> SumsSigner:
    """Return the signer of ``SHA256SUMS``: an ECDSA P-256 key file, by path or ``file:`` URI.

    Raises:
        SignerUnsupported: The URI is not one of a file.
        KeyUnreadable: The key file is missing or no key.
        KeyUnsupported: It is no P-256 private key.
        SignerUnavailable: This host has no RFC 6979.
    """
    scheme, path = _parse_uri(uri_or_path)
    if scheme:
        raise SignerUnsupported(f"'{scheme}:' cannot sign SHA256SUMS: only key files can")
    private = load_private(path)
    if not isinstance(private, EllipticCurvePrivateKey):
        raise KeyUnsupported(
            "is an Ed25519 key; SHA256SUMS is signed with ECDSA P-256, which stock tools check",
            where=f"key {show(path)}",
        )
    algorithm = _rfc_6979(Prehashed(SHA256()))
    return SumsSigner(public_pem(private.public_key()), private, algorithm)


def _split(argument: str, targets: Targets) -> tuple[str | None, str]:
    """Split ``SIGNER=URI``; paths and URIs may have a ``=`` of their own."""
    before, equals, after = argument.partition("=")
    known = {key.signer for key in targets.values()}
    if equals and (before in known or before in targets):
        if not after:
            raise SignerArgumentInvalid("there is nothing after the '='", where=repr(argument))
        return before, after
    if not equals or "/" in before or _SCHEME.match(before) or os.path.exists(argument):
        return None, argument
    names = ", ".join(repr(name) for name in sorted(known)) or "nobody"
    raise SignerNotInRoot(f"the root names {names}", where=f"signer {before!r}")


def _parse_uri(uri: str) -> tuple[str, Path]:
    """Return the scheme and, if it is empty, the path of the key file."""
    found = _SCHEME.match(uri)
    if not found:
        return "", Path(uri)
    scheme, rest = found.group(1), uri[found.end() :]
    if scheme in _FILE_SCHEMES:
        return "", Path(rest[2:] if rest.startswith("///") else rest)
    if scheme in SIGNER_FOR_URI_SCHEME or scheme in _REFUSED or not os.path.exists(uri):
        return scheme, Path()
    return "", Path(uri)


def _file_signer(path: Path, name: str | None, targets: Targets) -> KitSigner:
    private = load_private(path)
    # not by key id: a PEM has many spellings, and other programs compute the id from theirs
    wanted, where = public_pem(private.public_key()), f"key {show(path)}"
    keys = [(key, _public_of(key)) for key in _sorted(targets)]
    named = [(key, public) for key, public in keys if public and public_pem(public) == wanted]
    if not named:
        raise KeyNotInRoot("the root does not name this key", where=where)
    for key, public in named:
        if name is None or name in (key.signer, key.keyid):
            return KitSigner(key.keyid, key.signer, key.scheme, _signs_with(private), public)
    owner = named[0][0].signer
    raise KeyOfAnotherSigner(f"the root names it for {owner!r}, not for {name!r}", where=where)


def _uri_signer(
    scheme: str, uri: str, name: str, targets: Targets, secrets: SecretsHandler | None
) -> KitSigner:
    where = f"signer {name!r}, '{scheme}:'"
    if scheme in _REFUSED or scheme not in SIGNER_FOR_URI_SCHEME:
        known = sorted(_FILE_SCHEMES.union(SIGNER_FOR_URI_SCHEME).difference(_REFUSED))
        raise SignerUnsupported(_REFUSED.get(scheme, f"known are {', '.join(known)}"), where=where)
    own = [key for key in _sorted(targets) if name in (key.signer, key.keyid)]
    makes = _MAKES.get(scheme, _BOTH)
    usable = [(key, public) for key in own if key.scheme in makes and (public := _public_of(key))]
    if not usable:
        has = " and ".join(sorted({key.scheme for key in own}))
        raise SignerUnsupported(
            f"it signs with {' or '.join(sorted(makes))}, and the root has {has}", where=where
        )
    hide = _Hide(uri, secrets)
    refusals = []
    for key, public in usable:
        try:
            signer = Signer.from_priv_key_uri(uri, _tuf_key(key), hide.ask)
        except UnsupportedLibraryError as error:
            extra = f"securesystemslib[{_EXTRAS.get(scheme, scheme)}]"
            raise SignerUnavailable(f"{error} (install {extra})", where=where) from None
        except Exception as error:  # securesystemslib: signers raise what they like
            refusals.append(f"key {key.keyid}: {hide.text(error)}")
            continue
        make = _asks(signer, hide, where)
        return KitSigner(key.keyid, key.signer, key.scheme, make, public)
    raise SignerUnavailable("; ".join(refusals), where=where)


class _Hide:
    """Keeps the URI (it may hold a PIN) and what a person typed out of other people's messages."""

    def __init__(self, uri: str, secrets: SecretsHandler | None) -> None:
        self._handler = secrets
        rest = uri.partition(":")[2]
        values = [value for _, value in parse_qsl(rest.partition("?")[2].replace(";", "&"))]
        self._secrets = [text for text in (uri, rest, *values) if len(text) >= _SHORTEST_HIDDEN]

    def __repr__(self) -> str:
        return "_Hide()"

    def ask(self, name: str) -> str:
        if self._handler is None:
            raise ValueError(f"it needs the secret {name!r}, and nobody is there to be asked")
        secret = self._handler(name)
        self._secrets.append(secret)
        return secret

    def text(self, error: Exception) -> str:
        message = f"{type(error).__name__}: {error}"
        for secret in filter(None, self._secrets):
            message = message.replace(secret, "...")
        return ascii(message)[1:-1]


def _asks(signer: Signer, hide: _Hide, where: str) -> Callable[[bytes], bytes]:
    def make(message: bytes) -> bytes:
        try:
            return bytes.fromhex(signer.sign(message).signature)
        except Exception as error:  # securesystemslib: signers raise what they like
            raise SignerUnavailable(f"it could not sign: {hide.text(error)}", where=where) from None

    return make


def _signs_with(private: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(private, Ed25519PrivateKey):
        return private.sign
    key, algorithm = private, _rfc_6979(SHA256())
    return lambda message: key.sign(message, algorithm)


def _rfc_6979(algorithm: SHA256 | Prehashed) -> ECDSA:
    try:
        return ECDSA(algorithm, deterministic_signing=True)
    except UnsupportedAlgorithm:
        raise SignerUnavailable(
            "deterministic ECDSA (RFC 6979) needs the package cryptography on OpenSSL 3.2 or newer"
        ) from None


def _with_low_s(signature: bytes) -> bytes:
    """Return the one of the two equivalent signatures that a page may carry (FORMAT 4.5).

    Raises:
        ValueError: ``signature`` is not a DER signature of P-256.
    """
    n = ecdsa.P256.n
    r, s = ecdsa.parse_der_signature(signature, n)
    return ecdsa.encode_der_signature(r, min(s, n - s))


def _sorted(targets: Targets) -> list[RootKeyLike]:
    return [targets[keyid] for keyid in sorted(targets)]


def _tuf_key(key: RootKeyLike) -> SSlibKey:
    return SSlibKey(key.keyid, _KEY_TYPES[key.scheme], key.scheme, {"public": key.public})


def _public_of(key: RootKeyLike) -> PublicKey | None:
    """Return the public key of an entry of the root, None if its scheme is not evaluated."""
    try:
        if key.scheme == ED25519_SCHEME:
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
        if key.scheme == P256_SCHEME:
            public = load_pem_public_key(key.public.encode("ascii"))
            if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
                return public
    except (ValueError, UnsupportedAlgorithm):
        return None
    return None
