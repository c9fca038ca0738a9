"""Digests of what goes into a task and comes out of it: files, trees, values."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from kit.errors import SourceMissing, SourceUnreadable
from verifier.core.jsonstrict import compact

GONE = ""
_PIECE = 1 << 20  # bytes read at once
_LEFT_OUT = {".git", "__pycache__"}  # what changes without a change of anything


def of_value(value: object) -> str:
    """Return the digest of a JSON value."""
    return hashlib.sha256(compact(value)).hexdigest()


def of_file(path: Path) -> str:
    """Return the digest of a file; `GONE` where there is none."""
    state = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as stream:
            while piece := stream.read(_PIECE):
                state.update(piece)
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError as error:
        raise SourceUnreadable([(os.fsencode(path), error.strerror or str(error))]) from None
    return state.hexdigest()


def of_tree(path: Path) -> str:
    """Return the digest of a file, or of all below a directory: names, kinds, modes, contents.

    ``.git`` and ``__pycache__`` are left out.

    Raises:
        SourceUnreadable: Something cannot be read.
    """
    try:
        facts = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError as error:
        raise SourceUnreadable([(os.fsencode(path), error.strerror or str(error))]) from None
    if stat.S_ISLNK(facts.st_mode):
        return of_value(["link", os.fsencode(os.readlink(path)).hex()])
    if stat.S_ISREG(facts.st_mode):
        return of_value(["file", bool(facts.st_mode & stat.S_IXUSR), of_file(path)])
    if not stat.S_ISDIR(facts.st_mode):
        return of_value(["other", stat.S_IFMT(facts.st_mode)])
    try:
        names = sorted(set(os.listdir(path)) - _LEFT_OUT)
    except OSError as error:
        raise SourceUnreadable([(os.fsencode(path), error.strerror or str(error))]) from None
    return of_value(["directory", [[os.fsencode(n).hex(), of_tree(path / n)] for n in names]])


def of_paths(base: Path, paths: Iterable[str], *, needed: bool = True) -> dict[str, str]:
    """Return the digest of each path, by its name.

    Raises:
        SourceMissing: One is not there, and is needed.
    """
    found = {path: of_tree(base / path) for path in paths}
    gone = [(os.fsencode(path), "is not there") for path, digest in found.items() if not digest]
    if gone and needed:
        raise SourceMissing(gone)
    return found
