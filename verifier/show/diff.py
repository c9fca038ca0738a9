"""What is different between two kits, in large first: components, directories, then members.

The verifier in a kit and its evidence are many small files that nobody reads one by one: they are
counted.  `kit.review.diff` spells the same members for signers (FORMAT 14.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.core.lists import CLASSES, DATA, Index
from verifier.core.model import Component, Manifest
from verifier.core.names import quoted
from verifier.core.trust import Root
from verifier.show.changes import Side, changed_members, lines_of, owner_of, owners
from verifier.typed import Any, field, record

MAX_SHOWN = 50  # directories of a component, and members of a kit, that are listed as text
MAX_DIRECTORIES = 1000  # of a component that are told apart; more would be a list of members
DIFF_TYPE = "https://offline-kit.example/diff/v1"
_DERIVED = (b"sums", b"sig")  # they follow from the rest, and say nothing of their own
_WORDS = (("added", "+"), ("removed", "-"), ("changed", "~"))


@record(frozen=True)
class Compared:
    """One of the two kits.

    Attributes:
        root: The one it was built with.
    """

    manifest: Manifest
    index: Index
    kit_id: str
    root: Root


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
        told = [f"{getattr(self, w)} {w}" for w, _ in _WORDS if getattr(self, w)]
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
    before = iter([[b""]]) if old is None else lines_of(old.index)
    for kind, path, was, now in changed_members(before, lines_of(new.index)):
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


# --- text ----------------------------------------------------------------------------------------


def text(made: Difference) -> Iterator[str]:
    """Yield the difference for people."""
    yield from _sides(made)
    for title, lines in (
        ("kit", _facts(made)),
        ("root of trust", _root(made)),
        ("components", _components(made)),
        ("of the kit itself", _others(made)),
        ("members of components", _members(made)),
    ):
        told = list(lines)
        yield ""
        yield f"{title}:" if told else f"{title}: the same"
        yield from told
    yield ""
    yield f"in all: {made.total}"


def _sides(made: Difference) -> Iterator[str]:
    for name, side in (("old", made.old), ("new", made.new)):
        if side is None:
            yield "old: nothing, this is the first release"
            continue
        info = side.manifest.kit
        yield f"{name}: {info.name} {info.version}, line {info.line}, sequence {info.sequence}"
        yield f"     kitId {side.kit_id}"


def _told(name: str, was: str | None, now: str | None) -> Iterator[str]:
    if was == now:
        return
    if was is None:
        yield f"  + {name}: {now}"
    elif now is None:
        yield f"  - {name}: {was}"
    else:
        yield f"  ~ {name}: {was} -> {now}"


def _facts_of(side: Compared | None) -> dict[str, str]:
    if side is None:
        return {}
    info = side.manifest.kit
    return {
        "name": info.name,
        "version": info.version,
        "line": info.line,
        "sequence": str(info.sequence),
        "created": info.created,
        "expires": info.expires or "never",
        "summary": quoted(info.summary),
    }


def _facts(made: Difference) -> Iterator[str]:
    was, now = _facts_of(made.old), _facts_of(made.new)
    for name in now:
        yield from _told(name, was.get(name), now[name])
    if made.old is None:
        return
    old, new = made.old.manifest.kit, made.new.manifest.kit
    if old.line != new.line:
        yield "  ! they are of different lines: their sequences say nothing of each other"
    elif new.sequence <= old.sequence and made.old.kit_id != made.new.kit_id:
        yield "  ! the sequence is not higher: a host that has the old kit refuses the new one"


def _root_facts(side: Compared | None) -> dict[str, str]:
    if side is None:
        return {}
    root = side.root
    facts = {
        "version": str(root.version),
        "expires": root.expires,
        "policy": root.policy_sha256 or "none",
    }
    for name, what in (("targets", "kit"), ("root", "root")):
        role = root.role[name]
        names = ", ".join(map(quoted, role.signers()))
        facts[f"{what} signers"] = f"{role.threshold} of {names}"
    return facts


def _root(made: Difference) -> Iterator[str]:
    was, now = _root_facts(made.old), _root_facts(made.new)
    for name in now:
        yield from _told(name, was.get(name), now[name])
    if made.old is not None and was == now and made.old.root.signed != made.new.root.signed:
        yield "  ~ another root, with the same version, signers and thresholds"


def _components(made: Difference) -> Iterator[str]:
    for name, before, after, part in _rows(made):
        yield _component_line(name, before, after, part)
        shown = sorted(part.directories.items())
        for directory, counts in shown[:MAX_SHOWN]:
            yield f"      {quoted(directory + '/')}: {counts}"
        if len(shown) > MAX_SHOWN:
            yield f"      and {len(shown) - MAX_SHOWN} directories more"


def short_text(made: Difference) -> Iterator[str]:
    """Yield a line for each component that is different, and one for the kit's own members.

    SHA256SUMS and README.txt follow from the rest and are not counted.
    """
    for name, before, after, part in _rows(made):
        yield _component_line(name, before, after, part)
    own = [part.counts for kind, part in made.others.items() if kind != "readme"]
    if own:
        count = sum(item.added + item.removed + item.changed for item in own)
        yield f"  ~ (of the kit itself): {count} members"


def silently_changed(made: Difference) -> Iterator[str]:
    """Yield the components whose members are others though their version is the same."""
    for name, before, after, part in _rows(made):
        if before is None or after is None or before.version != after.version:
            continue
        if part.counts.any:
            yield name


def _by_id(side: Compared | None) -> dict[str, Component]:
    return {item.id: item for item in side.manifest.components} if side is not None else {}


def _component_line(
    name: str, before: Component | None, after: Component | None, part: Part
) -> str:
    item = after or before
    assert item is not None
    sign = "+" if before is None else "-" if after is None else "~"
    version = quoted(item.version)
    if before is not None and after is not None and before.version != after.version:
        version = f"{quoted(before.version)} -> {version}"
    elif before is not None and after is not None and part.counts.any:
        version += " (the same version)"
    lands = f", lands {quoted(item.lands)}"
    if before is not None and after is not None:
        lands = f", lands {quoted(before.lands)} -> {quoted(after.lands)}" * (
            before.lands != after.lands
        )
    owner = ""
    if before is not None and after is not None and before.owner != after.owner:
        owner = f", owner {quoted(before.owner)} -> {quoted(after.owner)}"
    empty = f", empty for now: {quoted(item.placeholder)}" if item.placeholder else ""
    return f"  {sign} {name} {version}: {part.counts}{lands}{owner}{empty}"


def _others(made: Difference) -> Iterator[str]:
    for name, part in made.others.items():
        yield f"  {name}: {part.counts}"


def _members(made: Difference) -> Iterator[str]:
    if made.old is None:
        yield f"  + {made.new.index.count(DATA)}: all of them are new"
        return
    payload, shown, more = CLASSES[DATA].decode("ascii"), 0, 0
    signs = dict(_WORDS)
    for word, kind, path, was, now in members(made.old, made.new):
        if kind != payload:
            continue
        if shown == MAX_SHOWN:
            more += 1
            continue
        shown += 1
        yield f"  {signs[word]} {quoted(path.decode('utf-8'))}: {_member(was, now)}"
    if more:
        yield f"    and {more} more: --json has all of them"


def _member(was: Side | None, now: Side | None) -> str:
    if was is None or now is None:
        side = was or now
        assert side is not None
        return f"{int(side[1])} bytes" + (", executable" if side[2] == b"0755" else "")
    told = [f"{int(was[1])} -> {int(now[1])} bytes" if was[1] != now[1] else f"{int(now[1])} bytes"]
    if was[2] != now[2]:
        told.append("executable now" if now[2] == b"0755" else "no longer executable")
    told.append("the same contents" if was[0] == now[0] else "other contents")
    return ", ".join(told)


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
            for name, was, now, part in _rows(made)
        ],
        "others": {name: _counts(part.counts) for name, part in made.others.items()},
        "total": _counts(made.total),
    }


def _rows(
    made: Difference,
) -> Iterator[tuple[str, Component | None, Component | None, Part]]:
    was, now = _by_id(made.old), _by_id(made.new)
    for name in {**was, **now}:
        part = made.components.get(name, Part())
        if was.get(name) != now.get(name) or part.counts.any:
            yield name, was.get(name), now.get(name), part


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
