"""Timestamps of RFC 3161: an authority saw a signature at a time (CMS, RFC 5652, in DER).

The signer of a timestamp is the first certificate of an authority of the trusted root, if it is one
for time stamping; else a certificate that came with the timestamp and leads to the authority.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from verifier.core.errors import KitError
from verifier.crypto import der
from verifier.evidence.errors import EvidenceAlgorithmUnknown
from verifier.evidence.sigstore import asn1
from verifier.evidence.sigstore.asn1 import Reader, context, oid, read, show_time
from verifier.evidence.sigstore.chain import Authority, find_chain
from verifier.evidence.sigstore.errors import (
    CertificateMisused,
    CertificateUntrusted,
    TimestampInvalid,
    TimestampMalformed,
    TimestampUntrusted,
)
from verifier.evidence.sigstore.keys import HASHES, digest_name, signature_hash
from verifier.evidence.sigstore.x509 import (
    DIGITAL_SIGNATURE,
    EXTENDED_KEY_USAGE,
    KEY_IDENTIFIER,
    TIME_STAMPING,
    Certificate,
    parse_certificate,
)
from verifier.typed import record

MAX_TIMESTAMP = 256 << 10  # bytes
MAX_CERTIFICATES = 10
_WHERE = "timestamp"
_SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_TST_INFO = oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE = oid("1.2.840.113549.1.9.16.2.12")  # by SHA-1, RFC 2634 5.4
_SIGNING_CERTIFICATE_2 = oid("1.2.840.113549.1.9.16.2.47")  # RFC 5035 3
_ANY_SIGNATURE = (  # that name a key and leave the hash to the digest algorithm (RFC 5754 3)
    oid("1.2.840.113549.1.1.1"),
    oid("1.2.840.10045.2.1"),
)


@record(frozen=True)
class Token:
    """A timestamp whose signature nobody has judged yet.

    Attributes:
        moment: What it says, in milliseconds since the epoch.
        imprint: Hash and digest of what it is about.
        info: What it says, in DER.
        signed: The signed attributes, as they are signed.
        attributes: From object identifier to the one value of each, in DER.
        hash_name: The digest of the signed attributes and of ``info``.
        algorithm: The signature algorithm in DER; empty if it is the key's with ``hash_name``.
        signature: The authority's.
        signer: Issuer and serial number, or a key identifier.
        given: Certificates that came with it.
    """

    moment: int
    imprint: tuple[str, bytes]
    info: bytes
    signed: bytes
    attributes: dict[bytes, bytes]
    hash_name: str
    algorithm: bytes
    signature: bytes
    signer: tuple[bytes, int] | bytes
    given: tuple[Certificate, ...]


def check_timestamp(data: bytes, message: bytes, authorities: Sequence[Authority]) -> int:
    """Return when an authority of the trusted root saw ``message``, in milliseconds.

    Raises:
        TimestampMalformed: It is no timestamp.
        TimestampUntrusted: None of the authorities made it, or not one that counts at that time.
        TimestampInvalid: It is about something else, or its signature is wrong.
        KitError: The chain of its certificate does not hold.
    """
    token = parse_token(data)
    name, digest = token.imprint
    if hashlib.new(name, message).digest() != digest:
        raise TimestampInvalid("it is about another signature", where=_WHERE)
    fault: KitError = TimestampUntrusted(
        "made by no timestamp authority of the trusted root", where=_WHERE
    )
    for authority in authorities:
        for signer in _signers(token, authority):
            try:
                return _check_signer(token, signer, authority)
            except CertificateUntrusted:
                continue
            except KitError as error:
                fault = error
    raise fault


def _signers(token: Token, authority: Authority) -> list[Certificate]:
    """Return who may have signed: certificates that the token names as its signer's."""
    first = authority.chain[0]
    possible = list(token.given) if first.ca else [first]
    if isinstance(token.signer, bytes):
        name = der.element(asn1.OCTET_STRING, token.signer)
        possible = [each for each in possible if each.extensions.get(KEY_IDENTIFIER) == name]
    else:
        possible = [each for each in possible if (each.issuer, each.serial) == token.signer]
    hash_name, digest = _own_certificate(token)
    return [
        each
        for each in possible
        if hashlib.new(hash_name, each.der, usedforsecurity=False).digest() == digest
    ]


