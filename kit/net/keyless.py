"""Signs with an identity instead of a key, at services that speak as Fulcio and Rekor do.

sigstore-python does it, which is an extra.  What it asks is bounded here: only the services that
the configuration names, by HTTPS or on loopback, and not for ever.  Our own verifier holds what
comes back to the trusted root of the same configuration, before anybody sees it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kit.attest.errors import ExtraMissing
from kit.errors import show
from kit.net.client import is_loopback
from verifier.core.errors import KitError, Undecided, Usage
from verifier.evidence.foreign import NotForeign, read_foreign

WAIT_SECONDS = 120  # for all services together; a log that makes trees takes some
_MAX_CONFIG = 4 << 20  # bytes
_SERVICES = ("caUrls", "rekorTlogUrls", "tsaUrls")


class TrustConfigInvalid(Usage):
    """The file given with --keyless does not say which services sign, and whom to trust for it.

    It is a client trust configuration of sigstore (`clienttrustconfig.v0.1+json`): the addresses of
    a certificate authority and a log, and the trusted root that names their keys.  Addresses are
    HTTPS, or HTTP on loopback: an identity token is good for whoever reads it.
    """

    code = "trust-config-invalid"
    fix = "Give the ClientTrustConfig of your sigstore instance, as one JSON file."


class IdentityTokenInvalid(Usage):
    """What was given as identity token is none that sigstore takes, or its time is over.

    It is the JWT of an OIDC provider for the audience `sigstore`, and good for some minutes.
    """

    code = "identity-token-invalid"
    fix = "Get a fresh token for the audience sigstore and give it with --passphrase-env or -fd."


class KeylessFailed(Undecided):
    """A service that signs with identities refused, did not answer, or gave what does not verify.

    Nothing was written.  What a log has taken stays in it.
    """

    code = "keyless-failed"
    fix = "See that the services of the configuration run and know the token's issuer; try again."


@dataclass(frozen=True)
class SignedByIdentity:
    """A bundle, and whose it is.

    Attributes:
        bundle: The sigstore bundle, as JSON.
        identity: The name in the certificate.
        issuer: Who vouched for it.
    """

    bundle: bytes
    identity: str
    issuer: str


def sign_keyless(payload: bytes, config: Path, ask: Callable[[str], str]) -> SignedByIdentity:
    """Return the bundle of a statement that an identity signed.

    Args:
        payload: The statement.
        config: The services, and the trusted root.
        ask: Asks for the identity token.

    Raises:
        ExtraMissing: The extra is not installed.
        TrustConfigInvalid: The configuration does not serve.
        IdentityTokenInvalid: The token does not serve.
        KeylessFailed: A service refused, or what it gave does not verify.
    """
    try:
        from sigstore.models import ClientTrustConfig
        from sigstore.oidc import IdentityError, IdentityToken
    except ImportError:
        raise ExtraMissing(
            "sigstore-python is not installed: it is the extra `sigstore`",
            fix="Install it with `pip install 'offline-kit[sigstore]'`, or sign with --key.",
        ) from None
    where = show(config)
    text, value = _load(config, where)
    try:
        parsed = ClientTrustConfig.from_json(text)
    except Exception as error:  # pydantic's, betterproto's and its own
        raise TrustConfigInvalid(_short(error), where=where) from None
    token = ask("identity token")
    try:
        identity = IdentityToken(token)
    except IdentityError as error:
        raise IdentityTokenInvalid(_short(error), where="identity token") from None
    made = _within(lambda: _sign(payload, parsed, identity), token)
    return _judged(made, value["trustedRoot"], where)


def _load(config: Path, where: str) -> tuple[str, dict[str, Any]]:
    """Return a configuration as text and as a value whose services may be asked."""
    try:
        with open(config, "rb") as file:
            data = file.read(_MAX_CONFIG + 1)
        value = read_foreign(data, max_size=_MAX_CONFIG)
    except OSError as error:
        raise TrustConfigInvalid(error.strerror or str(error), where=where) from None
    except NotForeign as error:
        raise TrustConfigInvalid(str(error), where=where) from None
    if not isinstance(value, dict) or not isinstance(value.get("trustedRoot"), dict):
        raise TrustConfigInvalid("has no trustedRoot", where=where)
    for url in _urls(value.get("signingConfig")):
        parts = urlsplit(url)
        plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not plain:
            raise TrustConfigInvalid(f"{url[:200]!r} is neither HTTPS nor on loopback", where=where)
    return data.decode("utf-8"), value


def _urls(services: Any) -> Iterator[str]:
    for name in _SERVICES:
        entries = services.get(name) if isinstance(services, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("url"), str):
                yield entry["url"]


def _sign(payload: bytes, config: Any, identity: Any) -> bytes:
    from sigstore.dsse import Statement
    from sigstore.sign import SigningContext

    with SigningContext.from_trust_config(config).signer(identity) as signer:
        made: str = signer.sign_dsse(Statement(payload)).to_json()
    return made.encode("utf-8")


def _within(work: Callable[[], bytes], token: str) -> bytes:
    """Do what asks others, and give up after a while: their clients wait for ever.

    Raises:
        KeylessFailed: It failed, or takes too long.
    """
    done: list[bytes] = []
    failed: list[str] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:  # each service's client has errors of its own
            failed.append(_short(error, token))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WAIT_SECONDS)
    if done:
        return done[0]
    why = failed[0] if failed else f"no answer within {WAIT_SECONDS} seconds"
    raise KeylessFailed(why, where="sigstore")


def _short(error: Exception, token: str = "") -> str:
    """Return what somebody else's error says, in one line and without the token."""
    parts = [f"{type(error).__name__}: {error}".rstrip(": ")]
    if error.__cause__ is not None:
        parts.append(str(error.__cause__))
    text = "; ".join(parts)
    return ascii((text.replace(token, "...") if token else text)[:500])[1:-1]


def _judged(bundle: bytes, trusted_root: Any, where: str) -> SignedByIdentity:
    """Have our own verifier judge a bundle, by the identity that its certificate names.

    Raises:
        KeylessFailed: It does not hold.
    """
    from verifier.evidence.sigstore.bundle import parse_bundle
    from verifier.evidence.sigstore.identity import make_identity
    from verifier.evidence.sigstore.roots import parse_trusted_root
    from verifier.evidence.sigstore.verify import verify_bundle
    from verifier.evidence.sigstore.x509 import oidc_issuers

    try:
        parsed = parse_bundle(bundle)
        root = parse_trusted_root(json.dumps(trusted_root).encode("utf-8"))
        certificate = parsed.certificate
        names = certificate.names if certificate is not None else ()
        issuers = oidc_issuers(certificate) if certificate is not None else []
        if not names or not issuers:
            raise KeylessFailed("the certificate names nobody", where=where)
        proved = verify_bundle(parsed, make_identity(issuers[0], names[0]), [root])
    except (KitError, ValueError) as error:
        what = error.message if isinstance(error, KitError) else str(error)
        raise KeylessFailed(f"the bundle does not verify: {what}", where=where) from None
    return SignedByIdentity(bundle + b"\n", proved.signer, proved.issuer)
