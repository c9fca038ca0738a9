"""What a policy means, in words, and whether any kit can meet it."""

from __future__ import annotations

from verifier.core.trust import Root
from verifier.host.policy import LinePolicy, Policy, release
from verifier.host.requirements import key_digest
from verifier.show.fingerprint import groups
from verifier.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.evidence.rules import Attester, Requirement


def policy_lines(policy: Policy, root: Root | None, sha256: str) -> list[str]:
    """Return what `policy check` prints: every rule as a sentence, then what does not go together.

    Args:
        policy: The policy.
        root: The root it should go with; None to say nothing of that.
        sha256: Of the bytes of the policy.
    """
    lines = [f"policy {policy.name!r}, SHA-256 of its file:", f"  {groups(sha256)}"]
    lines += [_attester_line(item) for item in policy.attesters]
    for rules in policy.lines:
        lines += _line_lines(rules)
    other = "any" if policy.other_lines else "no"
    lines.append(f"of {'every other' if policy.lines else 'every'} line {other} kit is taken")
    lines.append(f"lower sequences are {'taken' if policy.downgrade else 'refused'}")
    state = "must be there" if policy.state_required else "may be missing or unwritable"
    lines.append(f"the memory of accepted kits {state}")
    for what, enforced in (
        ("root", policy.enforce_root_expiry),
        ("kit", policy.enforce_kit_expiry),
    ):
        lines.append(f"an expired {what} is {'refused' if enforced else 'reported'}")
    if policy.minimum_verifier != "0":
        lines.append(f"the verifier must be {policy.minimum_verifier} or newer")
    for item in policy.overrides:
        on = f"line {item.line}" if item.line else f"kitId {item.kit_id}"
        until = f" until {item.until}" if item.until else ""
        lines.append(
            f"override {item.name!r}: {item.code} is let pass for {on}{until}: {item.reason}"
        )
    return lines + (root_lines(root, sha256) if root is not None else [])


def unmeetable(policy: Policy, root: Root | None, sha256: str, verifier: str) -> list[str]:
    """Return why no kit can be taken, of a line that is named or at all; empty if kits can.

    An override of the policy that lets the same fault pass is counted in.

    Args:
        policy: The policy.
        root: The root it should go with; None to leave out what needs one.
        sha256: Of the bytes of the policy.
        verifier: The version of this verifier.
    """
    found = []
    if not policy.lines and not policy.other_lines:
        found.append("no kit at all: no line is named, and other lines are refused")
    if release(verifier) < release(policy.minimum_verifier):
        found.append(f"no kit at all: this verifier is version {verifier}")
    if root is not None and root.policy_sha256 not in ("", sha256):
        found.append(f"no kit at all: root version {root.version} names another policy")
    for rules in policy.lines:
        waived = {item.code for item in policy.overrides if item.kit_id or item.line == rules.line}
        for wanted in rules.attestations:
            able = _able(policy, wanted, root)
            if able < wanted.threshold and "attestation-missing" not in waived:
                found.append(
                    f"no kit of line {rules.line}: {able} of the {wanted.threshold} attesters that "
                    f"{wanted.predicate_type} wants can sign"
                )
        for item in rules.signer_sets if root is not None else ():
            there = set(item.of) & set(root.targets.signers()) if root is not None else set()
            if len(there) < item.threshold and "signer-set-unmet" not in waived:
                found.append(
                    f"no kit of line {rules.line}: {len(there)} of the {item.threshold} people "
                    f"that {item.name!r} wants can sign"
                )
    return found


def _able(policy: Policy, wanted: Requirement, root: Root | None) -> int:
    """Return how many of those whom a requirement names there are at all."""
    signers = {item.name: item.signer for item in policy.attesters}
    known = None if root is None else root.targets.signers()
    return sum(
        1 for name in wanted.of if not signers.get(name) or known is None or signers[name] in known
    )


def _attester_line(item: Attester) -> str:
    if item.signer:
        return f"attester {item.name!r} is the kit signer {item.signer!r}"
    under = f", under the trusted root {item.trusted_root}" if item.trusted_root else ""
    if item.key:
        return f"attester {item.name!r} has the key with SHA-256 {key_digest(item.key)}{under}"
    return f"attester {item.name!r} is {item.identity!r}, as {item.issuer!r} says{under}"


def _line_lines(rules: LinePolicy) -> list[str]:
    lines = [f"line {rules.line}:"]
    for item in rules.signer_sets:
        lines.append(f"  {item.threshold} of {', '.join(item.of)} must sign ({item.name})")
    lines += [f"  {wanted.sentence()}" for wanted in rules.attestations]
    if rules.maximum_age_days:
        lines.append(f"  a kit is at most {rules.maximum_age_days} days old")
    if rules.kinds:
        lines.append("  components must keep what their kinds promise")
    if rules.sbom_links:
        lines.append("  SBOMs must describe the members that they are linked to")
    if len(lines) == 1:
        lines.append("  the threshold of the root is enough, at any age")
    return lines


def root_lines(root: Root, sha256: str) -> list[str]:
    """Return whether a root names a policy."""
    if not root.policy_sha256:
        lines = [f"root version {root.version} names no policy: this one is the host's own"]
    elif root.policy_sha256 == sha256:
        lines = [f"root version {root.version} names this policy"]
    else:
        lines = [f"WARNING: root version {root.version} names another policy:"]
        lines.append(f"  {groups(root.policy_sha256)}")
    return lines
