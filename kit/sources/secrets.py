"""Private keys, known by their content: nobody means to publish one with a release.

Only what is certain counts: the armour of a text form with a line of it, or the structure of a
binary one.  A text that speaks of keys, as this one does, holds none.
"""

from __future__ import annotations

import re

MAX_KEY = 65_536  # bytes that are looked at, from the start of a file of any size

_PEM = re.compile(
    rb"^-----BEGIN (?P<kind>[A-Z0-9 ]{0,40})PRIVATE KEY(?: BLOCK)?-----[ \t]*\r?\n"
    rb"(?:(?:[A-Za-z-]+: [^\n]*)?\r?\n){0,20}[A-Za-z0-9+/=]{16}",
    re.M,
)
_AGE = re.compile(rb"^AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{50}", re.M)
# minisign and signify: a comment, then base64 of algorithm, KDF and, for minisign, checksum
_MINISIGN = re.compile(rb"\Auntrusted comment: [^\n]*\nRW(?:RTY0Iy|QAAEIy|RCS)[A-Za-z0-9+/]{96}")
_PUTTY = re.compile(rb"\APuTTY-User-Key-File-[23]: ")
_GPG_AGENT = re.compile(rb"(?:\A|\nKey: ?)\((?:\d+:)?(?:protected-|openpgp-)?private-key[ (\d]")
# JSON Web Key (RFC 7517, 4.1; RFC 7518, 6.2.2, 6.3.2, 6.4.1), alone or in a set
_JWK = re.compile(
    rb'\A\s*[{\[](?:(?=[\s\S]*"kty"\s*:\s*"(?:EC|RSA|OKP)")(?=[\s\S]*"d"\s*:\s*"[\w-]{16})'
    rb'|(?=[\s\S]*"kty"\s*:\s*"oct")(?=[\s\S]*"k"\s*:\s*"[\w-]{16}))'
)
# Somewhere in a file; looking for the mark first is twenty times as fast as the pattern.
_PEM_MARK, _AGE_MARK = b"PRIVATE KEY", b"AGE-SECRET-KEY-"
_ANYWHERE = (
    (_PEM_MARK, _PEM, "a private key in PEM"),
    (_AGE_MARK, _AGE, "an age identity"),
)
# How GnuPG's agent begins its files, an expression or lines of names and values: it reads no other.
_BEGINS_AS_AGENT = re.compile(rb"\s*(?:[(#]|[A-Za-z][\w-]*:)")
# At its start, which costs nothing to look at: of a kit of small files the marks took a tenth.
_AT_THE_START = (
    (_MINISIGN, "a secret key of minisign or signify"),
    (_PUTTY, "a private key of PuTTY"),
)
_OPENS_JSON = re.compile(rb"\s*[{\[]")
_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06
_PKCS5 = bytes.fromhex("2a864886f70d0105")
_PKCS12 = bytes.fromhex("2a864886f70d010c01")
# key bags of PKCS #12, in the clear or shrouded (RFC 7292, appendix D)
_KEY_BAGS = tuple(bytes.fromhex(f"060b2a864886f70d010c0a01{kind}") for kind in ("01", "02"))
_JKS, _JCEKS = b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"
_OPENPGP = {0x94, 0x95, 0x96, 0xC5}  # packets of tag 5, secret key (RFC 9580, 4.2 and 5.5.1.3)
_OPENPGP_ALGORITHMS = {1, 2, 3, 16, 17, 18, 19, 22, 25, 26, 27, 28}
# what a form that stands at the start of a file begins with; JSON may have white space before it
_FIRST = frozenset(b"uP{[ \t\n\r\f\v\x30\xfe\xce") | _OPENPGP


def may_hold_key(data: bytearray, start: int, end: int) -> bool:
    """Whether ``data[start:end]`` needs a closer look by `private_key_in`.

    Most files of a kit hold no key, and this says so without copying them.

    Args:
        data: A buffer with a file in it.
        start: Where the file begins.
        end: Where it ends; no more than `MAX_KEY` bytes of it are looked at.
    """
    end = min(end, start + MAX_KEY)
    if start >= end:
        return False
    return (
        data[start] in _FIRST
        or data.find(_PEM_MARK, start, end) >= 0
        or data.find(_AGE_MARK, start, end) >= 0
        or (
            _BEGINS_AS_AGENT.match(data, start, end) is not None
            and data.find(b"private-key", start, end) >= 0
        )
    )


