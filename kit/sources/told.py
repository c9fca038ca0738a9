"""What a program says, for a message of ours: one line, bounded, and without logins in URLs."""

from __future__ import annotations

import re
import subprocess

MAX_TOLD = 600  # characters
_LOGIN = re.compile(r"(?<=://)[^/\s'\"<>]*@")  # of a URL in an index, a repository or a server


def without_logins(text: str) -> str:
    """Return a text whose URLs have neither user name nor password."""
    return _LOGIN.sub("", text)


def told(lines: list[str], limit: int = MAX_TOLD) -> str:
    """Return what a program says as a word in quotes; it may quote a server, or a secret."""
    text = " ".join(line.strip() for line in lines if line.strip())
    return repr(without_logins(text)[:limit])


def not_run(error: OSError | subprocess.SubprocessError) -> str:
    """Return why a program gave no answer."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"did not end within {error.timeout:.0f} s"
    if isinstance(error, OSError):
        return f"cannot be run: {error.strerror or type(error).__name__}"
    return type(error).__name__
