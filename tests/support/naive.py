"""FORMAT sections 2.1, 6, 7, 8 and 10 a second time, written from the text and slowly.

Nothing here looks at `verifier` or `kit`: vectors are made with it and properties compare with it,
so that a mistake in the product is not copied into what judges the product.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1 << 20
CLASSES = (b"sums", b"sig", b"readme", b"tool", b"verifier", b"evidence", b"data")


@dataclass(frozen=True)
class Entry:
    """A member as the index names it: contents, class, mode and path."""

    path: bytes
    data: bytes
    kind: bytes = b"data"
    mode: bytes = b"0644"

    @property
    def digest(self) -> str:
        """SHA-256 of the contents."""
        return hashlib.sha256(self.data).hexdigest()


def raw_frame(content: bytes) -> bytes:
    """Return the raw frame with this content (FORMAT 2.1)."""
    blocks = [content[at : at + 131072] for at in range(0, len(content), 131072)] or [b""]
    frame = b"\x28\xb5\x2f\xfd\xc0\x38" + struct.pack("<Q", len(content))
    for number, block in enumerate(blocks, start=1):
        last = number == len(blocks)
        frame += struct.pack("<I", last | len(block) << 3)[:3] + block
    return frame


def seek_table(frames: Sequence[tuple[int, int]]) -> bytes:
    """Return the seek table over (bytes in the file, bytes of content) (FORMAT 10.1)."""
    body = b"".join(struct.pack("<II", stored, content) for stored, content in frames)
    body += struct.pack("<IB", len(frames), 0) + b"\xb1\xea\x92\x8f"
    return b"\x5e\x2a\x4d\x18" + struct.pack("<I", len(body)) + body


def index_line(entry: Entry) -> bytes:
    """Return the line of a member (FORMAT 6.1)."""
    fields = (entry.digest.encode(), b"%d" % len(entry.data), entry.kind, entry.mode, entry.path)
    return b" ".join(fields) + b"\n"


def index_text(entries: Sequence[Entry]) -> bytes:
    """Return ``kit.index`` (FORMAT 6.1); nothing is sorted or checked."""
    return b"offline-kit-index/1\n" + b"".join(map(index_line, entries))


def sums_text(entries: Sequence[Entry]) -> bytes:
    """Return ``SHA256SUMS`` (FORMAT 6.7)."""
    listed = [entry for entry in entries if entry.kind not in (b"sums", b"sig")]
    return b"".join(b"%b  %b\n" % (entry.digest.encode(), entry.path) for entry in listed)


def table_line(stored: int, kind: bytes, digest: bytes | None) -> bytes:
    """Return the line of a payload frame (FORMAT 6.6)."""
    return b"%07d %b %b\n" % (stored, kind, digest.hex().encode() if digest else b"-" * 64)


# --- tar ---------------------------------------------------------------------------------------


def block(
    name: bytes,
    size: int,
    mtime: int,
    *,
    mode: bytes = b"0000644",
    typeflag: bytes = b"0",
    prefix: bytes = b"",
    owner: bytes = b"0000000",
    linkname: bytes = b"",
    magic: bytes = b"ustar\x0000",
    device: bytes = b"",
    uname: bytes = b"",
) -> bytes:
    """Return a tar header of 512 bytes (FORMAT 7.1); the defaults are the only ones allowed."""
    fields = [
        (name, 100),
        (mode, 8),
        (owner, 8),
        (owner, 8),
        (b"%011o" % size, 12),
        (b"%011o" % mtime, 12),
        (b" " * 8, 8),
        (typeflag, 1),
        (linkname, 100),
        (magic, 8),
        (uname, 32),
        (uname, 32),
        (device, 8),
        (device, 8),
        (prefix, 155),
        (b"", 12),
    ]
    data = b"".join(value.ljust(width, b"\0") for value, width in fields)
    return resum(data)


def resum(data: bytes) -> bytes:
    """Return a header block with its checksum made right again."""
    data = data[:148] + b" " * 8 + data[156:]
    return data[:148] + b"%06o\0 " % sum(data) + data[156:]


def record(key: bytes, value: bytes) -> bytes:
    """Return a PAX record, its own length found by trying (FORMAT 7.4)."""
    for length in range(1, 2000):
        line = b"%d %b=%b\n" % (length, key, value)
        if len(line) == length:
            return line
    raise ValueError("no length fits")


def names_of(path: bytes) -> tuple[bytes, bytes] | None:
    """Return (prefix, name), or None for a path that needs a record (FORMAT 7.3)."""
    if any(byte > 127 for byte in path):
        return None
    if len(path) <= 100:
        return b"", path
    cuts = [at for at in range(1, min(155, len(path) - 1) + 1) if path[at : at + 1] == b"/"]
    if not cuts or len(path) - cuts[-1] - 1 > 100:
        return None
    return path[: cuts[-1]], path[cuts[-1] + 1 :]


def headers(path: bytes, size: int, executable: bool, mtime: int) -> bytes:
    """Return everything before the contents of a member (FORMAT 7.1 to 7.4)."""
    names, records = names_of(path), b""
    if names is None:
        records += record(b"path", path)
        text = path.decode("utf-8", "replace")[-100:]  # no UTF-8: refused at the index
        names = b"", "".join(c if ord(c) < 128 else "_" for c in text).encode()
    if size >= 2**33:
        records += record(b"size", b"%d" % size)
        size = 0
    mode = b"0000755" if executable else b"0000644"
    own = block(names[1], size, mtime, mode=mode, prefix=names[0])
    if not records:
        return own
    extra = block(b"PaxHeaders/x", len(records), mtime, typeflag=b"x")
    return extra + records + pad(len(records)) + own


def pad(size: int) -> bytes:
    """Return the NUL bytes up to a multiple of 512 (FORMAT 7.5)."""
    return bytes(math.ceil(size / 512) * 512 - size)


# --- the cut into frames -------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """A part of the tar bytes of one member, from ``start`` to ``end``."""

    member: int
    start: int
    end: int


Shape = tuple[int, int, int, bool]
"""Of a member: bytes of headers, contents and padding, and whether its class is ``data``."""


def cut_big(member: int, head: int, size: int, tail: int) -> list[list[Span]]:
    """Return the frames of a member that starts its own (FORMAT 8.2)."""
    stops = [*range(4 * MIB, size, 4 * MIB), size]
    frames, start = [], 0
    for stop in stops:
        end = head + stop + (tail if stop == size else 0)
        frames.append([Span(member, start, end)])
        start = end
    return frames


def cut(shapes: Sequence[Shape]) -> tuple[list[list[Span]], int]:
    """Return the frames behind the head, and how many of them are not payload (FORMAT 8.2, 8.3)."""
    frames: list[list[Span]] = []
    group: list[Span] = []
    first: int | None = None

    def close() -> None:
        if group:
            frames.append(list(group))
            group.clear()

    for member, (head, size, tail, is_data) in enumerate(shapes):
        if is_data and first is None:
            close()
            first = len(frames)
        if size >= MIB:
            close()
            frames += cut_big(member, head, size, tail)
            continue
        whole = head + size + tail
        if sum(span.end for span in group) + whole > 4 * MIB:
            close()
        group.append(Span(member, 0, whole))
    close()
    return frames, len(frames) if first is None else first
