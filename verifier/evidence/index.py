"""`evidence/evidence.index`: which document of a kit is about what (FORMAT 18).  Does no I/O.

It is derived, as SHA256SUMS is: a builder writes it from the documents, and whoever judges evidence
writes it again for the documents that he can read, and compares.  That no document is left out of a
kit, or put in, is the work of `kit.index`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from verifier.core.errors import KitError
from verifier.evidence.documents import FORMS, Claim, read_document
from verifier.evidence.errors import EvidenceFormUnknown, EvidenceIndexFalse
from verifier.typed import record

HEAD = b"offline-kit-evidence/1\n"
PATH = "evidence/evidence.index"
_LINE = re.compile(
    rb"([0-9a-f]{64}) ([a-z]+) ([!-~]{1,512}) (-|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}) (.+)"
)
_NEWER = re.compile(rb"offline-kit-evidence/[1-9][0-9]{0,8}\n")


@record(frozen=True)
class Line:
    """One line: a document, and one thing that it is about."""

    sha256: str
    form: str
    type: str
    subject: str
    path: str

    def encoded(self) -> bytes:
        """Return the line as it is written, without its LF."""
        return f"{self.sha256} {self.form} {self.type} {self.subject} {self.path}".encode()


def lines_of(path: str, sha256: str, claims: Iterable[Claim]) -> set[bytes]:
    """Return the lines of one document.

    Args:
        path: Where it lies in the kit.
        sha256: Of its contents.
        claims: What it holds.
    """
    return {
        Line(sha256, claim.form, claim.type, subject, path).encoded()
        for claim in claims
        for subject in claim.subjects
    }


def write_index(documents: Mapping[str, bytes]) -> bytes:
    """Return the index of documents, given by their paths.

    Raises:
        KitError: A document is not of its form, or of one that is not known here.
    """
    lines: set[bytes] = set()
    for path, data in documents.items():
        lines |= lines_of(path, hashlib.sha256(data).hexdigest(), read_document(path, data))
    return join(lines)


def join(lines: Iterable[bytes]) -> bytes:
    """Return the text that has these lines."""
    return HEAD + b"".join(line + b"\n" for line in sorted(lines))


def parse_index(data: bytes) -> dict[str, list[Line]]:
    """Return the lines of an index by the path of their document.

    Raises:
        EvidenceIndexFalse: It is not in its one spelling.
        EvidenceFormUnknown: It is of a later version.
    """
    if not data.startswith(HEAD):
        first = data[: data.find(b"\n") + 1]
        if _NEWER.fullmatch(first):
            raise EvidenceFormUnknown(f"the first line is {first!r}", where=PATH)
        raise EvidenceIndexFalse("the first line is not that of an index", where=PATH)
    lines = data[len(HEAD) :].split(b"\n")
    if lines.pop():
        raise EvidenceIndexFalse("it does not end with a line end", where=PATH)
    if any(one >= other for one, other in zip(lines, lines[1:])):
        raise EvidenceIndexFalse("its lines are not in ascending order", where=PATH)
    found: dict[str, list[Line]] = {}
    for number, line in enumerate(lines, start=2):
        match = _LINE.fullmatch(line)
        try:
            parts = [part.decode("utf-8") for part in match.groups()] if match else []
        except UnicodeDecodeError:
            parts = []
        if not parts:
            raise EvidenceIndexFalse(f"line {number} is none of an index", where=PATH)
        found.setdefault(parts[4], []).append(Line(*parts))
    return found


def compare(
    index: Mapping[str, list[Line]],
    members: Mapping[str, str],
    claims: Mapping[str, list[Claim]],
) -> None:
    """Hold an index to the documents of its kit.

    Args:
        index: From `parse_index`.
        members: SHA-256 of every document that the kit has, by path, without the index.
        claims: What those documents hold that could be read.

    Raises:
        EvidenceIndexFalse: It says something else.
    """
    for path in sorted(index.keys() ^ members.keys()):
        what = "names no document of" if path in index else "leaves out"
        raise EvidenceIndexFalse(f"it {what} {path!r}", where=PATH)
    for path, lines in index.items():
        if any(line.sha256 != members[path] for line in lines):
            raise EvidenceIndexFalse(f"it gives another SHA-256 for {path!r}", where=PATH)
        if path not in claims:
            continue
        if {line.encoded() for line in lines} != lines_of(path, members[path], claims[path]):
            raise EvidenceIndexFalse(f"it says something else of {path!r}", where=PATH)


def is_known(form: str) -> bool:
    """Whether a form is one of this version of the format."""
    return form in FORMS


def try_read(path: str, data: bytes) -> tuple[list[Claim], KitError | None]:
    """Return what a document holds, or why that is not known; nothing is raised."""
    try:
        return read_document(path, data), None
    except KitError as error:
        return [], error
