"""A publisher in memory: its roots rotate, its kits are signed, and each part may be an attack.

After python-tuf's RepositorySimulator: a test changes what the publisher would have done in a line
or two, and asks what a host says.  Nothing here uses the builder or the rotation of ours: roots are
objects that are signed by the test keys, kits come from `tests.support.assembler`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.assembler import Draft, assemble
from tests.support.judging import Verdict, judge
from tests.support.people import (
    SIGNER,
    chain,
    compact,
    olpc,
    person,
    root_line,
    sign_root,
    signed_root,
)
from verifier.core.trust import parse_root

Signed = dict[str, Any]
Edit = Callable[[Signed], Any]


def seat(signed: Signed, role: str, *names: str, threshold: int | None = None) -> Signed:
    """Give a role to some people, each with the test key of that name."""
    for name in names:
        signed["keys"][person(name).keyid] = person(name).key
    signed["roles"][role]["keyids"] = [person(name).keyid for name in names]
    if threshold is not None:
        signed["roles"][role]["threshold"] = threshold
    return signed


def seat_all(signed: Signed, *names: str, threshold: int | None = None) -> Signed:
    """Give every role to some people and to nobody else."""
    signed["keys"] = {}
    for role in signed["roles"]:
        seat(signed, role, *names, threshold=threshold)
    return signed


def root_of(version: int, *names: str, by: Sequence[str], threshold: int | None = None) -> bytes:
    """Return a root of some people in every role, signed by others or the same."""
    signed = seat_all({**signed_root(), "version": version}, *names, threshold=threshold)
    return sign_root(signed, by)


class Publisher:
    """Roots, oldest first; whoever has the test keys may publish the next one.

    Attributes:
        roots: Roots in compact JSON, without the LF.
    """

    def __init__(self, first: bytes | None = None) -> None:
        self.roots = [first or root_line()]

    def signed(self, version: int | None = None) -> Signed:
        """Return a copy of what is signed in a version; in the last one if none is given."""
        line = self.roots[-1] if version is None else self.of(version)
        value: Signed = json.loads(line)["signed"]
        return value

    def of(self, version: int) -> bytes:
        """Return the root of a version."""
        return next(r for r in self.roots if json.loads(r)["signed"]["version"] == version)

    def rotate(self, edit: Edit, *names: str) -> bytes:
        """Publish the next version, changed by ``edit`` and signed by some people."""
        signed = copy.deepcopy(self.signed())
        signed["version"] += 1
        edit(signed)
        self.roots.append(sign_root(signed, names))
        return self.roots[-1]

    def resign(self, change: Callable[[list[Signed]], list[Signed]]) -> None:
        """Change the signatures of the last root."""
        value = json.loads(self.roots[-1])
        value["signatures"] = change(value["signatures"])
        self.roots[-1] = compact(value)

    def kit(self, *signers: str, roots: Sequence[bytes] | None = None, **hooks: Any) -> bytes:
        """Return a kit that carries the roots, signed by some people."""
        carried = chain(*(self.roots if roots is None else roots))
        return assemble(Draft(signers=signers, chain=carried), **hooks)


def rotated() -> Publisher:
    """Return a publisher whose fourth root has one person left of its first.

    Version 2 revokes bob, version 3 leaves the people as they are, version 4 takes grace for alice.
    """
    publisher = Publisher()
    publisher.rotate(lambda s: seat_all(s, "alice", "carol", "frank"), "alice", "carol")
    publisher.rotate(lambda s: s.update(expires="2041-01-01T00:00:00Z"), "carol", "frank")
    publisher.rotate(lambda s: seat_all(s, "carol", "frank", "grace"), "carol", "frank")
    return publisher


def entry(root: bytes, name: str, **change: Any) -> Signed:
    """Return somebody's signature of a root, as an entry of ``signatures``."""
    message = olpc(json.loads(root)["signed"])
    return {"keyid": person(name).keyid, "sig": person(name).sign(message).hex(), **change}


def key_of(name: str, signer: str) -> Signed:
    """Return the public test key of somebody, as a key of somebody else or of a name."""
    return {**person(name).key, SIGNER: signer}


def verdict(kit: bytes, pinned: bytes) -> Verdict:
    """Return what a host says that has pinned a root."""
    return judge(kit, root=parse_root(pinned))
