"""From a certificate to an authority of the trusted root (RFC 5280 6.1, without policies)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from verifier.core.errors import KitError
from verifier.evidence.sigstore.asn1 import show_time
from verifier.evidence.sigstore.errors import (
    CertificateExpired,
    CertificateMisused,
    CertificateUnknownExtension,
    CertificateUntrusted,
)
from verifier.evidence.sigstore.x509 import ANY_USE, KEY_CERT_SIGN, Certificate
from verifier.typed import record

MAX_ABOVE = 5  # certificates above the signer's
_WHERE = "certificate"
MAX_SIGNATURES = 24  # that are judged to find one chain


@record(frozen=True)
class Authority:
    """An authority of a trusted root: Fulcio's or a timestamp authority's.

    Attributes:
        chain: Its certificates; the last is where trust begins.
        start: From when on it counts, in milliseconds since the epoch.
        end: Until when, both included; None if it has no end.
    """

    chain: tuple[Certificate, ...]
    start: int
    end: int | None

    def covers(self, moment: int) -> bool:
        """Whether the authority counts at a moment."""
        return self.start <= moment and (self.end is None or moment <= self.end)


def find_chain(
    leaf: Certificate,
    authority: Authority,
    given: Sequence[Certificate],
    use: bytes,
    moments: Sequence[int],
) -> list[Certificate]:
    """Return the certificates from ``leaf`` to the last of the authority, all good at all moments.

    Args:
        leaf: A certificate that may not be one of the authority's own.
        authority: Whose last certificate is trusted as it is.
        given: More certificates that may lie between; nothing is believed of them.
        use: The extended key usage that certificates between must not forbid.
        moments: Milliseconds since the epoch.

    Raises:
        CertificateUntrusted: There is no chain of valid signatures.
        KitError: There is one, and what is said of it is why it does not hold.
    """
    between = [*authority.chain[:-1], *given]
    budget = [MAX_SIGNATURES]
    fault: KitError = CertificateUntrusted(
        "issued by no authority of the trusted root", where=_WHERE
    )
    for chain in _chains([leaf], between, authority.chain[-1], budget):
        try:
            _check_chain(chain, use, moments)
            return chain
        except KitError as error:
            fault = error
    raise fault


def _chains(
    below: list[Certificate], between: Sequence[Certificate], anchor: Certificate, budget: list[int]
) -> Iterator[list[Certificate]]:
    """Yield every way up to ``anchor`` along valid signatures, the shortest first."""
    last = below[-1]
    if last.der == anchor.der:
        yield below
        return
    if last.issuer == anchor.subject and _issued(anchor, last, budget):
        yield [*below, anchor]
    if len(below) >= MAX_ABOVE:
        return
    for each in between:
        seen = any(each.key.spki == other.key.spki for other in below)
        if last.issuer == each.subject and not seen and _issued(each, last, budget):
            yield from _chains([*below, each], between, anchor, budget)


def _issued(issuer: Certificate, other: Certificate, budget: list[int]) -> bool:
    budget[0] -= 1
    return budget[0] >= 0 and issuer.issued(other)


def _check_chain(chain: Sequence[Certificate], use: bytes, moments: Sequence[int]) -> None:
    for certificate in chain:
        if certificate.not_evaluated:
            names = ", ".join(name.hex() for name in certificate.not_evaluated)
            raise CertificateUnknownExtension(f"not evaluated here: OID {names}", where=_WHERE)
    below = 0  # authorities that follow below, but for those that only renew their own
    for certificate in chain[1:]:
        _check_authority(certificate, use, below)
        below += not certificate.self_signed
    for moment in moments:
        for certificate in chain:
            if not certificate.covers(moment):
                raise CertificateExpired(
                    f"valid from {show_time(certificate.not_before)} to"
                    f" {show_time(certificate.not_after)}, not at {show_time(moment)}",
                    where=_WHERE,
                )


def _check_authority(certificate: Certificate, use: bytes, below: int) -> None:
    usage, extended = certificate.key_usage, certificate.extended
    if not certificate.ca or (usage is not None and not usage & KEY_CERT_SIGN):
        raise CertificateMisused(
            "a certificate that is not of an authority issued another", where=_WHERE
        )
    if certificate.path_length is not None and below > certificate.path_length:
        raise CertificateMisused("an authority allows fewer authorities below it", where=_WHERE)
    if extended is not None and use not in extended and ANY_USE not in extended:
        raise CertificateMisused(
            "an authority may not issue certificates for this use", where=_WHERE
        )
