"""Roots in words: for people who read them to each other and sign them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from kit.roots.ceremony import Standing
from verifier.core.model import parse_time
from verifier.core.signature import Key
from verifier.core.trust import Root
from verifier.show.fingerprint import fingerprint, groups
from verifier.show.people import ROLES, role_changes

DAY = 86_400  # seconds
SOON_DAYS = 90  # media travel for weeks, and a root needs several people


def digest(data: bytes) -> str:
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
        yield f"  signed part   {digest(root.signed)}"
    else:
        yield f"  root.json     {digest(root.line)}"
    for name, title in ROLES.items():
        role = root.role[name]
        yield f"  {title + ':':<14}{role.threshold} of {', '.join(map(repr, role.signers()))}"
    for key in _keys(root):
        yield f"  key           {key.signer!r}, {key.scheme}; SHA-256 of the public key, key id:"
        yield f"                {groups(fingerprint(key))}"
        yield f"                {key.keyid}"
    yield f"  policy        {root.policy_sha256 or 'none is bound'}"
    for line, since in sorted(root.reset_lines.items()):
        yield f"  reset         {line}, by version {since}: kits under older roots are old"


def _keys(root: Root) -> list[Key]:
    found = {key.keyid: key for name in ROLES for key in root.role[name].keys.values()}
    return sorted(found.values(), key=lambda key: (key.signer, key.keyid))


def expiry(root: Root, now: int) -> list[str]:
    """Return a sentence if a root has expired, or will soon; nothing else.

    Args:
        root: The root.
        now: Seconds since 1970.
    """
    end = parse_time(root.expires)
    if end is None or end - now > SOON_DAYS * DAY:
        return []
    when = f"expired on {root.expires}" if end <= now else f"expires on {root.expires}"
    left = "" if end <= now else f", in {(end - now) // DAY} days"
    return [
        f"root version {root.version} {when}{left}: a host whose policy enforces that refuses kits "
        "after it; make the next version with `offline-kit root rotate ROOTS --expires DATE`"
    ]


def changes(old: Root, new: Root) -> Iterator[str]:
    """Yield lines that say what a version changes."""
    for name, title in ROLES.items():
        for line in role_changes(title, old.role[name], new.role[name]):
            lost = name == "targets" and line.endswith(" goes")
            yield f"{line}; kits that need this signature are refused" if lost else line
    if old.expires != new.expires:
        yield f"expires {new.expires} instead of {old.expires}"
    if old.policy_sha256 != new.policy_sha256:
        yield f"policy: {new.policy_sha256 or 'none'} instead of {old.policy_sha256 or 'none'}"
    for line, since in sorted(new.reset_lines.items()):
        if since != old.reset_lines.get(line):
            yield f"line {line!r} is reset: its sequence starts anew, and older kits stay old"


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
