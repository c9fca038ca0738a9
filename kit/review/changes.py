"""The members that two kits do not have in common, as ``diff.txt`` spells them (FORMAT 14.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from verifier.core.lists import CLASSES, DATA
from verifier.core.model import Component, Manifest
from verifier.core.names import quoted
from verifier.show.changes import Side, changed_members, owner_of, owners

__all__ = ["MAX_LISTED", "Members", "Side", "bounded", "changed_members", "section"]

MAX_LISTED = 200  # lines of one kind that are shown; the rest is counted
_NO_COMPONENT = "(of the kit itself)"


def bounded(shown: Sequence[str], count: int) -> Iterator[str]:
    """Yield the first lines, and how many more there are of ``count``."""
    yield from shown[:MAX_LISTED]
    if count > min(len(shown), MAX_LISTED):
        yield f"    and {count - min(len(shown), MAX_LISTED)} more"


def section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a part of ``diff.txt`` under its title."""
    told = list(lines)
    yield ""
    yield title if told else f"{title}: the same"
    yield from told


class _Change:
    """Members that were added, removed or changed: the first of them, and how many."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.shown: list[str] = []

    def add(self, line: Callable[[], str], size: int) -> None:
        self.count += 1
        self.size += size
        if len(self.shown) < MAX_LISTED:
            self.shown.append(line())


class Members:
    """Counts what is different, for the kit and for each of its components."""

    def __init__(self, new: Manifest, old: Manifest | None) -> None:
        self._new = {item.id: item for item in new.components}
        self._old = {item.id: item for item in (old.components if old is not None else ())}
        self._owner = [owners(self._old.values()), owners(self._new.values())]
        self._kinds = [{kind: _Change() for kind in "-+~"} for _ in range(2)]  # others, payload
        self._touched: dict[str, Counter[str]] = {}

    def add(self, kind_of: bytes, path: bytes, old: Side | None, new: Side | None) -> None:
        """Take one member, of the class named, that is different."""
        kind = "+" if old is None else "-" if new is None else "~"
        component = owner_of(path, self._owner[new is not None]) or _NO_COMPONENT
        self._touched.setdefault(component, Counter())[kind] += 1
        side = new or old
        assert side is not None
        self._kinds[kind_of == CLASSES[DATA]][kind].add(
            lambda: _member_line(kind, path, old, new), int(side[1])
        )

    def components(self) -> Iterator[str]:
        """Yield the section about components, each of them once."""
        lines = [
            _component("-", item) + self._counts(name)
            for name, item in self._old.items()
            if name not in self._new
        ]
        for name, item in self._new.items():
            was = self._old.get(name)
            counts = self._counts(name)
            if was is None:
                lines.append(_component("+", item) + counts)
            elif was != item or counts:
                lines.append(_component_change(was, item) + counts)
        if counts := self._counts(_NO_COMPONENT):
            lines.append(f"  ~ {_NO_COMPONENT}{counts}")
        yield from section("components", bounded(lines, len(lines)))

    def _counts(self, name: str) -> str:
        counts = self._touched.get(name)
        if not counts:
            return ""
        words = (("+", "added"), ("-", "removed"), ("~", "changed"))
        return ": members " + ", ".join(f"{counts[k]} {w}" for k, w in words if counts[k])

    def text(self) -> Iterator[str]:
        """Yield the sections about members, and the totals."""
        for title, changes in zip(
            ("other members", "members of the payload"), self._kinds, strict=True
        ):
            shown = [bounded(change.shown, change.count) for change in changes.values()]
            yield from section(title, chain.from_iterable(shown))
        yield ""
        yield "total"
        for kind, word in (("+", "added:  "), ("-", "removed:"), ("~", "changed:")):
            count = sum(changes[kind].count for changes in self._kinds)
            size = sum(changes[kind].size for changes in self._kinds)
            yield f"  members {word} {count}, {size} bytes{' now' if kind == '~' else ''}"


def _component(sign: str, item: Component) -> str:
    return f"  {sign} {item.id} {_component_facts(item)}"


def _component_facts(item: Component) -> str:
    paths = ", ".join(quoted(path) for path in item.paths[:5])
    more = f" and {len(item.paths) - 5} more" if len(item.paths) > 5 else ""
    empty = f", empty: {quoted(item.placeholder)}" if item.placeholder else ""
    return f"{quoted(item.version)} ({paths}{more}; lands {quoted(item.lands)}{empty})"


def _component_change(old: Component, new: Component) -> str:
    was, now = _component_facts(old), _component_facts(new)
    if was != now:
        return f"  ~ {new.id} {was} -> {now}"
    hidden = " (its paths are others)" if old != new else ""
    return f"  ~ {new.id} {quoted(new.version)}{hidden}"


def _member_line(kind: str, path: bytes, old: Side | None, new: Side | None) -> str:
    name = quoted(path.decode("utf-8"))
    if old is None or new is None:
        digest, size, mode = new or old or (b"", b"", b"")
        run = ", executable" if mode == b"0755" else ""
        return f"  {kind} {name}: {size.decode()} bytes{run}, sha256 {digest.decode()}"
    parts = [f"{old[1].decode()} bytes -> {new[1].decode()} bytes"]
    if old[2] != new[2]:
        parts.append("executable now" if new[2] == b"0755" else "not executable any more")
    if old[0] == new[0]:
        parts.append("the same contents")
    else:
        parts.append(f"sha256 {old[0].decode()} -> {new[0].decode()}")
    return f"  {kind} {name}: {', '.join(parts)}"
