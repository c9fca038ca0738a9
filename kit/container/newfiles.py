"""New files that are written all or none, and never over what is there: keys and roots."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from kit.container.output import sync_directory
from kit.errors import FileExists, FileUnwritable, ModesMissing, show
from verifier import _compat

_INTERRUPTED = "is being written by another run, or was left by one that was interrupted"


def create_files(files: Sequence[tuple[Path, bytes, int]], *, closed: bool = False) -> None:
    """Write new files (path, bytes, mode), all or none, in one directory and in the order given.

    Each is complete and on the disk before it has its name, and nothing is ever overwritten.  The
    temporary names are fixed, so that two runs exclude each other and what a killed run left (it
    may be a private key) is found by the next one instead of lying about unseen.

    Args:
        files: The files.
        closed: Whether each must have its mode: a private key that everybody may read is none.

    Raises:
        ModesMissing: The file system keeps no modes, and they matter; nothing is left.
        FileExists: One of the paths, or of the temporary ones, is there.
        FileUnwritable: The host refused something; what had been written is gone again.
    """
    where = f"file {show(files[0][0])}"
    try:
        with contextlib.ExitStack() as parts, contextlib.ExitStack() as undo:
            for path, _, _ in files:
                _refuse_existing(_part(path), _INTERRUPTED)
            for path, _, _ in files:
                _refuse_existing(path, "is there already")
            for path, data, mode in files:
                where = f"file {show(path)}"
                _write_part(_part(path), data, mode, parts)
                if closed and os.lstat(_part(path)).st_mode & 0o077 & ~mode:
                    raise ModesMissing("others could read it", where=where)
            for path, _, _ in files:
                where = f"file {show(path)}"
                _publish(_part(path), path)
                undo.callback(path.unlink, missing_ok=True)
            sync_directory(files[0][0].parent)
            undo.pop_all()
    except OSError as error:
        raise FileUnwritable(error.strerror or type(error).__name__, where=where) from error


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _refuse_existing(path: Path, why: str) -> None:
    if os.path.lexists(path):
        raise FileExists(why, where=f"file {show(path)}")


def _write_part(part: Path, data: bytes, mode: int, undo: contextlib.ExitStack) -> None:
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise FileExists(_INTERRUPTED, where=f"file {show(part)}") from None
    undo.callback(part.unlink, missing_ok=True)
    with open(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        _compat.sync_file(descriptor)


def _publish(part: Path, path: Path) -> None:
    """Give a finished file its name; a link, unlike a rename, never replaces what has the name."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise FileExists("is there already", where=f"file {show(path)}") from None
    except OSError:  # FAT has no links; the .part file still keeps a second run of ours away
        _refuse_existing(path, "is there already")
        part.rename(path)
