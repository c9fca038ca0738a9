"""What is said no to in an SBOM.  A check lists all of them; only what cannot be read is raised."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage

MAX_REFUSED = 20  # faults named in one message; the rest is counted


class SbomMissing(Usage):
    """There is no SBOM under the name given."""

    code = "sbom-missing"
    fix = "Give the path of an SBOM, a JSON file of SPDX or CycloneDX."


class SbomUnreadable(Undecided):
    """The SBOM is there, but this host could not read it."""

    code = "sbom-unreadable"
    fix = "Check owner, permissions and disk of the file named, then run again."


class SbomTooLarge(Rejected):
    """The SBOM is larger, or nested deeper, than is read here.

    At most 64 MiB, 1,000,000 objects and arrays, 4,000,000 values and 128 levels.  The operator's
    verifier has the same bounds, so that a kit carries nothing that it could not judge.
    """

    code = "sbom-too-large"
    fix = "Write one SBOM for each component instead of one for all, or leave out single files."


class SbomMalformed(Rejected):
    """The SBOM is no JSON, or JSON that two programs can understand differently.

    A name twice in one object, a byte order mark, text that is not UTF-8, half of a surrogate
    pair, NaN, and numbers beyond 2^63 are refused: each reader makes something else of them.
    """

    code = "sbom-malformed"
    fix = "Write the SBOM again with the tool that made it, as JSON in UTF-8."


class SbomUnsupported(Rejected):
    """The file is JSON, but no SBOM of a version that is known here."""

    code = "sbom-unsupported"
    fix = "Have the tool write SPDX 2.2, 2.3 or 3.0.1, or CycloneDX 1.2 to 1.7, as JSON."


class SbomShape(Rejected):
    """A field is missing, unknown or of another type than its specification says."""

    code = "sbom-shape"
    fix = "Correct the field named, or write the SBOM again with a newer version of its tool."


class SbomDuplicateId(Rejected):
    """Two elements of one kind have the same id, so that a reference to it means either."""

    code = "sbom-duplicate-id"
    fix = "Give each element an id of its own, and correct what refers to it."


class SbomDangling(Rejected):
    """A dependency or relationship names an element that the document does not have."""

    code = "sbom-dangling"
    fix = "Add the element that is named, or remove what refers to it."


class SbomLicenceInvalid(Rejected):
    """A licence expression does not parse, or has a licence that is not on SPDX's list.

    An expression is made of identifiers of that list, ``LicenseRef-`` and a name of your own, and
    AND, OR, WITH and parentheses.  ``NONE`` and ``NOASSERTION`` stand alone.
    """

    code = "sbom-licence-invalid"
    fix = "Use identifiers of SPDX's list, or LicenseRef- and a name for what is not on it."


class SbomPurlInvalid(Rejected):
    """A package URL does not parse; it has the form ``pkg:type/namespace/name@version``."""

    code = "sbom-purl-invalid"
    fix = "Write the package URL again, for example pkg:pypi/requests@2.32.0, or leave it out."


# --- errors of its use in a kit --------------------------------------------------------------


class SbomDescribesNothing(Rejected):
    """The document does not say what it is about.

    That is no mistake of a document as such.  In a kit nobody could tell which part it describes:
    SPDX 2 says it with a DESCRIBES relationship, SPDX 3 with `rootElement`, CycloneDX with
    `metadata.component`.
    """

    code = "sbom-describes-nothing"
    fix = "Name what it is about: DESCRIBES, rootElement or metadata.component."


class SbomWithoutSha256(Rejected):
    """No element of the document has a SHA-256, so it covers no file of a kit.

    SHA-1 and MD5 alone cover nothing: other files with the same digest can be made.
    """

    code = "sbom-without-sha256"
    fix = "Have the tool write SHA-256 checksums too."


class SbomZeroChecksum(Rejected):
    """A checksum is nothing but zeros: the tool wrote it where it did not compute one."""

    code = "sbom-zero-checksum"
    fix = "Leave the checksum out where none was computed, or write the SBOM with another tool."


# --- a kit and its SBOMs ---------------------------------------------------------------------


class SbomRefused(Usage):
    """An SBOM of the spec is bad, or could not cover any file; nothing was built.

    `offline-kit sbom check --for-kit FILE` says the same of one document.
    """

    code = "sbom-refused"
    fix = "Mend or leave out the SBOMs named; `offline-kit sbom check --for-kit` judges each."

    def __init__(self, refused: list[str]) -> None:
        shown = refused[:MAX_REFUSED]
        more = [f"and {len(refused) - len(shown)} more"] if len(refused) > len(shown) else []
        super().__init__("\n  ".join([f"{len(refused)} found", *shown, *more]))


class SbomCoverage(Usage):
    """Something that the kit carries is described by no SBOM, or the other way round.

    The spec says `coverage = "require"`.  A file is covered by an element of an SBOM of the kit
    that has its SHA-256; an image by its manifest; SHA-1 and MD5 cover nothing.  What a document
    is about has to be in the kit.
    """

    code = "sbom-coverage"
    fix = "Write what is missing with `offline-kit sbom`, or name it in an [[exemption]]."

    def __init__(self, lines: list[str], *, where: str) -> None:
        super().__init__("\n  ".join(["not everything is described", *lines]), where=where)


class SbomStale(Usage):
    """An SBOM that `offline-kit sbom` writes is missing, or is not what it would be now."""

    code = "sbom-stale"
    fix = "Run `offline-kit sbom SPEC` and commit what it writes."

    def __init__(self, lines: list[str], *, where: str) -> None:
        super().__init__("\n  ".join([f"{len(lines)} to be done", *lines]), where=where)


class SbomNone(Usage):
    """The spec names no SBOM that could be merged."""

    code = "sbom-none"
    fix = "Run `offline-kit sbom SPEC` first, or name SBOMs in [[sbom]]."


class SbomImageUnreadable(Usage):
    """The image that an SBOM is to be compared with is none, or is above a bound.

    It is an OCI layout or an archive, as a source of a spec names it, with one platform.
    """

    code = "sbom-image-unreadable"
    fix = "Give oci:DIR:NAME, oci-archive:FILE:NAME or docker-archive:FILE:TAG."


class SbomInsideDiffers(Rejected):
    """An SBOM describes files of an image that the image does not have, or has otherwise.

    Files are compared by SHA-256, or by SHA-1 where a document gives nothing better.
    """

    code = "sbom-inside-differs"
    fix = "Make the SBOM again from the image that is carried."


class SbomLinkBroken(Usage):
    """A link of an SBOM in the spec does not hold; all such links are listed.

    A link says that an element of a document describes one member of the kit. The document has that
    element, the element has a SHA-256, and the member is there and has it.
    """

    code = "sbom-link-broken"
    fix = "Correct the link, or make the SBOM again from what the kit carries."

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n  ".join([f"{len(lines)} found", *lines[:20]]))


class SbomScanFailed(Undecided):
    """The scanner syft could not look into an image or a tree, or wrote no SBOM."""

    code = "sbom-scan-failed"
    fix = "Run syft on it yourself to see more, or write the SBOM with another tool."
