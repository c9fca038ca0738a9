"""DER, as far as public keys and signatures need it (X.690 8, 10).  Imports nothing from here."""

from __future__ import annotations

import base64

INTEGER, BIT_STRING, NULL, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x03, 0x05, 0x06, 0x30  # X.680 8.4


def take(data: bytes, tag: int, what: str) -> tuple[bytes, bytes]:
    """Return the contents of the DER element that ``data`` begins with, and the bytes after it.

    Raises:
        ValueError: ``data`` begins with something else, ends too early, or gives the length in
            another form than the shortest definite one (X.690 8.1.3, 10.1).
    """
    if len(data) < 2 or data[0] != tag:
        raise ValueError(f"The DER lacks {what}.")
    start, end = span(data, 0, what)
    return data[start:end], data[end:]


def span(data: bytes, at: int, what: str) -> tuple[int, int]:
    """Return where the contents of the DER element that begins at ``at`` begin and end.

    Raises:
        ValueError: As `take` says, whatever the tag, which must be of one byte.
    """
    wrong = f"The DER gives {what} a length that is wrong or not the shortest."
    if len(data) < at + 2 or data[at] & 0x1F == 0x1F:
        raise ValueError(f"The DER lacks {what}.")
    start, size = at + 2, data[at + 1]
    if size >= 0x80:
        start = at + 2 + size - 0x80
        size = int.from_bytes(data[at + 2 : start], "big")
    if start + size > len(data) or data[at + 1 : start] != _length(size):
        raise ValueError(wrong)
    return start, start + size


def element(tag: int, contents: bytes) -> bytes:
    """Return an element with its tag and its length in the shortest form."""
    return bytes([tag]) + _length(len(contents)) + contents


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(length)]) + length


def parse_number(contents: bytes, end: int, what: str) -> int:
    """Return the number in the contents of an INTEGER; it must be in 1 to ``end - 1``.

    Raises:
        ValueError: It is not, or has superfluous zeros before it.
    """
    number = int.from_bytes(contents, "big", signed=True)
    if not 0 < number < end:
        raise ValueError(f"The number {what} is not in its range.")
    if len(contents) != number.bit_length() // 8 + 1:
        raise ValueError(f"The number {what} has superfluous zeros before it (X.690 8.3.2).")
    return number


def encode_number(number: int) -> bytes:
    """Return the INTEGER of a positive number."""
    # one byte more at every multiple of 8 bits: the highest bit is the sign (X.690 8.3)
    return element(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def parse_spki(pem: str, kind: bytes, what: str) -> tuple[bytes, bytes]:
    """Return the algorithm's parameters and the key in the PEM of a SubjectPublicKeyInfo.

    One spelling only: lines of 64 characters that end in LF, canonical base64 (RFC 4648 3.5), DER.
    The LF at the end may be missing (RFC 7468 13; RFC 5280 4.1.2.7).

    Args:
        kind: Contents of the object identifier that the algorithm must have.
        what: What such a key is, for the message.

    Raises:
        ValueError: Another spelling, or another kind of key.
    """
    return parse_key_info(_parse_pem(pem), kind, what)


def parse_key_info(data: bytes, kind: bytes, what: str) -> tuple[bytes, bytes]:
    """Return the algorithm's parameters and the key in a SubjectPublicKeyInfo in DER.

    Raises:
        ValueError: It is no such thing, or another kind of key.
    """
    key, after = take(data, SEQUENCE, "the key")
    algorithm, bits = take(key, SEQUENCE, "the algorithm")
    name, parameters = take(algorithm, OBJECT_IDENTIFIER, "the algorithm's name")
    if name != kind:
        raise ValueError(f"The key is not {what}.")
    contents, rest = take(bits, BIT_STRING, "the key itself")
    if after or rest:
        raise ValueError("There are bytes after an element of the key.")
    if contents[:1] != b"\0":
        raise ValueError("The key itself is not a whole number of bytes.")
    return parameters, contents[1:]


def _parse_pem(pem: str) -> bytes:
    """Return what a PEM block holds (RFC 7468 3).

    An error never shows the text: someone may have given a private key by mistake.
    """
    begin, end = "-----BEGIN PUBLIC KEY-----\n", "\n-----END PUBLIC KEY-----"
    text = pem[:-1] if pem.endswith("\n") else pem
    if not (text.startswith(begin) and text.endswith(end) and len(text) > len(begin) + len(end)):
        raise ValueError("The key is not one PEM block of the kind PUBLIC KEY.")
    body = text[len(begin) : -len(end)]
    try:
        der = base64.b64decode(body.replace("\n", ""), validate=True)
    except ValueError:
        raise ValueError("The PEM block is not base64.") from None
    canonical = base64.b64encode(der).decode("ascii")
    if body != "\n".join(canonical[at : at + 64] for at in range(0, len(canonical), 64)):
        raise ValueError("The PEM block is not canonical base64 in lines of 64 characters.")
    return der
