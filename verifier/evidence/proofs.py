"""Who signed what, whoever asks: each thing that the evidence of a kit says, with its proofs.

`verifier.evidence.judge` answers what a policy asks for; here nothing is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.core.errors import ExitStatus, KitError
from verifier.evidence.attesters import Signature
from verifier.evidence.conditions import Moment, moment_of
from verifier.evidence.documents import Claim
from verifier.evidence.judgement import REJECTED, UNDECIDED, Attestation, Document, Proof
from verifier.evidence.rules import KIT
from verifier.evidence.statement import Statement
from verifier.typed import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from verifier.evidence.judge import Evidence


def proof_of(document: Document, claim: Claim, signature: Signature) -> Proof:
    """Return that somebody signed a claim, as reports tell it."""
    return Proof(
        claim.where,
        document.sha256,
        document.given,
        signature.attester,
        signature.signer,
        signature.signed_at,
        signature.time_from,
    )


def with_time(proof: Proof, moment: Moment) -> Proof:
    """Return a proof that also says when, as the statement itself has it if nobody proved it."""
    if proof.signed_at is not None or moment.seconds is None:
        return proof
    return replace(proof, signed_at=moment.seconds, time_from=moment.source)


def attestations(evidence: Evidence) -> Iterator[Attestation]:
    """Yield each thing that a document says, judged by all whom the policy names."""
    for document, claim in evidence.claims:
        if claim.statement is None and claim.signed is None:
            continue
        yield _attestation(evidence, document, claim)
    for document, fault in evidence.unread:
        fault = fault or document.unread()
        verdict = UNDECIDED if fault.status is ExitStatus.UNDECIDED else REJECTED
        yield Attestation(
            document.path, document.sha256, document.given, "-", "-", (), (), verdict, fault
        )


def _attestation(evidence: Evidence, document: Document, claim: Claim) -> Attestation:
    proofs, faults = [], []
    for attester in evidence.attesters.values():
        try:
            signature = evidence.trust.signature(claim, attester)
        except KitError as error:
            faults.append(error)
            continue
        if signature is not None:
            proofs.append(proof_of(document, claim, signature))
    verdict = "signed" if proofs else "others" if claim.signed is not None else "unsigned"
    fault = None
    if faults and not proofs:
        fault = max(faults, key=lambda each: each.status)
        verdict = UNDECIDED if fault.status is ExitStatus.UNDECIDED else REJECTED
    statement = claim.statement
    if statement is not None:
        proofs = [
            with_time(proof, moment_of(statement, proof.signed_at, proof.time_from))
            for proof in proofs
        ]
    about = tuple(_about_what(evidence, statement)) if statement is not None else ()
    return Attestation(
        claim.where,
        document.sha256,
        document.given,
        claim.form,
        claim.type,
        claim.subjects,
        about,
        verdict,
        fault,
        tuple(proofs),
    )


def _about_what(evidence: Evidence, statement: Statement) -> Iterator[str]:
    digests = evidence.about(statement)
    if evidence.named(digests, None, "any"):
        yield KIT
    for part in evidence.facts.parts:
        if evidence.named(digests, part, "any"):
            yield part.id
