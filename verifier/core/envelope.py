"""The signed page: a DSSE envelope with one spelling, and how its signatures count (FORMAT 4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from verifier.core import limits
from verifier.core.errors import EnvelopeMalformed, SignatureInvalid, ThresholdNotMet
from verifier.core.jsonstrict import NotStrict, compact, parse_base64, parse_compact
from verifier.core.signature import KEYID
from verifier.core.trust import Role
from verifier.typed import Any, record

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_WHERE = "kit.dsse.json"


@record(frozen=True)
class Envelope:
    """A DSSE envelope.

    Attributes:
        payload: The Statement's bytes, decoded.
        signatures: From keyid to signature, decoded.
    """

    payload: bytes
    signatures: Mapping[str, bytes]


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding; lengths are bytes (FORMAT 4.4)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def page_size_for(payload_size: int) -> int:
    """Return the size of the smallest page that takes a payload of that size.

    Raises:
        ValueError: None does.
    """
    for size in limits.PAGE_SIZES:
        if 8 * payload_size <= 3 * size:
            return size
    raise ValueError(f"a manifest of {payload_size} bytes does not fit into any page")


def encode_page(envelope: Envelope, size: int) -> bytes:
    """Return the page of exactly ``size`` bytes (FORMAT 4.1).

    Raises:
        ValueError: The envelope does not fit, or has too many signatures.
    """
    entries = [
        {"keyid": keyid, "sig": base64.b64encode(envelope.signatures[keyid]).decode("ascii")}
        for keyid in sorted(envelope.signatures)
    ]
    payload = base64.b64encode(envelope.payload).decode("ascii")
    text = compact({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": entries})
    if len(text) > size or len(entries) > limits.MAX_SIGNATURES:
        raise ValueError(f"{len(entries)} signatures do not fit into a page of {size} bytes")
    return text.ljust(size, b" ")


def parse_page(page: bytes) -> Envelope:
    """Return the envelope in a page, which must be in its one spelling (FORMAT 4.1 to 4.3).

    Raises:
        EnvelopeMalformed: It is not.
    """
    try:
        value = parse_compact(page.rstrip(b" "))
    except NotStrict as reason:
        raise EnvelopeMalformed(str(reason), where=_WHERE) from None
    if not isinstance(value, dict) or set(value) != {"payload", "payloadType", "signatures"}:
        raise EnvelopeMalformed("not a DSSE envelope", where=_WHERE)
    if value["payloadType"] != PAYLOAD_TYPE:
        raise EnvelopeMalformed(f"payloadType is not {PAYLOAD_TYPE!r}", where=_WHERE)
    payload = _base64(value["payload"], "payload")
    if 8 * len(payload) > 3 * len(page):
        raise EnvelopeMalformed("the payload is more than 3/8 of the page", where=_WHERE)
    return Envelope(payload, _signatures(value["signatures"]))


def _base64(text: Any, what: str) -> bytes:
    try:
        return parse_base64(text, what)
    except NotStrict as reason:
        raise EnvelopeMalformed(str(reason), where=_WHERE) from None


def _signatures(value: Any) -> dict[str, bytes]:
    if not isinstance(value, list) or len(value) > limits.MAX_SIGNATURES:
        raise EnvelopeMalformed("signatures is not a list of at most 64", where=_WHERE)
    found: dict[str, bytes] = {}
    last = ""
    for entry in value:
        if not isinstance(entry, dict) or set(entry) != {"keyid", "sig"}:
            raise EnvelopeMalformed("a signature is not an object of keyid and sig", where=_WHERE)
        keyid = entry["keyid"]
        if not isinstance(keyid, str) or not KEYID.fullmatch(keyid) or keyid <= last:
            raise EnvelopeMalformed("keyids are not in ascending order", where=_WHERE)
        found[keyid] = _base64(entry["sig"], "a signature")
        if not 1 <= len(found[keyid]) <= 8192:
            raise EnvelopeMalformed("a signature is empty or too long", where=_WHERE)
        last = keyid
    return found


@record(frozen=True)
class Signing:
    """Who signed, as far as a role is concerned.

    Attributes:
        valid: From keyid to signer, for each signature that is valid under the role.
        invalid: Keyids of the role whose signature is wrong.
        unknown: Keyids that the role does not name.
        not_evaluated: From keyid to scheme, for keys whose scheme this verifier does not judge.
    """

    valid: Mapping[str, str]
    invalid: tuple[str, ...]
    unknown: tuple[str, ...]
    not_evaluated: Mapping[str, str]

    @property
    def signers(self) -> list[str]:
        """The distinct signers who signed, sorted."""
        return sorted(set(self.valid.values()))


def evaluate(envelope: Envelope, role: Role) -> Signing:
    """Judge each signature of ``envelope`` under ``role``; the work is bounded by the page."""
    message = pae(envelope.payload)
    valid: dict[str, str] = {}
    other: dict[str, str] = {}
    invalid, unknown = [], []
    for keyid, signature in envelope.signatures.items():
        key = role.keys.get(keyid)
        if key is None:
            unknown.append(keyid)
        elif not key.evaluated:
            other[keyid] = key.scheme
        elif key.verify(message, signature, low_s=True):
            valid[keyid] = key.signer
        else:
            invalid.append(keyid)
    return Signing(valid, tuple(invalid), tuple(unknown), other)


def check_threshold(signing: Signing, role: Role, note: str = "") -> None:
    """Hold a page to the threshold of distinct signers (FORMAT 4.6, first part).

    Args:
        note: What else explains that there are too few, in words.

    Raises:
        ThresholdNotMet: Too few.
    """
    if len(signing.signers) >= role.threshold:
        return
    names = ", ".join(map(repr, signing.signers)) or "nobody"
    parts = [f"{len(signing.signers)} of {role.threshold} required signers signed ({names})"]
    if signing.invalid:
        parts.append(f"wrong signatures: {len(signing.invalid)}")
    if signing.unknown:
        parts.append(f"signatures by keys that this root does not name: {len(signing.unknown)}")
    if not note:
        raise ThresholdNotMet("; ".join(parts), where=_WHERE)
    fix = "Ask the sender for a newer kit, signed by people whom the root of this host names."
    raise ThresholdNotMet("; ".join([*parts, note]), where=_WHERE, fix=fix)


def check_surplus(signing: Signing) -> None:
    """Hold every entry of a page to the kit's own root (FORMAT 4.6, second part).

    Raises:
        SignatureInvalid: One is wrong, or by a key that the root does not name.
    """
    for keyid in (*signing.invalid, *signing.unknown):
        kind = "wrong" if keyid in signing.invalid else "by a key that the kit's root does not name"
        raise SignatureInvalid(f"the signature of key {keyid!r} is {kind}", where=_WHERE)
