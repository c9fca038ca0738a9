"""Keeps the small documents of a kit while it is proved: evidence, and what describes images.

Nothing of them is read before every byte of the kit is proved (law 3): until then they are kept,
and if the proof fails they are thrown away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.pipeline import Opened
from verifier.evidence.foreign import MAX_BYTES
from verifier.typed import record

MAX_CAUGHT = 192 << 20  # bytes of all documents together
MAX_IMAGE_JSON = 4 << 20  # bytes of a manifest or an index (OCI distribution 1.1, "pushing")
LAYOUT = b"oci-layout"
_BLOBS = b"blobs/sha256"


@record(frozen=True)
class Left:
    """A member that was not kept, and why."""

    path: str
    why: str


class Catch:
    """A sink (`verifier.core.members.Sink`) that keeps what an audit reads.

    What is kept is decided from the index alone, so it does not depend on the order in which
    threads come by.

    Args:
        opened: Its index is complete.
        beyond: What else takes each member; None for nobody.
    """

    def __init__(self, opened: Opened) -> None:
        assert opened.index is not None
        self._index = opened.index
        self.layouts = list(_layouts(opened.index))
        self.left: list[Left] = []
        self._kept: dict[int, bytearray | bytes] = {}
        self._change = threading.Lock()
        self._wanted = frozenset(self._choose(opened.index))

    def _choose(self, index: Index) -> Iterator[int]:
        room = MAX_CAUGHT
        evidence = range(index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1])
        for most, member in (
            *((MAX_BYTES, member) for member in evidence),
            *((MAX_IMAGE_JSON, member) for member in self._of_images(index)),
        ):
            size = index.sizes[member]
            if size > most:
                if member in evidence:
                    self.left.append(Left(index.path(member), f"it has more than {most} bytes"))
            elif size > room:
                why = f"the documents before it have {MAX_CAUGHT} bytes already"
                self.left.append(Left(index.path(member), why))
            else:
                room -= size
                yield member

    def _of_images(self, index: Index) -> Iterator[int]:
        for layout in self.layouts:
            for name in (b"index.json", _BLOBS):
                for run in index.below(layout + name):
                    yield from run

    # --- the sink ------------------------------------------------------------------------------

    def small(self, member: int, data: memoryview) -> None:
        """Keep a whole member; of a layout only what can be JSON."""
        if member in self._wanted and (self._is_evidence(member) or bytes(data[:1]) == b"{"):
            with self._change:
                self._kept[member] = bytes(data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Keep a part of a member of 1 MiB or more."""
        if member not in self._wanted:
            return
        with self._change:
            buffer = self._kept.setdefault(member, b"")
            if not isinstance(buffer, bytearray):
                buffer = self._kept[member] = bytearray(self._index.sizes[member])
            buffer[offset : offset + len(data)] = data

    def _is_evidence(self, member: int) -> bool:
        return self._index.bounds[EVIDENCE] <= member < self._index.bounds[EVIDENCE + 1]

    # --- afterwards ----------------------------------------------------------------------------

    def evidence(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and contents of the evidence in order, and forget each."""
        for member in range(self._index.bounds[EVIDENCE], self._index.bounds[EVIDENCE + 1]):
            if member in self._kept:
                yield self._index.path(member), bytes(self._kept.pop(member))

    def find(self, path: bytes) -> bytes | None:
        """Return the contents of a member of an image layout; None if it was not kept."""
        at = self._index.find(path)
        return bytes(self._kept[at]) if at is not None and at in self._kept else None

    def reader(self) -> Callable[[bytes], bytes | None]:
        """Return what gives the contents of a member by its path."""
        return self.find


def _layouts(index: Index) -> Iterator[bytes]:
    """Yield the directories of the payload that are OCI layouts, with a slash at their end."""
    start = index.offsets[index.bounds[DATA]]
    ending = b"/" + LAYOUT + b"\n"
    at = index.names.find(ending, start)
    while at >= 0:
        first = index.names.rfind(b"\n", 0, at) + 1
        yield bytes(index.names[first : at + 1])
        at = index.names.find(ending, at + 1)
