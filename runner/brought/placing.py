"""A version beside the old one: made under another name, and renamed when it is whole.

What was there before is never removed, and a directory of another origin is refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping

from runner.brought.action import NotPossible
from verifier.core.manifest import NAME
from verifier.folder import Folder


def name_of(arguments: Mapping[str, str], key: str, default: str = "") -> str:
    """Return an argument that is a name.

    Raises:
        NotPossible: It is none: it may lead out of its directory.
    """
    name = arguments.get(key, default)
    if not NAME.fullmatch(name):
        raise NotPossible(f"{key} {name!r} is no name")
    return name


def flag_of(arguments: Mapping[str, str], key: str) -> bool:
    """Return an argument that is yes or no; no if it is not given.

    Raises:
        NotPossible: It is another word.
    """
    word = arguments.get(key, "no")
    if word not in ("yes", "no"):
        raise NotPossible(f"{key} is {word!r}, and not yes or no")
    return word == "yes"


def is_there(place: str, same: Callable[[], bool]) -> bool:
    """Return whether something is there, and is what it shall be.

    Args:
        same: Looks whether it is that.

    Raises:
        NotPossible: Something else is there.
    """
    if not os.path.lexists(place):
        return False
    if not same():
        raise NotPossible(f"{place!r} is there, and is something else")
    return True


def put(to: str, name: str, make: Callable[[str], None]) -> None:
    """Make the directory ``to/name``, whole or not at all.

    Args:
        make: Writes into a new directory what it shall be.
    """
    beside = os.path.join(to, f".{name}.new")
    shutil.rmtree(beside, ignore_errors=True)  # of an attempt that was killed
    os.mkdir(beside, 0o755)
    make(beside)
    with Folder.open(to) as folder:
        folder.rename(os.path.basename(beside).encode(), name.encode())
        folder.sync()


def take_away(to: str, name: str) -> None:
    """Remove the directory ``to/name``, or what a kill has left of its removal."""
    place, gone = os.path.join(to, name), os.path.join(to, f".{name}.old")
    if os.path.lexists(gone):
        shutil.rmtree(gone)
    if os.path.lexists(place):
        os.rename(place, gone)
        shutil.rmtree(gone)


def make_readable(top: str) -> None:
    """Let all users of the host read a tree; the umask of a run is 077."""
    for here, _, names in os.walk(top):
        os.chmod(here, 0o755)
        for name in names:
            path = os.path.join(here, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
