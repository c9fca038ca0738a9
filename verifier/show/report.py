"""The report: what was proved, how, what was not, and what to do; and how people read it."""

from __future__ import annotations

from verifier.core.errors import ExitStatus, KitError, KitUnreadable, Rejected
from verifier.core.lists import EVIDENCE, SIG, Index
from verifier.core.model import KitInfo, Manifest
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root
from verifier.show.fingerprint import fingerprint
from verifier.show.plain import plain
from verifier.typed import TYPE_CHECKING, record

if TYPE_CHECKING:
    from verifier.host.accept import Host

ABOUT_CONTENTS = (  # what an override may let pass of what a policy asks of evidence and members
    *("artifact-needed", "attestation-missing", "attestation-unchecked"),
    *("certificate-unknown-extension", "evidence-algorithm-unknown", "evidence-form-unknown"),
    *("evidence-too-large", "evidence-unread", "trusted-root-malformed", "trusted-root-missing"),
    *("kind-unchecked", "sbom-link-unchecked"),
)
VERDICTS = {
    ExitStatus.VERIFIED: "verified",
    ExitStatus.USAGE: "usage",
    ExitStatus.UNDECIDED: "undecided",
    ExitStatus.REJECTED: "rejected",
}


@record(frozen=True)
class Report:
    """One verdict and everything it rests on.

    Attributes:
        status: What the process exits with.
        kit: The kit in large: proved if ``authenticated``, else only what the page claims.
        proof: ``full``, ``quick``, ``page``, ``index``, ``partial`` or ``none``.
        checked: Sentences: what was proved.
        not_checked: Sentences: what nobody has looked at in this run.
        extracted: The directory that was made; empty if none was.
        host: What this host's policy and memory say; None if no trust directory was given.
    """

    status: ExitStatus
    opened: Opened
    error: KitError | None
    root: Root | None
    proof: str
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    extracted: str = ""
    host: Host | None = None

    @property
    def faults(self) -> list[KitError]:
        """All that refuses the kit: what decided first, then what else policy or memory say."""
        if self.error is None:
            return []
        judged = self.host.judgement if self.host is not None else None
        others = [*(judged.faults if judged is not None else ()), *self.opened.judged.faults]
        return [self.error, *(fault for fault in others if fault is not self.error)]

    @property
    def effective(self) -> Root | None:
        """The root that signatures count under: the pinned one, or a newer one reached from it."""
        return self.opened.reached.root if self.opened.reached else self.root

    @property
    def authenticated(self) -> bool:
        """Whether a threshold of the pinned root's signers vouches for `kit`."""
        return self.opened.manifest is not None

    @property
    def kit(self) -> KitInfo | None:
        """The kit in large."""
        manifest = self.opened.manifest or self.opened.claims
        return manifest.kit if manifest else None


def make_report(
    job: Job,
    opened: Opened,
    error: KitError | None,
    extracted: str = "",
    host: Host | None = None,
) -> Report:
    """Return the report on a run of `verifier.core.pipeline.prove`.

    Args:
        job: What was asked for.
        opened: What was established.
        error: What stopped it; None if nothing did.
        extracted: The directory that was made.
        host: The host that judged; None if no trust directory was given.
    """
    status = ExitStatus.VERIFIED if error is None else error.status
    return Report(
        status=status,
        opened=opened,
        error=error,
        root=job.root,
        proof=_proof(job, opened),
        checked=tuple(_checked(job, opened)),
        not_checked=tuple(_not_checked(job, opened, error, host)),
        extracted=extracted,
        host=host,
    )


def _proof(job: Job, opened: Opened) -> str:
    if "end" in opened.done:
        return "partial" if job.only else "quick" if job.quick else "full"
    if "frame table" in opened.done:
        return "index"
    return "page" if opened.manifest else "none"


def _checked(job: Job, opened: Opened) -> list[str]:
    done: list[str] = []
    if opened.manifest is None or opened.signing is None:
        return done
    if opened.reached is not None:
        done.append(opened.reached.sentence())
        done += _who_changed(job, opened)
        need = opened.reached.root.targets.threshold
        names = ", ".join(opened.signing.signers)
        done.append(f"manifest: signed by {names} (threshold {need}, met)")
    done += opened.beside.done
    if opened.index is not None and opened.table is not None:
        frames = _count(len(opened.table), "frame")
        done.append(f"index: {_count(len(opened.index), 'member')}; frame table: {frames}")
    if "end" not in opened.done or opened.index is None:
        return done
    if opened.wanted is not None:
        count = sum(map(len, opened.wanted))
        if count:
            done.append(f"contents of {count} of {len(opened.index)} members: SHA-256, every byte")
        else:
            done.append("that nothing is there: what was asked for is an empty placeholder")
    elif job.quick:
        done.append(
            "every byte of the file: frame digests, and member digests where frames are raw"
        )
    elif opened.plain:
        done.append("every byte of the tar stream: headers, padding, SHA-256 of every member")
    else:
        done.append("every byte of the file: frames, headers, padding, SHA-256 of every member")
    return done + opened.judged.done


