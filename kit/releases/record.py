"""The release record: what one entry of a line's index says (RELEASES 2).

It is an in-toto Statement about the files of a release.  Everything here is a function of values:
nothing reads a file, a clock or a network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NewType, Protocol

from kit.releases.errors import EntryMalformed, EntryNewer
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.limits import MAX_JSON_INT, MIB
from verifier.core.manifest import HEX256, LINE, NAME, VERSION
from verifier.core.model import STATEMENT_TYPE, parse_time

PREDICATE = "https://offline-kit.example/release/v1"
_FAMILY = "https://offline-kit.example/release/"
MAX_ENTRY = 4 * MIB  # bytes of the envelope
MAX_FILES = 256
MAX_NUMBER = 1_000_000  # entries of a line; readers ask for them one by one
MAX_SUPERSEDED = 1024
MAX_OWNERS = 64
MAX_SIGNERS = 64
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}")  # safe on every disk, in every URL
SIGNER = re.compile(r"[^\x00-\x1f\x7f]{1,128}")

EntryId = NewType("EntryId", str)
"""SHA-256 of an entry's payload, in hexadecimal: what the publisher signed."""

_PARTS = re.compile(r"[A-Za-z0-9+/]{43}=-[1-9][0-9]{0,4}")


@dataclass(frozen=True)
class File:
    """One file of a release.

    Attributes:
        part_size: Bytes of each part but the last, where it is put in parts; 0 if it is one.
        parts: The composite SHA-256 of the parts, as an object store reports it: base64 of the
            SHA-256 of the digests of all parts, a hyphen, their count.  Empty for one part.
    """

    name: str
    size: int
    sha256: str
    part_size: int = 0
    parts: str = ""


@dataclass(frozen=True)
class Record:
    """One release of a line, as its publisher saw it.

    Attributes:
        n: The number of the entry in its line, from 1.
        previous: EntryId of entry ``n - 1``; empty for the first.
        kit_file: Name of the file that is the kit.
        files: By name, each once.
        root_version: Version of the root that the kit carries.
        supersedes: kitIds, as the kit has them.
        lock: SHA-256 of ``kit.lock``, or empty.
        evidence: SHA-256 of the kit's ``evidence.index``, or empty.
        owners: Who answers for the release, for people.
    """

    line: str
    n: int
    previous: str
    name: str
    version: str
    sequence: int
    created: str
    kit_id: str
    content_id: str
    kit_file: str
    files: tuple[File, ...]
    signers: tuple[str, ...]
    threshold: int
    root_version: int
    supersedes: tuple[str, ...] = ()
    lock: str = ""
    evidence: str = ""
    owners: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=(), compare=False)

    @property
    def kit(self) -> File:
        """The kit among the files."""
        return next(file for file in self.files if file.name == self.kit_file)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def entry_id(payload: bytes) -> EntryId:
    """Return the name of an entry."""
    return EntryId(hashlib.sha256(payload).hexdigest())


def render_record(record: Record) -> bytes:
    """Return the payload of an entry: the same bytes for the same record.

    Raises:
        ValueError: The record breaks a rule of the format: a mistake of our own.
    """
    predicate: dict[str, Any] = {
        "line": record.line,
        "n": record.n,
        "previous": record.previous,
        "kit": {
            "name": record.name,
            "version": record.version,
            "sequence": record.sequence,
            "created": record.created,
            "kitId": record.kit_id,
            "contentId": record.content_id,
            "file": record.kit_file,
        },
        "files": [file_value(file) for file in record.files],
        "signers": list(record.signers),
        "threshold": record.threshold,
        "rootVersion": record.root_version,
        "supersedes": list(record.supersedes),
        "owners": list(record.owners),
    }
    predicate.update({k: v for k, v in _optional(record) if v})
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [_subject(file) for file in record.files],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    payload = compact(statement)
    try:
        parse_record(payload)
    except EntryMalformed as error:
        raise ValueError(error.message) from None
    return payload


def _optional(record: Record) -> Iterator[tuple[str, str]]:
    yield "lock", record.lock
    yield "evidence", record.evidence


def file_value(file: File) -> dict[str, Any]:
    """Return what an entry says of one file (RELEASES 2.4)."""
    value: dict[str, Any] = {"name": file.name, "size": file.size, "sha256": file.sha256}
    if file.part_size:
        value.update({"partSize": file.part_size, "parts": file.parts})
    return value


def _subject(file: File) -> dict[str, Any]:
    return {"name": file.name, "digest": {"sha256": file.sha256}}


def parse_record(payload: bytes, where: str = "the entry") -> Record:
    """Return the record in a payload whose signature was judged.

    Raises:
        EntryMalformed: It is none.
        EntryNewer: It is of a later version.
    """
    try:
        value = parse_compact(payload)
        if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
            raise NotStrict("not an in-toto Statement")
        kind = value.get("predicateType")
        if kind != PREDICATE and isinstance(kind, str) and kind.startswith(_FAMILY):
            raise EntryNewer(f"is of the type {kind[:80]!r}", where=where)
        if kind != PREDICATE or set(value) != {"_type", "subject", "predicateType", "predicate"}:
            raise NotStrict("not a Statement about a release")
        record = _record(_Reader(value["predicate"], "predicate"))
        if value["subject"] != [_subject(file) for file in record.files]:
            raise NotStrict("the subjects are not the files, in the same order")
    except NotStrict as reason:
        raise EntryMalformed(str(reason), where=where) from None
    return record


