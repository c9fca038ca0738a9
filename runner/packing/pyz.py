"""Makes ``kit-verify.pyz`` and ``kit-run.pyz``: each one file, the same bytes everywhere.

The standard library's ``zipapp`` copies file times, so the archive is written here: stored, sorted,
1980-01-01, one mode (APPNOTE.TXT 4.3).
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping

_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest that zip can say
_UNIX = 3  # create_system: makes the mode mean the same everywhere
_MODE = 0o100644 << 16
_MAIN = "__main__.py"


def make_pyz(files: Mapping[str, bytes]) -> bytes:
    """Return the zipapp of the verifier's sources."""
    members = {f"verifier/{path}": data for path, data in files.items()}
    return _zipapp({**members, _MAIN: files[_MAIN]})


def make_runner_pyz(files: Mapping[str, bytes], runner: Mapping[str, bytes]) -> bytes:
    """Return the zipapp of the verifier's and the runner's sources; it starts the runner."""
    members = {f"verifier/{path}": data for path, data in files.items()}
    members.update({f"runner/{path}": data for path, data in runner.items()})
    return _zipapp({**members, _MAIN: runner[_MAIN]})


def _zipapp(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = _UNIX, _MODE
            archive.writestr(info, members[name])
    return buffer.getvalue()


def sources_in(top: str, package: str) -> dict[str, bytes]:
    """Return the sources of a package, from path below it to contents.

    Args:
        top: The directory, or the zipapp, that it is imported from.

    Raises:
        OSError: They cannot be read.
        zipfile.BadZipFile: It is no zipapp.
    """
    found = _in_directory(top, package) if os.path.isdir(top) else _in_zipapp(top, package)
    return dict(sorted(found))


def _in_directory(top: str, package: str) -> Iterator[tuple[str, bytes]]:
    root = os.path.join(top, package)
    for here, _, names in os.walk(root):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(here, name)
                with open(path, "rb") as file:
                    yield os.path.relpath(path, root).replace(os.sep, "/"), file.read()


def _in_zipapp(top: str, package: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(top) as archive:
        for name in archive.namelist():
            if name.startswith(f"{package}/"):
                yield name[len(package) + 1 :], archive.read(name)
