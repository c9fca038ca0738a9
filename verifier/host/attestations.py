"""Has the evidence of a kit judged by the policy of this host (TRUST-FILES 3.7 to 3.9).

The rooms of evidence are imported when a policy has requirements, and decide after the core did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from verifier.catch import KIT as MOST
from verifier.catch import MEMBER, Caught, Sha512
from verifier.core.errors import KitError, UsageError
from verifier.core.pipeline import Opened
from verifier.host.carried import (
    choose,
    documents_of,
    facts_of,
    index_of,
    read_layouts,
    unread_in,
)
from verifier.host.judge import Judgement, Notice, override_of
from verifier.rootfile import read_file
from verifier.typed import TYPE_CHECKING, record, replace

if TYPE_CHECKING:
    from verifier.core.signature import Key
    from verifier.core.trust import Role
    from verifier.evidence.attesters import Trust
    from verifier.evidence.documents import Claim
    from verifier.evidence.index import Line
    from verifier.evidence.judge import Evidence
    from verifier.evidence.judgement import Decision, Document
    from verifier.evidence.rules import Attester, Requirement
    from verifier.host.accept import Host

MAX_GIVEN = 256  # files
MAX_FILE = 64 << 20  # bytes of one of them


@record(frozen=True)
class Given:
    """A file of evidence that was given beside the kit.

    Attributes:
        path: As it was given.
    """

    path: str
    data: bytes


@record(frozen=True)
class Judged:
    """What the evidence of a kit comes to.

    Attributes:
        decisions: The answer to each requirement, for each component.
        evidence: All of it, for whoever reports more than was asked.
        given: SHA-256 of each file that was given, sorted.
        indexed: Whether the kit has an index of its evidence, and it is true.
        unknown: Why the index could not be judged; None if it could, or if there is none.
    """

    decisions: tuple[Decision, ...]
    evidence: Evidence
    given: tuple[str, ...]
    indexed: bool
    unknown: KitError | None = None


def read_given(paths: Sequence[str]) -> list[Given]:
    """Return files of evidence that came beside the kit.

    Raises:
        UsageError: There are too many, or one is missing or too large.
    """
    if len(paths) > MAX_GIVEN:
        raise UsageError(
            f"--evidence was given {len(paths)} times, and {MAX_GIVEN} are read",
            fix="Put several statements into one file, with a line each.",
        )
    return [Given(path, _read_given(path)) for path in paths]


def _read_given(path: str) -> bytes:
    try:
        return read_file(path, MAX_FILE)
    except KitError as error:
        raise UsageError(error.message, where=repr(path), fix="Check the path.") from None


def judge_kit(
    opened: Opened,
    caught: Caught,
    attesters: Mapping[str, Attester],
    requirements: Sequence[Requirement],
    trust: Trust,
    given: Sequence[Given],
    now: int,
) -> Judged:
    """Return what the evidence of a kit comes to.

    Args:
        opened: What was proved.
        caught: The members that `choose` names.
        attesters: Whom the policy names, by their names.
        requirements: What it asks for.
        trust: Who signs, as this host knows it.
        given: Files that were given beside the kit.
        now: The moment judged by, in seconds since the epoch.

    Raises:
        EvidenceIndexFalse: The index of the evidence is not the one that follows from it.
    """
    from verifier.evidence.errors import EvidenceFormUnknown, EvidenceTooLarge, EvidenceUnread
    from verifier.evidence.images import claims_in
    from verifier.evidence.index import compare, parse_index
    from verifier.evidence.judge import Evidence
    from verifier.evidence.judgement import Document

    assert opened.manifest is not None
    layouts = list(read_layouts(opened, caught))
    documents = list(documents_of(opened, caught))
    lines: dict[str, list[Line]] | None = None
    unknown: KitError | None = None
    if opened.manifest.evidence_index is not None:
        try:
            lines = parse_index(index_of(opened, caught))
        except (EvidenceFormUnknown, EvidenceTooLarge, EvidenceUnread) as error:
            unknown = error
    more: list[tuple[Document, Claim]] = []
    broken: list[tuple[Document, KitError | None]] = []
    for layout in layouts:
        broken += [(document, None) for document in unread_in(opened, caught, layout)]
        for path, sha256, claims in claims_in(layout):
            document = Document(path, sha256, None)
            if isinstance(claims, KitError):
                broken.append((document, claims))
            else:
                more += [(document, claim) for claim in claims]
    files = [
        Document(g.path, hashlib.sha256(g.data).hexdigest(), g.data, given=True) for g in given
    ]
    facts = facts_of(opened, caught, layouts, now)
    evidence = Evidence(facts, [*documents, *files], trust, attesters, lines, more)
    evidence.unread += broken
    if lines is not None:
        compare(lines, {each.path: each.sha256 for each in documents}, evidence.by_path)
    decisions = tuple(evidence.decide(requirements))
    digests = tuple(sorted(each.sha256 for each in files))
    return Judged(decisions, evidence, digests, lines is not None, unknown)


# --- trust ---------------------------------------------------------------------------------------


def make_trust(
    role: Role, vouching: Sequence[str], attesters: Iterable[Attester], roots: Mapping[str, bytes]
) -> Trust:
    """Return who signs, as a host knows it.

    Args:
        role: The kit signers of the effective root.
        vouching: Who signed the kit.
        attesters: Whom the policy names.
        roots: Contents of the trusted roots of this host, by the SHA-256 that names them.
    """
    from verifier.evidence.attesters import Trust
    from verifier.evidence.sigstore.errors import TrustedRootMalformed
    from verifier.evidence.sigstore.roots import TrustedRoot, parse_trusted_root

    signers: dict[str, list[Key]] = {}
    for key in role.keys.values():
        signers.setdefault(key.signer, []).append(key)
    found: dict[str, TrustedRoot | KitError] = {}
    for sha256 in {each.trusted_root for each in attesters if each.trusted_root in roots}:
        try:
            found[sha256] = parse_trusted_root(roots[sha256])
            if hashlib.sha256(roots[sha256]).hexdigest() != sha256:
                raise TrustedRootMalformed("it is not what its name says", where=f"{sha256}.json")
        except KitError as error:
            found[sha256] = error
    return Trust(signers, found, vouching, role.threshold)


# --- faults --------------------------------------------------------------------------------------


def relax(
    judged: Judged, judgement: Judgement, line: str, kit_id: str
) -> tuple[Judged, Judgement, list[KitError]]:
    """Return what an override lets pass, and what stands against the kit all the same."""
    policy, faults = judgement.chosen.policy, list[KitError]()
    decisions, notices = [], list(judgement.notices)
    if judged.unknown is not None:
        fault = judged.unknown
        by = override_of(policy, fault.code, line, kit_id, judgement.now)
        if by:
            notices.append(Notice(fault.code, f"{fault.where}: {fault.message}", by))
        else:
            faults.append(fault)
    for decision in judged.decisions:
        if decision.fault is None:
            decisions.append(decision)
            continue
        fault = _placed(decision.fault, decision)
        by = override_of(policy, fault.code, line, kit_id, judgement.now)
        if by:
            notices.append(Notice(fault.code, f"{fault.where}: {fault.message}", by))
        else:
            faults.append(fault)
        decisions.append(replace(decision, fault=fault, relaxed_by=by))
    judged = replace(judged, decisions=tuple(decisions))
    return judged, replace(judgement, notices=tuple(notices)), faults


def _placed(fault: KitError, decision: Decision) -> KitError:
    """Return a fault that says which requirement it is about."""
    asked = f"required of {decision.component!r}: {decision.requirement.predicate_type}"
    if decision.component in fault.where or decision.requirement.predicate_type in fault.message:
        return fault
    return type(fault)(f"{fault.message} ({asked})", where=fault.where, fix=fault.fix)


# --- the judge -----------------------------------------------------------------------------------


class EvidenceJudge:
    """Judges the evidence of one kit for a host; see `verifier.catch.Judge`.

    Attributes:
        judged: What came of it; None until then.
    """

    member, kit = MEMBER, MOST

    def __init__(self, host: Host) -> None:
        self._host = host
        self._caught: Caught | None = None
        self._raw: tuple[object, Judged] | None = None
        self.judged: Judged | None = None

    def _requirements(self, opened: Opened) -> Sequence[Requirement]:
        rules = self._host.rules_for(opened)
        return rules.attestations if rules is not None else ()

    def choose(self, opened: Opened) -> Iterable[int | Sha512]:
        """Return the members that evidence may be in; none if nothing is required of the line."""
        return choose(opened) if self._requirements(opened) else ()

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Return what the policy has against the evidence of a kit that is proved."""
        self._caught = caught
        return self.again(opened)

    def again(self, opened: Opened) -> Sequence[KitError]:
        """Judge once more what was kept, by the policy that the host has now."""
        requirements = self._requirements(opened)
        if not requirements or self._caught is None:
            return ()
        host = self._host
        judgement = host.judgement
        assert judgement is not None
        assert opened.manifest is not None
        assert opened.kit_id is not None
        try:
            judged = self._judge(opened, judgement, requirements)
        except KitError as error:
            return [error]
        line = opened.manifest.kit.line
        self.judged, host.judgement, faults = relax(judged, judgement, line, opened.kit_id)
        return faults

    def _judge(
        self, opened: Opened, judgement: Judgement, requirements: Sequence[Requirement]
    ) -> Judged:
        """Judge, or return what came of it when nothing has changed since."""
        host, caught = self._host, self._caught
        attesters = {each.name: each for each in judgement.chosen.policy.attesters}
        roots = host.trusted_roots({each.trusted_root for each in attesters.values()} - {""})
        assert opened.signing is not None
        assert opened.reached is not None
        assert caught is not None
        signers = tuple(opened.signing.signers)
        root = opened.reached.root
        known = (judgement.chosen.sha256, root.signed, signers, sorted(roots), judgement.now)
        if self._raw is not None and self._raw[0] == known:
            return self._raw[1]
        trust = make_trust(root.targets, signers, attesters.values(), roots)
        judged = judge_kit(
            opened, caught, attesters, requirements, trust, host.given, judgement.now
        )
        self._raw = known, judged
        return judged
