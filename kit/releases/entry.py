"""An entry as a file: a DSSE envelope in one spelling, by a key that readers pin (RELEASES 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit.attest.documents import RELEASE
from kit.attest.model import Made
from kit.attest.statement import Subject, envelope_bytes, statement_bytes
from kit.releases.errors import EntryMalformed, EntryUnsigned
from kit.releases.record import MAX_ENTRY, EntryId, Record, entry_id, parse_record, render_record
from kit.signing.model import KitSigner
from verifier.core.envelope import PAYLOAD_TYPE, pae
from verifier.core.jsonstrict import NotStrict, parse_base64, parse_compact
from verifier.core.signature import KEYID, Key

MAX_SIGNATURES = 8
_MAX_SIGNATURE = 8192  # bytes, as in FORMAT 4.2


@dataclass(frozen=True)
class Entry:
    """An entry whose signature was judged.

    Attributes:
        data: The file, as it was read or is to be written.
        publishers: keyids of the pinned keys that signed it.
    """

    id: EntryId
    record: Record
    data: bytes
    publishers: tuple[str, ...]


def make_entry(record: Record, signer: KitSigner) -> Entry:
    """Return the entry of a record, signed.

    Raises:
        KitError: The signer cannot sign.
    """
    payload = render_record(record)
    data = envelope_bytes(payload, [signer])
    if len(data) > MAX_ENTRY:
        raise ValueError(f"an entry of {len(data)} bytes")
    return Entry(entry_id(payload), record, data, (signer.keyid,))


def release_statement(record: Record, signer: KitSigner) -> bytes:
    """Return the in-toto release attestation of a release, for tools that know no kits.

    Its subjects are the release's files; where it is published itself, it is none of them.
    """
    subjects = [Subject(file.name, (("sha256", file.sha256),)) for file in record.files]
    purl = f"pkg:generic/{record.name}@{record.version.replace('+', '%2B')}"
    made = Made(RELEASE, {"purl": purl, "packageId": record.line})
    payload = statement_bytes(subjects, made)
    return envelope_bytes(payload, [signer])


def open_entry(data: bytes, publishers: Sequence[Key], where: str = "the entry") -> Entry:
    """Return an entry that one of the pinned publishers has signed.

    A keyid is a hint: the key decides.  Signatures by others count for nothing.

    Raises:
        EntryMalformed: It is not in its one spelling.
        EntryNewer: It is of a later version of the format.
        EntryUnsigned: None of the publishers has signed it.
        ValueError: No publisher is given: the caller's mistake.
    """
    if not publishers:
        raise ValueError("no publisher")
    payload, signatures = _parse(data, where)
    message = pae(payload)
    signed = [
        key.keyid
        for key in publishers
        if any(key.verify(message, signature, low_s=True) for signature in signatures)
    ]
    if not signed:
        named = ", ".join(key.keyid[:16] for key in publishers)
        raise EntryUnsigned(f"has no signature by {named}", where=where)
    return Entry(entry_id(payload), parse_record(payload, where), data, tuple(sorted({*signed})))


def _parse(data: bytes, where: str) -> tuple[bytes, list[bytes]]:
    try:
        if len(data) > MAX_ENTRY or not data.endswith(b"\n"):
            raise NotStrict("too long, or without the line feed at its end")
        value = parse_compact(data[:-1])
        if not isinstance(value, dict) or set(value) != {"payload", "payloadType", "signatures"}:
            raise NotStrict("not a DSSE envelope")
        if value["payloadType"] != PAYLOAD_TYPE:
            raise NotStrict(f"payloadType is not {PAYLOAD_TYPE!r}")
        payload = parse_base64(value["payload"], "the payload")
        return payload, _signatures(value["signatures"])
    except NotStrict as reason:
        raise EntryMalformed(str(reason), where=where) from None


def _signatures(value: Any) -> list[bytes]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SIGNATURES:
        raise NotStrict(f"signatures is not a list of 1 to {MAX_SIGNATURES}")
    found: list[bytes] = []
    last = ""
    for each in value:
        if not isinstance(each, dict) or set(each) != {"keyid", "sig"}:
            raise NotStrict("a signature is not an object of keyid and sig")
        keyid = each["keyid"]
        if not isinstance(keyid, str) or not KEYID.fullmatch(keyid) or keyid <= last:
            raise NotStrict("keyids are not in ascending order")
        signature = parse_base64(each["sig"], "a signature")
        if not 1 <= len(signature) <= _MAX_SIGNATURE:
            raise NotStrict("a signature is empty or too long")
        found.append(signature)
        last = keyid
    return found
