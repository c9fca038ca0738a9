"""The order of an audit: prove the kit as `verify` does, then read what was kept on the way."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.audit.catch import Catch
from verifier.audit.collect import make_audit
from verifier.audit.decisions import refusal
from verifier.audit.jsonform import audit_bytes
from verifier.audit.model import Audit
from verifier.core.errors import ExitStatus, KitError
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root
from verifier.host.accept import Host
from verifier.host.attestations import Given
from verifier.host.kinds import KindsByPolicy
from verifier.host.links import LinksByPolicy
from verifier.kindjudge import KindJudge
from verifier.linkjudge import LinkJudge
from verifier.pack import is_pack
from verifier.run import run
from verifier.show.report import Report
from verifier.typed import TYPE_CHECKING, record, replace

if TYPE_CHECKING:
    from verifier.catch import Judge

_ALWAYS_THERE = "README.txt"  # of every kit (FORMAT 6.2)


class _Patient(Host):
    """A host that refuses a kit only when all of it was read.

    `verify` stops where policy or memory refuse.  Whoever audits wants to see all of such a kit:
    it is authentic, and the refusal stands.
    """

    def __init__(self, host: Host) -> None:
        self.__dict__ = host.__dict__  # what the host comes to know is known to both
        self.fault: KitError | None = None

    def judge(self, opened: Opened) -> None:
        """Judge, and keep what refuses."""
        try:
            super().judge(opened)
        except KitError as error:
            self.fault = error

    def judges(self) -> Sequence[Judge]:
        """Return who looks into members, but for those whom an audit always asks."""
        always = (KindsByPolicy, LinksByPolicy)
        return [judge for judge in super().judges() if not isinstance(judge, always)]


class _Onlooker(_Patient):
    """A host that is asked whom its policy names, and refuses nothing."""

    def judges(self) -> Sequence[Judge]:
        """Return nobody: what is required is not what is different."""
        return ()


@record(frozen=True)
class Approval:
    """What somebody signs who signs off a kit by its audit.

    Attributes:
        audit: The bytes of ``audit.json``.
        verdict: ``verified``, ``undecided`` or ``rejected``.
        kit_id: What the kit's signers signed; empty if nothing could be read.
        policy_sha256: Of the policy that was judged by; empty for none.
    """

    audit: bytes
    verdict: str
    kit_id: str
    content_id: str
    policy_sha256: str


def audit_kit(
    path: str,
    job: Job,
    *,
    host: Host | None = None,
    later: Sequence[Given] = (),
) -> Audit:
    """Prove a kit, all of it, and say everything that is known of it.

    Verdict and exit status are those of `verify` with the same root, policy and expectation, but
    that what kinds promise and what SBOMs are linked to is judged whether the policy asks or not,
    by SHA-512 too (FORMAT 17, 18.5).

    Args:
        path: The kit.
        job: The root, what is expected, and how many workers.
        host: The host that judges by policy and memory; None to ask the root of the job only.
        later: Evidence that is given beside the kit; a host has its own.
    """
    if job.only or job.quick or job.stop_after != "members":
        raise ValueError("an audit is of a whole kit")
    catch = Catch()
    patient = _Patient(host) if host is not None else None
    kinds, links = KindJudge(sha512=True), LinkJudge()
    if patient is not None:
        kinds = KindsByPolicy(patient, always=True, sha512=True)
        links = LinksByPolicy(patient, always=True)
    proved = run(path, job, host=patient, judges=(catch, kinds, links))
    given = host.given if host is not None else later
    audit = make_audit(_refused(proved, patient), catch, given)
    told = [audit.report.error, *proved.opened.judged.faults]  # these are decisions already
    if proved.error is not None and not any(proved.error is fault for fault in told):
        audit.decisions.append(refusal("proof", proved.error))
    return audit


def _refused(report: Report, patient: _Patient | None) -> Report:
    """Return the report with what policy or memory refuse, which `verify` would have said first."""
    if patient is None or patient.fault is None:
        return report
    return replace(report, status=patient.fault.status, error=patient.fault)


def read_contents(
    path: str, job: Job, root: Root, host: Host | None = None
) -> tuple[Audit | None, str]:
    """Return what the evidence and the images of a kit say; no more of it is decoded.

    Each document is held to the signed index; the rest of the kit is not read.

    Args:
        path: The kit, or its review pack.
        job: How it is authenticated.
        root: Whose kit signers attest.
        host: Whose policy names who else may; None for nobody.

    Returns:
        The audit, or None with the reason why the contents are not known.

    Raises:
        KitError: It is not as it must be.
    """
    if is_pack(path):
        return None, "a review pack has no contents"
    catch = Catch()
    job.only = (_ALWAYS_THERE,)
    report = run(path, job, host=_Onlooker(host) if host is not None else None, judges=(catch,))
    if report.error is None:
        return make_audit(report, catch, root=root), ""
    if report.error.status is ExitStatus.UNDECIDED:
        return None, f"{report.error.code}: {report.error.message}"
    raise report.error


def approval_of(audit: Audit) -> Approval:
    """Return what a person signs who has read an audit."""
    report = audit.report
    judged = report.host.judgement if report.host is not None else None
    return Approval(
        audit_bytes(audit),
        {0: "verified", 3: "undecided"}.get(int(report.status), "rejected"),
        report.opened.kit_id or "",
        report.opened.content_id or "",
        judged.chosen.sha256 if judged is not None else "",
    )
