"""What `offline-kit attest` says when it says no."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class ReportUnreadable(Usage):
    """A file that an attestation is to be made of is not there, is no regular file, or is closed.

    Devices, FIFOs and directories are not read, whatever they hold.
    """

    code = "report-unreadable"
    fix = "Check the path and the permissions of the file named; nothing was written."


class ReportTooLarge(Usage):
    """A file is larger, deeper or has more entries than an attestation may be made of.

    At most 64 MiB are read, 64 levels of XML and 128 of JSON, a million elements and 100,000
    tests or findings.  An attestation is read whole by whoever checks it.
    """

    code = "report-too-large"
    fix = "Leave the output of tests out of the report, or attest parts of it one by one."


class ReportMalformed(Usage):
    """A report is not of its form, contradicts itself, or could be read in two ways.

    XML with a document type or an entity is refused whatever it would expand to: no report of tests
    has one.  JSON with one name twice in an object, or with NaN, is no JSON.
    """

    code = "report-malformed"
    fix = "Have the tool that wrote the report write it again."


class ReportUnknown(Usage):
    """A report is of no form that is known for the type asked for.

    `test-result` takes TRX and JUnit's XML; `vulns` takes the JSON of grype and trivy; `sbom` SPDX
    and CycloneDX as JSON; `vex` OpenVEX.
    """

    code = "report-unknown"
    fix = "Give the file that the tool wrote, or any predicate with the URI of its type as --type."


class TestsNotPassed(Rejected):
    """The reports do not show that the tests passed, so nothing is attested.

    At least one test must have passed, and none have failed, ended in an error, run out of time or
    been aborted.  Tests that were skipped prove nothing: a report in which all are skipped does not
    pass.  What a report counts must be what it lists.
    """

    __test__ = False  # pytest would take it for a class of tests
    code = "tests-not-passed"
    fix = "Mend what failed, run the tests again, and attest the new report."


class DatabaseUndated(Usage):
    """A scan does not say of when its database of vulnerabilities was.

    A scan that found nothing may just have had an old database.  grype writes the date into its
    report; trivy writes it only with `trivy version --format json`, which is a second file.
    """

    code = "database-undated"
    fix = (
        "Give the output of `trivy version --format json`, or a report of grype with its database."
    )


class PredicateInvalid(Usage):
    """A predicate lacks what its type requires, or holds something else there.

    The rules are those of the type's own page: SLSA provenance v1, OpenVEX, in-toto's release v0.2.
    """

    code = "predicate-invalid"
    fix = "Correct the field that is named; the page of the predicate's type says what it holds."


class SubjectInvalid(Usage):
    """A subject is not one of a file, a component, an image, or a name with a digest.

    A Statement is about what has the digests that it names; a name is for people only.  Forms are
    `PATH`, `component:ID` of the spec or kit given with --in, `image:DIR` for an OCI layout
    (`image:DIR#NAME` if it holds several), `kit:FILE`, and `NAME=sha256:HEX`.
    """

    code = "subject-invalid"
    fix = "Write the subject in one of the forms of `explain subject-invalid`."


class AttestationTooLarge(Usage):
    """The statement would be larger than those who check it read.

    A verifier of kits reads at most 64 MiB of a document, and an envelope takes 4 bytes for 3.
    """

    code = "attestation-too-large"
    fix = "Attest fewer subjects or a smaller report; of an SBOM the digest is enough."


class AttestationExists(Usage):
    """A file of the name that an attestation would get is there already; it was not touched."""

    code = "attestation-exists"
    fix = "Choose another name with --out, or move the file that is named out of the way."


class ExtraMissing(Undecided):
    """A command needs packages that this installation of offline-kit lacks.

    What few release hosts use is an extra: `sigstore` signs with an identity instead of a key,
    `intoto` records and judges the steps of a build.
    """

    code = "extra-missing"
    fix = "Install offline-kit with the extra named: `pip install 'offline-kit[EXTRA]'`."
