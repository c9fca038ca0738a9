"""What a drill prints, kept for a page of the docs, and the page held to a later run."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator

# what two runs have in common: a busy machine has other times, sizes, samples and attempts
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")
_OF_TIMES = re.compile(
    r"""
      \s+ALERT\s            # one for each sample
    | \s+\d{4}-\d\d-\d\dT   # the timeline, whose sentences stand above it too
    | \s+outputs/           # files of attempts
    | \s+\|\s               # what programs print
    | \s+21-102:            # killed in a batch: whether the batch was the last is chance
    | \s+\S+:\s\w+,\sattempt\s(?!1$)   # a server was late, and the step was begun again
    | \s+\S+:\s\w+\s\(exited\s3\)
    | \s+\d+\sof\s          # progress
    """,
    re.X,
)
_LINES: list[str] = []


def say(text: str = "") -> None:
    """Print a line, and keep it for the page."""
    _LINES.append(text)
    print(text, flush=True)


def page(template: str) -> str:
    """Return the transcript as a page: the template with it in the place of TRANSCRIPT."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", "\n".join(_LINES))
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
    text = re.sub(rf"\b{re.escape(os.uname().nodename)}(/[0-9a-f]+)?", "<host>", text)
    return template.replace("TRANSCRIPT", text.strip("\n"))


def shape(text: str) -> list[str]:
    """Return what every run of the same drill prints, line by line, numbers as ``0``."""
    found: list[str] = []
    for line in text.splitlines():
        if _OF_TIMES.match(line):
            continue
        line = _NUMBERS.sub("0", line.replace(" (checked)", "")).rstrip()
        if line not in found[-1:]:
            found.append(line)
    return found


def differences(kept: str, now: str) -> Iterator[str]:
    """Yield how the page that is kept differs from the one of this run."""
    yield from difflib.unified_diff(shape(kept), shape(now), "kept", "now", lineterm="", n=1)
