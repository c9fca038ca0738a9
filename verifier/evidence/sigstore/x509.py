"""X.509 certificates, version 3, as RFC 5280 profiles them and no more than sigstore needs."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.crypto import der
from verifier.evidence.sigstore import asn1
from verifier.evidence.sigstore.asn1 import Reader, context, oid, read
from verifier.evidence.sigstore.errors import CertificateMalformed
from verifier.evidence.sigstore.keys import PublicKey, parse_key, signature_hash
from verifier.typed import record

MAX_CERTIFICATE = 64 << 10  # bytes
MAX_EXTENSIONS = 64
MAX_SERIAL = 20  # bytes, RFC 5280 4.1.2.2

DIGITAL_SIGNATURE, KEY_CERT_SIGN = 1 << 0, 1 << 5  # RFC 5280 4.2.1.3

KEY_USAGE = oid("2.5.29.15")
ALTERNATIVE_NAME = oid("2.5.29.17")
BASIC_CONSTRAINTS = oid("2.5.29.19")
NAME_CONSTRAINTS = oid("2.5.29.30")
EXTENDED_KEY_USAGE = oid("2.5.29.37")
KEY_IDENTIFIER = oid("2.5.29.14")
EVALUATED = (KEY_USAGE, ALTERNATIVE_NAME, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE)

CODE_SIGNING = oid("1.3.6.1.5.5.7.3.3")
TIME_STAMPING = oid("1.3.6.1.5.5.7.3.8")
ANY_USE = oid("2.5.29.37.0")

_ISSUER_RAW = oid("1.3.6.1.4.1.57264.1.1")  # Fulcio's, the text as it is
_ISSUER = oid("1.3.6.1.4.1.57264.1.8")  # the same as a UTF8String
_OTHER_NAME = oid("1.3.6.1.4.1.57264.1.7")  # Fulcio's, for user names


@record(frozen=True)
class Certificate:
    """A certificate whose signature nobody has judged yet.

    Attributes:
        der: All of it.
        tbs: What its issuer signed.
        serial: Its number at the issuer.
        issuer: The issuer's name in DER; names are compared byte by byte.
        subject: The owner's.
        not_before: Milliseconds since the epoch; this moment belongs to the validity.
        not_after: The same.
        key: The owner's.
        algorithm: How the issuer signed, an AlgorithmIdentifier in DER.
        signature: The issuer's.
        extensions: From object identifier to value.
        critical: Which of them must be understood.
        ca: Whether its owner may issue certificates.
        path_length: How many authorities may follow below; None for any number.
        key_usage: Bits of RFC 5280 4.2.1.3; None if nothing is said.
        extended: Object identifiers of uses; None if nothing is said.
        names: The owner's alternative names, as text.
    """

    der: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    not_before: int
    not_after: int
    key: PublicKey
    algorithm: bytes
    signature: bytes
    extensions: Mapping[bytes, bytes]
    critical: frozenset[bytes]
    ca: bool
    path_length: int | None
    key_usage: int | None
    extended: tuple[bytes, ...] | None
    names: tuple[str, ...]

    @property
    def self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.issuer == self.subject

    @property
    def not_evaluated(self) -> list[bytes]:
        """What it demands to be understood, and is not evaluated here."""
        unknown = set(self.critical) - set(EVALUATED)
        return sorted(unknown | ({NAME_CONSTRAINTS} & self.extensions.keys()))

    def covers(self, moment: int) -> bool:
        """Whether a moment in milliseconds is within the validity, both ends included."""
        return self.not_before <= moment <= self.not_after

    def issued(self, other: Certificate) -> bool:
        """Whether the owner of this certificate signed another.

        Raises:
            EvidenceAlgorithmUnknown: By an algorithm that is not evaluated.
        """
        try:
            name = signature_hash(other.algorithm, self.key)
        except ValueError:
            return False
        return self.key.verify(other.tbs, other.signature, name)


def parse_certificate(data: bytes, where: str) -> Certificate:
    """Return a certificate in DER.

    Raises:
        CertificateMalformed: It is none.
    """
    if len(data) > MAX_CERTIFICATE:
        raise CertificateMalformed(f"more than {MAX_CERTIFICATE} bytes", where=where)
    try:
        return _certificate(data)
    except ValueError as error:
        raise CertificateMalformed(str(error), where=where) from None


def _certificate(data: bytes) -> Certificate:
    outer = read(data, "a certificate")
    tbs = outer.whole(der.SEQUENCE)
    algorithm, signature = outer.whole(der.SEQUENCE), outer.bits()
    outer.end()
    reader = read(tbs, "a certificate")
    version = reader.inside(context(0))
    if version.integer() != 2:
        raise ValueError("A certificate is of version 3.")
    version.end()
    serial = reader.integer()
    if not 0 <= serial < 1 << 8 * MAX_SERIAL:
        raise ValueError("A serial number is not negative and has at most 20 bytes.")
    if reader.whole(der.SEQUENCE) != algorithm:
        raise ValueError("A certificate names two signature algorithms.")
    issuer = reader.whole(der.SEQUENCE)
    validity = reader.inside()
    times = _moment(validity), _moment(validity)
    validity.end()
    subject, key = reader.whole(der.SEQUENCE), parse_key(reader.whole(der.SEQUENCE))
    found: dict[bytes, bytes] = {}
    critical: set[bytes] = set()
    if reader.tag >= 0:
        extensions = reader.inside(context(3))
        _read_extensions(extensions.inside(), found, critical)
        extensions.end()
    reader.end()
    ca, path_length = _basic_constraints(found.get(BASIC_CONSTRAINTS))
    return Certificate(
        *(data, tbs, serial, issuer, subject, *times, key, algorithm, signature),
        *(found, frozenset(critical), ca, path_length),
        _key_usage(found.get(KEY_USAGE)),
        _extended(found.get(EXTENDED_KEY_USAGE)),
        tuple(_names(found.get(ALTERNATIVE_NAME))),
    )


def _moment(reader: Reader) -> int:
    """Return one end of a validity, which has no fractions (RFC 5280 4.1.2.5.2)."""
    moment = reader.time()
    if moment % 1000:
        raise ValueError("The validity of a certificate has fractions of a second.")
    return moment


def _read_extensions(reader: Reader, found: dict[bytes, bytes], critical: set[bytes]) -> None:
    while reader.tag >= 0:
        extension = reader.inside()
        name = extension.oid()
        if extension.tag == asn1.BOOLEAN:
            if not extension.boolean():
                raise ValueError("A default is spelled out, which DER does not.")
            critical.add(name)
        if name in found or len(found) == MAX_EXTENSIONS:
            raise ValueError("A certificate has an extension twice, or too many.")
        found[name] = extension.take(asn1.OCTET_STRING)
        extension.end()
    if not found:
        raise ValueError("A certificate has an empty list of extensions.")


def _basic_constraints(value: bytes | None) -> tuple[bool, int | None]:
    if value is None:
        return False, None
    reader = read(value, "basic constraints")
    ca = reader.boolean() if reader.tag == asn1.BOOLEAN else None
    length = reader.integer() if reader.tag == der.INTEGER else None
    reader.end()
    if ca is False or (length is not None and (length < 0 or not ca)):
        raise ValueError("Basic constraints spell out a default, or a length that is none.")
    return bool(ca), length


def _key_usage(value: bytes | None) -> int | None:
    if value is None:
        return None
    reader = Reader(value, "key usage")
    flags = reader.flags()
    reader.end()
    return flags


def _extended(value: bytes | None) -> tuple[bytes, ...] | None:
    if value is None:
        return None
    reader = read(value, "extended key usage")
    uses = [reader.oid()]
    while reader.tag >= 0:
        uses.append(reader.oid())
    return tuple(uses)


def _names(value: bytes | None) -> list[str]:
    """Return e-mail addresses, URIs and Fulcio's user names (RFC 5280 4.2.1.6)."""
    names: list[str] = []
    if value is None:
        return names
    reader = read(value, "alternative names")
    while reader.tag >= 0:
        if reader.tag in (context(1, constructed=False), context(6, constructed=False)):
            names.append(reader.take(reader.tag).decode("ascii"))
        elif reader.tag == context(0):
            other = reader.inside(context(0))
            if other.oid() == _OTHER_NAME:
                text = other.inside(context(0))
                names.append(text.take(asn1.UTF8_STRING).decode("utf-8"))
                text.end()
                other.end()
        else:
            reader.any()
    return names


def oidc_issuers(certificate: Certificate) -> list[str]:
    """Return what the certificate says of who vouched for its owner; two spellings may be there.

    Raises:
        CertificateMalformed: One of them is no text.
    """
    found = []
    try:
        if _ISSUER in certificate.extensions:
            reader = Reader(certificate.extensions[_ISSUER], "the issuer")
            found.append(reader.take(asn1.UTF8_STRING).decode("utf-8"))
            reader.end()
        if _ISSUER_RAW in certificate.extensions:
            found.append(certificate.extensions[_ISSUER_RAW].decode("utf-8"))
    except ValueError as error:
        raise CertificateMalformed(str(error), where="the issuer of an identity") from None
    return found
