"""Files that lie beside a kit: never taken from another kit, never left over from an older one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from kit.container.output import replace_file
from kit.errors import OutputExists, show
from verifier.core.envelope import parse_page
from verifier.core.errors import KitError
from verifier.core.names import HEAD

_MAX_MARKER = 1024 * 1024  # bytes; it has a line for each output


def write_beside(kit: Path, files: Mapping[str, bytes], known: Iterable[str], marker: Path) -> None:
    """Write what belongs beside a kit, and remove what an earlier seal of it left and it lacks.

    Args:
        kit: The kit; the files get their names in its directory.
        files: From name to contents.
        known: Every name that may be one of ours.  A name that this kit has no file for must be
            free: what lay there would seem to be this kit's.
        marker: Where an earlier seal noted what it wrote.

    Raises:
        OutputExists: A file of something else is in the way; nothing was changed.
        OutputUnwritable: The host refuses.
    """
    before = _sealed_before(marker)
    stale = []
    for name in sorted({*files, *known}):
        path = kit.with_name(name)
        if not os.path.lexists(path):
            continue
        if name in files:
            _check_ours(path, files[name], before)
        elif _digest(path) is not None and _digest(path) == before.get(name):
            stale.append(path)
        else:
            raise OutputExists("is there already, and this kit has none", where=show(path))
    for name, data in files.items():
        replace_file(kit.with_name(name), data)
    for path in stale:
        path.unlink(missing_ok=True)


def read_beside(kit: Path, name: str) -> bytes | None:
    """Return a file beside a kit; None if there is no regular file that can be read."""
    path = kit.with_name(name)
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def _check_ours(path: Path, data: bytes, before: Mapping[str, str]) -> None:
    """Refuse a file of another kit; one that an earlier seal of this kit left may go."""
    there = path.read_bytes() if path.is_file() else None
    if there == data:
        return
    if there is not None and hashlib.sha256(there).hexdigest() == before.get(path.name):
        return
    same_page = there is not None and path.name == HEAD[0] and _payload(there) == _payload(data)
    if not same_page:
        raise OutputExists("is there already and belongs to something else", where=show(path))


def _digest(path: Path) -> str | None:
    data = read_beside(path, path.name)
    return None if data is None else hashlib.sha256(data).hexdigest()


def _sealed_before(marker: Path) -> dict[str, str]:
    """Return the outputs that a marker names; none if there is none that can be read."""
    try:
        if not marker.is_file() or marker.stat().st_size > _MAX_MARKER:
            return {}
        outputs = json.loads(marker.read_bytes())["outputs"]
        return {name: digest for name, digest in outputs.items() if isinstance(digest, str)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _payload(page: bytes) -> bytes | None:
    try:
        return parse_page(page).payload
    except KitError:
        return None
