"""A reader of DER, element by element (X.690 8, 10); BER is refused.

Errors are `ValueError`s in words; each document turns them into its own code.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from verifier.crypto import der

BOOLEAN, OCTET_STRING, UTF8_STRING = 0x01, 0x04, 0x0C  # X.680 8.4
UTC_TIME, GENERALIZED_TIME, SET = 0x17, 0x18, 0x31
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MAX_OID = 64  # bytes; the longest in use here has 11
_TIME = re.compile(rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(\.[0-9]{1,9})?Z")


def context(number: int, *, constructed: bool = True) -> int:
    """Return the tag ``[number]`` of its context."""
    return (0xA0 if constructed else 0x80) | number


def oid(dotted: str) -> bytes:
    """Return the contents of an object identifier that we know (X.690 8.19)."""
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        out += bytes(reversed(digits))
    return bytes(out)


def show_time(moment: int) -> str:
    """Return a moment in milliseconds since the epoch as text, to the second."""
    try:
        return (_EPOCH + timedelta(milliseconds=moment)).isoformat(timespec="seconds")[:19] + "Z"
    except OverflowError:  # after the year 9999
        return f"{moment // 1000} s after 1970"


class Reader:
    """What stands in a constructed element, read once from left to right.

    Args:
        data: The contents.
        what: What they are, for people.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self.what = data, 0, what

    @property
    def tag(self) -> int:
        """The tag of the next element; -1 at the end."""
        return self._data[self._at] if self._at < len(self._data) else -1

    def take(self, tag: int) -> bytes:
        """Return the contents of the next element, which must have this tag."""
        return self._next(tag)[0]

    def whole(self, tag: int) -> bytes:
        """Return the next element with its tag and length."""
        return self._next(tag)[1]

    def any(self) -> bytes:
        """Return the next element with its tag and length, whatever it is."""
        return self._next(self.tag)[1]

    def inside(self, tag: int = der.SEQUENCE) -> Reader:
        """Return a reader of the next element, which must have this tag."""
        return Reader(self.take(tag), self.what)

    def skip(self, *tags: int) -> None:
        """Step over the next element if it has one of these tags."""
        if self.tag in tags:
            self.any()

    def end(self) -> None:
        """Refuse whatever follows."""
        if self.tag >= 0:
            raise ValueError(f"There are bytes after {self.what}.")

    def oid(self) -> bytes:
        """Return the contents of an object identifier."""
        return check_oid(self.take(der.OBJECT_IDENTIFIER))

    def integer(self) -> int:
        """Return a number, which may be negative, in its shortest form (X.690 8.3.2)."""
        data = self.take(der.INTEGER)
        number = int.from_bytes(data, "big", signed=True)
        if not data or (len(data) > 1 and data[0] in (0, 0xFF) and data[0] >> 7 == data[1] >> 7):
            raise ValueError(f"A number in {self.what} is not in its shortest form.")
        return number

    def boolean(self) -> bool:
        """Return true or false, which DER spells in one way each (X.690 11.1)."""
        data = self.take(BOOLEAN)
        if data not in (b"\0", b"\xff"):
            raise ValueError(f"A boolean in {self.what} is neither true nor false.")
        return data == b"\xff"

    def bits(self) -> bytes:
        """Return a bit string that is a whole number of bytes."""
        data = self.take(der.BIT_STRING)
        if data[:1] != b"\0":
            raise ValueError(f"A bit string in {self.what} is not a whole number of bytes.")
        return data[1:]

    def flags(self) -> int:
        """Return a bit string of named bits as a number; bit 0 is its lowest (X.690 11.2.2)."""
        data = self.take(der.BIT_STRING)
        unused = data[0] if data else 8
        if unused > 7 or len(data) > 3 or (len(data) == 1 and unused):
            raise ValueError(f"A bit string in {self.what} has a wrong number of bits.")
        bits = "".join(f"{byte:08b}" for byte in data[1:])
        used = bits[: len(bits) - unused]
        if "1" in bits[len(used) :] or (used and used[-1] != "1"):
            raise ValueError(f"A bit string in {self.what} is not in its shortest form.")
        return int(used[::-1] or "0", 2)

    def time(self) -> int:
        """Return the milliseconds since the epoch of a time in UTC (RFC 5280 4.1.2.5)."""
        if self.tag == UTC_TIME:
            data = self.take(UTC_TIME)
            data = (b"20" if data[:1] < b"5" else b"19") + data if len(data) == 13 else b""
        else:
            data = self.take(GENERALIZED_TIME)
        found = _TIME.fullmatch(data)
        fraction = found[7] or b".0" if found else b""
        if not found or (found[7] and fraction.endswith(b"0")):
            raise ValueError(f"A time in {self.what} is not one in UTC as DER has it.")
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        whole = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        return int(whole.timestamp()) * 1000 + int(fraction[1:4].ljust(3, b"0"))

    def _next(self, tag: int) -> tuple[bytes, bytes]:
        if self.tag != tag or tag < 0:
            raise ValueError(f"The DER of {self.what} lacks an element of tag {tag:#04x}.")
        begin = self._at
        start, self._at = der.span(self._data, begin, "an element of " + self.what)
        return self._data[start : self._at], self._data[begin : self._at]


def read(data: bytes, what: str, tag: int = der.SEQUENCE) -> Reader:
    """Return a reader of the one element that ``data`` is."""
    outer = Reader(data, what)
    inner = outer.inside(tag)
    outer.end()
    return inner


def check_oid(data: bytes) -> bytes:
    """Return the contents of an object identifier, if they are one in DER (X.690 8.19)."""
    if not 1 <= len(data) <= MAX_OID or data[-1] >> 7:
        raise ValueError("An object identifier is empty, too long or cut off.")
    if data[0] == 0x80 or any(a < 0x80 and b == 0x80 for a, b in zip(data, data[1:])):
        raise ValueError("An object identifier has superfluous zeros.")
    return data
