"""Backward bit streams, and the one way in which a frame is refused in here."""

from __future__ import annotations


class Corrupt(Exception):
    """The bytes are no frame that this decoder takes; the message is for developers and tests."""


def payload_bits(stream: bytes, what: str) -> int:
    """Return how many bits a backward stream has below its end mark (RFC 8878 4.1).

    The highest set bit of the last byte is the mark; reading goes from it down to bit 0 of the
    first byte.

    Raises:
        Corrupt: There is no byte, or no mark in the last one.
    """
    if not stream or not stream[-1]:
        raise Corrupt(f"{what}: no end mark")
    return 8 * len(stream) + stream[-1].bit_length() - 9
