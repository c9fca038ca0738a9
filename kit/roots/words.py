"""Roots in words: for people who read them to each other and sign them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from kit.roots.ceremony import Standing
from verifier.core.trust import Role, Root
from verifier.show.fingerprint import groups

_ROLES = {"targets": "kit signers", "root": "root signers"}
_LOSS = {"kit signers": "; kits that need this signature are refused"}


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of a file in groups, for reading aloud."""
    return groups(hashlib.sha256(data).hexdigest())


def describe(root: Root, *, signing: bool = False) -> Iterator[str]:
    """Yield lines that say what a root is.

    Args:
        root: The root.
        signing: Whether signatures are still coming: they change the SHA-256 of the file, so that
            of what is signed is given.
    """
    yield f"version {root.version}, expires {root.expires}"
    if signing:
        yield f"  signed part   {fingerprint(root.signed)}"
    else:
        yield f"  root.json     {fingerprint(root.line)}"
    for name, title in _ROLES.items():
        role = root.role[name]
        yield f"  {title + ':':<14}{role.threshold} of {', '.join(map(repr, role.signers()))}"
    for keyid, signer, scheme in _keys(root):
        yield f"  key           {signer!r}: {scheme}, {keyid}"
    yield f"  policy        {root.policy_sha256 or 'none is bound'}"
    if root.reset_lines:
        yield f"  resets        {', '.join(root.reset_lines)}"


def _keys(root: Root) -> list[tuple[str, str, str]]:
    found = {key.keyid: key for name in _ROLES for key in root.role[name].keys.values()}
    rows = [(key.keyid, key.signer, key.scheme) for key in found.values()]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def changes(old: Root, new: Root) -> Iterator[str]:
    """Yield lines that say what a version changes."""
    for name, title in _ROLES.items():
        yield from _role_changes(title, old.role[name], new.role[name])
    if old.expires != new.expires:
        yield f"expires {new.expires} instead of {old.expires}"
    if old.policy_sha256 != new.policy_sha256:
        yield f"policy: {new.policy_sha256 or 'none'} instead of {old.policy_sha256 or 'none'}"
    for line in new.reset_lines:
        yield f"line {line!r} is reset: its sequence starts anew"


def _role_changes(title: str, old: Role, new: Role) -> Iterator[str]:
    before, now = old.signers(), new.signers()
    for name in sorted(set(now) - set(before)):
        yield f"{title}: {name!r} comes"
    for name in sorted(set(before) - set(now)):
        yield f"{title}: {name!r} goes" + _LOSS.get(title, "")
    for name in sorted(set(before) & set(now)):
        had, has = (
            {key.keyid for key in role.keys.values() if key.signer == name} for role in (old, new)
        )
        yield from (f"{title}: {name!r} has a new key {keyid}" for keyid in sorted(has - had))
        yield from (f"{title}: the key {keyid} of {name!r} goes" for keyid in sorted(had - has))
    if old.threshold != new.threshold:
        yield f"{title}: {new.threshold} must sign instead of {old.threshold}"


def progress(standing: Standing) -> Iterator[str]:
    """Yield lines that say who has signed and who is missing."""
    for side in standing.sides:
        signed = ", ".join(map(repr, side.signed)) or "nobody"
        line = f"by the rules of version {side.version}: {signed} signed, {side.threshold} must"
        if side.met:
            yield f"{line}: enough"
        else:
            need, names = side.threshold - len(side.signed), ", ".join(map(repr, side.waiting))
            yield f"{line}: {need} more of {names}"
        for name in side.not_evaluated:
            yield f"  the signature of {name!r} has a scheme that is not known here"
    for keyid in standing.useless:
        yield f"the signature of key {keyid!r} is wrong, or the key is in neither version"
