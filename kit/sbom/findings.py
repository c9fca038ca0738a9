"""What a check collects: every fault of a document, up to a number that a person can read."""

from __future__ import annotations

from collections import Counter

from verifier.core.errors import KitError
from verifier.show.plain import plain

MAX_SHOWN = 20  # findings of one kind that are kept; the rest is counted


class Findings:
    """The faults of one document, in the order in which they were found."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: Counter[str] = Counter()
        self.errors: list[KitError] = []
        self.notes: list[str] = []

    def add(self, kind: type[KitError], place: str, message: str) -> None:
        """Note a fault at a JSON pointer of the document."""
        self._seen[kind.code] += 1
        if self._seen[kind.code] <= MAX_SHOWN:
            where = f"{self._file}: {plain(place)}" if place else self._file
            self.errors.append(kind(message, where=where))

    def note(self, place: str, message: str) -> None:
        """Note what is strange and no fault."""
        if len(self.notes) < MAX_SHOWN:
            self.notes.append(f"{plain(place)}: {message}")

    @property
    def more(self) -> int:
        """How many faults were found beyond those in ``errors``."""
        return self._seen.total() - len(self.errors)


def shown(text: str) -> str:
    """Return a value of a document for a message, escaped and of bounded length."""
    return repr(text if len(text) <= 100 else text[:100] + "...")


def pointer(*path: str | int) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
