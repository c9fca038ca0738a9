"""What is said of sigstore bundles and trusted roots that do not hold, or cannot be judged here."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided

_RENEW = "Do not rely on this evidence; ask whoever made it for one that is intact."
_NEWER = "Get a newer kit-verify.pyz, or evidence in a form that this one knows."


# --- what this host has --------------------------------------------------------------------------


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


# --- who signed ----------------------------------------------------------------------------------


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


# --- transparency log ----------------------------------------------------------------------------


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


# --- time ----------------------------------------------------------------------------------------


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
