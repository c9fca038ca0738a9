"""The signed statements of a kit: who signed them, what they are about, what they say.

`verifier.evidence` judges them, by all whom the policy names and by the signers of kits whom the
root names.  What is by nobody of them is reported as unjudged: it proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from verifier.audit.model import BAD, GOOD, UNJUDGED, AttestationRow, SubjectRow, Unchecked
from verifier.catch import Caught
from verifier.core.errors import KitError
from verifier.core.model import format_time
from verifier.core.pipeline import Opened
from verifier.core.trust import Root
from verifier.evidence.documents import Claim
from verifier.evidence.index import PATH
from verifier.evidence.judgement import REJECTED, Attestation, Document, Proof
from verifier.evidence.proofs import attestations
from verifier.evidence.rules import KIT_SIGNERS, Attester
from verifier.evidence.sigstore.bundle import Bundle
from verifier.evidence.sigstore.x509 import oidc_issuers
from verifier.evidence.statement import Statement, Subject
from verifier.host.accept import Host
from verifier.host.attestations import Given, Judged, judge_kit, make_trust
from verifier.typed import record, replace

MAX_SUBJECTS = 100  # of one statement that are listed; the rest is counted
NO_POLICY = "it is not by a kit signer, and no policy says that its signer counts"
_SIGNER = "kit signer "  # before the name of one, in the list of attesters


@record(frozen=True)
class Said:
    """A statement with who is proved to have made it.

    Attributes:
        path: The document it is in.
        by: Who is proved to have signed; empty if nothing is proved.
    """

    path: str
    statement: Statement
    by: tuple[str, ...]


@record
class Signed:
    """All signatures of a kit's evidence, as far as they were judged.

    Attributes:
        indexed: Whether the kit has an index of its evidence, and it is true.
    """

    rows: list[AttestationRow]
    said: list[Said]
    unchecked: list[Unchecked]
    indexed: bool = False


def judge_signed(
    opened: Opened, caught: Caught, given: Sequence[Given], host: Host | None, root: Root | None
) -> Signed:
    """Judge everything that is signed in the evidence of a kit that is proved.

    Args:
        opened: What was proved.
        caught: The evidence, and what describes the images.
        given: Files that were given beside the kit.
        host: Whose policy says who else may attest; None for nobody.
        root: Whose kit signers may; None for nobody.
    """
    made = Signed([], [], [])
    if root is None:
        return made
    judged = _judged(made, opened, caught, given, host, root)
    made.indexed = judged.indexed
    claims = [
        (document, claim)
        for document, claim in judged.evidence.claims
        if claim.statement is not None or claim.signed is not None
    ]
    asked = host.evidence.decisions if host is not None and host.evidence is not None else ()
    meeting = {proof.document for decision in asked for proof in decision.proofs}
    for (document, claim), found in zip(claims, attestations(judged.evidence)):
        row = _row(document, claim, found, claim.where in meeting)
        made.rows.append(row)
        if claim.statement is not None:
            made.said.append(Said(document.path, claim.statement, row.signed_by))
    for document, fault in judged.evidence.unread:
        why = f"{fault.code}: {fault.message}" if fault is not None else document.why
        made.unchecked.append(Unchecked(document.path, why))
    return made


def _judged(
    made: Signed,
    opened: Opened,
    caught: Caught,
    given: Sequence[Given],
    host: Host | None,
    root: Root,
) -> Judged:
    judgement = host.judgement if host is not None else None
    attesters = {
        f"{_SIGNER}{name}": Attester(f"{_SIGNER}{name}", signer=name)
        for name in root.targets.signers()
    }
    roots: dict[str, bytes] = {}
    if judgement is not None and host is not None:
        named = judgement.chosen.policy.attesters
        attesters.update((each.name, each) for each in named)
        roots = host.trusted_roots({each.trusted_root for each in named} - {""})
    signed = opened.signing.signers if opened.signing is not None else ()
    trust = make_trust(root.targets, signed, attesters.values(), roots)
    now = judgement.now if judgement is not None else 0
    try:
        return judge_kit(opened, caught, attesters, (), trust, given, now)
    except KitError as error:  # its index: what the documents say is shown all the same
        made.unchecked.append(Unchecked(PATH, f"{error.code}: {error.message}"))
        data = {path: item for path, item in caught.data.items() if path != PATH}
        without = Caught(data, caught.missed, caught.sha512)
        return judge_kit(opened, without, attesters, (), trust, given, now)


def _row(document: Document, claim: Claim, found: Attestation, required: bool) -> AttestationRow:
    by = tuple(dict.fromkeys(map(_name, found.proofs)))
    by = tuple(name for name in by if name != KIT_SIGNERS or len(by) == 1)
    fault = found.fault
    verdict = GOOD if by else BAD if found.verdict == REJECTED else UNJUDGED
    times = [(p.signed_at, p.time_from) for p in found.proofs if p.time_from != "stated"]
    at, source = min(((at, source) for at, source in times if at is not None), default=(None, ""))
    subjects = claim.statement.subjects if claim.statement is not None else ()
    rows = tuple(map(_subject, subjects[:MAX_SUBJECTS]))
    if claim.statement is None:
        rows = tuple(SubjectRow("", digest, "") for digest in claim.subjects if digest != "-")
    return AttestationRow(
        document.path,
        claim.where[len(document.path) :].lstrip(", "),
        claim.form,
        claim.type if claim.type != "-" else "",
        rows,
        max(len(subjects), len(rows)),
        verdict,
        by,
        () if by else _claimed(claim),
        code=fault.code if fault is not None and not by else "",
        message="" if by else fault.message if fault is not None else NO_POLICY,
        signed_at=format_time(at) if at is not None else "",
        time_from=source,
        required=required,
    )


def _name(proof: Proof) -> str:
    """Return who signed, as people know them: a kit signer, or an attester and who that is."""
    if proof.attester.startswith(_SIGNER):
        return proof.attester[len(_SIGNER) :]
    if ":" in proof.signer or "@" in proof.signer:
        return f"{proof.attester} ({proof.signer})"
    return proof.attester


def _claimed(claim: Claim) -> tuple[str, ...]:
    """Return whom a certificate names; nothing was proved."""
    signed = claim.signed
    if not isinstance(signed, Bundle) or signed.certificate is None:
        return ()
    try:
        issuers = ", ".join(dict.fromkeys(oidc_issuers(signed.certificate)))
    except KitError:
        issuers = ""
    return tuple(f"{name} ({issuers})" if issuers else name for name in signed.certificate.names)


def _subject(subject: Subject) -> SubjectRow:
    name = "sha256" if "sha256" in subject.digest else min(subject.digest)
    return SubjectRow(subject.name, f"{name}:{subject.digest[name]}", "")


def with_places(rows: Iterable[AttestationRow], known: Mapping[str, str]) -> list[AttestationRow]:
    """Return rows whose subjects say what of the kit they are.

    Args:
        rows: As they were judged.
        known: From ``sha256:HEX`` to what of the kit has that digest.
    """
    return list(_with_places(rows, known))


def _with_places(
    rows: Iterable[AttestationRow], known: Mapping[str, str]
) -> Iterator[AttestationRow]:
    for row in rows:
        subjects = tuple(
            SubjectRow(one.name, one.digest, known.get(one.digest, "")) for one in row.subjects
        )
        yield replace(row, subjects=subjects)
