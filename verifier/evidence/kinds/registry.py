"""All kinds by their names, and the judge that asks them while a kit is proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from verifier.core.errors import KitError
from verifier.core.lists import Index
from verifier.core.model import Component, Manifest
from verifier.evidence.kinds.debs import Debs
from verifier.evidence.kinds.errors import KindPlaceUnfit, KindUnchecked
from verifier.evidence.kinds.git import Git
from verifier.evidence.kinds.model import Documents, Files, Kind, Want
from verifier.evidence.kinds.npm import Npm
from verifier.evidence.kinds.oci import Oci
from verifier.evidence.kinds.wheels import Wheels

FILES = "files"  # promises nothing but files
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (Oci(), Wheels(), Debs(), Npm(), Git())}
KNOWN = (FILES, *KINDS)
MAX_FAULTS = 100  # of one component; a report is for people
MAX_FILES = 200_000  # of one component: more are not walked through


def judged(manifest: Manifest, index: Index) -> Iterator[tuple[Kind, Files]]:
    """Yield each component whose kind promises something, with its kind."""
    for component in manifest.components:
        kind = KINDS.get(component.kind)
        if kind is not None:
            files = _files(index, component, manifest.kit.mtime)
            if files is not None and files.members:
                yield kind, files


def _files(index: Index, component: Component, created: int) -> Files | None:
    count = sum(map(len, (run for path in component.paths for run in index.below(path.encode()))))
    return Files(index, component, created) if count <= MAX_FILES else None


def wants_of(manifest: Manifest, index: Index) -> list[tuple[Files, Want]]:
    """Return the documents that the kinds of a kit are judged by, what they need most first."""
    found = [(files, want) for kind, files in judged(manifest, index) for want in kind.wants(files)]
    return sorted(found, key=lambda item: (item[1].perhaps, item[0].size(item[1].name)))


def judge_kinds(
    manifest: Manifest,
    index: Index,
    data: Mapping[str, bytes],
    missed: Mapping[str, str],
    sha512: Mapping[str, str],
) -> list[KitError]:
    """Return each promise that a component breaks, in the order of the manifest.

    Args:
        manifest: The signed manifest.
        index: The proved index.
        data: The proved documents that `wants_of` names, by their paths in the kit.
        missed: Why others of them were not read.
        sha512: SHA-512 of the files that `Kind.hashed` names; empty to leave it out.
    """
    faults: list[KitError] = []
    for component in manifest.components:
        kind = KINDS.get(component.kind)
        if kind is None:
            continue
        files = _files(index, component, manifest.kit.mtime)
        if files is None:
            what = f"has more than {MAX_FILES} files"
            faults.append(KindUnchecked(what, where=f"component {component.id!r}"))
        elif files.members:
            documents = Documents(files, data, missed, sha512)
            faults += islice(_judged(kind, files, documents), MAX_FAULTS)
    return faults


def _judged(kind: Kind, files: Files, documents: Documents) -> Iterator[KitError]:
    if not files.is_one_directory():
        yield KindPlaceUnfit(f"is no directory, as {kind.name} is one", where=files.where())
        return
    try:
        yield from kind.judge(files, documents)
    except KitError as fault:
        yield fault


def promises(manifest: Manifest) -> str:
    """Return in words what was found to hold, where nothing stood against it."""
    named = [item for item in manifest.components if item.kind in KINDS]
    return "; ".join(
        f"{', '.join(item.id for item in named if item.kind == name)} ({name}: {kind.promise})"
        for name, kind in KINDS.items()
        if any(item.kind == name for item in named)
    )
