"""Fingerprints that somebody typed or read out, and the files that are held to them."""

from __future__ import annotations

import hashlib

from verifier.core.errors import UsageError
from verifier.host.errors import FingerprintMismatch


def _told(digits: str) -> str:
    """Return what is not a SHA-256 in so many words: how long it is, or its first odd character."""
    odd = [character for character in digits if character not in "0123456789abcdef"]
    return f"{odd[0]!r} in it" if odd else f"{len(digits)}"


def parse_digits(text: str, option: str) -> str:
    """Return the 64 digits of a SHA-256 that somebody typed, in any grouping and case.

    Raises:
        UsageError: It is not one.
    """
    digits = "".join(text.split()).replace(":", "").replace("-", "").lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise UsageError(
            f"{option} wants the 64 hexadecimal digits of a SHA-256, and got {_told(digits)}",
            fix="Type all of them, in any grouping; give KIT before it, or quote the number.",
        )
    return digits


def check_fingerprint(data: bytes, fingerprint: str, *, option: str = "--fingerprint") -> None:
    """Compare the SHA-256 of a file with what came over another channel, all of its digits.

    Args:
        option: Where the fingerprint was given, for the message.

    Raises:
        UsageError: It is not 64 hexadecimal digits; spaces, colons and hyphens between them are
            passed over.
        FingerprintMismatch: It is another one.
    """
    digits = parse_digits(fingerprint, option)
    found = hashlib.sha256(data).hexdigest()
    if found != digits:
        raise FingerprintMismatch(f"the file has SHA-256 {found}, and you gave {digits}")