def _check_signer(token: Token, signer: Certificate, authority: Authority) -> int:
    """Hold a token to the certificate of its signer, and that to its authority."""
    find_chain(signer, authority, token.given, TIME_STAMPING, [token.moment])
    if not authority.covers(token.moment):
        raise TimestampUntrusted(
            f"the trusted root does not name its authority at {show_time(token.moment)}",
            where=_WHERE,
        )
    usage = signer.key_usage
    if (
        signer.ca
        or signer.extended != (TIME_STAMPING,)
        or EXTENDED_KEY_USAGE not in signer.critical
        or (usage is not None and not usage & DIGITAL_SIGNATURE)
    ):
        raise CertificateMisused("its certificate is not for time stamping alone", where=_WHERE)
    _check_attributes(token)
    try:
        named = token.algorithm and signature_hash(token.algorithm, signer.key)
    except ValueError as error:
        raise TimestampInvalid(str(error), where=_WHERE) from None
    if not signer.key.verify(token.signed, token.signature, named or token.hash_name):
        raise TimestampInvalid("the authority did not sign it", where=_WHERE)
    return token.moment


def _check_attributes(token: Token) -> None:
    """Hold the signed attributes to what they are about (RFC 5652 11.1, 11.2)."""
    digest = hashlib.new(token.hash_name, token.info).digest()
    attributes = token.attributes
    if attributes.get(_CONTENT_TYPE) != der.element(der.OBJECT_IDENTIFIER, _TST_INFO):
        raise TimestampInvalid("its signature is over another kind of content", where=_WHERE)
    if attributes.get(_MESSAGE_DIGEST) != der.element(asn1.OCTET_STRING, digest):
        raise TimestampInvalid("its signature is over another content", where=_WHERE)


def _own_certificate(token: Token) -> tuple[str, bytes]:
    """Return hash and digest of the certificate that a token says is its signer's (RFC 5035 3, 4).

    Raises:
        TimestampInvalid: It says nothing of it, which RFC 5816 2.2.1 demands.
        TimestampMalformed: What it says cannot be read.
    """
    newer = token.attributes.get(_SIGNING_CERTIFICATE_2)
    value = newer or token.attributes.get(_SIGNING_CERTIFICATE)
    if value is None:
        raise TimestampInvalid("it does not say whose certificate is its own", where=_WHERE)
    try:
        first = read(value, "a signing certificate").inside().inside()
        name = "sha256" if newer else "sha1"
        if newer and first.tag == der.SEQUENCE:
            name = digest_name(first.whole(der.SEQUENCE))
        return name, first.take(asn1.OCTET_STRING)
    except ValueError as error:
        raise TimestampMalformed(str(error), where=_WHERE) from None


def parse_token(data: bytes) -> Token:
    """Return the token in a TimeStampResp.

    Raises:
        TimestampMalformed: It is none, or a refusal to give one.
        EvidenceAlgorithmUnknown: It is by an algorithm that is not evaluated.
        CertificateMalformed: A certificate in it is none.
    """
    if len(data) > MAX_TIMESTAMP:
        raise TimestampMalformed(f"more than {MAX_TIMESTAMP} bytes", where=_WHERE)
    try:
        response = read(data, "a timestamp")
        if response.inside().integer() not in (0, 1):  # granted, with modifications
            raise ValueError("The timestamp was not granted.")
        token = response.inside()
        response.end()
        return _signed_data(Reader(_contents(token, _SIGNED_DATA, der.SEQUENCE), "a timestamp"))
    except ValueError as error:
        raise TimestampMalformed(str(error), where=_WHERE) from None


