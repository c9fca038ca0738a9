"""Signatures by hardware and key services, through securesystemslib."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    SIGNER_FOR_URI_SCHEME,
    Signer,
    SSlibKey,
)

from kit.errors import KitError
from kit.keys.kinds import Ask
from kit.signing.arguments import FILES, REFUSED, SSH, VARIABLE
from kit.signing.errors import SignerUnavailable, SignerUnsupported
from kit.signing.model import KitSigner, Targets, evaluated, signer_of
from verifier.core.signature import ED25519, KEYTYPES, P256, P384, RSA_PKCS1, RSA_PSS, SSH_SCHEMES

_ECDSA = frozenset({P256, P384})
_RSA = frozenset({RSA_PSS, RSA_PKCS1})
_MAKES = {  # what the signers of securesystemslib 1.6 can make, of the schemes of kits
    "hsm": _ECDSA,
    "awskms": _ECDSA | _RSA,
    "azurekms": _ECDSA,
    "gcpkms": _ECDSA | _RSA,
    "hv": frozenset({ED25519}),
}
_ALL = frozenset(KEYTYPES) - frozenset(SSH_SCHEMES)
_EXTRAS = {"hv": "vault"}  # extras of securesystemslib that are not called like the URI scheme
_SHORTEST_HIDDEN = 4  # characters of a part of a URI; hiding less would only garble the message


def service_signer(
    scheme: str, uri: str, name: str, targets: Targets, ask: Ask | None
) -> KitSigner:
    """Return the signer behind a URI; see `kit.signing.load_signer`.

    Raises:
        SignerUnsupported: It cannot make the signatures of this signer's keys.
        SignerUnavailable: It could, but not now.
    """
    where = f"signer {name!r}, '{scheme}:'"
    if scheme in REFUSED or scheme not in SIGNER_FOR_URI_SCHEME:
        known = sorted({*FILES, SSH, VARIABLE, *SIGNER_FOR_URI_SCHEME} - set(REFUSED))
        raise SignerUnsupported(REFUSED.get(scheme, f"known are {', '.join(known)}"), where=where)
    own = [key for key in targets.values() if name in (key.signer, key.keyid)]
    makes = _MAKES.get(scheme, _ALL)
    usable = [key for key in evaluated({key.keyid: key for key in own}) if key.scheme in makes]
    if not usable:
        has = " and ".join(sorted({key.scheme for key in own}))
        raise SignerUnsupported(
            f"it signs with {' or '.join(sorted(makes))}, and the root has {has}", where=where
        )
    hide = _Hide(uri, ask)
    refusals = []
    for key in usable:
        tuf_key = SSlibKey(key.keyid, KEYTYPES[key.scheme][0], key.scheme, {"public": key.public})
        try:
            signer = Signer.from_priv_key_uri(uri, tuf_key, hide.ask)
        except UnsupportedLibraryError as error:
            extra = f"securesystemslib[{_EXTRAS.get(scheme, scheme)}]"
            raise SignerUnavailable(f"{error} (install {extra})", where=where) from None
        except Exception as error:  # securesystemslib: signers raise what they like
            refusals.append(f"key {key.keyid}: {hide.text(error)}")
            continue
        return signer_of(key, _asks(signer, hide, where))
    raise SignerUnavailable("; ".join(refusals), where=where)


class _Hide:
    """Keeps the URI (it may hold a PIN) and what a person typed out of other people's messages."""

    def __init__(self, uri: str, ask: Ask | None) -> None:
        self._ask = ask
        rest = uri.partition(":")[2]
        values = [value for _, value in parse_qsl(rest.partition("?")[2].replace(";", "&"))]
        self._secrets = [text for text in (uri, rest, *values) if len(text) >= _SHORTEST_HIDDEN]

    def __repr__(self) -> str:
        return "_Hide()"

    def ask(self, name: str) -> str:
        if self._ask is None:
            raise ValueError(f"it needs the secret {name!r}, and nobody is there to be asked")
        secret = self._ask(name)
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
        except KitError:
            raise  # nobody to ask for the PIN: the reason is ours
        except Exception as error:  # securesystemslib: signers raise what they like
            raise SignerUnavailable(f"it could not sign: {hide.text(error)}", where=where) from None

    return make
