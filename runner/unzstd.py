"""Reads what zstd has packed, of any length, in bounded memory: layers of images (RFC 8878).

The decoders of the verifier take frames of a kit, whole and small.  A layer is one long frame, or
several; it is read here as a stream, by the best that this host has: Python's own
``compression.zstd`` (3.14), libzstd, or the verifier's blocks in plain Python, a few MB a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

from verifier.core.codec import MAGIC
from verifier.core.limits import BLOCK
from verifier.decoders import load_library
from verifier.typed import Any, BinaryIO

MAX_WINDOW = 128 << 20  # bytes; what zstd takes without being told otherwise
_IN, _OUT = 1 << 17, 1 << 18  # bytes that are handed over at once
_SLACK = 8 << 20  # bytes beyond the window that are kept, so that they are moved seldom
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)  # RFC 8878 3.1.2
_RESERVED, _SINGLE_SEGMENT, _CHECKSUM = 0x08, 0x20, 0x04  # RFC 8878 3.1.1.1.1


class NotZstd(Exception):
    """Something is no zstd, is damaged, or wants more memory than it gets."""


class Reader:
    """A packed file as an open one.

    Args:
        pieces: What is in it, from front to back.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def read(self, size: int) -> bytes:
        """Return so many bytes, or what is left.

        Raises:
            NotZstd: It is damaged.
            EOFError: It ends too early.
        """
        parts, wanted = [], size
        while wanted > 0:
            if not self._left:
                self._left = next(self._pieces, b"")
                if not self._left:
                    break
            part, self._left = self._left[:wanted], self._left[wanted:]
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)


def unpacked(file: BinaryIO) -> Reader:
    """Return what is packed in an open file, by the best decoder of this host."""
    for find in (by_python, by_library):
        pieces = find()
        if pieces is not None:
            return Reader(pieces(file))
    return Reader(plain(file))


Pieces = Callable[[BinaryIO], Iterator[bytes]]


def by_python() -> Pieces | None:
    """Return what reads by Python's own module; None before 3.14."""
    try:
        module: Any = importlib.import_module("compression.zstd")
    except ImportError:
        return None

    def pieces(file: BinaryIO) -> Iterator[bytes]:
        try:
            with module.ZstdFile(file) as stream:
                yield from iter(lambda: stream.read(_OUT), b"")
        except module.ZstdError as error:
            raise NotZstd(str(error)) from None

    return pieces


def by_library() -> Pieces | None:
    """Return what reads by libzstd; None where there is none."""
    library = load_library()
    return None if library is None else _Library(library).pieces


class _Library:
    """libzstd through ctypes."""

    def __init__(self, library: Any) -> None:
        import ctypes  # here: a Python without it comes by another way

        class Buffer(ctypes.Structure):
            """A ZSTD_inBuffer or ZSTD_outBuffer."""

            _fields_ = [("place", ctypes.c_void_p), ("size", ctypes.c_size_t)]
            _fields_ += [("at", ctypes.c_size_t)]

        self._ctypes, self._library, self._buffer = ctypes, library, Buffer
        library.ZSTD_createDStream.restype = ctypes.c_void_p
        library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
        library.ZSTD_isError.argtypes = library.ZSTD_getErrorName.argtypes = [ctypes.c_size_t]
        library.ZSTD_isError.restype = ctypes.c_uint
        library.ZSTD_getErrorName.restype = ctypes.c_char_p
        pointer = ctypes.POINTER(Buffer)
        library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, pointer, pointer]
        library.ZSTD_decompressStream.restype = ctypes.c_size_t

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield what is packed.

        Raises:
            NotZstd: It is damaged, or wants too large a window.
            EOFError: It ends too early.
        """
        stream = self._library.ZSTD_createDStream()
        if not stream:
            raise MemoryError("libzstd could not make a context")
        made, left = self._ctypes.create_string_buffer(_OUT), 0
        target = self._buffer(self._ctypes.addressof(made), _OUT, 0)
        try:
            for data in iter(lambda: file.read(_IN), b""):
                given = self._ctypes.create_string_buffer(data, len(data))
                source = self._buffer(self._ctypes.addressof(given), len(data), 0)
                while True:
                    target.at = 0
                    left = self._step(stream, target, source)
                    if target.at:
                        yield made.raw[: target.at]
                    # a full buffer may not be all: more comes out when there is room
                    if source.at == source.size and (target.at < _OUT or not left):
                        break
            if left:
                raise EOFError("it ends within a frame")
        finally:
            self._library.ZSTD_freeDStream(stream)

    def _step(self, stream: int, target: Any, source: Any) -> int:
        """Return what the library says: 0 at the end of a frame."""
        byref = self._ctypes.byref
        left: int = self._library.ZSTD_decompressStream(stream, byref(target), byref(source))
        if self._library.ZSTD_isError(left):
            why = self._library.ZSTD_getErrorName(left).decode("ascii", "replace")
            raise NotZstd(why)
        return left


def plain(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is packed, with nothing but this Python.

    The checksums of frames are not looked at: who reads a layer holds it to a better digest.

    Raises:
        NotZstd: It is damaged.
        EOFError: It ends too early.
    """
    while True:
        magic = file.read(4)
        if not magic:
            return
        if len(magic) == 4 and int.from_bytes(magic, "little") in _SKIPPABLE:
            left = int.from_bytes(_exactly(file, 4), "little")
            while left:
                left -= len(_exactly(file, min(left, _IN)))
            continue
        if magic != MAGIC:
            raise NotZstd("there is something that is no frame")
        yield from _frame(file)


def _frame(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a frame, from behind its magic number."""
    from verifier.zstd.bits import Corrupt, Doubtful
    from verifier.zstd.blocks import Blocks

    window, has_checksum = _header(file)
    try:
        blocks, last = Blocks(window, 0), False
        out = blocks.content.out
        while not last:
            last, kind, size, stored = blocks.header(_exactly(file, 3))
            begin = len(out)
            blocks.limit = begin + BLOCK
            blocks.take(kind, size, _exactly(file, stored))
            yield bytes(out[begin:])
            if len(out) > window + _SLACK:
                del out[:-window]
    except (Corrupt, Doubtful) as error:
        raise NotZstd(str(error)) from None
    if has_checksum:
        _exactly(file, 4)


def _header(file: BinaryIO) -> tuple[int, bool]:
    """Return the window of a frame, and whether a checksum stands behind it (RFC 8878 3.1.1.1)."""
    flags = _exactly(file, 1)[0]
    single = bool(flags & _SINGLE_SEGMENT)
    byte = 0 if single else _exactly(file, 1)[0]
    window = (8 + (byte & 7)) << (7 + (byte >> 3))
    dictionary = _exactly(file, (0, 1, 2, 4)[flags & 3])
    if flags & _RESERVED or any(dictionary):
        raise NotZstd("a frame wants a dictionary, or something that nobody knows")
    width = (1 if single else 0, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(_exactly(file, width), "little") + (256 if width == 2 else 0)
    window = size if single else window
    if window > MAX_WINDOW:
        raise NotZstd(f"a frame wants a window of {window} bytes, and {MAX_WINDOW} are the most")
    return window, bool(flags & _CHECKSUM)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError("it ends within a frame")
    return data
