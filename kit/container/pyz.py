"""Makes ``kit-verify.pyz`` and ``kit-run.pyz``: each one file, the same bytes everywhere.

The standard library's ``zipapp`` copies file times, so the archive is written here: stored, sorted,
1980-01-01, one mode (APPNOTE.TXT 4.3).
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import ModuleType

import runner
import verifier
from verifier.core.lists import VERIFIER, Index

_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest that zip can say
_UNIX = 3  # create_system: makes the mode mean the same everywhere
_MODE = 0o100644 << 16


def verifier_tool(index: Index) -> int:
    """Return the number of ``kit-verify.pyz``: the last of its class (FORMAT 6.1, 6.2)."""
    return index.bounds[VERIFIER] - 1


def verifier_files() -> dict[str, bytes]:
    """Return the verifier's sources, from path below ``verifier/`` to contents."""
    return _sources(verifier)


def runner_files() -> dict[str, bytes]:
    """Return the runner's sources, from path below ``runner/`` to contents."""
    return _sources(runner)


def _sources(package: ModuleType) -> dict[str, bytes]:
    assert package.__file__ is not None
    root = Path(package.__file__).parent
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.py")}
    return dict(sorted(files.items()))


def make_pyz(files: dict[str, bytes]) -> bytes:
    """Return the zipapp of the verifier's sources."""
    members = {f"verifier/{path}": data for path, data in files.items()}
    return _zipapp({**members, "__main__.py": files["__main__.py"]})


def make_runner_pyz(files: dict[str, bytes], runner: dict[str, bytes]) -> bytes:
    """Return the zipapp of the verifier's and the runner's sources; it starts the runner."""
    members = {f"verifier/{path}": data for path, data in files.items()}
    members.update({f"runner/{path}": data for path, data in runner.items()})
    return _zipapp({**members, "__main__.py": runner["__main__.py"]})


def _zipapp(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = _UNIX, _MODE
            archive.writestr(info, members[name])
    return buffer.getvalue()
