"""Where a release lies: ``OUT/NAME-VERSION/``, one directory with everything that travels.

Versions side by side never touch each other's files, and what is carried is a whole directory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from kit.container.output import partial_of, refused, sweep
from kit.errors import OutputUnwritable, show
from verifier.core.errors import Usage

ENDING = ".tar.zst"


class ReleaseExists(Usage):
    """The directory of this release is there already, with something in it; nothing was built.

    A release is built once: its file digest may be published, and somebody may hold a copy.
    """

    code = "release-exists"
    fix = "Give the release another version, or move the directory out of the way."


def release_name(name: str, version: str) -> str:
    """Return what a release is called: its directory, and its kit without the ending."""
    return f"{name}-{version}"


def kit_path(out: Path, name: str, version: str) -> Path:
    """Return where the kit of a release lies below the directory for releases."""
    called = release_name(name, version)
    return out / called / f"{called}{ENDING}"


@contextlib.contextmanager
def new_release(kit: Path) -> Iterator[None]:
    """Make the directory of a release for the time of a build; a failed build leaves none.

    It is made first, so that nothing is built for a name that is taken or for a place where
    nothing can be written.  An unfinished file of an earlier run may lie there: the build takes
    it over.

    Args:
        kit: Where the kit will be.

    Raises:
        ReleaseExists: There is something already.
        OutputUnwritable: The host refuses.
    """
    made: list[Path] = []
    _sweep(kit.parent.parent)
    try:
        for directory in (*reversed(kit.parent.parents), kit.parent):
            with contextlib.suppress(FileExistsError):
                directory.mkdir()
                made.append(directory)
        there = sorted({*os.listdir(kit.parent)} - {partial_of(kit).name})
    except NotADirectoryError as error:
        _remove(made)
        raise OutputUnwritable(
            error.strerror or "not a directory",
            where=show(kit.parent),
            fix="Give a directory with --out; it is made if it is not there.",
        ) from None
    except OSError as error:
        _remove(made)
        raise refused(error, kit.parent) from None
    if there:
        raise ReleaseExists(_what_is_there(kit, there), where=show(kit.parent))
    try:
        yield
    except BaseException:
        _remove(made)
        raise


def _what_is_there(kit: Path, there: Sequence[str]) -> str:
    if kit.name not in there:
        return f"holds {show(there[0])} already"
    sealed = any(name.endswith(".sealed.json") for name in there)
    return f"is there already, {'sealed' if sealed else 'with a kit that is not sealed yet'}"


def _sweep(out: Path) -> None:
    """Remove what killed builds of other versions left; a release has an unfinished file only."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(out)):
            partial = partial_of(out / name / f"{name}{ENDING}")
            if os.path.lexists(partial):
                sweep(partial.parent)
                with contextlib.suppress(OSError):
                    partial.parent.rmdir()


def _remove(made: list[Path]) -> None:
    """Remove what was made and is empty, the innermost first."""
    with contextlib.suppress(OSError):
        for directory in reversed(made):
            directory.rmdir()
