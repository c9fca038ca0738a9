"""What is different between two kits, as text that has one spelling: ``diff.txt`` of a review pack.

The text has a bounded length, and totals that have none.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from kit.review.changes import MAX_LISTED, Members, bounded, changed_members, section
from kit.review.head import Head, index_lines, left_behind
from verifier.core.model import Exemption, Manifest
from verifier.core.names import quoted
from verifier.core.trust import Root
from verifier.show.fingerprint import fingerprint

FIRST_LINE = "offline-kit-diff/1"
NO_OLD = "old: nothing to compare with"
_DERIVED = (b"sums", b"sig")  # they follow from the rest, and say nothing of their own


def diff_text(new: Head, old: Head | None) -> str:
    """Return ``diff.txt``: what is different in ``new``; without ``old``, everything is.

    Raises:
        KitError: A kit cannot be read any more as it was.
    """
    before = index_lines(old) if old is not None else iter([[b""]])
    members = Members(new.manifest, old.manifest if old is not None else None)
    for kind, path, was, now in changed_members(before, index_lines(new)):
        if kind not in _DERIVED:
            members.add(kind, path, was, now)
    lines = [FIRST_LINE, *_sides(new, old)]
    lines += _facts(new.manifest, old.manifest if old is not None else None)
    lines += section("root of trust", _root(new, old))
    lines += members.components()
    lines += _lists(new.manifest, old.manifest if old is not None else None)
    lines += members.text()
    return "\n".join(lines) + "\n"


def _sides(new: Head, old: Head | None) -> Iterator[str]:
    for name, head in (("new", new), ("old", old)):
        if head is None:
            yield NO_OLD
            continue
        info = head.manifest.kit
        yield f"{name}: {info.name} {info.version}, line {info.line}, sequence {info.sequence}"
        yield f"     kitId {head.kit_id}"


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


def _facts(new: Manifest, old: Manifest | None) -> Iterator[str]:
    before = _facts_of(old) if old is not None else {}
    told = []
    for name, value in _facts_of(new).items():
        if name not in before:
            told.append(f"  + {name}: {value}")
        elif before[name] != value:
            told.append(f"  ~ {name}: {before[name]} -> {value}")
    if old is not None and new.kit.line != old.kit.line:
        told.append("  ! the old kit is of another line: its sequence says nothing here")
    elif old is not None and new.kit.sequence <= old.kit.sequence:
        told.append(
            "  ! the sequence is not higher: a host that has the old kit will refuse this one"
        )
    yield from section("kit", told)


def _root(new: Head, old: Head | None) -> Iterator[str]:
    facts = [_root_facts(head) if head is not None else {} for head in (old, new)]
    before, after = facts
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if was is None:
            yield f"  + {name}: {now}"
        elif now is None:
            yield f"  - {name}: {was}"
        else:
            yield f"  ~ {name}: {was} -> {now}"
    if old is not None:
        yield from _chains(new.chain, old.chain)


def _chains(new: Sequence[Root], old: Sequence[Root]) -> Iterator[str]:
    """Yield what hosts will stumble over that follow the roots from one kit to the other."""
    known = {root.version: root for root in old}
    for root in new:
        if root.version in known and root.signed != known[root.version].signed:
            yield f"  ! root version {root.version} is another one: hosts will refuse this kit"
    if new[-1].version < old[-1].version:
        yield "  ! the root is older: signers that the newer one names no longer do not count"
    if new[0].version > old[0].version:
        yield f"  ! the chain has lost its oldest versions{left_behind(new)}"


def _root_facts(head: Head) -> dict[str, str]:
    root = head.root
    facts = {
        "version": str(root.version),
        "versions in the chain": f"{head.chain[0].version} to {root.version}",
        "root.json": f"SHA-256 {hashlib.sha256(root.signed).hexdigest()} of what is signed",
        "expires": root.expires,
        "policy": root.policy_sha256 or "none",
        "lines that started anew": ", ".join(
            f"{line} by version {since}" for line, since in sorted(root.reset_lines.items())
        )
        or "none",
    }
    for name, what in (("targets", "kit"), ("root", "root")):
        role = root.role[name]
        facts[f"signers needed for a {what}"] = f"{role.threshold} of {len(role.signers())}"
        for keyid in sorted(role.keys):
            key = role.keys[keyid]
            facts[f"{what} signer {quoted(key.signer)}, key {quoted(keyid)}"] = (
                f"{key.scheme}, SHA-256 {fingerprint(key)}"
            )
    return facts


def _lists(new: Manifest, old: Manifest | None) -> Iterator[str]:
    def exemptions(manifest: Manifest) -> list[str]:
        return sorted(map(_exemption, manifest.exemptions))

    def requires(manifest: Manifest) -> list[str]:
        return sorted(map(quoted, manifest.requires))

    def primary(manifest: Manifest) -> list[str]:
        return sorted(f"{quoted(s.name)} {s.digest['sha256']}" for s in manifest.subjects[2:])

    tables: list[tuple[str, Callable[[Manifest], list[str]]]] = [
        ("exemptions", exemptions),
        ("requires", requires),
        ("primary artifacts", primary),
    ]
    for title, make in tables:
        before, after = Counter(make(old) if old is not None else []), Counter(make(new))
        gone = [f"  - {line}" for line in sorted((before - after).elements())]
        come = [f"  + {line}" for line in sorted((after - before).elements())]
        yield from section(title, bounded(gone + come, len(gone) + len(come)))


def _exemption(item: Exemption) -> str:
    paths = [quoted(path) for path in item.paths[:MAX_LISTED]]
    more = len(item.paths) - len(paths)
    return f"{quoted(item.reason)}: {', '.join(paths)}" + (f" and {more} more" if more else "")
