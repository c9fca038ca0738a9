"""Has the small documents of a kit kept while it is proved: evidence, and what describes images.

It is a judge (`verifier.catch`) that has nothing against any kit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from verifier.catch import Caught
from verifier.core.errors import KitError
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.pipeline import Opened
from verifier.evidence.foreign import MAX_BYTES

MAX_CAUGHT = 128 << 20  # bytes of all documents together
MAX_IMAGE_JSON = 4 << 20  # bytes of a manifest or an index (OCI distribution 1.1, "pushing")
_LAYOUT = b"/oci-layout\n"
_BLOBS = b"blobs/sha256"
_EVIDENCE = "evidence/"


class Catch:
    """Keeps what an audit reads.

    Attributes:
        layouts: Directories of the payload that are OCI layouts, with a slash at their end.
        read: Whether the kit was proved, so that there is something to read.
        missed: From the path of a piece of evidence to why it was not kept.
    """

    member = MAX_BYTES
    kit = MAX_CAUGHT

    def __init__(self) -> None:
        self.layouts: list[bytes] = []
        self.read = False
        self.missed: Mapping[str, str] = {}
        self._data: dict[str, bytes] = {}

    def choose(self, opened: Opened) -> Iterator[int]:
        """Yield the evidence, and what in the layouts of images may be JSON."""
        index = opened.index
        assert index is not None
        self.layouts = list(_layouts(index))
        yield from range(index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1])
        for layout in self.layouts:
            for name in (b"index.json", _BLOBS):
                for run in index.below(layout + name):
                    yield from (at for at in run if index.sizes[at] <= MAX_IMAGE_JSON)

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Take what was kept: all of the kit is proved."""
        del opened
        self.read = True
        self._data.update(caught.data)
        self.missed = {
            path: why for path, why in caught.missed.items() if path.startswith(_EVIDENCE)
        }
        return ()

    def evidence(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and contents of the evidence in order, and forget each."""
        for path in sorted(filter(_is_evidence, self._data), key=str.encode):
            yield path, self._data.pop(path)

    def find(self, path: bytes) -> bytes | None:
        """Return the contents of a member of an image layout; None if it was not kept."""
        return self._data.get(path.decode("utf-8"))


def _is_evidence(path: str) -> bool:
    return path.startswith(_EVIDENCE)


def _layouts(index: Index) -> Iterator[bytes]:
    start = index.offsets[index.bounds[DATA]]
    at = index.names.find(_LAYOUT, start)
    while at >= 0:
        first = index.names.rfind(b"\n", 0, at) + 1
        yield bytes(index.names[first : at + 1])
        at = index.names.find(_LAYOUT, at + 1)
