"""What is different between two kits, in large first: components, directories, then members.

`difftext` has it as text, for people and as ``diff.txt`` of a review pack; here it is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from verifier.core.lists import CLASSES, DATA
from verifier.core.model import Component, Manifest
from verifier.core.trust import Root
from verifier.show.changes import Side, changed_members, owner_of, owners
from verifier.typed import Any, field, record

MAX_DIRECTORIES = 1000  # of a component that are told apart; more would be a list of members
DIFF_TYPE = "https://offline-kit.example/diff/v1"
_DERIVED = (b"sums", b"sig")  # they follow from the rest, and say nothing of their own
WORDS = (("added", "+"), ("removed", "-"), ("changed", "~"))


@record(frozen=True)
class Compared:
    """One of the two kits.

    Attributes:
        lines: Gives the lines of its index in their order, in lists of any length, each time anew.
        chain: The roots that it carries; the last is the one it was built with.
    """

    manifest: Manifest
    lines: Callable[[], Iterable[list[bytes]]]
    kit_id: str
    chain: tuple[Root, ...]

    @property
    def root(self) -> Root:
        """The root it was built with."""
        return self.chain[-1]


@record
class Counts:
    """How many members were added, removed and changed, and their bytes (the new ones)."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    size: int = 0

    def add(self, word: str, size: int) -> None:
        """Count one member."""
        setattr(self, word, getattr(self, word) + 1)
        self.size += size

    @property
    def any(self) -> bool:
        """Whether there is anything."""
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        told = [f"{getattr(self, w)} {w}" for w, _ in WORDS if getattr(self, w)]
        return f"{', '.join(told) or 'the same members'}, {self.size} bytes"


@record
class Part:
    """What is different in one component, or in one class of members that belongs to none."""

    counts: Counts = field(default_factory=Counts)
    directories: dict[str, Counts] = field(default_factory=dict)

    def add(self, word: str, path: bytes, size: int) -> None:
        """Count one member, and in its directory."""
        self.counts.add(word, size)
        directory = path.rpartition(b"/")[0].decode("utf-8")
        if directory not in self.directories and len(self.directories) >= MAX_DIRECTORIES:
            directory = "..."
        self.directories.setdefault(directory, Counts()).add(word, size)


@record
class Difference:
    """What is different; see `members` for each member.

    Attributes:
        old: None for a first release: then everything is new.
        components: By id, those of either kit.
        others: By class, what belongs to no component.
    """

    old: Compared | None
    new: Compared
    components: dict[str, Part] = field(default_factory=dict)
    others: dict[str, Part] = field(default_factory=dict)
    total: Counts = field(default_factory=Counts)


def members(
    old: Compared | None, new: Compared
) -> Iterator[tuple[str, str, bytes, Side | None, Side | None]]:
    """Yield added, removed or changed, class, path and both sides of each member that differs."""
    before = [[b""]] if old is None else old.lines()
    for kind, path, was, now in changed_members(before, new.lines()):
        if kind not in _DERIVED:
            word = "added" if was is None else "removed" if now is None else "changed"
            yield word, kind.decode("ascii"), path, was, now


def compare(old: Compared | None, new: Compared) -> Difference:
    """Count what is different, by component and directory."""
    made = Difference(old, new)
    was_in = owners(old.manifest.components if old is not None else ())
    now_in = owners(new.manifest.components)
    payload = CLASSES[DATA].decode("ascii")
    for word, kind, path, was, now in members(old, new):
        side = now or was
        assert side is not None
        size = int(side[1])
        made.total.add(word, size)
        owner = owner_of(path, was_in if now is None else now_in) if kind == payload else ""
        parts, name = (made.components, owner) if owner else (made.others, kind)
        parts.setdefault(name, Part()).add(word, path, size)
    return made


def rows(
    made: Difference,
) -> Iterator[tuple[str, Component | None, Component | None, Part]]:
    """Yield id, both sides and the counts of each component that is different."""
    was, now = _by_id(made.old), _by_id(made.new)
    for name in {**was, **now}:
        part = made.components.get(name, Part())
        if was.get(name) != now.get(name) or part.counts.any:
            yield name, was.get(name), now.get(name), part


def _by_id(side: Compared | None) -> dict[str, Component]:
    return {item.id: item for item in side.manifest.components} if side is not None else {}


def silently_changed(made: Difference) -> Iterator[str]:
    """Yield the components whose members are others though their version is the same."""
    for name, before, after, part in rows(made):
        if before is None or after is None or before.version != after.version:
            continue
        if part.counts.any:
            yield name


# --- JSON ----------------------------------------------------------------------------------------


def value(made: Difference) -> dict[str, Any]:
    """Return the difference as JSON, without the members."""
    return {
        "type": DIFF_TYPE,
        "old": _side_value(made.old),
        "new": _side_value(made.new),
        "components": [
            {
                "id": name,
                "oldVersion": was.version if was else None,
                "newVersion": now.version if now else None,
                "counts": _counts(part.counts),
                "directories": {k: _counts(v) for k, v in sorted(part.directories.items())},
            }
            for name, was, now, part in rows(made)
        ],
        "others": {name: _counts(part.counts) for name, part in made.others.items()},
        "total": _counts(made.total),
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "added": counts.added,
        "removed": counts.removed,
        "changed": counts.changed,
        "bytes": counts.size,
    }


def _side_value(side: Compared | None) -> dict[str, Any] | None:
    if side is None:
        return None
    info = side.manifest.kit
    return {
        "name": info.name,
        "version": info.version,
        "line": info.line,
        "sequence": info.sequence,
        "created": info.created,
        "kitId": side.kit_id,
        "rootVersion": side.root.version,
        "signers": side.root.targets.signers(),
        "threshold": side.root.targets.threshold,
    }


def member_value(
    word: str, kind: str, path: bytes, was: Side | None, now: Side | None
) -> dict[str, Any]:
    """Return one member that differs as JSON."""

    def side(one: Side | None) -> dict[str, Any] | None:
        if one is None:
            return None
        digest, size, mode = one
        return {"sha256": digest.decode(), "size": int(size), "mode": mode.decode()}

    return {
        "change": word,
        "class": kind,
        "path": path.decode("utf-8"),
        "old": side(was),
        "new": side(now),
    }
