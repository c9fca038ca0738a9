"""``wheels``: a directory that pip installs from by hashes alone, without an index."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.core.errors import KitError
from verifier.evidence.kinds.errors import (
    KindFileMissing,
    KindFileUnexpected,
    KindUnchecked,
    RequirementsMalformed,
    WheelMissing,
    WheelNameMalformed,
    WheelUnlisted,
)
from verifier.evidence.kinds.model import Documents, Files, Want
from verifier.typed import record

REQUIREMENTS = "requirements.txt"
_MAX_LINES = 200_000
# PyPA, "Binary distribution format": NAME-VERSION(-BUILD)?-PYTHON-ABI-PLATFORM.whl
_WHEEL = re.compile(
    r"([A-Za-z0-9_.]+)-([A-Za-z0-9_.+!]+)(-[0-9][A-Za-z0-9_.]*)?(-[A-Za-z0-9_.]+){3}\.whl"
)
_PINNED = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[A-Za-z0-9._, -]*\])? ?== ?([A-Za-z0-9._+!-]+)"
    r"(?: *;(?P<marker>.*))?"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@record(frozen=True)
class _Pin:
    """A line of ``requirements.txt``, its continuation lines with it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    line: int


class Wheels:
    """See `verifier.evidence.kinds.model.Kind`."""

    name = "wheels"
    promise = "requirements.txt and wheels belong together"

    def wants(self, files: Files) -> Iterator[Want]:
        """Return what pip is told to install."""
        return (Want(name) for name in (REQUIREMENTS,) if name in files)

    def hashed(self, files: Files) -> Iterator[str]:
        """Return nothing: what is written has SHA-256 alone."""
        return iter(())

    def judge(self, files: Files, documents: Documents) -> Iterator[KitError]:
        """Yield each wheel and each hash that has no counterpart."""
        if REQUIREMENTS not in files:
            raise KindFileMissing("is not there", where=files.where(REQUIREMENTS))
        wheels: dict[str, tuple[str, str]] = {}
        for name in files:
            match = _WHEEL.fullmatch(name)
            if match:
                wheels[name] = plain_name(match[1]), plain_version(match[2])
            elif name.endswith(".whl") and "/" not in name:
                yield WheelNameMalformed("is no name of a wheel", where=files.where(name))
            elif name != REQUIREMENTS:
                yield KindFileUnexpected("is no wheel", where=files.where(name))
        where = files.where(REQUIREMENTS)
        pins = list(_pins(documents.text(REQUIREMENTS, RequirementsMalformed), where))
        there = {files.sha256(name) for name in wheels}
        listed: set[tuple[str, str, str]] = set()
        for pin in pins:
            for digest in pin.hashes:
                listed.add((pin.name, pin.version, digest))
                if digest not in there:
                    what = f"line {pin.line}: of {pin.name} {pin.version}, sha256:{digest}"
                    yield WheelMissing(f"{what} is not there", where=where)
        for name, (project, version) in wheels.items():
            if (project, version, files.sha256(name)) not in listed:
                what = f"{REQUIREMENTS} does not name its SHA-256 for {project} {version}"
                yield WheelUnlisted(what, where=files.where(name))


def plain_name(text: str) -> str:
    """Return the one spelling of a project's name (PyPA, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", text).lower()


def plain_version(text: str) -> str:
    """Return a version as names of wheels have it: ``-`` is ``_`` there, and case says nothing."""
    return text.replace("-", "_").lower()


def _pins(text: str, where: str) -> Iterator[_Pin]:
    """Yield what the lines say, as pip reads them, joined and without comments."""
    lines = text.split("\n")
    if len(lines) > _MAX_LINES:
        raise KindUnchecked(f"has more than {_MAX_LINES} lines", where=where)
    held: list[str] = []
    first = 0
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        if not held:
            first = number
        goes_on = line.endswith("\\")
        part = line[:-1] if goes_on else line
        held.append(re.sub(r"(^|\s)#.*$", "", part).strip())
        if goes_on:
            continue
        whole, held = " ".join(filter(None, held)), []
        if whole:
            yield _pin(whole, f"line {first}", where, first)


def _pin(text: str, place: str, where: str, line: int) -> _Pin:
    words = text.split(" --hash=")
    match = _PINNED.fullmatch(words[0].strip())
    hashes = [_HASH.fullmatch(f"--hash={word.strip()}") for word in words[1:]]
    if match is None or not hashes or not all(hashes):
        what = f"{place}: {text[:80]!r} is no NAME==VERSION with SHA-256 hashes"
        raise RequirementsMalformed(what, where=where)
    found = tuple(one[1] for one in hashes if one)
    return _Pin(plain_name(match[1]), plain_version(match[2]), found, line)
