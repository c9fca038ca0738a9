"""What a statement is about, as people type it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.attest.errors import SubjectInvalid
from kit.attest.inputs import digest_file
from kit.attest.statement import Subject
from kit.errors import show
from kit.sources.imagefiles import LayoutFiles

MAX_SUBJECTS = 1024  # what cosign and sigstore-go read of one statement
_DIGEST = re.compile(r"(?P<name>.+)=(?P<algorithm>sha256|sha384|sha512):(?P<hex>[0-9a-f]+)", re.S)
_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_MAX_NAME = 1000  # characters

Component = Callable[[str], str]
"""Returns the digest of a component by its id (FORMAT 11.2)."""


def read_subjects(arguments: Sequence[str], component: Component | None) -> list[Subject]:
    """Return the subjects that arguments name; the same one twice is a mistake.

    Args:
        arguments: Each in one of the forms of `SubjectInvalid`.
        component: How a component is found; None if neither spec nor kit is given.

    Raises:
        SubjectInvalid: One is none, or is there twice.
        ReportUnreadable: A file cannot be read.
        KitError: A component or image is at fault.
    """
    if len(arguments) > MAX_SUBJECTS:
        raise SubjectInvalid(f"{len(arguments)} subjects, and {MAX_SUBJECTS} are the most")
    found = [_subject(argument, component) for argument in arguments]
    seen: set[Subject] = set()
    for argument, subject in zip(arguments, found, strict=True):
        if subject in seen:
            raise SubjectInvalid("is named twice", where=_where(argument))
        seen.add(subject)
    return found


def _where(argument: str) -> str:
    return f"subject {argument[:200]!r}"


def _subject(argument: str, component: Component | None) -> Subject:
    where = _where(argument)
    kind, colon, rest = argument.partition(":")
    if colon and kind == "component" and rest:
        if component is None:
            raise SubjectInvalid(
                "is a component of nothing", where=where, fix="Give the spec or kit with --in."
            )
        return _named(rest, "sha256", component(rest), where)
    if colon and kind == "image" and rest:
        directory, _, name = rest.partition("#")
        digest = LayoutFiles(Path(directory), where).find(name)
        return _named(name or Path(directory).name, "sha256", digest.removeprefix("sha256:"), where)
    if colon and kind == "kit" and rest:
        return _kit(Path(rest), where)
    match = _DIGEST.fullmatch(argument)
    if match:
        return _named(match["name"], match["algorithm"], match["hex"], where)
    if "=sha" in argument and ":" in argument:
        raise SubjectInvalid("its digest is none: write NAME=sha256:HEX", where=where)
    if not argument:
        raise SubjectInvalid("is empty", where=where)
    return _named(Path(argument).name, "sha256", digest_file(Path(argument)), where)


def _kit(path: Path, where: str) -> Subject:
    """Return a kit by its kitId: what its signers signed, whoever has signed by now."""
    import hashlib

    from kit.container.head import read_head
    from verifier.core.envelope import parse_page

    page, _ = read_head(path)
    return _named("kitId", "sha256", hashlib.sha256(parse_page(page).payload).hexdigest(), where)


def _named(name: str, algorithm: str, digits: str, where: str) -> Subject:
    if len(digits) != _LENGTHS[algorithm]:
        raise SubjectInvalid(f"a {algorithm} has {_LENGTHS[algorithm]} digits", where=where)
    if not 1 <= len(name) <= _MAX_NAME:
        raise SubjectInvalid(f"a name has 1 to {_MAX_NAME} characters", where=where)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise SubjectInvalid(f"{show(name)} is not UTF-8", where=where) from None
    return Subject(name, ((algorithm, digits),))
