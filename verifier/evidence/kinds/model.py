"""What a judge of a kind has before it: the files of one component, and documents among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from verifier.core.errors import KitError
from verifier.core.lists import Index
from verifier.core.model import Component
from verifier.evidence.components import base_of, members_of
from verifier.evidence.foreign import NotForeign, read_foreign
from verifier.evidence.kinds.errors import KindUnchecked
from verifier.typed import Any, Protocol, record

WHOLE = -1


@record(frozen=True)
class Want:
    """A document that a kind is judged by.

    Attributes:
        name: Below the directory of the component.
        size: How many of its first bytes are needed; `WHOLE` for all of it.
        perhaps: Whether it is only perhaps one, and may be missing where there is no room.
    """

    name: str
    size: int = WHOLE
    perhaps: bool = False


class Files:
    """The files of a component, by their names below its directory.

    Args:
        index: The proved index of the kit.
        component: One of its manifest.
        created: Seconds since the epoch of the kit.
    """

    def __init__(self, index: Index, component: Component, created: int) -> None:
        self.component, self.created = component, created
        self._index, self.base = index, base_of(index, component)
        skip = len(self.base)
        self.members = {
            path[skip:].decode("utf-8"): run.start + at
            for run in members_of(index, component)
            for at, path in enumerate(index.paths(run.start, run.stop))
        }

    def is_one_directory(self) -> bool:
        """Whether the component is one directory, as every kind but ``files`` has it."""
        return self.base == b"".join(path.encode("utf-8") + b"/" for path in self.component.paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members

    def path(self, name: str) -> str:
        """Return where a file is in the kit."""
        return self.base.decode("utf-8") + name

    def where(self, name: str = "") -> str:
        """Return how to name a file, or the component, to people."""
        return f"component {self.component.id!r}" + (f": {name}" if name else "")

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        return self._index.sizes[self.members[name]]

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file, in hexadecimal digits."""
        return self._index.digest(self.members[name]).hex()


class Documents:
    """What was read of a component.

    Args:
        data: From path in the kit to contents.
        missed: From path in the kit to the reason why it was not read.
        sha512: From path in the kit to digits; empty where nobody asked for them.
    """

    def __init__(
        self,
        files: Files,
        data: Mapping[str, bytes],
        missed: Mapping[str, str],
        sha512: Mapping[str, str],
    ) -> None:
        self._files, self._data, self._missed, self._sha512 = files, data, missed, sha512

    def read(self, name: str) -> bytes:
        """Return a document.

        Raises:
            KindUnchecked: It was not read.
        """
        path = self._files.path(name)
        if path not in self._data:
            why = self._missed.get(path, "it is larger than a document of this kind may be")
            raise KindUnchecked(f"was not looked into: {why}", where=self._files.where(name))
        return self._data[path]

    def value(self, name: str, error: type[KitError]) -> dict[str, Any]:
        """Return a document that is an object in JSON.

        Raises:
            KindUnchecked: It was not read, or is above a bound of the reader.
            KitError: It is none; of the class given.
        """
        where = self._files.where(name)
        try:
            value = read_foreign(self.read(name))
        except NotForeign as reason:
            if reason.too_large:
                raise KindUnchecked(f"was not looked into: it has {reason}", where=where) from None
            place = f" ({reason.place})" if reason.place else ""
            raise error(f"{reason}{place}", where=where) from None
        if not isinstance(value, dict):
            raise error("is no object", where=where)
        return value

    def text(self, name: str, error: type[KitError]) -> str:
        """Return a document that is text in UTF-8.

        Raises:
            KindUnchecked: It was not read.
            KitError: It is none; of the class given.
        """
        try:
            return self.read(name).decode("utf-8")
        except UnicodeDecodeError:
            raise error("is not UTF-8", where=self._files.where(name)) from None

    def sha512(self, name: str) -> str:
        """Return the SHA-512 of a file; empty if nobody asked for it."""
        return self._sha512.get(self._files.path(name), "")


class Kind(Protocol):
    """A kind of component, and what it promises."""

    name: str
    promise: str

    def wants(self, files: Files) -> Iterable[Want]:
        """Return the documents that it is judged by."""

    def hashed(self, files: Files) -> Iterable[str]:
        """Return the files whose SHA-512 can be compared with something."""

    def judge(self, files: Files, documents: Documents) -> Iterator[KitError]:
        """Yield each promise that is broken.

        Raises:
            KitError: One that leaves nothing else to look at.
        """
