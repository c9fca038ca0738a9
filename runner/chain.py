"""Lines of a journal: compact JSON, each with the digest of the line before it.  Does no I/O."""

from __future__ import annotations

import hashlib
import json

from runner.errors import JournalDamaged
from verifier.core.jsonstrict import NotStrict, compact
from verifier.typed import Any, record

MAX_LINE = 64 * 1024  # bytes, LF included; the reserve for a full disk holds one
MAX_FIRST = 2 << 20  # bytes of the first line, which names every step
FIRST = "0" * 64
Record = dict[str, Any]


@record(frozen=True)
class Read:
    """What a journal holds.

    Attributes:
        records: Its records, in order.
        size: Bytes of the lines that are whole.
        torn: Bytes behind them that a power failure left of one line.
        head: The digest of the last line; what the next one names.
    """

    records: tuple[Record, ...]
    size: int
    torn: int
    head: str


def line_of(number: int, head: str, what: Record) -> bytes:
    """Return the line of one record.

    Raises:
        ValueError: It is too long, or has a member that the chain has.
    """
    if "n" in what or "prev" in what:
        raise ValueError("the chain numbers its records itself")
    line = compact({**what, "n": number, "prev": head}) + b"\n"
    if len(line) > (MAX_LINE if number else MAX_FIRST):
        raise ValueError(f"a record of {len(line)} bytes is more than a line may have")
    return line


def _refuse(text: str) -> Any:
    raise NotStrict(f"{text[:24]!r} is no integer")


_DECODER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)


def digest_of(line: bytes) -> str:
    """Return what the next line names."""
    return hashlib.sha256(line).hexdigest()


def read_chain(data: bytes) -> Read:
    """Return the records of a journal; a torn last line is left out and counted.

    Each line is durable before the next one is written, so what a failure leaves is at most one
    line: cut off, or with parts that never reached the disk and read as zeros.

    Raises:
        JournalDamaged: Something else is wrong with it.
    """
    records: list[Record] = []
    at, head = 0, FIRST
    while at < len(data):
        end = data.find(b"\n", at) + 1
        line = data[at:end] if end else data[at:]
        found = _record(line, len(records), head) if end else None
        if found is None:
            return Read(tuple(records), at, _torn(data, at, end, len(records)), head)
        records.append(found)
        head = digest_of(line)
        at = end
    return Read(tuple(records), at, 0, head)


def _record(line: bytes, number: int, head: str) -> Record | None:
    """Return the record that a line is; None if it is none.

    Raises:
        JournalDamaged: It is a record, and not the one that belongs here.
    """
    if len(line) > (MAX_LINE if number else MAX_FIRST) or b"\x00" in line:
        return None
    try:
        value = _DECODER.decode(line[:-1].decode("ascii"))
        if not isinstance(value, dict) or compact(value) != line[:-1]:  # not the one spelling
            return None
    except (ValueError, RecursionError):
        return None
    if value.pop("n", None) != number or value.pop("prev", None) != head:
        raise JournalDamaged("does not follow from the line before", where=f"line {number + 1}")
    if not isinstance(value.get("type"), str):
        raise JournalDamaged("does not say what it is", where=f"line {number + 1}")
    return value


def _torn(data: bytes, at: int, end: int, number: int) -> int:
    """Return how long a torn tail is.

    Raises:
        JournalDamaged: It is more than a failure can leave.
    """
    tail = data[at:]
    behind = data[end:] if end else b""
    changed = tail.endswith(b"\n") and b"\x00" not in tail  # a cut line has no end, or zeros
    if len(tail) > MAX_LINE or behind.strip(b"\x00") or changed:
        raise JournalDamaged("is no record, and is not the last", where=f"line {number + 1}")
    return len(tail)