def _contents(reader: Reader, kind: bytes, tag: int) -> bytes:
    """Return the contents of the one element in a ContentInfo of this kind."""
    if reader.oid() != kind:
        raise ValueError("The timestamp holds something else than a timestamp.")
    inner = reader.inside(context(0))
    reader.end()
    contents = inner.take(tag)
    inner.end()
    return contents


def _signed_data(reader: Reader) -> Token:
    """Return the token in a SignedData (RFC 5652 5.1)."""
    if reader.integer() not in (3, 4, 5):
        raise ValueError("SignedData is of a version that a timestamp does not have.")
    reader.take(asn1.SET)
    info = _contents(reader.inside(), _TST_INFO, asn1.OCTET_STRING)
    given: list[Certificate] = []
    if reader.tag == context(0):
        certificates = reader.inside(context(0))
        while certificates.tag >= 0:
            whole = certificates.any()
            if whole[0] == der.SEQUENCE:
                given.append(parse_certificate(whole, _WHERE))
            if len(given) > MAX_CERTIFICATES:
                raise ValueError(f"The timestamp has more than {MAX_CERTIFICATES} certificates.")
    reader.skip(context(1))
    signers = reader.inside(asn1.SET)
    reader.end()
    signer = signers.inside()
    signers.end()
    moment, imprint = _tst_info(read(info, "a timestamp"))
    return Token(moment, imprint, info, *_signer_info(signer), tuple(given))


def _signer_info(
    reader: Reader,
) -> tuple[bytes, dict[bytes, bytes], str, bytes, bytes, tuple[bytes, int] | bytes]:
    """Return what a SignerInfo says (RFC 5652 5.3)."""
    version = reader.integer()
    signer: tuple[bytes, int] | bytes
    if version == 1:
        named = reader.inside()
        signer = named.whole(der.SEQUENCE), named.integer()
        named.end()
    elif version == 3:
        signer = reader.take(context(0, constructed=False))
    else:
        raise ValueError("SignerInfo is of a version that does not exist.")
    hash_name = digest_name(reader.whole(der.SEQUENCE))
    inner = reader.take(context(0))
    signed = der.element(asn1.SET, inner)  # it is signed as a SET, whatever its tag (RFC 5652 5.4)
    algorithm = reader.whole(der.SEQUENCE)
    if read(algorithm, "a signature algorithm").oid() in _ANY_SIGNATURE:
        algorithm = b""
    signature = reader.take(asn1.OCTET_STRING)
    reader.skip(context(1))
    reader.end()
    return signed, _attributes(inner), hash_name, algorithm, signature, signer


def _attributes(data: bytes) -> dict[bytes, bytes]:
    reader = Reader(data, "signed attributes")
    found: dict[bytes, bytes] = {}
    while reader.tag >= 0:
        attribute = reader.inside()
        name, values = attribute.oid(), attribute.inside(asn1.SET)
        attribute.end()
        if name in found:
            raise ValueError("A signed attribute is there twice.")
        found[name] = values.any()
        values.end()
    return found


def _tst_info(reader: Reader) -> tuple[int, tuple[str, bytes]]:
    """Return time and imprint of a TSTInfo (RFC 3161 2.4.2)."""
    if reader.integer() != 1:
        raise ValueError("TSTInfo is of version 1.")
    reader.oid()
    imprint = reader.inside()
    name, digest = digest_name(imprint.whole(der.SEQUENCE)), imprint.take(asn1.OCTET_STRING)
    imprint.end()
    if len(digest) != HASHES[name]:
        raise ValueError("The imprint has another length than its hash.")
    reader.integer()  # serial number
    if reader.tag != asn1.GENERALIZED_TIME:
        raise ValueError("The time of a timestamp is a GeneralizedTime.")
    moment = reader.time()
    reader.skip(der.SEQUENCE)  # accuracy
    if reader.tag == asn1.BOOLEAN:
        reader.boolean()  # ordering
    reader.skip(der.INTEGER)  # nonce
    reader.skip(context(0))  # the authority's name
    if reader.tag == context(1):
        raise EvidenceAlgorithmUnknown("a timestamp with extensions", where=_WHERE)
    reader.end()
    return moment, (name, digest)
