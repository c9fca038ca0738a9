"""A copy of a spec and of all that it names, in another directory: what a rebuild is made from."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from kit.pipeline.numbers import numbers_path
from kit.sources.fetched import named_files
from kit.sources.taken import lock_path
from kit.spec import KitSpec, Source

_WILD = set("*?[")


def named_by(spec: KitSpec) -> set[str]:
    """Return the paths that a spec names, relative to it; of a pattern its fixed part."""
    found = set[str]()
    groups: list[Sequence[Source]] = [one.sources for one in spec.components]
    groups += [one.sources for one in spec.evidence]
    groups += [one.sources for one in spec.sboms]
    groups += [one.sources for one in spec.attestations]
    for source in itertools.chain.from_iterable(groups):
        found.update(_of_source(source))
    if spec.layout is not None:
        found |= {spec.layout.file, spec.layout.links, *spec.layout.keys}
    return {os.path.normpath(path) for path in found}


def _of_source(source: Source) -> Iterator[str]:
    yield from (path for path in (source.file, source.dir, source.runbook) if path is not None)
    yield from named_files(source)
    if source.glob is not None:
        fixed = []
        for part in PurePosixPath(source.glob).parts:
            if _WILD & set(part):
                break
            fixed.append(part)
        yield "/".join(fixed) or "."


def copy_sources(spec: KitSpec, target: Path) -> Path | None:
    """Copy a spec, its lock, its numbers and all that it names; return the copy of the spec.

    Returns:
        None where the spec names something above its directory, or all of it: a copy of that
        would be another tree, or hold what is no source.

    Raises:
        OSError: Something cannot be copied.
    """
    names = named_by(spec)
    if any(name == "." or name.split("/")[0] == ".." for name in names):
        return None
    target.mkdir(parents=True)
    for name in sorted(names):
        source, copy = spec.base / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.exists():
            continue  # below a directory that was copied
        if source.is_dir():
            shutil.copytree(source, copy, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, copy)
    for path in (spec.file, lock_path(spec), numbers_path(spec.file)):
        if path.exists():
            shutil.copy2(path, target / path.name)
    return target / spec.file.name
