"""A requirements.txt as a source: its requirements, and the digests that it allows (pip's form).

What it says must be in it: a line that names another file, an index or a place is refused, since
the lock would not notice when that changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from kit.sources.errors import RequirementsUnusable
from kit.sources.smallfile import read_small
from verifier.core.limits import MIB
from verifier.core.manifest import HEX256

_MAX = 4 * MIB
_HASH = re.compile(r"\s--hash=(\S+)")
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True)
class Requirements:
    """What a file asks for.

    Attributes:
        lines: Requirements without their digests.
        allowed: SHA-256 digests by the name of a package; those without any are not in it.
    """

    lines: tuple[str, ...]
    allowed: Mapping[str, frozenset[str]]


def load_requirements(path: Path, where: str) -> Requirements:
    """Read a requirements file.

    Raises:
        RequirementsUnusable: It is none, or says less than all.
    """
    raw = read_small(path, _MAX, RequirementsUnusable, where)
    lines, allowed, faults = [], dict[str, set[str]](), []
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
    for number, whole in _logical(text):
        said = _COMMENT.sub("", whole).strip()
        if not said:
            continue
        digests = _HASH.findall(f" {said}")
        line = _HASH.sub("", f" {said}").strip()
        fault = _fault(line, digests)
        if fault:
            faults.append(f"line {number} {fault}")
            continue
        lines.append(line)
        if digests:
            name = canonicalize_name(Requirement(line).name)
            allowed.setdefault(name, set()).update(one[7:] for one in digests)
    if faults:
        more = f"; and {len(faults) - 20} more" if len(faults) > 20 else ""
        raise RequirementsUnusable(f"{path.name}: {'; '.join(faults[:20])}{more}", where=where)
    if not lines:
        raise RequirementsUnusable(f"{path.name} has no requirement", where=where)
    return Requirements(tuple(lines), {name: frozenset(all_) for name, all_ in allowed.items()})


def _logical(text: str) -> list[tuple[int, str]]:
    """Return lines with what they go on in behind a backslash, and their numbers."""
    found: list[tuple[int, str]] = []
    goes_on = False
    for number, line in enumerate(text.split("\n"), start=1):
        part = line[:-1] if line.endswith("\\") else line
        if goes_on:
            found[-1] = (found[-1][0], f"{found[-1][1]} {part}")
        else:
            found.append((number, part))
        goes_on = line.endswith("\\")
    return found


def _fault(line: str, digests: list[str]) -> str:
    if line.startswith("-"):
        return f"has the option {line.split()[0]!r:.60}: write all requirements into this file"
    try:
        parsed = Requirement(line)
    except InvalidRequirement as error:
        return f"is no requirement: {str(error).splitlines()[0]:.200}"
    if parsed.url is not None:
        return "names a URL: carry that file with `url` in a source of its own"
    bad = [one for one in digests if not one.startswith("sha256:") or not HEX256.fullmatch(one[7:])]
    return f"has the digest {bad[0]!r:.100}, which is no SHA-256" if bad else ""
