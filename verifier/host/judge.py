"""Judges an authentic kit by the policy and the memory of this host (TRUST-FILES 3, 5).  No I/O.

Everything is judged before anything is said, so that a report names all of it.  The first decided
rejection comes first, then what could not be decided; a policy can relax only what it names.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.core.errors import KitError
from verifier.core.model import KitInfo, format_time, parse_time
from verifier.core.rootchain import Reached
from verifier.host.errors import (
    AttestationUnchecked,
    ClockDiffers,
    KitEquivocation,
    KitExpired,
    KitNotAwaited,
    KitOlder,
    KitStale,
    KitTooOld,
    LineRefused,
    RootExpired,
    RootOlder,
    SignerSetUnmet,
    VerifierTooOld,
)
from verifier.host.policy import Chosen, LinePolicy, Policy, release
from verifier.host.state import EMPTY, Awaited, Remembered, State, told_time
from verifier.typed import record

DAY = 86_400  # seconds


@record(frozen=True)
class _Found:
    """What stands against a kit; it refuses unless something says otherwise.

    Attributes:
        relaxed_by: The rule of the policy that lets it pass.
        noted: Whether no rule asks for it, so that it is only noted.
    """

    fault: KitError
    relaxed_by: str = ""
    noted: bool = False


@record(frozen=True)
class Facts:
    """What was proved of a kit.

    Attributes:
        signers: Who signed, under the effective root.
        evidence: Whether the evidence is read in this run, so that it is judged afterwards.
    """

    kit: KitInfo
    kit_id: str
    signers: tuple[str, ...]
    reached: Reached
    evidence: bool = False


@record(frozen=True)
class SetResult:
    """How a signer set came out."""

    name: str
    of: tuple[str, ...]
    threshold: int
    signed: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether enough of the set signed."""
        return len(self.signed) >= self.threshold


@record(frozen=True)
class Notice:
    """Something that does not refuse, and why not.

    Attributes:
        relaxed_by: What in the policy lets it pass; empty if nothing had to.
    """

    code: str
    message: str
    relaxed_by: str = ""


@record(frozen=True)
class Judgement:
    """What policy and memory say of a kit.

    Attributes:
        freshness: ``first``, ``newer``, ``same``, ``older``, ``not awaited`` or ``equivocation``;
            ``unknown`` when there is no memory to compare with.
        known: What was remembered of the line; None if nothing was.
        awaited: What the line is to begin anew with; None if anything may come.
        floor: The version of the root that let the line start anew last; 0 if none did.
        clock: Seconds since the epoch by the clock of this host.
        now: The moment judged by: the clock, or what the line has last seen if that is later.
        resets: Lines that the roots walked on the way set back.
        faults: What refuses.
    """

    chosen: Chosen
    sets: tuple[SetResult, ...]
    freshness: str
    known: Remembered | None
    awaited: Awaited | None
    floor: int
    clock: int
    now: int
    resets: tuple[str, ...]
    notices: tuple[Notice, ...]
    faults: tuple[KitError, ...]

    def check(self) -> None:
        """Raise the fault that decides, if there is one.

        Raises:
            KitError: The first rejection, else the first thing that is undecided.
        """
        for fault in sorted(self.faults, key=lambda fault: -fault.status):
            raise fault


def judge(
    facts: Facts, chosen: Chosen, memory: State | KitError, clock: int, verifier: str
) -> Judgement:
    """Judge a kit that its signatures are good for.

    Args:
        facts: What was proved.
        chosen: The policy in force.
        memory: What was remembered, the reset lines of new roots already applied; or why nothing
            is known.
        clock: Seconds since the epoch by the clock of this host; only compared, never believed.
        verifier: The version of this verifier.
    """
    policy, kit = chosen.policy, facts.kit
    state = memory if isinstance(memory, State) else EMPTY
    known, awaited = state.lines.get(kit.line), state.awaited.get(kit.line)
    clock = told_time(clock)
    now = max(clock, known.last_seen if known else 0)
    rules = policy.rules_for(kit.line)
    sets = tuple(_sets(rules, facts.signers)) if rules else ()
    found: list[_Found] = []
    if isinstance(memory, KitError):
        found.append(_Found(memory, "" if policy.state_required else "state: optional"))
    found += _allowed(facts, policy, rules, sets, verifier)
    freshness = _freshness(facts, known, awaited)
    found += _fresh(facts, policy, freshness, known, awaited)
    if facts.reached.root.version < state.root_version:
        message = f"root version {facts.reached.root.version} is used, and this host has had"
        found.append(_Found(RootOlder(f"{message} version {state.root_version}")))
    found += _aged(facts, policy, rules, known, clock)
    found += _expired(facts, policy, max(now, min(kit.mtime, clock + DAY)))
    notices, faults = [], []
    for item in found:
        relaxed_by = item.relaxed_by or override_of(
            policy, item.fault.code, facts.kit.line, facts.kit_id, now
        )
        if item.noted or relaxed_by:
            by = "" if item.noted else relaxed_by
            notices.append(Notice(item.fault.code, item.fault.message, by))
        else:
            faults.append(item.fault)
    if not isinstance(memory, State) and freshness == "first":
        freshness = "unknown"
    return Judgement(
        chosen,
        sets,
        freshness,
        known,
        awaited,
        facts.reached.floor(kit.line),
        clock,
        now,
        facts.reached.reset_lines,
        tuple(notices),
        tuple(faults),
    )


def override_of(policy: Policy, code: str, line: str, kit_id: str, now: int) -> str:
    """Return the override that relaxes a code for a kit, in words; empty if there is none."""
    for item in policy.overrides:
        if item.covers(code, line, kit_id, now):
            return f"override {item.name!r}: {item.reason}"
    return ""


