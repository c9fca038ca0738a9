"""What was asked of a kit, one by one: by its root of trust, and by a policy and memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from verifier.audit.model import FAILED, LET_PASS, MET, NOTED, UNDECIDED, Decision
from verifier.core.errors import ExitStatus, KitError
from verifier.evidence.judgement import Decision as Required
from verifier.host.judge import Judgement, Notice
from verifier.show.host import host_lines
from verifier.show.report import Report
from verifier.typed import record


@record(frozen=True)
class _Rule:
    """A rule, the codes by which it refuses, and what is said where it is met."""

    name: str
    codes: tuple[str, ...]
    met: str


_RULES = (
    _Rule("line", ("line-refused",), "the policy takes kits of this line"),
    _Rule("verifier", ("verifier-too-old",), "this verifier is new enough"),
    _Rule(
        "memory",
        ("state-missing", "state-invalid", "state-unreadable"),
        "what this host accepted before is known",
    ),
    _Rule("freshness", ("kit-older", "kit-equivocation", "kit-not-awaited"), ""),
    _Rule("root version", ("root-older",), "no newer root was here before"),
    _Rule("age", ("kit-too-old", "kit-stale"), "it is not older than the policy allows"),
    _Rule("clock", ("clock-differs",), "the clock of this host contradicts nothing"),
    _Rule("root expiry", ("root-expired",), "the root of trust has not expired"),
    _Rule("kit expiry", ("kit-expired",), "the kit has not expired"),
)


def decisions(report: Report) -> Iterator[Decision]:
    """Yield every decision about a kit, those that were met too."""
    yield from _proof(report)
    judgement = report.host.judgement if report.host is not None else None
    if report.host is None or judgement is None:
        return
    for item in judgement.sets:
        signed = ", ".join(item.signed) or "nobody"
        message = f"{item.threshold} of {', '.join(item.of)} must sign; {signed} did"
        yield Decision(
            "signer set",
            item.name,
            MET if item.met else FAILED,
            message,
            "" if item.met else "signer-set-unmet",
        )
    yield from map(_attested, _of_evidence(report))
    yield from _rules(report, judgement)


def _of_evidence(report: Report) -> Sequence[Required]:
    """Return what came of each attestation that the policy requires."""
    judged = report.host.evidence if report.host is not None else None
    return judged.decisions if judged is not None else ()


def _attested(item: Required) -> Decision:
    """Return the decision about an attestation that the policy requires."""
    kind = item.requirement.predicate_type
    if item.fault is None:
        by = "; ".join(f"{proof.attester} in {proof.document}" for proof in item.proofs)
        return Decision("attestation", item.component, MET, f"{kind}: {by}")
    message = f"{kind}: {item.message}"
    if item.relaxed_by:
        outcome = LET_PASS
    else:
        outcome = FAILED if item.fault.status is ExitStatus.REJECTED else UNDECIDED
    return Decision("attestation", item.component, outcome, message, item.code, item.relaxed_by)


def _proof(report: Report) -> Iterator[Decision]:
    """Yield what the format and the root of trust ask of any kit."""
    opened = report.opened
    for sentence in report.checked:
        yield Decision("proof", "", MET, sentence)
    judged = report.host.judgement if report.host is not None else None
    faults = [*opened.judged.faults, *(judged.faults if judged is not None else ())]
    error = report.error
    if error is not None and not any(error is fault for fault in faults):
        rule = "signers" if opened.manifest is None else "proof"
        yield refusal(rule, error)
    asked = [item.fault for item in _of_evidence(report)]
    for fault in opened.judged.faults:
        if not any(fault is other for other in asked):
            yield refusal("contents", fault)


def refusal(rule: str, error: KitError) -> Decision:
    """Return the decision that an error is."""
    outcome = FAILED if error.status is ExitStatus.REJECTED else UNDECIDED
    return Decision(rule, error.where, outcome, error.message, error.code)


def _rules(report: Report, judgement: Judgement) -> Iterator[Decision]:
    known: set[str] = {"signer-set-unmet"}
    for rule in _RULES:
        known.update(rule.codes)
        faults = [fault for fault in judgement.faults if fault.code in rule.codes]
        notices = [notice for notice in judgement.notices if notice.code in rule.codes]
        yield from (refusal(rule.name, fault) for fault in faults)
        yield from (_notice(rule.name, notice) for notice in notices)
        if not faults and not notices and _is_asked(rule, judgement):
            yield Decision(rule.name, "", MET, rule.met or _freshness(report))
    for fault in judgement.faults:
        if fault.code not in known:
            yield refusal("policy", fault)
    told = {item.code for item in _of_evidence(report) if item.relaxed_by}
    for notice in judgement.notices:
        if notice.code in told:
            continue  # it stands among the attestations
        if notice.code not in known or notice.code == "signer-set-unmet":
            yield _notice("policy", notice)


def _is_asked(rule: _Rule, judgement: Judgement) -> bool:
    """Whether a rule that nothing fell for was a rule at all."""
    policy = judgement.chosen.policy
    if rule.name == "age":
        return any(item.maximum_age_days for item in policy.lines)
    if rule.name in ("line", "verifier"):
        return judgement.chosen.bound_by != "nobody"
    return True


def _freshness(report: Report) -> str:
    assert report.host is not None
    lines = host_lines(report.host)
    return next(line for line in lines if line.startswith("freshness: "))[11:]


def _notice(rule: str, notice: Notice) -> Decision:
    outcome = LET_PASS if notice.relaxed_by else NOTED
    return Decision(rule, "", outcome, notice.message, notice.code, notice.relaxed_by)
