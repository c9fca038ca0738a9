"""Finds a zstd decoder on this host; every one of them sees only authenticated bytes.

In order: Python's own ``compression.zstd`` (3.14), libzstd by absolute path (a bare name would
obey LD_LIBRARY_PATH), the ``zstd`` program by absolute path, and what every host has: this Python,
which is also asked when one of the others refuses a frame (FORMAT 2.4).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Callable

from verifier.core.errors import DecoderMissing
from verifier.core.members import Decoder
from verifier.typed import Any

try:
    import ctypes
except ImportError:  # this Python was built without libffi
    ctypes = None  # type: ignore[assignment]

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/libzstd.so.1",
    "/usr/lib/aarch64-linux-gnu/libzstd.so.1",
    "/usr/lib/arm-linux-gnueabihf/libzstd.so.1",
    "/usr/lib/i386-linux-gnu/libzstd.so.1",
    "/usr/lib/powerpc64le-linux-gnu/libzstd.so.1",
    "/usr/lib/riscv64-linux-gnu/libzstd.so.1",
    "/usr/lib/s390x-linux-gnu/libzstd.so.1",
    "/usr/lib64/libzstd.so.1",
    "/usr/lib/libzstd.so.1",
    "/lib/libzstd.so.1",
    "/opt/homebrew/lib/libzstd.1.dylib",
    "/usr/local/lib/libzstd.1.dylib",
)
PROGRAMS = (
    "/usr/bin/zstd",
    "/bin/zstd",
    "/usr/local/bin/zstd",
    "/opt/homebrew/bin/zstd",
)


class PythonDecoder:
    """``compression.zstd``, part of Python since 3.14 (PEP 784)."""

    name = "compression.zstd"

    def __init__(self, module: Any) -> None:
        self._module = module

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        """Decode one frame; see `verifier.core.members.Decoder`."""
        decompressor = self._module.ZstdDecompressor()
        try:
            data = decompressor.decompress(compressed, max_length=len(destination) + 1)
        except self._module.ZstdError:
            return False
        if len(data) != len(destination) or not decompressor.eof or decompressor.unused_data:
            return False
        destination[:] = data
        return True


class LibraryDecoder:
    """libzstd through ctypes: as fast as any binding, and releases the interpreter lock."""

    name = "libzstd"

    def __init__(self, library: ctypes.CDLL) -> None:
        library.ZSTD_createDCtx.restype = ctypes.c_void_p
        library.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
        self._free = library.ZSTD_freeDCtx
        self._decode = library.ZSTD_decompressDCtx
        self._decode.restype = ctypes.c_size_t
        self._decode.argtypes = [
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_void_p,
            ctypes.c_size_t,
        ]
        self._context = library.ZSTD_createDCtx()
        if not self._context:
            raise MemoryError("libzstd could not make a context")

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self._free(self._context)

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        """Decode one frame; see `verifier.core.members.Decoder`."""
        # one character each, for their addresses: an array type a size would never be freed
        source = ctypes.c_char.from_buffer(compressed)
        target = ctypes.c_char.from_buffer(destination)
        # an error is a size_t near 2^64, never the size that was planned
        done = self._decode(
            self._context,
            ctypes.addressof(target),
            len(destination),
            ctypes.addressof(source),
            len(compressed),
        )
        return bool(done == len(destination))


class ProgramDecoder:
    """The ``zstd`` program, one process a frame, with an empty environment."""

    name = "zstd program"

    def __init__(self, path: str) -> None:
        self._path = path

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        """Decode one frame; see `verifier.core.members.Decoder`.

        Raises:
            DecoderMissing: The program does not start or is killed: that says nothing of the frame.
        """
        import subprocess  # here: hardly any host needs it, and it takes long to load

        try:
            process = subprocess.Popen(
                [self._path, "-d", "-c", "-q", "--no-progress"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
            )
        except OSError as error:
            raise DecoderMissing(str(error.strerror), where=repr(self._path)) from None
        with process:
            data = _through(process, compressed, len(destination) + 1)
            if len(data) > len(destination):  # it would go on, perhaps for gigabytes
                process.kill()
                return False
        if process.returncode < 0:
            signal = -process.returncode
            raise DecoderMissing(f"was ended by signal {signal}", where=repr(self._path))
        if process.returncode or len(data) != len(destination):
            return False
        destination[:] = data
        return True


def _through(process: Any, compressed: memoryview, most: int) -> bytearray:
    """Give a process its input, and return no more of its output than asked for.

    Raises:
        DecoderMissing: This host starts no thread, which it takes to write and read at once.
    """

    def feed() -> None:
        left = compressed
        with contextlib.suppress(OSError, ValueError):  # it ended early: its status says why
            while left:
                left = left[process.stdin.write(left) :]
        process.stdin.close()

    try:
        threading.Thread(target=feed, daemon=True).start()
    except RuntimeError:
        process.kill()
        raise DecoderMissing("no thread can be started", where="zstd program") from None
    data = bytearray()
    while len(data) < most:
        more = process.stdout.read(most - len(data))
        if not more:
            break
        data += more
    return data


class Seconded:
    """A decoder whose no is not the last word: then plain Python decides (FORMAT 2.4).

    Decoders differ, by version and processor, in which odd frames they refuse.  Frames that
    encoders write are not among these, so this costs nothing but where a kit is refused anyway.
    """

    def __init__(self, first: Decoder) -> None:
        self.name = first.name
        self._first = first

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        """Decode one frame; see `verifier.core.members.Decoder`."""
        if self._first.frame(compressed, destination):
            return True
        with PlainDecoder.turn:
            from verifier.zstd import frame  # here: hardly any run needs it
        return PlainDecoder(frame).frame(compressed, destination)


class PlainDecoder:
    """`verifier.zstd`: a few MB a second with nothing but this Python."""

    name = "plain Python (slow)"
    turn = threading.Lock()  # side by side, threads would only wait for the interpreter

    def __init__(self, module: Any) -> None:
        self._module = module

    def frame(self, compressed: memoryview, destination: memoryview) -> bool:
        """Decode one frame; see `verifier.core.members.Decoder`.

        Raises:
            DecoderMissing: Others may take the frame, and what they make of it is not known here.
        """
        try:
            with self.turn:
                destination[:] = self._module.decode(bytes(compressed), len(destination))
        except self._module.Doubtful:
            raise DecoderMissing("the frame is one that decoders disagree about") from None
        except self._module.Corrupt:
            return False
        return True


def _python() -> Callable[[], Decoder] | None:
    try:
        module = importlib.import_module("compression.zstd")
    except ImportError:
        return None
    return lambda: Seconded(PythonDecoder(module))


def load_library() -> ctypes.CDLL | None:
    """Return libzstd by absolute path; None where this Python or this host has no way to it."""
    if ctypes is None:
        return None
    for path in LIBRARIES:
        if os.path.exists(path):
            try:
                library = ctypes.CDLL(path)
                LibraryDecoder(library)
            except (OSError, AttributeError, MemoryError):
                continue  # of another architecture, or not what its name says
            return library
    return None


def _library() -> Callable[[], Decoder] | None:
    library = load_library()
    return None if library is None else lambda: Seconded(LibraryDecoder(library))


def _program() -> Callable[[], Decoder] | None:
    for path in PROGRAMS:
        if os.access(path, os.X_OK):
            return lambda: Seconded(ProgramDecoder(path))
    return None


def _plain() -> Callable[[], Decoder]:
    from verifier.zstd import frame  # where nothing else is; here, as threads import by halves

    return lambda: PlainDecoder(frame)


FINDERS: dict[str, Callable[[], Callable[[], Decoder] | None]] = {
    PythonDecoder.name: _python,
    LibraryDecoder.name: _library,
    ProgramDecoder.name: _program,
    PlainDecoder.name: _plain,
}


def find_decoder() -> tuple[str, Callable[[], Decoder]] | None:
    """Return the name of the best decoder of this host and what makes one; None if it has none."""
    for name, finder in FINDERS.items():
        make = finder()
        if make is not None:
            return name, make
    return None
