"""Payloads that are not in the compact spelling of JSON (FORMAT 3)."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.support.assembler import assemble
from tests.support.drafts import nested
from tests.support.hooks import swap
from tests.support.vector import NOTHING, Case, bad

MALFORMED = "manifest-malformed"


def payload(name: str, why: str, change: Callable[[bytes], bytes], rules: str = "3.1") -> Case:
    """Return a vector whose payload is spelled otherwise."""
    return bad(name, rules, MALFORMED, why, lambda: assemble(payload=change), shown=NOTHING)


def number(name: str, why: str, spelling: bytes) -> Case:
    """Return a vector with a number in a member that nobody knows."""
    return payload(name, why, swap(b'"pageSize":', b'"pageSize":65536,"x":%b,"y":' % spelling))


CASES: list[Case] = [
    payload("payload_space", "A space behind a colon.", swap(b":", b": ")),
    payload("payload_line_end", "LF behind the last brace.", lambda p: p + b"\n"),
    payload("payload_empty", "Nothing.", lambda p: b""),
    payload("payload_bom", "A byte order mark.", lambda p: b"\xef\xbb\xbf" + p),
    payload("payload_utf16", "UTF-16.", lambda p: p.decode().encode("utf-16-le")),
    payload("payload_array", "An array.", lambda p: b"[" + p + b"]"),
    payload(
        "payload_name_twice",
        "A name twice, with one value.",
        swap(b'"pageSize":65536', b'"pageSize":65536,"pageSize":65536'),
    ),
    payload(
        "payload_name_twice_lie",
        "A name twice: the first one is right.",
        swap(b'"pageSize":65536', b'"pageSize":65536,"pageSize":262144'),
    ),
    payload(
        "payload_order",
        "subject before predicateType.",
        lambda p: json.dumps(
            dict(sorted(json.loads(p).items(), reverse=True)), separators=(",", ":")
        ).encode(),
    ),
    payload(
        "payload_raw_utf8",
        "A letter beyond ASCII that is not escaped.",
        swap(b"a kit for", "a kit f\u00fcr".encode()),
    ),
    payload(
        "payload_not_utf8", "A byte that UTF-8 does not have.", swap(b"a kit for", b"a kit f\xfcr")
    ),
    payload(
        "payload_escape_upper",
        "Upper-case digits in an escape.",
        swap(b"a kit for", b"a kit f\\u00FCr"),
    ),
    payload(
        "payload_escape_letter",
        "A letter escaped that need not be.",
        swap(b"a kit for", b"a kit f\\u006fr"),
    ),
    payload("payload_escape_long", "LF in the long form.", swap(b"a kit for", b"a kit\\u000afor")),
    payload("payload_delete_raw", "U+007F that is not escaped.", swap(b"a kit", b"a\x7fkit")),
    payload(
        "payload_surrogate", "A lone surrogate.", swap(b"a kit for", b"a kit\\ud800for"), "3.2"
    ),
    payload(
        "payload_surrogates_turned",
        "Two surrogates in the wrong order.",
        swap(b"a kit for", b"a kit\\udc00\\ud800for"),
        "3.2",
    ),
    payload(
        "payload_deep",
        "Nesting of 65.",
        swap(b'"pageSize"', b'"note":' + json.dumps(nested(63)).encode() + b',"pageSize"'),
        "3.2",
    ),
    payload(
        "payload_very_deep",
        "Nesting of 9,000.",
        swap(b'"pageSize"', b'"note":' + b"[" * 9000 + b"]" * 9000 + b',"pageSize"'),
        "3.2",
    ),
    number("number_float", "1.5.", b"1.5"),
    number("number_float_whole", "1.0.", b"1.0"),
    number("number_exponent", "1e3.", b"1e3"),
    number("number_nan", "NaN.", b"NaN"),
    number("number_infinity", "-Infinity.", b"-Infinity"),
    number("number_minus_zero", "-0.", b"-0"),
    number("number_leading_zero", "007.", b"007"),
    number("number_plus", "+1.", b"+1"),
    number("number_hex", "0x10.", b"0x10"),
    number("number_too_large", "2^53.", b"9007199254740992"),
    number("number_too_small", "-2^53.", b"-9007199254740992"),
    number("number_huge", "9,000 digits.", b"9" * 9000),
]
