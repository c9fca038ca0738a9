"""Whether somebody whom policy names signed a claim: kit signer, key or sigstore identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress

from verifier.core.errors import KitError
from verifier.core.signature import Key as RootKey
from verifier.evidence.documents import Claim
from verifier.evidence.envelopes import signers
from verifier.evidence.errors import EvidenceAlgorithmUnknown
from verifier.evidence.rules import KIT_SIGNERS, Attester
from verifier.evidence.sigstore.bundle import Bundle
from verifier.evidence.sigstore.errors import (
    BundleSignatureInvalid,
    IdentityMismatch,
    IssuerMismatch,
    LogEntryMissing,
    SignerKindMismatch,
    TrustedRootMissing,
)
from verifier.evidence.sigstore.identity import (
    Identity,
    Key,
    check_identity,
    make_identity,
    make_key,
)
from verifier.evidence.sigstore.roots import TrustedRoot
from verifier.evidence.sigstore.verify import Artifact, verify_bundle
from verifier.evidence.statement import Envelope
from verifier.typed import record

_SOMEBODY_ELSE = (IdentityMismatch, IssuerMismatch, SignerKindMismatch)


@record(frozen=True)
class Signature:
    """Somebody signed a claim.

    Attributes:
        attester: His name in the policy.
        material: Who that is, whatever policy calls him: two names for one key are one.
        signer: Who it is, for people: an identity, or SHA-256 of a key.
        signed_at: The earliest verified time, in seconds since the epoch; None if there is none.
        time_from: Whose word that is, ``log`` or ``timestamp``.
    """

    attester: str
    material: tuple[str, ...]
    signer: str
    signed_at: int | None = None
    time_from: str = ""


class Trust:
    """Who signs, as a host knows it: the signers of its root, and its trusted roots.

    Args:
        signers: Public keys of the kit signers by their names.
        roots: Trusted roots of this host by SHA-256.
        vouching: Who signed the kit.
        threshold: How many kit signers the root asks for.
    """

    def __init__(
        self,
        signers: Mapping[str, Sequence[RootKey]],
        roots: Mapping[str, TrustedRoot | KitError],
        vouching: Sequence[str] = (),
        threshold: int = 1,
    ) -> None:
        self.signers, self._roots = signers, roots
        self._vouching, self._threshold = ", ".join(vouching), threshold
        self._wanted: dict[Attester, Identity | Key] = {}
        self._judged: dict[tuple[int, Attester], Signature | KitError | None] = {}
        self._kept: list[Claim] = []  # a number of a claim is an address: it must stay
        self.whose: dict[bytes, str] = {}
        for name, keys in signers.items():
            for key in keys:
                if key.material is not None:
                    self.whose[key.material] = name

    def signature(self, claim: Claim, attester: Attester) -> Signature | None:
        """Return an attester's signature of a claim; None if it is by somebody else.

        Each claim is judged once for each attester, however often it is asked about.

        Raises:
            KitError: It claims to be the attester's and does not hold, or cannot be judged.
        """
        key = id(claim), attester
        if key not in self._judged:
            self._kept.append(claim)
            try:
                self._judged[key] = self._judge(claim, attester)
            except KitError as error:
                self._judged[key] = error
        found = self._judged[key]
        if isinstance(found, KitError):
            raise found
        return found

    def _judge(self, claim: Claim, attester: Attester) -> Signature | None:
        signed = claim.signed
        if attester.name == KIT_SIGNERS:
            return self._by_kit_signers(claim)
        if signed is None:
            return None
        if attester.signer:
            return self._by_signer(signed, attester)
        wanted = self._want(attester)
        if isinstance(wanted, Identity):
            return self._by_identity(claim, wanted, attester)
        return self._by_key(claim, wanted, attester)

    def _want(self, attester: Attester) -> Identity | Key:
        if attester not in self._wanted:
            self._wanted[attester] = (
                make_key(attester.key)
                if attester.key
                else make_identity(attester.issuer, attester.identity)
            )
        return self._wanted[attester]

    def _roots_of(self, attester: Attester) -> list[TrustedRoot]:
        if not attester.trusted_root:
            return []
        root = self._roots.get(attester.trusted_root)
        if isinstance(root, KitError):
            raise root
        if root is None:
            raise TrustedRootMissing(
                f"this host has none with the SHA-256 {attester.trusted_root}",
                where=f"attester {attester.name!r}",
            )
        return [root]

    def _by_signer(self, signed: Bundle | Envelope, attester: Attester) -> Signature | None:
        """Judge with the keys of the root, by whatever scheme it gives them."""
        envelope = signed.envelope if isinstance(signed, Bundle) else signed
        if envelope is None or (isinstance(signed, Bundle) and signed.certificate is not None):
            return None
        fault: KitError | None = None
        message = envelope.signed
        for key in self.signers.get(attester.signer, ()):
            for keyid, signature in envelope.signatures:
                if key.verify(message, signature, low_s=False):
                    return Signature(attester.name, ("signer", attester.signer), attester.signer)
                if keyid == key.keyid:
                    fault = self._not_good(key)
        if fault is not None:
            raise fault
        return None

    def _by_kit_signers(self, claim: Claim) -> Signature | None:
        """Take what the kit carries unsigned as its signers' word; or they signed it itself."""
        if claim.signed is None:
            if not claim.in_kit:
                return None
            return Signature(KIT_SIGNERS, ("kit",), self._vouching)
        people = []
        for name in self.signers:
            with suppress(KitError):
                if self._by_signer(claim.signed, Attester(name, signer=name)) is not None:
                    people.append(name)
        if len(people) < self._threshold:
            return None
        return Signature(KIT_SIGNERS, ("kit",), ", ".join(people))

    def _not_good(self, key: RootKey) -> KitError:
        where = f"signature of {key.signer!r}"
        if not key.evaluated:
            return EvidenceAlgorithmUnknown(f"its scheme is {key.scheme!r}", where=where)
        return BundleSignatureInvalid("not by the key that it names", where=where)

    def _by_key(self, claim: Claim, wanted: Key, attester: Attester) -> Signature | None:
        signed = claim.signed
        whose = self.whose.get(wanted.public.material) if wanted.public.material else None
        material = ("signer", whose) if whose is not None else ("key", wanted.sha256)
        try:
            if isinstance(signed, Envelope):
                if not wanted.public.kind:
                    raise EvidenceAlgorithmUnknown("its key", where=f"attester {attester.name!r}")
                signers(signed, [wanted], "envelope")
                if attester.trusted_root:
                    self._roots_of(attester)
                    what = "an envelope alone has no entry, and its trusted root may ask for one"
                    raise LogEntryMissing(what, where=f"attester {attester.name!r}")
                return Signature(attester.name, material, wanted.sha256)
            if signed is None or signed.certificate is not None:
                return None
            roots = self._roots_of(attester)
            proved = verify_bundle(signed, wanted, roots, _artifact_of(claim))
        except (SignerKindMismatch, BundleSignatureInvalid):
            return None  # a key that does not fit is somebody else's
        return Signature(attester.name, material, wanted.sha256, proved.signed_at, proved.time_from)

    def _by_identity(self, claim: Claim, wanted: Identity, attester: Attester) -> Signature | None:
        signed = claim.signed
        if not isinstance(signed, Bundle) or signed.certificate is None:
            return None
        try:
            check_identity(signed.certificate, wanted)  # names alone: mostly it is somebody else
            roots = self._roots_of(attester)
            proved = verify_bundle(signed, wanted, roots, _artifact_of(claim))
        except _SOMEBODY_ELSE:
            return None
        material = ("identity", proved.issuer, proved.signer)
        return Signature(attester.name, material, proved.signer, proved.signed_at, proved.time_from)


def _artifact_of(claim: Claim) -> Artifact | None:
    """Return what a signature is over where the bundle does not hold it."""
    if not claim.payload:
        return None
    return Artifact({"sha256": hashlib.sha256(claim.payload).hexdigest()}, claim.payload)


def most(signatures: Sequence[Signature]) -> int:
    """Return how many distinct people signed: each attester once, and each key or identity once.

    It is a matching, found by augmenting paths: where ``a`` and ``b`` may both be one identity, and
    ``b`` is another one too, they are two.
    """
    edges: dict[str, list[tuple[str, ...]]] = {}
    for each in signatures:
        edges.setdefault(each.attester, []).append(each.material)
    taken: dict[tuple[str, ...], str] = {}

    def place(attester: str, seen: set[tuple[str, ...]]) -> bool:
        for material in edges[attester]:
            if material in seen:
                continue
            seen.add(material)
            if material not in taken or place(taken[material], seen):
                taken[material] = attester
                return True
        return False

    return sum(place(attester, set()) for attester in edges)
