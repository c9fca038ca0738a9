"""SBOMs of trees by syft: the packages in a component's files, and each file by its SHA-256.

What is looked into are the files that the kit will carry, and no others of their directory.  A tree
that is carried as one archive is looked into as the tree it is, and described as the one file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import SourceChanged, show
from kit.sbom.errors import SbomScanFailed
from kit.sbom.scan import Written, find_syft, link_or_copy, read_written, run_syft
from kit.sources.packed import FILE, Packed, Rendered
from verifier.evidence.sbom import objects, text

_NOTHING = {
    "copyrightText": "NOASSERTION",
    "licenseConcluded": "NOASSERTION",
    "licenseInfoInFiles": ["NOASSERTION"],
}
_UNSEEN = frozenset({"dev", "proc", "run", "sys"})  # at the top of the file system


def scan_tree(
    name: str, version: str, files: Mapping[str, tuple[Path | Packed, str]], created: str
) -> bytes:
    """Return an SPDX 2.3 document of the files of a component.

    Args:
        name: What the document calls the tree.
        version: Its version.
        files: From the name in the tree to the file, or to what makes it, and its SHA-256.
        created: The time that the document says.

    Raises:
        ToolMissing: syft is not installed.
        SbomScanFailed: It fails, or says something that is no SBOM.
        SourceChanged: A file is not what it was when it was hashed.
    """
    program = find_syft()
    with tempfile.TemporaryDirectory(prefix="offline-kit-", dir=_in_sight(name)) as scratch:
        place = Path(scratch) / "tree"
        place.mkdir()
        for inside, (file, _) in files.items():
            target = place / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(file, Packed):
                _lay_out(file, target)
            else:
                link_or_copy(file, target)
        arguments = [f"dir:{place}", "--base-path", str(place), "--source-version", version]
        written = read_written(run_syft(program, arguments, name, scratch), name)
    return normalised_tree(written, {path: sha256 for path, (_, sha256) in files.items()}, created)


def _in_sight(name: str) -> str:
    """Return a directory for temporary files that syft does not pass over.

    Below some directories of the system it sees no files, and says nothing of it.
    """
    for place in (tempfile.gettempdir(), "/var/tmp", "/tmp"):
        below = Path(os.path.realpath(place)).parts[1:2]
        if _UNSEEN.isdisjoint(below) and os.access(place, os.W_OK | os.X_OK):
            return place
    unseen = ", ".join(f"/{top}" for top in sorted(_UNSEEN))
    why = f"no place for temporary files: syft sees none below {unseen}"
    fix = "Set TMPDIR to a directory elsewhere that you may write to, then run the command again."
    raise SbomScanFailed(why, where=name, fix=fix)


def _lay_out(packed: Packed, target: Path) -> None:
    """Put the files of an archive where syft finds them; what its links mean is there anyway."""
    if isinstance(packed, Rendered):
        packed.write(target)
        return
    tree = Path(os.fsdecode(packed.directory))
    for entry in packed.entries:
        if entry.kind == FILE:
            place = target / os.fsdecode(entry.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(tree / os.fsdecode(entry.name), place)


def normalised_tree(written: Written, digests: Mapping[str, str], created: str) -> bytes:
    """Return what syft wrote of a tree, with each file of it and nothing else.

    syft names directories as files, and gives an empty file no digest.

    Raises:
        SourceChanged: A file is not what it was when it was hashed.
    """
    found: dict[str, dict[str, Any]] = {}
    dropped: set[str] = set()
    for item in written.files:
        path = text(item.get("fileName"))
        if path not in digests or path in found:
            dropped.add(text(item.get("SPDXID")))
            continue
        for _, one in objects(item.get("checksums")):
            if one.get("algorithm") == "SHA256" and one.get("checksumValue") != digests[path]:
                raise SourceChanged("was written to while it was read", where=show(path))
        found[path] = item
    for path in digests.keys() - found.keys():
        short = hashlib.sha256(path.encode()).hexdigest()[:16]
        found[path] = {"SPDXID": f"SPDXRef-File-{short}", "fileName": path, **_NOTHING}
    for path, item in found.items():
        item["checksums"] = [{"algorithm": "SHA256", "checksumValue": digests[path]}]
    written.files = list(found.values())
    ends = ("spdxElementId", "relatedSpdxElement")
    written.relationships = [
        one for one in written.relationships if dropped.isdisjoint(text(one.get(k)) for k in ends)
    ]
    return written.finished(text(written.root.get("name")), created)