# --- what the policy allows ----------------------------------------------------------------------


def _sets(rules: LinePolicy, signers: tuple[str, ...]) -> Iterator[SetResult]:
    for item in rules.signer_sets:
        signed = tuple(name for name in item.of if name in signers)
        yield SetResult(item.name, item.of, item.threshold, signed)


def _allowed(
    facts: Facts,
    policy: Policy,
    rules: LinePolicy | None,
    sets: tuple[SetResult, ...],
    verifier: str,
) -> Iterator[_Found]:
    if release(verifier) < release(policy.minimum_verifier):
        message = f"this is version {verifier}, and the policy asks for {policy.minimum_verifier}"
        yield _Found(VerifierTooOld(message))
    if rules is None:
        if not policy.other_lines:
            lines = ", ".join(item.line for item in policy.lines) or "none"
            message = f"line {facts.kit.line!r} is not one that this host takes ({lines})"
            yield _Found(LineRefused(message))
        return
    for item in sets:
        if not item.met:
            names = ", ".join(map(repr, item.signed)) or "nobody"
            message = (
                f"of {item.name!r} ({', '.join(map(repr, item.of))}) {item.threshold} must sign"
            )
            yield _Found(SignerSetUnmet(f"{message}, and {names} did"))
    for wanted in rules.attestations if not facts.evidence else ():
        message = f"the policy requires {wanted.predicate_type!r} for {wanted.where}"
        yield _Found(AttestationUnchecked(f"{message}, and this run reads no evidence"))


# --- what was accepted before --------------------------------------------------------------------


def _freshness(facts: Facts, known: Remembered | None, awaited: Awaited | None) -> str:
    if facts.reached.kit_version < facts.reached.floor(facts.kit.line):
        return "older"
    if awaited is not None:
        return "first" if facts.kit_id == awaited.kit_id else "not awaited"
    if known is None:
        return "first"
    if facts.kit.sequence == known.sequence:
        return "same" if facts.kit_id == known.kit_id else "equivocation"
    old = facts.kit.sequence < known.sequence or facts.kit.mtime < known.not_before
    return "older" if old else "newer"


def _fresh(
    facts: Facts,
    policy: Policy,
    freshness: str,
    known: Remembered | None,
    awaited: Awaited | None,
) -> Iterator[_Found]:
    kit = facts.kit
    what = f"sequence {kit.sequence} of line {kit.line!r}"
    if freshness == "older":
        message = f"{what}, {_why_older(facts, known)}"
        yield _Found(KitOlder(message), "downgrade: allow" if policy.downgrade else "")
    if freshness == "not awaited" and awaited is not None:
        message = f"{what}: after a reset by hand the kit with the kitId {awaited.kit_id} is taken"
        yield _Found(KitNotAwaited(f"{message} first, and this is kitId {facts.kit_id}"))
    if freshness == "equivocation" and known is not None:
        message = f"{what} is kitId {known.kit_id} here"
        yield _Found(KitEquivocation(f"{message}, and this is kitId {facts.kit_id}"))


def _why_older(facts: Facts, known: Remembered | None) -> str:
    floor = facts.reached.floor(facts.kit.line)
    if facts.reached.kit_version < floor or known is None:
        return (
            f"made under root version {facts.reached.kit_version}, and version {floor} let the "
            "line start anew"
        )
    if facts.kit.sequence < known.sequence:
        return f"after sequence {known.sequence} (kitId {known.kit_id}) was accepted here"
    began = format_time(known.not_before)
    return f"created {facts.kit.created}, and after a reset by hand the line began anew at {began}"


# --- what time it is -----------------------------------------------------------------------------


def _aged(
    facts: Facts,
    policy: Policy,
    rules: LinePolicy | None,
    known: Remembered | None,
    clock: int,
) -> Iterator[_Found]:
    days = rules.maximum_age_days if rules else 0
    created = facts.kit.mtime
    seen = known.last_seen if known else 0
    latest = max(created, seen)
    if clock + DAY < latest:
        message = f"it says {format_time(clock)}, and the latest kit is of {format_time(latest)}"
        dated = policy.enforce_root_expiry or (policy.enforce_kit_expiry and facts.kit.expires)
        dated = dated and max(clock, seen) + DAY < created  # else `now` is late enough
        yield _Found(ClockDiffers(message, where="the clock"), noted=not days and not dated)
    if days and seen - created > days * DAY:
        message = f"created {facts.kit.created}; the line was at {format_time(seen)}"
        yield _Found(KitTooOld(f"{message}, and the policy allows {days} days"))
    elif days and clock - created > days * DAY:
        message = f"created {facts.kit.created}, {(clock - created) // DAY} days by the clock"
        yield _Found(KitStale(f"{message} of this host, and the policy allows {days}"))


def _expired(facts: Facts, policy: Policy, now: int) -> Iterator[_Found]:
    root, kit = facts.reached.root, facts.kit
    told = f"and it is {format_time(now)}"
    if _is_past(root.expires, now):
        message = f"root version {root.version} is good until {root.expires}, {told}"
        yield _Found(
            RootExpired(message), "" if policy.enforce_root_expiry else "rootExpiry: report"
        )
    if kit.expires and _is_past(kit.expires, now):
        message = f"the kit is good until {kit.expires}, {told}"
        yield _Found(KitExpired(message), "" if policy.enforce_kit_expiry else "kitExpiry: report")


def _is_past(expires: str, now: int) -> bool:
    """Whether a date has come; the moment itself is past, as in TUF."""
    end = parse_time(expires)
    return end is not None and now >= end
