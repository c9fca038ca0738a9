"""The limits: what no verifier of a kit can beat on this machine, written as tight as we can.

``bench_limit.py plan KIT ROOT FILE`` writes the frames of a kit, once, as the verifier plans them,
and prints the path of the libzstd that the verifier takes.
``bench_limit.py full FILE KIT LIBZSTD`` reads each frame once, hashes the compressed bytes that the
format binds, decodes and hashes the contents once: limit B.
``bench_limit.py quick FILE KIT`` reads each frame once and hashes it: limit Q.
``bench_limit.py start FILE KIT LIBZSTD`` does nothing: what the start of Python costs them.

No header, name, size or digest is compared, and nothing of the kit is parsed.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import threading
from array import array


def plan(kit: str, root: str, file: str) -> None:
    """Write offset, size, content and kind of every frame of a kit."""
    from verifier.core.codec import raw_size
    from verifier.core.frames import plan_frames
    from verifier.core.lists import ZSTD
    from verifier.core.pipeline import Job, Opened
    from verifier.decoders import LIBRARIES
    from verifier.rootfile import load_root
    from verifier.run import run

    opened = Opened()
    report = run(kit, Job(root=load_root(root), stop_after="index"), opened=opened)
    if report.error is not None or opened.index is None or opened.table is None:
        raise SystemExit(f"not a good kit: {report.error}")
    frames = plan_frames(opened.index)
    sizes = [*map(raw_size, frames.content[: frames.payload]), *opened.table.stored]
    kinds = [0] * frames.payload + [int(kind == ZSTD) for kind in opened.table.kinds]
    tail = raw_size(1024) + 8 * (_head_frames(opened) + len(sizes) + 1) + 17
    at = os.path.getsize(kit) - tail - sum(sizes)
    rows = array("Q")
    for size, content, kind in zip(sizes, frames.content, kinds, strict=True):
        rows.extend((at, size, content, kind))
        at += size
    with open(file, "wb") as out:
        rows.tofile(out)
    print(next(filter(os.path.exists, LIBRARIES), ""))


def _head_frames(opened: object) -> int:
    from verifier.core.frames import head_frames
    from verifier.core.pipeline import Opened

    assert isinstance(opened, Opened)
    assert opened.manifest is not None
    manifest = opened.manifest
    return 2 + sum(len(head_frames(512, b.size)) for b in (manifest.index, manifest.frames))


class Limit:
    """One worker."""

    def __init__(self, kit: int, rows: array[int], lib: ctypes.CDLL | None) -> None:
        self._kit, self._rows, self._lib = kit, rows, lib
        self._packed = bytearray(max(rows[1::4]))
        self._content = bytearray(max(rows[2::4]))
        if lib is not None:
            size_t, pointer = ctypes.c_size_t, ctypes.c_void_p
            lib.ZSTD_createDCtx.restype = pointer
            self._decode = lib.ZSTD_decompressDCtx
            self._decode.argtypes = [pointer, pointer, size_t, pointer, size_t]
            self._decode.restype = size_t
            self._context = lib.ZSTD_createDCtx()
            self._from = ctypes.addressof(ctypes.c_char.from_buffer(self._packed))
            self._to = ctypes.addressof(ctypes.c_char.from_buffer(self._content))

    def frame(self, number: int) -> None:
        """Do the least that must be done with one frame."""
        at, size, content, zstd = self._rows[4 * number : 4 * number + 4]
        packed = memoryview(self._packed)
        os.preadv(self._kit, [packed[:size]], at)
        hashlib.sha256(packed[:size]).digest()
        if not zstd or self._lib is None:
            return
        if self._decode(self._context, self._to, content, self._from, size) != content:
            raise SystemExit(f"frame {number} does not decode")
        hashlib.sha256(memoryview(self._content)[:content]).digest()


def main() -> None:
    """Write the plan, or run over it on all cores."""
    if sys.argv[1] == "plan":
        plan(*sys.argv[2:])
        return
    kind, file, kit = sys.argv[1:4]
    rows = array("Q")
    with open(file, "rb") as source:
        rows.frombytes(source.read())
    descriptor = os.open(kit, os.O_RDONLY)
    lib = ctypes.CDLL(sys.argv[4]) if kind != "quick" else None
    order = iter(range(len(rows) // 4 if kind != "start" else 0))

    def work() -> None:
        limit = Limit(descriptor, rows, lib)
        for number in order:  # one step of an iterator is atomic: nobody gets a frame twice
            limit.frame(number)

    threads = [threading.Thread(target=work) for _ in range(len(os.sched_getaffinity(0)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
