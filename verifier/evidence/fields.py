"""Fields of foreign JSON, asked for by name and type; null is the same as absent.

protobuf's JSON mapping, which sigstore uses, writes numbers of 64 bits as strings and may write
either; what is read here is what it may write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.core.errors import KitError
from verifier.core.jsonstrict import NotStrict, parse_base64
from verifier.typed import Any

_NUMBER = re.compile("0|[1-9][0-9]{0,18}")
MAX_NUMBER = 2**63 - 1


class Fields:
    """An object of foreign JSON.

    Args:
        value: What should be one.
        where: What it is, for people.
        error: What to raise where it is otherwise.
    """

    def __init__(self, value: Any, where: str, error: type[KitError]) -> None:
        self.where, self._error = where, error
        if not isinstance(value, dict):
            raise self.wrong("not an object")
        self._value: dict[str, Any] = value

    def wrong(self, what: str, name: str = "") -> KitError:
        """Return the error about a field, or about the object."""
        return self._error(what, where=f"{self.where}.{name}" if name else self.where)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._value.get(name) is not None

    def _get(self, name: str) -> Any:
        if not self.has(name):
            raise self.wrong("missing", name)
        return self._value[name]

    def value(self, name: str) -> Any:
        """Return whatever is there."""
        return self._get(name)

    def text(self, name: str) -> str:
        """Return a string."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self.wrong("not a string", name)
        return value

    def data(self, name: str, *, url_safe: bool = False) -> bytes:
        """Return the bytes of a string in base64, which must not be empty.

        Args:
            url_safe: Whether it may be in the other alphabet, too (RFC 4648, 5), with padding; one
                string is in one of them.
        """
        text = self._get(name)
        if url_safe and isinstance(text, str) and not {"+", "/"} & set(text):
            text = text.replace("-", "+").replace("_", "/")
        try:
            value = parse_base64(text, "it")
        except NotStrict as reason:
            raise self.wrong(str(reason), name) from None
        if not value:
            raise self.wrong("empty", name)
        return value

    def number(self, name: str) -> int:
        """Return a number from 0 to 2^63 - 1, written as one or as a string."""
        value = self._get(name)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value)
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            raise self.wrong("not a number from 0 to 2^63 - 1", name)
        return value

    def at(self, name: str) -> Fields:
        """Return an object."""
        return Fields(self._get(name), f"{self.where}.{name}", self._error)

    def each(self, name: str, most: int) -> Iterator[Fields]:
        """Yield the objects of an array, which may be absent."""
        for number, value in enumerate(self.array(name, most)):
            yield Fields(value, f"{self.where}.{name}[{number}]", self._error)

    def array(self, name: str, most: int) -> list[Any]:
        """Return an array of at most so many values; an absent one is empty."""
        value = self._get(name) if self.has(name) else []
        if not isinstance(value, list) or len(value) > most:
            raise self.wrong(f"not an array of at most {most}", name)
        return value

    def mapping(self, name: str) -> dict[str, str]:
        """Return an object whose values are all strings."""
        value = self._get(name)
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.wrong("not an object of strings", name)
        return value
