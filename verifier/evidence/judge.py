"""Answers what a host's policy asks of evidence.  Does no I/O.

All of one requirement holds in one statement; what is not asked for never lowers a verdict and
never raises one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from verifier.core.errors import ExitStatus, KitError
from verifier.evidence.attesters import Signature, Trust, most
from verifier.evidence.conditions import check, moment_of
from verifier.evidence.documents import OPENVEX, VEX, Claim, content_of, types_of
from verifier.evidence.errors import (
    AttestationFalse,
    AttestationMissing,
    AttestationUntrusted,
    EvidenceUnread,
)
from verifier.evidence.findings import open_findings
from verifier.evidence.index import Line, try_read
from verifier.evidence.judgement import (
    MET,
    REJECTED,
    UNDECIDED,
    Answer,
    Decision,
    Document,
    Facts,
    Part,
    Proof,
)
from verifier.evidence.proofs import proof_of, with_time
from verifier.evidence.rules import EVERY, KIT, KIT_SIGNERS, LAYOUT, Attester, Requirement
from verifier.evidence.statement import Statement
from verifier.evidence.vex import VexStatement, read_vex
from verifier.typed import replace

MAX_ABOUT = 100  # digests of one proof that a report names
_SHOWN = 5  # types or documents named in one message


class Evidence:
    """All evidence about one kit.

    Args:
        facts: What was proved of the kit.
        documents: Members of the kit, and files given beside it.
        trust: Who signs.
        attesters: Whom the policy names, by their names.
        index: Lines of the kit's own index by path; None if it has none.
        more: Claims that are no documents of evidence: signatures in image layouts.
    """

    def __init__(
        self,
        facts: Facts,
        documents: Sequence[Document],
        trust: Trust,
        attesters: Mapping[str, Attester],
        index: Mapping[str, Sequence[Line]] | None = None,
        more: Sequence[tuple[Document, Claim]] = (),
    ) -> None:
        self.facts, self.trust, self._index = facts, trust, index
        self.attesters = {**attesters, KIT_SIGNERS: Attester(KIT_SIGNERS)}
        self.documents = tuple(documents)
        self.claims: list[tuple[Document, Claim]] = list(more)
        self.unread: list[tuple[Document, KitError | None]] = []
        self.by_path: dict[str, list[Claim]] = {}
        self._about: dict[int, frozenset[str]] = {}
        for document in documents:
            self._read(document)

    def _read(self, document: Document) -> None:
        if document.data is None:
            self.unread.append((document, None))
            return
        claims, fault = try_read(document.path, document.data)
        if fault is not None:
            self.unread.append((document, fault))
            return
        if document.given:
            claims = [replace(claim, in_kit=False) for claim in claims]
        else:
            self.by_path[document.path] = claims
        self.claims += [(document, claim) for claim in claims]

    # --- what a statement is about

    def about(self, statement: Statement) -> frozenset[str]:
        """Return the SHA-256 of all that a statement is about, with what is in an image index."""
        key = id(statement)
        if key not in self._about:
            self._about[key] = frozenset(self._digests(statement))
        return self._about[key]

    def _digests(self, statement: Statement) -> Iterator[str]:
        for subject in statement.subjects:
            sha256, sha512 = subject.digest.get("sha256"), subject.digest.get("sha512")
            known = self.facts.sha512.get(sha512) if sha512 is not None else None
            if sha256 is None:
                sha256 = known
            elif known not in (None, sha256):
                continue  # it contradicts itself
            if sha256 is not None:
                yield sha256
                yield from self.facts.below.get(sha256, ())

    def named(self, digests: frozenset[str], part: Part | None, subjects: str) -> bool:
        """Whether digests name a component, or enough parts of it; None is the kit."""
        if part is None:
            return self.facts.kit_id in digests or self.facts.content_id in digests
        contents = part.contents
        if contents.digest in digests:
            return bool(contents.units or contents.also)
        if subjects == "any":
            return not (digests.isdisjoint(contents.units) and digests.isdisjoint(contents.also))
        return bool(contents.units) and not contents.unread and contents.units <= digests

    def _matched(
        self, statement: Statement, part: Part | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the digests that a match rests on, and those of them that are image indexes."""
        names = [frozenset({self.facts.kit_id, self.facts.content_id})]
        if part is not None:
            contents = part.contents
            names = [frozenset({contents.digest}), contents.units, contents.also]
        about: list[str] = []
        listing: list[str] = []
        for subject in statement.subjects:
            digest = subject.digest.get("sha256") or self.facts.sha512.get(
                subject.digest.get("sha512", ""), ""
            )
            if any(digest in each for each in names):
                about.append(digest)
            elif not all(each.isdisjoint(self.facts.below.get(digest, ())) for each in names):
                about.append(digest)
                listing.append(digest)
        return tuple(about[:MAX_ABOUT]), tuple(listing[:MAX_ABOUT])

    # --- decisions

    def decide(self, requirements: Iterable[Requirement]) -> list[Decision]:
        """Return the answer to each requirement, for each component that it is about."""
        found = []
        for requirement in requirements:
            for name, part in self._parts_of(requirement):
                if part is None and name != KIT:
                    fault: KitError = AttestationMissing(
                        f"{requirement.predicate_type} is required for component {name!r}, which "
                        "this kit does not have",
                        where=f"component {name!r}",
                    )
                    found.append(Decision(requirement, name, REJECTED, fault))
                    continue
                answer = self._answer(requirement, name, part)
                found.append(
                    Decision(requirement, name, answer.verdict, answer.fault, answer.proofs)
                )
        return found

    def _parts_of(self, requirement: Requirement) -> Iterator[tuple[str, Part | None]]:
        if requirement.component == KIT:
            yield KIT, None
        elif requirement.component == EVERY:
            for part in self.facts.parts:
                if not part.placeholder:
                    yield part.id, part
        else:
            parts = {part.id: part for part in self.facts.parts}
            yield requirement.component, parts.get(requirement.component)

    def _answer(self, requirement: Requirement, name: str, part: Part | None) -> Answer:
        if requirement.predicate_type == LAYOUT:
            from verifier.evidence.layouts import answer_layout

            return answer_layout(self, requirement, name, part)
        groups: dict[str, list[tuple[Document, Claim]]] = {}
        for document, claim in self.claims:
            statement = claim.statement
            if statement is None or statement.predicate_type != requirement.predicate_type:
                continue
            if self.named(self.about(statement), part, requirement.subjects):
                groups.setdefault(content_of(statement), []).append((document, claim))
        answers = [self._judge(requirement, name, part, group) for group in groups.values()]
        answers += self.unread_answers(requirement, part)
        if not answers:
            return Answer(0, REJECTED, self.missing(requirement, name, part))
        return max(answers, key=lambda answer: answer.rank)

    def _judge(
        self,
        requirement: Requirement,
        name: str,
        part: Part | None,
        group: Sequence[tuple[Document, Claim]],
    ) -> Answer:
        """Judge one statement, which several may have signed."""
        answer = self.signed_answer(requirement, name, part, group)
        if answer.verdict == REJECTED:
            return answer
        statement = group[0][1].statement
        assert statement is not None
        where = f"component {name!r}" if part is not None else "the kit"
        proofs, signatures, _, _ = self._signed(requirement, group)
        proved = [(each.signed_at, each.time_from) for each in signatures]
        times = [(at, source) for at, source in proved if at is not None]
        moment = moment_of(statement, *min(times, default=(None, "")))
        try:
            told = check(requirement, statement, moment, self.facts.now, self.facts.locked)
            told = told or self._open(requirement, statement, part)
        except KitError as error:
            return Answer(4, UNDECIDED, error)
        if told:
            message = f"{requirement.predicate_type} in {group[0][1].where!r}: {told}"
            return Answer(3, REJECTED, AttestationFalse(message, where=where))
        if answer.verdict == UNDECIDED:
            return answer
        about, listing = self._matched(statement, part)
        timed = tuple(
            replace(with_time(proof, moment), about=about, listing=listing) for proof in proofs
        )
        return Answer(5, MET, None, timed)

    def signed_answer(
        self,
        requirement: Requirement,
        name: str,
        part: Part | None,
        group: Sequence[tuple[Document, Claim]],
    ) -> Answer:
        """Return whether enough of those whom a requirement names signed one statement."""
        proofs, signatures, faults, open_ = self._signed(requirement, group)
        where = f"component {name!r}" if part is not None else "the kit"
        if most([*signatures, *open_]) < requirement.threshold:
            rejected = [fault for fault in faults if fault.status is ExitStatus.REJECTED]
            if rejected:
                return Answer(2, REJECTED, rejected[0])
            return Answer(1, REJECTED, self._untrusted(requirement, group, proofs, where))
        if most(signatures) < requirement.threshold:
            return Answer(4, UNDECIDED, faults[0])
        return Answer(5, MET, None, tuple(proofs))

    def _signed(
        self, requirement: Requirement, group: Sequence[tuple[Document, Claim]]
    ) -> tuple[list[Proof], list[Signature], list[KitError], list[Signature]]:
        """Return proofs, signatures, what does not hold, and signatures that nobody can judge."""
        proofs: list[Proof] = []
        signatures: list[Signature] = []
        faults: list[KitError] = []
        open_: list[Signature] = []
        for document, claim in group:
            for name in requirement.of:
                try:
                    signature = self.trust.signature(claim, self.attesters[name])
                except KitError as error:
                    faults.append(error)
                    if error.status is ExitStatus.UNDECIDED:
                        open_.append(Signature(name, ("undecided", name), name))
                    continue
                if signature is not None:
                    signatures.append(signature)
                    proofs.append(proof_of(document, claim, signature))
        faults.sort(key=lambda fault: fault.status is ExitStatus.REJECTED)
        return proofs, signatures, faults, open_

    def _open(self, requirement: Requirement, statement: Statement, part: Part | None) -> str:
        """Return the findings that nobody answered, in words; empty if there are none."""
        if not requirement.no_open:
            return ""
        about = [f"sha256:{digest}" for digest in self.about(statement)]
        told = self._vex(requirement, part)
        found = open_findings(statement, requirement.no_open, told, about)
        if not found:
            return ""
        named = ", ".join(f"{each.id[:60]!r} ({each.severity})" for each in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return f"{len(found)} findings of {requirement.no_open} or above are open: {named}{more}"

    def _vex(
        self, requirement: Requirement, part: Part | None
    ) -> Iterator[tuple[VexStatement, bool]]:
        """Yield what VEX says of a component, by those whom the requirement names."""
        for _, claim in self.claims:
            statement = claim.statement
            if claim.form == VEX:
                value = claim.value
            elif statement is not None and statement.predicate_type.startswith(OPENVEX):
                value = statement.predicate
                about = self.about(statement)
                if not self.named(about, part, "any") and not self.named(about, None, "any"):
                    continue
            else:
                continue
            for name in requirement.vex:
                try:
                    signature = self.trust.signature(claim, self.attesters[name])
                except KitError:
                    continue  # what cannot be judged answers nothing
                if signature is not None:
                    yield from ((said, True) for said in read_vex(value))
                    break

    # --- what is not there

    def unread_answers(self, requirement: Requirement, part: Part | None) -> Iterator[Answer]:
        """Yield what stands against deciding that something is absent."""
        for document, fault in self.unread:
            if not self._may_hold(document, requirement.predicate_type):
                continue
            fault = fault or document.unread()
            undecided = fault.status is ExitStatus.UNDECIDED
            yield Answer(4 if undecided else 2, UNDECIDED if undecided else REJECTED, fault)
        unread = part.contents.unread if part is not None else ""
        if part is not None and unread and self._of_type(requirement.predicate_type):
            yield Answer(4, UNDECIDED, _unread(unread, f"component {part.id!r}"))
        if self.facts.unread and any(
            "sha256" not in subject.digest and "sha512" in subject.digest
            for statement in self._of_type(requirement.predicate_type)
            for subject in statement.subjects
            if subject.digest.get("sha512") not in self.facts.sha512
        ):
            where = f"component {part.id!r}" if part is not None else "the kit"
            yield Answer(4, UNDECIDED, _unread(self.facts.unread, where))

    def _of_type(self, predicate_type: str) -> list[Statement]:
        return [
            claim.statement
            for _, claim in self.claims
            if claim.statement is not None and claim.statement.predicate_type == predicate_type
        ]

    def _may_hold(self, document: Document, predicate_type: str) -> bool:
        """Whether a document that could not be read may be what is asked for."""
        if document.given or self._index is None or document.path not in self._index:
            return True  # the index tells of documents of the class, and not of blobs of images
        return any(line.type == predicate_type for line in self._index[document.path])

    def missing(self, requirement: Requirement, name: str, part: Part | None) -> KitError:
        where = f"component {name!r}" if part is not None else "the kit"
        parts = [f"there is no {requirement.predicate_type} about it"]
        others = len(self._of_type(requirement.predicate_type))
        if others:
            what = "part of it, or about something else" if part is not None else "something else"
            parts.append(f"{others} of that type are about {what}")
        near = [
            claim
            for _, claim in self.claims
            if claim.statement is not None
            and self.named(self.about(claim.statement), part, "any")
            and claim.type != requirement.predicate_type
        ]
        if near:
            types = types_of(near)
            more = f" and {len(types) - _SHOWN} more" if len(types) > _SHOWN else ""
            parts.append(f"about it there is {', '.join(types[:_SHOWN])}{more}")
        return AttestationMissing("; ".join(parts), where=where)

    def _untrusted(
        self,
        requirement: Requirement,
        group: Sequence[tuple[Document, Claim]],
        proofs: Sequence[Proof],
        where: str,
    ) -> KitError:
        signed = sorted({proof.attester for proof in proofs})
        who = (
            f"of {', '.join(map(repr, requirement.of))} only {', '.join(map(repr, signed))} signed"
        )
        if not signed:
            who = f"nobody of {', '.join(map(repr, requirement.of))} signed it"
        need = f", and {requirement.threshold} must" if requirement.threshold > 1 else ""
        places = sorted({claim.where for _, claim in group})
        shown = ", ".join(map(repr, places[:_SHOWN]))
        told = f"{requirement.predicate_type} in {shown}: {who}{need}"
        claimed = sorted(set(_claimed_names(group)))
        if claimed:
            told += f"; it claims to be by {', '.join(map(repr, claimed[:_SHOWN]))[:400]}"
        return AttestationUntrusted(told, where=where)


def _unread(message: str, where: str) -> KitError:
    return EvidenceUnread(message, where=where)


def _claimed_names(group: Sequence[tuple[Document, Claim]]) -> Iterator[str]:
    """Yield the names in certificates, which nobody has judged."""
    for _, claim in group:
        certificate = getattr(claim.signed, "certificate", None)
        if certificate is not None:
            yield from certificate.names
