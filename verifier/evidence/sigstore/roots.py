"""trusted_root.json: which authorities, logs and timestamp authorities a host believes, and when.

A bundle is held to one trusted root as a whole; what one names never counts together with another.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone

from verifier.core.errors import KitError
from verifier.crypto import der
from verifier.evidence.errors import EvidenceFormUnknown
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.sigstore.chain import Authority
from verifier.evidence.sigstore.errors import TrustedRootMalformed
from verifier.evidence.sigstore.keys import PublicKey, parse_key
from verifier.evidence.sigstore.x509 import Certificate, parse_certificate
from verifier.typed import record

MEDIA_TYPES = (
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)
MAX_TRUSTED_ROOT = 4 << 20  # bytes; the public-good one has 7 KiB
MAX_ENTRIES = 64  # of each list
_WHERE = "trusted root"
_HASHED = re.compile("_SHA_?(256|384|512)$")  # such as PKIX_ECDSA_P384_SHA_384
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")


@record(frozen=True)
class Log:
    """A transparency log, of certificates or of signatures.

    Attributes:
        key_id: What entries and SCTs call it.
        checkpoint_id: Whose first four bytes stand before a signature of its checkpoints.
        key: Its public key.
        hash_name: The hash that its signatures of entries and checkpoints are over; an SCT names
            its own.
        start: From when on it counts, in milliseconds since the epoch.
        end: Until when, both included; None if it has no end.
    """

    key_id: bytes
    checkpoint_id: bytes
    key: PublicKey
    hash_name: str
    start: int
    end: int | None

    def covers(self, moment: int) -> bool:
        """Whether the log counts at a moment."""
        return self.start <= moment and (self.end is None or moment <= self.end)


@record(frozen=True)
class TrustedRoot:
    """What one trusted_root.json says.

    Attributes:
        sha256: Of the file; a policy names it by this.
        authorities: Who issues certificates to signers.
        logs: Where signatures are logged.
        ct_logs: Where certificates are logged.
        timestamps: Whose timestamps count.
    """

    sha256: str
    authorities: tuple[Authority, ...]
    logs: tuple[Log, ...]
    ct_logs: tuple[Log, ...]
    timestamps: tuple[Authority, ...]


def parse_trusted_root(data: bytes) -> TrustedRoot:
    """Return the trusted root in a file of this host.

    Raises:
        TrustedRootMalformed: It is none.
        EvidenceFormUnknown: It is one of another version.
    """
    if len(data) > MAX_TRUSTED_ROOT:
        raise TrustedRootMalformed(f"more than {MAX_TRUSTED_ROOT} bytes", where=_WHERE)
    try:
        value = parse_foreign(data, _WHERE)
    except KitError as error:
        raise TrustedRootMalformed(error.message, where=_WHERE) from None
    fields = Fields(value, _WHERE, TrustedRootMalformed)
    kind = fields.text("mediaType")
    if kind not in MEDIA_TYPES:
        raise EvidenceFormUnknown(f"a trusted root of type {kind[:80]!r}", where=_WHERE)
    return TrustedRoot(
        hashlib.sha256(data).hexdigest(),
        _authorities(fields, "certificateAuthorities"),
        _logs(fields, "tlogs"),
        _logs(fields, "ctlogs"),
        _authorities(fields, "timestampAuthorities"),
    )


def _authorities(fields: Fields, name: str) -> tuple[Authority, ...]:
    found = []
    for each in fields.each(name, MAX_ENTRIES):
        chain = tuple(
            _certificate(one) for one in each.at("certChain").each("certificates", MAX_ENTRIES)
        )
        period = _valid_for(each)
        if chain:  # without a certificate it names nobody, and lends nobody its period
            found.append(Authority(chain, *period))
    return tuple(found)


def _certificate(fields: Fields) -> Certificate:
    try:
        return parse_certificate(fields.data("rawBytes"), fields.where)
    except TrustedRootMalformed:
        raise
    except KitError as error:
        raise TrustedRootMalformed(error.message, where=fields.where) from None


def _logs(fields: Fields, name: str) -> tuple[Log, ...]:
    found = []
    for each in fields.each(name, MAX_ENTRIES):
        key = each.at("publicKey")
        key_id = each.at("logId").data("keyId")
        named = each.has("checkpointKeyId")
        checkpoint_id = each.at("checkpointKeyId").data("keyId") if named else key_id
        public = _key(key)
        found.append(Log(key_id, checkpoint_id, public, _hash(key, public), *_valid_for(key)))
    return tuple(found)


def _hash(fields: Fields, key: PublicKey) -> str:
    """Return the hash that goes with a log's key: by its details, else by its kind."""
    named = _HASHED.search(fields.text("keyDetails") if fields.has("keyDetails") else "")
    return f"sha{named[1]}" if named is not None else key.hash_name


def _key(fields: Fields) -> PublicKey:
    """Return a log's key; one that is not evaluated matters only when its log is asked."""
    data = fields.data("rawBytes")
    if fields.has("keyDetails") and fields.text("keyDetails").startswith("PKCS1_RSA"):
        from verifier.crypto import rsa

        null = der.element(der.NULL, b"")
        kind = der.element(der.OBJECT_IDENTIFIER, rsa.RSA_ENCRYPTION) + null
        bits = der.element(der.BIT_STRING, b"\0" + data)
        data = der.element(der.SEQUENCE, der.element(der.SEQUENCE, kind) + bits)
    try:
        return parse_key(data)
    except ValueError as error:
        raise fields.wrong(str(error), "rawBytes") from None


def _valid_for(fields: Fields) -> tuple[int, int | None]:
    """Return the first and last moment of ``validFor``; only the last may be missing."""
    period = fields.at("validFor")
    end = _time(period, "end") if period.has("end") else None
    return _time(period, "start"), end


def _time(fields: Fields, name: str) -> int:
    found = _TIME.fullmatch(fields.text(name))
    try:
        if found is None:
            raise ValueError
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc)
    except ValueError:
        raise fields.wrong("not a time in UTC", name) from None
    return int(whole.timestamp()) * 1000 + int((found[2] or "")[:3].ljust(3, "0"))
