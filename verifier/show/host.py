"""What a host says of its trust: for reading aloud, for the report as text, and as JSON."""

from __future__ import annotations

from verifier.core.errors import KitError
from verifier.core.model import format_time
from verifier.core.names import quoted
from verifier.core.trust import Role
from verifier.host.accept import ACCEPTED, AGAIN, LOOKED, NOT_RECORDED, Host
from verifier.host.directory import Trusted
from verifier.host.judge import Judgement, Notice
from verifier.host.policy import Chosen
from verifier.host.state import EVERY_LINE, Reset, State
from verifier.show.fingerprint import fingerprint, groups
from verifier.show.plain import plain
from verifier.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.evidence.judgement import Decision, Proof
    from verifier.host.attest import Signed

# --- the report ----------------------------------------------------------------------------------

_MAX_LISTING = 3  # image indexes named in one line


def host_lines(host: Host) -> list[str]:
    """Return the part of a report that is about this host: sentences."""
    judgement = host.judgement
    if judgement is None:
        return []
    lines = [_policy_line(judgement.chosen)]
    for item in judgement.sets:
        signed = ", ".join(item.signed) or "nobody"
        met = "met" if item.met else "NOT met"
        lines.append(f"signer set {item.name!r}: {signed} (threshold {item.threshold}, {met})")
    lines += evidence_lines(host)
    lines.append(f"freshness: {_freshness_line(judgement)}")
    if judgement.resets:
        lines.append(f"set back by a new root: {', '.join(judgement.resets)}")
    lines.append(
        {
            LOOKED: "not accepted",
            ACCEPTED: "accepted: this host remembers the kit",
            AGAIN: "accepted before",
            NOT_RECORDED: f"accepted and NOT remembered, as the policy allows: {host.why}",
        }[host.outcome]
    )
    return lines


def evidence_lines(host: Host) -> list[str]:
    """Return how what the policy requires of evidence came out, a sentence each."""
    judged = host.evidence
    if judged is None:
        return []
    lines = []
    for decision in judged.decisions:
        asked = f"attestation {decision.requirement.predicate_type} of {decision.component!r}"
        if decision.fault is not None:
            passed = "let pass" if decision.relaxed_by else f"NOT met, {decision.verdict}"
            lines.append(f"{asked}: {passed} ({decision.code})")
            continue
        lines.append(f"{asked}: {'; '.join(map(_proof_line, decision.proofs))}")
    return lines + [f"evidence given beside the kit: SHA-256 {sha256}" for sha256 in judged.given]


def _proof_line(proof: Proof) -> str:
    when = ""
    if proof.signed_at is not None:
        how = "as it says" if proof.time_from == "stated" else f"proved by a {proof.time_from}"
        when = f", {format_time(proof.signed_at)} {how}"
    given = ", given beside the kit" if proof.given else ""
    listing = ", ".join(f"sha256:{digest}" for digest in proof.listing[:_MAX_LISTING])
    if listing:
        given += f", about the image index {listing} that lists what the kit has"
    return f"by {proof.attester!r} ({quoted(proof.signer)}), {quoted(proof.document)}{given}{when}"


def notice_lines(judgement: Judgement) -> list[str]:
    """Return what did not refuse the kit, and why not."""
    return [_notice_line(notice) for notice in judgement.notices]


def _notice_line(notice: Notice) -> str:
    by = f" (let pass by {notice.relaxed_by})" if notice.relaxed_by else " (noted)"
    return f"{notice.code}: {notice.message}{by}"


def _policy_line(chosen: Chosen) -> str:
    if chosen.bound_by == "nobody":
        return "no policy: any line is accepted"
    by = "named by the root" if chosen.bound_by == "root" else "this host's own, named by no root"
    return f"policy {chosen.policy.name!r}, SHA-256 {chosen.sha256}, {by}"


def _freshness_line(judgement: Judgement) -> str:
    known = judgement.known
    if judgement.freshness == "unknown":
        return "unknown, nothing is remembered"
    if judgement.freshness == "not awaited" and judgement.awaited is not None:
        return f"ANOTHER kit than the one awaited after a reset: kitId {judgement.awaited.kit_id}"
    if judgement.awaited is not None and judgement.freshness == "first":
        return "the kit that was named when its line was reset here"
    if known is None and judgement.freshness == "older":
        return f"OLDER; its line started anew with version {judgement.floor} of the root"
    if known is None:
        return "the first kit of its line here"
    after = f"sequence {known.sequence}, kitId {known.kit_id}, was accepted here"
    return {
        "newer": f"newer; {after}",
        "same": "the kit that was accepted here last",
        "older": f"OLDER; {after}",
        "equivocation": f"ANOTHER kit of this sequence; {after}",
    }[judgement.freshness]


def host_value(host: Host) -> dict[str, Any] | None:
    """Return the ``trust`` of manifests/schema/report.v1.json."""
    judgement = host.judgement
    if judgement is None:
        return None
    chosen, known = judgement.chosen, judgement.known
    return {
        "policy": {
            "name": chosen.policy.name,
            "sha256": chosen.sha256 or None,
            "boundBy": chosen.bound_by,
        },
        "signerSets": [
            {
                "name": item.name,
                "of": list(item.of),
                "threshold": item.threshold,
                "signed": list(item.signed),
                "met": item.met,
            }
            for item in judgement.sets
        ],
        "freshness": {
            "decision": judgement.freshness,
            "known": None
            if known is None
            else {
                "sequence": known.sequence,
                "kitId": known.kit_id,
                "rootVersion": known.root_version,
                "lastSeen": format_time(known.last_seen),
                "notBefore": format_time(known.not_before) if known.not_before else None,
            },
            "awaited": judgement.awaited.kit_id if judgement.awaited is not None else None,
            "rootFloor": judgement.floor or None,
            "clock": format_time(judgement.clock),
            "judgedBy": format_time(judgement.now),
        },
        "attestations": [_decision_value(item) for item in host.evidence.decisions]
        if host.evidence is not None
        else [],
        "evidenceGiven": list(host.evidence.given) if host.evidence is not None else [],
        "resetLines": list(judgement.resets),
        "notices": [
            {"code": item.code, "message": item.message, "relaxedBy": item.relaxed_by or None}
            for item in judgement.notices
        ],
        "outcome": host.outcome,
        "notRecordedBecause": host.why or None,
    }


