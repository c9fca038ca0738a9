"""What a Debian package says of itself: its control file, read out of ar and tar (deb(5)).

A package is somebody else's file, so no more of it is unpacked than a bound allows, and nothing of
it is ever written or run.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import zstandard

MAX_METADATA = 4 << 20  # bytes of METADATA, control or package.json
MAX_UNPACKED = 64 << 20  # bytes of an archive that are unpacked on the way to it
MAX_MEMBERS = 10_000  # members of an archive that are looked at on the way
_DEB = b"!<arch>\n"
_HEADER = 60  # bytes of a header of ar
BAD_DEB = (
    EOFError,
    OSError,
    ValueError,
    lzma.LZMAError,
    tarfile.TarError,
    zlib.error,
    zstandard.ZstdError,
)
"""What reading a file that is no package raises."""


def load_control(path: Path) -> bytes | None:
    """Return the control file of a package; None if it is no package that can be read."""
    try:
        with open(path, "rb") as file:
            return read_control(file)
    except BAD_DEB:
        return None


def read_control(file: IO[bytes]) -> bytes | None:
    """Return the control file of a package that is open; None if it has none.

    Raises:
        Exception: One of `BAD_DEB`: it is no package.
    """
    for name, size in _ar_members(file):
        if name.startswith("control.tar") and size <= MAX_UNPACKED:
            return tar_member(_unpacked(name, file.read(size)), "control")
    return None


def _ar_members(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Yield name and size of each member; the file stands at its contents."""
    if file.read(len(_DEB)) != _DEB:
        return
    at = len(_DEB)
    for _ in range(16):
        file.seek(at)
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[58:60] != b"`\n":
            return
        size = int(header[48:58])
        if size < 0:
            return
        yield header[:16].decode("ascii").rstrip(" /"), size
        at += _HEADER + size + size % 2


def _unpacked(name: str, data: bytes) -> bytes:
    """Return the start of a compressed tar, as much of it as may be needed."""
    if name.endswith(".gz"):
        return zlib.decompressobj(wbits=31).decompress(data, MAX_UNPACKED)
    if name.endswith(".xz"):
        limit = lzma.LZMADecompressor(memlimit=256 << 20)
        return limit.decompress(data, MAX_UNPACKED)
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(MAX_UNPACKED)
    return data


def tar_member(data: bytes, wanted: str) -> bytes | None:
    """Return one small member of a tar that may be cut off behind it."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for _ in range(MAX_MEMBERS):
            member = archive.next()
            if member is None:
                return None
            if member.name.removeprefix("./") == wanted and member.isreg():
                opened = archive.extractfile(member) if member.size <= MAX_METADATA else None
                return opened.read() if opened is not None else None
    return None
