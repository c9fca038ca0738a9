"""From a kit to an approval: proved, audited under a policy, and signed by who signs it off."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.attest.model import Made
from kit.attest.statement import Subject, envelope_bytes, statement_bytes
from kit.container.output import replace_file
from kit.signing import KitSigner
from verifier import __version__
from verifier.audit.order import Approval, approval_of, audit_kit
from verifier.core.errors import KitError, Rejected, Undecided
from verifier.core.model import format_time
from verifier.core.pipeline import Job
from verifier.core.trust import Root
from verifier.host.accept import Host
from verifier.host.attestations import Given
from verifier.host.directory import TrustDirectory, Trusted
from verifier.host.policy import Chosen, Policy
from verifier.run import default_workers
from verifier.typed import replace

APPROVAL = "https://offline-kit.example/approval/v1"
AUDIT, SIGNED = "audit.json", "approval.dsse.json"


class ApprovalRefused(Rejected):
    """The kit is not one that the policy takes, so nobody signs it off; its audit says why.

    A policy that asks for an approval is met as soon as there is one, so that one of a kit that was
    rejected would be worth as much as any.  What the policy asks of approvals themselves is not
    asked here: this is where they are made.
    """

    code = "approval-refused"
    fix = "Read the audit that was written, and have the sender mend what it names."


class ApprovalUndecided(Undecided):
    """Whether the policy takes the kit could not be decided, so nobody signs it off.

    The audit says what is missing: a trusted root of sigstore, say, or a form that is not known.
    """

    code = "approval-undecided"
    fix = "Read the audit that was written, give what it says is missing, and approve again."


@dataclass(frozen=True)
class Wish:
    """What is to be approved, and by which rules.

    Attributes:
        kit: The kit.
        root: The root that it is held to.
        policy: The bytes of the policy.
        given: Evidence that came beside the kit.
        trusted_roots: Contents of trusted roots of sigstore that the policy names.
        clock: Seconds since the epoch.
        directory: Where `AUDIT` and `SIGNED` go.
    """

    kit: Path
    root: Root
    policy: bytes
    given: Sequence[Given]
    trusted_roots: Sequence[bytes]
    clock: int
    directory: Path


@dataclass(frozen=True)
class Approved:
    """An approval that was written."""

    approval: Approval
    audit: Path
    signed: Path
    signers: tuple[str, ...]


def approve(wish: Wish, signers: Sequence[KitSigner]) -> Approved:
    """Prove a kit, all of it, write its audit, and sign the kitId if the policy takes it.

    Raises:
        ApprovalRefused: The policy does not take it, or it is not authentic.
        ApprovalUndecided: That could not be found out.
        KitError: The policy, a key or the disk is at fault.
    """
    with tempfile.TemporaryDirectory(prefix="offline-kit-") as place:
        trust = TrustDirectory(os.path.join(place, "trust"))
        data = wish.root.line
        trust.make(data, hashlib.sha256(data).hexdigest(), wish.policy)
        trust.add_trusted_roots(wish.trusted_roots)
        host = _Approver(trust, wish.clock, __version__, wish.given)
        job = Job(root=host.root, workers=default_workers())
        audit = audit_kit(os.fspath(wish.kit), job, host=host)
    approval = approval_of(audit)
    path = wish.directory / AUDIT
    replace_file(path, approval.audit)
    if audit.report.error is not None:
        raise _refusal(audit.report.error, path)
    payload = statement_bytes(
        [Subject("kitId", (("sha256", approval.kit_id),))],
        Made(
            APPROVAL,
            {
                "at": format_time(wish.clock),
                "audit": {"sha256": hashlib.sha256(approval.audit).hexdigest()},
                "policy": {"sha256": hashlib.sha256(wish.policy).hexdigest()},
                "verdict": approval.verdict,
            },
        ),
    )
    signed = wish.directory / SIGNED
    replace_file(signed, envelope_bytes(payload, signers))
    return Approved(approval, path, signed, tuple(signer.keyid for signer in signers))


def _refusal(error: KitError, path: Path) -> KitError:
    kind = ApprovalUndecided if error.status == Undecided.status else ApprovalRefused
    where = f"{error.where}: " if error.where else ""
    return kind(f"{error.code}: {where}{error.message}; see {path}", where="kit")


class _Approver(Host):
    """A host that asks for all that a policy asks for, but for approvals."""

    def __init__(
        self, directory: TrustDirectory, clock: int, verifier: str, given: Sequence[Given]
    ) -> None:
        super().__init__(directory, clock, verifier, given)
        names = Trusted.__match_args__
        self._trusted = _WithoutApprovals(*(getattr(self._trusted, name) for name in names))


class _WithoutApprovals(Trusted):
    """What a host believes, whose policy asks for no approval."""

    def choose(self, root: Root) -> Chosen:
        """Return the policy that goes with a root, but for what it asks of approvals."""
        chosen = super().choose(root)
        return replace(chosen, policy=_without_approvals(chosen.policy))


def _without_approvals(policy: Policy) -> Policy:
    lines = tuple(
        replace(
            line,
            attestations=tuple(
                each for each in line.attestations if each.predicate_type != APPROVAL
            ),
        )
        for line in policy.lines
    )
    return replace(policy, lines=lines)