def _decision_value(decision: Decision) -> dict[str, Any]:
    asked = decision.requirement
    return {
        "component": decision.component,
        "predicateType": asked.predicate_type,
        "by": {"of": list(asked.of), "threshold": asked.threshold},
        "verdict": decision.verdict,
        "code": decision.code or None,
        "message": decision.message or None,
        "relaxedBy": decision.relaxed_by or None,
        "proofs": [
            {
                "document": proof.document,
                "sha256": proof.sha256,
                "given": proof.given,
                "attester": proof.attester,
                "signer": proof.signer,
                "signedAt": None if proof.signed_at is None else format_time(proof.signed_at),
                "timeFrom": proof.time_from or None,
                "about": list(proof.about),
                "listing": list(proof.listing),
            }
            for proof in decision.proofs
        ],
    }


# --- for reading aloud ---------------------------------------------------------------------------


def trusted_lines(trusted: Trusted, place: str) -> list[str]:
    """Return what `trust show` prints: numbers in groups, for reading aloud."""
    root = trusted.root
    lines = [
        f"trust directory: {plain(place)}",
        f"root: version {root.version}, good until {root.expires}, SHA-256 of root.json:",
        f"  {groups(trusted.root_sha256)}",
        *_role_lines("kit signers", root.targets),
        *_role_lines("root signers", root.role["root"], root.targets),
    ]
    try:
        chosen = trusted.choose(root)
    except KitError as error:
        lines += [f"policy: {error.code}: {error.message}"]
    else:
        lines += _chosen_lines(chosen)
    return lines + memory_lines(trusted.memory)


def _role_lines(title: str, role: Role, said: Role | None = None) -> list[str]:
    if said is not None and role.keys.keys() == said.keys.keys():
        return [f"{title}: {role.threshold} of {len(role.signers())}, the same people and keys"]
    lines = [f"{title}: {role.threshold} of {len(role.signers())}; SHA-256 of their public keys:"]
    for key in sorted(role.keys.values(), key=lambda key: (key.signer, key.keyid)):
        lines += [f"  {key.signer} ({key.scheme})", f"    {groups(fingerprint(key))}"]
    return lines


def _chosen_lines(chosen: Chosen) -> list[str]:
    if chosen.bound_by == "nobody":
        return ["no policy: any line is accepted"]
    by = "named by the root" if chosen.bound_by == "root" else "this host's own"
    return [
        f"policy: {chosen.policy.name!r}, {by}, SHA-256 of policy.json:",
        f"  {groups(chosen.sha256)}",
    ]


def trusted_root_lines(names: Sequence[str]) -> list[str]:
    """Return which trusted roots of sigstore are here, for reading aloud."""
    if not names:
        return []
    return ["trusted roots of sigstore, by SHA-256:", *(f"  {groups(name)}" for name in names)]


def memory_lines(memory: State | KitError) -> list[str]:
    """Return what is remembered, line by line, and which lines were given up."""
    if isinstance(memory, KitError):
        return [f"memory of accepted kits: {memory.code}: {memory.message}"]
    if not memory.lines and not memory.resets:
        return ["no kit was accepted here yet"]
    lines = [f"highest root version that was here: {memory.root_version}"]
    for name, item in sorted(memory.lines.items()):
        lines += [
            f"line {name}: sequence {item.sequence}, root version {item.root_version}, "
            f"last seen {format_time(item.last_seen)}, kitId:",
            f"  {groups(item.kit_id)}",
        ]
        if item.not_before:
            lines.append(f"  what was made before {format_time(item.not_before)} is old")
    for name, awaited in sorted(memory.awaited.items()):
        lines += [f"line {name}: begins anew with the kitId", f"  {groups(awaited.kit_id)}"]
    if memory.forgotten:
        lines.append(f"{memory.forgotten} older resets are no longer listed")
    return lines + [_reset_line(item) for item in memory.resets]


def _reset_line(item: Reset) -> str:
    line = "every line" if item.line == EVERY_LINE else f"line {item.line}"
    was = f", was sequence {item.sequence}" if item.sequence else ""
    return f"reset of {line} at {format_time(item.at)} by {item.by}{was}: {item.reason}"


# --- a signed receipt ----------------------------------------------------------------------------


def receipt_lines(signed: Signed) -> list[str]:
    """Return what a signed receipt says; all of it is the word of the host that signed it."""
    predicate = signed.statement["predicate"]
    report = predicate.get("report")
    report = report if isinstance(report, dict) else {}
    kit = report.get("kit")
    kit = kit if isinstance(kit, dict) else {}
    known = {"version": kit.get("version"), "line": kit.get("line"), "kitId": report.get("kitId")}
    told = [f"{name} {quoted(str(value))}" for name, value in known.items() if value is not None]
    return [
        f"the signature is good ({signed.form}); SHA-256 of the public key:",
        f"  {groups(signed.fingerprint)}",
        "whoever has that key says:",
        f"  at {quoted(str(predicate.get('at')))}: {quoted(str(report.get('verdict')))}, "
        f"proof {quoted(str(predicate.get('proof')))}",
        f"  kit {quoted(str(kit.get('name')))}, {', '.join(told)}",
    ]
