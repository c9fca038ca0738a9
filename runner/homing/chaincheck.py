"""Reads a journal that came from elsewhere; says of a broken one in which way it is broken."""

from __future__ import annotations

import json

from runner.chain import FIRST, Read, digest_of, read_chain
from runner.errors import (
    EvidenceCut,
    EvidenceEdited,
    EvidenceReordered,
    EvidenceSpliced,
    JournalDamaged,
    NoEvidence,
)
from verifier.core.errors import KitError
from verifier.typed import Any, record


@record(frozen=True)
class _Line:
    number: int
    before: str
    digest: str
    value: dict[str, Any]


def read_sealed(data: bytes) -> Read:
    """Return the records of a journal in evidence, every one of them whole.

    Raises:
        KitError: It is cut, reordered, edited or spliced.
    """
    try:
        read = read_chain(data)
    except JournalDamaged:
        raise _fault(data) from None
    if read.torn:
        raise EvidenceCut("ends within a line", where=f"line {len(read.records) + 1}")
    if not read.records:
        raise NoEvidence("the journal is empty")
    own = read.records[0].get("run")
    for number, one in enumerate(read.records, start=1):
        if one["type"] == "start" and one.get("run", own) != own:
            raise EvidenceSpliced("begins with the start of another run", where=f"line {number}")
    return read


def _fault(data: bytes) -> KitError:
    """Return in which way a journal is broken."""
    lines: list[_Line] = []
    for at, text in enumerate(data.split(b"\n")[:-1]):
        try:
            value = json.loads(text)
            lines.append(_Line(value["n"], value["prev"], digest_of(text + b"\n"), value))
        except (ValueError, TypeError, KeyError, RecursionError):
            return EvidenceEdited("is no record", where=f"line {at + 1}")
    numbers = [line.number for line in lines]
    if not all(type(number) is int for number in numbers):
        return EvidenceEdited("has a line without a number")
    if numbers != sorted(numbers) and _holds(sorted(lines, key=lambda line: line.number)):
        at = next(at for at, number in enumerate(numbers) if number != at)
        return EvidenceReordered("stands where another one was written", where=f"line {at + 1}")
    for at, number in enumerate(numbers):
        if number > at:
            told = f"{number - at} lines are missing before it"
            return EvidenceCut(told, where=f"line {at + 1}")
        if number < at:
            return EvidenceSpliced(f"is a second line {number + 1}", where=f"line {at + 1}")
    return _broken(lines)


def _holds(lines: list[_Line]) -> bool:
    before = FIRST
    for at, line in enumerate(lines):
        if line.number != at or line.before != before:
            return False
        before = line.digest
    return True


def _broken(lines: list[_Line]) -> KitError:
    """Return what is wrong with lines whose numbers are right."""
    before, own = FIRST, lines[0].value.get("run")
    for at, line in enumerate(lines):
        if line.before != before:
            after = [one.value for one in lines[at:] if one.value.get("type") == "start"]
            if after and after[0].get("run", own) != own:
                return EvidenceSpliced(
                    "and those after it are of another run", where=f"line {at + 1}"
                )
            return EvidenceEdited("is not what the next line names", where=f"line {max(at, 1)}")
        before = line.digest
    return EvidenceEdited("is not in the one spelling of a record")
