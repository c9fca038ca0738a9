"""Zipapps with byte code beside their sources: the same program, started in half the time.

A zipapp has nowhere to keep byte code, so each start compiles some hundred modules anew.  Tests
that start one many times, and do not ask what is in its file, take this twin of it.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import marshal
import zipfile
from pathlib import Path

from kit.container.pyz import make_pyz, verifier_files

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)  # by a hash that nobody compares (PEP 552)


@functools.lru_cache(maxsize=4)
def compiled(pyz: bytes) -> bytes:
    """Return a zipapp with what this Python makes of each module; others pass over it."""
    buffer = io.BytesIO(pyz)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                code = compile(archive.read(name), name, "exec", dont_inherit=True)
                head = importlib.util.MAGIC_NUMBER + _UNCHECKED
                archive.writestr(f"{name}c", head + marshal.dumps(code))
    return buffer.getvalue()


@functools.cache
def kit_verify() -> bytes:
    """Return ``kit-verify.pyz`` with byte code."""
    return compiled(make_pyz(verifier_files()))


def write_kit_verify(directory: Path) -> Path:
    """Write ``kit-verify.pyz`` with byte code; return its path."""
    path = directory / "kit-verify.pyz"
    path.write_bytes(kit_verify())
    return path
