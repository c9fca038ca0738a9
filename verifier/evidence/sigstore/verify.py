"""The order in which a bundle is verified, from top to bottom.

Who signed is established before what was signed is parsed: a statement is read only when its
signature, its certificate and its log have been found good under one trusted root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from verifier.core.errors import KitError
from verifier.evidence.errors import ArtifactNeeded, EvidenceMalformed, SubjectMismatch
from verifier.evidence.sigstore.bundle import Bundle, LogEntry, Message
from verifier.evidence.sigstore.chain import find_chain
from verifier.evidence.sigstore.entries import Signed, check_entry
from verifier.evidence.sigstore.errors import (
    BundleSignatureInvalid,
    CertificateMisused,
    CertificateUntrusted,
    LogEntryMissing,
    LogUntrusted,
    SctUntrusted,
    SignerKindMismatch,
    SigningTimeMissing,
    TimestampUntrusted,
    TrustedRootMissing,
)
from verifier.evidence.sigstore.identity import Identity, Key, check_identity
from verifier.evidence.sigstore.keys import HASHES, PublicKey
from verifier.evidence.sigstore.rekor import check_inclusion, check_period, promised_time
from verifier.evidence.sigstore.roots import Log, TrustedRoot
from verifier.evidence.sigstore.sct import check_scts
from verifier.evidence.sigstore.timestamp import check_timestamp
from verifier.evidence.sigstore.x509 import CODE_SIGNING, DIGITAL_SIGNATURE, Certificate
from verifier.evidence.statement import Statement, check_subject, parse_statement
from verifier.typed import field, record

LOG, TIMESTAMP = "log", "timestamp"
_WHERE = "bundle"
_OF_ANOTHER_ROOT = (  # what is said of a bundle that belongs to another trusted root
    CertificateUntrusted,
    LogEntryMissing,
    LogUntrusted,
    SctUntrusted,
    SigningTimeMissing,
    TimestampUntrusted,
)


@record(frozen=True)
class Artifact:
    """What evidence is asked about.

    Attributes:
        digests: From ``sha256``, ``sha384`` or ``sha512`` to lower-case hexadecimal digits.
        content: The artifact itself, where it is at hand and small; Ed25519 needs it.
    """

    digests: Mapping[str, str]
    content: bytes | None = None


@record(frozen=True)
class VerifiedBundle:
    """What a bundle proves.

    Attributes:
        signer: The identity in the certificate; for a key, SHA-256 of its SubjectPublicKeyInfo.
        issuer: Who vouched for the identity; empty for a key.
        signed_at: The earliest verified time, in seconds since the epoch; None if there is none.
        time_from: Whose word that is: a ``log``'s or a ``timestamp``'s; empty if there is none.
        trusted_root: SHA-256 of the trusted root that it holds under; empty if none was needed.
        logged: How many entries of logs were judged.
        statement: What was signed, if it is a statement.
        digest: Algorithm and hexadecimal digits of what was signed, if it is an artifact.
    """

    signer: str
    issuer: str
    signed_at: int | None
    time_from: str
    trusted_root: str
    logged: int
    statement: Statement | None = None
    digest: tuple[str, str] | None = None


@record
class _Facts:
    """What has been established on the way."""

    times: list[tuple[int, str]] = field(default_factory=list)
    entries: list[tuple[LogEntry, list[Log]]] = field(default_factory=list)
    signer: str = ""
    issuer: str = ""


def verify_bundle(
    bundle: Bundle,
    wanted: Identity | Key,
    trusted_roots: Sequence[TrustedRoot] = (),
    artifact: Artifact | None = None,
) -> VerifiedBundle:
    """Return what a bundle proves about whom policy names, under one of several trusted roots.

    With a key nothing of a trusted root is needed; where one is given, what it names is required.

    Args:
        bundle: From `verifier.evidence.sigstore.bundle.parse_bundle`.
        wanted: Who must have signed.
        trusted_roots: Those that the policy names and this host has.
        artifact: What it must be about; None if the caller compares the result by itself.

    Raises:
        TrustedRootMissing: An identity is asked for and no trusted root is given.
        KitError: The bundle does not hold, or cannot be judged.
    """
    if isinstance(wanted, Identity) != (bundle.certificate is not None):
        raise SignerKindMismatch(
            "an identity is asked for, and a key signed"
            if isinstance(wanted, Identity)
            else "a key is asked for, and an identity signed",
            where=_WHERE,
        )
    if not trusted_roots:
        if isinstance(wanted, Identity):
            raise TrustedRootMissing("none was given", where=_WHERE)
        return _verify(bundle, wanted, None, artifact)
    faults: list[KitError] = []
    for root in trusted_roots:
        try:
            return _verify(bundle, wanted, root, artifact)
        except KitError as error:
            faults.append(error)
    nearest = [fault for fault in faults if not isinstance(fault, _OF_ANOTHER_ROOT)]
    raise (nearest or faults)[0]


def _verify(
    bundle: Bundle, wanted: Identity | Key, root: TrustedRoot | None, artifact: Artifact | None
) -> VerifiedBundle:
    facts = _Facts()
    if root is not None:
        _establish_times(bundle, root, facts)
    if root is not None and root.logs:
        _check_logged(bundle, facts)
    if isinstance(wanted, Key):
        key, facts.signer = wanted.public, wanted.sha256
    else:
        assert root is not None
        assert bundle.certificate is not None
        key = bundle.certificate.key
        _check_certificate(bundle.certificate, bundle, wanted, root, facts)
    digests = _check_signature(bundle, key, artifact)
    certificate = bundle.certificate.der if bundle.certificate is not None else b""
    signed = Signed(certificate, key.spki, bundle.signature, bundle.envelope, digests)
    for entry, _ in facts.entries:
        check_entry(entry, signed)
    moment, source = min(facts.times, default=(None, ""))
    return VerifiedBundle(
        facts.signer,
        facts.issuer,
        None if moment is None else moment // 1000,
        source,
        root.sha256 if root is not None else "",
        len(facts.entries),
        _statement(bundle, artifact),
        None if bundle.message is None else _signed_digest(bundle.message, key, digests),
    )


def _establish_times(bundle: Bundle, root: TrustedRoot, facts: _Facts) -> None:
    """Note when the signature was made, as far as somebody whom the root names says it.

    Timestamps and entries by others prove nothing and are passed over.  What is by those whom the
    root names must be good, all of it.
    """
    _refuse_twice(bundle)
    fault: KitError | None = None
    for data in bundle.timestamps if root.timestamps else ():
        try:
            moment = check_timestamp(data, bundle.signature, root.timestamps)
            facts.times.append((moment, TIMESTAMP))
        except TimestampUntrusted as error:
            fault = error
    for entry in bundle.entries:
        logs = [log for log in root.logs if log.key_id == entry.log_id]
        if logs:
            promised = promised_time(entry, logs)
            facts.entries.append((entry, logs))
            if promised is not None:
                facts.times.append((promised, LOG))
    if bundle.certificate is not None and not facts.times:
        if fault is None and bundle.entries and root.logs and not facts.entries:
            fault = LogUntrusted("in no log that the trusted root names", where="log entry")
        raise fault or SigningTimeMissing("no verified time", where=_WHERE)


def _refuse_twice(bundle: Bundle) -> None:
    places = [(entry.log_id, entry.index, entry.body) for entry in bundle.entries]
    if len(set(places)) != len(places) or len(set(bundle.timestamps)) != len(bundle.timestamps):
        raise EvidenceMalformed("it has a log entry or a timestamp twice", where=_WHERE)


def _check_certificate(
    leaf: Certificate, bundle: Bundle, wanted: Identity, root: TrustedRoot, facts: _Facts
) -> None:
    """Hold the signer's certificate to its authority, its use, its log and the identity."""
    moments = [moment for moment, _ in facts.times]
    usage = leaf.key_usage
    chain = _chain(leaf, bundle.given, root, moments)
    if (
        leaf.ca
        or CODE_SIGNING not in (leaf.extended or ())
        or (usage is not None and not usage & DIGITAL_SIGNATURE)
    ):
        raise CertificateMisused("the certificate is not for code signing", where="certificate")
    if root.ct_logs:
        check_scts(leaf, chain[1] if len(chain) > 1 else leaf, root.ct_logs)
    facts.signer = check_identity(leaf, wanted)
    facts.issuer = wanted.issuer


