"""Who must have signed: an identity at an issuer, or a public key.  A policy says who."""

from __future__ import annotations

import hashlib
import re

from verifier.evidence.sigstore.errors import CertificateMalformed, IdentityMismatch, IssuerMismatch
from verifier.evidence.sigstore.keys import PublicKey, parse_key_pem
from verifier.evidence.sigstore.x509 import Certificate, oidc_issuers
from verifier.typed import record

_WHERE = "certificate"
_WORKFLOW = re.compile(
    r"(?P<host>https://[^/*@ ]+/)(?P<repository>\*|[^/*@ ]+/(?:\*|[^/*@ ]+))"
    r"(?P<folder>/\.github/workflows/)(?P<file>\*|[^/*@ ]+)@(?P<ref>\*|[^* ]+)"
)


@record(frozen=True)
class Identity:
    """Somebody whom an OIDC issuer knows.

    Attributes:
        issuer: The issuer's URL, exact.
        name: An e-mail address, a URI or a user name, exact; in the URI of a workflow a ``*`` may
            stand for the whole of OWNER/REPOSITORY, of REPOSITORY, of the file or of the ref.
    """

    issuer: str
    name: str


@record(frozen=True)
class Key:
    """The owner of a public key."""

    public: PublicKey

    @property
    def sha256(self) -> str:
        """SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal."""
        return hashlib.sha256(self.public.spki).hexdigest()


def make_identity(issuer: str, name: str) -> Identity:
    """Return an identity as a policy writes it.

    Raises:
        ValueError: It is empty, or a ``*`` stands where it may not.
    """
    if not issuer or not name or "*" in issuer:
        raise ValueError("an identity has an exact issuer and a name")
    if "*" in name and not _WORKFLOW.fullmatch(name):
        raise ValueError("a * stands for the whole of a repository, workflow file or ref only")
    return Identity(issuer, name)


def make_key(pem: str) -> Key:
    """Return a key in PEM as a signer.

    Raises:
        ValueError: It is none.
    """
    return Key(parse_key_pem(pem))


def matches(pattern: str, name: str) -> bool:
    """Return whether a name is one that a policy means."""
    parts = _WORKFLOW.fullmatch(pattern)
    if "*" not in pattern or parts is None:
        return name == pattern
    repository = parts["repository"]
    one = "[^/@ ]+"
    wanted = {"*": f"{one}/{one}"}.get(repository, re.escape(repository).replace(r"\*", one))
    file = one if parts["file"] == "*" else re.escape(parts["file"])
    ref = "[!-~]+" if parts["ref"] == "*" else re.escape(parts["ref"])
    host, folder = re.escape(parts["host"]), re.escape(parts["folder"])
    return re.fullmatch(f"{host}{wanted}{folder}{file}@{ref}", name) is not None


def check_identity(certificate: Certificate, wanted: Identity) -> str:
    """Return the name in a certificate that is the one wanted.

    Raises:
        IdentityMismatch: It was issued to somebody else.
        IssuerMismatch: Another issuer, or none, vouched for its owner.
        CertificateMalformed: It does not say clearly who did.
    """
    issuers = oidc_issuers(certificate)
    found = [name for name in certificate.names if matches(wanted.name, name)]
    if not found:
        names = ", ".join(map(repr, certificate.names)) or "nobody"
        raise IdentityMismatch(f"issued to {names[:400]}, not to {wanted.name!r}", where=_WHERE)
    if len(set(issuers)) > 1:
        raise CertificateMalformed("it names two issuers", where=_WHERE)
    if not issuers or issuers[0] != wanted.issuer:
        named = repr(issuers[0][:200]) if issuers else "nobody"
        raise IssuerMismatch(f"vouched for by {named}, not by {wanted.issuer!r}", where=_WHERE)
    return found[0]
