"""What is different between two kits as text: for people, and as ``diff.txt`` (FORMAT 14.2).

The text has a bounded length, and totals that have none.  The verifier in a kit and its evidence
are many small files that nobody reads one by one: they are counted, unless all is asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from verifier.core.lists import CLASSES, DATA
from verifier.core.model import Component, Exemption, Manifest
from verifier.core.names import quoted
from verifier.core.trust import Root
from verifier.show.changes import Side
from verifier.show.diff import WORDS, Compared, Difference, Part, members, rows
from verifier.show.fingerprint import fingerprint
from verifier.typed import record

MAX_SHOWN = 50  # members of one kind of change; lines of one component; more are counted
MAX_IN_FULL = 200  # the same where all is asked for, and lines of any other list
NO_OLD = "old: nothing to compare with"


@record(frozen=True)
class _Detail:
    """How much is told of members.

    Attributes:
        most: Members that are listed of those added, removed and changed, each.
        digests: Whether their SHA-256 is told, and the kit's own members are listed too.
    """

    most: int
    digests: bool


def text(made: Difference, *, in_full: bool = False) -> Iterator[str]:
    """Yield the difference for people, a line each.

    Args:
        in_full: Whether members are listed with their digests, those of the kit itself and of a
            first release too: what a signer wants to see.
    """
    detail = _Detail(MAX_IN_FULL, True) if in_full else _Detail(MAX_SHOWN, False)
    yield from _sides(made)
    for title, lines in (
        ("kit", _facts(made)),
        ("root of trust", _root(made)),
        ("components", _components(made)),
        *_lists(made),
        ("of the kit itself", _others(made, detail)),
        ("members of components", _members(made, detail)),
    ):
        told = list(lines)
        yield ""
        yield f"{title}:" if told else f"{title}: the same"
        yield from told
    yield ""
    yield f"in all: {made.total}"


def short_text(made: Difference) -> Iterator[str]:
    """Yield a line for each component that is different, and one for the kit's own members.

    SHA256SUMS and README.txt follow from the rest and are not counted.
    """
    for name, before, after, part in rows(made):
        yield _component(name, before, after, part)
    own = [part.counts for kind, part in made.others.items() if kind != "readme"]
    if own:
        count = sum(item.added + item.removed + item.changed for item in own)
        yield f"  ~ (of the kit itself): {count} members"


def left_behind(chain: Sequence[Root]) -> str:
    """Return in words which hosts cannot follow a root chain (FORMAT 5.6); empty if all can."""
    first = chain[0].version
    return f"; hosts at version {first - 2} or before cannot follow" if first > 2 else ""


def _sides(made: Difference) -> Iterator[str]:
    for name, side in (("old", made.old), ("new", made.new)):
        if side is None:
            yield NO_OLD
            continue
        info = side.manifest.kit
        yield f"{name}: {info.name} {info.version}, line {info.line}, sequence {info.sequence}"
        yield f"     kitId {side.kit_id}"


def _told(was: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in {**was, **now}:
        before, after = was.get(name), now.get(name)
        if before == after:
            continue
        if before is None:
            yield f"  + {name}: {after}"
        elif after is None:
            yield f"  - {name}: {before}"
        else:
            yield f"  ~ {name}: {before} -> {after}"


def _bounded(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MAX_IN_FULL]
    if len(lines) > MAX_IN_FULL:
        yield f"    and {len(lines) - MAX_IN_FULL} more"


# --- the kit and its root ------------------------------------------------------------------------


def _facts_of(manifest: Manifest) -> dict[str, str]:
    info, built = manifest.kit, manifest.built
    return {
        "name": info.name,
        "version": info.version,
        "line": info.line,
        "sequence": str(info.sequence),
        "created": info.created,
        "expires": info.expires or "never",
        "summary": quoted(info.summary),
        "supersedes": ", ".join(info.supersedes) or "nothing",
        "built": f"{quoted(built.compressor)}, level {built.level}, {built.rules}",
        "key of SHA256SUMS": manifest.sums_key or "none",
        "fields not known here": ", ".join(map(quoted, manifest.unknown)) or "none",
    }


def _facts(made: Difference) -> Iterator[str]:
    was = _facts_of(made.old.manifest) if made.old is not None else {}
    yield from _told(was, _facts_of(made.new.manifest))
    if made.old is None:
        return
    old, new = made.old.manifest.kit, made.new.manifest.kit
    if old.line != new.line:
        yield "  ! they are of different lines: their sequences say nothing of each other"
    elif new.sequence <= old.sequence and made.old.kit_id != made.new.kit_id:
        yield "  ! the sequence is not higher: a host that has the old kit refuses the new one"


def _root_facts(side: Compared) -> dict[str, str]:
    root = side.root
    started = sorted(root.reset_lines.items())
    facts = {
        "version": str(root.version),
        "versions in the chain": f"{side.chain[0].version} to {root.version}",
        "root.json": f"SHA-256 {hashlib.sha256(root.signed).hexdigest()} of what is signed",
        "expires": root.expires,
        "policy": root.policy_sha256 or "none",
        "lines that started anew": ", ".join(f"{line} by version {n}" for line, n in started)
        or "none",
    }
    for name, what in (("targets", "kit"), ("root", "root")):
        role = root.role[name]
        names = ", ".join(map(quoted, role.signers()))
        facts[f"signers needed for a {what}"] = f"{role.threshold} of {names}"
        for keyid in sorted(role.keys):
            key = role.keys[keyid]
            facts[f"{what} signer {quoted(key.signer)}, key {quoted(keyid)}"] = (
                f"{key.scheme}, SHA-256 {fingerprint(key)}"
            )
    return facts


def _root(made: Difference) -> Iterator[str]:
    yield from _told(_root_facts(made.old) if made.old else {}, _root_facts(made.new))
    if made.old is None:
        return
    old, new = made.old.chain, made.new.chain
    known = {root.version: root for root in old}
    for root in new:  # what hosts will stumble over that follow the roots from one to the other
        if root.version in known and root.signed != known[root.version].signed:
            yield f"  ! root version {root.version} is another one: hosts will refuse this kit"
    if new[-1].version < old[-1].version:
        yield "  ! the root is older: signers that the newer one names no longer do not count"
    if new[0].version > old[0].version:
        yield f"  ! the chain has lost its oldest versions{left_behind(new)}"


# --- what the manifest lists ---------------------------------------------------------------------


def _components(made: Difference) -> Iterator[str]:
    """Yield the components, and directories of the first ones: each component before the bound."""
    lines, room = [], MAX_IN_FULL
    for name, before, after, part in rows(made):
        lines.append([_component(name, before, after, part)])
        shown = sorted(part.directories.items())
        most = min(MAX_SHOWN, room)
        lines[-1] += [f"      {quoted(path + '/')}: {count}" for path, count in shown[:most]]
        room -= len(shown[:most])
        if len(shown) > most:
            lines[-1].append(f"      and {len(shown) - most} directories more")
    for one in lines[:MAX_IN_FULL]:
        yield from one
    if len(lines) > MAX_IN_FULL:
        yield f"    and {len(lines) - MAX_IN_FULL} more"


def _component(name: str, before: Component | None, after: Component | None, part: Part) -> str:
    item = after or before
    assert item is not None
    sign = "+" if before is None else "-" if after is None else "~"
    version, more = quoted(item.version), ""
    if before is None or after is None:
        more = f", lands {quoted(item.lands)}, in {_paths(item)}"
        more += f", kind {item.kind}" if item.kind else ""
        more += f", owner {quoted(item.owner)}" if item.owner else ""
    else:
        if before.version != after.version:
            version = f"{quoted(before.version)} -> {version}"
        elif part.counts.any:
            version += " (the same version)"
        for what in ("lands", "kind", "owner"):
            was, now = getattr(before, what), getattr(after, what)
            more += f", {what} {quoted(was)} -> {quoted(now)}" if was != now else ""
        if before.paths != after.paths:
            more += f", in {_paths(before)} -> {_paths(after)}"
    empty = f", empty for now: {quoted(item.placeholder)}" if item.placeholder else ""
    return f"  {sign} {name} {version}: {part.counts}{more}{empty}"


def _paths(item: Component) -> str:
    paths = " ".join(quoted(path) for path in item.paths[:5])
    return paths + (f" and {len(item.paths) - 5} more" if len(item.paths) > 5 else "")


def _lists(made: Difference) -> Iterator[tuple[str, Iterator[str]]]:
    def exemptions(manifest: Manifest) -> list[str]:
        return list(map(_exemption, manifest.exemptions))

    def requires(manifest: Manifest) -> list[str]:
        return list(map(quoted, manifest.requires))

    def primary(manifest: Manifest) -> list[str]:
        return [f"{quoted(s.name)} {s.digest['sha256']}" for s in manifest.subjects[2:]]

    tables: list[tuple[str, Callable[[Manifest], list[str]]]] = [
        ("exemptions", exemptions),
        ("requires", requires),
        ("primary artifacts", primary),
    ]
    for title, make in tables:
        before = Counter(make(made.old.manifest) if made.old is not None else [])
        after = Counter(make(made.new.manifest))
        gone = [f"  - {line}" for line in sorted((before - after).elements())]
        come = [f"  + {line}" for line in sorted((after - before).elements())]
        yield title, _bounded(gone + come)


def _exemption(item: Exemption) -> str:
    paths = [quoted(path) for path in item.paths[:MAX_IN_FULL]]
    more = len(item.paths) - len(paths)
    return f"{quoted(item.reason)}: {', '.join(paths)}" + (f" and {more} more" if more else "")


# --- members -------------------------------------------------------------------------------------


def _others(made: Difference, detail: _Detail) -> Iterator[str]:
    for name, part in made.others.items():
        yield f"  {name}: {part.counts}"
    if detail.digests and made.others:
        yield from _listed(made, detail, lambda kind: kind != _PAYLOAD)


def _members(made: Difference, detail: _Detail) -> Iterator[str]:
    if made.old is None and not detail.digests:
        count = sum(part.counts.added for part in made.components.values())
        yield f"  + {count}: all of them are new"
        return
    yield from _listed(made, detail, lambda kind: kind == _PAYLOAD)


_PAYLOAD = CLASSES[DATA].decode("ascii")


def _listed(made: Difference, detail: _Detail, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Yield members in their order, with a bound for each kind of change: none hides another."""
    count = Counter[str]()
    signs = dict(WORDS)
    for word, kind, path, was, now in members(made.old, made.new):
        if wanted(kind):
            count[word] += 1
            if count[word] <= detail.most:
                yield f"  {signs[word]} {quoted(path.decode('utf-8'))}: {_member(was, now, detail)}"
    for word, _ in WORDS:
        if count[word] > detail.most:
            where = "" if detail.digests else ": --json has all of them"
            yield f"    and {count[word] - detail.most} more {word}{where}"


def _member(was: Side | None, now: Side | None, detail: _Detail) -> str:
    if was is None or now is None:
        side = was or now
        assert side is not None
        told = [f"{int(side[1])} bytes", *(["executable"] if side[2] == b"0755" else [])]
        return ", ".join([*told, *([f"sha256 {side[0].decode()}"] if detail.digests else [])])
    told = [f"{int(was[1])} -> {int(now[1])} bytes" if was[1] != now[1] else f"{int(now[1])} bytes"]
    if was[2] != now[2]:
        told.append("executable now" if now[2] == b"0755" else "no longer executable")
    if was[0] == now[0]:
        told.append("the same contents")
    elif detail.digests:
        told.append(f"sha256 {was[0].decode()} -> {now[0].decode()}")
    else:
        told.append("other contents")
    return ", ".join(told)
