"""in-toto Statements of others, and the DSSE envelopes that they come in.

A kit's own page has one spelling (`verifier.core.envelope`); an envelope of somebody else has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.core.envelope import PAYLOAD_TYPE, pae
from verifier.core.model import STATEMENT_TYPE
from verifier.evidence.errors import (
    EvidenceFormUnknown,
    EvidenceMalformed,
    StatementMalformed,
    SubjectMismatch,
)
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.typed import Any, record

STATEMENT_TYPES = (STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1")
MAX_SIGNATURES = 64
MAX_SUBJECTS = 1 << 20


@record(frozen=True)
class Envelope:
    """A DSSE envelope.

    Attributes:
        payload: What was signed, decoded.
        payload_type: Its type, which is signed too.
        signatures: Each with its keyid, which may be empty and proves nothing.
    """

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]

    @property
    def signed(self) -> bytes:
        """What a signature is over."""
        return pae(self.payload, self.payload_type)


@record(frozen=True)
class Subject:
    """What a statement is about.

    Attributes:
        name: For people; it is not compared with anything.
        digest: From algorithm to lower-case hexadecimal digits.
    """

    name: str
    digest: Mapping[str, str]


@record(frozen=True)
class Statement:
    """An in-toto Statement.

    Attributes:
        kind: Its ``_type``: v1, or v0.1 of older tools.
        subjects: At least one.
        predicate_type: What the predicate is.
        predicate: Whatever it holds; None if it is absent.
    """

    kind: str
    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Any


def parse_envelope(fields: Fields, *, url_safe: bool = True) -> Envelope:
    """Return the envelope in an object of foreign JSON; its signatures are not judged.

    Args:
        url_safe: Whether both alphabets of base64 are read, as DSSE has it (envelope.md): Google's
            Cloud Build writes signatures in the one for URLs.  A sigstore bundle has one spelling.

    Raises:
        KitError: The kind that ``fields`` has, if it is none.
    """
    payload = fields.data("payload", url_safe=url_safe)
    signatures = []
    for each in fields.each("signatures", MAX_SIGNATURES):
        keyid = each.text("keyid") if each.has("keyid") else ""
        signatures.append((keyid, each.data("sig", url_safe=url_safe)))
    if not signatures:
        raise fields.wrong("no signature", "signatures")
    return Envelope(payload, fields.text("payloadType"), tuple(signatures))


def read_envelope(data: bytes, where: str) -> Envelope:
    """Return the envelope in a document.

    Raises:
        EvidenceMalformed: It is none.
        EvidenceTooLarge: It is above a limit.
    """
    return parse_envelope(Fields(parse_foreign(data, where), where, EvidenceMalformed))


def parse_statement(envelope: Envelope, where: str) -> Statement:
    """Return the statement in an envelope whose signature was judged.

    Raises:
        EvidenceFormUnknown: The payload is of another type, or a Statement of another version.
        StatementMalformed: It is no Statement.
        EvidenceTooLarge: It is above a limit.
    """
    if envelope.payload_type != PAYLOAD_TYPE:
        raise EvidenceFormUnknown(f"the payload is {envelope.payload_type[:80]!r}", where=where)
    try:
        value = parse_foreign(envelope.payload, where)
    except EvidenceMalformed as error:
        raise StatementMalformed(error.message, where=where) from None
    return read_statement(value, where)


def read_statement(value: Any, where: str) -> Statement:
    """Return the statement in a value of foreign JSON.

    Raises:
        EvidenceFormUnknown: It is a Statement of another version.
        StatementMalformed: It is no Statement.
    """
    fields = Fields(value, where, StatementMalformed)
    kind = fields.text("_type")
    if kind not in STATEMENT_TYPES:
        raise EvidenceFormUnknown(f"a statement of type {kind[:80]!r}", where=where)
    subjects = tuple(_subject(each) for each in fields.each("subject", MAX_SUBJECTS))
    if not subjects:
        raise StatementMalformed("it is about nothing", where=where)
    return Statement(kind, subjects, fields.text("predicateType"), value.get("predicate"))


def _subject(fields: Fields) -> Subject:
    name = fields.text("name") if fields.has("name") else ""
    digest = fields.mapping("digest")
    if not digest:
        raise fields.wrong("empty", "digest")
    return Subject(name, digest)


def matching(statement: Statement, digests: Mapping[str, str]) -> list[Subject]:
    """Return the subjects that have one of these digests, and none that contradicts another.

    Args:
        digests: From algorithm (``sha256``, ``sha512``) to lower-case hexadecimal digits.
    """
    found = []
    for subject in statement.subjects:
        common = subject.digest.keys() & digests.keys()
        if common and all(subject.digest[name] == digests[name] for name in common):
            found.append(subject)
    return found


def check_subject(statement: Statement, digests: Mapping[str, str], where: str) -> None:
    """Hold a statement to what it is asked about.

    Raises:
        SubjectMismatch: None of its subjects has such a digest.
    """
    if not matching(statement, digests):
        asked = ", ".join(f"{name} {digits}" for name, digits in sorted(digests.items()))
        count = len(statement.subjects)
        raise SubjectMismatch(f"none of {count} subjects has {asked}", where=where)
