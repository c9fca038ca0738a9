"""What is said of evidence that does not hold, or that this verifier cannot judge.

What is false is rejected.  What is there, but in a form, by an algorithm or of a size that this
verifier does not know, is undecided: newer evidence is never called forged.
"""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided

_RENEW = "Do not rely on this evidence; ask whoever made it for one that is intact."
_NEWER = "Get a newer kit-verify.pyz, or evidence in a form that this one knows."


# --- documents ---------------------------------------------------------------------------------


class EvidenceMalformed(Rejected):
    """A document of evidence is not what it says it is.

    It is not JSON, has a name twice, lacks a field that its form demands, or spells one otherwise
    than the form allows.
    """

    code = "evidence-malformed"
    fix = _RENEW


class EvidenceTooLarge(Undecided):
    """A document of evidence is larger, deeper or has more parts than this verifier reads.

    The limits are in TRUST-FILES 3.9 and in docs/explanation/sigstore.md.
    """

    code = "evidence-too-large"
    fix = "Ask for smaller documents; one of up to 64 MiB can be given with --evidence FILE."


class EvidenceFormUnknown(Undecided):
    """The evidence has a form, or a version of one, that this verifier does not know."""

    code = "evidence-form-unknown"
    fix = _NEWER


class EvidenceAlgorithmUnknown(Undecided):
    """A signature or digest was made by an algorithm that this verifier does not judge.

    It judges ECDSA on P-256 and P-384, Ed25519, and RSA (PKCS #1 v1.5), with SHA-256, SHA-384 and
    SHA-512.
    """

    code = "evidence-algorithm-unknown"
    fix = _NEWER


class StatementMalformed(Rejected):
    """What was signed is not an in-toto Statement: type, subjects or predicate are missing."""

    code = "statement-malformed"
    fix = _RENEW


class SubjectMismatch(Rejected):
    """The evidence is about something else: its digest is not the one asked about.

    Subjects are compared by digest, never by name.
    """

    code = "subject-mismatch"
    fix = "Check which file was asked about; evidence for another version does not count."


class ArtifactNeeded(Undecided):
    """The signature cannot be judged by the digest that is known of the artifact.

    Ed25519 signs the artifact itself, and a signature over SHA-512 needs that digest.
    """

    code = "artifact-needed"
    fix = "Give the file itself in place of its digest."


class EvidenceIndexFalse(Rejected):
    """The index of the evidence says something else than the documents of the kit.

    It follows from them (FORMAT 18), so whoever wrote it made a mistake, or hid something.
    """

    code = "evidence-index-false"
    fix = "Do not rely on this kit's evidence; ask its builder how the index was written."


# --- what policy asks for ----------------------------------------------------------------------


class AttestationMissing(Rejected):
    """The policy requires an attestation, and there is none of its type about what it names.

    It is not in the kit and was not given with `--evidence`; or what there is has another predicate
    type, or is about something else.
    """

    code = "attestation-missing"
    fix = "Ask the sender for it, and give it with --evidence FILE; or record an override."


class AttestationUntrusted(Rejected):
    """There is such an attestation, and not enough of those whom the policy names signed it.

    It counts by who signed it, never by where it lies.  All must have signed the same statement:
    what two builds attest is not put together.
    """

    code = "attestation-untrusted"
    fix = "Compare the signers named with `attesters` of the policy; do not add one to fit."


class EvidenceUnread(Undecided):
    """What decides about an attestation was not read in this run.

    `--quick` did not decode the member that says it, or it is larger than what is looked into.
    """

    code = "evidence-unread"
    fix = "Run it in full, without --quick; larger evidence can be given with --evidence FILE."


class AttestationFalse(Rejected):
    """The attestation that the policy requires says something that the policy does not take.

    Another builder or source, tests that did not pass, a material that is not locked, a finding
    that nobody answered, or it is too old.
    """

    code = "attestation-false"
    fix = "Ask the sender for a release that meets what is named; an override cannot relax it."


class LayoutInspects(Rejected):
    """An in-toto layout has inspections: commands that whoever verifies would run.

    This verifier executes nothing, and a chain whose inspections did not run is not verified.
    """

    code = "layout-inspects"
    fix = "Ask the sender for a layout without `inspect`; they belong on the release host."


class LayoutUnmet(Rejected):
    """The links of an in-toto layout do not show that each step was done by those who may.

    A link is missing, was signed by somebody else, contradicts another one of its step, breaks a
    rule of the layout, or has products that are not what the kit carries.
    """

    code = "layout-unmet"
    fix = "Ask the sender for the missing link; a link counts by its key, each key once."


# --- SBOMs -------------------------------------------------------------------------------------


class SbomLinkFalse(Rejected):
    """An SBOM does not describe what the kit says that it does, or the list of links is none.

    `evidence/sbom-links.json` says which element of which SBOM describes which member. The SBOM has
    no such element, gives no SHA-256 for it, or another one than the member has.
    """

    code = "sbom-link-false"
    fix = "Do not rely on this SBOM; ask whoever built the kit for one that was made of it."


class SbomLinkUnchecked(Undecided):
    """An SBOM that is linked to members was not looked into: it is too large, or nobody read it."""

    code = "sbom-link-unchecked"
    fix = "Verify without --quick; for a larger SBOM ask for a split one, or let it pass by policy."
