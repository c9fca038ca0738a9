"""Judges one SBOM: its text, its shape, what it means and, if asked, its use in a kit."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.errors import show
from kit.sbom.cyclonedx import check_cyclonedx
from kit.sbom.errors import (
    SbomDescribesNothing,
    SbomInsideDiffers,
    SbomMalformed,
    SbomMissing,
    SbomTooLarge,
    SbomUnreadable,
    SbomUnsupported,
    SbomWithoutSha256,
    SbomZeroChecksum,
)
from kit.sbom.findings import Findings
from kit.sbom.spdx2 import check_spdx2
from kit.sbom.spdx3 import check_spdx3
from kit.sbom.values import TooMany
from verifier.core.errors import ExitStatus, KitError
from verifier.evidence.foreign import MAX_BYTES, NotForeign, read_foreign
from verifier.evidence.sbom import NotAnSbom, Sbom, kind_of, read_sbom


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        file: The name for people.
        format: ``SPDX`` or ``CycloneDX``; empty if it is neither.
        sbom: What it says; None if it is not well formed.
        errors: The faults, the first ones of each kind.
        more: How many there are beyond those.
        notes: What is strange and no fault.
        data: The bytes that were judged.
    """

    file: str
    format: str = ""
    version: str = ""
    sbom: Sbom | None = None
    errors: tuple[KitError, ...] = ()
    more: int = 0
    notes: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)

    @property
    def status(self) -> ExitStatus:
        """What a run about this document alone ends with."""
        return max((error.status for error in self.errors), default=ExitStatus.VERIFIED)


def check_file(path: Path, *, for_kit: bool = False) -> Checked:
    """Judge the SBOM in a file; what cannot be read is an error like the others."""
    name = show(path).strip("'")
    try:
        data = _read(path, name)
    except KitError as error:
        return Checked(name, errors=(error,))
    return check_sbom(data, name, for_kit=for_kit)


def _read(path: Path, name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise SbomMissing(f"no SBOM here: {error.strerror}", where=name) from None
    except OSError as error:
        raise SbomUnreadable(f"cannot be read: {error.strerror}", where=name) from None


def check_sbom(data: bytes, file: str, *, for_kit: bool = False) -> Checked:
    """Judge an SBOM.

    Args:
        data: The document.
        file: What it is called in messages.
        for_kit: Also say what is wrong with it only where it is to describe files of a kit.
    """
    findings = Findings(file)
    kind, version, sbom = "", "", None
    try:
        with _without_collector():
            kind, version, sbom = _judge(data, findings)
    except NotForeign as error:
        fault = SbomTooLarge if error.too_large else SbomMalformed
        findings.add(fault, error.place, str(error))
    except NotAnSbom as error:
        findings.add(SbomUnsupported, "", str(error))
    except TooMany as error:
        findings.add(SbomTooLarge, "", str(error))
    if sbom is not None and for_kit:
        _check_use(sbom, findings)
    return Checked(
        file,
        kind,
        version,
        sbom,
        tuple(findings.errors),
        findings.more,
        tuple(findings.notes),
        data,
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles in a large tree that has none: a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _judge(data: bytes, findings: Findings) -> tuple[str, str, Sbom | None]:
    """Return format, version and what a document says; its tree is gone when this returns."""
    value = read_foreign(data)
    kind, version = kind_of(value)
    _check(value, kind, version, findings)
    return kind, version, None if findings.errors else read_sbom(value)


def _check(value: dict[str, Any], kind: str, version: str, findings: Findings) -> None:
    if kind == "CycloneDX":
        check_cyclonedx(value, version, findings)
    elif version == "3.0.1":
        check_spdx3(value, findings)
    else:
        check_spdx2(value, findings)


def _check_use(sbom: Sbom, findings: Findings) -> None:
    if not any(True for _ in sbom.described()):
        findings.add(SbomDescribesNothing, "", "does not say which element it is about")
    if not any(element.sha256 for element in sbom.elements):
        findings.add(SbomWithoutSha256, "", f"none of {len(sbom.elements)} elements has a SHA-256")
    for element in sbom.elements:
        for algorithm in element.zero:
            message = f"the {algorithm.upper()} of {element.name!r} is nothing but zeros"
            findings.add(SbomZeroChecksum, element.place, message)


def check_inside(checked: Checked, files: dict[str, dict[str, str]]) -> Checked:
    """Return what a check found, and what the files of an image say to it.

    Args:
        files: From `kit.sbom.inside.files_of`.
    """
    if checked.sbom is None:
        return checked
    from kit.sbom.inside import compare_inside  # here: images need what can speak to registries

    found = compare_inside(checked.sbom, files)
    errors = [SbomInsideDiffers(line, where=checked.file) for line in found.lines()]
    notes = [f"{found.same} files of the image are as described"]
    if found.unproved:
        notes.append(f"{found.unproved} files are named without a digest that can be compared")
    if found.unlisted:
        notes.append(f"{len(found.unlisted)} files of the image are not described")
    return replace(checked, errors=(*checked.errors, *errors), notes=(*checked.notes, *notes))
