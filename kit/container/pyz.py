"""Makes ``kit-verify.pyz``: the verifier as one file, the same bytes on every machine.

The standard library's ``zipapp`` copies file times, so the archive is written here: stored, sorted,
1980-01-01, one mode (APPNOTE.TXT 4.3).
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import verifier

_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest that zip can say
_UNIX = 3  # create_system: makes the mode mean the same everywhere
_MODE = 0o100644 << 16


def verifier_files() -> dict[str, bytes]:
    """Return the verifier's sources, from path below ``verifier/`` to contents."""
    root = Path(verifier.__file__).parent
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.py")}
    return dict(sorted(files.items()))


def make_pyz(files: dict[str, bytes]) -> bytes:
    """Return the zipapp of the verifier's sources."""
    members = {f"verifier/{path}": data for path, data in files.items()}
    members["__main__.py"] = files["__main__.py"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = _UNIX, _MODE
            archive.writestr(info, members[name])
    return buffer.getvalue()
