"""Pages that are not in the one spelling of a DSSE envelope (FORMAT 3, 4.1 to 4.3, 4.8)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.support.assembler import Draft, Part, assemble, b64
from tests.support.drafts import filled, nested
from tests.support.hooks import Hook, add, both, drop, put, sign, swap
from tests.support.naive import resum
from tests.support.people import compact
from tests.support.vector import NOTHING, Case, bad

MALFORMED = "envelope-malformed"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SIG = "signatures.0.sig"


def page(name: str, rules: str, why: str, **hooks: Hook) -> Case:
    """Return a vector of which not even the claims can be shown."""
    return bad(name, rules, MALFORMED, why, lambda: assemble(**hooks), shown=NOTHING)


def sized(name: str, why: str, size: int) -> Case:
    """Return a vector whose page has a size that no page has."""
    draft = Draft(page_size=size)
    return bad(name, "4.1 4.8", "not-a-kit", why, lambda: assemble(draft), shown=NOTHING)


def end(last: bytes) -> Hook:
    """Return a hook that replaces the last bytes of the padding."""
    return lambda old: old[: -len(last)] + last


def last_bits(data: bytes) -> str:
    """Return base64 with bits set that decode to nothing (RFC 4648 3.5)."""
    encoded = b64(data)
    pad = encoded.count("=")
    if not pad:
        raise ValueError("without padding there are no such bits")
    last = _ALPHABET[_ALPHABET.index(encoded[-pad - 1]) + 1]
    return encoded[: -pad - 1] + last + "=" * pad


def url_safe(data: bytes) -> str:
    """Return base64 in the alphabet for addresses (RFC 4648 5)."""
    encoded = base64.urlsafe_b64encode(data).decode("ascii")
    if encoded == b64(data):
        raise ValueError("the two alphabets give the same")
    return encoded


def respell(path: str, change: Callable[[bytes], str]) -> Hook:
    """Return a hook that writes the base64 at a path otherwise."""
    return put(path, lambda old: change(base64.b64decode(old)))


def unpadded(statement: Any) -> Any:
    """Give the payload a length that base64 pads."""
    statement["predicate"]["x"] = ""
    while len(compact(statement)) % 3 == 0:
        statement["predicate"]["x"] += "x"
    return statement


def slashed(statement: Any) -> Any:
    """Put characters into the payload whose base64 has ``/``."""
    statement["predicate"]["x"] = "?" * 9
    return statement


def resize_plain(parts: list[Part]) -> list[Part]:
    """Say another size in the first header of a plain kit."""
    first = parts[0].header
    parts[0].header = resum(first[:124] + b"%011o\0" % 65_537 + first[136:])
    return parts


PADDING = [
    page("page_padding_lf", "4.1", "The padding ends in LF.", page=end(b"\n")),
    page("page_padding_tab", "4.1", "The padding ends in a tab.", page=end(b"\t")),
    page("page_padding_nul", "4.1", "The padding ends in NUL.", page=end(b"\0")),
    page("page_padding_text", "4.1", "A brace stands behind the padding.", page=end(b"}")),
    page(
        "page_padding_before", "4.1", "A space before the envelope.", page=lambda p: b" " + p[:-1]
    ),
    page("page_empty", "4.1", "Nothing but padding.", page=lambda p: b" " * len(p)),
    sized("page_size_odd", "A page of 66,048 bytes.", 66_048),
    sized("page_size_small", "A page of 32,768 bytes.", 32_768),
    sized("page_size_double", "A page of 131,072 bytes.", 131_072),
    bad(
        "page_size_plain_header",
        "4.8",
        "not-a-kit",
        "A plain kit whose first header gives a size that no page has.",
        lambda: assemble(Draft(plain=True), head=resize_plain),
        shown=NOTHING,
        quick="usage",
    ),
    bad(
        "page_payload_too_large",
        "4.1",
        MALFORMED,
        "A payload of one byte more than 3/8 of the page.",
        lambda: filled(24_577),
        shown=NOTHING,
    ),
]

ENVELOPE = [
    page("envelope_more", "4.1", "A fourth member.", envelope=put("x", 1)),
    page("envelope_less", "4.1", "No payloadType.", envelope=drop("payloadType")),
    page("envelope_array", "4.1", "An array around the envelope.", envelope=lambda e: [e]),
    page("envelope_string", "4.1", "A string.", envelope=lambda e: "envelope"),
    page("envelope_null", "4.1", "null.", envelope=lambda e: None),
    page(
        "envelope_type_other",
        "4.1",
        "payloadType is application/json; the signatures are over that.",
        message=swap(b"28 application/vnd.in-toto+json", b"16 application/json"),
        envelope=put("payloadType", "application/json"),
    ),
    page(
        "envelope_type_case",
        "4.1",
        "payloadType has another case.",
        envelope=put("payloadType", "application/vnd.in-toto+JSON"),
    ),
    page("envelope_payload_number", "4.1", "payload is a number.", envelope=put("payload", 7)),
    page(
        "base64_payload_url_safe",
        "4.3",
        "payload in the url-safe alphabet.",
        statement=slashed,
        envelope=respell("payload", url_safe),
    ),
    page(
        "base64_payload_tail_bits",
        "4.3",
        "Bits of payload that decode to nothing.",
        statement=unpadded,
        envelope=respell("payload", last_bits),
    ),
    page(
        "base64_payload_unpadded",
        "4.1 4.3",
        "payload without its `=`.",
        statement=unpadded,
        envelope=put("payload", lambda old: old.rstrip("=")),
    ),
    page(
        "base64_payload_overpadded",
        "4.3",
        "Four more `=` behind payload.",
        envelope=put("payload", lambda old: old + "===="),
    ),
    page(
        "base64_payload_line_ends",
        "4.3",
        "payload in lines of 76.",
        envelope=respell("payload", lambda data: base64.encodebytes(data).decode()),
    ),
    page(
        "base64_payload_space",
        "4.3",
        "A space in payload.",
        envelope=put("payload", lambda old: old[:40] + " " + old[40:]),
    ),
    page(
        "base64_payload_not_ascii",
        "4.3",
        "A letter beyond ASCII in payload.",
        envelope=put("payload", lambda old: old + "\u00e9"),
    ),
]

SIGNATURES = [
    page("signatures_object", "4.2", "signatures is an object.", envelope=put("signatures", {})),
    page("signatures_number", "4.2", "An entry is a number.", envelope=add("signatures", 1)),
    page(
        "signatures_65",
        "4.2",
        "65 entries.",
        signatures=lambda good: [*good, *((f"z{i:02}", b"junk") for i in range(63))],
    ),
    page(
        "signatures_order",
        "4.2",
        "Entries in descending order.",
        signatures=lambda good: good[::-1],
    ),
    page("signatures_twice", "4.2", "One entry twice.", signatures=lambda good: [good[0], *good]),
    page(
        "signatures_keyid_twice",
        "4.2",
        "One keyid with two signatures.",
        **sign(lambda m, good: [good[0], (good[0][0], good[1][1]), good[1]]),
    ),
    page("entry_more", "4.2", "A third member in an entry.", envelope=put("signatures.0.cert", "")),
    page("entry_less", "4.2", "An entry without keyid.", envelope=drop("signatures.0.keyid")),
    page("keyid_empty", "4.2", "An empty keyid.", envelope=put("signatures.0.keyid", "")),
    page("keyid_number", "4.2", "keyid is a number.", envelope=put("signatures.0.keyid", 1)),
    page(
        "keyid_129",
        "4.2",
        "A keyid of 129 characters.",
        signatures=lambda good: [*good, ("z" * 129, b"junk")],
    ),
    page(
        "keyid_space",
        "4.2",
        "A space in a keyid.",
        signatures=lambda good: sorted([*good, ("a b", b"junk")]),
    ),
    page(
        "keyid_not_ascii",
        "4.2",
        "A keyid beyond ASCII.",
        signatures=lambda good: [*good, ("\u00e9", b"junk")],
    ),
    page("sig_empty", "4.2", "An empty signature.", envelope=put(_SIG, "")),
    page(
        "sig_8193",
        "4.2",
        "A signature of 8,193 bytes.",
        signatures=lambda good: [*good, ("z", b"j" * 8193)],
    ),
    page(
        "base64_sig_tail_bits",
        "4.3",
        "Bits of a signature that decode to nothing.",
        envelope=respell(_SIG, last_bits),
    ),
    page(
        "base64_sig_url_safe",
        "4.3",
        "A signature in the url-safe alphabet.",
        **sign(lambda m, good: [*good, ("z", b"\xff\xfe\xfd")]),
        envelope=respell("signatures.2.sig", url_safe),
    ),
    page(
        "base64_sig_unpadded",
        "4.2 4.3",
        "A signature without its `=`.",
        envelope=put(_SIG, lambda old: old.rstrip("=")),
    ),
    page(
        "base64_sig_line_end",
        "4.3",
        "LF behind a signature.",
        envelope=put(_SIG, lambda old: old + "\n"),
    ),
]

SPELLING = [
    page("json_space", "3.1", "A space behind a comma.", text=swap(b",", b", ")),
    page(
        "json_order",
        "3.1",
        "Members in another order.",
        text=both(
            swap(b'"payloadType":"application/vnd.in-toto+json",', b""),
            swap(b"{", b'{"payloadType":"application/vnd.in-toto+json",'),
        ),
    ),
    page(
        "json_name_twice",
        "3.1",
        "payloadType twice.",
        text=swap(b'"payloadType"', b'"payloadType":"application/vnd.in-toto+json","payloadType"'),
    ),
    page("json_bom", "3.1", "A byte order mark.", text=lambda t: b"\xef\xbb\xbf" + t),
    page("json_utf16", "3.1", "UTF-16.", text=lambda t: t.decode().encode("utf-16")),
    page(
        "json_not_utf8",
        "3.1",
        "A byte that UTF-8 does not have.",
        text=swap(b'"keyid":"', b'"keyid":"\xff'),
    ),
    page(
        "json_escape_slash",
        "3.1",
        "`/` escaped.",
        text=swap(b"application/vnd", b"application\\/vnd"),
    ),
    page(
        "json_escape_letter",
        "3.1",
        "A letter escaped.",
        text=swap(b"application/vnd", b"\\u0061pplication/vnd"),
    ),
    page("json_comma", "3.1", "A comma behind the last member.", text=swap(b"]}", b"],}")),
    page("json_second_value", "3.1", "A second value behind the first.", text=lambda t: t + b"{}"),
    page("json_cut", "3.1", "The last brace is missing.", text=lambda t: t[:-1]),
    page(
        "json_deep",
        "3.2",
        "Nesting of 65 in a member that is not allowed either.",
        envelope=put("x", nested(64)),
    ),
    page(
        "json_very_deep",
        "3.2",
        "20,000 opening brackets.",
        text=lambda t: t[:-1] + b',"x":' + b"[" * 20_000,
    ),
    page(
        "json_many_digits",
        "3.1",
        "A number of 20,000 digits.",
        text=lambda t: t[:-1] + b',"x":' + b"9" * 20_000 + b"}",
    ),
]

CASES: list[Case] = [*PADDING, *ENVELOPE, *SIGNATURES, *SPELLING]
