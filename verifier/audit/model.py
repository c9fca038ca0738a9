"""What an audit says of a kit, as rows: plain values, no I/O.

Names of fields are those of manifests/schema/audit.v1.json, in the spelling of Python.
"""

from __future__ import annotations

from verifier.show.report import Report
from verifier.typed import Any, field, record

AUDIT_TYPE = "https://offline-kit.example/audit/v1"
MET, FAILED, UNDECIDED = "met", "failed", "undecided"
LET_PASS, NOTED = "let pass", "noted"  # a rule of the policy relaxes it; no rule asks for it
GOOD, BAD, UNJUDGED = "good", "bad", "unjudged"
OPEN, ANSWERED = "open", "answered"


@record(frozen=True)
class Decision:
    """One thing that was asked of the kit, and what came of it.

    Attributes:
        rule: What was asked: ``signers``, ``freshness``, ...
        about: What of: a signer set, a component, a code; empty for the kit.
        outcome: ``met``, ``failed``, ``undecided``, ``let pass`` or ``noted``.
        code: Of the error that it would be; empty where the rule is met.
        relaxed_by: What in the policy lets it pass; empty if nothing does.
    """

    rule: str
    about: str
    outcome: str
    message: str
    code: str = ""
    relaxed_by: str = ""


@record(frozen=True)
class ComponentRow:
    """A component, and what its members are.

    Attributes:
        owner: Who answers for it, by the manifest (FORMAT 9.2); empty if it names nobody.
        kinds: What it says it is (FORMAT 9.2), else what is in it: ``image``, ``wheel``, ...
        digest: Its component digest (FORMAT 11); empty where there is none.
        licences: Those of the elements of SBOMs that describe its members.
        origins: Where its members are from, by the lock or by SBOMs: package URLs, commits.
    """

    id: str
    version: str
    lands: str
    placeholder: str
    owner: str
    kinds: tuple[str, ...]
    members: int
    size: int
    digest: str
    licences: tuple[str, ...]
    origins: tuple[str, ...]


@record(frozen=True)
class Layer:
    """A layer of an image; ``carried`` is whether the kit has it."""

    digest: str
    size: int
    media_type: str
    carried: bool


@record(frozen=True)
class ImageRow:
    """An image of an OCI layout in the kit.

    Attributes:
        name: What the layout calls it; empty if it does not.
        digest: Of its manifest, ``sha256:HEX``.
        platform: ``os/architecture``; empty where nothing says so.
        missing: What it names and the kit does not carry.
        signed_by: Who is proved to have signed it.
    """

    component: str
    layout: str
    name: str
    digest: str
    media_type: str
    platform: str
    layers: tuple[Layer, ...]
    missing: tuple[str, ...]
    signed_by: tuple[str, ...] = ()


@record(frozen=True)
class SbomRow:
    """An SBOM.

    Attributes:
        describes: How many files and images of the kit it describes.
        licences: How many of its packages name a licence.
    """

    path: str
    format: str
    version: str
    name: str
    packages: int
    files: int
    describes: int
    licences: int


class PackageRow:
    """A package that SBOMs name; one row for all that say the same.

    There may be a hundred thousand, so this is no record.
    """

    __match_args__ = ("name", "version", "purl", "licence", "sboms")
    __slots__ = __match_args__

    def __init__(
        self, name: str, version: str, purl: str, licence: str, sboms: tuple[str, ...]
    ) -> None:
        self.name, self.version, self.purl, self.licence = name, version, purl, licence
        self.sboms = sboms


@record(frozen=True)
class CoverageRow:
    """How much of the kit SBOMs describe.

    Attributes:
        uncovered: Paths that none describes and nobody exempts.
        absent: What documents are about and the kit does not carry.
    """

    units: int
    covered: int
    exempt: int
    uncovered: tuple[str, ...]
    absent: tuple[str, ...]


@record(frozen=True)
class SubjectRow:
    """What a statement is about.

    Attributes:
        here: What of the kit has that digest: a path, a component, ``kit``; empty for nothing.
    """

    name: str
    digest: str
    here: str


@record(frozen=True)
class AttestationRow:
    """One signed statement, and whether its signature is good.

    Attributes:
        path: In the kit; of later evidence the file that was given.
        place: Which one of several in the file; empty if there is one.
        form: ``envelope``, ``bundle``, ``statement``, ...
        verdict: ``good``, ``bad`` or ``unjudged``.
        signed_by: Who is proved to have signed.
        claimed_by: Who it says has signed; nothing was proved.
        signed_at: ``YYYY-MM-DDTHH:MM:SSZ``, proved; empty if nothing proves a time.
        time_from: Whose word the time is: ``log`` or ``timestamp``.
        required: Whether it meets what the policy requires.
    """

    path: str
    place: str
    form: str
    type: str
    subjects: tuple[SubjectRow, ...]
    subject_count: int
    verdict: str
    signed_by: tuple[str, ...]
    claimed_by: tuple[str, ...] = ()
    code: str = ""
    message: str = ""
    signed_at: str = ""
    time_from: str = ""
    required: bool = False


@record(frozen=True)
class Answer:
    """What a VEX statement says of a vulnerability.

    Attributes:
        status: ``not_affected``, ``affected``, ``fixed`` or ``under_investigation``.
        by: Who is proved to have signed it; ``kit signers`` where only the kit vouches for it.
    """

    status: str
    justification: str
    statement: str
    path: str
    by: str
    at: str


@record(frozen=True)
class VulnerabilityRow:
    """A vulnerability that a scan in the kit has found.

    Attributes:
        severity: ``critical``, ``high``, ``medium``, ``low``, ``negligible`` or ``unknown``.
        status: ``open`` or ``answered``; answered is what is not affected, or fixed.
        database: Of when the scanner's knowledge is; empty if nothing says so.
    """

    id: str
    aliases: tuple[str, ...]
    severity: str
    package: str
    version: str
    purl: str
    fixed_in: str
    path: str
    database: str
    status: str
    answers: tuple[Answer, ...]


@record(frozen=True)
class DocumentRow:
    """A document of the evidence that is none of the above, and what it is."""

    path: str
    form: str
    type: str


@record(frozen=True)
class Unchecked:
    """What nobody has looked at in this run, and why."""

    what: str
    why: str


@record
class Audit:
    """An audit: the report of the proof, and what is known beyond it."""

    report: Report
    decisions: list[Decision] = field(default_factory=list)
    components: list[ComponentRow] = field(default_factory=list)
    images: list[ImageRow] = field(default_factory=list)
    sboms: list[SbomRow] = field(default_factory=list)
    packages: list[PackageRow] = field(default_factory=list)
    coverage: CoverageRow | None = None
    attestations: list[AttestationRow] = field(default_factory=list)
    vulnerabilities: list[VulnerabilityRow] = field(default_factory=list)
    statements: list[Any] = field(default_factory=list)
    documents: list[DocumentRow] = field(default_factory=list)
    not_checked: list[Unchecked] = field(default_factory=list)
