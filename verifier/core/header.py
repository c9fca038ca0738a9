"""tar headers, written and never read (FORMAT 7)."""

from __future__ import annotations

from zlib import adler32

BLOCK = 512
_ZEROS = [bytes(n) for n in range(BLOCK)]
_OWNER = b"0000000\0" * 2
_MODES = {False: b"0000644\0", True: b"0000755\0"}
_TAIL = bytes(100) + b"ustar\x0000" + bytes(247)  # linkname to the end, without a prefix
_PAX_NAME = b"PaxHeaders/x"
MAX_SIZE = 1 << 33  # eleven octal digits


def padding(size: int) -> bytes:
    """Return the zero bytes between ``size`` bytes of contents and the next block."""
    return _ZEROS[-size % BLOCK]


def split(path: bytes) -> tuple[bytes, bytes] | None:
    """Return ustar's ``(prefix, name)`` of ``path``, or None when it needs PAX (FORMAT 7.3)."""
    if not path.isascii():
        return None
    if len(path) <= 100:
        return b"", path
    cut = path.rfind(b"/", 0, 156)
    if cut <= 0 or len(path) - cut - 1 > 100:
        return None
    return path[:cut], path[cut + 1 :]


class Headers:
    """Writes the headers of one archive: the only writer there is.

    Args:
        mtime: Seconds since the epoch, the same in every header (FORMAT 7.2).
    """

    def __init__(self, mtime: int) -> None:
        self._mtime = b"%011o\0" % mtime
        self._middle = {flag: mode + _OWNER for flag, mode in _MODES.items()}
        # name, its padding, size in octal, checksum
        self._shape = {
            flag: b"%b%b" + middle + b"%b\0" + self._mtime + b"%06o\0 0" + _TAIL
            for flag, middle in self._middle.items()
        }
        # adler32's low half is one plus the sum of the bytes; 8 spaces stand for the checksum
        self._constant = {
            flag: sum(middle + self._mtime + _TAIL) + ord("0") + 8 * ord(" ") - 1
            for flag, middle in self._middle.items()
        }

    def __call__(self, path: bytes, size: int, executable: bool) -> bytes:
        """Return all blocks before the contents: one, or with PAX records three or more."""
        if len(path) <= 100 and size < MAX_SIZE and path.isascii():
            digits = b"%011o" % size
            # every byte is ASCII, so the sum stays below 65521 and the low half is exact
            total = self._constant[executable] + (adler32(path + digits) & 0xFFFF)
            return self._shape[executable] % (path, _ZEROS[100 - len(path)], digits, total)
        return self._slow(path, size, executable)

    def _slow(self, path: bytes, size: int, executable: bool) -> bytes:
        return _headers(path, size, self._middle[executable], self._mtime, b"0", b"")


def member_headers(
    path: bytes, size: int, *, mode: int, mtime: int, kind: bytes, link: bytes = b""
) -> bytes:
    """Return all blocks before a member of any kind, for archives that are carried as files."""
    return _headers(path, size, b"%07o\0" % mode + _OWNER, b"%011o\0" % mtime, kind, link)


def _headers(
    path: bytes, size: int, middle: bytes, mtime: bytes, kind: bytes, link: bytes
) -> bytes:
    records = b""
    names = split(path)
    if names is None:
        records += _record(b"path", path)
        names = b"", _plain(path)
    if len(link) > 100 or not link.isascii():
        records += _record(b"linkpath", link)
        link = _plain(link)
    if size >= MAX_SIZE:
        records += _record(b"size", b"%d" % size)
        size = 0
    head = b""
    if records:
        usual = _MODES[False] + _OWNER
        head = _block(_PAX_NAME, b"", len(records), usual, mtime, b"x", b"")
        head += records + padding(len(records))
    return head + _block(names[1], names[0], size, middle, mtime, kind, link)


def _plain(path: bytes) -> bytes:
    """Return what a reader without PAX gets of a path (FORMAT 7.4)."""
    text = path.decode("utf-8")[-100:]
    return "".join(c if c.isascii() else "_" for c in text).encode("ascii")


def _block(
    name: bytes, prefix: bytes, size: int, middle: bytes, mtime: bytes, kind: bytes, link: bytes
) -> bytes:
    front = name.ljust(100, b"\0") + middle + b"%011o\0" % size + mtime
    back = kind + link.ljust(100, b"\0") + b"ustar\x0000" + bytes(80)
    back += prefix.ljust(155, b"\0") + bytes(12)
    return front + b"%06o\0 " % (sum(front) + sum(back) + 8 * ord(" ")) + back


def _record(key: bytes, value: bytes) -> bytes:
    """Return one PAX record, whose length counts its own digits (POSIX pax, "Extended Header")."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def header_size(path: bytes, size: int) -> int:
    """Return how many bytes of headers a member has, without writing them."""
    records = 0
    if split(path) is None:
        records += len(_record(b"path", path))
    if size >= MAX_SIZE:
        records += len(_record(b"size", b"%d" % size))
    return BLOCK if not records else 2 * BLOCK + records + (-records % BLOCK)
