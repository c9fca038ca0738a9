"""What is known of a kit's evidence, and what is answered: the values that reports render.

`verifier.evidence.judge.Evidence` makes them: `decide` gives a `Decision` for each requirement and
component, `attestations` an `Attestation` for each thing that a document says, whether anybody asks
for it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from verifier.core.errors import KitError
from verifier.evidence.errors import EvidenceTooLarge, EvidenceUnread
from verifier.evidence.rules import Requirement
from verifier.typed import record

MET, REJECTED, UNDECIDED = "met", "rejected", "undecided"


# --- what is known -------------------------------------------------------------------------------


@record(frozen=True)
class Document:
    """A document of evidence: a member of the kit, or a file that was given beside it.

    Attributes:
        path: In the kit, or as it was given.
        sha256: Of its contents.
        data: Its contents; None if they were not read.
        given: Whether it came by ``--evidence``, so that the signers of the kit say nothing of it.
        why: Why it was not read.
        above: Whether that is because it is above a limit.
    """

    path: str
    sha256: str
    data: bytes | None
    given: bool = False
    why: str = ""
    above: bool = False

    def unread(self) -> KitError:
        """Return what is said where something depends on a document that was not read."""
        kind = EvidenceTooLarge if self.above else EvidenceUnread
        return kind(f"it was not read: {self.why}", where=self.path)


@record(frozen=True)
class Contents:
    """What a component consists of, by SHA-256.

    Attributes:
        digest: The component digest (FORMAT 11.2).
        units: What must all be attested: its files, and in place of the files of an image layout
            the images.
        also: What else is a part of it: the files of a layout.
        unread: Why its units are not known; empty if they are.
    """

    digest: str
    units: frozenset[str]
    also: frozenset[str] = frozenset()
    unread: str = ""


class Part:
    """A component, as evidence can name it; it may have a million files, so it is asked late.

    Args:
        id: The component's id.
        placeholder: Whether it is empty for now.
        find: Finds out what it consists of.
    """

    def __init__(self, id: str, placeholder: bool, find: Callable[[], Contents]) -> None:
        self.id, self.placeholder, self._find = id, placeholder, find
        self._contents: Contents | None = None

    @property
    def contents(self) -> Contents:
        """What it consists of."""
        if self._contents is None:
            self._contents = self._find()
        return self._contents


@record(frozen=True)
class Facts:
    """What was proved of a kit, as far as evidence is about it.

    Attributes:
        below: From the SHA-256 of an image index to those of the manifests that it lists.
        sha512: From SHA-512 to SHA-256, for members that were read.
        unread: Why the SHA-512 of some member is not known; empty if nobody needs it.
        locked: SHA-256 of what the lock in the kit names; None if it carries none.
        now: The moment judged by, in seconds since the epoch.
    """

    kit_id: str
    content_id: str
    parts: tuple[Part, ...]
    below: Mapping[str, Sequence[str]]
    sha512: Mapping[str, str]
    unread: str
    locked: frozenset[str] | None
    now: int


# --- what is answered ----------------------------------------------------------------------------


@record(frozen=True)
class Proof:
    """A statement that answers a requirement, and who signed it.

    Attributes:
        document: Where it is, with its place in the document.
        sha256: Of the document.
        given: Whether it came by ``--evidence``.
        attester: Name in the policy.
        signer: Who that turned out to be: an identity, SHA-256 of a key, or names.
        signed_at: In seconds since the epoch; None if nobody says.
        time_from: ``log``, ``timestamp`` or ``stated``.
        about: SHA-256 of the subjects by which it speaks of what was asked about; the first ones.
        listing: Those of them that are image indexes, which list what the kit has.
    """

    document: str
    sha256: str
    given: bool
    attester: str
    signer: str
    signed_at: int | None
    time_from: str
    about: tuple[str, ...] = ()
    listing: tuple[str, ...] = ()


@record(frozen=True)
class Decision:
    """The answer to one requirement for one component.

    Attributes:
        component: The component's id; ``@kit`` for the kit as a whole.
        verdict: ``met``, ``rejected`` or ``undecided``.
        fault: Why it is not met; None if it is.  Its code is stable.
        proofs: What meets it.
        relaxed_by: The override that lets it pass all the same.
    """

    requirement: Requirement
    component: str
    verdict: str
    fault: KitError | None = None
    proofs: tuple[Proof, ...] = ()
    relaxed_by: str = ""

    @property
    def code(self) -> str:
        """The code of the fault; empty if it is met."""
        return self.fault.code if self.fault is not None else ""

    @property
    def message(self) -> str:
        """Why it is not met; empty if it is."""
        return self.fault.message if self.fault is not None else ""


@record(frozen=True)
class Attestation:
    """One thing that a document says, whoever asks.

    Attributes:
        about: Ids of components that it names any part of; ``@kit`` for the kit as a whole.
        verdict: ``signed`` by somebody whom policy names, ``unsigned``, signed by ``others``,
            ``rejected`` or ``undecided``.
        fault: Why it is rejected or undecided.
        proofs: Who signed it, of those whom policy names.
    """

    document: str
    sha256: str
    given: bool
    form: str
    type: str
    subjects: tuple[str, ...]
    about: tuple[str, ...]
    verdict: str
    fault: KitError | None = None
    proofs: tuple[Proof, ...] = ()


@record(frozen=True)
class Answer:
    """How one statement stands to a requirement; the higher the rank, the nearer."""

    rank: int
    verdict: str
    fault: KitError | None
    proofs: tuple[Proof, ...] = ()
