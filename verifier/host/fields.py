"""Fields of a policy: each asked for by name and form, and what nobody asked for is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verifier.core.jsonstrict import NotStrict
from verifier.core.names import printable
from verifier.typed import Any

MAX_ITEMS = 1024  # lines, overrides, requirements and members of a set, each


class Fields:
    """Takes the fields of an object one by one; what is left at the end is not known."""

    def __init__(self, value: Any, name: str) -> None:
        self._name = name
        if not isinstance(value, dict):
            raise NotStrict(f"{name or 'the policy'!r} is not an object")
        self._left = dict(value)

    def _path(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise NotStrict(f"{self._path(name)!r} is missing")
        return self._left.pop(name)

    def text(self, name: str, good: Callable[[str], object], default: str | None = None) -> str:
        """Return a string that ``good`` finds good, or the default if there is none."""
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if not isinstance(value, str) or not good(value):
            raise NotStrict(f"{self._path(name)!r} is not a text of the form it should have")
        return value

    def word(self, name: str, default: str, other: str) -> bool:
        """Whether a field has the other of two words."""
        return self.text(name, (default, other).__contains__, default) == other

    def number(self, name: str, most: int, default: int | None = None) -> int:
        """Return an integer from 1 on, or the default if there is none."""
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if type(value) is not int or not 1 <= value <= most:
            raise NotStrict(f"{self._path(name)!r} is not a number from 1 to {most}")
        return value

    def items(self, name: str) -> list[Any]:
        """Return the items of an array; a missing one is empty."""
        value = self._take(name) if self.has(name) else []
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise NotStrict(f"{self._path(name)!r} is not an array of at most {MAX_ITEMS}")
        return value

    def objects(self, name: str) -> list[Fields]:
        """Return the items of an array of objects."""
        items = self.items(name)
        return [Fields(item, f"{self._path(name)}[{at}]") for at, item in enumerate(items)]

    def object(self, name: str) -> Fields:
        """Return an object."""
        return Fields(self._take(name), self._path(name))

    def is_text(self, name: str) -> bool:
        """Whether a field is there and a string."""
        return isinstance(self._left.get(name), str)

    def has(self, name: str) -> bool:
        """Whether a field is there and not yet taken."""
        return name in self._left

    def done(self) -> None:
        """Refuse what nobody asked for: it may be a rule of a later version."""
        for name in sorted(self._left):
            raise NotStrict(f"{self._path(name)[:200]!r} is not known to this verifier")


def label(text: str) -> bool:
    """Whether a text can be a name."""
    return 1 <= len(text) <= 64 and printable(text)


def sentence(text: str) -> bool:
    """Whether a text can be a sentence for people."""
    return 1 <= len(text) <= 500 and printable(text)


def once(names: Sequence[str], what: str) -> None:
    """Refuse a name that stands there twice.

    Raises:
        NotStrict: One does.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise NotStrict(f"{what} {name!r} stands there twice")
        seen.add(name)