def private_key_in(data: bytes | bytearray | memoryview) -> str:
    """Return what kind of private key a file holds; empty if it holds none."""
    raw = bytes(data)
    for mark, pattern, kind in _ANYWHERE:
        if raw.find(mark) >= 0 and pattern.search(raw):
            return kind
    if _BEGINS_AS_AGENT.match(raw) and b"private-key" in raw and _GPG_AGENT.search(raw):
        return "a private key of GnuPG's agent"
    for pattern, kind in _AT_THE_START:
        if pattern.match(raw):
            return kind
    if _OPENS_JSON.match(raw) and b'"kty"' in raw and _JWK.match(raw):
        return "a private JSON Web Key"
    if raw[:1] == b"\x30":
        if _is_der(raw):
            return "a private key in DER"
        return "a private key in PKCS #12" if _is_pkcs12(raw) else ""
    if raw[:4] in (_JKS, _JCEKS):
        return "a private key of a Java key store" if _has_java_key(raw) else ""
    if raw and raw[0] in _OPENPGP and _is_openpgp(raw):
        return "a secret key of OpenPGP"
    return ""


def _is_der(data: bytes) -> bool:
    """Whether a file is one key: PKCS #8, encrypted or not, PKCS #1, or SEC 1."""
    inside = _value(data, _SEQUENCE)
    if inside is None:
        return False
    if inside[:3] in (b"\x02\x01\x00", b"\x02\x01\x01"):
        rest = inside[3:]
        algorithm = _value(rest, _SEQUENCE)
        if algorithm is not None:  # PKCS #8: version, algorithm, the key
            return algorithm[:1] == b"\x06"
        if rest[:1] == b"\x02":  # PKCS #1: nine integers in all
            return inside[2] == 0 and _count_integers(inside) >= 9
        return inside[2] == 1 and rest[:1] == b"\x04"  # SEC 1
    algorithm = _value(inside, _SEQUENCE)  # encrypted PKCS #8: a scheme of PKCS #5 or #12, the key
    identifier = _value(algorithm, _OID) if algorithm is not None else None
    return identifier is not None and identifier.startswith((_PKCS5, _PKCS12))


def _is_pkcs12(data: bytes) -> bool:
    """Whether a file is a PKCS #12 store of version 3 that holds a key, and not only certificates.

    The bag of a key is itself encrypted and mostly stands in the clear (RFC 7292, 4.1).
    """
    inside = _value(data, _SEQUENCE)
    return (
        inside is not None
        and inside.startswith(b"\x02\x01\x03")
        and any(bag in inside for bag in _KEY_BAGS)
    )


def _has_java_key(data: bytes) -> bool:
    """Whether a JKS or JCEKS store has a private or secret key among its entries."""
    at, length = 12, len(data)  # magic, version, count
    while at + 6 <= length:
        tag, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 6]
        if tag != 2:  # 1 private key, 2 certificate, 3 secret key
            return tag in (1, 3)
        at += 6 + int.from_bytes(name, "big") + 8  # alias and time
        if data[4:8] == b"\0\0\0\2":
            at += 2 + int.from_bytes(data[at : at + 2], "big")  # the kind of certificate
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return False


def _value(data: bytes, tag: int) -> bytes | None:
    """Return what the first value of ``data`` holds if it has this tag; it may be cut short."""
    if len(data) < 2 or data[0] != tag:
        return None
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7F
        if not 0 < length & 0x7F <= 4:
            return None
        length = int.from_bytes(data[2:at], "big")
    return data[at : at + length]


def _count_integers(data: bytes) -> int:
    count = 0
    while (value := _value(data, _INTEGER)) is not None:
        count += 1
        data = data[data.index(value, 2) + len(value) :] if value else data[2:]
    return count


def _is_openpgp(data: bytes) -> bool:
    """Whether a file begins with a secret key packet of version 4, 5 or 6."""
    if data[0] == 0xC5:
        at = 2 if data[1] < 192 else 3 if data[1] < 255 else 6
    else:
        at = 1 + (1, 2, 4)[data[0] & 3]
    body = data[at : at + 6]
    return len(body) == 6 and body[0] in (4, 5, 6) and body[5] in _OPENPGP_ALGORITHMS
