"""The end of a backward bit stream, and the two ways in which bytes are refused in here."""

from __future__ import annotations


class Corrupt(Exception):
    """The bytes are not a frame as planned; what is wrong is said to developers and tests only."""


class Doubtful(Corrupt):
    """The bytes are no frame, and there are decoders that make something of them (FORMAT 2.4)."""


def payload_bits(stream: bytes, name: str) -> int:
    """Return how many bits a stream has below its end mark (RFC 8878 4.1).

    The highest set bit of the last byte is the mark.  What was written last is read first: from
    the mark down to bit 0 of the first byte.

    Raises:
        Corrupt: There is no byte, or no mark in the last one.
    """
    if not stream or not stream[-1]:
        raise Corrupt(f"{name}: no end mark")
    return 8 * len(stream) + stream[-1].bit_length() - 9