class _Form(Protocol):
    """What a text can be held to: a pattern, or something else that knows."""

    def fullmatch(self, string: str, /) -> object:
        """Return something true for a text in this form."""


class _Moment:
    """The form of a time, which must exist."""

    def fullmatch(self, string: str, /) -> object:
        return parse_time(string) is not None


class _Reader:
    """An object whose members are asked for by name, each held to its form."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise NotStrict(f"{where} is not an object")
        self.value: Mapping[str, Any] = value
        self.where = where

    def text(self, name: str, form: _Form, *, empty: bool = False) -> str:
        found = self.value.get(name, "" if empty else None)
        if isinstance(found, str) and (form.fullmatch(found) or (empty and not found)):
            return found
        raise NotStrict(f"{self.where}.{name} is not in its form")

    def number(self, name: str, least: int, most: int) -> int:
        found = self.value.get(name)
        if type(found) is int and least <= found <= most:
            return found
        raise NotStrict(f"{self.where}.{name} is not a number from {least} to {most}")

    def texts(self, name: str, form: _Form, most: int) -> tuple[str, ...]:
        found = self.value.get(name)
        if not isinstance(found, list) or len(found) > most:
            raise NotStrict(f"{self.where}.{name} is not a list of at most {most}")
        if not all(isinstance(one, str) and form.fullmatch(one) for one in found):
            raise NotStrict(f"{self.where}.{name} has an entry that is not in its form")
        if len(set(found)) != len(found):
            raise NotStrict(f"{self.where}.{name} has the same entry twice")
        return tuple(found)

    def each(self, name: str, most: int, make: Callable[[_Reader], Any]) -> tuple[Any, ...]:
        found = self.value.get(name)
        if not isinstance(found, list) or not 1 <= len(found) <= most:
            raise NotStrict(f"{self.where}.{name} is not a list of 1 to {most}")
        return tuple(make(_Reader(one, f"{self.where}.{name}[{i}]")) for i, one in enumerate(found))


_KNOWN = frozenset(
    "line n previous kit files signers threshold rootVersion supersedes owners lock"
    " evidence".split()
)


def _record(reader: _Reader) -> Record:
    kit = _Reader(reader.value.get("kit"), "predicate.kit")
    n = reader.number("n", 1, MAX_NUMBER)
    record = Record(
        line=reader.text("line", LINE),
        n=n,
        previous=reader.text("previous", HEX256, empty=n == 1),
        name=kit.text("name", NAME),
        version=kit.text("version", VERSION),
        sequence=kit.number("sequence", 1, MAX_JSON_INT),
        created=kit.text("created", _Moment()),
        kit_id=kit.text("kitId", HEX256),
        content_id=kit.text("contentId", HEX256),
        kit_file=kit.text("file", FILE_NAME),
        files=reader.each("files", MAX_FILES, _file),
        signers=reader.texts("signers", SIGNER, MAX_SIGNERS),
        threshold=reader.number("threshold", 1, MAX_SIGNERS),
        root_version=reader.number("rootVersion", 1, MAX_JSON_INT),
        supersedes=reader.texts("supersedes", HEX256, MAX_SUPERSEDED),
        lock=reader.text("lock", HEX256, empty=True),
        evidence=reader.text("evidence", HEX256, empty=True),
        owners=reader.texts("owners", SIGNER, MAX_OWNERS),
        unknown=tuple(f"predicate.{name}" for name in sorted(set(reader.value) - _KNOWN)),
    )
    _check_together(record)
    return record


def _check_together(record: Record) -> None:
    names = [file.name for file in record.files]
    if names != sorted({*names}) or len({name.casefold() for name in names}) != len(names):
        raise NotStrict("the files are not in the order of their names, each once")
    if record.kit_file not in names:
        raise NotStrict("the kit is not among the files")
    if record.n == 1 and record.previous:
        raise NotStrict("the first entry follows none")
    if len(record.signers) < record.threshold or list(record.signers) != sorted(record.signers):
        raise NotStrict("the signers are fewer than the threshold, or not in order")


def _file(reader: _Reader) -> File:
    if (
        not {"name", "size", "sha256"}
        <= set(reader.value)
        <= {*("name", "size", "sha256", "partSize", "parts")}
    ):
        raise NotStrict(f"{reader.where} is not an object of name, size and sha256")
    size = reader.number("size", 0, MAX_JSON_INT)
    file = File(reader.text("name", FILE_NAME), size, reader.text("sha256", HEX256))
    if "partSize" not in reader.value and "parts" not in reader.value:
        return file
    part = reader.number("partSize", 1, MAX_JSON_INT)
    parts = reader.text("parts", _PARTS)
    if int(parts.rpartition("-")[2]) != -(-size // part):
        raise NotStrict(f"{reader.where} has another number of parts than its size gives")
    return File(file.name, size, file.sha256, part, parts)
