"""A table of a runbook, read member by member; every mistake is noted and reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from re import Pattern

from runner.errors import Mistake
from runner.values import (
    MAX_WORDS,
    Condition,
    parse_condition,
    parse_duration,
    parse_size,
    why_no_word,
)
from verifier.core.manifest import MAX_SUMMARY, NAME
from verifier.core.names import printable
from verifier.typed import Any, TypeVar

T = TypeVar("T")
Place = tuple[Any, ...]
Notes = list[Mistake]
MAX_ENTRIES = 10_000  # of one table or array


class Table:
    """One table; `done` complains about what nobody asked for."""

    def __init__(self, value: Any, place: Place, notes: Notes) -> None:
        self.place, self._notes = place, notes
        self._left: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        self._known: list[str] = []
        if not isinstance(value, Mapping):
            self.note("is no table", "write it as a table")
        for name in [name for name, item in self._left.items() if item is None]:
            self.note("is null", "leave it out", str(name))

    def note(self, what: str, fix: str, *place: str | int) -> None:
        """Note a mistake, here or at a place below."""
        self._notes.append(Mistake((*self.place, *place), what, fix))

    def has(self, name: str) -> bool:
        """Whether a member is there and nobody took it."""
        return name in self._left

    def take(self, name: str) -> Any:
        """Return a member, which must be there; None if it is not."""
        self._known.append(name)
        if name not in self._left:
            self.note(f"{name!r} is missing", f"write `{name} = ...`")
        return self._left.pop(name, None)

    def get(self, name: str) -> Any:
        """Return a member that may be there, or None."""
        self._known.append(name)
        return self._left.pop(name, None)

    def done(self) -> None:
        """Complain about members that are not known."""
        for name in self._left:
            known = ", ".join(dict.fromkeys(self._known))
            self.note(f"{str(name)!r} is not known here", f"write one of {known}", str(name))

    # --- members of one type -------------------------------------------------------------------

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text for people; with a default it may be missing."""
        value = self.take(name) if default is None else self.get(name)
        if value is None:
            return default or ""
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_SUMMARY or not printable(value):
            self.note(f"is no line of 1 to {MAX_SUMMARY} characters", "write a short line", name)
            return default or ""
        return value

    def matching(self, name: str, pattern: Pattern[str], what: str, default: str = "") -> str:
        """Return a string of a form; an empty default means that it must be there."""
        value = self.get(name) if default or not self.has(name) else self.take(name)
        if value is None:
            return default
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.note(f"is not {what}", f"write {what}", name)
            return default
        return value

    def name(self, name: str) -> str:
        """Return a name that must be there."""
        value = self.take(name)
        if value is None:
            return ""
        if not isinstance(value, str) or not NAME.fullmatch(value):
            what = "1 to 64 of a-z 0-9 . _ -, the first of them a letter or digit"
            self.note("is no name", f"write {what}", name)
            return ""
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Return an array of names, none twice; empty if it is missing."""
        values = self._array(name, NAME.fullmatch, "a name")
        if len(set(values)) != len(values):
            self.note("has one name twice", "write each once", name)
        return values

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.note("is neither true nor false", "write true or false", name)
            return default
        return value

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        """Return a whole number."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.note(f"is no whole number from {low} to {high}", "write such a number", name)
            return default
        return value

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of some words."""
        value = self.get(name)
        if value is None:
            return default
        if value not in choices or not isinstance(value, str):
            self.note(f"is not one of {', '.join(choices)}", "write one of these", name)
            return default
        return value

    def duration(self, name: str, default: int) -> int:
        """Return a time in milliseconds."""
        value = self.get(name)
        if value is None:
            return default
        found = parse_duration(value) if isinstance(value, str) else None
        if found is None:
            self.note("is no duration of at most a year", 'write it like "90s", "5m", "12h"', name)
            return default
        return found

    def size(self, name: str) -> int:
        """Return a number of bytes; 0 if it is missing."""
        value = self.get(name)
        if value is None:
            return 0
        found = parse_size(value) if isinstance(value, str) else None
        if found is None:
            self.note("is no size", 'write it like "500MiB" or "20GiB"', name)
            return 0
        return found

    def statuses(self, name: str) -> tuple[int, ...]:
        """Return exit statuses that mean something of their own."""
        value = self.get(name)
        if value is None:
            return ()
        good = isinstance(value, list) and 1 <= len(value) <= 64
        if not good or not all(type(v) is int and 1 < v < 126 and v != 10 for v in value):
            why = "is no array of exit statuses from 2 to 125, without 10"
            self.note(
                why, "name statuses of the program that it gives on purpose: 1 is a crash", name
            )
            return ()
        return tuple(sorted(set(value)))

    def condition(self, name: str) -> Condition:
        """Return a condition that must be there."""
        value = self.take(name)
        found = parse_condition(value) if isinstance(value, str) else None
        if found is None:
            if value is not None:
                self.note("is no condition", 'write it like "/lagSeconds > 60"', name)
            return Condition("", "==", None)
        return found

    def conditions(self, name: str) -> tuple[Condition, ...]:
        """Return an array of conditions; empty if it is missing."""
        texts = self._array(name, parse_condition, 'a condition like "/counts/failed == 0"')
        found = tuple(filter(None, map(parse_condition, texts)))
        for at, one in enumerate(found):
            if one.operator == "rises":
                self.note("is about several samples", "put it into a probe", name, at)
        return found

    def words(self, name: str, *, must: bool) -> tuple[str, ...]:
        """Return a command; empty if it is missing and may be."""
        value = self.take(name) if must else self.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_WORDS:
            self.note("is no array of words", 'write it like ["tools/run.py", "--all"]', name)
            return ()
        good = True
        for at, word in enumerate(value):
            why = why_no_word(word) if isinstance(word, str) else "is no string"
            if why:
                self.note(why, "write one plain word; there is no shell", name, at)
                good = False
        return tuple(value) if good else ()

    def _array(self, name: str, is_good: Callable[[str], Any], what: str) -> tuple[str, ...]:
        value = self.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_WORDS:
            self.note("is no array with something in it", "leave it out, or write an array", name)
            return ()
        found = []
        for at, item in enumerate(value):
            if isinstance(item, str) and is_good(item):
                found.append(item)
            else:
                self.note(f"is not {what}", f"write {what}", name, at)
        return tuple(found)

    # --- tables in it --------------------------------------------------------------------------

    def table(self, name: str) -> Table | None:
        """Return a table that may be there."""
        value = self.get(name)
        return None if value is None else Table(value, (*self.place, name), self._notes)

    def each(self, name: str) -> Iterator[tuple[int, Table]]:
        """Yield the tables of an array that must be there, with their numbers."""
        value = self.take(name)
        if value is None:
            return
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_ENTRIES:
            self.note(f"is no array of 1 to {MAX_ENTRIES} tables", f"write [[{name}]]", name)
            return
        for at, item in enumerate(value):
            yield at, Table(item, (*self.place, name, at), self._notes)

    def by_name(self, name: str, make: Callable[[str, Table], T]) -> dict[str, T]:
        """Return a table of tables, each made into a value; empty if it is missing."""
        value = self.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or len(value) > MAX_ENTRIES:
            self.note("is no table of tables", f"write [{name}.NAME]", name)
            return {}
        found: dict[str, T] = {}
        for key, item in sorted(value.items(), key=lambda pair: str(pair[0])):
            if not isinstance(key, str) or not NAME.fullmatch(key):
                self.note(f"{str(key)!r} is no name", "write 1 to 64 of a-z 0-9 . _ -", name)
                continue
            made = Table(item, (*self.place, name, key), self._notes)
            found[key] = make(key, made)
            made.done()
        return found