def _chain(
    leaf: Certificate, given: Sequence[Certificate], root: TrustedRoot, moments: Sequence[int]
) -> list[Certificate]:
    """Return the chain of a certificate to an authority that counts at all moments."""
    fault: KitError = CertificateUntrusted(
        "issued by no authority of the trusted root", where="certificate"
    )
    for authority in root.authorities:
        try:
            chain = find_chain(leaf, authority, given, CODE_SIGNING, moments)
        except CertificateUntrusted:
            continue
        except KitError as error:
            fault = error
            continue
        if all(map(authority.covers, moments)):
            return chain
        fault = CertificateUntrusted(
            "the trusted root does not name its authority at that time", where="certificate"
        )
    raise fault


def _check_logged(bundle: Bundle, facts: _Facts) -> None:
    """Hold a bundle to the logs of the trusted root: an entry at least, and each with its proof."""
    if not bundle.entries:
        raise LogEntryMissing("the bundle has no log entry", where=_WHERE)
    if not facts.entries:
        raise LogUntrusted("in no log that the trusted root names", where="log entry")
    moments = [moment for moment, _ in facts.times]
    for entry, logs in facts.entries:
        check_inclusion(entry, check_period(logs, moments), bundle.version)


def _check_signature(bundle: Bundle, key: PublicKey, artifact: Artifact | None) -> dict[str, bytes]:
    """Hold the signature to the key; return digests of what it is over.

    Raises:
        BundleSignatureInvalid: It is not by the key.
        SubjectMismatch: It is over another artifact.
        ArtifactNeeded: It takes the artifact, or another digest of it, to judge.
        EvidenceAlgorithmUnknown: The key is of a kind that is not evaluated.
    """
    if bundle.envelope is not None:
        signed, signature = bundle.envelope.signed, bundle.signature
        names = [key.hash_name, *(name for name in HASHES if name != key.hash_name)]
        if not any(key.verify(signed, signature, name) for name in names):
            raise BundleSignatureInvalid("not by the key over the statement", where=_WHERE)
        return {name: hashlib.new(name, signed).digest() for name in HASHES}
    assert bundle.message is not None
    digests = _digests(bundle.message, key, artifact)
    name = bundle.message.hash_name or key.hash_name
    content = artifact.content if artifact is not None else None
    if key.signs_messages:
        if content is None:
            raise ArtifactNeeded("its signature is over the artifact itself", where=_WHERE)
        good = key.verify(content, bundle.signature, name)
    else:
        good = key.verify_digest(digests[name], bundle.signature, name)
    if not good:
        raise BundleSignatureInvalid("not by the key over the artifact", where=_WHERE)
    return digests


