"""What a package says of itself: wheels, Debian packages and npm tarballs, read by ourselves.

A package is somebody else's file, so no more of it is unpacked than a bound allows, and nothing of
it is ever written or run.  What is no package, or none that can be read, is a plain file.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import IO

from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from kit.sources.debfile import (
    BAD_DEB,
    MAX_METADATA,
    MAX_UNPACKED,
    read_control,
    tar_member,
)
from verifier.evidence.foreign import NotForeign, read_foreign
from verifier.evidence.sbom import text

_BAD_PACKAGE = (
    *BAD_DEB,
    NotForeign,
    zipfile.BadZipFile,
    NotImplementedError,  # of zipfile: a compression that it does not know
    RuntimeError,  # of zipfile: an encrypted member
)


@dataclass(frozen=True)
class Package:
    """What a package says of itself.

    Attributes:
        ecosystem: ``pypi``, ``deb`` or ``npm``; names are compared within it.
        name: As its ecosystem compares names.
        licence: An expression, or words; empty if it says nothing.
        needs: Names of what it depends on, as its ecosystem compares them.
        sboms: Members that are SBOMs themselves (PEP 770).
    """

    ecosystem: str
    name: str
    version: str
    purl: str
    licence: str = ""
    needs: tuple[str, ...] = ()
    sboms: tuple[str, ...] = ()


def read_package(path: Path, name: str) -> Package | None:
    """Return what a file says of itself; None if it is no package that can be read.

    Args:
        path: The file on this host.
        name: Its name in the kit, which says what it should be.
    """
    reader = next((read for ending, read in _READERS.items() if name.endswith(ending)), None)
    if reader is None:
        return None
    try:
        with open(path, "rb") as file:
            return reader(file)
    except _BAD_PACKAGE:
        return None


# --- wheels ----------------------------------------------------------------------------------

_OF_EXTRA = re.compile(r"\bextra\b")


def _read_wheel(file: IO[bytes]) -> Package | None:
    with zipfile.ZipFile(file) as archive:
        infos = [one for one in archive.infolist() if _is_metadata(one.filename)]
        if len(infos) != 1 or infos[0].file_size > MAX_METADATA:
            return None
        fields = BytesHeaderParser().parsebytes(archive.read(infos[0]))
        folder = infos[0].filename.partition("/")[0]
        sboms = [one for one in archive.namelist() if one.startswith(f"{folder}/sboms/")]
    name, version = canonicalize_name(str(fields["Name"] or "")), str(fields["Version"] or "")
    if not name or not version:
        return None
    licence = str(fields["License-Expression"] or fields["License"] or "")
    return Package(
        "pypi",
        name,
        version,
        PackageURL("pypi", name=name, version=version).to_string(),
        licence if len(licence) <= 200 and "\n" not in licence else "",
        tuple(sorted(set(_requirements(fields.get_all("Requires-Dist") or [])))),
        tuple(sorted(one for one in sboms if not one.endswith("/"))),
    )


def _is_metadata(name: str) -> bool:
    folder, _, rest = name.partition("/")
    return folder.endswith(".dist-info") and rest == "METADATA"


def _requirements(lines: list[str]) -> Iterator[str]:
    """Yield the names of requirements, but for those of extras, which nobody may have asked for."""
    for line in lines:
        try:
            requirement = Requirement(str(line))
        except InvalidRequirement:
            continue
        if not _OF_EXTRA.search(str(requirement.marker or "")):
            yield canonicalize_name(requirement.name)


# --- Debian packages -------------------------------------------------------------------------


def _read_deb(file: IO[bytes]) -> Package | None:
    control = read_control(file)
    return _of_control(control) if control is not None else None


def _of_control(control: bytes) -> Package | None:
    fields = BytesHeaderParser().parsebytes(control)
    name, version = str(fields["Package"] or ""), str(fields["Version"] or "")
    if not name or not version:
        return None
    vendor = "ubuntu" if "ubuntu" in str(fields["Maintainer"] or "").lower() else "debian"
    arch = str(fields["Architecture"] or "")
    purl = PackageURL("deb", vendor, name, version, {"arch": arch} if arch else None)
    needed = f"{fields['Pre-Depends'] or ''},{fields['Depends'] or ''}"
    words = {re.split(r"[ (:|\[]", one.strip(), maxsplit=1)[0] for one in re.split("[,|]", needed)}
    return Package("deb", name, version, purl.to_string(), "", tuple(sorted(words - {""})))


# --- npm -------------------------------------------------------------------------------------


def _read_npm(file: IO[bytes]) -> Package | None:
    start = zlib.decompressobj(wbits=31).decompress(file.read(MAX_UNPACKED), MAX_UNPACKED)
    found = tar_member(start, "package/package.json")
    value = read_foreign(found) if found is not None else None
    if not isinstance(value, dict):
        return None
    name, version = text(value.get("name")), text(value.get("version"))
    if not name or not version:
        return None
    space, _, short = name.rpartition("/")
    needs = value.get("dependencies")
    return Package(
        "npm",
        name,
        version,
        PackageURL("npm", space or None, short, version).to_string(),
        text(value.get("license")),
        tuple(sorted(needs)) if isinstance(needs, dict) else (),
    )


_READERS = {".whl": _read_wheel, ".deb": _read_deb, ".tgz": _read_npm}