def _who_changed(job: Job, opened: Opened) -> list[str]:
    """Return who came and who went on the way from the pinned root."""
    if job.root is None or opened.reached is None or not opened.reached.steps:
        return []
    from verifier.show.people import root_changes  # here: a root changes every few years

    since = f"since version {job.root.version}"
    return [f"{since}, {line}" for line in root_changes(job.root, opened.reached.root)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _not_checked(job: Job, opened: Opened, error: KitError | None, host: Host | None) -> list[str]:
    left: list[str] = []
    if opened.manifest is None:
        return [f"everything: {_unread(opened, error) or 'the manifest is not authenticated'}"]
    if "end" not in opened.done:
        left.append(_rest(error))
    elif opened.wanted is not None:
        left.append("the contents of all other members (--only)")
    elif job.quick:
        left.append("that compressed frames decode to the index (--quick): the signers say so")
    if opened.plain and "end" in opened.done:
        left.append("digests of zstd frames: the kit is a plain .tar")
    index = opened.index
    if index is not None and index.count(EVIDENCE):
        files = _count(index.count(EVIDENCE), "file")
        judged = host.evidence if host is not None else None
        what = "what the evidence says" if judged is None else "what else the evidence says"
        left.append(f"{what} ({files}): only that it is as signed")
        if opened.manifest.evidence_index is not None and (judged is None or not judged.indexed):
            left.append("the index of the evidence: that it follows from the evidence")
        if index.find(_LINKS) is not None and "links" not in opened.judged.about:
            left.append("links of SBOMs: that each element has the SHA-256 of its member")
    if index is not None and index.count(SIG):
        left.append("SHA256SUMS.sig: it is for openssl and cosign")
    left += opened.beside.left + opened.judged.left + _kinds_left(opened)
    left += _not_judged(opened, host)
    for keyid, scheme in sorted(opened.signing.not_evaluated.items() if opened.signing else ()):
        left.append(f"the signature of key {keyid!r}: its scheme {scheme!r} is not known here")
    left += [f"unknown field {name!r}" for name in opened.manifest.unknown]
    left += _not_compared(opened.manifest, index)
    return left


_LINKS = b"evidence/sbom-links.json"  # verifier.evidence.links.PATH
_RUNBOOK = "runbook"  # FORMAT 17.8
_NO_PROMISE = ("", "files")  # kinds that promise nothing but files
_KINDS = ("oci", "wheels", "debs", "npm", "git")  # known here (verifier.evidence.kinds.registry)


def _kinds_left(opened: Opened) -> list[str]:
    """Return what kinds promise and nobody looked at."""
    assert opened.manifest is not None
    named = [(item.id, item.kind) for item in opened.manifest.components]
    unknown = [
        f"what kind {kind!r} of component {name!r} promises: it is not known here"
        for name, kind in named
        if kind not in (*_NO_PROMISE, *_KINDS, _RUNBOOK)
    ]
    unknown += [
        f"the runbook {name!r}: kit-run.pyz judges it, before it does anything"
        for name, kind in named
        if kind == _RUNBOOK
    ]
    known = [f"{name} ({kind})" for name, kind in named if kind in _KINDS]
    if not known or "kinds" in opened.judged.about:
        return unknown
    return [f"what kinds promise: {', '.join(known)}", *unknown]


def _rest(error: KitError | None) -> str:
    """Return what was not come to."""
    if isinstance(error, Rejected):
        return "whatever follows the fault"
    return "the contents of the members" + (": the run ended before" if error is not None else "")


def _unread(opened: Opened, error: KitError | None) -> str:
    """Return why there is nothing to say of a kit; empty if its page was read as far as it goes."""
    if opened.page or isinstance(error, Rejected):
        return ""
    if isinstance(error, KitUnreadable):
        return "the kit could not be read"
    return "the kit was not looked at"


def _not_judged(opened: Opened, host: Host | None) -> list[str]:
    """Return what this host's policy and memory would have said, and did not."""
    assert opened.manifest is not None
    if host is not None and host.judgement is not None:
        waived = [n for n in host.judgement.notices if n.code in ABOUT_CONTENTS]
        said = [f"{notice.message} ({notice.relaxed_by})" for notice in waived]
        if host.given and host.evidence is None:
            files = _count(len(host.given), "file")
            said.append(f"the evidence given beside the kit ({files}): no rule of the policy asks")
        return said
    left = []
    if opened.manifest.kit.expires:
        left.append(f"expiry: the kit says {opened.manifest.kit.expires}")
    if opened.reached is not None:
        left.append(f"expiry of the root of trust: it says {opened.reached.root.expires}")
    why = "no trust directory was given" if host is None else "the run ended before"
    left.append(f"policy, age and downgrade: {why}")
    return left


def _not_compared(manifest: Manifest, index: Index | None) -> list[str]:
    """Return what the manifest says of bytes that nothing here was compared with."""
    left = _unknown_digests(manifest)
    for subject in manifest.subjects[2:]:
        if index is not None and index.find(subject.name.encode("utf-8")) is None:
            left.append(f"primary artifact {subject.name!r}: it is no member of this kit")
    return left


def _unknown_digests(manifest: Manifest) -> list[str]:
    said = [
        ("index", manifest.index.digest),
        ("frames", manifest.frames.digest),
        ("roots", manifest.roots.digest),
        *((f"subject {subject.name!r}", subject.digest) for subject in manifest.subjects[1:]),
    ]
    if manifest.evidence_index is not None:
        said.append(("the index of the evidence", manifest.evidence_index.digest))
    return [
        f"digest {name!r} of {part}"
        for part, digest in said
        for name in sorted(set(digest) - {"sha256", "sha512"})
    ]


# --- text ---------------------------------------------------------------------------------


def render_text(report: Report) -> str:
    """Return the report for people: the verdict first, then what it rests on."""
    lines = [_headline(report)]
    if report.error is not None:
        lines += ["", *map(str, report.faults)]
    lines += ["", *_kit_lines(report)]
    here, let_pass = _host_lines(report)
    for title, sentences in (
        ("checked", report.checked),
        ("this host", here),
        ("let pass or noted", let_pass),
        ("NOT checked", report.not_checked),
    ):
        if sentences:
            lines += ["", f"{title}:", *(f"  - {sentence}" for sentence in sentences)]
    if report.extracted:
        lines += ["", f"extracted to {plain(report.extracted)}"]
    return "\n".join(lines) + "\n"


def _host_lines(report: Report) -> tuple[list[str], list[str]]:
    """Return what this host says, and what it let pass or could not do."""
    noted = list(report.opened.noted)
    if report.host is None or report.host.judgement is None:
        return [], noted
    from verifier.show.host import host_lines, notice_lines  # here: mostly there is none

    return host_lines(report.host), notice_lines(report.host.judgement) + noted


def _headline(report: Report) -> str:
    kit, verdict = report.kit, VERDICTS[report.status].upper()
    if report.status is ExitStatus.VERIFIED and kit is not None:
        how = {"full": "", "quick": " (quick)", "partial": " IN PART"}.get(
            report.proof, f" ({report.proof} only)"
        )
        name = f"{kit.name} {kit.version}, line {kit.line}, sequence {kit.sequence}"
        return f"{verdict}{how}: {name}"
    assert report.error is not None
    if report.error.code == "no-root":
        return f"{verdict}: nobody vouches for this kit"
    return f"{verdict}: {report.error.code}"


def _kit_lines(report: Report) -> list[str]:
    kit, opened = report.kit, report.opened
    if kit is None:
        return [
            _unread(opened, report.error) or "the page at the head is not one that can be shown"
        ]
    mark = "" if report.authenticated else "claims: "
    shown = str if report.authenticated else repr  # nobody vouches for these words
    rows = [
        ("kit", f"{kit.name} {kit.version}"),
        ("line", f"{kit.line}, sequence {kit.sequence}, created {kit.created}"),
        ("summary", shown(kit.summary)),
    ]
    manifest = opened.manifest or opened.claims
    for component in manifest.components if manifest else ():
        note = f" - placeholder: {shown(component.placeholder)}" if component.placeholder else ""
        kind = f" ({component.kind})" if component.kind else ""
        owner = f", owner {shown(component.owner)}" if component.owner else ""
        text = f"{component.id} {component.version}{kind} -> {shown(component.lands)}{owner}{note}"
        rows.append(("component", text))
    for item in manifest.exemptions if manifest else ():
        rows.append(("exempt", f"{', '.join(map(shown, item.paths))}: {shown(item.reason)}"))
    root = report.effective
    if report.authenticated and opened.signing is not None and root is not None:
        for keyid, signer in sorted(opened.signing.valid.items(), key=lambda item: item[1]):
            digest = fingerprint(root.targets.keys[keyid])
            rows.append(("signer", f"{signer}, public key with SHA-256 {digest}"))
    if report.authenticated and opened.content_id:
        rows.append(("contentId", opened.content_id))
    if opened.kit_id:
        rows.append(("kitId", opened.kit_id))
    return [f"{mark}{name + ':':<11}{text}" for name, text in rows]
