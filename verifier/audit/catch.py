"""Has the small documents of a kit kept while it is proved: evidence, and what describes images.

It is a judge (`verifier.catch`) that has nothing against any kit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from verifier.catch import Caught, Sha512
from verifier.core.errors import KitError
from verifier.core.pipeline import Opened
from verifier.evidence.foreign import MAX_BYTES
from verifier.host.carried import choose, layouts_in

MAX_CAUGHT = 128 << 20  # bytes of all documents together
_EVIDENCE = "evidence/"


class Catch:
    """Keeps what an audit reads.

    Attributes:
        layouts: Directories of the payload that are OCI layouts, with a slash at their end.
        read: Whether the kit was proved, so that there is something to read.
        missed: From the path of a piece of evidence to why it was not kept.
        caught: All that was kept, for whoever judges what is signed.
    """

    member = MAX_BYTES
    kit = MAX_CAUGHT

    def __init__(self) -> None:
        self.layouts: list[bytes] = []
        self.read = False
        self.missed: Mapping[str, str] = {}
        self.caught = Caught({}, {})
        self._data: dict[str, bytes] = {}

    def choose(self, opened: Opened) -> Iterator[int | Sha512]:
        """Return the evidence, and what else it takes to judge it: manifests of images."""
        assert opened.index is not None
        self.layouts = list(layouts_in(opened.index))
        return choose(opened)

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Take what was kept: all of the kit is proved."""
        del opened
        self.read = True
        self.caught = caught
        self._data.update(caught.data)
        self.missed = {
            path: why for path, why in caught.missed.items() if path.startswith(_EVIDENCE)
        }
        return ()

    def let_go(self) -> None:
        """Forget what is not read document by document."""
        self.caught = Caught({}, {})

    def evidence(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and contents of the evidence in order, and forget each."""
        for path in sorted(filter(_is_evidence, self._data), key=str.encode):
            yield path, self._data.pop(path)

    def find(self, path: bytes) -> bytes | None:
        """Return the contents of a member of an image layout; None if it was not kept."""
        return self._data.get(path.decode("utf-8"))


def _is_evidence(path: str) -> bool:
    return path.startswith(_EVIDENCE)
