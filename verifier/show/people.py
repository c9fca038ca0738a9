"""Who comes and who goes when a role of a root changes, by name and by key; the reader decides.

Keys are compared by what they are, and shown by the SHA-256 of the public key: a key id is a name
that whoever writes a root may choose.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.core.signature import Key
from verifier.core.trust import Role, Root
from verifier.show.fingerprint import fingerprint, groups

ROLES = {"targets": "kit signers", "root": "root signers"}


def root_changes(old: Root, new: Root) -> Iterator[str]:
    """Yield a line for each person and key that is not the same in two versions of a root."""
    for name, title in ROLES.items():
        yield from role_changes(title, old.role[name], new.role[name])


def role_changes(title: str, old: Role, new: Role) -> Iterator[str]:
    """Yield a line for each person and key that is not the same in two versions of a role."""
    before, now = old.signers(), new.signers()
    had = {key.identity: key for key in old.keys.values()}
    has = {key.identity: key for key in new.keys.values()}
    for name in sorted(set(now) - set(before)):
        yield f"{title}: {name!r} comes"
    for name in sorted(set(before) - set(now)):
        yield f"{title}: {name!r} goes"
    for key in _by_name(has[what] for what in has.keys() - had.keys()):
        yield f"{title}: new key of {key.signer!r}: {_told(key)}"
    for key in _by_name(had[what] for what in had.keys() - has.keys()):
        yield f"{title}: gone is the key of {key.signer!r}: {_told(key)}"
    if old.threshold != new.threshold:
        yield f"{title}: {new.threshold} must sign instead of {old.threshold}"


def _by_name(keys: Iterator[Key]) -> list[Key]:
    return sorted(keys, key=lambda key: (key.signer, key.keyid))


def _told(key: Key) -> str:
    return f"{key.scheme}, SHA-256 {groups(fingerprint(key))}"
