"""A directory of releases with a link to the one that counts: ``accept --switch DIR``.

Each kit is extracted to a directory of its own, ``DIR/NAME-VERSION``.  When all of it is proved the
link ``DIR/current`` is made to point there, by one rename: whoever follows it finds the old release
or the new one, whole, at every moment.  ``DIR/previous`` names the one before, for the way back.
"""

from __future__ import annotations

import os
import stat

from verifier.core.errors import TargetUnwritable
from verifier.core.model import KitInfo
from verifier.folder import Folder
from verifier.memberfiles import failed

CURRENT, PREVIOUS = b"current", b"previous"


def place_of(directory: str, kit: KitInfo) -> str:
    """Return where a kit is extracted to."""
    return os.path.join(directory, f"{kit.name}-{kit.version}")


def check_switch(directory: str) -> None:
    """See before anything is proved that the links can be made.

    Raises:
        TargetUnwritable: There is no such directory, or something else has the name of a link.
    """
    try:
        with Folder.open(directory) as folder:
            _check_links(folder)
    except OSError as error:
        raise failed(error, directory) from None


def _check_links(folder: Folder) -> None:
    for name in (CURRENT, PREVIOUS):
        status = folder.look(name)
        if status is not None and not stat.S_ISLNK(status.st_mode):
            where = repr(os.fsdecode(os.path.join(folder.path, name)))
            raise TargetUnwritable("is there and is no link: move it away", where=where)


def switch(directory: str, place: str) -> None:
    """Make ``current`` name a directory that was extracted, and ``previous`` the one before.

    Raises:
        TargetUnwritable: The host refuses; ``current`` is what it was.
    """
    name = os.fsencode(os.path.basename(place))
    try:
        with Folder.open(directory) as folder:
            _check_links(folder)
            before = folder.link_target(CURRENT)
            if before is not None and before != name:
                folder.put_link(PREVIOUS, before)
            folder.put_link(CURRENT, name)
            folder.sync()
    except OSError as error:
        raise failed(error, directory) from None
