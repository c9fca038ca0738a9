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

    A link is missing, was signed by somebody else, contradicts another one of its step, or has
    products that are not what the kit carries.
    """

    code = "layout-unmet"
    fix = "Ask the sender for the missing link; a link counts by its key, each key once."


# --- sigstore: what this host has --------------------------------------------------------------


class TrustedRootMissing(Undecided):
    """No trusted root was given, so nobody on this host vouches for certificates or logs.

    Nothing is fetched: a trusted root is brought to the host and named by its digest.
    """

    code = "trusted-root-missing"
    fix = "Bring the trusted_root.json that the policy names."


class TrustedRootMalformed(Undecided):
    """A trusted root of this host is not one: a field is missing or cannot be read.

    Each key and each authority must say from when on it counts.
    """

    code = "trusted-root-malformed"
    fix = "Bring the trusted_root.json again from where it came, and compare its SHA-256."


# --- sigstore: who signed ----------------------------------------------------------------------


class BundleSignatureInvalid(Rejected):
    """The signature of the bundle is not one by its key over this artifact or statement."""

    code = "bundle-signature-invalid"
    fix = "Check that artifact and bundle belong together; if they do, do not use the artifact."


class SignerKindMismatch(Rejected):
    """The bundle was signed by a key where an identity is asked for, or the other way round."""

    code = "signer-kind-mismatch"
    fix = "Ask for evidence by the signer that the policy names."


class CertificateMalformed(Rejected):
    """A certificate is not one in DER, as X.509 version 3 and RFC 5280 have it."""

    code = "certificate-malformed"
    fix = _RENEW


class CertificateUnknownExtension(Undecided):
    """A certificate has a critical extension, or name constraints, that this verifier ignores.

    Whoever issued it demands that such a thing is understood, so it decides nothing here.
    """

    code = "certificate-unknown-extension"
    fix = _NEWER


class CertificateUntrusted(Rejected):
    """The certificate was not issued by an authority of the trusted root."""

    code = "certificate-untrusted"
    fix = "Check which trusted root the signer's certificates come from; do not add one unasked."


class CertificateExpired(Rejected):
    """The certificate, or one above it, was not valid when the signature was made.

    Each verified time counts: that of a log and that of each timestamp.  Both ends of a validity
    belong to it.
    """

    code = "certificate-expired"
    fix = "Ask the signer to sign again; a certificate of minutes must be used within them."


class CertificateMisused(Rejected):
    """A certificate was used for what its issuer did not allow.

    The signer's must be for code signing, that of a timestamp authority for time stamping alone;
    those above must be of authorities, no more of them in a row than they allow.
    """

    code = "certificate-misused"
    fix = _RENEW


class IdentityMismatch(Rejected):
    """The certificate was issued to another identity than the one asked for."""

    code = "identity-mismatch"
    fix = "Compare the identity named with the policy; do not widen the policy to fit it."


class IssuerMismatch(Rejected):
    """The signer's identity was vouched for by another OIDC issuer than the one asked for."""

    code = "issuer-mismatch"
    fix = "Compare the issuer named with the policy; the same name at another issuer is another."


class SctMissing(Rejected):
    """The trusted root has certificate logs, and the certificate shows no entry in one (SCT)."""

    code = "sct-missing"
    fix = _RENEW


class SctUntrusted(Rejected):
    """Each SCT of the certificate is by a log that the trusted root does not name at that time."""

    code = "sct-untrusted"
    fix = "Check that the trusted root is the one of the signer's certificate authority."


class SctInvalid(Rejected):
    """The signature of an SCT is not one by its log over this certificate."""

    code = "sct-invalid"
    fix = _RENEW


# --- sigstore: transparency log ----------------------------------------------------------------


class LogEntryMissing(Rejected):
    """The trusted root has transparency logs, and the bundle shows no entry in one."""

    code = "log-entry-missing"
    fix = "Ask for evidence that was logged, or for a trusted root that asks for none."


class LogEntryMismatch(Rejected):
    """The log's entry is about another signature, key, digest or statement than the bundle."""

    code = "log-entry-mismatch"
    fix = _RENEW


class LogUntrusted(Rejected):
    """No entry is in a log that the trusted root names for that time."""

    code = "log-untrusted"
    fix = "Check that the trusted root is the one of the log that the signer used."


class LogPromiseMissing(Rejected):
    """A bundle of version 0.1 carries no signed promise of its log (SET)."""

    code = "log-promise-missing"
    fix = _RENEW


class LogPromiseInvalid(Rejected):
    """The log's promise (SET) is not signed by the log over this entry, time and place."""

    code = "log-promise-invalid"
    fix = _RENEW


class LogProofMissing(Rejected):
    """The entry comes without a proof that the log holds it, and its form demands one."""

    code = "log-proof-missing"
    fix = _RENEW


class LogProofInvalid(Rejected):
    """The hashes of the inclusion proof do not lead from the entry to the log's root."""

    code = "log-proof-invalid"
    fix = _RENEW


class CheckpointMissing(Rejected):
    """The inclusion proof comes without the log's signed checkpoint, so it proves nothing."""

    code = "checkpoint-missing"
    fix = _RENEW


class CheckpointMalformed(Rejected):
    """The checkpoint is no signed note: origin, size, root hash, and signatures."""

    code = "checkpoint-malformed"
    fix = _RENEW


class CheckpointInvalid(Rejected):
    """The checkpoint is not signed by the log that the entry names."""

    code = "checkpoint-invalid"
    fix = _RENEW


class CheckpointMismatch(Rejected):
    """The checkpoint is of another size or root than the inclusion proof leads to."""

    code = "checkpoint-mismatch"
    fix = _RENEW


# --- sigstore: time ----------------------------------------------------------------------------


class SigningTimeMissing(Rejected):
    """Nobody whom the trusted root names says when the signature was made.

    A certificate lives for minutes, so a time that only the bundle states is worth nothing: it
    takes a promise of the log (SET) or a timestamp (RFC 3161).
    """

    code = "signing-time-missing"
    fix = "Ask for evidence with a timestamp, or with a log's promise."


class TimestampMalformed(Rejected):
    """A timestamp is not a response of RFC 3161 in DER."""

    code = "timestamp-malformed"
    fix = _RENEW


class TimestampUntrusted(Rejected):
    """A timestamp was made by nobody whom the trusted root names for that time."""

    code = "timestamp-untrusted"
    fix = "Check that the trusted root names the timestamp authority that the signer used."


class TimestampInvalid(Rejected):
    """A timestamp is not signed by its authority, or is about another signature."""

    code = "timestamp-invalid"
    fix = _RENEW


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