def _digests(message: Message, key: PublicKey, artifact: Artifact | None) -> dict[str, bytes]:
    """Return the digests of the artifact, of which one is what the message says it signed."""
    name = message.hash_name or key.hash_name
    if artifact is None:
        if not message.digest:
            raise ArtifactNeeded("it does not say what it is over", where=_WHERE)
        return {name: message.digest}
    digests = {each: bytes.fromhex(digits) for each, digits in artifact.digests.items()}
    if artifact.content is not None:
        digests[name] = hashlib.new(name, artifact.content).digest()
    if name not in digests:
        raise ArtifactNeeded(f"its signature is over {name} of the artifact", where=_WHERE)
    if message.digest and message.digest != digests[name]:
        raise SubjectMismatch(f"it is over another {name}", where=_WHERE)
    return digests


def _signed_digest(
    message: Message, key: PublicKey, digests: Mapping[str, bytes]
) -> tuple[str, str]:
    name = message.hash_name or key.hash_name
    return name, digests[name].hex()


def _statement(bundle: Bundle, artifact: Artifact | None) -> Statement | None:
    """Return what was signed, if it is a statement; it must be about the artifact."""
    if bundle.envelope is None:
        return None
    statement = parse_statement(bundle.envelope, _WHERE)
    if artifact is not None:
        check_subject(statement, artifact.digests, _WHERE)
    return statement
